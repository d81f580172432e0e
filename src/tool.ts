import { createAdapter, labelFor } from './adapter.ts'
import type { AdapterCall, AdapterOptions, AdapterRequest } from './adapter.ts'
import type { CallError, CallResult, RedactedSecret } from './adapter.ts'
import { captureScope, runWithCredentials } from './context.ts'
import type { CapturedScope } from './context.ts'
import { assertOptions, ConnectRequiredError, CredentialError } from './errors.ts'
import type { OptionKind } from './errors.ts'
import { REDACTED } from './grammar.ts'
import { redactSecrets } from './redact/index.ts'
import { asThrown } from './redact/values.ts'
import type { CredentialRequest, CredentialSource } from './source.ts'

/** Options of {@link createToolRunner}. */
export interface CreateToolRunnerOptions extends AdapterOptions {
  /**
   * The upstream scopes that a tool needs, by its name; a credential that is known to lack one is refused. Where this throws,
   * or gives anything but a list of names or `undefined`, the call is refused with `ERR_CREDENTIAL_UNAVAILABLE`.
   */
  readonly scopes?: ((tool: string) => readonly string[] | undefined) | undefined
  /** `false` leaves secrets in what tools send; `except` names fields that are no secrets, such as `baseUrl`. */
  readonly redact?: false | { readonly except?: readonly string[] | undefined } | undefined
  /** How long a call waits for its account to be connected, once the person has agreed to; by default 30 seconds. */
  readonly connectTimeoutSeconds?: number | undefined
}

/** A tool call that runs. */
export interface ToolCall {
  /** What it runs with: its credential, or the error that stands for an optional one. */
  readonly credential: AdapterCall['credential']
  /** A copy without the secrets of the call, wherever and whenever this is called; for what the tool sends meanwhile. */
  readonly redact: <T>(value: T) => T
  /** Keeps the secrets in mind for longer than the minute after the call; for work that outlives it, such as a task. */
  readonly keep: () => void
  /** Whether the tool has come to its end. */
  readonly isOver: boolean
}

/** The result of a tool that did not run. */
export interface RefusedResult {
  /** As results of tools have it in most frameworks. */
  [name: string]: unknown
  content: { type: 'text'; text: string }[]
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

type Kinds = Readonly<Record<string, readonly OptionKind[]>>

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
  kinds: Kinds = {},
): ToolRunner {
  const ask = createAsker(source, options, { ...KINDS, ...kinds })
  if (options.redact) assertOptions(options.redact, 'redact', { except: ['strings'] })
  const runTool: ToolRunner = async (given, run, refuse, client) => {
    const call = await ask(given)
    // Nobody waits for the tool's result any more.
    if (given.signal?.aborted) {
      call.end({ status: 499 })
      throw new Error('The call was cancelled.')
    }
    const stop = async (error: CredentialError, result?: CallResult) => {
      const step = await nextStep(source, call.request, error, client, options)
      if (step === 'retry') return runTool(given, run, refuse)
      call.end(result)
      if (step !== 'refuse') return step()
      return refuse?.(error) ?? toErrorResult(error.message)
    }
    if (call.refusal) return stop(call.refusal)
    const tool = new RunningTool(call.credential, options.redact)
    try {
      const clean = tool.redact(await runWithCredentials(call.credential, () => tool.start(run)))
      call.end(tool.describe(clean))
      // What is redacted keeps its shape.
      return clean as Awaited<ReturnType<typeof run>>
    } catch (cause) {
      const [clean, failure] = tool.fail(cause)
      if (clean instanceof ConnectRequiredError) return await stop(clean, failure)
      call.end(failure)
      throw clean
    }
  }
  return runTool
}

/** Asks a source for a credential with the scopes that a tool needs; a call is refused where the server cannot tell them. */
function createAsker(source: CredentialSource, options: CreateToolRunnerOptions, kinds: Kinds) {
  const ask = createAdapter(source, options, kinds)
  return (request: AdapterRequest) => {
    try {
      const scopes = request.tool === undefined ? undefined : options.scopes?.(request.tool)
      if (scopes === undefined) return ask(request)
      assertOptions({ scopes }, 'what a tool needs', { scopes: ['strings'] })
      return ask({ ...request, scopes })
    } catch (cause) {
      const message = 'The server could not tell which scopes this tool needs.'
      const error = new CredentialError('ERR_CREDENTIAL_UNAVAILABLE', message, { cause })
      return createAdapter(() => Promise.reject(error), options, kinds)(request)
    }
  }
}

