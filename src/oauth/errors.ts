import { CredentialError } from '../errors.ts'

// An answer could hold anything in place of an error, so only these are repeated: those of RFC 6749 sections 4.1.2.1 and
// 5.2, RFC 8693 section 2.2.2, and OpenID Connect Core 1.0 section 3.1.2.6.
const KNOWN_ERRORS =
  `invalid_request invalid_client invalid_grant unauthorized_client unsupported_grant_type
invalid_scope invalid_target server_error temporarily_unavailable interaction_required login_required
consent_required`.split(/\s/)

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
  /** The new refresh token of an answer that cannot be used otherwise; no rendering shows it. */
  readonly successor?: string | undefined
  /** The error behind this one, for the operator's `onCall` alone. */
  readonly cause?: unknown
}

// Not a property: a log would print it.
const successors = new WeakMap<object, string>()

/** The refresh token that replaces the one that was sent, of an answer that cannot be used otherwise. */
export const successorOf = (error: unknown): string | undefined =>
  error instanceof CredentialRefreshError ? successors.get(error) : undefined

/**
 * A token endpoint gave no new access token, or could not be asked for one, with code `ERR_CREDENTIAL_REFRESH`.
 *
 * @param reason - half a sentence that says why, without a value in it
 * @param options - `status`, `error` and `retryAfter` of the answer, its `successor`, and the `cause`
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
    const { status, retryAfter, successor, cause } = options
    const error = SYNONYMS.get(options.error) ?? KNOWN_ERRORS.find((one) => one === options.error)
    const named = error === undefined ? reason : `${reason} (${error})`
    const advice = error === 'invalid_grant' ? ' The account must be connected again.' : ''
    const message = `No new access token could be obtained: ${named}.${advice}`
    super('ERR_CREDENTIAL_REFRESH', message, { cause })
    this.status = status
    this.error = error
    this.retryAfter = retryAfter
    if (successor !== undefined) successors.set(this, successor)
  }
}
