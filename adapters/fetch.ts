// Credentials for handlers of the Fetch API: Cloudflare Workers, Deno, Bun, Hono, Next. Import it as
// mcp-credentials/fetch, or copy this file.
import { bindToScope, createAdapter, runWithCredentials, toHttpRefusal } from 'mcp-credentials'
import type { AdapterOptions, CredentialRequest, CredentialSource } from 'mcp-credentials'

/** A `Request`, as far as this needs it. */
export type FetchRequest = Pick<CredentialRequest, 'headers' | 'method' | 'signal'>

/** The `Response` of the user's runtime. */
export type FetchResponse = typeof globalThis extends { Response: { prototype: infer R } }
  ? R
  : AnyResponse

interface AnyResponse {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: { getReader(options?: { readonly mode: 'byob' }): Reader } | null
}

interface Reader {
  readonly closed: Promise<unknown>
  read(): Promise<{ readonly done: boolean; readonly value?: unknown }>
  cancel(reason: unknown): Promise<void>
  releaseLock(): void
}

type Controller = Record<'close' | 'enqueue' | 'error', (value?: unknown) => void>

// Found at run time, like all that the package takes from its runtime.
const runtime = globalThis as unknown as {
  Response: new (body: unknown, init: object) => FetchResponse
  ReadableStream: new (source: object, strategy: { readonly highWaterMark: number }) => object
  setTimeout(fn: () => void, milliseconds: number): { unref?(): void }
  clearTimeout(timer: object): void
}

/**
 * Gives each request of a Fetch API handler its credential. The scope lasts until the handler has settled and the body of
 * its response, where that streams, was read to its end, has failed or was cancelled, or was left unread for a minute. Of
 * HEAD no body is waited for. In front of an MCP endpoint use the MCP adapter, or `optional: true`.
 *
 * A body that streams is passed on as a new stream, so that `pull` and `cancel` of the handler's own have the credential. A
 * stream of bytes (`type: 'bytes'`) that its response says is text or JSON counts as complete, since complete bodies look
 * the same: there take the credential first.
 *
 * @param handler - what a server calls with a `Request`, and with whatever else it gives
 * @param source - where the credential of a request comes from
 * @param options - `optional`, `rejectExpired`, `label` and `onCall`
 * @returns a handler that answers 403 for what is wrong with the request, and 500 for what is wrong with the server
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for a source that is not a function, `ERR_INVALID_ARG_VALUE` for a bad option
 * @example
 * export default { fetch: withCredentials(async () => callTheApi(getCredentials('oauth')), source) }
 */
export function withCredentials<
  Q extends FetchRequest,
  A extends unknown[],
  R extends FetchResponse | undefined,
>(
  handler: (request: Q, ...rest: A) => R | Promise<R>,
  source: CredentialSource,
  options: AdapterOptions = {},
): (request: Q, ...rest: A) => Promise<R | FetchResponse> {
  const ask = createAdapter(source, options)
  return async (request, ...rest) => {
    // The request itself: some servers make its signal only when it is read.
    const call = await ask(request)
    if (call.refusal || call.isCancelled) {
      // The status of nginx for a client that has left.
      call.end({ status: 499 })
      return refuse(call.refusal)
    }
    return await new Promise<R | FetchResponse>((resolve, reject) => {
      const fail = (cause: unknown) => {
        call.end({ outcome: 'failed', cause })
        reject(cause)
      }
      runWithCredentials(call.credential, async () => {
        const response = await handler(request, ...rest)
        const reader = request.method === 'HEAD' ? undefined : readerOf(response)
        const give = (body: object) => resolve(new runtime.Response(body, response as object))
        if (reader) await relay(reader, give)
        else resolve(response)
        return response?.status
      }).then((status) => call.end({ status }), fail)
    })
  }
}

function refuse(refusal: Parameters<typeof toHttpRefusal>[0] | undefined): FetchResponse {
  if (!refusal) return new runtime.Response(null, { status: 499 })
  const { status, error } = toHttpRefusal(refusal)
  const headers = { 'content-type': 'application/json' }
  return new runtime.Response(JSON.stringify({ error }), { status, headers })
}

const TEXT = /^(?:text\/(?!event-stream)|application\/(?:[\w.-]+\+)?json(?:;|$))/i

/** Reads its body, unless that is complete. */
function readerOf(response: AnyResponse | undefined): Reader | undefined {
  if (!response || isKept(response) || !response.body) return undefined
  const type = response.headers.get('content-type') ?? ''
  // As a Response says of a string by itself.
  if (type === 'text/plain;charset=UTF-8') return undefined
  if (!TEXT.test(type)) return response.body.getReader()
  try {
    // Of a complete body Node.js and Workers make a stream of bytes.
    response.body.getReader({ mode: 'byob' }).releaseLock()
    return undefined
  } catch {
    return response.body.getReader()
  }
}

/**
 * Whether @hono/node-server still has what the response was made of, and that is no stream. Asked for the body, it would
 * make a real response, and serving that takes twice as long.
 */
function isKept(response: object): boolean {
  const key = Object.getOwnPropertySymbols(response).find((each) => each.description === 'cache')
  const cache: unknown = key && Reflect.get(response, key)
  const body: unknown = Array.isArray(cache) && cache[1]
  return body === null || typeof body === 'string' || body instanceof Uint8Array
}

/**
 * Gives the same body, whose chunks are read in the scope that this is called in, and waits until it was read. Otherwise
 * `pull` and `cancel` of the handler's own stream would run in the context of the server that reads it (measured on Node.js,
 * Deno and Workers).
 */
function relay(reader: Reader, give: (body: object) => void): Promise<void> {
  const read = bindToScope(() => reader.read())
  const stop = bindToScope((reason: unknown) => reader.cancel(reason))
  return new Promise((resolve, reject) => {
    reader.closed.then(() => resolve(), reject)
    let timer: { unref?(): void }
    const cancel = (reason: unknown) => {
      runtime.clearTimeout(timer)
      const stopped = stop(reason)
      resolve(stopped)
      return stopped
    }
    const start = (controller: Controller) => {
      timer = runtime.setTimeout(() => {
        const reason = new Error('The response was left unread.')
        controller.error(reason)
        void cancel(reason)
      }, 60_000)
      timer.unref?.()
    }
    const pull = async (controller: Controller) => {
      runtime.clearTimeout(timer)
      const { done, value } = await read()
      if (done) controller.close()
      else controller.enqueue(value)
    }
    give(new runtime.ReadableStream({ start, pull, cancel }, { highWaterMark: 0 }))
  })
}
