import { joinScope, outsideOfScopes } from '../context.ts'
import { OAuthCredential, relatedSecrets, relateSecrets } from '../credential.ts'
import type { RelatedSecret } from '../credential.ts'
import type { RefreshGrant } from '../env.ts'
import { assertOptions } from '../errors.ts'
import type { Refresher } from '../source.ts'
import { CredentialRefreshError, successorOf } from './errors.ts'
import { grantOf, keyOf, missingForRefresh } from './grant.ts'
import type { Refreshable } from './grant.ts'
import { isRefusal } from './pause.ts'
import { extendLineage, findLineage, holdLineage, Lineage, releaseLineage } from './lineage.ts'
import { assertEndpointOptions, ENDPOINT_KINDS, inTime, requestRefresh } from './token-endpoint.ts'
import type { TokenEndpointOptions } from './token-endpoint.ts'

/** Options of {@link createRefresher}. */
export interface CreateRefresherOptions extends TokenEndpointOptions {
  /** How long before its expiry a token counts as expired, in seconds; by default 60. */
  readonly leewaySeconds?: number | undefined
  /**
   * Saves what has been refreshed. The calls that have waited for the request wait for it too, as long as a request may
   * take; where it fails it is called again later. Where an answer held a new refresh token, but no access token that can be
   * used, it gets the last one that there was.
   */
  readonly onRefresh?: OnRefresh | undefined
}

type OnRefresh = (credential: OAuthCredential) => unknown

/**
 * Keeps OAuth tokens fresh (RFC 6749 section 6): one request for however many calls wait, and after a failure none for a
 * while. What has replaced a refresh token is remembered for as long as the process runs, by all its refreshers. Several
 * processes share accounts by `mcp-credentials/accounts`.
 *
 * @param options - how and when to refresh, and where to save
 * @returns a function that gives the credential itself where it is fresh or its expiry is unknown, and else its successor,
 *   with `extra` and `scopes` of what it was given. Where refreshing fails it gives what is still valid, or else rejects with
 *   `CredentialRefreshError` (`ERR_CREDENTIAL_REFRESH`), or with what `onRefresh` throws. With `{ force: true }`, as after
 *   a 401, it gives another access token than that of the credential, but asks for one once in a while only
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is misspelt, or of another kind
 * @example
 * const refresh = createRefresher({ onRefresh: (credential) => vault.save(credential) })
 * const source = async () => refresh(await vault.load(id))
 */
export function createRefresher(options: CreateRefresherOptions = {}): Refresher {
  const own = { leewaySeconds: ['seconds'], onRefresh: ['function'] } as const
  assertOptions(options, 'createRefresher', { ...ENDPOINT_KINDS, ...own })
  assertEndpointOptions(options)
  const service = new RefreshService(options)
  return async (given, call = {}) => {
    assertOptions(call, 'a refresher', { force: ['boolean'] })
    const grant = grantOf(given)
    return grant === undefined ? asItIs(given) : service.refresh({ given, grant }, call.force)
  }
}

function asItIs(given: Refreshable): OAuthCredential {
  if (given instanceof OAuthCredential && !given.isExpired(0)) return given
  const missing = missingForRefresh(given).join(', ')
  throw new CredentialRefreshError(`the old one has expired, and the credential lacks ${missing}`)
}

/** What a caller gave, and what it takes to refresh that. */
interface Call {
  readonly given: Refreshable
  readonly grant: RefreshGrant
}

interface HandedOut {
  readonly from: OAuthCredential
  readonly copy: OAuthCredential
}

class RefreshService {
  readonly #options: CreateRefresherOptions
  // By what was given: an environment gives the same again and again.
  readonly #keys = new WeakMap<Refreshable, string>()
  readonly #handedOut = new WeakMap<Refreshable, HandedOut>()

  constructor(options: CreateRefresherOptions) {
    this.#options = options
  }

  async refresh(call: Call, force = false): Promise<OAuthCredential> {
    const { given, grant } = call
    const key = this.#keys.get(given) ?? (await keyOf(grant))
    // What is not frozen could be another grant the next time.
    if (Object.isFrozen(given)) this.#keys.set(given, key)
    const known = findLineage(key)
    if (known === undefined && !force && this.#isFresh(given)) return given
    // Without waiting in between: two calls must not come to have a lineage each.
    const lineage = known ?? new Lineage()
    if (known === undefined) extendLineage(lineage, key, grant.refreshToken)
    const isForced = force && !(lineage.pause.isOn && lineage.pause.error === undefined)
    if (isForced) lineage.rejected = accessTokenOf(given) ?? lineage.current?.accessToken
    try {
      return this.#handOut(lineage, given, await this.#fresh(lineage, call, isForced))
    } catch (error) {
      const valid = newestOf(given, lineage, isForced ? lineage.rejected : undefined)
      if (valid === undefined || valid.isExpired(0)) throw error
      return this.#handOut(lineage, given, valid)
    }
  }

  #isFresh(given: Refreshable | undefined): given is OAuthCredential {
    return given instanceof OAuthCredential && !given.isExpired(this.#options.leewaySeconds)
  }

  async #fresh(lineage: Lineage, call: Call, isForced: boolean): Promise<OAuthCredential> {
    const { pause } = lineage
    // It could be onRefresh that asks: what it asks for must not wait for it.
    const isSaving = lineage.saving !== undefined
    if (!isSaving && !pause.isOn) await this.#save(lineage)
    const newest = newestOf(call.given, lineage, lineage.rejected)
    if (this.#isFresh(newest)) return newest
    const hasFailed = pause.isOn && pause.error !== undefined
    if (hasFailed) throw pause.error
    // Not in the scope of who comes first: what the request starts must not have that caller's credential.
    lineage.flight ??= outsideOfScopes(() => this.#request(lineage, call, isForced)).finally(() => {
      lineage.flight = undefined
      releaseLineage(lineage)
    })
    try {
      return await lineage.flight
    } finally {
      const saving = this.#save(lineage)
      if (!isSaving) await saving
    }
  }

