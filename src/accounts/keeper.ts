import { outsideOfScopes } from '../context.ts'
import { OAuthCredential } from '../credential.ts'
import type { RefreshGrant } from '../env.ts'
import { successorOf } from '../oauth/errors.ts'
import { grantOf } from '../oauth/grant.ts'
import { isRefusal, Pause } from '../oauth/pause.ts'
import { requestRefresh } from '../oauth/token-endpoint.ts'
import { random, toBase64url } from './keys.ts'
import { fromClaim, toClaim } from './seal.ts'
import type { RefreshOptions } from './types.ts'
import { MAX_TRIES, NEVER_DONE, unavailable } from './vault.ts'
import type { Account, Row, Vault } from './vault.ts'

// What a lease lasts beyond the time limit of the request, for saving.
const MARGIN = 5000
// A token with less than this left may not get to its destination.
const USABLE_SECONDS = 1

/** What has to be refreshed. */
interface Due {
  readonly credential: OAuthCredential
  readonly grant: RefreshGrant
}

/** What a request has come to: the refresh token that was sent, and what it makes of the account. */
interface Outcome {
  readonly sent: string
  readonly change: Account
}

/** Keeps the accounts of one provider fresh, beside other processes that do the same. */
export class Keeper {
  readonly #vault: Vault
  readonly #options: RefreshOptions
  readonly #flights = new Map<string, Promise<Account>>()
  readonly #pauses = new Map<string, Pause>()
  /** What could not be saved: the only copies of new refresh tokens. */
  readonly #unsaved = new Map<string, Outcome>()
  #name: string | undefined

  constructor(vault: Vault, options: RefreshOptions) {
    this.#vault = vault
    this.#options = options
  }

  /** The account of an owner, refreshed if it has to be, and if it can be. */
  async fresh(owner: string): Promise<Account> {
    const { account } = await this.#vault.load(owner)
    if (this.#due(account) === undefined && !this.#unsaved.has(owner)) return account
    const known = this.#flights.get(owner)
    if (known !== undefined) return isUsable(account) ? account : known
    // Not in the scope of who comes first: what the request starts must not have that caller's credential.
    const flight = outsideOfScopes(() => this.#fly(owner))
    this.#flights.set(owner, flight)
    return flight.finally(() => this.#flights.delete(owner))
  }

  #due({ credential, isRefused }: Account): Due | undefined {
    if (!(credential instanceof OAuthCredential) || isRefused) return undefined
    const grant = grantOf(credential)
    const isDue = credential.isExpired(this.#options.leewaySeconds)
    return isDue && grant !== undefined ? { credential, grant } : undefined
  }

  async #fly(owner: string): Promise<Account> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const unsaved = this.#unsaved.get(owner)
      const account = unsaved && (await this.#settle(owner, unsaved))
      if (account !== undefined && this.#unsaved.has(owner)) return account
      const row = await this.#vault.load(owner)
      const due = this.#due(row.account)
      if (due === undefined) return row.account
      const { lease } = row.account
      // One of its own is left from a request that has ended.
      const isLeased = lease !== undefined && lease.by !== this.#name && Date.now() < lease.until
      if (isLeased && isUsable(row.account)) return row.account
      if (isLeased) await sleep(Math.min(50 * 2 ** tries, 500))
      const settled = isLeased ? undefined : await this.#refresh(owner, row, due)
      if (settled !== undefined) return settled
    }
    throw unavailable(NEVER_DONE)
  }

  /** Refreshes an account, unless another process is first. */
  async #refresh(owner: string, row: Row, due: Due): Promise<Account | undefined> {
    const pause = this.#pauses.get(owner)
    if (pause?.isOn) return servable(row.account, pause.error)
    const start = Date.now()
    this.#name ??= toBase64url(random(9))
    const { timeoutSeconds = 10 } = this.#options
    const lease = { by: this.#name, until: start + timeoutSeconds * 1000 + MARGIN }
    const isOurs = await this.#vault.swap(owner, row, { ...row.account, lease })
    // A process that was held up must not send what another one may have sent meanwhile.
    if (!isOurs || Date.now() > start + MARGIN) return undefined
    let credential: OAuthCredential
    try {
      credential = await requestRefresh(due.grant, this.#options)
    } catch (error) {
      return this.#fail(owner, due, error)
    }
    this.#pauses.delete(owner)
    const sent = due.grant.refreshToken
    const account = await this.#settle(owner, { sent, change: { credential } })
    // Where another one has been connected meanwhile, it is looked at again.
    return account.credential === credential ? account : undefined
  }

  async #fail(owner: string, due: Due, error: unknown): Promise<Account> {
    const sent = due.grant.refreshToken
    if (isRefusal(error)) return this.#settle(owner, { sent, change: { isRefused: true } })
    const pause = this.#pauses.get(owner) ?? new Pause()
    pause.begin(error)
    this.#pauses.set(owner, pause)
    const refreshToken = successorOf(error)
    const claim = { ...toClaim(due.credential), refreshToken }
    const change = refreshToken === undefined ? {} : { credential: fromClaim(claim) }
    return servable(await this.#settle(owner, { sent, change }), error)
  }

  /** Saves what a request has come to, unless the account was connected again meanwhile, or removed: then it stays so. */
  async #settle(owner: string, outcome: Outcome, delays = [50, 500, 1500]): Promise<Account> {
    const { sent, change } = outcome
    this.#unsaved.set(owner, outcome)
    try {
      const account = await this.#vault.change(owner, (account) => {
        if (account.credential?.refreshToken !== sent) return account
        return { ...account, ...change, lease: undefined }
      })
      this.#unsaved.delete(owner)
      return account
    } catch (error) {
      // Connections drop, and databases are restarted. What can be served is, and is saved by a later call.
      const [milliseconds, ...others] = delays
      if (milliseconds === undefined) return servable(change, error)
      await sleep(milliseconds)
      return this.#settle(owner, outcome, others)
    }
  }
}

const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => runtime.setTimeout(resolve, milliseconds))

const runtime = globalThis as unknown as {
  setTimeout(fn: () => void, milliseconds: number): unknown
}

const isUsable = ({ credential, isRefused }: Account): boolean =>
  !isRefused && credential?.isExpired(USABLE_SECONDS) === false

/** The account, where its token can still be used. */
function servable(account: Account, error: unknown): Account {
  if (isUsable(account)) return account
  throw error
}