// Connecting an account

// By source and owner, since some servers live for one request alone.
const waitsBySource = new WeakMap<CredentialSource, Map<unknown, Wait>>()

/** Whether a call is tried again, refused, or asks. Of all of one owner, one asks, and one check is polled for all. */
async function nextStep<F>(
  source: CredentialSource,
  request: CredentialRequest,
  error: CredentialError,
  client: AskingClient<F> | undefined,
  options: CreateToolRunnerOptions,
): Promise<'retry' | 'refuse' | (() => F)> {
  if (!client || !(error instanceof ConnectRequiredError)) return 'refuse'
  const ask = () => client.ask(error)
  const { answer } = client
  const { connectTimeoutSeconds = 30 } = options
  const owner = labelFor(request, options)
  const waits = waitsBySource.get(source) ?? new Map<unknown, Wait>()
  waitsBySource.set(source, waits)
  const key = owner ?? error
  const open = waits.get(key)
  if (answer !== undefined && answer !== 'accept') {
    open?.limit(0)
    return 'refuse'
  }
  if (!error.isConnected) return answer === undefined ? ask : 'refuse'
  // Whose calls belong together is known by the label alone.
  const isAsked = answer === 'accept' || open
  if (!isAsked && owner === undefined) return ask
  const wait = open ?? poll(error.isConnected, connectTimeoutSeconds)
  waits.set(key, wait)
  void wait.outcome.then(() => waits.delete(key))
  if (!isAsked) return ask
  if (answer === 'accept') wait.limit(connectTimeoutSeconds)
  return (await wait.outcome) ? 'retry' : 'refuse'
}

type Wait = ReturnType<typeof poll>

/** Asks a check until it says yes, or the time is over, which `limit` starts again. */
function poll(isConnected: NonNullable<ConnectRequiredError['isConnected']>, seconds: number) {
  let end = 0
  let pause = 0
  const limit = (given: number) => {
    end = Date.now() + given * 1000
    pause = 250
  }
  const ask = async () => {
    while (Date.now() < end) {
      const left = end - Date.now()
      // A check that fails is no answer, nor is one that is not there in time.
      const answer = within(Math.min(pause, left), new Promise(() => undefined)).then(isConnected)
      if (
        await within(
          left,
          answer.catch(() => false),
        )
      )
        return true
      pause = Math.min(pause * 2, 2000)
    }
    return false
  }
  limit(seconds)
  return { limit, outcome: ask() }
}

const timers = globalThis as unknown as {
  setTimeout(fn: (value: undefined) => void, milliseconds: number): unknown
  clearTimeout(timer: unknown): void
}

/** What a promise comes to, or `undefined` once the time is over. */
function within<T>(milliseconds: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: unknown
  const end = new Promise<undefined>((done) => (timer = timers.setTimeout(done, milliseconds)))
  return Promise.race([promise, end]).finally(() => timers.clearTimeout(timer))
}

// What leaves

const MAX_FOUND = 100
const MAX_MESSAGE = 500

/** Takes the secrets of one call out of what it sends, and keeps what they were called. */
class RunningTool implements ToolCall {
  readonly credential: ToolCall['credential']
  readonly #option: CreateToolRunnerOptions['redact']
  readonly #found: RedactedSecret[] = []
  #scope: CapturedScope | undefined
  isOver = false

  constructor(credential: ToolCall['credential'], option: CreateToolRunnerOptions['redact']) {
    this.credential = credential
    this.#option = option
  }

  /** In the scope of its call. */
  start<R>(run: (call: ToolCall) => R): R {
    this.#scope = captureScope()
    return run(this)
  }

  readonly keep = (): void => this.#scope?.keep()

