import { assertCredential, assertType, OAuthCredential } from './credential.ts'
import type { CredentialType, ResolvedCredential } from './credential.ts'
import { readEnv, variableNames, variableOf } from './env.ts'
import type { Environment, RefreshGrant } from './env.ts'
import {
  CredentialError,
  invalidCredential,
  MissingCredentialHeaderError,
  misuse,
} from './errors.ts'
import { HEADERS, isCredentialHeader, parseHeaders } from './headers.ts'
import type { WebHeaders } from './headers.ts'

/** The `AbortSignal` of the user's runtime; the core is compiled without the types of any. */
export type Signal = typeof globalThis extends { AbortSignal: { prototype: infer S } }
  ? S
  : { readonly aborted: boolean }

/** What an adapter knows of the call that a credential is wanted for. */
export interface CredentialRequest {
  /** The name of the tool. */
  readonly tool?: string | undefined
  /** The headers of this very request, by lower-case name; `undefined` where there are none, as on stdio. */
  readonly headers: WebHeaders | undefined
  /** What the MCP SDK verified about the caller. */
  readonly authInfo?: unknown
  /** The id of the MCP session, where there is one. */
  readonly sessionId?: string | undefined
  /** Aborted when the call is cancelled. */
  readonly signal?: Signal | undefined
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
  /** By default `{PREFIX}CRED_TYPE`, or else what is set, decides. */
  readonly type?: CredentialType | undefined
  /** The variables; by default `process.env`. */
  readonly env?: Environment | undefined
  /** Keeps OAuth tokens fresh: what `createRefresher` of `mcp-credentials/oauth` gives. */
  readonly refresh?: Refresher | undefined
}

/** Options of {@link fromHeaders}. */
export interface FromHeadersOptions {
  /** Declared by the server; its callers do not get to choose. */
  readonly type: CredentialType
  /** How to tell that the headers come from the gateway; by default they are believed. */
  readonly verify?: HeaderVerifier | undefined
}

/** Options of {@link fromMode}. */
export interface FromModeOptions extends FromEnvOptions, FromHeadersOptions {
  readonly type: CredentialType
}

/**
 * A source that reads environment variables with {@link parseEnv}. It follows the variables as they change, and returns
 * the same credential for as long as they do not.
 *
 * @param prefix - what the names of the variables start with
 * @param options - `type` to read, `env` to read from, and whether and how to `refresh` OAuth tokens, with which the access
 *   token may be missing where refresh token, client id and token URI are set
 * @throws TypeError `ERR_INVALID_ARG_VALUE` where the runtime has no `process.env` and no `env` is given, or for `refresh`
 *   without the type `oauth`
 * @example
 * withCredentials(server, fromEnv('WEATHER_', { type: 'static' }))
 */
export function fromEnv(prefix: string, options: FromEnvOptions = {}): CredentialSource {
  const { type, refresh } = options
  assertType(type)
  readableEnv(options.env)
  if (refresh !== undefined && typeof refresh !== 'function')
    throw misuse('ERR_INVALID_ARG_VALUE', 'refresh is a function: createRefresher() makes one.')
  if (refresh && type !== 'oauth')
    throw misuse('ERR_INVALID_ARG_VALUE', 'refresh is for { type: "oauth" }.')
  // Enumerating process.env costs 50 µs at 100 variables and 1.8 ms at 1000 (measured), reading one by name 0.15 µs.
  let names: string[] = []
  let values: (string | undefined)[] = []
  let loaded: ResolvedCredential | RefreshGrant | undefined

  const load = (): ResolvedCredential | RefreshGrant => {
    const env = readableEnv(options.env)
    if (loaded === undefined || names.some((name, index) => env[name] !== values[index])) {
      loaded = undefined
      loaded = readEnv(prefix, env, type, Boolean(refresh))
      names = variableNames(prefix, env, type)
      values = names.map((name) => env[name])
    }
    return loaded
  }
  if (!refresh) return () => load() as ResolvedCredential
  return async () => {
    const credential = load() as OAuthCredential | RefreshGrant
    if (credential instanceof OAuthCredential) assertRefreshable(prefix, credential)
    const fresh = await refresh(credential)
    assertCredential(fresh, 'A refresher returns')
    return fresh
  }
}

function assertRefreshable(prefix: string, credential: OAuthCredential): void {
  const missing = (['refreshToken', 'clientId', 'tokenUri'] as const).filter(
    (property) => credential[property] === undefined,
  )
  if (missing.length === 0 || !credential.isExpired(0)) return
  const names = missing.map((property) => variableOf(prefix, property))
  throw new CredentialError(
    'ERR_CREDENTIAL_EXPIRED',
    `The access token has expired. Set ${names.join(' and ')} so that it can be refreshed.`,
    { isServerFault: true },
  )
}

