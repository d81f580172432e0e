import { assertCredential } from './credential.ts'
import type { ResolvedCredential } from './credential.ts'
import { CredentialError, misuse, tell } from './errors.ts'
import { isWebHeaders } from './headers.ts'
import type { HeaderRecord } from './headers.ts'
import type { CredentialRequest, CredentialSource } from './source.ts'

/** The headers of a request, however the adapter's framework has them. */
export type AnyHeaders = CredentialRequest['headers'] | HeaderRecord

/** A {@link CredentialRequest} as an adapter has it: its headers may be a record with names in lower case. */
export type AnyRequest = Omit<CredentialRequest, 'headers'> & { readonly headers: AnyHeaders }

type OnError = ((error: unknown) => unknown) | undefined

/**
 * Asks a source for the credential of a call; for adapters. It never rejects: what is no `CredentialError` goes to
 * `onError`, and becomes an `ERR_CREDENTIAL_UNAVAILABLE` that tells nothing of it.
 *
 * @param source - where the credential comes from
 * @param request - the call; its headers may be a record with names in lower case, as Node.js has them
 * @param onError - gets an error that may hold secrets
 * @returns the credential, or why there is none
 * @example
 * const credential = await resolveCredential(source, { headers: request.headers }, onError)
 * if (credential instanceof CredentialError) return refuse(credential)
 */
export async function resolveCredential(
  source: CredentialSource,
  request: AnyRequest,
  onError?: (error: unknown) => unknown,
): Promise<ResolvedCredential | CredentialError> {
  try {
    const credential = await source({
      ...request,
      headers: request.headers && toHeaders(request.headers),
    })
    assertCredential(credential, 'A credential source returns')
    return credential
  } catch (error) {
    return error instanceof CredentialError ? error : hide(error, onError)
  }
}

function toHeaders(headers: NonNullable<AnyHeaders>): NonNullable<CredentialRequest['headers']> {
  if (isWebHeaders(headers)) return headers
  return {
    keys: () => Object.keys(headers).map((name) => name.toLowerCase()),
    get(name) {
      const key = name.toLowerCase()
      const value = Object.hasOwn(headers, key) ? headers[key] : undefined
      return typeof value === 'object' ? value.join(', ') : (value ?? null)
    },
  }
}

/** An error that tells nothing of the one that it stands for. */
function hide(error: unknown, onError: OnError): CredentialError {
  tell(onError, error)
  return new CredentialError('ERR_CREDENTIAL_UNAVAILABLE', UNAVAILABLE)
}

const UNAVAILABLE =
  'The server could not load the credential for this call. Its operator finds the cause in its log.'

/** What the adapters for HTTP can be told. */
export interface HttpOptions {
  /** Whether a request may go on without a credential; `getCredentials()` then throws. By default `false`. */
  readonly optional?: boolean
  /** Gets what the server itself got wrong, such as its environment or a source that fails; it may hold secrets. */
  readonly onError?: (error: unknown) => unknown
}

/** The credential of a request, or the error that stands for an optional one; or why the request is refused. */
export type HttpAdmission =
  | { readonly credential: ResolvedCredential | CredentialError; readonly refusal: undefined }
  | {
      readonly credential: undefined
      readonly refusal: { readonly status: 403 | 500; readonly error: CredentialError }
    }

/**
 * Decides which HTTP requests go on; for adapters. What is wrong with the request makes a 403, what is wrong with the
 * server a 500: at 401 an MCP client starts to log in at this server, at 400 it falls back to an older protocol.
 *
 * @param source - where the credential of a request comes from
 * @param options - whether a request can do without, and where errors go
 * @returns a function that never rejects; the error of a refusal may be shown to the client
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for what is no source
 * @example
 * const admit = createAdmission(source, options)
 * const { credential, refusal } = await admit({ headers: request.headers })
 */
export function createAdmission(
  source: CredentialSource,
  { optional = false, onError }: HttpOptions = {},
): (request: AnyRequest) => Promise<HttpAdmission> {
  if (typeof source !== 'function')
    throw misuse('ERR_INVALID_ARG_TYPE', 'A credential source must be a function.')
  return async (request) => {
    let isReported = false
    const report = (error: unknown) => {
      isReported = true
      return onError?.(error)
    }
    const credential = await resolveCredential(source, request, report)
    const isAllowed =
      !(credential instanceof CredentialError) ||
      (optional && credential.code === 'ERR_CREDENTIAL_MISSING')
    if (isAllowed) return { credential, refusal: undefined }
    if (!credential.isServerFault)
      return { credential: undefined, refusal: { status: 403, error: credential } }
    return {
      credential: undefined,
      refusal: { status: 500, error: isReported ? credential : hide(credential, report) },
    }
  }
}
