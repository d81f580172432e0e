// Credentials for a raw Node.js HTTP server. Import it as mcp-credentials/node-http, or copy this file.
import { createAdmission, runWithCredentials } from 'mcp-credentials'
import type { CredentialSource, HeaderRecord, HttpOptions } from 'mcp-credentials'

/** `http.IncomingMessage`, as far as this needs it; `auth` is where the MCP SDK puts what it verified of the caller. */
export interface NodeRequest {
  readonly headers: HeaderRecord
  readonly auth?: unknown
}

/** `http.ServerResponse`, as far as this needs it. */
export interface NodeResponse {
  readonly destroyed: boolean
  once(event: 'finish' | 'close', listener: () => void): unknown
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
 * @param options - whether a request can do without, and where errors go
 * @returns a listener that answers 403 for what is wrong with the request, and 500 for what is wrong with the server
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for what is no source
 * @example
 * createServer(withCredentials(async (req, res) => res.end(await callTheApi(getCredentials('oauth'))), source))
 */
export function withCredentials<Q extends NodeRequest, S extends NodeResponse>(
  listener: (request: Q, response: S) => unknown,
  source: CredentialSource,
  options: HttpOptions = {},
): (request: Q, response: S) => Promise<void> {
  const admit = createAdmission(source, options)
  return async (request, response) => {
    const { headers, auth: authInfo } = request
    const { credential, refusal } = await admit({ headers, authInfo })
    // The client has left while the source was busy.
    if (response.destroyed) return
    if (refusal) {
      const { code, message } = refusal.error
      response.writeHead(refusal.status, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error: { code, message } }))
      return
    }
    await runWithCredentials(credential, async () => {
      const isOver = new Promise<void>((resolve) => {
        response.once('finish', resolve)
        response.once('close', resolve)
      })
      await listener(request, response)
      await isOver
    })
  }
}
