/**
 * What went wrong, for code to branch on:
 *
 * - `ERR_CREDENTIAL_MISSING`: nothing was supplied; the message says what to set.
 * - `ERR_CREDENTIAL_INVALID`: a value breaks its grammar; the message names the variable, header or field.
 * - `ERR_CREDENTIAL_TYPE`: the credential is of another type than the one asked for.
 * - `ERR_CREDENTIAL_NO_SCOPE`: there is no credential in this context.
 * - `ERR_CREDENTIAL_ENDED`: the call that the credential was for is over.
 * - `ERR_CREDENTIAL_NOT_FOUND`: a custom source knows no credential of this id.
 * - `ERR_CREDENTIAL_UNTRUSTED`: the headers do not come from the gateway, or not as they are.
 * - `ERR_CREDENTIAL_REFRESH`: the access token has expired, and could not be refreshed.
 * - `ERR_CREDENTIAL_UNAVAILABLE`: the source failed, for a reason that the caller is not told.
 */
export type CredentialErrorCode =
  | 'ERR_CREDENTIAL_MISSING'
  | 'ERR_CREDENTIAL_INVALID'
  | 'ERR_CREDENTIAL_TYPE'
  | 'ERR_CREDENTIAL_NO_SCOPE'
  | 'ERR_CREDENTIAL_ENDED'
  | 'ERR_CREDENTIAL_NOT_FOUND'
  | 'ERR_CREDENTIAL_UNTRUSTED'
  | 'ERR_CREDENTIAL_REFRESH'
  | 'ERR_CREDENTIAL_UNAVAILABLE'

/**
 * A credential could not be had; the message is safe to show to a person or a model.
 *
 * @param code - what went wrong
 * @param message - what to do about it; a custom source that throws one never puts a value into it
 * @param isServerFault - whether the server got something wrong, and not the request: it makes an HTTP status of 500
 *   instead of 403; by default the code decides
 * @example
 * if (error instanceof CredentialError && error.code === 'ERR_CREDENTIAL_ENDED') return
 */
export class CredentialError extends Error {
  override readonly name: string = 'CredentialError'
  readonly code: CredentialErrorCode
  readonly isServerFault: boolean

  constructor(
    code: CredentialErrorCode,
    message: string,
    isServerFault: boolean = !REQUEST_FAULTS.includes(code),
  ) {
    super(message)
    this.code = code
    this.isServerFault = isServerFault
  }
}

const REQUEST_FAULTS: readonly string[] = [
  'ERR_CREDENTIAL_MISSING',
  'ERR_CREDENTIAL_INVALID',
  'ERR_CREDENTIAL_NOT_FOUND',
  'ERR_CREDENTIAL_UNTRUSTED',
]

const CONNECT_THE_ACCOUNT =
  'Connect the account in the gateway that calls this server; never paste the secret into the chat.'

/**
 * A required header is missing or empty, with code `ERR_CREDENTIAL_MISSING`.
 *
 * @param missingHeaders - the names of the headers, any one of which would do
 * @param reason - a sentence that replaces the one that lists them
 * @example
 * throw new MissingCredentialHeaderError(['X-API-Key'])
 */
export class MissingCredentialHeaderError extends CredentialError {
  override readonly name: string = 'MissingCredentialHeaderError'
  readonly missingHeaders: readonly string[]

  constructor(missingHeaders: readonly string[], reason?: string) {
    const sentence = reason ?? `The request carries no ${missingHeaders.join(' or ')} header.`
    super('ERR_CREDENTIAL_MISSING', `${sentence} ${CONNECT_THE_ACCOUNT}`)
    this.missingHeaders = Object.freeze([...missingHeaders])
  }
}

/**
 * A custom source knows no credential of this id, with code `ERR_CREDENTIAL_NOT_FOUND`.
 *
 * The id is kept out of the message, of JSON and of what `console.log` prints: it may itself be an API key.
 *
 * @param credentialId - the id that was looked up
 * @example
 * const row = await vault.find(id)
 * if (!row) throw new CredentialNotFoundError(id)
 */
export class CredentialNotFoundError extends CredentialError {
  override readonly name: string = 'CredentialNotFoundError'
  readonly #credentialId: string

  constructor(credentialId: string) {
    super(
      'ERR_CREDENTIAL_NOT_FOUND',
      `No credential is stored for this caller. ${CONNECT_THE_ACCOUNT}`,
    )
    this.#credentialId = credentialId
  }

  get credentialId(): string {
    return this.#credentialId
  }
}

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
  readonly status: number | undefined
  readonly error: string | undefined

  constructor(reason: string, status?: number, error?: unknown) {
    const known = REFRESH_ERRORS.find((code) => code === error)
    const advice = known === 'invalid_grant' ? ' The account must be connected anew.' : ''
    super(
      'ERR_CREDENTIAL_REFRESH',
      `The access token could not be refreshed: ${reason}${known ? ` (${known})` : ''}.${advice}`,
    )
    this.status = status
    this.error = known
  }
}

export const invalidCredential = (message: string): CredentialError =>
  new CredentialError('ERR_CREDENTIAL_INVALID', message)

/** Tells a hook of the server's owner. What it throws, or rejects with, may quote what it was told: nobody sees it. */
export function tell<T>(hook: ((value: T) => unknown) | undefined, value: T): void {
  try {
    Promise.resolve(hook?.(value)).catch(() => undefined)
  } catch {
    // As above.
  }
}

/** Misuse by the programmer, with the codes that Node.js gives to it. */
export function misuse(
  code: 'ERR_INVALID_ARG_TYPE' | 'ERR_INVALID_ARG_VALUE',
  message: string,
): TypeError {
  return Object.assign(new TypeError(message), { code })
}

export function assertObject(value: unknown, name: string): void {
  const isObject = typeof value === 'object' && value !== null
  if (!isObject) throw misuse('ERR_INVALID_ARG_TYPE', `${name} must be given as an object.`)
}
