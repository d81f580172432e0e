// Credentials for a raw Node.js HTTP server. Import it as mcp-credentials/node-http, or copy this file.
import { CredentialError, resolveCredential, runWithCredentials } from 'mcp-credentials'
import type { CredentialSource, HeaderRecord } from 'mcp-credentials'

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

export interface NodeHttpOptions {
  /** Whether a request may go on without a credential; `getCredentials()` then throws. By default `false`. */
  readonly optional?: boolean
  /** Gets what the server itself got wrong, such as its environment or a source that fails; it may hold secrets. */
  readonly onError?: (error: unknown) => void
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
  options: NodeHttpOptions = {},
): (request: Q, response: S) => Promise<void> {
  if (typeof source !== 'function') {
    throw Object.assign(new TypeError('A credential source must be a function.'), { code: 'ERR_INVALID_ARG_TYPE' })
  }
  return async (request, response) => {
    const { headers, auth: authInfo } = request
    const credential = await resolveCredential(source, { headers, authInfo }, options.onError)
    // The client has left while the source was busy.
    if (response.destroyed) return
    if (credential instanceof CredentialError && !(options.optional && credential.code === 'ERR_CREDENTIAL_MISSING')) {
      refuse(credential, response, options)
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

// Not 401, at which MCP clients start to log in at this server; nor 400, at which they fall back to an older protocol.
const [FORBIDDEN, SERVER_ERROR] = [403, 500]

function refuse(error: CredentialError, response: NodeResponse, { onError }: NodeHttpOptions): void {
  const { code, message } = error.isServerFault ? UNAVAILABLE : error
  const status = error.isServerFault ? SERVER_ERROR : FORBIDDEN
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ error: { code, message } }))
  // An error of that code stands for one that onError has been given.
  if (error.isServerFault && error.code !== UNAVAILABLE.code) onError?.(error)
}

const UNAVAILABLE = { code: 'ERR_CREDENTIAL_UNAVAILABLE', message: 'The server could not load the credential.' }
