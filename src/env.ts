import { assertType, OAuthCredential, StaticCredential } from './credential.ts'
import type { CredentialOf, CredentialType, ResolvedCredential } from './credential.ts'
import { assertObject, CredentialError, invalidCredential } from './errors.ts'
import { describeField, parseFields, parseTimestamp, splitScopes } from './grammar.ts'
import type { JsonObject } from './grammar.ts'

/** Environment variables by name, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

const OAUTH_VARIABLES = {
  accessToken: 'ACCESS_TOKEN',
  refreshToken: 'REFRESH_TOKEN',
  clientId: 'CLIENT_ID',
  clientSecret: 'CLIENT_SECRET',
  tokenUri: 'TOKEN_URI',
  scopes: 'SCOPES',
  expiresAt: 'EXPIRES_AT',
} as const

/**
 * Reads a credential from environment variables; one that is set to the empty string counts as not set.
 *
 * @param prefix - what the names of the variables start with, upper-cased; usually ends in `_`, may be empty
 * @param env - the variables, such as `process.env`
 * @param type - the type to read; by default `{PREFIX}CRED_TYPE`, or else what is set, decides
 * @throws CredentialError `ERR_CREDENTIAL_MISSING` when nothing is set, `ERR_CREDENTIAL_INVALID` for a value that breaks
 *   its grammar, `ERR_CREDENTIAL_TYPE` when `{PREFIX}CRED_TYPE` contradicts `type`
 * @example
 * parseEnv('GITHUB_', { GITHUB_ACCESS_TOKEN: 'not-a-real-token' }, 'oauth').accessToken
 */
export function parseEnv<T extends CredentialType>(
  prefix: string,
  env: Environment,
  type: T,
): CredentialOf[T]
export function parseEnv(
  prefix: string,
  env: Environment,
  type?: CredentialType,
): ResolvedCredential
export function parseEnv(
  prefix: string,
  env: Environment,
  type?: CredentialType,
): ResolvedCredential {
  return readEnv(prefix, env, type, false) as ResolvedCredential
}

/** As parseEnv; with `canRefresh` an access token may be missing where there is what it takes to get one. */
export function readEnv(
  prefix: string,
  env: Environment,
  type: CredentialType | undefined,
  canRefresh: boolean,
): ResolvedCredential | RefreshGrant {
  assertObject(env, 'The environment')
  assertType(type)
  try {
    const variables = new Variables(prefix, env)
    return typeToRead(variables, type) === 'oauth'
      ? parseOAuth(variables, canRefresh)
      : parseStatic(variables)
  } catch (error) {
    // The environment is the server's own, whatever is wrong with it.
    throw error instanceof CredentialError
      ? new CredentialError(error.code, error.message, { isServerFault: true })
      : error
  }
}

/** The name of the variable that holds a property. */
export const variableOf = (prefix: string, property: keyof typeof OAUTH_VARIABLES): string =>
  prefix.toUpperCase() + OAUTH_VARIABLES[property]

/** The names of all variables that parseEnv may look at: those of one type, where that is declared. */
export function variableNames(
  prefix: string,
  env: Environment,
  type: CredentialType | undefined,
): string[] {
  const variables = new Variables(prefix, env)
  const declared = type ?? variables.read('CRED_TYPE')
  const ofStatic = declared === 'oauth' ? [] : ['FIELDS', ...(variables.list('FIELD_') ?? [])]
  const ofOAuth =
    declared === 'static'
      ? []
      : [...Object.values(OAUTH_VARIABLES), ...(variables.list('EXTRA_') ?? [])]
  return ['CRED_TYPE', ...ofStatic, ...ofOAuth].map((name) => variables.start + name)
}

/** The variables of a prefix, by what stands behind it in their names. */
class Variables {
  readonly start: string
  readonly #env: Environment

  constructor(prefix: string, env: Environment) {
    this.start = prefix.toUpperCase()
    this.#env = env
  }

  /** The names that start with `part`; `undefined` in Deno without its permission to read every variable. */
  list(part: string): string[] | undefined {
    const { start } = this
    try {
      const names = Object.keys(this.#env).filter((name) => name.startsWith(start + part))
      return names.map((name) => name.slice(start.length))
    } catch {
      return undefined
    }
  }

  /** The value of a variable that is set. */
  read(name: string): string | undefined {
    const value = this.#get(name)
    // Workers can bind other things than strings.
    if (value === undefined || typeof value === 'string') return value || undefined
    throw invalidCredential(`${this.start}${name} must be a string.`)
  }

  #get(name: string): unknown {
    const { start } = this
    try {
      return this.#env[start + name]
    } catch {
      const permission = `--allow-env=${start === '' ? name : `${start}*`}`
      throw new CredentialError(
        'ERR_CREDENTIAL_UNAVAILABLE',
        `${start}${name} cannot be read: Deno needs ${permission} for it.`,
      )
    }
  }

  /** The variables that are set, by what stands behind `part` in their names. */
  readUnder(part: string, names = this.list(part) ?? []): [name: string, value: string][] {
    return names.flatMap((name) => {
      const value = this.read(name)
      return value ? [[name.slice(part.length), value]] : []
    })
  }

