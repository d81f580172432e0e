import { getCredentials, joinScope } from './context.ts'
import { assertCredential } from './credential.ts'
import type { OAuthCredential, ResolvedCredential } from './credential.ts'
import { assertOptions, misuse } from './errors.ts'
import { isPlainObject } from './grammar.ts'

// The Fetch API, as far as this needs it.
type Pairs = Pick<Map<string, string>, 'delete' | 'get' | 'has' | 'set'>
type Url = Readonly<Record<'href' | 'origin' | 'pathname', string>> & { searchParams: Pairs }
interface Init extends Partial<Record<'method' | 'redirect', string>> {
  readonly headers?: unknown
  readonly body?: unknown
  readonly signal?: { readonly aborted: boolean; readonly reason: unknown } | null | undefined
}
interface Response {
  readonly status: number
  readonly headers: Pairs
  readonly body: { cancel(): Promise<void> } | null
}
interface Runtime {
  readonly URL: new (url: string, base?: string) => Url
  readonly Headers: new (headers: unknown) => Pairs
  readonly Response: new (body: unknown, init: object) => Response
  readonly fetch: (url: string, init: object) => Promise<Response>
}
const runtime = globalThis as unknown as Runtime

/** A `fetch` that takes and gives what that of the user's runtime does. */
export type UpstreamFetch = typeof globalThis extends { fetch: (...args: infer A) => infer R }
  ? (...args: A) => R
  : (input: unknown, init?: object) => Promise<Response>

/** What a credential adds to a request: headers, or parameters of the query; plain objects, of strings by name. */
export type Authorization = Partial<Record<'headers' | 'query', Readonly<Record<string, string>>>>

/** Gives a credential with another access token than that which was refused. */
export type UpstreamRefresh = (
  credential: OAuthCredential,
  options: { readonly force: true },
) => OAuthCredential | Promise<OAuthCredential>

/** Options of {@link createFetch}. */
export interface CreateFetchOptions {
  /** Below which every request stays: an `https:` URL, or a function that takes it from the credential. */
  readonly baseUrl: string | ((credential: ResolvedCredential) => string)
  /** What a credential adds; by default the access token of an OAuth one, as `Authorization: Bearer`. */
  readonly authorize?: ((credential: ResolvedCredential) => Authorization) | undefined
  /**
   * Gives another access token after a 401: what `createRefresher` returns; for a credential that comes from
   * `fromTokenEndpoint` or from `createAccounts`, the `refresh` of that.
   */
  readonly refresh?: UpstreamRefresh | undefined
  /** Whether redirects within the origin are followed; by default `true`. None to another origin ever is. */
  readonly redirects?: boolean | undefined
  /** Whether `http:` will do for an API on this machine; by default `false`. */
  readonly allowInsecureLoopback?: boolean | undefined
  /** What sends the requests; by default the runtime's own. */
  readonly fetch?: UpstreamFetch | undefined
}

/**
 * A `fetch` for one API, which adds the credential of the current call (RFC 6750 section 2.1), so that a tool never touches
 * it. It takes paths below the base URL, and URLs that are there. After a 401 it refreshes by force, and sends once more what
 * can be sent again. A redirect to another origin it gives back as it is.
 *
 * @param options - the API, how it takes a credential, and how to `refresh` one
 * @returns a function that rejects with what `getCredentials` throws and `refresh` rejects with; with `TypeError`
 *   `ERR_INVALID_ARG_VALUE` for a URL elsewhere, for a header that is the credential's, and where `authorize` returns
 *   anything but an {@link Authorization}; and with `ERR_CREDENTIAL_INVALID` for a credential that cannot be sent. No error
 *   quotes a header or a query
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is not as it should be
 * @example
 * const fetchIssues = createFetch({ baseUrl: 'https://api.issues.example/v1' })
 * const response = await fetchIssues('/issues')
 */
export function createFetch(options: CreateFetchOptions): UpstreamFetch {
  assertOptions(options, 'createFetch', {
    baseUrl: ['string', 'function'],
    authorize: ['function'],
    refresh: ['refresher'],
    redirects: ['boolean'],
    allowInsecureLoopback: ['boolean'],
    fetch: ['function'],
  })
  // What is wrong with one that is fixed is said at the start.
  const fixed = typeof options.baseUrl === 'function' ? '' : readBase(options.baseUrl, options)
  const fetch = (input: unknown, init: Init = {}): unknown => exchange(input, init, options, fixed)
  return fetch as UpstreamFetch
}

/** A request whose URL is below the base URL. */
type Message = Init & { readonly url: Url; readonly method: string; readonly headers: Pairs }

async function exchange(input: unknown, init: Init, options: CreateFetchOptions, fixed: string) {
  const { baseUrl, authorize, redirects } = options
  let credential = authorize ? getCredentials() : getCredentials('oauth')
  const base = typeof baseUrl === 'function' ? readBase(baseUrl(credential), options) : fixed
  let message = await readMessage(input, init, base)
  let { refresh } = options
  // As many as the Fetch standard follows.
  let left = redirects === false || message.redirect !== 'follow' ? 0 : 20
  for (;;) {
    const response = await send(message, credential, options)
    let next: Message | undefined
    if (response.status === 401 && refresh && credential.type === 'oauth') {
      const successor = await refresh(credential, { force: true })
      assertCredential(successor, 'A refresher returns')
      joinScope(successor)
      refresh = undefined
      if (successor.accessToken !== credential.accessToken) next = again(message, message.url)
      credential = successor
    } else if (left-- > 0) next = redirected(message, response)
    if (next === undefined) return response
    response.body?.cancel().catch(() => undefined)
    message = next
  }
}

