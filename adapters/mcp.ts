// Credentials for the tools of an MCP server: SDK v1 (@modelcontextprotocol/sdk >= 1.26) and v2
// (@modelcontextprotocol/server), any transport. Import it as mcp-credentials/mcp, or copy this file.
import {
  createAdapter,
  CredentialError,
  runWithCredentials,
  stripCredentialHeaders,
} from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'
import type {
  CredentialRequest,
  CredentialSource,
  HeaderRecord,
  ResolvedCredential,
  WebHeaders,
} from 'mcp-credentials'

type HandlerRegistry = { setRequestHandler(...args: never[]): void }

/** `McpServer` or `Server`, of either SDK. */
export type McpServerLike = HandlerRegistry | { readonly server: HandlerRegistry }

export interface McpOptions {
  /** Methods that need a credential besides `tools/call`, such as `resources/read` and `prompts/get`. */
  readonly methods?: readonly string[] | undefined
  /** Whether a call may run without a credential: all, or by the name of the tool; `getCredentials()` then throws. */
  readonly optional?: boolean | ((tool: string) => boolean)
  /** Gets an error of the source that is no `CredentialError`, and may hold secrets; the client sees none of it. */
  readonly onError?: (error: unknown) => unknown
  /** `false` leaves secrets in what tools send; `except` names fields that are no secrets, such as `baseUrl`. */
  readonly redact?: false | { readonly except?: readonly string[] }
  /** Told of secrets that were taken out of what a tool sent. */
  readonly onRedact?: (report: RedactionReport) => unknown
}

/** Where a secret was in what a tool sent; no value. */
export interface RedactionReport {
  /** The tool, where it is known: a message that names no request may be any tool's. */
  readonly tool: string | undefined
  /** The secrets by name, with the path where each was; at most 100. */
  readonly found: readonly { readonly secret: string; readonly where: string }[]
  /** How many places there were beyond those. */
  readonly omitted: number
}

const MAX_FOUND = 100

// What the adapter needs of a server of either SDK.
interface ServerInternals {
  setRequestHandler(...args: unknown[]): void
  assertCanSetRequestHandler(method: string): void
  fallbackRequestHandler?: Handler | undefined
  readonly _requestHandlers?: Map<string, Handler>
  connect(transport: Transport): unknown
  readonly transport?: Transport | undefined
}

type Transport = {
  send(message: unknown, options?: { readonly relatedRequestId?: unknown }): unknown
}

// The request comes first; in SDK v2 its params alone, where the handler was registered with schemas of its own.
type Handler = (first: unknown, context: CallContext) => unknown
type Wrap = (handler: Handler, takesParams?: boolean) => Handler
type Params = { readonly name?: unknown; readonly task?: unknown }
type TaskStore = {
  storeTaskResult(id: string, status: string, result: unknown, ...rest: unknown[]): unknown
}

// `extra` of SDK v1, `ctx` of SDK v2.
interface CallContext {
  readonly sessionId?: string
  readonly signal?: CredentialRequest['signal']
  readonly authInfo?: unknown
  readonly requestId?: unknown
  readonly taskStore?: TaskStore
  readonly requestInfo?: { readonly headers: HeaderRecord }
  readonly mcpReq?: {
    readonly id: unknown
    readonly method: string
    readonly signal: CredentialRequest['signal']
  }
  readonly http?: { readonly authInfo?: unknown; readonly req?: WebRequest }
}

type WebRequest = {
  readonly url: string
  readonly method: string
  readonly signal: unknown
  readonly headers: WebHeaders
}

// A symbol that every copy of this file shares, so that none wraps a server that another has wrapped.
const WRAPPED = Symbol.for('mcp-credentials.mcp')

/**
 * Gives each tool call of an MCP server its credential. Call it before or after registering the tools, once a server.
 *
 * @param server - `McpServer` or `Server` of SDK v1 (>= 1.26) or v2
 * @param source - where the credential of a call comes from
 * @param options - further methods, tools that can do without, what is scrubbed, and what to be told of
 * @returns the same server
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for what is no server or no source, `ERR_INVALID_ARG_VALUE` for a server that
 *   has been wrapped already or cannot be
 * @example
 * const server = withCredentials(new McpServer({ name: 'weather', version: '1.0.0' }), fromEnv('WEATHER_'))
 * server.registerTool('forecast', { inputSchema }, async ({ city }) => forecast(city, getCredentials('static')))
 */
