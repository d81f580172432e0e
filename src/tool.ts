import { createAdapter, labelFor } from './adapter.ts'
import type {
  AdapterCall,
  AdapterOptions,
  AdapterRequest,
  CallError,
  CallResult,
  RedactedSecret,
} from './adapter.ts'
import { captureScope, runWithCredentials } from './context.ts'
import type { CapturedScope } from './context.ts'
import type { ResolvedCredential } from './credential.ts'
import { assertOptions, ConnectRequiredError, CredentialError } from './errors.ts'
import type { OptionKind } from './errors.ts'
import { REDACTED } from './grammar.ts'
import { redactSecrets } from './redact/index.ts'
import type { RedactSecretsOptions } from './redact/index.ts'
import type { CredentialRequest, CredentialSource } from './source.ts'

/** Options of {@link createToolRunner}. */
export interface CreateToolRunnerOptions extends AdapterOptions {
  /** The upstream scopes that a tool needs, by its name; a credential that is known to lack one is refused. */
  readonly scopes?: ((tool: string) => readonly string[] | undefined) | undefined
  /** `false` leaves secrets in what tools send; `except` names fields that are no secrets, such as `baseUrl`. */
  readonly redact?: false | { readonly except?: readonly string[] | undefined } | undefined
  /** How long a call waits for its account to be connected, once the person has agreed to; by default 30 seconds. */
  readonly connectTimeoutSeconds?: number | undefined
}

/** A tool call that runs. */
export interface ToolCall {
  /** What it runs with: its credential, or the error that stands for an optional one. */
  readonly credential: ResolvedCredential | CredentialError
  /** A copy without the secrets of the call, wherever and whenever this is called; for what the tool sends meanwhile. */
  readonly redact: <T>(value: T) => T
  /** Keeps the secrets in mind for longer than the minute after the call; for work that outlives it, such as a task. */
  readonly keep: () => void
}

/** A content block of text. */
export interface TextBlock {
  type: 'text'
  text: string
}

/** The result of a tool that did not run. */
export interface RefusedResult {
  /** As results of tools have it in most frameworks. */
  [name: string]: unknown
  content: TextBlock[]
  isError: true
}

/** A client that can ask its person to open a page, and then calls again. */
export interface AskingClient<F> {
  /** Makes the result that has it ask. */
  readonly ask: (error: ConnectRequiredError) => F
  /** What the person said, where it has: `accept`, or anything else. */
  readonly answer: string | undefined
}

/**
 * Runs a tool with the credential of its call.
 *
 * @param request - the call, as far as it is known: `tool`, `headers`, `authInfo`, `sessionId`, `signal`
 * @param run - the tool
 * @param refuse - makes the result of a call that is refused; by default, and for `undefined`, a tool result with `isError`
 * @param client - for a client that can ask its person to connect the account
 */
export type ToolRunner = <R, F = never>(
  request: AdapterRequest,
  run: (call: ToolCall) => Promise<R> | R,
  refuse?: (error: CredentialError) => F | undefined,
  client?: AskingClient<F>,
) => Promise<R | F | RefusedResult>

const KINDS = {
  scopes: ['function'],
  redact: ['boolean', 'object'],
  connectTimeoutSeconds: ['seconds'],
} as const

/**
 * What happens to a tool call, whatever serves it: the source is asked, the tool runs in the scope of its call, what it
 * returns or throws is scrubbed of its secrets, the scope ends, and `onCall` is told. It is all that a framework needs that
 * is no server of the MCP SDK.
 *
 * @param source - where the credential of a call comes from
 * @param options - `scopes`, `redact` and `connectTimeoutSeconds`, and what every adapter takes
 * @param kinds - for adapters: the options that they have besides, with the kinds of value that each takes
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for a source that is not a function, `ERR_INVALID_ARG_VALUE` for a bad option
 * @example
 * const runTool = createToolRunner(fromHeaders({ type: 'oauth' }))
 * const result = await runTool({ tool: 'whoami', headers: request.headers }, () => whoami())
 */
export function createToolRunner(
  source: CredentialSource,
  options: CreateToolRunnerOptions = {},
  kinds: Readonly<Record<string, readonly OptionKind[]>> = {},
): ToolRunner {
  const ask = createAdapter(source, options, { ...KINDS, ...kinds })
  if (options.redact) assertOptions(options.redact, 'redact', { except: ['strings'] })
  const connections = new Connections(source, options)
  const runTool: ToolRunner = async (given, run, refuse, client) => {
    const call = await ask(withScopes(given, options))
    // Nobody waits for the tool's result any more.
    if (given.signal?.aborted) {
      call.end({ status: 499 })
      throw new Error('The call was cancelled.')
    }
    const stop = async (error: CredentialError, result?: CallResult) => {
      const canAsk = client && error instanceof ConnectRequiredError
      const step = canAsk && (await connections.nextStep(error, call.request, client.answer))
      if (step === 'retry') return runTool(given, run, refuse)
      call.end(result)
      if (canAsk && step === 'ask') return client.ask(error)
      return refuse?.(error) ?? toErrorResult(error.message)
    }
    return call.refusal ? stop(call.refusal) : runInScope(call, run, stop, new Scrubber(options))
  }
  return runTool
}

