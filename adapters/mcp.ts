// Credentials for the tools of an MCP server: SDK v1 (@modelcontextprotocol/sdk >= 1.26) and v2
// (@modelcontextprotocol/server), any transport. Import it as mcp-credentials/mcp, or copy this file.
import { ConnectRequiredError, isCredentialHeader, stripCredentialHeaders } from 'mcp-credentials'
import type { AdapterRequest, CredentialError, CredentialRequest } from 'mcp-credentials'
import type { CredentialSource, HeaderRecord, WebHeaders } from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'
import { createToolRunner } from 'mcp-credentials/tool'
import type { AskingClient, CreateToolRunnerOptions } from 'mcp-credentials/tool'
import type { ToolCall, ToolRunner } from 'mcp-credentials/tool'

/** Options of {@link withCredentials}. */
export interface WithCredentialsOptions extends CreateToolRunnerOptions {
  /** Methods that need a credential besides `tools/call`, such as `resources/read` and `prompts/get`. */
  readonly methods?: readonly string[] | undefined
  /** Headers that the source reads, such as `['x-api-key']`, which tools do not get to see either. */
  readonly stripHeaders?: readonly string[] | undefined
}

// A symbol that every copy of this file shares, so that none wraps a server that another has wrapped.
const WRAPPED = Symbol.for('mcp-credentials.mcp')
const SEND = Symbol('what a transport sends with')

