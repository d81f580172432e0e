import { assertCredential, assertType, OAuthCredential, StaticCredential } from './credential.ts'
import type { CredentialType, ResolvedCredential } from './credential.ts'
import { assertObject, invalidCredential, MissingCredentialHeaderError } from './errors.ts'
import { assertNo, parseExtra, parseFields, parseJson, parseTimestamp, scopesProblem, splitScopes } from './values.ts'

/** Headers in the manner of the Fetch API: anything whose `get` finds a header by its lower-case name. */
export interface HeadersLike {
  get(name: string): string | null | undefined
}

/** Headers in the manner of Node.js: values by name, in any case. */
export type HeaderRecord = Readonly<Record<string, string | readonly string[] | undefined>>

export const HEADERS = {
  accessToken: 'X-MCP-Cred-Access-Token',
  fields: 'X-MCP-Cred-Fields',
  scopes: 'X-MCP-Cred-Scopes',
  extra: 'X-MCP-Cred-Extra',
  expiresAt: 'X-MCP-Cred-Expires-At',
} as const

type ReadHeader = (header: string) => string | undefined

/**
 * Reads a credential from the `X-MCP-Cred-*` headers that a gateway set.
 *
 * @param headers - Web `Headers`, or a record of `string | string[] | undefined` by name in any case
 * @param type - the type to read; by default the header that is there decides, which a server should not leave to its
 *   caller
 * @throws MissingCredentialHeaderError `ERR_CREDENTIAL_MISSING` when the required header is missing or empty
 * @throws CredentialError `ERR_CREDENTIAL_INVALID` for a value that breaks its grammar
 * @example
 * parseHeaders({ 'x-mcp-cred-access-token': 'not-a-real-token' }, 'oauth').accessToken
 */
export function parseHeaders(headers: HeadersLike | HeaderRecord): ResolvedCredential
export function parseHeaders(headers: HeadersLike | HeaderRecord, type: 'static'): StaticCredential
export function parseHeaders(headers: HeadersLike | HeaderRecord, type: 'oauth'): OAuthCredential
export function parseHeaders(headers: HeadersLike | HeaderRecord, type?: CredentialType): ResolvedCredential
export function parseHeaders(headers: HeadersLike | HeaderRecord, type?: CredentialType): ResolvedCredential {
  assertObject(headers, 'Headers')
  assertType(type)
  const read = isHeadersLike(headers) ? readerOfHeaders(headers) : readerOfRecord(headers)
  return (type ?? typeOfWhatIsThere(read)) === 'oauth' ? parseOAuth(read) : parseStatic(read)
}

function isHeadersLike(headers: HeadersLike | HeaderRecord): headers is HeadersLike {
  return typeof headers['get'] === 'function'
}

function readerOfHeaders(headers: HeadersLike): ReadHeader {
  return (header) => singleValue(headers.get(header.toLowerCase()), header)
}

function readerOfRecord(headers: HeaderRecord): ReadHeader {
  const found = new Map<string, string | undefined>()
  for (const name of Object.keys(headers)) {
    const header = Object.values(HEADERS).find((known) => known.toLowerCase() === name.toLowerCase())
    if (header === undefined) continue
    if (found.has(header)) throw invalidCredential(`${header} is there in two spellings.`)
    found.set(header, singleValue(headers[name], header))
  }
  return (header) => found.get(header)
}

function singleValue(value: unknown, header: string): string | undefined {
  const values: unknown[] = Array.isArray(value) ? value : [value]
  if (values.length > 1) throw invalidCredential(`${header} was sent more than once.`)
  const [first] = values
  if (first === undefined || first === null || first === '') return undefined
  if (typeof first === 'string') return first
  throw invalidCredential(`${header} must be a string.`)
}

function typeOfWhatIsThere(read: ReadHeader): CredentialType {
  const isOAuth = read(HEADERS.accessToken) !== undefined
  const isStatic = read(HEADERS.fields) !== undefined
  if (isOAuth && isStatic) throw invalidCredential(`Both ${HEADERS.accessToken} and ${HEADERS.fields} are there: send one.`)
  if (isOAuth) return 'oauth'
  if (isStatic) return 'static'
  throw new MissingCredentialHeaderError([HEADERS.accessToken, HEADERS.fields])
}

function parseStatic(read: ReadHeader): StaticCredential {
  const json = readJson(read, HEADERS.fields)
  if (json === undefined) throw new MissingCredentialHeaderError([HEADERS.fields])
  const fields = parseFields(json, HEADERS.fields)
  if (Object.keys(fields).length === 0) {
    throw new MissingCredentialHeaderError([HEADERS.fields], `${HEADERS.fields} holds no field.`)
  }
  return new StaticCredential(fields, HEADERS.fields)
}

