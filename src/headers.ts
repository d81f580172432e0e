import { assertCredential, OAuthCredential, StaticCredential, typeFor } from './credential.ts'
import type { CredentialType, ResolvedCredential } from './credential.ts'
import {
  assertObject,
  assertOptions,
  invalidCredential,
  MissingCredentialHeaderError,
  misuse,
} from './errors.ts'
import {
  assertNo,
  escapeUnicode,
  parseFields,
  parseJson,
  parseJsonObject,
  parseScopes,
  parseTimestamp,
} from './grammar.ts'

/** Headers in the manner of the Fetch API, such as `Headers`. */
export interface WebHeaders {
  /** The value of a header, by its name in lower case. */
  get(name: string): string | null | undefined
  /** The names of all headers. */
  keys(): Iterable<string>
}

/** Headers in the manner of Node.js: values by name, in any case. */
export type HeaderRecord = Readonly<Record<string, string | readonly string[] | undefined>>

/** The headers by the properties that they carry. */
export const HEADERS = {
  accessToken: 'X-MCP-Cred-Access-Token',
  fields: 'X-MCP-Cred-Fields',
  scopes: 'X-MCP-Cred-Scopes',
  extra: 'X-MCP-Cred-Extra',
  expiresAt: 'X-MCP-Cred-Expires-At',
} as const

type Property = keyof typeof HEADERS
type ReadHeader = (property: Property) => string | undefined

const LOWER_CASE: Readonly<Record<Property, string>> = {
  accessToken: 'x-mcp-cred-access-token',
  fields: 'x-mcp-cred-fields',
  scopes: 'x-mcp-cred-scopes',
  extra: 'x-mcp-cred-extra',
  expiresAt: 'x-mcp-cred-expires-at',
}
const PROPERTIES = new Map(
  Object.entries(LOWER_CASE).map(([property, name]) => [name, property as Property]),
)

/** Options of {@link parseHeaders}. */
export interface ParseHeadersOptions {
  /** The fields that a static credential must have, such as `['apiKey', 'baseUrl']`; by default any one will do. */
  readonly fields?: readonly string[] | undefined
}

/**
 * Reads a credential from the `X-MCP-Cred-*` headers that a gateway set.
 *
 * @param headers - Web `Headers`, or a record of `string | string[] | undefined` by name in any case
 * @param type - the type to read; by default the header that is there decides, which a server should not leave to its
 *   caller
 * @param options - the `fields` that a static credential must have
 * @throws MissingCredentialHeaderError `ERR_CREDENTIAL_MISSING` when the required header is missing or empty
 * @throws CredentialError `ERR_CREDENTIAL_INVALID` for a value that breaks its grammar and for a field that is missing
 * @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE` for arguments of another kind
 * @example
 * parseHeaders({ 'x-mcp-cred-access-token': 'not-a-real-token' }, 'oauth').accessToken
 */
export function parseHeaders(
  headers: WebHeaders | HeaderRecord,
  type: 'static',
  options?: ParseHeadersOptions,
): StaticCredential
export function parseHeaders(headers: WebHeaders | HeaderRecord, type: 'oauth'): OAuthCredential
export function parseHeaders(
  headers: WebHeaders | HeaderRecord,
  type?: CredentialType,
  options?: ParseHeadersOptions,
): ResolvedCredential
export function parseHeaders(
  headers: WebHeaders | HeaderRecord,
  type?: CredentialType,
  options: ParseHeadersOptions = {},
): ResolvedCredential {
  assertObject(headers, 'Headers', 'request.headers')
  assertOptions(options, 'parseHeaders', { fields: ['strings'] })
  const { fields } = options
  const read = readerOf(headers)
  const typeToRead = typeFor(type, fields) ?? typeOfWhatIsThere(read)
  return typeToRead === 'oauth' ? parseOAuth(read) : parseStatic(read, fields)
}

function readerOf(headers: WebHeaders | HeaderRecord): ReadHeader {
  if (isWebHeaders(headers))
    return (property) => singleValue(headers.get(LOWER_CASE[property]), property)
  const found = new Map<Property, string | undefined>()
  for (const name of Object.keys(headers)) {
    const property = PROPERTIES.get(name.toLowerCase())
    if (property === undefined) continue
    if (found.has(property))
      throw invalidCredential(`${HEADERS[property]} was sent in two spellings: send one of them.`)
    found.set(property, singleValue(headers[name], property))
  }
  return (property) => found.get(property)
}

