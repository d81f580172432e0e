import { joinScope, outsideOfScopes } from '../context.ts'
import { OAuthCredential, relatedSecrets, relateSecrets } from '../credential.ts'
import type { RelatedSecret } from '../credential.ts'
import type { RefreshGrant } from '../env.ts'
import { assertOptions } from '../errors.ts'
import type { Refresher } from '../source.ts'
import { CredentialRefreshError, successorOf } from './errors.ts'
import { isSecondSender } from './senders.ts'
import { grantOf, keyOf, keyOfGiven, missingForRefresh } from './grant.ts'
import type { Refreshable } from './grant.ts'
import { Memory } from './memory.ts'
import type { Lineage, Outcome } from './memory.ts'
import {
  assertEndpointOptions,
  ENDPOINT_OPTIONS,
  inTime,
  requestRefresh,
} from './token-endpoint.ts'
import type { TokenEndpointOptions } from './token-endpoint.ts'

/** Options of {@link createRefresher}. */
export interface CreateRefresherOptions extends TokenEndpointOptions {
  /** How long before its expiry a token counts as expired, in seconds; by default 60. */
  readonly leewaySeconds?: number | undefined
  /**
   * Saves what has been refreshed. It is awaited before the calls that made the request go on, as long as a request may
   * take, and called again later where it fails. It gets a grant where an answer held a new refresh token, but no access
   * token that can be used, and there was none before.
   */
  readonly onRefresh?: OnRefresh | undefined
}

type OnRefresh = (credential: OAuthCredential | RefreshGrant) => unknown

/**
 * Keeps OAuth tokens fresh (RFC 6749 section 6): one request for however many calls wait, and after a failure none for a
 * while. What a token has been replaced by is remembered for as long as the process runs. A process has one refresher;
 * several processes share accounts by `mcp-credentials/accounts`.
 *
 * @param options - how and when to refresh, and where to save
 * @returns a function that gives the credential itself where it is fresh or its expiry is unknown, and else its successor,
 *   with `extra` and `scopes` of what it was given. Where refreshing fails it gives what is still valid, or else rejects with
 *   `CredentialRefreshError` (`ERR_CREDENTIAL_REFRESH`), or with what `onRefresh` throws. With `{ force: true }`, as after
 *   a 401, it gives another access token than that of the credential, once in a while
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is misspelt, or of another kind
 * @example
 * const refresh = createRefresher({ onRefresh: (credential) => vault.save(credential) })
 * const source = async () => refresh(await vault.load(id))
 */
export function createRefresher(options: CreateRefresherOptions = {}): Refresher {
  assertOptions(options, 'createRefresher', {
    ...ENDPOINT_OPTIONS,
    leewaySeconds: ['seconds'],
    onRefresh: ['function'],
  })
  assertEndpointOptions(options)
  const keeper = new Keeper(options)
  return async (given, call = {}) => {
    assertOptions(call, 'a refresher', { force: ['boolean'] })
    const grant = grantOf(given)
    return grant === undefined ? asItIs(given) : keeper.refresh(given, grant, call.force ?? false)
  }
}

/** For what lacks a part. */
function asItIs(given: Refreshable): OAuthCredential {
  if (given instanceof OAuthCredential && !given.isExpired(0)) return given
  const missing = missingForRefresh(given).join(', ')
  throw new CredentialRefreshError(`the old one has expired, and the credential lacks ${missing}`)
}

interface Call {
  readonly given: Refreshable
  readonly grant: RefreshGrant
  readonly isForced: boolean
}

class Keeper {
  readonly #id = Symbol('refresher')
  readonly #options: CreateRefresherOptions
  readonly #leewaySeconds: number
  readonly #memory = new Memory()
  // By what was given: an environment gives the same again and again.
  readonly #handedOut = new WeakMap<Refreshable, { of: OAuthCredential; copy: OAuthCredential }>()

  constructor(options: CreateRefresherOptions) {
    this.#options = options
    this.#leewaySeconds = options.leewaySeconds ?? 60
  }