/**
 * Gives each tool call of an MCP server its credential. Call it before or after registering the tools, once a server.
 *
 * @param server - `McpServer` or `Server` of SDK v1 (>= 1.26) or v2
 * @param source - where the credential of a call comes from
 * @param options - further `methods`, `stripHeaders`, what `createToolRunner` takes, and what every adapter takes
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
  readonly #stripped: readonly string[]
  /** The last requests by their ids: those that run, and some that are over, whose tools may have left behind what sends on. */
  readonly #calls = new Map<unknown, Call>()

  constructor(target: ServerInternals, runTool: ToolRunner, options: WithCredentialsOptions) {
    this.#target = target
    this.#runTool = runTool
    this.#options = options
    this.#stripped = (options.stripHeaders ?? []).map((name) => name.toLowerCase())
    const { connect, transport, _onrequest } = target
    target.connect = (next) => {
      this.#watch(next)
      return connect.call(target, next)
    }
    target._onrequest = (request, ...rest) => {
      this.#receive(request, () => _onrequest.call(target, request, ...rest))
    }
    if (target._enqueueTaskMessage) this.#watchQueue(target._enqueueTaskMessage)
    if (transport) this.#watch(transport)
  }

  // The calls

  #takesCredential(method: string): boolean {
    return method === 'tools/call' || this.#options.methods?.includes(method) === true
  }

  /** Before a request is handled, since a server may get its handlers, and other ones, at any time. */
  #wrapHandlerOf(method: string): void {
    const { _requestHandlers: handlers, fallbackRequestHandler: fallback } = this.#target
    const handler = handlers.get(method)
    if (handler) handlers.set(method, this.#wrap(handler))
    else if (fallback) this.#target.fallbackRequestHandler = this.#wrap(fallback)
  }

  #wrap(handler: Handler): Handler {
    if (WRAPPED in handler) return handler
    const wrapped: Handler = (request, context) => {
      const { id, given, client } = describeCall(request, context)
      const call = this.#calls.get(id) ?? {}
      // One that was wrapped may have been called by the one that replaced it.
      const isNested = runsTool(call) && call.request === request
      if (isNested || !this.#takesCredential(request.method))
        return handler(request, withoutHeaders(context, this.#stripped))
      const run = (toolCall: ToolCall) => {
        call.request = request
        call.toolCall = toolCall
        return handler(request, this.#contextOf(context, toolCall))
      }
      const refuse = (error: CredentialError) => this.#refuse(error, request, client)
      return this.#runTool(given, run, refuse, askingClientOf(request.method, client))
    }
    return Object.assign(wrapped, { [WRAPPED]: true })
  }

  /** The context as a tool may see it; where there is nothing to hide, the very object that it was. */
  #contextOf(context: CallContext, toolCall: ToolCall): CallContext {
    const own = withoutHeaders(context, this.#stripped)
    if (own.taskStore === undefined || this.#options.redact === false) return own
    return { ...own, taskStore: scrubTaskStore(own.taskStore, toolCall) }
  }

  #refuse(error: CredentialError, { method, params }: Message, client: Client): undefined {
    const capabilities = this.#target.getClientCapabilities()
    // The capabilities of a client of 2025 are unknown where each request has a server of its own.
    const opensPages = !client.capabilities && (!capabilities || capabilities.elicitation?.url)
    if (opensPages && error instanceof ConnectRequiredError) throw toConnectRpcError(error)
    // Only a plain tool call takes a result that says isError; anything else takes a JSON-RPC error.
    // -32603 of JSON-RPC 2.0: internal error.
    if (method !== 'tools/call' || params?.task !== undefined)
      throw rpcError(error.message, -32603, { code: error.code })
  }

  // What is sent

  #watch(transport: Transport): void {
    if (transport[SEND]) return
    const { send } = transport
    transport[SEND] = send
    transport.send = async (message, ...rest) => {
      const isResponse = message.method === undefined
      const id = isResponse ? message.id : rest[0]?.relatedRequestId
      const call = this.#callOf(id)
      if (call && isWithheld(message, id, call)) return refuseToSend(message, ONE_ID)
      // The runner has scrubbed what its calls return and throw.
      const clean = isResponse ? message : this.#scrub(message, id)
      if (clean === undefined) return refuseToSend(message, TOO_LATE)
      try {
        return await send.call(transport, clean, ...rest)
      } finally {
        if (isResponse && call) call.signal = undefined
      }
    }
  }

  /** Of SDK v1: what is sent later, in answer to another request. */
  #watchQueue(enqueue: Enqueue): void {
    this.#target._enqueueTaskMessage = (task, queued, ...rest) => {
      const { id, method } = queued.message
      const call = this.#callOf(id)
      const isResponse = method === undefined
      if (isResponse && call) call.signal = undefined
      const message = isResponse ? queued.message : this.#scrub(queued.message)
      if (message === undefined) return refuseToSend(queued.message, TOO_LATE)
      return enqueue.call(this.#target, task, { ...queued, message }, ...rest)
    }
  }

  /** Without the secrets of the call that it belongs to, or of all the last ones, and of the scope that it is sent in. */
  #scrub(message: Message, requestId?: unknown): Message | undefined {
    const { redact: option } = this.#options
    if (option === false) return message
    const own = this.#calls.get(requestId)
    if (requestId !== undefined && !own) return undefined
    const isWithout = (clean: unknown) => typeof clean === 'object'
    let clean = message
    for (const { toolCall } of own ? [own] : this.#calls.values()) {
      const scrubbed = toolCall ? toolCall.redact(clean) : clean
      // Of one that ended long ago nobody knows any more what would have to be taken out.
      if (own || isWithout(scrubbed)) clean = scrubbed
    }
    clean = redactSecrets(clean, undefined, { except: option?.except })
    return isWithout(clean) ? clean : undefined
  }

  // Requests with one id. The SDKs and their transports find the way of a response by the id of its request alone: of two in
  // flight the second gets the result of the first, who waits for ever (typescript-sdk #2433). Two users who share a server
  // get each other's data that way. So neither of the two gets a result, but both an error.

  /** The call with an id, while it runs. */
  #callOf(id: unknown): Call | undefined {
    const call = this.#calls.get(id)
    return call && isRunning(call) ? call : undefined
  }

  #receive(request: Request, handle: () => void): void {
    const { id, method } = request
    const before = this.#calls.get(id)
    if (before && isRunning(before)) return void this.#collide(id, before)
    this.#wrapHandlerOf(method)
    const { transport, _requestHandlerAbortControllers: controllers } = this.#target
    const call: Call = { transport, stream: streamsOf(transport)?.get(id), signal: RECEIVED }
    if (runsTool(before)) call.before = before
    this.#calls.delete(id)
    this.#calls.set(id, call)
    this.#forget()
    handle()
    // There is none where the SDK has refused it.
    call.signal = controllers.get(id)?.signal
  }

  #forget(): void {
    if (this.#calls.size <= 2 * KEPT) return
    for (const [id, call] of this.#calls)
      if (this.#calls.size > KEPT && !isRunning(call)) this.#calls.delete(id)
  }

  /**
   * The second does not run. Its error goes where the transport sends what has that id now, which is to the second. The first
   * gets its own on its stream, to which the transport is led back; where that keeps its streams to itself, the first waits
   * until its client gives up. A pipe (stdio, memory, SSE) has but one way: its client gets two errors with that id.
   */
  async #collide(id: unknown, first: Call): Promise<void> {
    const { transport, onerror } = this.#target
    first.isCollided = true
    // What an observer throws, or rejects with, ends nothing.
    void Promise.resolve(new Error(ONE_ID))
      .then(onerror)
      .catch(() => undefined)
    await refuseId(id, transport)
    const streams = streamsOf(first.transport)
    // With another stream there is a third one, whose turn comes.
    const isTaken = streams?.has(id) && streams.get(id) !== first.stream
    if (first.isAnswered || isTaken) return
    first.isAnswered = true
    if (first.isSettled) first.signal = undefined
    streams?.set(id, first.stream)
    await refuseId(id, first.transport)
  }
}

