import type { OAuthCredential } from '../credential.ts'
import type { RefreshGrant } from '../env.ts'
import { misuse } from '../errors.ts'
import type { OptionKinds } from '../errors.ts'
import { formEncode, isPlainObject } from '../grammar.ts'
import { CredentialRefreshError } from './errors.ts'
import { readTokenResponse } from './token-response.ts'
import type { Expected, TokenClient, TokenResponse } from './token-response.ts'

// The Fetch API, as far as this needs it.
interface Reader {
  read(): Promise<{ readonly value?: Uint8Array }>
  cancel(): Promise<void>
}
interface Response {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: { getReader(): Reader } | null
}
type UrlPart = 'protocol' | 'hostname' | 'username' | 'password' | 'hash'
interface Runtime {
  readonly fetch?: (url: string, init: object) => Promise<Response>
  readonly URL: new (url: string) => Record<UrlPart, string>
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

/** The kinds of value that they take. */
export const ENDPOINT_KINDS: OptionKinds<TokenEndpointOptions> = {
  fetch: ['function'],
  timeoutSeconds: ['seconds'],
  clientAuth: ['string'],
  allowInsecureLoopback: ['boolean'],
}

/** Checks what the kinds do not tell. */
export function assertEndpointOptions({ timeoutSeconds, clientAuth }: TokenEndpointOptions): void {
  if (timeoutSeconds === 0)
    throw misuse('ERR_INVALID_ARG_VALUE', 'timeoutSeconds must be more than 0.')
  if (![undefined, 'basic', 'post', 'none'].includes(clientAuth))
    throw misuse('ERR_INVALID_ARG_VALUE', 'clientAuth is "basic", "post" or "none".')
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
  const form: Form = [
    ['grant_type', 'refresh_token'],
    ['refresh_token', grant.refreshToken],
  ]
  return requestToken(form, grant, options)
}

/** Names and values; a name may be there more than once. */
export type Form = readonly (readonly [name: string, value: string])[]

/** POSTs a form to a token endpoint, once. */
export async function requestToken(
  form: Form,
  client: Expected & { readonly clientId: string; readonly tokenUri: string },
  options: TokenEndpointOptions,
): Promise<OAuthCredential> {
  const problem = endpointProblem(client.tokenUri, options.allowInsecureLoopback)
  if (problem !== undefined)
    throw new CredentialRefreshError(`tokenUri ({PREFIX}TOKEN_URI) ${problem}`)
  const init = requestInit(form, client, options)
  const time = Date.now()
  const answer = await inTime(options.timeoutSeconds, 'the token endpoint', (signal) =>
    send(client.tokenUri, { ...init, signal }, options),
  )
  return credentialOf(answer, client, time)
}

function endpointProblem(tokenUri: string, allowsLoopback = false): string | undefined {
  const url = parseUrl(tokenUri)
  if (url === undefined) return 'is not an absolute URL'
  const { protocol, hostname, username, password, hash } = url
  if (username !== '' || password !== '') return 'must not hold a user name or a password'
  if (hash !== '') return 'must not have a fragment'
  if (protocol === 'https:') return undefined
  const isLoopback = ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
  if (protocol !== 'http:' || !isLoopback) return 'must start with https:'
  if (allowsLoopback) return undefined
  return 'is an http: address on this machine, for which allowInsecureLoopback must be true'
}

// Not by canParse: Node.js 20 says yes to some that the constructor refuses.
function parseUrl(text: string): Record<UrlPart, string> | undefined {
  try {
    return new runtime.URL(text)
  } catch {
    return undefined
  }
}

/** Client authentication is that of RFC 6749 section 2.3.1. */
function requestInit(
  form: Form,
  { clientId, clientSecret }: TokenClient & { readonly clientId: string },
  options: TokenEndpointOptions,
): object {
  const method = options.clientAuth ?? (clientSecret === undefined ? 'none' : 'basic')
  if (method !== 'none' && clientSecret === undefined)
    throw new CredentialRefreshError(`clientAuth is "${method}", but there is no client secret`)
  const [id, password] = [formEncode(clientId), formEncode(clientSecret ?? '')]
  const fields = form.map(([name, value]) => `${formEncode(name)}=${formEncode(value)}`)
  if (method !== 'basic') fields.push(`client_id=${id}`)
  if (method === 'post') fields.push(`client_secret=${password}`)
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
    ...(method === 'basic' && { authorization: `Basic ${runtime.btoa(`${id}:${password}`)}` }),
  }
  // No redirect is followed: it would take the secrets along. Workers know no redirect: 'error'.
  return { method: 'POST', headers, body: fields.join('&'), redirect: 'manual' }
}

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
    // Not at once: who waits for it is known by then.
    return await Promise.race([isLate, Promise.resolve(controller.signal).then(run)])
  } finally {
    runtime.clearTimeout(timer)
  }
}

