import { createAdapter, describeError } from './adapter.ts'
import type { AdapterOptions, AdapterRequest, CallError, RedactedSecret } from './adapter.ts'
import { captureScopedCredentials, runWithCredentials } from './context.ts'
import type { ResolvedCredential } from './credential.ts'
import { assertOptions, CredentialError } from './errors.ts'
import type { OptionKind } from './errors.ts'
import { REDACTED } from './grammar.ts'
import { redactSecrets } from './redact/index.ts'
import type { CredentialSource } from './source.ts'

/** Options of {@link createToolRunner}. */
export interface CreateToolRunnerOptions extends AdapterOptions {
  /** The upstream scopes that a tool needs, by its name; a credential that is known to lack one is refused. */
  readonly scopes?: ((tool: string) => readonly string[] | undefined) | undefined
  /** `false` leaves secrets in what tools send; `except` names fields that are no secrets, such as `baseUrl`. */
  readonly redact?: false | { readonly except?: readonly string[] | undefined } | undefined
}

/** A tool call that runs. */
export interface ToolCall {
  /** What it runs with: its credential, or the error that stands for an optional one. */
  readonly credential: ResolvedCredential | CredentialError
  /** A copy without the secrets of the call, wherever and whenever this is called; for what the tool sends meanwhile. */
  readonly redact: <T>(value: T) => T
}

/** A content block of text. */
export interface TextBlock {
  type: 'text'
  text: string
}

/** The result of a tool that did not run. */
export interface RefusedResult {
  content: TextBlock[]
  isError: true
}

/**
 * Runs a tool with the credential of its call.
 *
 * @param request - the call, as far as it is known: `tool`, `headers`, `authInfo`, `sessionId`, `signal`
 * @param run - the tool
 * @param refuse - makes the result of a call that is refused; by default a tool result with `isError`
 */
export type ToolRunner = <R, F = never>(
  request: AdapterRequest,
  run: (call: ToolCall) => Promise<R> | R,
  refuse?: (error: CredentialError) => F | Promise<F>,
) => Promise<R | F | RefusedResult>

const KINDS = { scopes: ['function'], redact: ['boolean', 'object'] } as const

/**
 * What happens to a tool call, whatever serves it: the source is asked, the tool runs in the scope of its call, what it
 * returns or throws is scrubbed of its secrets, the scope ends, and `onCall` is told. It is all that a framework needs that
 * is no server of the MCP SDK.
 *
 * @param source - where the credential of a call comes from
 * @param options - `scopes` and `redact`, and what every adapter takes
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

  return async <R, F>(
    given: AdapterRequest,
    run: (call: ToolCall) => Promise<R> | R,
    refuse?: (error: CredentialError) => F | Promise<F>,
  ) => {
    const scopes = given.tool === undefined ? undefined : options.scopes?.(given.tool)
    const call = await ask(scopes ? { ...given, scopes } : given)
    // Nobody waits for the tool's result any more.
    if (given.signal?.aborted) {
      call.end({ outcome: 'failed', error: CANCELLED })
      throw new Error(CANCELLED.message)
    }
    if (call.refusal) {
      call.end()
      return refuse ? refuse(call.refusal) : toToolResult(call.refusal)
    }
    const { credential } = call
    const scrubber = new Scrubber(options)
    try {
      const result: unknown = await runWithCredentials(credential, () => {
        scrubber.enterScope()
        return run({ credential, redact: scrubber.redact })
      })
      // What is redacted keeps its shape.
      const clean = scrubber.scrubResult(result) as R
      const error = scrubber.describeFailure(clean)
      call.end({ outcome: error ? 'failed' : 'ok', error, redacted: scrubber.found })
      return clean
    } catch (thrown) {
      const error = scrubber.describeThrown(thrown)
      call.end({ outcome: 'failed', error, cause: thrown, redacted: scrubber.found })
      throw scrubber.redact(thrown)
    }
  }
}

const CANCELLED: CallError = {
  name: 'AbortError',
  code: undefined,
  message: 'The call was cancelled.',
}

const MAX_FOUND = 100
const MAX_MESSAGE = 500

/** Takes the secrets of one call out of what it sends, and keeps what they were called. */
class Scrubber {
  readonly found: RedactedSecret[] = []
  readonly #option: CreateToolRunnerOptions['redact']
  readonly #limit: number
  #credentials: () => readonly ResolvedCredential[] | undefined = () => []