/** A request of a client. */
interface Call {
  readonly transport?: Transport | undefined
  /** Where Streamable HTTP sends the response. */
  readonly stream?: unknown
  /** Until the response has been sent. A cancelled request gets none from the SDKs, so its id is free. */
  signal?: Signal | undefined
  /** The id has become that of another request as well. */
  isCollided?: boolean
  /** The handler has come to its end. */
  isSettled?: boolean
  /** The client has been sent a response, or an error in its place. */
  isAnswered?: boolean
  /** What its tool was called with. */
  request?: Request
  toolCall?: ToolCall
  /** One with the same id, that was cancelled, and whose tool goes on all the same. */
  before?: Call
}

const RECEIVED: Signal = { aborted: false }

const isRunning = ({ signal }: Call): boolean => signal?.aborted === false
const runsTool = (call: Call | undefined): call is Call => call?.toolCall?.isOver === false

/** Whether a message of a call is dropped, since it would reach another caller. */
function isWithheld(message: Message, id: unknown, call: Call): boolean {
  const isResponse = message.method === undefined
  if (runsTool(call.before) && !isResponse) return true
  call.isSettled ||= isResponse
  // The transport knows of a request some time before the server does.
  call.isCollided ||= streamsOf(call.transport)?.get(id) !== call.stream
  if (!call.isCollided) call.isAnswered ||= isResponse
  else if (call.isSettled && call.isAnswered) call.signal = undefined
  return call.isCollided
}

async function refuseId(id: unknown, transport: Transport | undefined): Promise<void> {
  // -32600 of JSON-RPC 2.0: invalid request.
  const refusal = { jsonrpc: '2.0', id, error: { code: -32600, message: ONE_ID } }
  // Where it fails nobody is there any more.
  await transport?.[SEND]?.(refusal).catch(() => undefined)
}

const ONE_ID =
  'Two requests with one id are in flight on one MCP server, which cannot tell their results apart, so neither gets one. \
Whoever runs the server gives each session, or each request, a server of its own.'
const TOO_LATE = 'The call that this message belongs to ended too long ago to tell its secrets.'
const KEPT = 100

/** A notification is dropped, but whoever sent a request would wait for its answer. */
function refuseToSend(message: Message, reason: string): Promise<unknown> {
  const isRequest = message.method !== undefined && message.id !== undefined
  return isRequest ? Promise.reject(new Error(reason)) : Promise.resolve()
}

/** A client of 2026 is asked by a result, and answers by calling again (basic/patterns/mrtr of that revision). */
function askingClientOf(method: string, client: Client): AskingClient<object> | undefined {
  const canAsk = client.capabilities?.elicitation?.url
  if (!canAsk || !ASKING_METHODS.includes(method)) return undefined
  const ask = ({ url, message }: ConnectRequiredError) => {
    const request = { method: 'elicitation/create', params: { mode: 'url', url, message } }
    return { resultType: 'input_required', inputRequests: { [CONNECT]: request } }
  }
  return { ask, answer: client.answer }
}

const ASKING_METHODS = ['tools/call', 'prompts/get', 'resources/read']
const CONNECT = 'mcp-credentials.connect'

/** -32042 of revision 2025-11-25: a URL has to be opened first. */
function toConnectRpcError({ url, message }: ConnectRequiredError): Error {
  const elicitation = { mode: 'url', elicitationId: url, url, message }
  return rpcError(message, -32042, { elicitations: [elicitation] })
}

const rpcError = (message: string, code: number, data: object): Error =>
  Object.assign(new Error(message), { code, data })

const misuse = (code: string, message: string): TypeError =>
  Object.assign(new TypeError(message), { code })

// The SDKs

/** `McpServer` or `Server`, of either SDK. */
export type McpServerLike = HandlerRegistry | { readonly server: HandlerRegistry }
interface HandlerRegistry {
  setRequestHandler(...args: never[]): void
}

function internalsOf(server: McpServerLike): ServerInternals {
  const { server: target = server }: { readonly server?: object } = Object(server)
  if ('_onrequest' in Object(target)) return target as ServerInternals
  throw misuse(
    'ERR_INVALID_ARG_TYPE',
    'withCredentials takes an McpServer or a Server of the MCP SDK, v1 (>= 1.26) or v2.',
  )
}

/** A call, as its source is told of it, and who calls: the one place that tells SDK v1 from v2. */
function describeCall({ method, params }: Request, context: CallContext) {
  const { requestInfo, http, mcpReq, sessionId } = context
  const tool = method === 'tools/call' && typeof params?.name === 'string' ? params.name : undefined
  const { authInfo } = http ?? context
  const { signal } = mcpReq ?? context
  const headers = requestInfo ? requestInfo.headers : http?.req?.headers
  const id = mcpReq ? mcpReq.id : context.requestId
  const capabilities = mcpReq?.envelope?.['io.modelcontextprotocol/clientCapabilities']
  const answer = mcpReq?.inputResponses?.[CONNECT]?.action
  const client = { capabilities, answer }
  const given: AdapterRequest = { tool, method, headers, authInfo, sessionId, signal }
  return { id, given, client }
}

