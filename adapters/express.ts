// Credentials for Express 4 and 5. Import it as mcp-credentials/express, or copy this file.
import { createAdmission, runWithCredentials } from 'mcp-credentials'
import type { CredentialSource, HeaderRecord, HttpOptions } from 'mcp-credentials'

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
  options: HttpOptions = {},
): (
  request: ExpressRequest,
  response: ExpressResponse,
  next: (error?: unknown) => void,
) => Promise<void> {
  const admit = createAdmission(source, options)
  return async (request, response, next) => {
    const { headers, auth: authInfo } = request
    const { credential, refusal } = await admit({ headers, authInfo })
    // The client has left while the source was busy.
    if (response.destroyed) return
    if (refusal) {
      next(Object.assign(refusal.error, { status: refusal.status }))
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