interface Answer {
  readonly status: number
  readonly retryAfter: number | undefined
  /** `undefined` for what is longer than 64 KiB. */
  readonly text: string | undefined
}

async function send(url: string, init: object, options: TokenEndpointOptions): Promise<Answer> {
  // Whatever type it has in the user's runtime.
  const { fetch = runtime.fetch } = options as unknown as Pick<Runtime, 'fetch'>
  if (fetch === undefined)
    throw new CredentialRefreshError('this runtime has no fetch: give one as an option')
  let response: Response | undefined
  try {
    response = await fetch(url, init)
    const retryAfter = parseRetryAfter(response.headers.get('retry-after') ?? '')
    return { status: response.status, retryAfter, text: await readText(response) }
  } catch (cause) {
    const unreachable = 'the token endpoint could not be reached'
    const reason = response ? 'the answer of the token endpoint broke off' : unreachable
    throw new CredentialRefreshError(reason, { status: response?.status, cause })
  }
}

const MAX_BYTES = 65_536

async function readText({ body }: Response): Promise<string | undefined> {
  const reader = body?.getReader()
  const bytes = new Uint8Array(MAX_BYTES)
  let size = 0
  for (let chunk = await reader?.read(); chunk?.value; chunk = await reader?.read()) {
    if (size + chunk.value.length > MAX_BYTES) {
      void reader?.cancel().catch(() => undefined)
      return undefined
    }
    bytes.set(chunk.value, size)
    size += chunk.value.length
  }
  return new runtime.TextDecoder().decode(bytes.subarray(0, size))
}

// RFC 9110 section 5.6.7: IMF-fixdate
const HTTP_DATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/
const HOUR = 3600

/** RFC 9110 section 10.2.3, in seconds; an hour at most, since a mistake would keep an account out for as long. */
function parseRetryAfter(text: string): number | undefined {
  const isDate = HTTP_DATE.test(text)
  if (!isDate && !/^\d+$/.test(text)) return undefined
  const seconds = isDate ? (Date.parse(text) - Date.now()) / 1000 : Number(text)
  return seconds > 0 ? Math.min(seconds, HOUR) : undefined
}

function credentialOf(answer: Answer, client: Expected, time: number): OAuthCredential {
  const { status, retryAfter, text } = answer
  const body = parseObject(text ?? '')
  const { error, refresh_token: refreshToken } = body ?? {}
  const successor = status === 200 && isRefreshToken(refreshToken) ? refreshToken : undefined
  const fail = (reason: string) =>
    new CredentialRefreshError(reason, { status, error, retryAfter, successor })
  // A browser shows no more of a redirect than a status of 0.
  if (status === 0 || (status >= 300 && status < 400))
    throw fail('the token endpoint redirects, which is not followed')
  if (status !== 200) throw fail(`the token endpoint answered with ${status}`)
  if (text === undefined) throw fail('the answer of the token endpoint is longer than 64 KiB')
  if (body === undefined) throw fail('the token endpoint answered with no JSON object')
  if ((error ?? undefined) !== undefined) throw fail('the token endpoint answered with an error')
  return readTokenResponse(body, client, time, (reason) =>
    fail(`the answer of the token endpoint cannot be used: ${reason.slice(0, -1)}`),
  )
}

function parseObject(text: string): (TokenResponse & { readonly error?: unknown }) | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isPlainObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

// RFC 6749 section A.17: refresh-token = 1*VSCHAR
const isRefreshToken = (value: unknown): value is string =>
  typeof value === 'string' && /^[\x20-\x7e]+$/.test(value)