type Client = ReturnType<typeof describeCall>['client']

/** A copy where there is one to hide, so that a batch or a second round of the same call still finds its headers. */
function withoutHeaders(context: CallContext, also: readonly string[]): CallContext {
  const { requestInfo, http } = context
  if (requestInfo && hasAny(Object.keys(requestInfo.headers), also)) {
    const headers = stripCredentialHeaders(requestInfo.headers, also)
    return { ...context, requestInfo: { ...requestInfo, headers } }
  }
  const original = http?.req
  if (!original || !carriesAny(original.headers, also)) return context
  let request: WebRequest | undefined
  const stripped = {
    ...http,
    // Made when it is first read, which is seldom. Without the body: the transport has consumed that.
    get req() {
      const { Request } = globalThis as unknown as WebRuntime
      const { url, method, signal } = original
      const headers = stripCredentialHeaders(original.headers, also)
      return (request ??= new Request(url, { method, signal, headers }))
    },
  }
  return { ...context, http: stripped }
}

/** To list the names of Web Headers takes longer than the rest of the adapter: of a gateway's there is one of the two. */
const carriesAny = (headers: WebHeaders, also: readonly string[]): boolean =>
  Boolean(headers.get('x-mcp-cred-access-token') ?? headers.get('x-mcp-cred-fields')) ||
  hasAny([...headers.keys()], also)

const hasAny = (names: readonly string[], also: readonly string[]): boolean =>
  names.some((name) => isCredentialHeader(name) || also.includes(name.toLowerCase()))

// Results and states of tasks reach the client through the store, past the handler and the transport.
const scrubTaskStore = (store: TaskStore, { redact, keep }: ToolCall): TaskStore => ({
  ...store,
  createTask(...args) {
    // It may outlive its call by hours.
    keep()
    return store.createTask(...args)
  },
  storeTaskResult: (id, status, result) => store.storeTaskResult(id, status, redact(result)),
  updateTaskStatus: (id, status, message) => store.updateTaskStatus(id, status, redact(message)),
})

const streamsOf = (transport: Transport | undefined): Map<unknown, unknown> | undefined =>
  transport?._requestToStreamMapping ?? transport?._webStandardTransport?._requestToStreamMapping

// What the adapter needs of a server of either SDK.
interface ServerInternals {
  connect(transport: Transport): unknown
  getClientCapabilities(): Capabilities | undefined
  readonly transport?: Transport | undefined
  onerror?: ((error: Error) => void) | undefined
  fallbackRequestHandler?: Handler | undefined
  readonly _requestHandlers: Map<string, Handler>
  readonly _requestHandlerAbortControllers: Map<unknown, { readonly signal: Signal }>
  _onrequest(request: Request, ...rest: unknown[]): void
  // Of v1.
  _enqueueTaskMessage?: Enqueue
}

interface Signal {
  readonly aborted: boolean
}

type Enqueue = (task: string, queued: { readonly message: Message }, ...rest: unknown[]) => unknown

interface Capabilities {
  readonly elicitation?: { readonly url?: unknown }
}

interface Transport {
  send(message: Message, options?: { readonly relatedRequestId?: unknown }): Promise<unknown>
  [SEND]?: Transport['send']
  // Of Streamable HTTP: the stream of each request that has no response yet, by its id.
  readonly _requestToStreamMapping?: Map<unknown, unknown>
  readonly _webStandardTransport?: Transport
}

/** Of JSON-RPC: a request has a method and an id, a notification a method, a response an id. */
interface Message {
  readonly method?: string
  readonly id?: unknown
  readonly params?: { readonly name?: unknown; readonly task?: unknown }
}

type Request = Message & { readonly method: string }
type Handler = (request: Request, context: CallContext) => unknown

type TaskMethod = 'createTask' | 'storeTaskResult' | 'updateTaskStatus'
type TaskStore = Record<TaskMethod, (...args: unknown[]) => unknown>

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
    readonly signal: CredentialRequest['signal']
    readonly envelope?: { readonly 'io.modelcontextprotocol/clientCapabilities'?: Capabilities }
    readonly inputResponses?: Readonly<Record<string, { readonly action?: string } | undefined>>
  }
  readonly http?: { readonly authInfo?: unknown; readonly req?: WebRequest }
}

interface WebRequest {
  readonly url: string
  readonly method: string
  readonly signal: unknown
  readonly headers: WebHeaders
}

type WebRuntime = Record<'Request', new (url: string, init: object) => WebRequest>
