import { assertCredential, isCredential } from './credential.ts'
import type { CredentialType, ResolvedCredential } from './credential.ts'
import { assertOptions, causeOf, ConnectRequiredError, CredentialError, misuse } from './errors.ts'
import type { CredentialErrorCode, OptionKind } from './errors.ts'
import { isWebHeaders } from './headers.ts'
import type { HeaderRecord, WebHeaders } from './headers.ts'
import { labelOf } from './source.ts'
import type { CredentialRequest, CredentialSource } from './source.ts'

/** A {@link CredentialRequest} as an adapter has it: its headers may be a record with names in lower case. */
export interface AdapterRequest extends Omit<CredentialRequest, 'headers'> {
  /** The headers of this very request; `undefined` where there are none, as on stdio. */
  readonly headers: WebHeaders | HeaderRecord | undefined
}

/** What every adapter can be told. */
export interface AdapterOptions {
  /**
   * Whether a call goes on when its credential is missing: all, or those of which the function says so. `getCredentials()`
   * then throws what the source threw. By default `false`.
   */
  readonly optional?: boolean | ((request: CredentialRequest) => boolean) | undefined
  /** Whether a call is refused whose access token has expired, without any leeway. By default `false`. */
  readonly rejectExpired?: boolean | undefined
  /** What the account of a call is called in events, where its source does not say so: `mcp-credentials/accounts` does. */
  readonly label?: ((request: CredentialRequest) => string | undefined) | undefined
  /** Told of each call once it is over. What it throws, or rejects with, reaches nobody. */
  readonly onCall?: OnCall | undefined
}

/** The `event` may be logged as it is; the `details` may hold secrets. */
export type OnCall = (event: CallEvent, details: CallDetails) => unknown

/** What an operator may log of a call: no secret is in it. */
export interface CallEvent {
  /** The name of the tool, cut to 128 characters. */
  readonly tool: string | undefined
  /** The method: of MCP, such as `tools/call`, or of HTTP. */
  readonly method: string | undefined
  /** `failed` where the tool threw or returned `isError`; `refused` where it did not run. */
  readonly outcome: 'ok' | 'failed' | 'refused'
  /** What was wrong. */
  readonly error: CallError | undefined
  /** The type of the credential. */
  readonly type: CredentialType | undefined
  /** What the account is called, cut to 128 characters. */
  readonly label: string | undefined
  /** How long the source took. */
  readonly sourceMilliseconds: number
  /** How long the call took, with its source. */
  readonly milliseconds: number
  /** What was taken out of what the tool sent; at most 100. */
  readonly redacted: readonly RedactedSecret[]
}

/** An error in an event. */
export interface CallError {
  /** The name of its class. */
  readonly name: string
  /** Of a `CredentialError`. */
  readonly code: CredentialErrorCode | undefined
  /** What it says, without a secret in it. */
  readonly message: string
}

/** A secret that was taken out of what a tool sent. */
export interface RedactedSecret {
  /** What the secret is called, such as `accessToken`. */
  readonly name: string
  /** Where it was: a path of property names. */
  readonly where: string
}

/** What may hold secrets, for the operator's own code. */
export interface CallDetails {
  /** The call, with its headers and `authInfo`. */
  readonly request: CredentialRequest
  /** The credential, where there was one. */
  readonly credential: ResolvedCredential | undefined
  /** What the source or the tool threw. */
  readonly cause: unknown
}

/** How a call came out; by default it went well. */
export interface CallResult extends Partial<Pick<CallEvent, 'outcome' | 'error' | 'redacted'>> {
  /** The status of an HTTP response: from 500 on the call has failed; at 499 its client has left. */
  readonly status?: number | undefined
  /** What was thrown. */
  readonly cause?: unknown
}

/** A call whose source has been asked. */
export interface AdapterCall {
  /** The call, as its source was told of it. */
  readonly request: CredentialRequest
  /** What the call runs with: its credential, or the error that `getCredentials()` throws where that is optional. */
  readonly credential: ResolvedCredential | CredentialError
  /** Why the call is refused, where it is. */
  readonly refusal: CredentialError | undefined
  /** Whether the call was cancelled, or its client left, while the source was busy. */
  readonly isCancelled: boolean
  /** Tells `onCall` that the call is over; the first time. */
  end(result?: CallResult): void
}

const KINDS = {
  optional: ['boolean', 'function'],
  rejectExpired: ['boolean'],
  label: ['function'],
  onCall: ['function'],
} as const

