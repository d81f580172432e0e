import { CredentialError } from '../errors.ts'

// RFC 6749 section 5.2. An answer could have anything else in its place.
const REFRESH_ERRORS = [
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
]

/**
 * The access token has expired, and could not be refreshed, with code `ERR_CREDENTIAL_REFRESH`.
 *
 * @param reason - half a sentence that says why, without a value in it
 * @param status - the HTTP status of the answer, if there was one
 * @param error - what the answer gives as its error; kept where it is one of RFC 6749 section 5.2
 * @example
 * if (error instanceof CredentialRefreshError && error.error === 'invalid_grant') await forgetAccount()
 */
export class CredentialRefreshError extends CredentialError {
  override readonly name: string = 'CredentialRefreshError'
  declare readonly code: 'ERR_CREDENTIAL_REFRESH'
  /** The HTTP status of the answer, if there was one. */
  readonly status: number | undefined
  /** The error of the answer, such as `invalid_grant`. */
  readonly error: string | undefined

  constructor(reason: string, status?: number, error?: unknown) {
    const known = REFRESH_ERRORS.find((code) => code === error)
    const advice = known === 'invalid_grant' ? ' The account must be connected again.' : ''
    super(
      'ERR_CREDENTIAL_REFRESH',
      `The access token could not be refreshed: ${reason}${known ? ` (${known})` : ''}.${advice}`,
    )
    this.status = status
    this.error = known
  }
}
