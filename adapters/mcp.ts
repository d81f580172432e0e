// Credentials for the tools of an MCP server: SDK v1 (@modelcontextprotocol/sdk >= 1.26) and v2
// (@modelcontextprotocol/server), any transport. Import it as mcp-credentials/mcp, or copy this file.
import { isCredentialHeader, stripCredentialHeaders } from 'mcp-credentials'
import type {
  AdapterRequest,
  CredentialError,
  CredentialRequest,
  CredentialSource,
  HeaderRecord,
  WebHeaders,
} from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'
import { createToolRunner } from 'mcp-credentials/tool'
import type { CreateToolRunnerOptions, ToolRunner } from 'mcp-credentials/tool'

/** Options of {@link withCredentials}. */
export interface WithCredentialsOptions extends CreateToolRunnerOptions {
  /** Methods that need a credential besides `tools/call`, such as `resources/read` and `prompts/get`. */
  readonly methods?: readonly string[] | undefined
  /** Headers that the source reads, such as `['x-api-key']`, which tools do not get to see either. */
  readonly stripHeaders?: readonly string[] | undefined
}

// A symbol that every copy of this file shares, so that none wraps a server that another has wrapped.
const WRAPPED = Symbol.for('mcp-credentials.mcp')

/**
 * Gives each tool call of an MCP server its credential. Call it before or after registering the tools, once a server.
 *
 * @param server - `McpServer` or `Server` of SDK v1 (>= 1.26) or v2
 * @param source - where the credential of a call comes from
 * @param options - further `methods`, `stripHeaders`, `scopes`, `redact`, and what every adapter takes
 * @returns the same server
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for anything but such a server, or a source that is not a function;
 *   `ERR_INVALID_ARG_VALUE` for a bad option, and for a server that has been wrapped already
 * @example
 * const server = withCredentials(new McpServer({ name: 'weather', version: '1.0.0' }), fromEnv('WEATHER_'))
 * server.registerTool('forecast', { inputSchema }, async ({ city }) => forecast(city, getCredentials('static')))
 */
export function withCredentials<S extends McpServerLike>(
  server: S,
  source: CredentialSource,
  options: WithCredentialsOptions = {},
): S {
  const target = internalsOf(server)
  if (Reflect.has(target, WRAPPED))
    throw misuse('ERR_INVALID_ARG_VALUE', 'This server has been given its credentials already.')
  const kinds = { methods: ['strings'], stripHeaders: ['strings'] } as const
  new WrappedServer(target, createToolRunner(source, options, kinds), options)
  Reflect.set(target, WRAPPED, true)
  return server
}

/** What is watched of a server: the requests that it receives, and all that it sends. */
class WrappedServer {
  readonly #target: ServerInternals
  readonly #runTool: ToolRunner
  readonly #options: WithCredentialsOptions
  readonly #methods: ReadonlySet<string>
  readonly #stripHeaders: readonly string[] | undefined
  readonly #wrapped = new WeakSet<Handler>()
  readonly #flights = new Map<unknown, Flight>()
  readonly #sends = new WeakMap<Transport, Transport['send']>()

  constructor(target: ServerInternals, runTool: ToolRunner, options: WithCredentialsOptions) {
    this.#target = target
    this.#runTool = runTool
    this.#options = options
    this.#methods = new Set(['tools/call', ...(options.methods ?? [])])
    this.#stripHeaders = options.stripHeaders?.map((name) => name.toLowerCase())
    const { connect, transport, _onrequest, _onnotification, _enqueueTaskMessage } = target
    target.connect = (next) => {
      this.#watch(next)
      return connect.call(target, next)
    }
    target._onrequest = (request, ...rest) => {
      this.#receive(request, () => _onrequest.call(target, request, ...rest))
    }
    target._onnotification = (notification, ...rest) => {
      _onnotification.call(target, notification, ...rest)
      // Its handler runs before this does.
      if (notification.method === 'notifications/cancelled')
        void Promise.resolve().then(() => this.#landIfCancelled(notification.params?.requestId))
    }
    if (_enqueueTaskMessage)
      target._enqueueTaskMessage = (task, queued, ...rest) => {
        const message = this.#queue(queued.message)
        return message && _enqueueTaskMessage.call(target, task, { ...queued, message }, ...rest)
      }
    if (transport) this.#watch(transport)
  }

  // The calls

  /** Before a request is handled, since a server may get its handlers, and other ones, at any time. */
  #wrapHandlerOf(method: string): void {
    if (!this.#methods.has(method)) return
    const { _requestHandlers: handlers, fallbackRequestHandler: fallback } = this.#target
    const handler = handlers.get(method)
    if (handler) {
      if (!this.#wrapped.has(handler)) handlers.set(method, this.#wrap(handler))
    } else if (fallback && !this.#wrapped.has(fallback)) {
      this.#target.fallbackRequestHandler = this.#wrap(fallback)
    }
  }

  #wrap(handler: Handler): Handler {
    const wrapped: Handler = (request, context) =>
      this.#methods.has(request.method)
        ? this.#call(handler, request, context)
        : handler(request, context)
    this.#wrapped.add(wrapped)
    return wrapped
  }

  #call(handler: Handler, request: Request, context: CallContext): unknown {
    const { id, call } = describeCall(request, context)
    // Only a plain tool call takes a result that says isError; anything else takes a JSON-RPC error.
    const takesResult = call.tool !== undefined && request.params?.task === undefined
    return this.#runTool(
      call,
      ({ redact }) => {
        const flight = this.#flights.get(id)
        if (flight) flight.redact = redact
        return handler(request, this.#contextOf(context, redact))
      },
      takesResult ? undefined : throwRpcError,
    )
  }