/** Whether headers are in the manner of the Fetch API. */
export const isWebHeaders = <H extends object>(headers: H): headers is Extract<H, WebHeaders> =>
  'get' in headers && typeof headers.get === 'function'

function singleValue(value: unknown, property: Property): string | undefined {
  if (typeof value === 'string') return value || undefined
  if (value === undefined || value === null) return undefined
  const header = HEADERS[property]
  if (!Array.isArray(value)) throw invalidCredential(`${header} must be a string.`)
  if (value.length > 1) throw invalidCredential(`${header} was sent more than once: send it once.`)
  return singleValue(value[0], property)
}

function typeOfWhatIsThere(read: ReadHeader): CredentialType {
  const isOAuth = read('accessToken') !== undefined
  const isStatic = read('fields') !== undefined
  const { accessToken, fields } = HEADERS
  if (isOAuth && isStatic)
    throw invalidCredential(`Both ${accessToken} and ${fields} were sent: send one of them.`)
  if (!isOAuth && !isStatic) throw new MissingCredentialHeaderError([accessToken, fields])
  return isOAuth ? 'oauth' : 'static'
}

function parseStatic(read: ReadHeader, required: readonly string[] | undefined): StaticCredential {
  const header = HEADERS.fields
  const json = readJson(read, 'fields')
  if (json === undefined) throw new MissingCredentialHeaderError([header])
  const fields = parseFields(json, header, required)
  if (Object.keys(fields).length > 0) return new StaticCredential(fields, header)
  throw new MissingCredentialHeaderError([header], `${header} holds no field.`)
}

function parseOAuth(read: ReadHeader): OAuthCredential {
  const accessToken = read('accessToken')
  if (accessToken === undefined) throw new MissingCredentialHeaderError([HEADERS.accessToken])
  // RFC 9110 section 5.3: a header that was sent twice arrives as one, joined by a comma.
  if (accessToken.includes(','))
    assertNo('has a comma in it, as if it was sent twice: send it once', HEADERS.accessToken)
  const time = read('expiresAt')
  const expiresAt = time === undefined ? undefined : parseTimestamp(time, HEADERS.expiresAt)
  const json = readJson(read, 'extra')
  const extra = json ? parseJsonObject(json, HEADERS.extra, '{"tenant":"…"}') : undefined
  return new OAuthCredential({ accessToken, scopes: readScopes(read), expiresAt, extra }, HEADERS)
}

function readJson(read: ReadHeader, property: 'fields' | 'extra'): string | undefined {
  const json = read(property)
  // Runtimes decode other bytes differently: as Latin-1, as UTF-8, or not at all.
  if (json === undefined || /^[\t\x20-\x7e]*$/.test(json)) return json
  const header = HEADERS[property]
  if (/[\r\n]/.test(json)) throw invalidCredential(`${header} must be on one line.`)
  throw invalidCredential(`${header} must be ASCII: write other characters as \\uXXXX.`)
}

function readScopes(read: ReadHeader): readonly string[] {
  const text = read('scopes') ?? ''
  if (!text.trimStart().startsWith('[')) return parseScopes(text, HEADERS.scopes)
  // What is no list of scopes is refused by the constructor.
  return parseJson(text, HEADERS.scopes, '["repo"]') as string[]
}

/**
 * The headers that `parseHeaders` reads back to an equal credential: what a gateway adds to a request. Refresh token,
 * client id, client secret and token URI stay with the gateway.
 *
 * @param credential - what the server is to have
 * @throws CredentialError `ERR_CREDENTIAL_INVALID` for an access token with a comma in it, which no header can carry
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for anything but a credential
 * @example
 * await fetch(url, { headers: { ...stripCredentialHeaders(incoming), ...formatHeaders(credential) } })
 */