export function withCredentials<S extends McpServerLike>(
  server: S,
  source: CredentialSource,
  options: McpOptions = {},
): S {
  const target = internalsOf(server)
  if (typeof source !== 'function')
    throw misuse('ERR_INVALID_ARG_TYPE', 'A credential source must be a function.')
  if (WRAPPED in target)
    throw misuse('ERR_INVALID_ARG_VALUE', 'This server has been given its credentials already.')
  const ask = createAdapter(source)
  const methods = new Set(['tools/call', ...(options.methods ?? [])])
  // The tools of the calls that run, by the id of the request.
  const tools = new Map<unknown, string | undefined>()

  const wrap: Wrap =
    (handler, takesParams = false) =>
    (first, context) => {
      const request = first as { readonly method: string; readonly params?: Params }
      const method = context.mcpReq?.method ?? request.method
      if (!methods.has(method)) return handler(first, context)
      const params = (takesParams ? first : request.params) as Params | undefined
      return call(method, params, context, (own) => handler(first, own))
    }

  async function call(
    method: string,
    params: Params | undefined,
    context: CallContext,
    run: (context: CallContext) => unknown,
  ) {
    const isToolCall = method === 'tools/call'
    const tool = isToolCall && typeof params?.name === 'string' ? params.name : undefined
    const { requestInfo, http, mcpReq, sessionId } = context
    const { signal } = mcpReq ?? context
    const { authInfo } = http ?? context
    const headers = requestInfo ? requestInfo.headers : http?.req?.headers
    const { credential } = await ask({ tool, method, headers, authInfo, sessionId, signal })
    // Cancelled while the source was busy: nobody waits for the tool's result any more.
    if (signal?.aborted) throw new Error('The call was cancelled.')
    const own = withoutCredentialHeaders(context)
    if (credential instanceof CredentialError) {
      if (!isOptional(credential, tool))
        return refuse(credential, isToolCall && params?.task === undefined)
      return runWithCredentials(credential, () => run(own))
    }
    const redact: Redact = (value) => clean(value, tool, credential)
    const scrubbed = own.taskStore
      ? { ...own, taskStore: scrubTaskStore(own.taskStore, redact) }
      : own
    const id = mcpReq ? mcpReq.id : context.requestId
    tools.set(id, tool)
    try {
      const result = await runWithCredentials(credential, () => run(scrubbed))
      tools.delete(id)
      return scrubResult(result, redact)
    } catch (error) {
      tools.delete(id)
      throw redact(error).value
    }
  }

  function clean<T>(
    value: T,
    tool: string | undefined,
    credential?: ResolvedCredential,
  ): Cleaned<T> {
    if (options.redact === false) return { value, secret: undefined }
    const found: { secret: string; where: string }[] = []
    let omitted = 0
    // The first one says what was withheld; the others are for the report, where somebody wants it.
    const limit = options.onRedact ? MAX_FOUND : 1
    const onRedact = ({ name: secret, where }: { name: string; where: string }) => {
      if (found.length < limit) found.push({ secret, where })
      else omitted += 1
    }
    const result = redactSecrets(value, credential, { except: options.redact?.except, onRedact })
    if (found.length > 0) tell(options.onRedact, { tool, found, omitted })
    return { value: result, secret: found[0]?.secret }
  }

  /** All that a tool sends while it runs, and after, passes here in the scope of its call; results do not. */
  function scrubMessages(transport: Transport): void {
    const send = transport.send
    transport.send = (message, ...rest) =>
      send.call(transport, clean(message, tools.get(rest[0]?.relatedRequestId)).value, ...rest)
  }

  function isOptional({ code }: CredentialError, tool: string | undefined): boolean {
    if (code !== 'ERR_CREDENTIAL_MISSING') return false
    const { optional = false } = options
    return typeof optional === 'boolean' ? optional : tool !== undefined && optional(tool)
  }

  const connect = target.connect
  target.connect = (transport) => {
    scrubMessages(transport)
    return connect.call(target, transport)
  }
  if (target.transport) scrubMessages(target.transport)
  wrapRegisteredHandlers(target, methods, wrap)
  wrapFutureHandlers(target, wrap)
  Object.defineProperty(target, WRAPPED, { value: true })
  return server
}

function internalsOf(server: McpServerLike): ServerInternals {
  const target: unknown =
    typeof server === 'object' && server !== null && 'server' in server ? server.server : server
  if (typeof target === 'object' && target !== null && 'setRequestHandler' in target)
    return target as ServerInternals
  throw misuse(
    'ERR_INVALID_ARG_TYPE',
    'withCredentials takes an McpServer or a Server of the MCP SDK.',
  )
}