/**
 * What all adapters have in common: it asks the source for the credential of a call, decides whether the call is refused,
 * and tells the operator when it is over.
 *
 * @param source - where the credential of a call comes from
 * @param options - what the adapter was told
 * @param kinds - the options that this adapter has besides, with the kinds of value that each takes
 * @returns a function of a call that never rejects; anything but a `CredentialError` becomes `ERR_CREDENTIAL_UNAVAILABLE`,
 *   which tells nothing of it
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for a source that is not a function, `ERR_INVALID_ARG_VALUE` for a bad option
 * @example
 * const ask = createAdapter(source, options)
 * const call = await ask({ headers: request.headers })
 * if (call.refusal) return refuse(call.refusal)
 */
export function createAdapter(
  source: CredentialSource,
  options: AdapterOptions = {},
  kinds: Readonly<Record<string, readonly OptionKind[]>> = {},
): (request: AdapterRequest) => Promise<AdapterCall> {
  if (typeof source !== 'function') throw misuse('ERR_INVALID_ARG_TYPE', NOT_A_SOURCE)
  assertOptions<object>(options, 'the adapter', { ...KINDS, ...kinds })
  return async (given) => {
    const start = now()
    const request = toCredentialRequest(given)
    const answer = ask(source, request, options)
    const credential = answer instanceof Promise ? await answer : answer
    const sourceMilliseconds = now() - start
    const isError = credential instanceof CredentialError
    const call = {
      request,
      credential,
      refusal: isError && !isOptional(credential, request, options) ? credential : undefined,
      // To look at the signal makes it, on some servers.
      isCancelled: answer instanceof Promise && request.signal?.aborted === true,
    }
    let isOver = false
    function end(result: CallResult = {}): void {
      if (isOver) return
      isOver = true
      const failure = isError ? (causeOf(credential) ?? credential) : undefined
      tell(options, () => [
        { ...describeCall(call, result, options), sourceMilliseconds, milliseconds: now() - start },
        { request, credential: isError ? undefined : credential, cause: result.cause ?? failure },
      ])
    }
    return { ...call, end }
  }
}

const NOT_A_SOURCE =
  'The source must be a function, such as fromEnv("WEATHER_") or fromHeaders({ type: "oauth" }) returns.'

/** The credential, or why there is none; a promise only where the source gives one, since an await costs more than most do. */
function ask(source: CredentialSource, request: CredentialRequest, options: AdapterOptions) {
  const accept = (credential: ResolvedCredential) => {
    assertCredential(credential, 'A credential source returns')
    if (options.rejectExpired && credential.isExpired(0))
      throw new CredentialError('ERR_CREDENTIAL_EXPIRED', EXPIRED)
    assertScopes(credential, request.scopes)
    return credential
  }
  try {
    const credential = source(request)
    if (isCredential(credential)) return accept(credential)
    return Promise.resolve(credential).then(accept).catch(toCredentialError)
  } catch (cause) {
    return toCredentialError(cause)
  }
}

function toCredentialError(cause: unknown): CredentialError {
  if (cause instanceof CredentialError) return cause
  return new CredentialError('ERR_CREDENTIAL_UNAVAILABLE', UNAVAILABLE, { cause })
}

/** Compares names, exactly: what a scope includes is known to its provider alone. */
function assertScopes({ scopes }: ResolvedCredential, needed: readonly string[] = []): void {
  const lacking = needed.filter((scope) => scopes?.includes(scope) === false)
  if (lacking.length === 0) return
  const message = `The account must be connected with more permissions (${lacking.join(', ')}).`
  throw new CredentialError('ERR_CREDENTIAL_SCOPE', message)
}

const EXPIRED =
  'The access token of this call has expired: it must be renewed, or the account connected again.'
const UNAVAILABLE = 'The server could not load the credential for this call.'

function isOptional(error: CredentialError, request: CredentialRequest, options: AdapterOptions) {
  const { optional = false } = options
  if (error.code !== 'ERR_CREDENTIAL_MISSING') return false
  if (typeof optional === 'boolean') return optional
  try {
    return optional(request) === true
  } catch {
    return false
  }
}

/** What of a call may be logged. */
function describeCall(
  { request, credential, refusal }: Omit<AdapterCall, 'end'>,
  { status = 200, outcome, error, cause, redacted = [] }: CallResult,
  options: AdapterOptions,
): Omit<CallEvent, 'sourceMilliseconds' | 'milliseconds'> {
  const event = {
    tool: shortened(request.tool),
    method: request.method,
    type: credential instanceof CredentialError ? undefined : credential.type,
    label: shortened(labelFor(request, options)),
    redacted,
  }
  if (refusal) return { ...event, outcome: 'refused', error: describeError(refusal) }
  if (status === 499) return { ...event, outcome: 'failed', error: CLIENT_HAS_LEFT }
  const isOurs = error === undefined && cause instanceof CredentialError
  const outcomeOfStatus = status < 500 ? 'ok' : 'failed'
  const shown = isOurs ? describeError(cause) : error
  return { ...event, outcome: outcome ?? outcomeOfStatus, error: shown }
}

