import { assertCredential, OAuthCredential, typeFor } from './credential.ts'
import type { CredentialType, ResolvedCredential } from './credential.ts'
import {
  assertPrefix,
  OAUTH_VARIABLES,
  parseRefreshable,
  parseVariables,
  Variables,
} from './env.ts'
import type { Environment, RefreshGrant } from './env.ts'
import {
  assertObject,
  assertOptions,
  CredentialError,
  MissingCredentialHeaderError,
  misuse,
} from './errors.ts'
import { listed } from './grammar.ts'
import { HEADERS, isCredentialHeader, parseHeaders } from './headers.ts'
import type { WebHeaders } from './headers.ts'

/** The AbortSignal of the user's runtime, so that its `fetch` takes it; this is compiled without the types of any. */
export type RuntimeAbortSignal = typeof globalThis extends { AbortSignal: { prototype: infer S } }
  ? S
  : { readonly aborted: boolean }

/** What an adapter knows of the call that a credential is wanted for. */
export interface CredentialRequest {
  /** The name of the tool. */
  readonly tool?: string | undefined
  /** The method: of MCP, such as `tools/call`, or of HTTP. */
  readonly method?: string | undefined
  /** The headers of this very request, by lower-case name; `undefined` where there are none, as on stdio. */
  readonly headers: WebHeaders | undefined
  /** What the MCP SDK verified about the caller. */
  readonly authInfo?: unknown
  /** The id of the MCP session, where there is one. */
  readonly sessionId?: string | undefined
  /** Aborted when the call is cancelled. */
  readonly signal?: RuntimeAbortSignal | undefined
  /** The scopes that the tool needs, where the server says so. */
  readonly scopes?: readonly string[] | undefined
}

/**
 * Where credentials come from, asked at every call. Any such function is one: a vault or a database plugs in this way.
 *
 * @example
 * const fromVault: CredentialSource = async ({ headers }) => {
 *   const tenant = headers?.get('x-tenant') ?? ''
 *   const accessToken = await vault.find(tenant)
 *   if (accessToken === undefined) throw new CredentialNotFoundError(tenant)
 *   return new OAuthCredential({ accessToken })
 * }
 */
export type CredentialSource = (
  request: CredentialRequest,
) => ResolvedCredential | Promise<ResolvedCredential>

// Not a property of the request: a source does not get to see, or to set, what another one has said.
const labels = new WeakMap<CredentialRequest, string>()

/** Says what the account of a call is called, for the operator's events. */
export function setLabel(request: CredentialRequest, label: string): void {
  labels.set(request, label)
}

/** What the source has said of a call. */
export const labelOf = (request: CredentialRequest): string | undefined => labels.get(request)

/** Whether a server has credentials of its own, in its environment (`oss`), or each caller's, from a gateway (`hosted`). */
export type CredentialMode = 'oss' | 'hosted'

/**
 * Resolves to the credential where it is fresh, and to its successor where it is not; `force` asks for a successor in any
 * case, as after a 401. `createRefresher` of `mcp-credentials/oauth` makes one.
 */
export type Refresher = (
  credential: OAuthCredential | RefreshGrant,
  options?: { readonly force?: boolean },
) => Promise<OAuthCredential>

/**
 * Whether to believe the headers of a request: `true`, and nothing else, is a yes. `createSignatureVerifier` of
 * `mcp-credentials/signature` makes one.
 */
export type HeaderVerifier = (headers: WebHeaders) => boolean | Promise<boolean>

/** Options of {@link fromEnv}. */
export interface FromEnvOptions {
  /** The type to read; by default `{PREFIX}CRED_TYPE`, or else what is set, decides. */
  readonly type?: CredentialType | undefined
  /** The variables; by default `process.env`. */
  readonly env?: Environment | undefined
  /** The fields that a static credential must have, such as `['apiKey', 'baseUrl']`; by default any one will do. */
  readonly fields?: readonly string[] | undefined
  /** Keeps OAuth tokens fresh: what `createRefresher` of `mcp-credentials/oauth` gives. */
  readonly refresh?: Refresher | undefined
}

/** Options of {@link fromHeaders}. */
export interface FromHeadersOptions {
  /** Declared by the server; its callers do not get to choose. */
  readonly type: CredentialType
  /** The fields that a static credential must have, such as `['apiKey', 'baseUrl']`; by default any one will do. */
  readonly fields?: readonly string[] | undefined
  /** How to tell that the headers come from the gateway; by default they are believed. */
  readonly verify?: HeaderVerifier | undefined
}

