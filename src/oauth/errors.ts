import { CredentialError } from '../errors.ts'

// An answer could hold anything in place of an error, so only these are repeated: those of RFC 6749 sections 4.1.2.1 and
// 5.2, RFC 8693 section 2.2.2, and OpenID Connect Core 1.0 section 3.1.2.6.
const KNOWN_ERRORS = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
  'server_error',
  'temporarily_unavailable',
  'interaction_required',
  'login_required',
  'consent_required',
]

// GitHub has names of its own.
const SYNONYMS = new Map<unknown, string>([
  ['bad_refresh_token', 'invalid_grant'],
  ['incorrect_client_credentials', 'invalid_client'],
])

/** Options of {@link CredentialRefreshError}. */
export interface CredentialRefreshErrorOptions {
  /** The HTTP status of the answer, if there was one. */
  readonly status?: number | undefined
  /** What the answer gives as its error; kept where it is a known one. */
  readonly error?: unknown
  /** How many seconds the answer asks to wait. */
  readonly retryAfter?: number | undefined
  /** A sentence on what to do about it. */
  readonly advice?: string | undefined
  /** The error behind this one, for the operator's `onCall` alone. */
  readonly cause?: unknown
}

/**
 * A token endpoint gave no new access token, or could not be asked for one, with code `ERR_CREDENTIAL_REFRESH`.
 *
 * @param reason - half a sentence that says why, without a value in it
 * @param options - `status`, `error` and `retryAfter` of the answer, `advice`, and the `cause`
 * @example
 * if (error instanceof CredentialRefreshError && error.error === 'invalid_grant') await forgetAccount()
 */
export class CredentialRefreshError extends CredentialError {
  override readonly name: string = 'CredentialRefreshError'
  declare readonly code: 'ERR_CREDENTIAL_REFRESH'
  /** The HTTP status of the answer, if there was one. */
  readonly status: number | undefined
  /** The error of the answer, such as `invalid_grant` (RFC 6749 section 5.2). */
  readonly error: string | undefined
  /** How many seconds the answer asks to wait (RFC 9110 section 10.2.3), an hour at most. */
  readonly retryAfter: number | undefined

  constructor(reason: string, options: CredentialRefreshErrorOptions = {}) {
    const { status, retryAfter, advice, cause } = options
    const error = knownError(options.error)
    const named = error === undefined ? reason : `${reason} (${error})`
    const sentence = `No new access token could be obtained: ${named}.`
    super('ERR_CREDENTIAL_REFRESH', advice === undefined ? sentence : `${sentence} ${advice}`, {
      cause,
    })
    this.status = status
    this.error = error
    this.retryAfter = retryAfter
  }
}

/** The error of an answer under its standard name, if it is a known one. */
export function knownError(error: unknown): string | undefined {
  return SYNONYMS.get(error) ?? KNOWN_ERRORS.find((known) => known === error)
}

// Not a property: a log would print it.
const successors = new WeakMap<CredentialRefreshError, string>()

/** Has an error carry the refresh token of an answer that was refused for something else in it. */
export function keepSuccessor(error: CredentialRefreshError, refreshToken: string): void {
  successors.set(error, refreshToken)
}

/** The refresh token of an answer that was refused for something else in it: it replaces the one that was sent. */
export function successorOf(error: unknown): string | undefined {
  return error instanceof CredentialRefreshError ? successors.get(error) : undefined
}