  async refresh(given: Refreshable, grant: RefreshGrant, force: boolean): Promise<OAuthCredential> {
    const key = await keyOfGiven(given, grant)
    const known = this.#memory.find(key)
    if (known === undefined && !force && this.#isFresh(given)) return given
    // Without waiting in between: two calls must not come to have a lineage each.
    const lineage = known ?? this.#memory.create(key, grant.refreshToken)
    const isForced = force && !isJustForced(lineage)
    if (isForced) lineage.rejected = accessTokenOf(given) ?? lineage.current?.accessToken
    try {
      const fresh = await this.#fresh(lineage, { given, grant, isForced })
      return this.#handOut(lineage, given, fresh)
    } catch (error) {
      const valid = newestOf(given, lineage, isForced ? lineage.rejected : undefined)
      if (valid === undefined || valid.isExpired(0)) throw error
      return this.#handOut(lineage, given, valid)
    }
  }

  #isFresh(given: Refreshable | undefined): given is OAuthCredential {
    return given instanceof OAuthCredential && !given.isExpired(this.#leewaySeconds)
  }

  async #fresh(lineage: Lineage, call: Call): Promise<OAuthCredential> {
    if (!lineage.pause.isOn) await this.#save(lineage)
    const newest = newestOf(call.given, lineage, lineage.rejected)
    if (this.#isFresh(newest)) return newest
    if (lineage.refusal !== undefined) throw lineage.refusal
    const { isOn, error } = lineage.pause
    if (isOn && error !== undefined) throw error
    // Not in the scope of who comes first: what the request starts must not have that caller's credential.
    lineage.flight ??= outsideOfScopes(() => this.#fly(lineage, call))
    const outcome = await lineage.flight
    await outcome.saving
    if (outcome.successor === undefined) throw outcome.error
    return outcome.successor
  }

  async #fly(lineage: Lineage, call: Call): Promise<Outcome> {
    this.#memory.hold(lineage)
    const outcome = await this.#request(lineage, call)
    // Before anything is saved: what onRefresh asks for must not wait for this flight, which could wait for onRefresh.
    lineage.flight = undefined
    this.#memory.release(lineage)
    return { ...outcome, saving: this.#save(lineage) }
  }

  async #request(lineage: Lineage, call: Call): Promise<Outcome> {
    const { key, refreshToken, current } = lineage
    const { given, grant, isForced } = call
    const isSecond = isSecondSender(key, this.#id)
    const request = { ...grant, refreshToken, scopes: current?.scopes, extra: undefined }
    try {
      const successor = await requestRefresh(request, this.#options)
      relateSecrets(successor, tokensOf(current ?? given, successor))
      await this.#succeed(lineage, call, successor)
      if (isForced) lineage.pause.begin()
      return { successor }
    } catch (problem) {
      const error = isSecond && isRefusal(problem) ? usedTwice(problem) : problem
      await this.#fail(lineage, call, error)
      return { error }
    }
  }

  async #succeed(lineage: Lineage, { given, grant }: Call, successor: OAuthCredential) {
    const { refreshToken = lineage.refreshToken } = successor
    const isRotated = await this.#adopt(lineage, grant, refreshToken)
    lineage.current = successor
    if (lineage.rejected === successor.accessToken) lineage.rejected = undefined
    if (isRotated || this.#options.onRefresh)
      lineage.unsaved = layOver(given, successor, refreshToken)
  }

  async #fail(lineage: Lineage, { given, grant }: Call, error: unknown) {
    const refreshToken = successorOf(error)
    if (refreshToken !== undefined && (await this.#adopt(lineage, grant, refreshToken)))
      lineage.unsaved = withRefreshToken(given, lineage.current, refreshToken)
    if (!isRefusal(error)) return lineage.pause.begin(error)
    lineage.refusal = error
    lineage.unsaved = undefined
  }

  /** Whether it is another refresh token than before. */
  async #adopt(lineage: Lineage, grant: RefreshGrant, refreshToken: string): Promise<boolean> {
    if (refreshToken === lineage.refreshToken) return false
    const key = await keyOf({ ...grant, refreshToken })
    this.#memory.adopt(lineage, key, refreshToken)
    return true
  }

  /** Saves what nobody has saved, unless that is going on: then nobody waits for it, since onRefresh could be who asks. */
  #save(lineage: Lineage): Promise<void> | undefined {
    const { onRefresh } = this.#options
    if (onRefresh === undefined || lineage.unsaved === undefined || lineage.isSaving)
      return undefined
    lineage.isSaving = true
    return outsideOfScopes(() => this.#saveAll(lineage, onRefresh))
  }

  async #saveAll(lineage: Lineage, onRefresh: OnRefresh): Promise<void> {
    const { timeoutSeconds } = this.#options
    try {
      // What has been refreshed meanwhile is saved as well, and last.
      while (lineage.unsaved !== undefined) {
        const credential = lineage.unsaved
        await inTime(timeoutSeconds, 'onRefresh', () => onRefresh(credential))
        if (lineage.unsaved === credential) lineage.unsaved = undefined
      }
    } catch (error) {
      lineage.pause.begin(error)
      throw error
    } finally {
      lineage.isSaving = false
      this.#memory.release(lineage)
    }
  }

  #handOut(lineage: Lineage, given: Refreshable, credential: OAuthCredential): OAuthCredential {
    if (credential === given) return credential
    joinScope(credential)
    const known = this.#handedOut.get(given)
    const { refreshToken } = lineage
    if (known?.of === credential && known.copy.refreshToken === refreshToken) return known.copy
    const copy = layOver(given, credential, refreshToken)
    relateSecrets(copy, [...relatedSecrets(credential), ...tokensOf(given, copy)])
    if (Object.isFrozen(given)) this.#handedOut.set(given, { of: credential, copy })
    return copy
  }
}

const SHARE = 'Create one refresher, and share it. The account must be connected again.'

function usedTwice({ status, error }: CredentialRefreshError): CredentialRefreshError {
  const reason = 'another refresher of this process has used the refresh token'
  return new CredentialRefreshError(reason, { status, error, advice: SHARE })
}

const isJustForced = ({ pause }: Lineage): boolean => pause.isOn && pause.error === undefined

const isRefusal = (error: unknown): error is CredentialRefreshError =>
  error instanceof CredentialRefreshError && error.error === 'invalid_grant'

const accessTokenOf = (given: Refreshable): string | undefined =>
  given instanceof OAuthCredential ? given.accessToken : undefined

/** What was given, or what is remembered, whichever expires later and was not rejected; a grant has no token yet. */
function newestOf(
  given: Refreshable,
  { current }: Lineage,
  rejected: string | undefined,
): OAuthCredential | undefined {
  const isUsable = given instanceof OAuthCredential && given.accessToken !== rejected
  const offered = isUsable ? given : undefined
  // One without a known expiry was for the calls that have waited for it.
  const isRemembered = current?.expiresAt !== undefined && current.accessToken !== rejected
  if (!isRemembered) return offered
  const isNewer = Number(offered?.expiresAt) >= Number(current.expiresAt)
  return isNewer ? offered : current
}

/** A token as its caller knows it. */
function layOver(given: Refreshable, token: OAuthCredential, refreshToken: string) {
  const { clientId, clientSecret, tokenUri, extra } = given
  const { accessToken, expiresAt, scopes = given.scopes } = token
  const ofCaller = { clientId, clientSecret, tokenUri, scopes, extra }
  return new OAuthCredential({ accessToken, refreshToken, expiresAt, ...ofCaller })
}

/** What is to be saved where an answer held nothing but a refresh token. */
function withRefreshToken(
  given: Refreshable,
  current: OAuthCredential | undefined,
  refreshToken: string,
): Refreshable {
  const token = current ?? given
  if (token instanceof OAuthCredential) return layOver(given, token, refreshToken)
  return { ...token, refreshToken }
}

/** The tokens that a successor has replaced. */
function tokensOf(ancestor: Refreshable, successor: OAuthCredential): RelatedSecret[] {
  const { accessToken, refreshToken } = successor
  const secrets: RelatedSecret[] = []
  const token = accessTokenOf(ancestor)
  if (token !== undefined && token !== accessToken) secrets.push(['accessToken', token])
  if (ancestor.refreshToken !== undefined && ancestor.refreshToken !== refreshToken)
    secrets.push(['refreshToken', ancestor.refreshToken])
  return secrets
}