/** Options of {@link fromMode}. */
export interface FromModeOptions extends FromEnvOptions, FromHeadersOptions {
  /** Declared by the server, in either mode. */
  readonly type: CredentialType
}

const ENV_KINDS = {
  type: ['type'],
  env: ['object'],
  fields: ['strings'],
  refresh: ['refresher'],
} as const
const HEADER_KINDS = { type: ['type'], fields: ['strings'], verify: ['verifier'] } as const

/**
 * A source that reads environment variables with {@link parseEnv}. It follows the variables as they change, new ones within
 * a second, and returns the same credential for as long as they do not.
 *
 * @param prefix - what the names of the variables start with
 * @param options - `type` to read, `env` to read from, `fields` that there must be, and how to `refresh` OAuth tokens, with
 *   which the access token may be missing where refresh token, client id and token URI are set
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is not as it should be, where the runtime has no
 *   `process.env` and no `env` is given, for `refresh` without the type `oauth`, and for `fields` with it
 * @example
 * withCredentials(server, fromEnv('WEATHER_', { type: 'static', fields: ['apiKey'] }))
 */
export function fromEnv(prefix: string, options: FromEnvOptions = {}): CredentialSource {
  assertOptions(options, 'fromEnv', ENV_KINDS)
  return fromVariables(prefix, options)
}

function fromVariables(prefix: string, options: FromEnvOptions): CredentialSource {
  assertPrefix(prefix)
  const { refresh, fields } = options
  const type = typeFor(options.type, fields)
  if (refresh && type !== 'oauth')
    throw misuse('ERR_INVALID_ARG_VALUE', 'The option refresh is for { type: "oauth" }.')
  readableEnv(options.env)
  if (refresh === undefined)
    return following(prefix, options.env, (variables) => parseVariables(variables, type, fields))
  const load = following(prefix, options.env, parseRefreshable)
  return async () => {
    const credential = load()
    if (credential instanceof OAuthCredential) assertRefreshable(prefix, credential)
    const fresh = await refresh(credential)
    assertCredential(fresh, 'A refresher returns')
    return fresh
  }
}

/** What `parse` gives, again only when a variable has changed. */
function following<T>(
  prefix: string,
  given: Environment | undefined,
  parse: (variables: Variables) => T,
): () => T {
  let parsed: { readonly variables: Variables; readonly value: T } | undefined
  return () => {
    const env = readableEnv(given)
    if (parsed?.variables.hasChanged(env) === false) return parsed.value
    parsed = undefined
    const variables = new Variables(prefix, env)
    parsed = { variables, value: parse(variables) }
    return parsed.value
  }
}

function assertRefreshable(prefix: string, credential: OAuthCredential): void {
  const needed = ['refreshToken', 'clientId', 'tokenUri'] as const
  const missing = needed.filter((property) => credential[property] === undefined)
  if (missing.length === 0 || !credential.isExpired(0)) return
  const start = prefix.toUpperCase()
  const names = listed(missing.map((property) => start + OAUTH_VARIABLES[property]))
  const message = `The access token has expired. Set ${names} so that it can be refreshed.`
  throw new CredentialError('ERR_CREDENTIAL_EXPIRED', message, { isServerFault: true })
}

/**
 * A source that reads the headers of the request with {@link parseHeaders}, and nothing else: when they are missing it
 * never falls back to the server's own credential.
 *
 * @param options - the `type` to read, `fields` that there must be, and a function that can `verify` where the headers come
 *   from
 * @throws TypeError `ERR_INVALID_ARG_VALUE` without a type, and for an option that is not as it should be
 * @example
 * withCredentials(server, fromHeaders({ type: 'oauth' }))
 */
export function fromHeaders(options: FromHeadersOptions): CredentialSource {
  assertOptions(options, 'fromHeaders', HEADER_KINDS)
  return fromRequest(options)
}

