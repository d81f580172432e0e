// Credentials for Express 4 and 5. Import it as mcp-credentials/express, or copy this file.
import { CredentialError, resolveCredential, runWithCredentials } from 'mcp-credentials'
import type { CredentialSource, HeaderRecord } from 'mcp-credentials'

/** An Express request, as far as this needs it; `auth` is where the MCP SDK puts what it verified of the caller. */
export interface ExpressRequest {
  readonly headers: HeaderRecord
  readonly auth?: unknown
}

/** An Express response, as far as this needs it. */
export interface ExpressResponse {
  readonly destroyed: boolean
  once(event: 'finish' | 'close', listener: () => void): unknown
}

export interface ExpressOptions {
  /** Whether a request may go on without a credential; `getCredentials()` then throws. By default `false`. */
  readonly optional?: boolean
  /** Gets what the server itself got wrong, such as its environment or a source that fails; it may hold secrets. */
  readonly onError?: (error: unknown) => void
}

/**
 * Middleware that gives each request its credential, until the response is over: a handler that goes on after that takes
 * the credential first. In front of an MCP endpoint use the MCP adapter, or `optional: true`.
 *
 * @param source - where the credential of a request comes from
 * @param options - whether a request can do without, and where errors go
 * @returns middleware that passes on an error with `status` 403 for what is wrong with the request, and 500 for what is
 *   wrong with the server
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for what is no source
 * @example
 * app.use('/api', credentials(fromHeaders({ type: 'oauth' })))
 */
export function credentials(
  source: CredentialSource,
  options: ExpressOptions = {},
): (request: ExpressRequest, response: ExpressResponse, next: (error?: unknown) => void) => Promise<void> {
  if (typeof source !== 'function') {
    throw Object.assign(new TypeError('A credential source must be a function.'), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  return async (request, response, next) => {
    const { headers, auth: authInfo } = request
    const credential = await resolveCredential(source, { headers, authInfo }, options.onError)
    // The client has left while the source was busy.
    if (response.destroyed) return
    if (credential instanceof CredentialError && !(options.optional && credential.code === 'ERR_CREDENTIAL_MISSING')) {
      next(refusal(credential, options))
      return
    }
    await runWithCredentials(credential, () => {
      const isOver = new Promise<void>((resolve) => {
        response.once('finish', resolve)
        response.once('close', resolve)
      })
      next()
      return isOver
    })
  }
}

// Not 401, at which MCP clients start to log in at this server; nor 400, at which they fall back to an older protocol.
const [FORBIDDEN, SERVER_ERROR] = [403, 500]
const UNAVAILABLE = 'ERR_CREDENTIAL_UNAVAILABLE'

function refusal(error: CredentialError, { onError }: ExpressOptions): Error {
  if (!error.isServerFault) return Object.assign(error, { status: FORBIDDEN })
  // An error of that code stands for one that onError has been given.
  if (error.code !== UNAVAILABLE) onError?.(error)
  const message = 'The server could not load the credential.'
  return Object.assign(new CredentialError(UNAVAILABLE, message), { status: SERVER_ERROR })
}
