import { OAuthCredential } from '../credential.ts'
import { assertObject, CredentialError, invalidCredential } from '../errors.ts'
import type { JsonObject } from '../grammar.ts'

/** The OAuth client that an access token was issued to. */
export interface TokenClient {
  /** Its identifier. */
  readonly clientId?: string | undefined
  /** Its secret, where it has one. */
  readonly clientSecret?: string | undefined
  /** The token endpoint. */
  readonly tokenUri?: string | undefined
  /** What the credential is to have as `extra`. */
  readonly extra?: JsonObject | undefined
}

/** What a token endpoint answers (RFC 6749 section 5.1), such as what `oauth4webapi` gives. */
export interface TokenResponse {
  readonly access_token?: unknown
  readonly token_type?: unknown
  readonly expires_in?: unknown
  readonly refresh_token?: unknown
  readonly scope?: unknown
}

/**
 * The credential that a token endpoint has answered with (RFC 6749 section 5.1).
 *
 * @param response - the JSON object of the answer, from just now; a member that is `null` counts as absent
 * @param client - the client that has asked, and the `tokenUri`: what it takes to refresh the credential later; and `extra`
 * @param requestedScopes - the scopes that were asked for, which are those granted where the answer names none
 * @throws CredentialError `ERR_CREDENTIAL_INVALID` for an answer that breaks RFC 6749, or a token type other than `bearer`
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
  return readTokenResponse(
    response,
    { ...client, scopes: requestedScopes },
    Date.now(),
    (reason) => {
      const message = `The answer of the token endpoint cannot be used: ${reason}`
      return new CredentialError('ERR_CREDENTIAL_INVALID', message, { isServerFault: true })
    },
  )
}

const TEN_YEARS = 10 * 365 * 24 * 60 * 60

/** What an answer need not repeat. */
export interface Expected extends TokenClient {
  /** The scopes that were asked for. */
  readonly scopes?: readonly string[] | undefined
  /** The refresh token that is kept where the answer has none. */
  readonly refreshToken?: string | undefined
}

/** As fromTokenResponse, for what was asked for at `time`. */
export function readTokenResponse(
  response: TokenResponse,
  expected: Expected,
  time: number,
  fail: (reason: string) => CredentialError,
): OAuthCredential {
  try {
    return toCredential(response, expected, time)
  } catch (error) {
    throw error instanceof CredentialError ? fail(error.message) : error
  }
}

// The messages of its errors start with the name of a member.
function toCredential(response: TokenResponse, expected: Expected, time: number): OAuthCredential {
  const type = text(response, 'token_type')
  if (!type) throw invalidCredential('token_type is missing.')
  if (type.toLowerCase() !== 'bearer') throw invalidCredential('token_type is not "bearer".')
  const accessToken = text(response, 'access_token')
  if (!accessToken) throw invalidCredential('access_token is missing.')
  const seconds = lifetime(response.expires_in)
  const scope = text(response, 'scope')
  const { clientId, clientSecret, tokenUri, extra } = expected
  const refreshToken = text(response, 'refresh_token') || expected.refreshToken
  const scopes = scope === undefined ? expected.scopes : splitScope(scope)
  const expiresAt = seconds === undefined ? undefined : new Date(time + seconds * 1000)
  const ofAnswer = { accessToken, refreshToken, scopes, expiresAt }
  return new OAuthCredential({ ...ofAnswer, clientId, clientSecret, tokenUri, extra }, MEMBERS)
}

const MEMBERS = { accessToken: 'access_token', refreshToken: 'refresh_token', scopes: 'scope' }

// GitHub separates scopes by commas.
const splitScope = (scope: string): string[] => scope.split(/[\s,]+/).filter((name) => name !== '')

function text(response: TokenResponse, member: keyof TokenResponse): string | undefined {
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