function fromRequest(options: FromHeadersOptions): CredentialSource {
  const { fields, verify } = options
  const type = declaredType(options)
  return ({ headers }) => {
    if (headers === undefined) {
      const header = type === 'oauth' ? HEADERS.accessToken : HEADERS.fields
      const reason = `This call did not come over HTTP, so it has no ${header} header.`
      throw new MissingCredentialHeaderError([header], reason)
    }
    const parse = () => parseHeaders(headers, type, { fields })
    // Where there is none of ours there is nothing to verify: parseHeaders says what is missing.
    if (verify === undefined || !hasCredentialHeader(headers)) return parse()
    return whenVerified(headers, verify, parse)
  }
}

async function whenVerified<T>(headers: WebHeaders, verify: HeaderVerifier, parse: () => T) {
  const isBelieved: unknown = await verify(headers)
  if (isBelieved === true) return parse()
  const message = 'The credential headers of this request could not be verified.'
  throw new CredentialError('ERR_CREDENTIAL_UNTRUSTED', message)
}

/**
 * The mode that `FASTMCP_CREDENTIAL_MODE` asks for; `oss` when it is not set.
 *
 * @param env - the variables; by default `process.env`
 * @throws CredentialError `ERR_CREDENTIAL_INVALID` for another value than `oss` and `hosted`, in any case
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for anything but an object
 * @example
 * if (getCredentialMode() === 'hosted') listen()
 */
export function getCredentialMode(env: Environment = processEnv() ?? {}): CredentialMode {
  assertObject(env, 'The environment', 'process.env')
  // Workers can bind other things than strings.
  const value: unknown = env['FASTMCP_CREDENTIAL_MODE'] || 'oss'
  const mode = String(value).trim().toLowerCase()
  if (mode === 'oss' || mode === 'hosted') return mode
  const message = 'FASTMCP_CREDENTIAL_MODE must be oss or hosted.'
  throw new CredentialError('ERR_CREDENTIAL_INVALID', message, { isServerFault: true })
}

/**
 * The source for the mode that {@link getCredentialMode} finds: {@link fromEnv} or {@link fromHeaders}. It looks at each
 * call, so that a file of variables that is loaded late counts; once it was `hosted` it stays so. A call with credential
 * headers in the mode `oss` is refused with `ERR_CREDENTIAL_UNTRUSTED`: somebody's gateway believes that it is `hosted`.
 *
 * @param prefix - what the names of the variables start with
 * @param options - the `type` to read; `env` and `refresh` of {@link fromEnv}, `verify` of {@link fromHeaders}, and
 *   `fields` of both
 * @throws CredentialError `ERR_CREDENTIAL_INVALID` for an unknown mode
 * @throws TypeError `ERR_INVALID_ARG_VALUE` without a type, and for an option that is not as it should be
 * @example
 * withCredentials(server, fromMode('GITHUB_', { type: 'oauth' }))
 */
export function fromMode(prefix: string, options: FromModeOptions): CredentialSource {
  assertOptions(options, 'fromMode', { ...ENV_KINDS, ...HEADER_KINDS })
  declaredType(options)
  const local = fromVariables(prefix, options)
  const hosted = fromRequest(options)
  // What is wrong with the mode is said at the start.
  let mode = getCredentialMode(options.env)
  return (request) => {
    if (mode !== 'hosted') mode = getCredentialMode(options.env)
    if (mode === 'hosted') return hosted(request)
    if (hasCredentialHeader(request.headers))
      throw new CredentialError('ERR_CREDENTIAL_UNTRUSTED', NOT_HOSTED)
    return local(request)
  }
}

const NOT_HOSTED =
  'This server has a credential of its own, and takes none from headers. If a gateway is to send them, its operator sets FASTMCP_CREDENTIAL_MODE to hosted.'

const hasCredentialHeader = (headers: CredentialRequest['headers']): boolean =>
  headers !== undefined && [...headers.keys()].some(isCredentialHeader)

function declaredType(options: FromHeadersOptions): CredentialType {
  const { type, fields } = options
  typeFor(type, fields)
  if (type !== undefined) return type
  const message = 'Declare the type of the credential: { type: "static" } or { type: "oauth" }.'
  throw misuse('ERR_INVALID_ARG_VALUE', message)
}

const processEnv = (): Environment | undefined =>
  (globalThis as { process?: { env?: Environment } }).process?.env

function readableEnv(given: Environment | undefined): Environment {
  const env = given ?? processEnv()
  if (env !== undefined) return env
  const message = 'This runtime has no process.env: pass the variables as the option env.'
  throw misuse('ERR_INVALID_ARG_VALUE', message)
}