/**
 * A source that reads the headers of the request with {@link parseHeaders}, and nothing else: when they are missing it
 * never falls back to the server's own credential.
 *
 * @param options - the `type` to read, and a function that can `verify` where the headers come from
 * @throws TypeError `ERR_INVALID_ARG_VALUE` without a type
 * @example
 * withCredentials(server, fromHeaders({ type: 'oauth' }))
 */
export function fromHeaders(options: FromHeadersOptions): CredentialSource {
  const type = declaredType(options)
  const { verify } = options
  if (verify !== undefined && typeof verify !== 'function')
    throw misuse(
      'ERR_INVALID_ARG_VALUE',
      'verify is a function: createSignatureVerifier() makes one.',
    )
  return ({ headers }) => {
    if (headers === undefined) {
      const header = type === 'oauth' ? HEADERS.accessToken : HEADERS.fields
      throw new MissingCredentialHeaderError(
        [header],
        `This call did not come over HTTP, so it has no ${header} header.`,
      )
    }
    // Where there is none of ours there is nothing to verify: parseHeaders says what is missing.
    if (verify === undefined || !hasCredentialHeader(headers)) return parseHeaders(headers, type)
    return parseVerified(headers, verify, type)
  }
}

async function parseVerified(
  headers: WebHeaders,
  verify: HeaderVerifier,
  type: CredentialType,
): Promise<ResolvedCredential> {
  const isBelieved: unknown = await verify(headers)
  if (isBelieved === true) return parseHeaders(headers, type)
  throw new CredentialError(
    'ERR_CREDENTIAL_UNTRUSTED',
    'The credential headers of this request could not be verified.',
  )
}

/**
 * The mode that `FASTMCP_CREDENTIAL_MODE` asks for; `oss` when it is not set.
 *
 * @param env - the variables; by default `process.env`
 * @throws CredentialError `ERR_CREDENTIAL_INVALID` for another value than `oss` and `hosted`, in any case
 * @example
 * if (getCredentialMode() === 'hosted') listen()
 */
export function getCredentialMode(env: Environment = processEnv() ?? {}): CredentialMode {
  const value = env['FASTMCP_CREDENTIAL_MODE'] || 'oss'
  const mode = value.trim().toLowerCase()
  if (mode === 'oss' || mode === 'hosted') return mode
  throw invalidCredential('FASTMCP_CREDENTIAL_MODE must be oss or hosted.')
}

/**
 * The source for the mode that {@link getCredentialMode} finds: {@link fromEnv} or {@link fromHeaders}. It looks at each
 * call, so that a file of variables that is loaded late counts; once it was `hosted` it stays so. A call with credential
 * headers in the mode `oss` is refused with `ERR_CREDENTIAL_UNTRUSTED`: somebody's gateway believes that it is `hosted`.
 *
 * @param prefix - what the names of the variables start with
 * @param options - the `type` to read; `env` and `refresh` of {@link fromEnv}, `verify` of {@link fromHeaders}
 * @throws CredentialError `ERR_CREDENTIAL_INVALID` for an unknown mode
 * @throws TypeError `ERR_INVALID_ARG_VALUE` without a type
 * @example
 * withCredentials(server, fromMode('GITHUB_', { type: 'oauth' }))
 */
export function fromMode(prefix: string, options: FromModeOptions): CredentialSource {
  declaredType(options)
  const local = fromEnv(prefix, options)
  let hosted: CredentialSource | undefined
  const current = (): CredentialSource => {
    const isHosted = hosted !== undefined || getCredentialMode(options.env) === 'hosted'
    if (!isHosted) return local
    hosted ??= fromHeaders(options)
    return hosted
  }
  // What is wrong with the mode, or with the options for it, is said at the start.
  current()
  return (request) => {
    const source = current()
    if (source === local && hasCredentialHeader(request.headers))
      throw new CredentialError('ERR_CREDENTIAL_UNTRUSTED', NOT_HOSTED)
    return source(request)
  }
}

const NOT_HOSTED = `This server has a credential of its own, and takes none from headers. If a gateway is to send them, its \
operator sets FASTMCP_CREDENTIAL_MODE to hosted.`

const hasCredentialHeader = (headers: CredentialRequest['headers']): boolean =>
  headers !== undefined && [...headers.keys()].some(isCredentialHeader)

function declaredType(options: FromHeadersOptions | undefined): CredentialType {
  const type = options?.type
  assertType(type)
  if (type !== undefined) return type
  throw misuse(
    'ERR_INVALID_ARG_VALUE',
    'Declare the type of the credential: { type: "static" } or { type: "oauth" }.',
  )
}

const processEnv = (): Environment | undefined =>
  (globalThis as { process?: { env?: Environment } }).process?.env

function readableEnv(given: Environment | undefined): Environment {
  const env = given ?? processEnv()
  if (env !== undefined) return env
  throw misuse(
    'ERR_INVALID_ARG_VALUE',
    'This runtime has no process.env: pass the variables as the option env.',
  )
}