function withScopes(request: AdapterRequest, { scopes }: CreateToolRunnerOptions): AdapterRequest {
  const needed = request.tool === undefined ? undefined : scopes?.(request.tool)
  return needed ? { ...request, scopes: needed } : request
}

async function runInScope<R, S>(
  call: AdapterCall,
  run: (toolCall: ToolCall) => Promise<R> | R,
  stop: (error: CredentialError, result: CallResult) => S,
  scrubber: Scrubber,
): Promise<R | Awaited<S>> {
  const { credential } = call
  try {
    const enter = () => run(scrubber.enter(credential))
    const result: unknown = await runWithCredentials(credential, enter)
    const connectError = scrubber.connectErrorBehind(result)
    if (connectError) throw connectError
    const clean = scrubber.redact(result)
    call.end(scrubber.describe(clean))
    // What is redacted keeps its shape.
    return clean as R
  } catch (thrown) {
    const clean = scrubber.redactThrown(thrown)
    const failure = scrubber.describeThrown(thrown)
    const isConnect = failure.error?.code === 'ERR_CREDENTIAL_CONNECT'
    if (isConnect && thrown instanceof ConnectRequiredError) return await stop(thrown, failure)
    call.end(failure)
    throw clean
  }
}

// Connecting an account

// By source and owner, since some servers live for one request alone.
const waitsBySource = new WeakMap<CredentialSource, Map<unknown, Wait>>()

/** Of all calls of one owner, one has its person asked, and one check is polled for all. */
class Connections {
  readonly #options: CreateToolRunnerOptions
  readonly #waits: Map<unknown, Wait>

