import { outsideOfScopes } from '../context.ts'
import { OAuthCredential } from '../credential.ts'
import type { RefreshGrant } from '../env.ts'
import { misuse } from '../errors.ts'
import { formEncode, splitScopes } from '../grammar.ts'
import type { Refresher } from '../source.ts'
import { CredentialRefreshError } from './errors.ts'

// The Fetch API, as far as this needs it.
interface Reader {
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array }>
  cancel(): Promise<void>
}
interface TokenResponse {
  readonly status: number
  readonly body: { getReader(): Reader } | null
}
interface Runtime {
  readonly fetch?: (url: string, init: object) => Promise<TokenResponse>
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

/** Options of {@link createRefresher}. */
export interface CreateRefresherOptions {
  /** What calls the token endpoint; by default the runtime's own. */
  readonly fetch?: Fetch
  /** How long before its expiry a token counts as expired, in seconds; by default 60. */
  readonly leewaySeconds?: number
  /** How long the token endpoint may take to answer, in seconds; by default 10. */
  readonly timeoutSeconds?: number
  /** RFC 6749 section 2.3.1; by default `basic` with a client secret, and `none` without. */
  readonly clientAuth?: 'basic' | 'post' | 'none'
  /** Saves a credential that has been refreshed, whose refresh token may be another; awaited before anyone gets it. */
  readonly onRefresh?: (credential: OAuthCredential) => void | Promise<void>
  /** Whether `http:` will do for a token endpoint on this machine; by default `false`. */
  readonly allowInsecureLoopback?: boolean
}

type Refreshable = OAuthCredential &
  Readonly<Record<'refreshToken' | 'clientId' | 'tokenUri', string>>

// Of a token that lasts for an hour, those of four days.
const MAX_KEYS = 100

/** What has become of a credential, under the keys by which its callers may still know it. */
interface Lineage {
  current: Refreshable
  isSaved: boolean
  flight: Promise<OAuthCredential> | undefined
  readonly keys: string[]
}

/**
 * Keeps OAuth tokens fresh (RFC 6749 section 6). However many calls wait for a token there is one request for it; the
 * successor of a refresh token is remembered, for as long as the process runs.
 *
 * @param options - how and when to refresh, and where to save
 * @returns a function that gives the credential itself where it is fresh or its expiry is unknown, and else its
 *   successor. It rejects with `CredentialRefreshError` (`ERR_CREDENTIAL_REFRESH`), also where a credential has expired
 *   that lacks a refresh token, client id or token URI; and with what `onRefresh` throws
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for a leeway or timeout that is none, or an unknown `clientAuth`
 * @example
 * const refresh = createRefresher({ onRefresh: (credential) => vault.save(id, credential) })
 * const source = async () => refresh(await vault.load(id))
 */
export function createRefresher(options: CreateRefresherOptions = {}): Refresher {
  const { leewaySeconds = 60, timeoutSeconds = 10, clientAuth, onRefresh } = options
  if (!(leewaySeconds >= 0))
    throw misuse('ERR_INVALID_ARG_VALUE', 'leewaySeconds must be a number, 0 or more.')
  if (!(timeoutSeconds > 0))
    throw misuse('ERR_INVALID_ARG_VALUE', 'timeoutSeconds must be a number, more than 0.')
  if (![undefined, 'basic', 'post', 'none'].includes(clientAuth)) {
    throw misuse('ERR_INVALID_ARG_VALUE', 'clientAuth is "basic", "post" or "none".')
  }
  const lineages = new Map<string, Lineage>()

  async function renew(lineage: Lineage, given: Refreshable): Promise<OAuthCredential> {
    if (lineage.current.isExpired(leewaySeconds)) {
      lineage.current = await requestToken(lineage.current, given, { ...options, timeoutSeconds })
      lineage.isSaved = onRefresh === undefined
      remember(lineage)
    }
    // Also where saving failed before: the old refresh token may be worth nothing any more.
    if (!lineage.isSaved) await onRefresh?.(lineage.current)
    lineage.isSaved = true
    return lineage.current
  }

  /** The first key, which an environment holds for ever, and the last: an old refresh token must not be used again. */
  function remember(lineage: Lineage): void {
    const key = keyOf(lineage.current)
    if (lineage.keys.at(-1) === key) return
    lineages.set(key, lineage)
    lineage.keys.push(key)
    if (lineage.keys.length > MAX_KEYS)
      for (const old of lineage.keys.splice(1, 1)) lineages.delete(old)
  }

  return async (given) => {
    const credential = given instanceof OAuthCredential ? given : withoutToken(given)
    if (!isRefreshable(credential)) {
      if (!credential.isExpired(0)) return credential
      const missing = missingForRefresh(credential).join(', ')
      throw new CredentialRefreshError(`it has expired, and the credential lacks ${missing}`)
    }
    const key = keyOf(credential)
    const known = lineages.get(key)
    if (known?.isSaved && !known.current.isExpired(leewaySeconds)) return known.current
    if (!credential.isExpired(leewaySeconds) && (known?.isSaved ?? true)) return credential
    const lineage = known ?? { current: credential, isSaved: true, flight: undefined, keys: [key] }
    lineages.set(key, lineage)
    // Not in the scope of who comes first: what the request starts must not have that caller's credential.
    lineage.flight ??= outsideOfScopes(() => renew(lineage, credential)).finally(() => {
      lineage.flight = undefined
      if (lineage.current === credential) lineages.delete(key)
    })
    return lineage.flight
  }
}

/** Stands in for a token that is yet to come. It has expired, so that nothing but a refresh makes use of it. */
const withoutToken = (grant: RefreshGrant): OAuthCredential =>
  new OAuthCredential({ ...grant, accessToken: 'to-be-refreshed', expiresAt: new Date(0) })

const NEEDED = ['refreshToken', 'clientId', 'tokenUri'] as const

/** What a credential lacks to be refreshed. */
const missingForRefresh = (credential: OAuthCredential): (typeof NEEDED)[number][] =>
  NEEDED.filter((property) => credential[property] === undefined)

const isRefreshable = (credential: OAuthCredential): credential is Refreshable =>
  missingForRefresh(credential).length === 0

const keyOf = ({ tokenUri, clientId, refreshToken }: Refreshable): string =>
  JSON.stringify([tokenUri, clientId, refreshToken])

interface RequestOptions extends CreateRefresherOptions {
  readonly timeoutSeconds: number
}

/** The successor of `current`, with what `given` has besides: a client secret may have been changed meanwhile. */
async function requestToken(
  current: Refreshable,
  given: Refreshable,
  options: RequestOptions,
): Promise<Refreshable> {
  assertEndpoint(given.tokenUri, options.allowInsecureLoopback ?? false)
  const time = Date.now()
  const { status, text } = await inTime(options.timeoutSeconds, (signal) =>
    post(current.refreshToken, given, options, signal),
  )
  const answer = parseAnswer(text)
  if (status !== 200)
    throw new CredentialRefreshError(
      `the token endpoint answered with ${status}`,
      status,
      answer?.['error'],
    )
  return successorOf(current, given, answer, time)
}

async function inTime<T>(seconds: number, run: (signal: object) => Promise<T>): Promise<T> {
  const controller = new runtime.AbortController()
  let timer: unknown
  const isLate = new Promise<never>((_, reject) => {
    const giveUp = () => {
      reject(new CredentialRefreshError('the token endpoint took too long to answer'))
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

function assertEndpoint(tokenUri: string, allowsLoopback: boolean): void {
  let isGood = false
  try {
    const { protocol, hostname, username, password, hash } = new runtime.URL(tokenUri)
    const isLoopback =
      protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
    isGood =
      username + password + hash === '' && (protocol === 'https:' || (allowsLoopback && isLoopback))
  } catch {
    // No URL at all.
  }
  if (!isGood)
    throw new CredentialRefreshError(
      'the token endpoint must be an https: URL without user info or fragment',
    )
}

async function post(
  refreshToken: string,
  given: Refreshable,
  options: RequestOptions,
  signal: object,
): Promise<{ status: number; text: string }> {
  const { clientId, clientSecret, tokenUri } = given
  const auth = options.clientAuth ?? (clientSecret === undefined ? 'none' : 'basic')
  if (auth !== 'none' && clientSecret === undefined)
    throw new CredentialRefreshError('there is no client secret')
  const form = {
    grant_type: 'refresh_token',
    refresh_token: refreshToken,
    ...(auth !== 'basic' && { client_id: clientId }),
    ...(auth === 'post' && { client_secret: clientSecret }),
  }
  // RFC 6749 section 2.3.1: each is form-encoded before they are joined.
  const basic =
    auth === 'basic'
      ? {
          authorization: `Basic ${runtime.btoa(`${formEncode(clientId)}:${formEncode(String(clientSecret))}`)}`,
        }
      : {}
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
    ...basic,
  }
  const body = Object.entries(form)
    .map(([name, value]) => `${name}=${formEncode(String(value))}`)
    .join('&')
  try {
    // Follows no redirect: it would take the secrets along. Workers know no redirect: 'error'.
    const fetch = (options.fetch ?? runtime.fetch) as NonNullable<Runtime['fetch']>
    const response = await fetch(tokenUri, {
      method: 'POST',
      headers,
      body,
      redirect: 'manual',
      signal,
    })
    return { status: response.status, text: await readText(response) }
  } catch (error) {
    // What a fetch throws may quote the URL, and more.
    throw error instanceof CredentialRefreshError
      ? error
      : new CredentialRefreshError('the token endpoint could not be reached, or broke off')
  }
}

const MAX_BYTES = 65_536

async function readText({ body }: TokenResponse): Promise<string> {
  const reader = body?.getReader()
  const bytes = new Uint8Array(MAX_BYTES)
  let size = 0
  for (let chunk = await reader?.read(); chunk?.value; chunk = await reader?.read()) {
    if (size + chunk.value.length > MAX_BYTES) {
      void reader?.cancel().catch(() => undefined)
      throw new CredentialRefreshError('the answer of the token endpoint is too long')
    }
    bytes.set(chunk.value, size)
    size += chunk.value.length
  }
  return new runtime.TextDecoder().decode(bytes.subarray(0, size))
}

type Answer = Readonly<Record<string, unknown>>

function parseAnswer(text: string): Answer | undefined {
  try {
    const answer: unknown = JSON.parse(text)
    return typeof answer === 'object' && answer !== null ? (answer as Answer) : undefined
  } catch {
    return undefined
  }
}

const TEN_YEARS = 10 * 365 * 24 * 60 * 60

/** RFC 6749 section 5.1. */
function successorOf(
  current: Refreshable,
  given: Refreshable,
  answer: Answer | undefined,
  time: number,
): Refreshable {
  const {
    access_token: accessToken,
    token_type: tokenType,
    expires_in: expiresIn,
    refresh_token: refreshToken,
    scope,
  } = answer ?? {}
  const isText = (value: unknown): value is string | undefined =>
    value === undefined || (typeof value === 'string' && value !== '')
  // Some servers write the number as a string.
  const seconds =
    expiresIn === undefined
      ? undefined
      : /^\d+$/.test(String(expiresIn))
        ? Math.min(Number(expiresIn), TEN_YEARS)
        : NaN
  const isGood =
    String(tokenType).toLowerCase() === 'bearer' &&
    isText(refreshToken) &&
    (scope === undefined || typeof scope === 'string') &&
    !Number.isNaN(seconds)
  try {
    if (!isGood) throw new TypeError()
    return new OAuthCredential({
      accessToken: accessToken as string,
      refreshToken: refreshToken ?? current.refreshToken,
      clientId: given.clientId,
      clientSecret: given.clientSecret,
      tokenUri: given.tokenUri,
      scopes: scope === undefined ? current.scopes : splitScopes(scope),
      expiresAt: seconds === undefined ? undefined : new Date(time + seconds * 1000),
      extra: given.extra,
    }) as Refreshable
  } catch {
    throw new CredentialRefreshError(
      'the token endpoint answered with what is no bearer token',
      200,
    )
  }
}