async function readMessage(input: unknown, given: Init, base: string): Promise<Message> {
  const request: Init & { url?: string; arrayBuffer?(): Promise<unknown> } = Object(input)
  const url = resolve(request.url ?? String(input), base)
  const { headers: pairs = request.headers, signal = request.signal } = given
  const { method = request.method ?? 'GET', redirect = request.redirect ?? 'follow' } = given
  const headers = await hushed({ signal }, () => new runtime.Headers(pairs))
  const body = given.body ?? (request.body ? await request.arrayBuffer?.() : undefined)
  return { ...given, url, method, headers, body, signal, redirect }
}

/** The URL that is meant, where it is below the base URL. */
function resolve(input: string, base: string): Url {
  // Two slashes would start a host.
  const url = parse(/^(?:\/(?![/\\])|\?|$)/.test(input) ? base + input : input)
  if (url && isBelow(url, base) && !climbs(url.pathname)) return url
  throw refusal('createFetch takes a path that starts with a slash, or a URL below its base URL.')
}

/** Whether it climbs for servers that decode it twice, take an encoded slash for one, or cut what a semicolon starts. */
const climbs = (path: string): boolean =>
  path
    .replace(/%(?:25)+/g, '%')
    .split(/\/|%2f|%5c/i)
    .some((segment) => /^(?:\.|%2e){2}(?:;|%3b|$)/i.test(segment))

// By its text: the `origin` of a blob: URL is that of the page that made it, and says nothing of a user name.
const isBelow = ({ href }: Url, base: string): boolean =>
  href.startsWith(base) && /^(?:[/?#]|$)/.test(href.slice(base.length))

// Not by canParse: Node.js 20 says yes to some that the constructor refuses.
function parse(url: string, base?: string): Url | undefined {
  try {
    return new runtime.URL(url, base)
  } catch {
    return undefined
  }
}

const LOOPBACK = /^http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost)[:/]/

function readBase(text: string, { allowInsecureLoopback }: CreateFetchOptions): string {
  const url = parse(text)
  const href = url?.href ?? ''
  const isSecure = href.startsWith('https:') || (allowInsecureLoopback && LOOPBACK.test(href))
  if (url && isSecure && href === url.origin + url.pathname) return href.replace(/\/$/, '')
  throw refusal(`baseUrl must be an https: URL without user name, query and fragment, or an http: URL of this machine with \
allowInsecureLoopback.`)
}

const refusal = (message: string): TypeError => misuse('ERR_INVALID_ARG_VALUE', message)

// What is said of a body (Fetch, section 2.2.2), and its length, which some runtimes take from the caller.
const OF_BODY = ['encoding', 'language', 'length', 'location', 'type']

/** The request that a redirect within the origin asks for, where it can be made (Fetch, section 4.4). */
function redirected(message: Message, { status, headers }: Response): Message | undefined {
  const location = headers.get('location')
  const url = location ? parse(location, message.url.href) : undefined
  if (![301, 302, 303, 307, 308].includes(status) || !url || !isBelow(url, message.url.origin))
    return undefined
  const becomesGet = status === 303 ? /^(?!(?:get|head)$)/i : /^post$/i
  if (status > 303 || !becomesGet.test(message.method)) return again(message, url)
  for (const part of OF_BODY) message.headers.delete(`content-${part}`)
  return { ...message, url, method: 'GET', body: undefined }
}

/** The same request, unless its body is a stream, which can be read once. */
function again(message: Message, url: Url): Message | undefined {
  const body: object = Object(message.body)
  return 'getReader' in body || Symbol.asyncIterator in body ? undefined : { ...message, url }
}

const bearer = ({ accessToken = '' }: ResolvedCredential): Authorization => ({
  headers: { authorization: `Bearer ${accessToken}` },
})

/** What is not understood would send no credential, or "undefined" in its place. */
function checked(given: unknown): Authorization {
  const { headers = {}, query = {}, ...others } = Object(given)
  const isPlain = [given, headers, query].every(isPlainObject) && Object.keys(others).length === 0
  const values = [headers, query].flatMap((pairs) => Object.values(Object(pairs)))
  if (isPlain && values.every((value) => typeof value === 'string')) return given as Authorization
  // What an async one rejects with must not end the process.
  Promise.resolve(given).catch(() => undefined)
  throw refusal(`authorize must return { headers } or { query }, plain objects whose values are strings, and no \
promise of it.`)
}

async function send(message: Message, credential: ResolvedCredential, options: CreateFetchOptions) {
  const { headers = {}, query } = checked((options.authorize ?? bearer)(credential))
  const all = new runtime.Headers(message.headers)
  // Another host would be another tenant behind the same proxy.
  for (const name of ['host', ...Object.keys(headers)])
    if (all.has(name)) throw refusal(`createFetch sets the header ${name} itself: leave it out.`)
  const { fetch = runtime.fetch } = options as unknown as Partial<Pick<Runtime, 'fetch'>>
  const url = query ? new runtime.URL(message.url.href) : message.url
  return hushed(message, async () => {
    for (const [name, value] of Object.entries(headers)) all.set(name, value)
    for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value)
    // Followed by hand: the runtimes take most headers along to anywhere.
    const redirect = message.redirect === 'error' ? 'error' : 'manual'
    const response = await fetch(url.href, { ...message, headers: all, redirect })
    // A copy has no URL, which would show the query.
    return query ? new runtime.Response(response.body, response) : response
  })
}

/** What a runtime says of a request that failed may quote it, so no more than its code is kept. */
async function hushed<T>({ signal }: Init, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    const { code, cause }: { code?: string; cause?: { code?: string } } = Object(error)
    const [known] = /^\w{1,40}$/.exec(code ?? cause?.code ?? '') ?? []
    const reason = known === undefined ? '' : ` (${known})`
    throw Object.assign(new TypeError(`The request to the API failed${reason}.`), { code: known })
  }
}
