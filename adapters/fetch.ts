// Credentials for handlers of the Fetch API: Cloudflare Workers, Deno, Bun, Hono, Next. Import it as
// mcp-credentials/fetch, or copy this file.
import { CLIENT_LEFT, createAdapter, runWithCredentials, toHttpRefusal } from 'mcp-credentials'
import type {
  AdapterCall,
  AdapterOptions,
  CredentialRequest,
  CredentialSource,
  HttpRefusal,
} from 'mcp-credentials'

/** A `Request`, as far as this needs it. */
export interface FetchRequest {
  readonly method?: string | undefined
  readonly headers: NonNullable<CredentialRequest['headers']>
  readonly signal?: CredentialRequest['signal']
}

/** The `Response` of the user's runtime. */
export type FetchResponse = typeof globalThis extends { Response: { prototype: infer R } }
  ? R
  : AnyResponse

interface AnyResponse {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: Body | null
}

interface Body {
  getReader(options?: { readonly mode: 'byob' }): Reader
}

interface Reader {
  read(): Promise<{ readonly done: boolean; readonly value?: unknown }>
  cancel(reason: unknown): Promise<void>
  releaseLock(): void
}

interface Controller {
  enqueue(chunk: unknown): void
  close(): void
  error(reason: unknown): void
}

// Found at run time, like all that the package takes from its runtime.
const runtime = globalThis as unknown as {
  Response: new (body: unknown, init: object) => FetchResponse
  ReadableStream: new (source: object, strategy: { readonly highWaterMark: number }) => object
  setTimeout(fn: () => void, milliseconds: number): object
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
    const { headers, method, signal } = request
    const call = await ask({ headers, method, signal })
    if (call.refusal) {
      call.end()
      return refuse(toHttpRefusal(call.refusal))
    }
    if (signal?.aborted) {
      call.end(CLIENT_LEFT)
      return new runtime.Response(null, { status: 499 })
    }
    return run(call, method, () => handler(request, ...rest))
  }
}

function refuse({ status, error }: HttpRefusal): FetchResponse {
  const headers = { 'content-type': 'application/json' }
  return new runtime.Response(JSON.stringify({ error }), { status, headers })
}

/** Gives the response at once, and ends the call once that was read. */
function run<R extends FetchResponse | undefined>(
  call: AdapterCall,
  method: string | undefined,
  handle: () => R | Promise<R>,
): Promise<R | FetchResponse> {
  return new Promise((resolve, reject) => {
    const over = runWithCredentials(call.credential, async () => {
      const response = await handle()
      // Of an upgrade to a web socket Deno and Workers make a response that cannot be copied, and Bun undefined.
      const original = method === 'HEAD' ? undefined : streamOf(response)
      if (!original) {
        resolve(response)
        return response
      }
      const { body, isRead } = relay(original)
      resolve(new runtime.Response(body, response as object))
      await isRead
      return response
    })
    over.then(
      (response) => call.end({ outcome: response && response.status >= 500 ? 'failed' : 'ok' }),
      (cause: unknown) => {
        call.end({ outcome: 'failed', cause })
        reject(cause)
      },
    )
  })
}

/** Its body, unless that is complete: of such a one Node.js and Workers make a stream of bytes. */
function streamOf(response: AnyResponse | undefined): Body | undefined {
  if (!response?.body) return undefined
  const isText = TEXT.test(response.headers.get('content-type') ?? '')
  return isText && isStreamOfBytes(response.body) ? undefined : response.body
}

const TEXT = /^(?:text\/(?!event-stream)|application\/(?:[\w.-]+\+)?json(?:;|$))/i

function isStreamOfBytes(body: Body): boolean {
  try {
    body.getReader({ mode: 'byob' }).releaseLock()
    return true
  } catch {
    return false
  }
}

const MINUTE = 60_000

/**
 * The same body, whose chunks are read in the scope that this is called in. Otherwise `pull` and `cancel` of the handler's
 * own stream would run in the context of the server that reads it (measured on Node.js, Deno and Workers).
 */
function relay(original: Body): { readonly body: object; readonly isRead: Promise<unknown> } {
  const reader = original.getReader()
  const isRead = withResolvers<unknown>()
  const isCancelled = withResolvers<unknown>()
  const cancellation = isCancelled.promise.then((reason) => reader.cancel(reason))
  let isWanted = withResolvers<void>()
  let timer: object

  async function pump(controller: Controller): Promise<void> {
    try {
      for (;;) {
        await isWanted.promise
        isWanted = withResolvers()
        const { done, value } = await reader.read()
        if (done) break
        controller.enqueue(value)
      }
      controller.close()
      isRead.resolve(undefined)
    } catch (error) {
      controller.error(error)
      isRead.reject(error)
    }
  }

  function cancel(reason: unknown): Promise<void> {
    runtime.clearTimeout(timer)
    isRead.resolve(cancellation)
    isCancelled.resolve(reason)
    return cancellation
  }

  function start(controller: Controller): void {
    const drop = () => {
      const reason = new Error('This response was left unread.')
      controller.error(reason)
      void cancel(reason)
    }
    timer = runtime.setTimeout(drop, MINUTE)
    void pump(controller)
  }

  function pull(): void {
    runtime.clearTimeout(timer)
    isWanted.resolve()
  }

  const body = new runtime.ReadableStream({ start, pull, cancel }, { highWaterMark: 0 })
  return { body, isRead: isRead.promise }
}

interface Resolvers<T> {
  readonly promise: Promise<T>
  resolve(value: T | Promise<T>): void
  reject(reason: unknown): void
}

/** `Promise.withResolvers`, which Node.js 20 lacks. */
function withResolvers<T>(): Resolvers<T> {
  let resolvers!: Omit<Resolvers<T>, 'promise'>
  const promise = new Promise<T>((resolve, reject) => {
    resolvers = { resolve, reject }
  })
  return { promise, ...resolvers }
}