  /** The context as a tool may see it; where there is nothing to hide, the very object that it was. */
  #contextOf(context: CallContext, redact: Redact): CallContext {
    const own = withoutHeaders(context, this.#stripHeaders)
    if (own.taskStore === undefined || this.#options.redact === false) return own
    return { ...own, taskStore: scrubTaskStore(own.taskStore, redact) }
  }

  // What is sent

  /** Without the secrets of the call that it belongs to, or of all that run, and of the scope that it is sent in. */
  #scrub(message: Message, requestId?: unknown): Message | undefined {
    if (this.#options.redact === false) return message
    const related = this.#flights.get(requestId)
    let clean = message
    for (const { redact } of related ? [related] : this.#flights.values())
      if (redact) clean = redact(clean)
    const { except } = this.#options.redact ?? {}
    clean = redactSecrets(clean, undefined, { except })
    // Nobody knows any more what would have to be taken out.
    return typeof clean === 'object' ? clean : undefined
  }

  #watch(transport: Transport): void {
    if (this.#sends.has(transport)) return
    const { send } = transport
    this.#sends.set(transport, send)
    this.#flights.clear()
    transport.send = (message, ...rest) => {
      const isResponse = message.method === undefined
      const id = isResponse ? message.id : rest[0]?.relatedRequestId
      const flight = this.#flights.get(id)
      if (flight && this.#isWithheld(message, id, flight)) return refuseToSend(message, ONE_ID)
      // The runner has scrubbed what its calls return and throw.
      const clean = isResponse ? message : this.#scrub(message, id)
      if (clean === undefined) return refuseToSend(message, TOO_LATE)
      const sent = send.call(transport, clean, ...rest)
      return isResponse && flight ? sent.finally(() => this.#land(id, flight)) : sent
    }
  }

  /** Tasks of SDK v1: messages that are sent later, in answer to another request. */
  #queue(message: Message): Message | undefined {
    if (message.method !== undefined) return this.#scrub(message)
    this.#flights.delete(message.id)
    return message
  }

  // Requests with one id. The SDKs and their transports find the way of a response by the id of its request alone: of two in
  // flight the second gets the result of the first, who waits for ever (typescript-sdk #2433). Two users who share a server
  // get each other's data that way. So neither of the two gets a result, but both an error.

  #receive(request: Request, handle: () => void): void {
    const { id, method } = request
    this.#landIfCancelled(id)
    const other = this.#flights.get(id)
    if (other) return void this.#collide(id, other)
    this.#wrapHandlerOf(method)
    const stream = streamsOf(this.#target.transport)?.get(id)
    const flight = {
      stream,
      isCollided: false,
      isSettled: false,
      isAnswered: false,
      redact: undefined,
    }
    this.#flights.set(id, flight)
    handle()
    // The SDK has refused it.
    if (!this.#target._requestHandlerAbortControllers.has(id)) this.#land(id, flight)
  }

  /** A cancelled request gets no response from the SDKs, so its id is free. */
  #landIfCancelled(id: unknown): void {
    const isCancelled = this.#target._requestHandlerAbortControllers.get(id)?.signal.aborted
    if (isCancelled) this.#flights.delete(id)
  }

  #land(id: unknown, flight: Flight | undefined): void {
    if (flight && this.#flights.get(id) === flight) this.#flights.delete(id)
  }

  /**
   * The second does not run. Its error goes where the transport sends what has that id now, which is to the second. The first
   * gets its own on its stream, to which the transport is led back; where that keeps its streams to itself, the first waits
   * until its client gives up. A pipe (stdio, memory, SSE) has but one way: its client gets two errors with that id.
   */
  async #collide(id: unknown, first: Flight): Promise<void> {
    const { transport } = this.#target
    first.isCollided = true
    tell(this.#target.onerror, new Error(ONE_ID))
    await this.#refuseId(id, transport)
    const streams = streamsOf(transport)
    // With a stream there is a third one, whose turn comes.
    if (first.isAnswered || streams?.has(id)) return
    first.isAnswered = true
    if (first.isSettled) this.#land(id, first)
    streams?.set(id, first.stream)
    await this.#refuseId(id, transport)
  }

  async #refuseId(id: unknown, transport: Transport | undefined): Promise<void> {
    const send = transport && this.#sends.get(transport)
    // -32600 of JSON-RPC 2.0: invalid request.
    const refusal = { jsonrpc: '2.0', id, error: { code: -32600, message: ONE_ID } }
    // Where it fails nobody is there any more.
    await send?.call(transport, refusal).catch(() => undefined)
  }

  /** Whether a message of a call is dropped, since it would reach another caller. */
  #isWithheld(message: Message, id: unknown, flight: Flight): boolean {
    const isResponse = message.method === undefined
    flight.isSettled ||= isResponse
    // The transport knows of a request some time before the server does.
    flight.isCollided ||= streamsOf(this.#target.transport)?.get(id) !== flight.stream
    if (!flight.isCollided) {
      flight.isAnswered ||= isResponse
      return false
    }
    if (flight.isSettled && flight.isAnswered) this.#land(id, flight)
    return true
  }
}

const ONE_ID =
  'Two requests with one id are in flight on one MCP server, which cannot tell their results apart, so neither gets one. \
Whoever runs the server gives each session, or each request, a server of its own.'
const TOO_LATE = 'The call that this message belongs to ended too long ago to tell its secrets.'

/** A request that has not been answered. */
interface Flight {
  /** Where Streamable HTTP sends the response. */
  readonly stream: unknown
  /** The id has become that of another request as well. */
  isCollided: boolean
  /** The handler has come to its end. */
  isSettled: boolean
  /** The client has been sent a response, or an error in its place. */
  isAnswered: boolean
  /** Takes out the secrets of the call. */
  redact: Redact | undefined
}

type Redact = <T>(value: T) => T

/** A notification is dropped, but whoever sent a request would wait for its answer. */
function refuseToSend(message: Message, reason: string): Promise<unknown> {
  const isRequest = message.method !== undefined && message.id !== undefined
  return isRequest ? Promise.reject(new Error(reason)) : Promise.resolve()
}

function throwRpcError({ message, code }: CredentialError): never {
  // -32603 of JSON-RPC 2.0: internal error.
  throw Object.assign(new Error(message), { code: -32603, data: { code } })
}

/** What an observer throws, or rejects with, ends nothing. */
function tell(observer: ((error: Error) => unknown) | undefined, error: Error): void {
  void Promise.resolve(error)
    .then(observer)
    .catch(() => undefined)
}

function misuse(code: string, message: string): TypeError {
  return Object.assign(new TypeError(message), { code })
}

// The SDKs

/** `McpServer` or `Server`, of either SDK. */
export type McpServerLike = HandlerRegistry | { readonly server: HandlerRegistry }
type HandlerRegistry = { setRequestHandler(...args: never[]): void }

function internalsOf(server: McpServerLike): ServerInternals {
  const isMcpServer = typeof server === 'object' && server !== null && 'server' in server
  const target: unknown = isMcpServer ? server.server : server
  if (typeof target === 'object' && target !== null && '_onrequest' in target)
    return target as ServerInternals
  throw misuse(
    'ERR_INVALID_ARG_TYPE',
    'withCredentials takes an McpServer or a Server of the MCP SDK, v1 (>= 1.26) or v2.',
  )
}

/** What a source is told of a call, and its id: the one place that tells SDK v1 from v2. */
function describeCall(
  { method, params }: Request,
  context: CallContext,
): { readonly id: unknown; readonly call: AdapterRequest } {
  const { requestInfo, http, mcpReq, sessionId } = context
  const tool = method === 'tools/call' && typeof params?.name === 'string' ? params.name : undefined
  const { authInfo } = http ?? context
  const { signal } = mcpReq ?? context
  const headers = requestInfo ? requestInfo.headers : http?.req?.headers
  const id = mcpReq ? mcpReq.id : context.requestId
  return { id, call: { tool, method, headers, authInfo, sessionId, signal } }
}

/** A copy where there is one to hide, so that a batch or a second round of the same call still finds its headers. */
function withoutHeaders(context: CallContext, also: readonly string[] = []): CallContext {
  const { requestInfo, http } = context
  if (requestInfo && hasAny(Object.keys(requestInfo.headers), also)) {
    const headers = stripCredentialHeaders(requestInfo.headers, also)
    return { ...context, requestInfo: { ...requestInfo, headers } }
  }
  const original = http?.req
  if (!original || !carriesAny(original.headers, also)) return context
  let request: WebRequest | undefined
  // Made when it is first read, which is seldom. Without the body: the transport has consumed that.
  const makeRequest = () => {
    const { url, method, signal } = original
    const headers = stripCredentialHeaders(original.headers, also)
    return new (globalThis as unknown as WebRuntime).Request(url, { method, signal, headers })
  }
  return {
    ...context,
    http: {
      ...http,
      get req() {
        return (request ??= makeRequest())
      },
    },
  }
}

/** To list the names of Web Headers takes longer than the rest of the adapter: of a gateway's there is one of the two. */
const carriesAny = (headers: WebHeaders, also: readonly string[]): boolean =>
  Boolean(headers.get('x-mcp-cred-access-token') ?? headers.get('x-mcp-cred-fields')) ||
  hasAny([...headers.keys()], also)

const hasAny = (names: readonly string[], also: readonly string[]): boolean =>
  names.some((name) => isCredentialHeader(name) || also.includes(name.toLowerCase()))

// Task results and states reach the client through the store, past the handler and the transport.
const scrubTaskStore = (store: TaskStore, redact: Redact): TaskStore => ({
  ...store,
  storeTaskResult: (id, status, result, ...rest) =>
    store.storeTaskResult(id, status, redact(result), ...rest),
  updateTaskStatus: (id, status, message, ...rest) =>
    store.updateTaskStatus(id, status, redact(message), ...rest),
})

const streamsOf = (transport: Transport | undefined): Map<unknown, unknown> | undefined =>
  transport?._requestToStreamMapping ?? transport?._webStandardTransport?._requestToStreamMapping

// What the adapter needs of a server of either SDK.
interface ServerInternals {
  connect(transport: Transport): unknown
  readonly transport?: Transport | undefined
  onerror?: ((error: Error) => void) | undefined
  fallbackRequestHandler?: Handler | undefined
  readonly _requestHandlers: Map<string, Handler>
  readonly _requestHandlerAbortControllers: Map<
    unknown,
    { readonly signal: { readonly aborted: boolean } }
  >
  _onrequest(request: Request, ...rest: unknown[]): void
  _onnotification(notification: Request, ...rest: unknown[]): void
  // Of v1.
  _enqueueTaskMessage?(
    task: string,
    queued: { readonly message: Message },
    ...rest: unknown[]
  ): unknown
}

interface Transport {
  send(message: Message, options?: { readonly relatedRequestId?: unknown }): Promise<unknown>
  // Of Streamable HTTP: the stream of each request that has no response yet, by its id.
  readonly _requestToStreamMapping?: Map<unknown, unknown>
  readonly _webStandardTransport?: Transport
}

/** Of JSON-RPC: a request has a method and an id, a notification a method, a response an id. */
interface Message {
  readonly method?: unknown
  readonly id?: unknown
}

interface Request extends Message {
  readonly method: string
  readonly params?: {
    readonly name?: unknown
    readonly task?: unknown
    readonly requestId?: unknown
  }
}

type Handler = (request: Request, context: CallContext) => unknown

interface TaskStore {
  storeTaskResult(id: string, status: string, result: unknown, ...rest: unknown[]): unknown
  updateTaskStatus(id: string, status: string, message?: unknown, ...rest: unknown[]): unknown
}

// `extra` of SDK v1, `ctx` of SDK v2.
interface CallContext {
  readonly sessionId?: string
  readonly signal?: CredentialRequest['signal']
  readonly authInfo?: unknown
  readonly requestId?: unknown
  readonly taskStore?: TaskStore
  readonly requestInfo?: { readonly headers: HeaderRecord }
  readonly mcpReq?: { readonly id: unknown; readonly signal: CredentialRequest['signal'] }
  readonly http?: { readonly authInfo?: unknown; readonly req?: WebRequest }
}

interface WebRequest {
  readonly url: string
  readonly method: string
  readonly signal: unknown
  readonly headers: WebHeaders
}

interface WebRuntime {
  readonly Request: new (url: string, init: object) => WebRequest
}