  /** With a notice where a redacted value would break what it is a part of. */
  readonly redact = <T>(value: T): T => {
    const before = this.#found.length
    const clean = this.search(value)
    if (clean === value || !isPlain(clean)) return clean
    const names = this.#found.slice(before, before + 1).map(({ name }) => ` (${name})`)
    const reason = `was withheld, because it held a secret${names.join('')}.`
    const isSame = partsOf(clean)['structuredContent'] === partsOf(value)['structuredContent']
    // It may not fit the schema of the tool any more.
    if (!isSame) return toErrorResult(`The structured result of the tool ${reason}`) as T
    return withoutBase64(clean, value, `The content of the tool ${reason}`) as T
  }

  search<T>(value: T): T {
    if (this.#option === false) return value
    return this.#withoutSecrets(value, (secret) => {
      if (this.#found.length < MAX_FOUND) this.#found.push(secret)
    })
  }

  #withoutSecrets<T>(value: T, onRedact?: (secret: RedactedSecret) => void): T {
    const credentials = this.#scope?.credentials()
    const except = this.#option ? this.#option.except : undefined
    // Nobody knows any more what would have to be taken out.
    return credentials ? redactSecrets(value, credentials, { except, onRedact }) : (REDACTED as T)
  }

  /** What the tool has thrown, without its secrets, and how its call came out. */
  fail(cause: unknown): [clean: unknown, failure: CallResult] {
    this.isOver = true
    const [thrown, error] = examine(cause)
    return [this.search(asThrown(thrown)), this.#failure(error, cause)]
  }

  /** How a call came out that has returned. Throws the error that asks to connect, of which an SDK has made a text. */
  describe(result: unknown): CallResult {
    this.isOver = true
    if (partsOf(result)['isError'] !== true) return { redacted: [...this.#found] }
    const text = textOf(result)
    const error = this.#scope?.connectError()
    if (error && text === error.message) throw error
    const message = text ?? 'The tool returned an error.'
    return this.#failure({ name: 'ToolError', code: undefined, message })
  }

  /** Events hold no secret, whatever the server has chosen for its results. */
  #failure({ name, code, message }: CallError, cause?: unknown): CallResult {
    const show = (text: string) => this.#withoutSecrets(text).slice(0, MAX_MESSAGE)
    const error = { name: show(name), code, message: show(message) }
    return { outcome: 'failed', error, cause, redacted: [...this.#found] }
  }
}

/** What was thrown, and what is said of it. What cannot be looked at is replaced. */
function examine(thrown: unknown): [thrown: unknown, error: CallError] {
  try {
    // What is an error may have been given anything.
    const given: { name?: unknown; message?: unknown } = thrown instanceof Error ? thrown : {}
    const { name = 'Error', message = thrown } = given
    const code = thrown instanceof CredentialError ? thrown.code : undefined
    return [thrown, { name: String(name), code, message: String(message) }]
  } catch {
    return examine(new Error('What the tool threw cannot be shown.'))
  }
}

/** Redacted base64 is none any more, so that the SDKs would refuse the whole result. */
function withoutBase64(clean: unknown, original: unknown, text: string): unknown {
  if (clean === original || !isPlain(clean)) return clean
  const before = partsOf(original)
  const { type, data, blob, uri } = partsOf(clean)
  if (blob !== before['blob']) return { uri, text }
  if (type !== undefined && data !== before['data']) return { type: 'text', text }
  // A copy already, since something was taken out of it.
  for (const [name, part] of Object.entries(clean))
    Reflect.set(clean, name, withoutBase64(part, before[name], text))
  return clean
}

const isPlain = (value: unknown): value is object =>
  Array.isArray(value) || Object.getPrototypeOf(Object(value)) === Object.prototype

const partsOf = (value: unknown): Readonly<Record<string, unknown>> => Object(value)

/** The first text of a result. */
function textOf(result: unknown): string | undefined {
  const { content } = partsOf(result)
  const texts = Array.isArray(content) ? content.map((block) => partsOf(block)['text']) : []
  return texts.find((text) => typeof text === 'string')
}

const toErrorResult = (text: string): RefusedResult => ({
  content: [{ type: 'text', text }],
  isError: true,
})
