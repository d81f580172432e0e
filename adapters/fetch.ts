// Credentials for handlers of the Fetch API: Cloudflare Workers, Deno, Bun, Hono, Next. Import it as
// mcp-credentials/fetch, or copy this file.
import { createAdapter, runWithCredentials, toHttpRefusal } from 'mcp-credentials'
import type { AdapterOptions, CredentialRequest, CredentialSource } from 'mcp-credentials'

/** A `Request`, as far as this needs it. */
export interface FetchRequest {
  readonly method?: string | undefined
  readonly headers: NonNullable<CredentialRequest['headers']>
  readonly signal?: CredentialRequest['signal']
}

interface Body {
  getReader(): {
    read(): Promise<{ readonly done: boolean; readonly value?: unknown }>
    cancel(reason: unknown): Promise<void>
  }
}

interface Controller {
  enqueue(chunk: unknown): void
  close(): void
  error(reason: unknown): void
}

/** The `Response` of the user's runtime. */
export type FetchResponse = typeof globalThis extends { Response: { prototype: infer R } }
  ? R
  : { readonly body: Body | null }

// Found at run time, like all that the package takes from its runtime.
const { Response, ReadableStream } = globalThis as unknown as {
  Response: new (body: unknown, init: object) => FetchResponse
  ReadableStream: new (source: object, strategy: { readonly highWaterMark: number }) => object
}

/**
 * Gives each request of a Fetch API handler its credential. The scope lasts until the handler has settled and the body of
 * its response was read to its end, has failed or was cancelled. In front of an MCP endpoint use the MCP adapter, or
 * `optional: true`.
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
    const { headers, signal, method } = request
    const call = await ask({ headers, signal, method })
    if (call.refusal) {
      call.end()
      const { status, error } = toHttpRefusal(call.refusal)
      const init = { status, headers: { 'content-type': 'application/json' } }
      return new Response(JSON.stringify({ error }), init)
    }
    return new Promise((resolve, reject) => {
      const isOver = runWithCredentials(call.credential, async () => {
        const response = await handler(request, ...rest)
        // Of an upgrade to a web socket Deno and Workers make a response that cannot be copied, and Bun undefined.
        if (!response?.body) return resolve(response)
        const { body, isRead } = relay(response.body)
        resolve(new Response(body, response))
        await isRead
      })
      isOver.then(
        () => call.end(),
        (error: unknown) => {
          call.end({ outcome: 'failed', cause: error })
          reject(error)
        },
      )
    })
  }
}

/**
 * The same body, whose chunks are read in the scope that this is called in. Otherwise `pull` and `cancel` of the handler's
 * own stream would run in the context of the server that reads it (measured on Node.js, Deno and Workers).
 */
function relay(original: Body): { readonly body: object; readonly isRead: Promise<unknown> } {
  const reader = original.getReader()
  const [isRead, setRead] = signal<unknown>()
  const [isCancelled, setCancelled] = signal<unknown>()
  const cancellation = isCancelled.then((reason) => reader.cancel(reason))
  let [isWanted, want] = signal<void>()

  async function pump(controller: Controller): Promise<void> {
    try {
      for (;;) {
        await isWanted
        ;[isWanted, want] = signal()
        const { done, value } = await reader.read()
        if (done) return controller.close()
        controller.enqueue(value)
      }
    } catch (error) {
      controller.error(error)
    } finally {
      setRead(undefined)
    }
  }

  function cancel(reason: unknown): Promise<void> {
    setRead(cancellation)
    setCancelled(reason)
    return cancellation
  }

  const body = new ReadableStream(
    { start: (to: Controller) => void pump(to), pull: () => want(), cancel },
    { highWaterMark: 0 },
  )
  return { body, isRead }
}

function signal<T>(): [promise: Promise<T>, resolve: (value: T | Promise<T>) => void] {
  let resolve!: (value: T | Promise<T>) => void
  return [
    new Promise<T>((set) => {
      resolve = set
    }),
    resolve,
  ]
}
