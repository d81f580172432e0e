import { outsideOfScopes } from '../context.ts'
import type { OAuthCredential } from '../credential.ts'
import type { RefreshGrant } from '../env.ts'
import { successorOf } from '../oauth/errors.ts'
import { isRefusal, Pause } from '../oauth/pause.ts'
import { requestRefresh } from '../oauth/token-endpoint.ts'
import type { TokenEndpointOptions } from '../oauth/token-endpoint.ts'
import { random, toBase64url } from './keys.ts'
import { fromClaim, toClaim } from './seal.ts'
import { MAX_TRIES, NEVER_DONE, unavailable } from './vault.ts'
import type { Account, Row, Vault } from './vault.ts'

/** How accounts are refreshed. */
export interface RefreshOptions extends TokenEndpointOptions {
  /**
   * How long before its expiry a token is refreshed, in seconds; by default 60. It should be more than `timeoutSeconds` and
   * five: so long nobody else refreshes an account whose process has died, and the old token is served meanwhile.
   */
  readonly leewaySeconds?: number | undefined
}

// What a lease lasts beyond the time limit of the request, for saving.
const MARGIN = 5000
const MAX_PAUSES = 10_000
// A token with less than this left may not get to its destination.
const USABLE_SECONDS = 1

/** A row that has to be refreshed. What is stored with a refresh token has a client and a token URI as well. */
interface DueRow extends Row {
  readonly account: Account & { readonly credential: OAuthCredential & RefreshGrant }
}

/** What a request has come to: the refresh token that was sent, what it makes of the account, and why it failed. */
interface Outcome {
  readonly sent: string
  readonly change: Account
  readonly error?: unknown
}

/**
 * Keeps the accounts of one provider fresh, beside other processes that do the same. What is called `rejected` is an access
 * token that the API takes no more.
 */
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
  async fresh(owner: string, rejected?: string): Promise<Account> {
    const row = await this.#vault.load(owner)
    const { account } = row
    if (!this.#unsaved.has(owner) && !this.#isDue(row, rejected)) return account
    const known = this.#flights.get(owner)
    if (known !== undefined) return isUsable(account, rejected) ? account : known
    // Not in the scope of who comes first: what the request starts must not have that caller's credential.
    const flight = outsideOfScopes(() => this.#fly(owner, rejected))
    this.#flights.set(owner, flight)
    return flight.finally(() => this.#flights.delete(owner))
  }

  #isDue(row: Row, rejected: string | undefined): row is DueRow {
    const { credential, isRefused } = row.account
    if (credential?.refreshToken === undefined || isRefused) return false
    if (credential.isExpired(this.#options.leewaySeconds)) return true
    const pause = this.#pauses.get(row.owner)
    // A token that was just had by force is not replaced by force.
    const wasForced = pause?.isOn === true && pause.error === undefined
    return credential.accessToken === rejected && !wasForced
  }

  async #fly(owner: string, rejected: string | undefined): Promise<Account> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const unsaved = this.#unsaved.get(owner)
      const account = unsaved && (await this.#settle(owner, unsaved))
      if (account !== undefined && this.#unsaved.has(owner)) return account
      const row = await this.#vault.load(owner)
      if (!this.#isDue(row, rejected)) return row.account
      const { lease } = row.account
      // One of its own is left from a request that has ended.
      const isLeased = lease !== undefined && lease.by !== this.#name && Date.now() < lease.until
      if (isLeased && isUsable(row.account, rejected)) return row.account
      if (isLeased) {
        await sleep(Math.min(50 * 2 ** tries, 500))
        continue
      }
      const refreshed = await this.#refresh(row, rejected)
      if (refreshed !== undefined) return refreshed
    }
    throw unavailable(new Error(NEVER_DONE))
  }

  /** Refreshes an account, unless another process is first. */
  async #refresh(row: DueRow, rejected: string | undefined): Promise<Account | undefined> {
    const { owner, account } = row
    const pause = this.#pauses.get(owner)
    if (pause?.isOn && pause.error !== undefined) return servable(account, pause.error, rejected)
    const start = Date.now()
    this.#name ??= toBase64url(random(9))
    const { timeoutSeconds = 10 } = this.#options
    const lease = { by: this.#name, until: start + timeoutSeconds * 1000 + MARGIN }
    const isOurs = await this.#vault.swap(row, { ...account, lease })
    // A process that was held up must not send what another one may have sent meanwhile.
    if (!isOurs || Date.now() > start + MARGIN) return undefined
    const outcome = await this.#request(row, rejected)
    const settled = await this.#settle(owner, outcome)
    return outcome.error === undefined ? settled : servable(settled, outcome.error, rejected)
  }

  async #request({ owner, account: { credential } }: DueRow, rejected?: string): Promise<Outcome> {
    const { refreshToken: sent } = credential
    // Of very many the one that is known for longest is forgotten, as in a day without the token endpoint.
    const [oldest = owner] = this.#pauses.keys()
    const pause = this.#pauses.get(owner) ?? new Pause()
    if (this.#pauses.size >= MAX_PAUSES) this.#pauses.delete(oldest)
    this.#pauses.set(owner, pause)
    try {
      const successor = await requestRefresh(credential, this.#options)
      if (credential.accessToken === rejected) pause.begin()
      else this.#pauses.delete(owner)
      return { sent, change: { credential: successor } }
    } catch (error) {
      if (isRefusal(error)) return { sent, change: { isRefused: true } }
      pause.begin(error)
      const refreshToken = successorOf(error)
      const claim = { ...toClaim(credential), refreshToken }
      const change = refreshToken === undefined ? {} : { credential: fromClaim(claim) }
      return { sent, change, error }
    }
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

function isUsable({ credential, isRefused }: Account, rejected?: string): boolean {
  if (credential === undefined || isRefused) return false
  return !credential.isExpired(USABLE_SECONDS) && credential.accessToken !== rejected
}

/** The account, where its token can still be used. */
function servable(account: Account, error: unknown, rejected?: string): Account {
  if (isUsable(account, rejected)) return account
  throw error
}