  readFields(): [name: string, value: string][] {
    const { start } = this
    const names = this.list('FIELD_')
    if (names !== undefined) return this.readUnder('FIELD_', names)
    const cause = `${start}FIELD_* cannot be listed: Deno needs --allow-env, without names, for that.`
    throw new CredentialError(
      'ERR_CREDENTIAL_UNAVAILABLE',
      `${cause} Or set ${start}FIELDS, or ${start}CRED_TYPE to oauth.`,
    )
  }
}

function typeToRead(variables: Variables, type: CredentialType | undefined): CredentialType {
  const variable = `${variables.start}CRED_TYPE`
  const declared = variables.read('CRED_TYPE') ?? type ?? typeOfWhatIsSet(variables)
  if (declared !== 'static' && declared !== 'oauth')
    throw invalidCredential(`${variable} must be static or oauth.`)
  if (type === undefined || declared === type) return declared
  throw new CredentialError(
    'ERR_CREDENTIAL_TYPE',
    `${variable} says ${declared}, but this server asks for ${type}.`,
  )
}

function typeOfWhatIsSet(variables: Variables): CredentialType {
  const { start } = variables
  const isOAuth = Boolean(variables.read('ACCESS_TOKEN') ?? variables.read('REFRESH_TOKEN'))
  const isStatic = Boolean(variables.read('FIELDS')) || variables.readFields().length > 0
  if (isOAuth && isStatic)
    throw invalidCredential(
      `Both a token and fields are set: set ${start}CRED_TYPE to oauth or static.`,
    )
  if (isOAuth || isStatic) return isOAuth ? 'oauth' : 'static'
  throw missing(
    variables,
    `Set ${start}ACCESS_TOKEN for OAuth, or ${start}FIELDS or ${start}FIELD_<name> for an API key.`,
  )
}

function parseStatic(variables: Variables): StaticCredential {
  const { start } = variables
  const json = variables.read('FIELDS')
  const origin = json ? `${start}FIELDS` : `${start}FIELD_*`
  const fields = json ? parseFields(json, origin) : Object.fromEntries(variables.readFields())
  if (Object.keys(fields).length > 0) return new StaticCredential(fields, origin)
  throw missing(
    variables,
    `Set ${start}FIELDS to a JSON object with a field, or ${start}FIELD_<name> for each.`,
  )
}

/** What it takes to get an access token where there is none yet (RFC 6749 section 6). */
export interface RefreshGrant {
  /** The refresh token. */
  readonly refreshToken: string
  /** The client that it was issued to. */
  readonly clientId: string
  /** The client's secret, where it has one. */
  readonly clientSecret?: string | undefined
  /** The token endpoint. */
  readonly tokenUri: string
  /** The scopes that were granted. */
  readonly scopes?: readonly string[] | undefined
  /** What the credential is to have as `extra`. */
  readonly extra?: JsonObject | undefined
}

function parseOAuth(variables: Variables, canRefresh: boolean): OAuthCredential | RefreshGrant {
  const { start } = variables
  const read = (property: keyof typeof OAUTH_VARIABLES) => variables.read(OAUTH_VARIABLES[property])
  const readTime = () => {
    const time = read('expiresAt')
    return time === undefined ? undefined : parseTimestamp(time, `${start}EXPIRES_AT`)
  }
  const accessToken = read('accessToken')
  const given = {
    refreshToken: read('refreshToken'),
    clientId: read('clientId'),
    clientSecret: read('clientSecret'),
    tokenUri: read('tokenUri'),
    scopes: splitScopes(read('scopes') ?? ''),
    expiresAt: readTime(),
    extra: readExtra(variables),
  }
  const origins = Object.fromEntries(
    Object.entries(OAUTH_VARIABLES).map(([property, name]) => [property, start + name]),
  )
  if (accessToken !== undefined)
    return new OAuthCredential({ ...given, accessToken }, { ...origins, extra: `${start}EXTRA_*` })
  const { refreshToken, clientId, tokenUri } = given
  if (canRefresh && refreshToken && clientId && tokenUri)
    return { ...given, refreshToken, clientId, tokenUri }
  const others = ['REFRESH_TOKEN', 'CLIENT_ID', 'TOKEN_URI'].map((name) => start + name).join(', ')
  const alternative = canRefresh ? `, or ${others} to get one` : ''
  throw missing(variables, `Set ${start}ACCESS_TOKEN to the access token${alternative}.`)
}

function readExtra(variables: Variables): Readonly<Record<string, string>> {
  const extra: Record<string, string> = Object.create(null)
  variables.readUnder('EXTRA_').forEach(([name, value], index) => {
    const key = name.toLowerCase()
    const variable = `${variables.start}EXTRA_*: ${describeField(key, index + 1)}`
    if (key === '') throw invalidCredential(`${variable} has an empty name.`)
    if (key in extra) throw invalidCredential(`${variable} is set twice, in different case.`)
    extra[key] = value
  })
  return extra
}

function missing(variables: Variables, advice: string): CredentialError {
  const { start } = variables
  const isUnderscoreMissing = !start.endsWith('_') && variables.list('_')?.length
  const hint = isUnderscoreMissing
    ? ` There are variables that start with ${start}_: did you mean that prefix?`
    : ''
  return new CredentialError('ERR_CREDENTIAL_MISSING', advice + hint)
}
