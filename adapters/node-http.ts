// Credentials for a raw Node.js HTTP server. Import it as mcp-credentials/node-http, or copy this file.
import { createAdapter, followResponse, runWithCredentials, toHttpRefusal } from 'mcp-credentials'
import type {
  AdapterOptions,
  CredentialSource,
  HeaderRecord,
  NodeResponse as AnyResponse,
} from 'mcp-credentials'

/** `http.IncomingMessage`, as far as this needs it; `auth` is where the MCP SDK puts what it verified of the caller. */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly headers: HeaderRecord
  readonly auth?: unknown
}

/** `http.ServerResponse`, as far as this needs it. */
export interface NodeResponse extends AnyResponse {
  writeHead(status: number, headers: Record<string, string>): unknown
  end(body: string): unknown
}

/**
 * Gives each request of a raw HTTP server its credential. The scope lasts until both the listener has settled and the
 * response is over. In front of an MCP endpoint use the MCP adapter, or `optional: true`.
 *
 * @param listener - what `http.createServer` takes; read bodies with `for await`, since a `req.on('end')` listener runs
 *   outside of the scope
 * @param source - where the credential of a request comes from
 * @param options - `optional`, `rejectExpired`, `label` and `onCall`
 * @returns a listener that answers 403 for what is wrong with the request, and 500 for what is wrong with the server
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for a source that is not a function, `ERR_INVALID_ARG_VALUE` for a bad option
 * @example
 * createServer(withCredentials(async (req, res) => res.end(await callTheApi(getCredentials('oauth'))), source))
 */
export function withCredentials<Q extends NodeRequest, S extends NodeResponse>(
  listener: (request: Q, response: S) => unknown,
  source: CredentialSource,
  options: AdapterOptions = {},
): (request: Q, response: S) => Promise<void> {
  const ask = createAdapter(source, options)
  return async (request, response) => {
    const { isOver, whenOver } = followResponse(response)
    const { headers, auth: authInfo, method } = request
    const call = await ask({ headers, authInfo, method })
    if (call.refusal || isOver()) {
      // The status of nginx for a client that has left.
      call.end({ status: 499 })
      if (call.refusal && !isOver()) refuse(response, toHttpRefusal(call.refusal))
      return
    }
    try {
      await runWithCredentials(call.credential, async () => {
        await listener(request, response)
        await whenOver
      })
      call.end({ status: response.statusCode })
    } catch (cause) {
      call.end({ outcome: 'failed', cause })
      throw cause
    }
  }
}

function refuse(response: NodeResponse, { status, error }: ReturnType<typeof toHttpRefusal>): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ error }))
}