  constructor(source: CredentialSource, options: CreateToolRunnerOptions) {
    this.#options = options
    this.#waits = waitsBySource.get(source) ?? new Map<unknown, Wait>()
    waitsBySource.set(source, this.#waits)
  }

  async nextStep(
    error: ConnectRequiredError,
    request: CredentialRequest,
    answer: string | undefined,
  ): Promise<'ask' | 'retry' | 'refuse'> {
    const label = labelFor(request, this.#options)
    const open = this.#waits.get(label)
    if (answer === undefined && !open) {
      // Whose calls belong together is known by the label alone.
      if (label !== undefined) this.#start(label, error)
      return 'ask'
    }
    const isDeclined = answer !== undefined && answer !== 'accept'
    if (isDeclined) open?.limit(0)
    if (isDeclined || !error.isConnected) return 'refuse'
    const wait = open ?? this.#start(label ?? error, error)
    if (answer === 'accept') wait.limit(this.#options.connectTimeoutSeconds)
    return (await wait.outcome) ? 'retry' : 'refuse'
  }

  #start(owner: unknown, { isConnected = () => false }: ConnectRequiredError): Wait {
    const wait = new Wait(isConnected, this.#options.connectTimeoutSeconds)
    this.#waits.set(owner, wait)
    void wait.outcome.then(() => this.#waits.delete(owner))
    return wait
  }
}

type Check = NonNullable<ConnectRequiredError['isConnected']>

const FIRST_PAUSE = 250
const LONGEST_PAUSE = 2000

/** Polls a check until it says yes, or the time is over. */
class Wait {
  readonly outcome: Promise<boolean>
  #end = 0
  #pause = 0

  constructor(check: Check, seconds?: number) {
    this.limit(seconds)
    this.outcome = this.#poll(check)
  }

  /** Starts the time again. */
  limit(seconds = 30): void {
    this.#end = Date.now() + seconds * 1000
    this.#pause = FIRST_PAUSE
  }

  async #poll(check: Check): Promise<boolean> {
    while (Date.now() < this.#end) {
      await sleep(Math.min(this.#pause, this.#end - Date.now()))
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE)
      if (await holds(check)) return true
    }
    return false
  }
}

/** A check that fails is no answer. */
async function holds(check: Check): Promise<boolean> {
  try {
    return await check()
  } catch {
    return false
  }
}

const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => (globalThis as unknown as Timers).setTimeout(resolve, milliseconds))

interface Timers {
  setTimeout(fn: () => void, milliseconds: number): unknown
}

// What leaves

const MAX_FOUND = 100
const MAX_MESSAGE = 500
const UNREADABLE = 'What the tool threw cannot be shown.'

/** Takes the secrets of one call out of what it sends, and keeps what they were called. */
class Scrubber {
  readonly #found: RedactedSecret[] = []
  readonly #option: CreateToolRunnerOptions['redact']
  readonly #limit: number
  #scope: CapturedScope | undefined

  constructor({ redact, onCall }: CreateToolRunnerOptions) {
    this.#option = redact
    // One is enough to say what was withheld; the others are for the operator.
    this.#limit = onCall ? MAX_FOUND : 1
  }

  /** Makes this the scrubber of the current scope. */
  enter(credential: ToolCall['credential']): ToolCall {
    const scope = captureScope()
    this.#scope = scope
    return { credential, redact: this.redact, keep: scope.keep }
  }

  readonly redact = <T>(value: T): T => {
    const secret = this.#search(partsOf(value)['structuredContent']).name
    // A redacted value may not fit the schema of the tool.
    if (secret) return withhold('structured result', secret) as T
    return this.#search(this.#withoutBase64(value)).clean
  }

  redactThrown(thrown: unknown): unknown {
    try {
      return this.redact(thrown)
    } catch {
      return new Error(UNREADABLE)
    }
  }

  /** Redacted base64 is none any more, so that the SDKs would refuse the whole result. */
  #withoutBase64<T>(result: T): T {
    for (const name of ['content', 'contents', 'messages']) {
      const blocks = listOf(partsOf(result)[name])
      const checked = blocks.map(this.#checkBlock)
      const isSame = checked.every((block, index) => block === blocks[index])
      if (!isSame) return { ...result, [name]: checked }
    }
    return result
  }

  /** A block of a tool, the contents of a resource, or a message of a prompt, which holds a block. */
  readonly #checkBlock = (block: unknown): unknown => {
    const { content, data, blob, resource, uri } = partsOf(block)
    const checked = isObject(content) ? this.#checkBlock(content) : content
    if (checked !== content) return { ...partsOf(block), content: checked }
    const secret = this.#search(data ?? blob ?? partsOf(resource)['blob']).name
    if (secret === undefined) return block
    const [notice] = withhold('content', secret).content
    return uri === undefined ? notice : { uri, text: notice?.text }
  }

  /** The error that asks to connect, of which an SDK has made a text. */
  connectErrorBehind(result: unknown): ConnectRequiredError | undefined {
    const error = this.#scope?.connectError()
    const { isError, content } = partsOf(result)
    if (!error || isError !== true) return undefined
    return textsOf(content).includes(error.message) ? error : undefined
  }

  describe(result: unknown): CallResult {
    const { isError, content } = partsOf(result)
    const redacted = [...this.#found]
    if (isError !== true) return { outcome: 'ok', redacted }
    const [text = 'The tool returned an error.'] = textsOf(content)
    return { outcome: 'failed', error: this.#toCallError('ToolError', text), redacted }
  }

  describeThrown(thrown: unknown): CallResult {
    const redacted = [...this.#found]
    return { outcome: 'failed', error: this.#describeError(thrown), cause: thrown, redacted }
  }

  #describeError(thrown: unknown): CallError {
    try {
      if (!(thrown instanceof Error)) return this.#toCallError('Error', String(thrown))
      const code = thrown instanceof CredentialError ? thrown.code : undefined
      return this.#toCallError(thrown.name, thrown.message, code)
    } catch {
      return this.#toCallError('Error', UNREADABLE)
    }
  }

  /** Events hold no secret, whatever the server has chosen for its results. */
  #toCallError(name: string, message: string, code?: CallError['code']): CallError {
    const show = (text: string) => this.#withoutSecrets(text).slice(0, MAX_MESSAGE)
    return { name: show(name), code, message: show(message) }
  }

  #search<T>(value: T): { readonly clean: T; readonly name: string | undefined } {
    if (this.#option === false || value === undefined) return { clean: value, name: undefined }
    let name: string | undefined
    const onRedact = (secret: RedactedSecret) => {
      name ??= secret.name
      if (this.#found.length < this.#limit) this.#found.push(secret)
    }
    const clean = this.#withoutSecrets(value, { except: this.#option?.except, onRedact })
    return { clean, name }
  }

  #withoutSecrets<T>(value: T, options?: RedactSecretsOptions): T {
    const credentials = this.#scope?.credentials()
    // Nobody knows any more what would have to be taken out.
    return credentials ? redactSecrets(value, credentials, options) : (REDACTED as T)
  }
}

/** What is looked at of a result, and of the blocks in it: of tools, prompts and resources. */
type Parts = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Parts => typeof value === 'object' && value !== null

const partsOf = (value: unknown): Parts => (isObject(value) ? value : {})

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

function textsOf(content: unknown): string[] {
  const texts = listOf(content).map((block) => partsOf(block)['text'])
  return texts.filter((text) => typeof text === 'string')
}

const withhold = (what: string, name: string): RefusedResult =>
  toErrorResult(`The ${what} of the tool was withheld, because it held a secret (${name}).`)

const toErrorResult = (text: string): RefusedResult => ({
  content: [{ type: 'text', text }],
  isError: true,
})
