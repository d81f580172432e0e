import { joinScope, outsideOfScopes } from '../context.ts'
import { OAuthCredential, relatedSecrets, relateSecrets } from '../credential.ts'
import type { RefreshGrant } from '../env.ts'
import { assertOptions, misuse } from '../errors.ts'
import { isPlainObject } from '../grammar.ts'
import type { Refresher } from '../source.ts'
import { CredentialRefreshError, successorOf } from './errors.ts'
import { digest } from './digest.ts'
import { Lineages } from './lineage.ts'
import type { Lineage } from './lineage.ts'
import { isRefusal } from './pause.ts'
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
  readonly onRefresh?: ((credential: OAuthCredential) => unknown) | undefined
}

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
  const kinds = { ...ENDPOINT_KINDS, leewaySeconds: ['seconds'], onRefresh: ['function'] } as const
  assertOptions(options, 'createRefresher', kinds)
  assertEndpointOptions(options)
  const memory = new WeakMap<object, Memory>()
  return async (given, call = {}) => {
    assertOptions(call, 'a refresher', { force: ['boolean'] })
    const token = given instanceof OAuthCredential ? given : undefined
    // A credential of a second copy of the package is no plain object.
    if (token === undefined && !isPlainObject(given)) throw misuse('ERR_INVALID_ARG_TYPE', WANTED)
    const { refreshToken, clientId, clientSecret, tokenUri, scopes, extra } = given
    if (!refreshToken || !clientId || !tokenUri) return asItIs(given, call.force)
    const grant = { refreshToken, clientId, clientSecret, tokenUri, scopes, extra }
    const known: Memory = memory.get(given) ?? { key: await keyOf(grant) }
    // What is not frozen could be another grant the next time.
    if (Object.isFrozen(given)) memory.set(given, known)
    return lineages.use(known.key, refreshToken, async (lineage) => {
      const newest = await freshOf({ grant, token, lineage, options }, call.force)
      return newest === token ? token : handOut(newest, grant, lineage.refreshToken, known)
    })
  }
}

/** What is remembered of what was given: while nothing changes the same is handed out, whose secrets are searched for fast. */
interface Memory {
  readonly key: string
  from?: OAuthCredential
  copy?: OAuthCredential
}

function handOut(
  newest: OAuthCredential,
  grant: RefreshGrant,
  refreshToken: string,
  known: Memory,
): OAuthCredential {
  joinScope(newest)
  if (known.from === newest && known.copy?.refreshToken === refreshToken) return known.copy
  known.from = newest
  known.copy = layOver(grant, newest, refreshToken)
  relateSecrets(known.copy, relatedSecrets(newest))
  return known.copy
}

const WANTED = 'A refresher takes an OAuthCredential or a RefreshGrant.'

// Of all refreshers of the process: a refresh token that one has used is worth nothing to another.
const lineages: Lineages = new Lineages()

/** Nobody gets what was had with another client secret, or from another endpoint. */
const keyOf = (grant: RefreshGrant): Promise<string> =>
  digest([grant.tokenUri, grant.clientId, grant.clientSecret, grant.refreshToken])

function asItIs(given: OAuthCredential | RefreshGrant, force = false): OAuthCredential {
  if (!force && given instanceof OAuthCredential && !given.isExpired(0)) return given
  const parts = ['refreshToken', 'clientId', 'tokenUri'] as const
  const missing = parts.filter((part) => !given[part])
  throw new CredentialRefreshError(`the credential lacks ${missing.join(', ')}`)
}

/** What a caller gave, and what is known of that. */
interface Call {
  readonly grant: RefreshGrant
  readonly token: OAuthCredential | undefined
  readonly lineage: Lineage
  readonly options: CreateRefresherOptions
}

async function freshOf(call: Call, force = false): Promise<OAuthCredential> {
  const { token, lineage, options } = call
  // It could be onRefresh that asks: what it asks for must not wait for it.
  const isSaving = lineage.saving !== undefined
  if (!isSaving && !lineage.pause.isOn) await save(call)
  const refused = token?.accessToken ?? lineage.current?.accessToken ?? ''
  return lineage.fresh(token, options.leewaySeconds, force ? refused : undefined, async () => {
    try {
      return await lineage.once(() => request(call))
    } finally {
      if (!isSaving) await save(call)
    }
  })
}

async function request(call: Call): Promise<OAuthCredential> {
  const { grant, token, lineage, options } = call
  const { refreshToken, current } = lineage
  const sent = { ...grant, refreshToken, scopes: current?.scopes, extra: undefined }
  try {
    const successor = await requestRefresh(sent, options)
    // What it replaces must not leave the calls that know it.
    relateSecrets(successor, [
      ['accessToken', (current ?? token)?.accessToken ?? ''],
      ['refreshToken', refreshToken],
    ])
    await take(call, successor.refreshToken, successor)
    return successor
  } catch (error) {
    await take(call, successorOf(error))
    // What was refused is not worth saving.
    if (isRefusal(error)) lineage.unsaved = undefined
    throw error
  }
}

/** Takes what an answer held: a new refresh token, and the access token if that can be used. */
async function take(
  { grant, token, lineage, options }: Call,
  refreshToken: string = lineage.refreshToken,
  successor?: OAuthCredential,
): Promise<void> {
  const isRotated = refreshToken !== lineage.refreshToken
  if (isRotated) lineages.extend(lineage, await keyOf({ ...grant, refreshToken }), refreshToken)
  const isToBeSaved = successor !== undefined && options.onRefresh !== undefined
  if (!isRotated && !isToBeSaved) return
  const newest = successor ?? lineage.current ?? token
  lineage.unsaved = newest ? layOver(grant, newest, refreshToken) : grant
}

/** Saves what nobody has saved, unless that is going on. */
function save({ lineage, options }: Call): Promise<void> | undefined {
  // A grant has no access token yet: it waits for one.
  if (options.onRefresh !== undefined && lineage.unsaved instanceof OAuthCredential)
    lineage.saving ??= outsideOfScopes(() => saveAll(lineage, options))
  return lineage.saving
}

/** It never rejects, but begins a pause. */
async function saveAll(
  lineage: Lineage,
  { onRefresh, timeoutSeconds }: CreateRefresherOptions,
): Promise<void> {
  try {
    // What has been refreshed meanwhile is saved as well, and last.
    while (lineage.unsaved instanceof OAuthCredential) {
      const credential = lineage.unsaved
      await inTime(timeoutSeconds, 'onRefresh', () =>
        Promise.resolve().then(() => onRefresh?.(credential)),
      )
      if (lineage.unsaved === credential) lineage.unsaved = undefined
    }
  } catch (error) {
    // A longer one that the token endpoint has asked for goes on.
    if (!lineage.pause.isOn) lineage.pause.begin(error)
  }
  lineage.saving = undefined
}

/** A token, with what the caller gave besides. */
function layOver(
  grant: RefreshGrant,
  { accessToken, expiresAt, scopes = grant.scopes }: OAuthCredential,
  refreshToken: string,
): OAuthCredential {
  return new OAuthCredential({ ...grant, accessToken, refreshToken, expiresAt, scopes })
}
