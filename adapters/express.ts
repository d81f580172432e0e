// Credentials for Express 4 and 5. Import it as mcp-credentials/express, or copy this file.
import {
  createAdapter,
  CredentialError,
  followResponse,
  runWithCredentials,
  toHttpRefusal,
} from 'mcp-credentials'
import type {
  AdapterOptions,
  CredentialSource,
  HeaderRecord,
  HttpRefusal,
  NodeResponse,
} from 'mcp-credentials'

/** An Express request, as far as this needs it; `auth` is where the MCP SDK puts what it verified of the caller. */
export interface ExpressRequest {
  readonly method: string
  readonly headers: HeaderRecord
  readonly auth?: unknown
}

/**
 * Middleware that gives each request its credential, until the response is over: a handler that goes on after that takes
 * the credential first. In front of an MCP endpoint use the MCP adapter, or `optional: true`.
 *
 * @param source - where the credential of a request comes from
 * @param options - `optional`, `rejectExpired`, `label` and `onCall`
 * @returns middleware that passes on a CredentialError with `status` 403 for what is wrong with the request, and 500 for
 *   what is wrong with the server
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for a source that is not a function, `ERR_INVALID_ARG_VALUE` for a bad option
 * @example
 * app.use('/api', credentials(fromHeaders({ type: 'oauth' })))
 */
export function credentials(
  source: CredentialSource,
  options: AdapterOptions = {},
): (
  request: ExpressRequest,
  response: NodeResponse,
  next: (error?: unknown) => void,
) => Promise<void> {
  const ask = createAdapter(source, options)
  return async (request, response, next) => {
    const { isOver, whenOver } = followResponse(response)
    const { headers, auth: authInfo, method } = request
    const call = await ask({ headers, authInfo, method })
    if (call.refusal || isOver()) {
      // The status of nginx for a client that has left.
      call.end({ status: 499 })
      if (call.refusal && !isOver()) next(toError(toHttpRefusal(call.refusal)))
      return
    }
    await runWithCredentials(call.credential, () => {
      next()
      return whenOver
    })
    call.end({ status: response.statusCode })
  }
}

/** A new one: that of the source may be frozen, or another request's too. */
function toError({ status, error }: HttpRefusal): CredentialError {
  const { code, message, ...more } = error
  const isServerFault = status === 500
  return Object.assign(new CredentialError(code, message, { isServerFault }), { status }, more)
}
