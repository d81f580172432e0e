import { assertType, OAuthCredential, StaticCredential } from './credential.ts'
import type { CredentialOf, CredentialType, ResolvedCredential } from './credential.ts'
import { assertObject, CredentialError, invalidCredential } from './errors.ts'
import { describeField, parseFields, parseTimestamp, splitScopes } from './values.ts'

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
export function parseEnv<T extends CredentialType>(prefix: string, env: Environment, type: T): CredentialOf[T]
export function parseEnv(prefix: string, env: Environment, type?: CredentialType): ResolvedCredential
export function parseEnv(prefix: string, env: Environment, type?: CredentialType): ResolvedCredential {
  assertObject(env, 'The environment')
  assertType(type)
  const start = prefix.toUpperCase()
  try {
    return typeToRead(start, env, type) === 'oauth' ? parseOAuth(start, env) : parseStatic(start, env)
  } catch (error) {
    // The environment is the server's own, whatever is wrong with it.
    throw error instanceof CredentialError ? new CredentialError(error.code, error.message, true) : error
  }
}

/** The names of all variables that parseEnv may look at. */
export function variableNames(prefix: string, env: Environment): string[] {
  const start = prefix.toUpperCase()
  const listed = Object.keys(env).filter((name) => name.startsWith(`${start}FIELD_`) || name.startsWith(`${start}EXTRA_`))
  return [...['CRED_TYPE', 'FIELDS', ...Object.values(OAUTH_VARIABLES)].map((name) => start + name), ...listed]
}

/** The variables that are set, by what stands behind `start` in their names. */
function readUnder(start: string, env: Environment): [name: string, value: string][] {
  return Object.keys(env).flatMap((name) => {
    const value = name.startsWith(start) ? env[name] : undefined
    return value ? [[name.slice(start.length), value]] : []
  })
}

function typeToRead(start: string, env: Environment, type: CredentialType | undefined): CredentialType {
  const variable = `${start}CRED_TYPE`
  const declared = env[variable] || type || typeOfWhatIsSet(start, env)
  if (declared !== 'static' && declared !== 'oauth') throw invalidCredential(`${variable} must be static or oauth.`)
  if (type === undefined || declared === type) return declared
  throw new CredentialError('ERR_CREDENTIAL_TYPE', `${variable} says ${declared}, but this server asks for ${type}.`)
}

function typeOfWhatIsSet(start: string, env: Environment): CredentialType {
  const isOAuth = Boolean(env[`${start}ACCESS_TOKEN`] || env[`${start}REFRESH_TOKEN`])
  const isStatic = Boolean(env[`${start}FIELDS`]) || readUnder(`${start}FIELD_`, env).length > 0
  if (isOAuth && isStatic) throw invalidCredential(`Both a token and fields are set: set ${start}CRED_TYPE to oauth or static.`)
  if (isOAuth || isStatic) return isOAuth ? 'oauth' : 'static'
  throw missing(start, env, `Set ${start}ACCESS_TOKEN for OAuth, or ${start}FIELDS or ${start}FIELD_<name> for an API key.`)
}

function parseStatic(start: string, env: Environment): StaticCredential {
  const json = env[`${start}FIELDS`]
  const origin = json ? `${start}FIELDS` : `${start}FIELD_*`
  const fields = json ? parseFields(json, origin) : Object.fromEntries(readUnder(`${start}FIELD_`, env))
  if (Object.keys(fields).length > 0) return new StaticCredential(fields, origin)
  throw missing(start, env, `Set ${start}FIELDS to a JSON object with a field, or ${start}FIELD_<name> for each.`)
}

function parseOAuth(start: string, env: Environment): OAuthCredential {
  const read = (property: keyof typeof OAUTH_VARIABLES) => env[start + OAUTH_VARIABLES[property]] || undefined
  const accessToken = read('accessToken')
  if (accessToken === undefined) throw missing(start, env, `Set ${start}ACCESS_TOKEN to the access token.`)
  const [refreshToken, clientId, clientSecret] = [read('refreshToken'), read('clientId'), read('clientSecret')]
  const [tokenUri, scopes, time] = [read('tokenUri'), splitScopes(read('scopes') ?? ''), read('expiresAt')]
  const expiresAt = time === undefined ? undefined : parseTimestamp(time, `${start}EXPIRES_AT`)
  const extra = readExtra(`${start}EXTRA_`, env)
  const properties = { accessToken, refreshToken, clientId, clientSecret, tokenUri, scopes, expiresAt, extra }
  const origins = Object.fromEntries(Object.entries(OAUTH_VARIABLES).map(([property, name]) => [property, start + name]))
  return new OAuthCredential(properties, { ...origins, extra: `${start}EXTRA_*` })
}

function readExtra(start: string, env: Environment): Readonly<Record<string, string>> {
  const extra: Record<string, string> = Object.create(null)
  readUnder(start, env).forEach(([name, value], index) => {
    const key = name.toLowerCase()
    const variable = `${start}*: ${describeField(key, index + 1)}`
    if (key === '') throw invalidCredential(`${variable} has an empty name.`)
    if (key in extra) throw invalidCredential(`${variable} is set twice, in different case.`)
    extra[key] = value
  })
  return extra
}

function missing(start: string, env: Environment, advice: string): CredentialError {
  const isUnderscoreMissing = !start.endsWith('_') && Object.keys(env).some((name) => name.startsWith(`${start}_`))
  const hint = isUnderscoreMissing ? ` There are variables that start with ${start}_: did you mean that prefix?` : ''
  return new CredentialError('ERR_CREDENTIAL_MISSING', advice + hint)
}