function parseOAuth(read: ReadHeader): OAuthCredential {
  const accessToken = read(HEADERS.accessToken)
  if (accessToken === undefined) throw new MissingCredentialHeaderError([HEADERS.accessToken])
  assertNo(commaProblem(accessToken), HEADERS.accessToken)
  const expiresAt = read(HEADERS.expiresAt)
  const extra = readJson(read, HEADERS.extra)
  return new OAuthCredential(
    {
      accessToken,
      scopes: readScopes(read),
      expiresAt: expiresAt === undefined ? undefined : parseTimestamp(expiresAt, HEADERS.expiresAt),
      extra: extra === undefined ? undefined : parseExtra(extra, HEADERS.extra),
    },
    HEADERS,
  )
}

// RFC 9110 section 5.3: a header that was sent twice arrives as one, joined by a comma.
function commaProblem(token: string): string | undefined {
  return token.includes(',') ? 'has a comma in it: was the header sent twice?' : undefined
}

function readJson(read: ReadHeader, header: string): string | undefined {
  const json = read(header)
  // Runtimes decode other bytes differently: as Latin-1, as UTF-8, or not at all.
  if (json !== undefined && /[^\t\x20-\x7e]/.test(json)) {
    throw invalidCredential(`${header} must be ASCII: write other characters as \\uXXXX.`)
  }
  return json
}

function readScopes(read: ReadHeader): readonly string[] {
  const text = read(HEADERS.scopes) ?? ''
  if (!text.trimStart().startsWith('[')) return splitScopes(text)
  const scopes = parseJson(text, HEADERS.scopes)
  assertNo(scopesProblem(scopes), HEADERS.scopes)
  return scopes as string[]
}

/**
 * The headers that `parseHeaders` reads back to an equal credential: what a gateway adds to a request. Refresh token,
 * client id, client secret and token URI stay with the gateway.
 *
 * @param credential - what the server is to have
 * @throws CredentialError `ERR_CREDENTIAL_INVALID` for an access token with a comma in it, which no header can carry
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for anything that is no credential
 * @example
 * await fetch(url, { headers: { ...stripCredentialHeaders(incoming), ...formatHeaders(credential) } })
 */
export function formatHeaders(credential: ResolvedCredential): Record<string, string> {
  assertCredential(credential, 'formatHeaders')
  if (credential.type === 'static') return { [HEADERS.fields]: toAscii({ ...credential.fields }) }
  const { accessToken, scopes, expiresAt, extra } = credential
  assertNo(commaProblem(accessToken), 'accessToken')
  return {
    [HEADERS.accessToken]: accessToken,
    ...(scopes && { [HEADERS.scopes]: scopes[0]?.startsWith('[') ? JSON.stringify(scopes) : scopes.join(' ') }),
    ...(Object.keys(extra).length > 0 && { [HEADERS.extra]: toAscii(extra) }),
    ...(expiresAt && { [HEADERS.expiresAt]: expiresAt.toISOString() }),
  }
}

function toAscii(value: object): string {
  return JSON.stringify(value).replace(
    /[\x7f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

/** Web `Headers`, as far as {@link stripCredentialHeaders} needs them. */
export interface WebHeaders extends HeadersLike {
  keys(): Iterable<string>
  delete(name: string): void
}

/**
 * A copy of the headers without any that could be taken for ours: what a gateway does to everything that comes from
 * outside. Case is folded, and `_` and `.` count as `-`, as CGI and some proxies make of them.
 *
 * @param headers - Web `Headers`, or a record of values by name
 * @example
 * const clean = stripCredentialHeaders(request.headers)
 */
export function stripCredentialHeaders<H extends WebHeaders>(headers: H): H
export function stripCredentialHeaders<V>(headers: Readonly<Record<string, V>>): Record<string, V>
export function stripCredentialHeaders(headers: WebHeaders | Readonly<Record<string, unknown>>): object {
  assertObject(headers, 'Headers')
  if (!isWebHeaders(headers)) {
    return Object.fromEntries(Object.entries(headers).filter(([name]) => !isCredentialHeader(name)))
  }
  const copy: WebHeaders = Reflect.construct(headers.constructor, [headers])
  for (const name of [...copy.keys()].filter(isCredentialHeader)) copy.delete(name)
  return copy
}

function isWebHeaders(headers: WebHeaders | Readonly<Record<string, unknown>>): headers is WebHeaders {
  return typeof headers['get'] === 'function' && typeof headers['delete'] === 'function'
}

function isCredentialHeader(name: string): boolean {
  return name.toLowerCase().replace(/[_.]/g, '-').startsWith('x-mcp-cred-')
}
