import { assertType, OAuthCredential, StaticCredential } from './credential.ts'
import type { CredentialType, OAuthProperties, ResolvedCredential } from './credential.ts'
import { assertObject, CredentialError, invalidCredential } from './errors.ts'
import { describeField, parseFields, parseTimestamp, splitScopes } from './values.ts'

/** Environment variables by name, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

function oauthVariables(start: string): Record<Exclude<keyof OAuthProperties, 'extra'>, string> {
  return {
    accessToken: `${start}ACCESS_TOKEN`,
    refreshToken: `${start}REFRESH_TOKEN`,
    clientId: `${start}CLIENT_ID`,
    clientSecret: `${start}CLIENT_SECRET`,
    tokenUri: `${start}TOKEN_URI`,
    scopes: `${start}SCOPES`,
    expiresAt: `${start}EXPIRES_AT`,
  }
}

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
export function parseEnv(prefix: string, env: Environment): ResolvedCredential
export function parseEnv(prefix: string, env: Environment, type: 'static'): StaticCredential
export function parseEnv(prefix: string, env: Environment, type: 'oauth'): OAuthCredential
export function parseEnv(prefix: string, env: Environment, type?: CredentialType): ResolvedCredential
export function parseEnv(prefix: string, env: Environment, type?: CredentialType): ResolvedCredential {
  assertObject(env, 'The environment')
  assertType(type)
  const start = prefix.toUpperCase()
  return typeToRead(start, env, type) === 'oauth' ? parseOAuth(start, env) : parseStatic(start, env)
}

/** The names of all variables that parseEnv may look at. */
export function variableNames(prefix: string, env: Environment): string[] {
  const start = prefix.toUpperCase()
  const fixed = [`${start}CRED_TYPE`, `${start}FIELDS`, ...Object.values(oauthVariables(start))]
  return [...fixed, ...namesUnder(`${start}FIELD_`, env), ...namesUnder(`${start}EXTRA_`, env)]
}

function namesUnder(start: string, env: Environment): string[] {
  return Object.keys(env).filter((name) => name.startsWith(start))
}

/** The variables that are set, by what stands behind `start` in their names. */
function readUnder(start: string, env: Environment): [name: string, value: string][] {
  return namesUnder(start, env).flatMap((name) => {
    const value = env[name]
    return value ? [[name.slice(start.length), value]] : []
  })
}

function typeToRead(start: string, env: Environment, type: CredentialType | undefined): CredentialType {
  const variable = `${start}CRED_TYPE`
  const declared = env[variable] || type
  if (declared !== undefined && declared !== 'static' && declared !== 'oauth') {
    throw invalidCredential(`${variable} must be static or oauth.`)
  }
  if (type !== undefined && declared !== type) {
    throw new CredentialError('ERR_CREDENTIAL_TYPE', `${variable} says ${declared}, but this server asks for ${type}.`)
  }
  return declared ?? typeOfWhatIsSet(start, env)
}

function typeOfWhatIsSet(start: string, env: Environment): CredentialType {
  const isOAuth = env[`${start}ACCESS_TOKEN`] || env[`${start}REFRESH_TOKEN`]
  const isStatic = env[`${start}FIELDS`] || readUnder(`${start}FIELD_`, env).length > 0
  if (isOAuth && isStatic) {
    throw invalidCredential(`Both a token and fields are set: set ${start}CRED_TYPE to oauth or to static.`)
  }
  if (isOAuth) return 'oauth'
  if (isStatic) return 'static'
  throw missing(start, env, `Set ${start}ACCESS_TOKEN for OAuth, or ${start}FIELDS or ${start}FIELD_<name> for an API key.`)
}

function parseStatic(start: string, env: Environment): StaticCredential {
  const variable = `${start}FIELDS`
  const json = env[variable]
  if (json) {
    const fields = parseFields(json, variable)
    if (Object.keys(fields).length === 0) throw missing(start, env, `${variable} holds no field: give it at least one.`)
    return new StaticCredential(fields, variable)
  }
  const single = `${start}FIELD_`
  const fields = readUnder(single, env)
  if (fields.length === 0) throw missing(start, env, `Set ${variable} to a JSON object, or ${single}<name> for each field.`)
  return new StaticCredential(Object.fromEntries(fields), `${single}*`)
}

function parseOAuth(start: string, env: Environment): OAuthCredential {
  const variables = oauthVariables(start)
  const read = (property: keyof typeof variables) => env[variables[property]] || undefined
  const accessToken = read('accessToken')
  if (accessToken === undefined) throw missing(start, env, `Set ${variables.accessToken} to the access token.`)
  const expiresAt = read('expiresAt')
  return new OAuthCredential(
    {
      accessToken,
      refreshToken: read('refreshToken'),
      clientId: read('clientId'),
      clientSecret: read('clientSecret'),
      tokenUri: read('tokenUri'),
      scopes: splitScopes(read('scopes') ?? ''),
      expiresAt: expiresAt === undefined ? undefined : parseTimestamp(expiresAt, variables.expiresAt),
      extra: readExtra(`${start}EXTRA_`, env),
    },
    { ...variables, extra: `${start}EXTRA_*` },
  )
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