/** A server that was constructed with `capabilities.tools`, or has tools, has its handler already. */
function wrapRegisteredHandlers(target: ServerInternals, methods: Set<string>, wrap: Wrap): void {
  for (const method of methods) {
    const handler = target._requestHandlers?.get(method)
    if (handler) {
      target._requestHandlers?.set(method, wrap(handler))
      continue
    }
    try {
      target.assertCanSetRequestHandler(method)
    } catch {
      const message = `The handler of ${method} cannot be wrapped: give the server its credentials before its tools.`
      throw misuse('ERR_INVALID_ARG_VALUE', message)
    }
  }
}

function wrapFutureHandlers(target: ServerInternals, wrap: Wrap): void {
  const register = target.setRequestHandler
  target.setRequestHandler = (...args) => {
    const handler = args.pop()
    // (method, schemas, handler) of SDK v2 takes the params; (method, handler), and (schema, handler) of v1, the request.
    register.call(
      target,
      ...args,
      typeof handler === 'function' ? wrap(handler as Handler, args.length === 2) : handler,
    )
  }
  // The fallback answers what has no handler, without any having been registered.
  let fallback = target.fallbackRequestHandler && wrap(target.fallbackRequestHandler)
  Object.defineProperty(target, 'fallbackRequestHandler', {
    get: () => fallback,
    set(handler: Handler | undefined) {
      fallback = handler && wrap(handler)
    },
  })
}

/** A copy, so that a batch or a second round of the same call still finds its headers. */
function withoutCredentialHeaders(context: CallContext): CallContext {
  const { requestInfo, http } = context
  if (requestInfo)
    return {
      ...context,
      requestInfo: { ...requestInfo, headers: stripCredentialHeaders(requestInfo.headers) },
    }
  if (!http?.req) return context
  const original = http.req
  const { Request } = globalThis as unknown as {
    Request: new (url: string, init: object) => WebRequest
  }
  let request: WebRequest | undefined
  return {
    ...context,
    http: {
      ...http,
      // Made when it is first read, which is seldom. Without the body: the transport has consumed that.
      get req() {
        const { url, method, signal } = original
        request ??= new Request(url, {
          method,
          signal,
          headers: stripCredentialHeaders(original.headers),
        })
        return request
      },
    },
  }
}

/** The value without secrets, and the name of one where there were any. */
type Cleaned<T> = { readonly value: T; readonly secret: string | undefined }
type Redact = <T>(value: T) => Cleaned<T>

type Block = { readonly data?: unknown; readonly resource?: { readonly blob?: unknown } }
type ToolResult = { readonly structuredContent?: unknown; readonly content?: readonly Block[] }

/** What no longer is what it was once it is redacted is withheld: structured content, and base64 in a content block. */
function scrubResult(result: unknown, redact: Redact): unknown {
  if (typeof result !== 'object' || result === null) return redact(result).value
  const { structuredContent, content }: ToolResult = result
  const secret = structuredContent === undefined ? undefined : redact(structuredContent).secret
  if (secret) return { content: [withheld('structured result', secret)], isError: true }
  if (!Array.isArray(content) || !content.some(base64Of)) return redact(result).value
  const blocks = content.map((block: Block) => {
    const { secret } = redact(base64Of(block))
    return secret ? withheld('content', secret) : block
  })
  return redact({ ...result, content: blocks }).value
}

const base64Of = (block: Block) => block?.data ?? block?.resource?.blob

const withheld = (what: string, secret: string): object => ({
  type: 'text',
  text: `The ${what} of the tool was withheld, because it held a secret (${secret}).`,
})

// Task results reach the client through the store, past the handler and the transport.
const scrubTaskStore = (store: TaskStore, redact: Redact): TaskStore => ({
  ...store,
  storeTaskResult: (id, status, result, ...rest) =>
    store.storeTaskResult(id, status, scrubResult(result, redact), ...rest),
})

/** Only a plain tool call takes a result that says `isError`; anything else takes a JSON-RPC error. */
function refuse({ message, code }: CredentialError, takesToolResult: boolean): object {
  if (takesToolResult) return { content: [{ type: 'text', text: message }], isError: true }
  // -32603 of JSON-RPC 2.0: internal error.
  throw Object.assign(new Error(message), { code: -32603, data: { code } })
}

/** What a hook throws, or rejects with, would reach the client, or end the process. */
function tell<T>(hook: ((value: T) => unknown) | undefined, value: T): void {
  try {
    Promise.resolve(hook?.(value)).catch(() => undefined)
  } catch {
    // As above.
  }
}

function misuse(code: string, message: string): TypeError {
  return Object.assign(new TypeError(message), { code })
}
