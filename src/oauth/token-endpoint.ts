import type { OAuthCredential } from '../credential.ts'
import type { RefreshGrant } from '../env.ts'
import { CredentialError, misuse } from '../errors.ts'
import type { OptionKinds } from '../errors.ts'
import { formEncode } from '../grammar.ts'
import { CredentialRefreshError, keepSuccessor, knownError } from './errors.ts'
import { readTokenResponse } from './token-response.ts'
import type { Expected, TokenClient, TokenResponse } from './token-response.ts'

// The Fetch API, as far as this needs it.
interface Reader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array }>
  cancel(): Promise<void>
}
interface Response {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: { getReader(): Reader } | null
}
interface Runtime {
  readonly fetch?: (url: string, init: object) => Promise<Response>
  readonly URL: new (
    url: string,
  ) => Record<'protocol' | 'hostname' | 'username' | 'password' | 'hash', string>
  readonly AbortController: new () => { readonly signal: object; abort(): void }
  readonly TextDecoder: new () => { decode(bytes: Uint8Array): string }
  btoa(text: string): string
  setTimeout(fn: () => void, milliseconds: number): unknown
  clearTimeout(timer: unknown): void
}
const runtime = globalThis as unknown as Runtime

/** The `fetch` of the user's runtime. */
export type Fetch = typeof globalThis extends { fetch: infer F } ? F : NonNullable<Runtime['fetch']>

/** How to ask a token endpoint. */
export interface TokenEndpointOptions {
  /** What calls the token endpoint; by default the runtime's own. */
  readonly fetch?: Fetch | undefined
  /** How long the token endpoint may take to answer, in seconds; by default 10. */
  readonly timeoutSeconds?: number | undefined
  /** RFC 6749 section 2.3.1; by default `basic` with a client secret, and `none` without. */
  readonly clientAuth?: 'basic' | 'post' | 'none' | undefined
  /** Whether `http:` will do for a token endpoint on this machine; by default `false`. */
  readonly allowInsecureLoopback?: boolean | undefined
}

/** The kinds of value that they take, for assertOptions. */
export const ENDPOINT_OPTIONS: OptionKinds<TokenEndpointOptions> = {
  fetch: ['function'],
  timeoutSeconds: ['seconds'],
  clientAuth: ['string'],
  allowInsecureLoopback: ['boolean'],
}

/** Checks what the kind does not tell. */
export function assertEndpointOptions({ timeoutSeconds, clientAuth }: TokenEndpointOptions): void {
  if (timeoutSeconds === 0)
    throw misuse('ERR_INVALID_ARG_VALUE', 'timeoutSeconds must be more than 0.')
  const isKnown = clientAuth === undefined || ['basic', 'post', 'none'].includes(clientAuth)
  if (!isKnown) throw misuse('ERR_INVALID_ARG_VALUE', 'clientAuth is "basic", "post" or "none".')
}

/**
 * Makes one request for a successor of a refresh token (RFC 6749 section 6), and remembers nothing of it.
 *
 * @param grant - the refresh token, with its client and token endpoint; it is sent to no other place
 * @param options - how to ask; whoever takes them from a user has checked them
 * @returns the successor, with the old refresh token where the answer holds none, and with `extra` of the grant
 * @throws CredentialRefreshError `ERR_CREDENTIAL_REFRESH`; where the answer cannot be used, but holds a new refresh token,
 *   `successorOf` finds that
 */
export function requestRefresh(
  grant: RefreshGrant,
  options: TokenEndpointOptions = {},
): Promise<OAuthCredential> {
  const { refreshToken, scopes } = grant
  const form: Form = [
    ['grant_type', 'refresh_token'],
    ['refresh_token', refreshToken],
  ]
  const advice = 'The account must be connected again.'
  return requestToken({ client: grant, form, scopes, refreshToken, advice }, options)
}

/** Names and values; a name may be there more than once. */
export type Form = readonly (readonly [name: string, value: string])[]