export function formatHeaders(credential: ResolvedCredential): Record<string, string> {
  assertCredential(credential, 'formatHeaders takes')
  if (credential.type === 'static') return { [HEADERS.fields]: toAscii({ ...credential.fields }) }
  const { accessToken, scopes, expiresAt, extra } = credential
  if (accessToken.includes(','))
    assertNo('has a comma in it, which no header can carry', 'accessToken')
  const headers: Record<string, string> = { [HEADERS.accessToken]: accessToken }
  if (scopes) headers[HEADERS.scopes] = formatScopes(scopes)
  if (Object.keys(extra).length > 0) headers[HEADERS.extra] = toAscii(extra)
  if (expiresAt) headers[HEADERS.expiresAt] = expiresAt.toISOString()
  return headers
}

function formatScopes(scopes: readonly string[]): string {
  const text = scopes.join(' ')
  // What the parser would take for a list, or refuse.
  return /^\[|[,"]/.test(text) ? JSON.stringify(scopes) : text
}

const toAscii = (value: object): string =>
  JSON.stringify(value).replace(/[\x7f-\uffff]/g, escapeUnicode)

/**
 * A copy of the headers without any that could be taken for ours: what a gateway does to everything that comes from
 * outside. Case is folded, and `_` and `.` count as `-`, as CGI and some proxies make of them. From `Connection`, whose
 * options name headers that the next proxy removes, the names of ours are taken out (RFC 9110 section 7.6.1).
 *
 * @param headers - Web `Headers`, or a record of values by name
 * @param also - further names, in any case, that are left out
 * @example
 * const clean = stripCredentialHeaders(request.headers)
 */
export function stripCredentialHeaders<H extends WebHeaders>(
  headers: H,
  also?: readonly string[],
): H
export function stripCredentialHeaders<V>(
  headers: Readonly<Record<string, V>>,
  also?: readonly string[],
): Record<string, V>
export function stripCredentialHeaders(
  headers: WebHeaders | Readonly<Record<string, unknown>>,
  also: readonly string[] = [],
): object {
  assertObject(headers, 'Headers', 'request.headers')
  if (!Array.isArray(also)) throw misuse('ERR_INVALID_ARG_TYPE', LIST_THE_NAMES)
  const others = also.map((name: string) => name.toLowerCase())
  const isOurs = (name: string) => isCredentialHeader(name) || others.includes(name.toLowerCase())
  return isWebHeaders(headers) ? stripWebHeaders(headers, isOurs) : stripRecord(headers, isOurs)
}

const LIST_THE_NAMES =
  'Further names for stripCredentialHeaders are given as a list, such as ["x-api-key"].'

type IsOurs = (name: string) => boolean

// Web `Headers`, as far as a copy of them is changed.
interface MutableHeaders extends WebHeaders {
  set(name: string, value: unknown): void
  delete(name: string): void
}

function stripWebHeaders(headers: WebHeaders, isOurs: IsOurs): WebHeaders {
  // Not headers.constructor: the headers that Hono hands out on Node.js look like Headers, but are not made like them.
  const runtime = globalThis as unknown as { Headers: new (from: WebHeaders) => MutableHeaders }
  const copy = new runtime.Headers(headers)
  for (const name of [...copy.keys()].filter(isOurs)) copy.delete(name)
  const kept = keptOptions(copy.get('connection') ?? '', isOurs)
  if (kept === '') copy.delete('connection')
  else copy.set('connection', kept)
  return copy
}

function stripRecord(headers: Readonly<Record<string, unknown>>, isOurs: IsOurs): object {
  const entries = Object.entries(headers).flatMap(([name, value]) => {
    if (!/^connection$/i.test(name)) return isOurs(name) ? [] : [[name, value]]
    const kept = keptOptions(value, isOurs)
    return String(kept) === '' ? [] : [[name, kept]]
  })
  return Object.fromEntries(entries)
}

function keptOptions(value: unknown, isOurs: IsOurs): unknown {
  if (Array.isArray(value))
    return value.map((item) => keptOptions(item, isOurs)).filter((item) => item !== '')
  if (typeof value !== 'string') return value
  const options = value.split(',').map((option) => option.trim())
  return options.filter((option) => !isOurs(option)).join(', ')
}

/**
 * Whether a name could be taken for one of our headers; for adapters.
 *
 * @param name - of a header, in any case
 * @example
 * const carriesCredential = [...headers.keys()].some(isCredentialHeader)
 */
export const isCredentialHeader = (name: string): boolean => /^x[-_.]mcp[-_.]cred[-_.]/i.test(name)
