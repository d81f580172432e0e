import { outsideOfScopes } from '../context.ts'
import { OAuthCredential } from '../credential.ts'
import type { RefreshGrant } from '../env.ts'
import { misuse } from '../errors.ts'
import type { Refresher } from '../source.ts'
import { CredentialRefreshError } from './errors.ts'
import { requestRefresh } from './token-endpoint.ts'
import type { TokenEndpointOptions } from './token-endpoint.ts'

/** Options of {@link createRefresher}. */
export interface CreateRefresherOptions extends TokenEndpointOptions {
  /** How long before its expiry a token counts as expired, in seconds; by default 60. */
  readonly leewaySeconds?: number | undefined
  /** Saves a credential that has been refreshed, whose refresh token may be another; awaited before anyone gets it. */
  readonly onRefresh?: ((credential: OAuthCredential) => void | Promise<void>) | undefined
}

type Refreshable = OAuthCredential &
  Readonly<Record<'refreshToken' | 'clientId' | 'tokenUri', string>>

// Of a token that lasts for an hour, those of four days.
const MAX_KEYS = 100

/** What has become of a credential, under the keys by which its callers may still know it. */
interface Lineage {
  current: Refreshable
  isSaved: boolean
  flight: Promise<OAuthCredential> | undefined
  readonly keys: string[]
}

/**
 * Keeps OAuth tokens fresh (RFC 6749 section 6). However many calls wait for a token there is one request for it; the
 * successor of a refresh token is remembered, for as long as the process runs.
 *
 * @param options - how and when to refresh, and where to save
 * @returns a function that gives the credential itself where it is fresh or its expiry is unknown, and else its
 *   successor. It rejects with `CredentialRefreshError` (`ERR_CREDENTIAL_REFRESH`), also where a credential has expired
 *   that lacks a refresh token, client id or token URI; and with what `onRefresh` throws
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for a leeway or timeout that is none, or an unknown `clientAuth`
 * @example
 * const refresh = createRefresher({ onRefresh: (credential) => vault.save(id, credential) })
 * const source = async () => refresh(await vault.load(id))
 */
export function createRefresher(options: CreateRefresherOptions = {}): Refresher {
  const { leewaySeconds = 60, timeoutSeconds = 10, clientAuth, onRefresh } = options
  if (!(leewaySeconds >= 0))
    throw misuse('ERR_INVALID_ARG_VALUE', 'leewaySeconds must be a number, 0 or more.')
  if (!(timeoutSeconds > 0))
    throw misuse('ERR_INVALID_ARG_VALUE', 'timeoutSeconds must be a number, more than 0.')
  if (![undefined, 'basic', 'post', 'none'].includes(clientAuth)) {
    throw misuse('ERR_INVALID_ARG_VALUE', 'clientAuth is "basic", "post" or "none".')
  }
  const lineages = new Map<string, Lineage>()

  async function renew(lineage: Lineage, given: Refreshable): Promise<OAuthCredential> {
    if (lineage.current.isExpired(leewaySeconds)) {
      const { clientId, clientSecret, tokenUri, extra } = given
      const { refreshToken, scopes } = lineage.current
      const grant = { refreshToken, clientId, clientSecret, tokenUri, scopes, extra }
      lineage.current = (await requestRefresh(grant, options)) as Refreshable
      lineage.isSaved = onRefresh === undefined
      remember(lineage)
    }
    // Also where saving failed before: the old refresh token may be worth nothing any more.
    if (!lineage.isSaved) await onRefresh?.(lineage.current)
    lineage.isSaved = true
    return lineage.current
  }

  /** The first key, which an environment holds for ever, and the last: an old refresh token must not be used again. */
  function remember(lineage: Lineage): void {
    const key = keyOf(lineage.current)
    if (lineage.keys.at(-1) === key) return
    lineages.set(key, lineage)
    lineage.keys.push(key)
    if (lineage.keys.length > MAX_KEYS)
      for (const old of lineage.keys.splice(1, 1)) lineages.delete(old)
  }

  return async (given) => {
    const credential = given instanceof OAuthCredential ? given : withoutToken(given)
    if (!isRefreshable(credential)) {
      if (!credential.isExpired(0)) return credential
      const missing = missingForRefresh(credential).join(', ')
      throw new CredentialRefreshError(`it has expired, and the credential lacks ${missing}`)
    }
    const key = keyOf(credential)
    const known = lineages.get(key)
    if (known?.isSaved && !known.current.isExpired(leewaySeconds)) return known.current
    if (!credential.isExpired(leewaySeconds) && (known?.isSaved ?? true)) return credential
    const lineage = known ?? { current: credential, isSaved: true, flight: undefined, keys: [key] }
    lineages.set(key, lineage)
    // Not in the scope of who comes first: what the request starts must not have that caller's credential.
    lineage.flight ??= outsideOfScopes(() => renew(lineage, credential)).finally(() => {
      lineage.flight = undefined
      if (lineage.current === credential) lineages.delete(key)
    })
    return lineage.flight
  }
}

/** Stands in for a token that is yet to come. It has expired, so that nothing but a refresh makes use of it. */
const withoutToken = (grant: RefreshGrant): OAuthCredential =>
  new OAuthCredential({ ...grant, accessToken: 'to-be-refreshed', expiresAt: new Date(0) })

const NEEDED = ['refreshToken', 'clientId', 'tokenUri'] as const

/** What a credential lacks to be refreshed. */
const missingForRefresh = (credential: OAuthCredential): (typeof NEEDED)[number][] =>
  NEEDED.filter((property) => credential[property] === undefined)

const isRefreshable = (credential: OAuthCredential): credential is Refreshable =>
  missingForRefresh(credential).length === 0

const keyOf = ({ tokenUri, clientId, refreshToken }: Refreshable): string =>
  JSON.stringify([tokenUri, clientId, refreshToken])