/** What is asked of a token endpoint. */
export interface TokenRequest extends Expected {
  readonly client: TokenClient & { readonly clientId: string; readonly tokenUri: string }
  readonly form: Form
  /** What to do after `invalid_grant`. */
  readonly advice?: string | undefined
}

/** POSTs a form to a token endpoint, once. */
export async function requestToken(
  request: TokenRequest,
  options: TokenEndpointOptions,
): Promise<OAuthCredential> {
  const { timeoutSeconds, allowInsecureLoopback = false } = options
  assertEndpoint(request.client.tokenUri, allowInsecureLoopback)
  const init = requestInit(request, options)
  const time = Date.now()
  const answer = await inTime(timeoutSeconds, 'the token endpoint', (signal) =>
    send(request.client.tokenUri, { ...init, signal }, options.fetch ?? runtime.fetch),
  )
  try {
    return credentialOf(answer, request, time)
  } catch (error) {
    rescueSuccessor(answer, error)
    throw error
  }
}

const LOOPBACK = ['127.0.0.1', '[::1]', 'localhost']

function assertEndpoint(tokenUri: string, allowsLoopback: boolean): void {
  const problem = endpointProblem(tokenUri, allowsLoopback)
  if (problem !== undefined)
    throw new CredentialRefreshError(`tokenUri ({PREFIX}TOKEN_URI) ${problem}`)
}

function endpointProblem(tokenUri: string, allowsLoopback: boolean): string | undefined {
  const url = parseUrl(tokenUri)
  if (url === undefined) return 'is not an absolute URL'
  if (url.username + url.password !== '') return 'must not hold a user name or a password'
  if (url.hash !== '') return 'must not have a fragment'
  if (url.protocol === 'https:') return undefined
  const isLoopback = url.protocol === 'http:' && LOOPBACK.includes(url.hostname)
  if (!isLoopback) return 'must start with https:'
  if (allowsLoopback) return undefined
  return 'is an http: address on this machine, for which allowInsecureLoopback must be true'
}

function parseUrl(text: string): InstanceType<Runtime['URL']> | undefined {
  try {
    return new runtime.URL(text)
  } catch {
    return undefined
  }
}

/** Client authentication is that of RFC 6749 section 2.3.1. */
function requestInit({ client, form }: TokenRequest, options: TokenEndpointOptions): object {
  const { clientId, clientSecret } = client
  const method = options.clientAuth ?? (clientSecret === undefined ? 'none' : 'basic')
  const fields = [...form]
  const headers: Record<string, string> = {
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
  }
  if (method !== 'basic') fields.push(['client_id', clientId])
  if (method !== 'none') {
    if (clientSecret === undefined)
      throw new CredentialRefreshError(`clientAuth is "${method}", but there is no client secret`)
    if (method === 'post') fields.push(['client_secret', clientSecret])
    else headers['authorization'] = basic(clientId, clientSecret)
  }
  const body = fields.map(([name, value]) => `${formEncode(name)}=${formEncode(value)}`).join('&')
  // No redirect is followed: it would take the secrets along. Workers know no redirect: 'error'.
  return { method: 'POST', headers, body, redirect: 'manual' }
}

const basic = (clientId: string, clientSecret: string): string =>
  `Basic ${runtime.btoa(`${formEncode(clientId)}:${formEncode(clientSecret)}`)}`

/** Gives up what takes longer than so many seconds, and aborts it. */
export async function inTime<T>(
  seconds = 10,
  who: string,
  run: (signal: object) => T | Promise<T>,
): Promise<T> {
  const controller = new runtime.AbortController()
  let timer: unknown
  const isLate = new Promise<never>((_, reject) => {
    const giveUp = () => {
      reject(new CredentialRefreshError(`${who} took longer than ${seconds} seconds`))
      controller.abort()
    }
    // No more than timers take.
    timer = runtime.setTimeout(giveUp, Math.min(seconds * 1000, 2 ** 31 - 1))
  })
  try {
    return await Promise.race([run(controller.signal), isLate])
  } finally {
    runtime.clearTimeout(timer)
  }
}

interface Answer {
  readonly status: number
  readonly retryAfter: number | undefined
  /** `undefined` for what is no JSON object. */
  readonly body: (TokenResponse & { readonly error?: unknown }) | undefined
}

