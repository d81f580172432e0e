import { OAuthCredential } from '../credential.ts'
import type { OAuthProperties } from '../credential.ts'
import { assertObject, CredentialError, invalidCredential } from '../errors.ts'
import { CredentialRefreshError } from './errors.ts'

/** The OAuth client that an access token was issued to, and what the credential is to have as `extra`. */
export type TokenClient = Partial<
  Pick<OAuthProperties, 'clientId' | 'clientSecret' | 'tokenUri' | 'extra'>
>

/** What a token endpoint answers (RFC 6749 sections 5.1 and 5.2), such as what `oauth4webapi` gives. */
export type TokenResponse = Readonly<Partial<Record<Member, unknown>>>
type Member = 'access_token' | 'token_type' | 'expires_in' | 'refresh_token' | 'scope' | 'error'

/**
 * The credential that a token endpoint has answered with (RFC 6749 section 5.1).
 *
 * @param response - the JSON object of the answer, from just now; a member that is `null` counts as absent
 * @param client - the client that has asked, and the `tokenUri`: what it takes to refresh the credential later; and `extra`
 * @param requestedScopes - the scopes that were asked for, which are those granted where the answer names none
 * @throws CredentialRefreshError `ERR_CREDENTIAL_REFRESH` for an answer that is an error, or breaks RFC 6749, and for a token
 *   type other than `bearer`
 * @example
 * const response = await oauth.processAuthorizationCodeResponse(server, client, await request)
 * const credential = fromTokenResponse(response, { clientId, clientSecret, tokenUri }, ['repo'])
 */
export function fromTokenResponse(
  response: TokenResponse,
  client: TokenClient,
  requestedScopes?: readonly string[],
): OAuthCredential {
  assertObject(response, 'The answer of a token endpoint', "{ access_token: '…' }")
  // By name: a credential may be given for the client, and nothing is to be had by spreading that.
  const { clientId, clientSecret, tokenUri, extra } = client
  const expected = { clientId, clientSecret, tokenUri, extra, scopes: requestedScopes }
  return readTokenResponse(response, expected, Date.now())
}

type Expected = Partial<OAuthProperties>

/**
 * As fromTokenResponse, for what was asked for at `time`. Of what is `expected`, the answer need not repeat the scopes and the
 * refresh token.
 */
export function readTokenResponse(
  response: TokenResponse,
  expected: Expected,
  time: number,
  status?: number,
): OAuthCredential {
  try {
    return toCredential(response, expected, time)
  } catch (problem) {
    if (!(problem instanceof CredentialError)) throw problem
    const { error, refresh_token: refreshToken } = response
    const successor = isRefreshToken(refreshToken) ? refreshToken : undefined
    const reason = `the answer of the token endpoint cannot be used: ${problem.message.slice(0, -1)}`
    throw new CredentialRefreshError(reason, { status, error, successor })
  }
}

// RFC 6749 section A.17: refresh-token = 1*VSCHAR
const isRefreshToken = (value: unknown): value is string =>
  typeof value === 'string' && /^[\x20-\x7e]+$/.test(value)

const TEN_YEARS = 10 * 365 * 24 * 60 * 60

function toCredential(response: TokenResponse, expected: Expected, time: number): OAuthCredential {
  if (response.error) throw invalidCredential('it is an error.')
  const type = text(response, 'token_type')
  if (!type) throw invalidCredential('token_type is missing.')
  if (type.toLowerCase() !== 'bearer') throw invalidCredential('token_type is not "bearer".')
  const accessToken = text(response, 'access_token')
  if (!accessToken) throw invalidCredential('access_token is missing.')
  const refreshToken = text(response, 'refresh_token') || expected.refreshToken
  const scope = text(response, 'scope')
  const scopes = scope === undefined ? expected.scopes : splitScope(scope)
  const seconds = lifetime(response.expires_in)
  const expiresAt = seconds === undefined ? undefined : new Date(time + seconds * 1000)
  const { clientId, clientSecret, tokenUri, extra } = expected
  const ofClient = { clientId, clientSecret, tokenUri, extra }
  return new OAuthCredential({ ...ofClient, accessToken, refreshToken, scopes, expiresAt }, MEMBERS)
}

// For the messages of its errors.
const MEMBERS = { accessToken: 'access_token', refreshToken: 'refresh_token', scopes: 'scope' }

// GitHub separates scopes by commas.
const splitScope = (scope: string): string[] => scope.split(/[\s,]/).filter((name) => name !== '')

function text(response: TokenResponse, member: Member): string | undefined {
  const value = response[member] ?? undefined
  if (value === undefined || typeof value === 'string') return value
  throw invalidCredential(`${member} is not a string.`)
}

/** Seconds; some servers write them as a string, or with a fraction. */
function lifetime(value: unknown): number | undefined {
  if (value === undefined || value === null) return undefined
  const isNumber = typeof value === 'number' && value >= 0
  const isText = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value)
  if (!isNumber && !isText) throw invalidCredential('expires_in is not a number of seconds.')
  return Math.min(Math.floor(Number(value)), TEN_YEARS)
}