const CLIENT_HAS_LEFT = { name: 'AbortError', code: undefined, message: 'The client has left.' }

export function labelFor(request: CredentialRequest, options: AdapterOptions): string | undefined {
  try {
    return labelOf(request) ?? options.label?.(request)
  } catch {
    // The event is worth more than its label.
    return undefined
  }
}

const shortened = (text: unknown): string | undefined =>
  typeof text === 'string' ? text.slice(0, 128) : undefined

/** What is told to an operator of one of our errors, which hold no secret. */
function describeError({ name, code, message }: CredentialError): CallError {
  return { name, code, message }
}

/** What `onCall` throws, or rejects with, may quote what it was told: nobody sees it. */
function tell({ onCall }: AdapterOptions, describe: () => Parameters<OnCall>): void {
  try {
    if (onCall) Promise.resolve(onCall(...describe())).catch(() => undefined)
  } catch {
    // As above.
  }
}

function now(): number {
  const { performance = Date } = globalThis as { performance?: { now(): number } }
  return performance.now()
}

/** The request itself, where nothing has to be changed. */
function toCredentialRequest(request: AdapterRequest): CredentialRequest {
  const { headers: given } = request
  if (given === undefined || isWebHeaders(given)) return request as CredentialRequest
  const headers: WebHeaders = {
    keys: () => Object.keys(given).map((name) => name.toLowerCase()),
    get(name) {
      const key = name.toLowerCase()
      const value = Object.hasOwn(given, key) ? given[key] : undefined
      return typeof value === 'object' ? value.join(', ') : (value ?? null)
    },
  }
  return { ...request, headers }
}

/** How a call is refused over HTTP. */
export interface HttpRefusal {
  /** 403 for what is wrong with the request, 500 for what is wrong with the server. */
  readonly status: 403 | 500
  /** What the client may be shown, as `error` of a JSON body. */
  readonly error: {
    /** What went wrong. */
    readonly code: CredentialErrorCode
    /** What to do about it. */
    readonly message: string
    /** Where the account is connected. */
    readonly url?: string
  }
}

/**
 * How a call is refused over HTTP; for adapters. At 401 an MCP client would start to log in at this server, at 400 it would
 * fall back to an older protocol. Of what is wrong with the server its clients are told nothing: `onCall` is.
 *
 * @param refusal - why it is refused
 * @example
 * const { status, error } = toHttpRefusal(call.refusal)
 * response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ error }))
 */
export function toHttpRefusal(refusal: CredentialError): HttpRefusal {
  const { code, message, isServerFault } = refusal
  if (isServerFault)
    return { status: 500, error: { code: 'ERR_CREDENTIAL_UNAVAILABLE', message: UNAVAILABLE } }
  const url = refusal instanceof ConnectRequiredError ? { url: refusal.url } : {}
  return { status: 403, error: { code, message, ...url } }
}

/** A response of Node.js, over HTTP/1 or HTTP/2, as far as this needs it. */
export interface NodeResponse {
  /** The status of HTTP. */
  readonly statusCode: number
  /** Of HTTP/1. */
  readonly destroyed?: boolean
  /** Of HTTP/2. */
  readonly stream?: { readonly destroyed: boolean } | undefined
  /** Adds a listener that is called once. */
  once(event: 'finish' | 'close', listener: () => void): unknown
}

/**
 * Follows a response of Node.js to its end; for adapters.
 *
 * @param response - of HTTP/1 or HTTP/2; look at it before anything is awaited, since its client may leave at any time
 * @returns `isOver`, and a promise `whenOver` that resolves once it was sent or its client has left
 * @example
 * const { isOver, whenOver } = followResponse(response)
 */
export function followResponse(response: NodeResponse): {
  isOver(): boolean
  readonly whenOver: Promise<void>
} {
  let isOver = response.destroyed ?? response.stream?.destroyed ?? false
  const whenOver = new Promise<void>((resolve) => {
    const end = () => {
      isOver = true
      resolve()
    }
    if (isOver) end()
    response.once('finish', end)
    response.once('close', end)
  })
  return { isOver: () => isOver, whenOver }
}