async function send(url: string, init: object, fetch: unknown): Promise<Answer> {
  if (typeof fetch !== 'function')
    throw new CredentialRefreshError('this runtime has no fetch: give one as an option')
  let response: Response
  try {
    response = await fetch(url, init)
  } catch (cause) {
    throw new CredentialRefreshError('the token endpoint could not be reached', { cause })
  }
  const { status, headers } = response
  const text = await readText(response)
  return { status, retryAfter: parseRetryAfter(headers.get('retry-after')), body: parse(text) }
}

const MAX_BYTES = 65_536

async function readText({ status, body }: Response): Promise<string> {
  const reader = body?.getReader()
  const bytes = new Uint8Array(MAX_BYTES)
  let size = 0
  const read = async () => {
    try {
      return (await reader?.read())?.value
    } catch (cause) {
      const reason = 'the answer of the token endpoint broke off'
      throw new CredentialRefreshError(reason, { status, cause })
    }
  }
  for (let chunk = await read(); chunk !== undefined; chunk = await read()) {
    if (size + chunk.length > MAX_BYTES) {
      void reader?.cancel().catch(() => undefined)
      // Of an error the status tells enough.
      if (status !== 200) return ''
      const reason = 'the answer of the token endpoint is longer than 64 KiB'
      throw new CredentialRefreshError(reason, { status })
    }
    bytes.set(chunk, size)
    size += chunk.length
  }
  return new runtime.TextDecoder().decode(bytes.subarray(0, size))
}

function parse(text: string): Answer['body'] {
  try {
    const body: unknown = JSON.parse(text)
    return typeof body === 'object' && body !== null && !Array.isArray(body) ? body : undefined
  } catch {
    return undefined
  }
}

// RFC 9110 section 5.6.7: IMF-fixdate.
const HTTP_DATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/
const HOUR = 3600

/** RFC 9110 section 10.2.3, as seconds; an hour at most, since a mistake would keep an account out for as long. */
function parseRetryAfter(text: string | null): number | undefined {
  if (text === null) return undefined
  const seconds = HTTP_DATE.test(text)
    ? (Date.parse(text) - Date.now()) / 1000
    : Number(/^\d+$/.exec(text)?.[0])
  return seconds > 0 ? Math.min(seconds, HOUR) : undefined
}

function credentialOf(answer: Answer, request: TokenRequest, time: number): OAuthCredential {
  const { status, retryAfter, body } = answer
  const error = knownError(body?.error)
  const advice = error === 'invalid_grant' ? request.advice : undefined
  const details = { status, error, retryAfter, advice }
  // A browser shows no more of a redirect than a status of 0.
  if (status === 0 || (status >= 300 && status < 400))
    throw new CredentialRefreshError('the token endpoint redirects, which is not followed', details)
  if (status !== 200)
    throw new CredentialRefreshError(`the token endpoint answered with ${status}`, details)
  if (body === undefined)
    throw new CredentialRefreshError('the token endpoint answered with no JSON object', details)
  if ((body.error ?? undefined) !== undefined)
    throw new CredentialRefreshError('the token endpoint answered with an error', details)
  try {
    return readTokenResponse(body, request, time)
  } catch (problem) {
    if (!(problem instanceof CredentialError)) throw problem
    const reason = `the answer of the token endpoint cannot be used: ${problem.message.slice(0, -1)}`
    throw new CredentialRefreshError(reason, details)
  }
}

// RFC 6749 section A.17: refresh-token = 1*VSCHAR
const REFRESH_TOKEN = /^[\x20-\x7e]+$/

/** What cannot be used otherwise may still hold the one refresh token that is worth something from now on. */
function rescueSuccessor({ status, body }: Answer, error: unknown): void {
  const refreshToken = body?.refresh_token
  const isSuccessor = typeof refreshToken === 'string' && REFRESH_TOKEN.test(refreshToken)
  if (status === 200 && isSuccessor && error instanceof CredentialRefreshError)
    keepSuccessor(error, refreshToken)
}
