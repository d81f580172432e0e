import type { OAuthCredential } from '../credential.ts'
import type { RefreshGrant } from '../env.ts'
import { misuse } from '../errors.ts'
import type { OptionKinds } from '../errors.ts'
import { formEncode, isPlainObject } from '../grammar.ts'
import { CredentialRefreshError } from './errors.ts'
import { readTokenResponse } from './token-response.ts'
import type { TokenResponse } from './token-response.ts'

// The Fetch API, as far as this needs it.
interface Response {
  readonly status: number
  readonly headers: { get(name: string): string | null }
  readonly body: { getReader(): { read(): Promise<{ readonly value?: Uint8Array }> } } | null
}
interface Runtime {
  readonly fetch: (url: string, init: object) => Promise<Response>
  readonly URL: new (url: string) => { readonly href: string }
  readonly AbortController: new () => { readonly signal: object; abort(): void }
  readonly TextDecoder: new () => { decode(bytes: Uint8Array, options: object): string }
  btoa(text: string): string
  setTimeout(fn: () => void, milliseconds: number): unknown
  clearTimeout(timer: unknown): void
}
const runtime = globalThis as unknown as Runtime

/** The `fetch` of the user's runtime. */
export type Fetch = typeof globalThis extends { fetch: infer F } ? F : Runtime['fetch']

/** How to ask a token endpoint. */
export interface TokenEndpointOptions {
  /** What calls the token endpoint; by default the runtime's own. */
  readonly fetch?: Fetch | undefined
  /** How long the token endpoint may take to answer, in seconds; by default 10. So long the store of accounts may take, too. */
  readonly timeoutSeconds?: number | undefined
  /** How a client secret is sent (RFC 6749 section 2.3.1): in a header, which is the default, or in the form. */
  readonly clientAuth?: 'basic' | 'post' | undefined
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
export function assertEndpointOptions(options: TokenEndpointOptions): void {
  const { timeoutSeconds, clientAuth = 'basic' } = options
  if (timeoutSeconds === 0)
    throw misuse('ERR_INVALID_ARG_VALUE', 'timeoutSeconds must be more than 0.')
  if (clientAuth !== 'basic' && clientAuth !== 'post')
    throw misuse('ERR_INVALID_ARG_VALUE', 'clientAuth is "basic" or "post".')
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
  options: TokenEndpointOptions,
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
  client: Partial<RefreshGrant> & Pick<RefreshGrant, 'clientId' | 'tokenUri'>,
  options: TokenEndpointOptions,
): Promise<OAuthCredential> {
  assertEndpoint(client.tokenUri, options.allowInsecureLoopback)
  const init = requestInit(form, client, options)
  // Whatever type it has in the user's runtime.
  const { fetch = runtime.fetch } = options as unknown as Partial<Pick<Runtime, 'fetch'>>
  return inTime(options.timeoutSeconds, 'the token endpoint', async (signal) => {
    const time = Date.now()
    const response = await orFail('the token endpoint could not be reached', () =>
      fetch(client.tokenUri, { ...init, signal }),
    )
    const text = await orFail('the answer of the token endpoint broke off', () =>
      readText(response),
    )
    return readTokenResponse(bodyOf(response, text), client, time, response.status)
  })
}

// As the URL standard writes them: without user name, password and fragment.
const SECURE = /^https:\/\/[^/@]+\/[^#]*$/
const LOOPBACK = /^http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost)(?::\d+)?\/[^#]*$/

function assertEndpoint(tokenUri: string, allowsLoopback = false): void {
  const href = normalize(tokenUri)
  const isLoopback = LOOPBACK.test(href)
  if (SECURE.test(href) || (isLoopback && allowsLoopback)) return
  const problem = isLoopback
    ? 'is an http: URL of this machine, for which allowInsecureLoopback must be true'
    : 'must be an https: URL without user name and fragment'
  throw new CredentialRefreshError(`tokenUri ({PREFIX}TOKEN_URI) ${problem}`)
}

// Not by canParse: Node.js 20 says yes to some that the constructor refuses.
function normalize(url: string): string {
  try {
    return new runtime.URL(url).href
  } catch {
    return ''
  }
}

/** Client authentication is that of RFC 6749 section 2.3.1. */
function requestInit(
  form: Form,
  { clientId, clientSecret }: Pick<RefreshGrant, 'clientId' | 'clientSecret'>,
  { clientAuth }: TokenEndpointOptions,
): object {
  const fields = [...form]
  const isInForm = clientSecret === undefined || clientAuth === 'post'
  if (isInForm) fields.push(['client_id', clientId])
  if (isInForm && clientSecret !== undefined) fields.push(['client_secret', clientSecret])
  const basic = [clientId, clientSecret ?? ''].map(formEncode).join(':')
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
    ...(!isInForm && { authorization: `Basic ${runtime.btoa(basic)}` }),
  }
  const body = fields.map((field) => field.map(formEncode).join('=')).join('&')
  // No redirect is followed: it would take the secrets along. Workers know no redirect: 'error'.
  return { method: 'POST', headers, body, redirect: 'manual' }
}

/** Gives up what takes longer than so many seconds, and aborts it. */
export async function inTime<T>(
  seconds = 10,
  who: string,
  run: (signal: object) => Promise<T>,
): Promise<T> {
  const controller = new runtime.AbortController()
  let timer: unknown
  const isLate = new Promise<never>((_, reject) => {
    const error = new CredentialRefreshError(`${who} took longer than ${seconds} seconds`)
    // No more than timers take.
    timer = runtime.setTimeout(() => reject(error), Math.min(seconds * 1000, 2 ** 31 - 1))
  })
  try {
    return await Promise.race([isLate, run(controller.signal)])
  } finally {
    runtime.clearTimeout(timer)
    // What is left of an answer that is too long, too.
    controller.abort()
  }
}

/** What a runtime or a network says is for the operator alone. */
async function orFail<T>(reason: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    throw new CredentialRefreshError(reason, { cause })
  }
}

const MAX_LENGTH = 65_536

/** The text of an answer; of what is too long nothing. */
async function readText({ body }: Response): Promise<string> {
  const reader = body?.getReader()
  const decoder = new runtime.TextDecoder()
  let text = ''
  while (text.length <= MAX_LENGTH) {
    const chunk = await reader?.read()
    if (chunk?.value === undefined) return text
    text += decoder.decode(chunk.value, { stream: true })
  }
  return ''
}

/** The JSON object of an answer that grants a token. */
function bodyOf({ status, headers }: Response, text: string): TokenResponse {
  const body = parseObject(text)
  const retryAfter = parseRetryAfter(headers.get('retry-after') ?? '')
  const fail = (reason: string) =>
    new CredentialRefreshError(reason, { status, error: body?.error, retryAfter })
  // A browser shows no more of a redirect than a status of 0.
  if (status === 0 || (status >= 300 && status < 400))
    throw fail('the token endpoint redirects, which is not followed')
  if (status !== 200) throw fail(`the token endpoint answered with ${status}`)
  if (body === undefined)
    throw fail('the token endpoint answered with no JSON object of at most 64 KiB')
  return body
}

function parseObject(text: string): TokenResponse | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return isPlainObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const HOUR = 3600

/** RFC 9110 section 10.2.3, in seconds; an hour at most, since a mistake would keep an account out for as long. */
function parseRetryAfter(text: string): number | undefined {
  const isCount = /^\d+$/.test(text)
  const seconds = isCount ? Number(text) : (Date.parse(text) - Date.now()) / 1000
  return seconds > 0 ? Math.min(seconds, HOUR) : undefined
}