  constructor({ redact, onCall }: CreateToolRunnerOptions) {
    this.#option = redact
    // One is enough to say what was withheld; the others are for the operator.
    this.#limit = onCall ? MAX_FOUND : 1
  }

  /** Makes this the scrubber of the current scope. */
  enterScope(): void {
    this.#credentials = captureScopedCredentials()
  }

  readonly redact = <T>(value: T): T => this.#search(value).clean

  scrubResult<T>(result: T): T {
    const { structuredContent } = partsOf(result)
    const secret = this.#search(structuredContent).name
    // A redacted value may not fit the schema of the tool.
    if (secret) return withhold('structured result', secret) as T
    return this.redact(this.#withoutBase64(result))
  }

  /** Redacted base64 is none any more, so that the SDKs would refuse the whole result. */
  #withoutBase64<T>(result: T): T {
    const { content, contents, messages } = partsOf(result)
    const check = (block: Block): Block => {
      const base64 = block.data ?? block.blob ?? block.resource?.blob
      const { name } = this.#search(base64)
      if (name === undefined) return block
      const [text] = withhold('content', name).content
      return 'uri' in block ? { uri: block.uri, text: text?.text } : { ...text }
    }
    if (content?.some(hasBase64)) return { ...result, content: content.map(check) }
    if (contents?.some(hasBase64)) return { ...result, contents: contents.map(check) }
    if (!messages?.some(({ content }) => hasBase64(content))) return result
    const checked = messages.map((message) => ({ ...message, content: check(message.content) }))
    return { ...result, messages: checked }
  }

  /** What a tool result with isError says, for the operator. */
  describeFailure(result: unknown): CallError | undefined {
    const { isError, content } = partsOf(result)
    if (isError !== true) return undefined
    const block = content?.find(({ text }) => typeof text === 'string')
    return this.#toCallError('ToolError', block?.text)
  }

  describeThrown(error: unknown): CallError {
    if (error instanceof CredentialError) return describeError(error)
    if (error instanceof Error) return this.#toCallError(error.name, error.message)
    return this.#toCallError('Error', error)
  }

  /** Events hold no secret, whatever the server has chosen for its results. */
  #toCallError(name: string, message: unknown): CallError {
    const credentials = this.#credentials()
    const show = (text: string) =>
      credentials === undefined ? REDACTED : redactSecrets(text, credentials).slice(0, MAX_MESSAGE)
    return { name: show(name), code: undefined, message: show(String(message)) }
  }

  #search<T>(value: T): { readonly clean: T; readonly name: string | undefined } {
    if (this.#option === false || value === undefined) return { clean: value, name: undefined }
    let name: string | undefined
    const onRedact = (secret: RedactedSecret) => {
      name ??= secret.name
      if (this.found.length < this.#limit) this.found.push(secret)
    }
    const credentials = this.#credentials()
    if (credentials === undefined) return { clean: REDACTED as T, name: 'unknown' }
    const clean = redactSecrets(value, credentials, { except: this.#option?.except, onRedact })
    return { clean, name }
  }
}

// Where a result has base64: in the blocks of tools and prompts, and in the contents of resources.
interface Block {
  readonly uri?: unknown
  readonly text?: unknown
  readonly data?: unknown
  readonly blob?: unknown
  readonly resource?: { readonly blob?: unknown } | undefined
}

interface ResultParts {
  readonly isError?: unknown
  readonly structuredContent?: unknown
  readonly content?: readonly Block[]
  readonly contents?: readonly Block[]
  readonly messages?: readonly { readonly content: Block }[]
}

const partsOf = (result: unknown): ResultParts => (isObject(result) ? result : {})

const hasBase64 = (block: Block): boolean =>
  (block.data ?? block.blob ?? block.resource?.blob) !== undefined

const withhold = (what: string, name: string): RefusedResult =>
  toErrorResult(`The ${what} of the tool was withheld, because it held a secret (${name}).`)

const toToolResult = ({ message }: CredentialError): RefusedResult => toErrorResult(message)

const toErrorResult = (text: string): RefusedResult => ({
  content: [{ type: 'text', text }],
  isError: true,
})

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null