  async #request(lineage: Lineage, call: Call, isForced: boolean): Promise<OAuthCredential> {
    holdLineage(lineage)
    const { refreshToken, current, pause } = lineage
    const request = { ...call.grant, refreshToken, scopes: current?.scopes, extra: undefined }
    try {
      const successor = await requestRefresh(request, this.#options)
      relateSecrets(successor, replacedTokens(current ?? call.given, successor))
      await this.#take(lineage, call, successor.refreshToken, successor)
      if (isForced) pause.begin()
      return successor
    } catch (error) {
      await this.#take(lineage, call, successorOf(error))
      // What was refused is not sent again, and not worth saving.
      if (isRefusal(error)) lineage.unsaved = undefined
      pause.begin(error, isRefusal(error) ? Infinity : undefined)
      throw error
    }
  }

  /** Takes what an answer held: a new refresh token, and the access token if that can be used. */
  async #take(
    lineage: Lineage,
    { given, grant }: Call,
    refreshToken = lineage.refreshToken,
    token?: OAuthCredential,
  ): Promise<void> {
    const isRotated = refreshToken !== lineage.refreshToken
    if (isRotated) extendLineage(lineage, await keyOf({ ...grant, refreshToken }), refreshToken)
    if (token !== undefined) lineage.current = token
    if (lineage.rejected === token?.accessToken) lineage.rejected = undefined
    const isToBeSaved = token !== undefined && this.#options.onRefresh !== undefined
    if (!isRotated && !isToBeSaved) return
    const newest = lineage.current ?? given
    const isToken = newest instanceof OAuthCredential
    lineage.unsaved = isToken ? layOver(given, newest, refreshToken) : { ...newest, refreshToken }
  }

  /** Saves what nobody has saved, unless that is going on. */
  #save(lineage: Lineage): Promise<void> | undefined {
    const { onRefresh } = this.#options
    // A grant has no access token yet: it waits for one.
    const isSaveable = onRefresh !== undefined && lineage.unsaved instanceof OAuthCredential
    if (lineage.saving !== undefined || !isSaveable) return lineage.saving
    lineage.saving = outsideOfScopes(() => this.#saveAll(lineage, onRefresh))
    // Not all that could hear that it failed wait for it.
    lineage.saving.catch(() => undefined)
    return lineage.saving
  }

  async #saveAll(lineage: Lineage, onRefresh: OnRefresh): Promise<void> {
    try {
      // What has been refreshed meanwhile is saved as well, and last.
      while (lineage.unsaved instanceof OAuthCredential) {
        const credential = lineage.unsaved
        await inTime(this.#options.timeoutSeconds, 'onRefresh', () => onRefresh(credential))
        if (lineage.unsaved === credential) lineage.unsaved = undefined
      }
    } catch (error) {
      // A longer one that the token endpoint has asked for goes on.
      if (!lineage.pause.isOn) lineage.pause.begin(error)
      throw error
    } finally {
      lineage.saving = undefined
      releaseLineage(lineage)
    }
  }

  /** A successor, with what the caller gave besides. */
  #handOut(lineage: Lineage, given: Refreshable, successor: OAuthCredential): OAuthCredential {
    if (successor === given) return successor
    joinScope(successor)
    const { refreshToken } = lineage
    const known = this.#handedOut.get(given)
    if (known?.from === successor && known.copy.refreshToken === refreshToken) return known.copy
    const copy = layOver(given, successor, refreshToken)
    relateSecrets(copy, [...relatedSecrets(successor), ...replacedTokens(given, copy)])
    if (Object.isFrozen(given)) this.#handedOut.set(given, { from: successor, copy })
    return copy
  }
}

const accessTokenOf = (given: Refreshable): string | undefined =>
  given instanceof OAuthCredential ? given.accessToken : undefined

/** What was given or what is remembered, whichever expires later, and was not rejected; a grant has no token yet. */
function newestOf(
  given: Refreshable,
  { current }: Lineage,
  rejected: string | undefined,
): OAuthCredential | undefined {
  const isOffered = given instanceof OAuthCredential && given.accessToken !== rejected
  const offered = isOffered ? given : undefined
  // One without a known expiry was for the calls that have waited for it.
  const isRemembered = current?.expiresAt !== undefined && current.accessToken !== rejected
  if (!isRemembered) return offered
  return Number(offered?.expiresAt) >= Number(current.expiresAt) ? offered : current
}

/** A token as its caller knows it. */
function layOver(
  { clientId, clientSecret, tokenUri, scopes, extra }: Refreshable,
  token: OAuthCredential,
  refreshToken: string,
): OAuthCredential {
  const { accessToken, expiresAt } = token
  const ofToken = { accessToken, refreshToken, expiresAt, scopes: token.scopes ?? scopes }
  return new OAuthCredential({ ...ofToken, clientId, clientSecret, tokenUri, extra })
}

/** The tokens that a successor has in place of others. */
function replacedTokens(ancestor: Refreshable, successor: OAuthCredential): RelatedSecret[] {
  const { accessToken, refreshToken } = successor
  const secrets: [name: string, value: string | undefined, successor: string | undefined][] = [
    ['accessToken', accessTokenOf(ancestor), accessToken],
    ['refreshToken', ancestor.refreshToken, refreshToken],
  ]
  return secrets.flatMap(([name, old, now]) =>
    old === undefined || old === now ? [] : [[name, old]],
  )
}
