import { OAuthCredential, StaticCredential, typeFor } from './credential.ts'
import type { CredentialType, OAuthProperties, ResolvedCredential } from './credential.ts'
import {
  assertObject,
  assertOptions,
  CredentialError,
  invalidCredential,
  misuse,
} from './errors.ts'
import {
  assertNo,
  describeField,
  listed,
  missingFields,
  needsValues,
  parseFields,
  parseScopes,
  parseTimestamp,
} from './grammar.ts'
import type { JsonObject, Problem } from './grammar.ts'

/** Environment variables by name, such as `process.env`. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Options of {@link parseEnv}. */
export interface ParseEnvOptions {
  /** The fields that a static credential must have, such as `['apiKey', 'baseUrl']`; by default any one will do. */
  readonly fields?: readonly string[] | undefined
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

const OAUTH_VARIABLES = {
  accessToken: 'ACCESS_TOKEN',
  refreshToken: 'REFRESH_TOKEN',
  clientId: 'CLIENT_ID',
  clientSecret: 'CLIENT_SECRET',
  tokenUri: 'TOKEN_URI',
  scopes: 'SCOPES',
  expiresAt: 'EXPIRES_AT',
} as const

type OAuthVariable = keyof typeof OAUTH_VARIABLES

const OAUTH_PROPERTIES = Object.keys(OAUTH_VARIABLES) as OAuthVariable[]

/** Whether parseEnv reads a variable, by what stands behind the prefix in its name. */
export const isVariable = (name: string): boolean =>
  /^(?:CRED_TYPE|FIELDS|(?:FIELD|EXTRA)_.+)$/s.test(name) ||
  Object.values<string>(OAUTH_VARIABLES).includes(name)

/**
 * Reads a credential from environment variables; one that is set to the empty string counts as not set.
 *
 * @param prefix - what the names of the variables start with, upper-cased; usually ends in `_`, may be empty
 * @param env - the variables, such as `process.env`
 * @param type - the type to read; by default `{PREFIX}CRED_TYPE`, or else what is set, decides
 * @param options - the `fields` that a static credential must have
 * @throws CredentialError `ERR_CREDENTIAL_MISSING` when nothing is set, `ERR_CREDENTIAL_INVALID` for a value that breaks
 *   its grammar and for a field that is missing, `ERR_CREDENTIAL_TYPE` when `{PREFIX}CRED_TYPE` contradicts `type`
 * @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE` for arguments of another kind
 * @example
 * parseEnv('GITHUB_', { GITHUB_ACCESS_TOKEN: 'not-a-real-token' }, 'oauth').accessToken
 */
export function parseEnv(
  prefix: string,
  env: Environment,
  type: 'static',
  options?: ParseEnvOptions,
): StaticCredential
export function parseEnv(prefix: string, env: Environment, type: 'oauth'): OAuthCredential
export function parseEnv(
  prefix: string,
  env: Environment,
  type?: CredentialType,
  options?: ParseEnvOptions,
): ResolvedCredential
export function parseEnv(
  prefix: string,
  env: Environment,
  type?: CredentialType,
  options: ParseEnvOptions = {},
): ResolvedCredential {
  assertObject(env, 'The environment', 'process.env')
  assertOptions(options, 'parseEnv', { fields: ['strings'] })
  const { fields } = options
  const asked = typeFor(type, fields)
  const variables = new Variables(prefix, env)
  return asServerFault(() =>
    typeToRead(variables, asked) === 'oauth'
      ? parseOAuth(variables)
      : parseStatic(variables, fields),
  )
}

/** As parseEnv for OAuth; without an access token, what it takes to get one. */
export function parseRefreshableEnv(
  prefix: string,
  env: Environment,
): OAuthCredential | RefreshGrant {
  const variables = new Variables(prefix, env)
  return asServerFault(() => {
    typeToRead(variables, 'oauth')
    return variables.read('ACCESS_TOKEN') ? parseOAuth(variables) : parseGrant(variables)
  })
}

function parseGrant(variables: Variables): RefreshGrant {
  const { start } = variables
  const { refreshToken, clientId, tokenUri, ...properties } = readProperties(variables)
  if (!refreshToken || !clientId || !tokenUri) {
    const others = `${start}REFRESH_TOKEN, ${start}CLIENT_ID and ${start}TOKEN_URI`
    const advice = `Set ${start}ACCESS_TOKEN to the access token, or ${others} to get one.`
    throw missing(variables, advice, 'oauth')
  }
  const { clientSecret, scopes, extra } = properties
  // Frozen, so that a refresher knows it again without a look at what is in it.
  return Object.freeze({ refreshToken, clientId, tokenUri, clientSecret, scopes, extra })
}

/** The environment is the server's own, whatever is wrong with it. */
function asServerFault<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error
    throw new CredentialError(error.code, error.message, { isServerFault: true })
  }
}

/** The name of the variable that holds a property. */
export const variableOf = (prefix: string, property: OAuthVariable): string =>
  prefix.toUpperCase() + OAUTH_VARIABLES[property]

/** The names of all variables that parseEnv may look at: those of one type, where that is declared. */
export function variableNames(
  prefix: string,
  env: Environment,
  type: CredentialType | undefined,
): string[] {
  const variables = new Variables(prefix, env)
  const names = ['CRED_TYPE']
  // Of the other type Deno may not allow any to be read.
  const declared = type ?? variables.read('CRED_TYPE')
  if (declared !== 'oauth') names.push('FIELDS', ...(variables.list('FIELD_') ?? []))
  if (declared !== 'static')
    names.push(...Object.values(OAUTH_VARIABLES), ...(variables.list('EXTRA_') ?? []))
  return names.map((name) => variables.start + name)
}

/** Refuses a prefix that is not a string. */
export function assertPrefix(prefix: unknown): void {
  if (typeof prefix === 'string') return
  throw misuse(
    'ERR_INVALID_ARG_TYPE',
    'The prefix of the variables must be a string, such as "WEATHER_".',
  )
}

/** The variables of a prefix, by what stands behind it in their names. */
class Variables {
  readonly start: string
  readonly #env: Environment

  constructor(prefix: string, env: Environment) {
    assertPrefix(prefix)
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

  listSet(): string[] {
    return (this.list('') ?? []).filter((name) => this.isSet(name))
  }

  isSet(name: string): boolean {
    const value = this.#get(name)
    return value !== undefined && value !== ''
  }

  /** The value of a variable that is set. */
  read(name: string): string | undefined {
    if (!this.isSet(name)) return undefined
    const value = this.#get(name)
    assertNo(valueProblem(value), this.start + name)
    return String(value)
  }

  #get(name: string): unknown {
    const { start } = this
    try {
      return this.#env[start + name]
    } catch (error) {
      if (error instanceof CredentialError) throw error
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
      return value === undefined ? [] : [[name.slice(part.length), value]]
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

/** What people paste, and what no shell or .env loader has changed. */
function valueProblem(value: unknown): Problem {
  // Workers can bind other things than strings.
  if (typeof value !== 'string') return 'must be a string'
  if (/^(["']).*\1$/s.test(value)) return 'has quotes around it, which nothing removes: omit them'
  if (/^\$\{[\w:.-]+\}$/.test(value))
    return 'refers to a variable, which nothing has expanded: write the value itself'
  return undefined
}

function typeToRead(variables: Variables, type: CredentialType | undefined): CredentialType {
  const variable = `${variables.start}CRED_TYPE`
  const declared = variables.read('CRED_TYPE') ?? type ?? typeOfWhatIsSet(variables)
  if (declared !== 'static' && declared !== 'oauth')
    throw invalidCredential(`${variable} must be static or oauth, in lower case.`)
  if (type === undefined || declared === type) return declared
  throw new CredentialError(
    'ERR_CREDENTIAL_TYPE',
    `${variable} says ${declared}, but this server asks for ${type}: set it to ${type}, or remove it.`,
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
  if (isOAuth) return 'oauth'
  if (isStatic) return 'static'
  const advice = `Set ${start}ACCESS_TOKEN for OAuth, or ${start}FIELDS or ${start}FIELD_<name> for an API key.`
  throw missing(variables, advice, undefined)
}

function parseStatic(variables: Variables, required: readonly string[] = []): StaticCredential {
  const { start } = variables
  const json = variables.read('FIELDS')
  const origin = json ? `${start}FIELDS` : `${start}FIELD_*`
  const fields = json ? parseFields(json, origin) : Object.fromEntries(variables.readFields())
  const names = missingFields(fields, required)
  const single = listed(names.map((name) => `${start}FIELD_${name}`))
  if (Object.keys(fields).length === 0) {
    const each = single || `${start}FIELD_<name> for each`
    const advice = `Set ${start}FIELDS to a JSON object with a field, or ${each}.`
    throw missing(variables, advice, 'static', names)
  }
  if (names.length === 0) return new StaticCredential(fields, origin)
  if (json) throw invalidCredential(needsValues(origin, names))
  throw invalidCredential(`Set ${single}.${hintOfName(variables, 'static', names)}`)
}

function parseOAuth(variables: Variables): OAuthCredential {
  const { start } = variables
  const { accessToken, ...properties } = readProperties(variables)
  if (accessToken === undefined)
    throw missing(variables, `Set ${start}ACCESS_TOKEN to the access token.`, 'oauth')
  const origins: Partial<Record<keyof OAuthProperties, string>> = { extra: `${start}EXTRA_*` }
  for (const property of OAUTH_PROPERTIES) origins[property] = start + OAUTH_VARIABLES[property]
  return new OAuthCredential({ ...properties, accessToken }, origins)
}

function readProperties(variables: Variables) {
  const read = (property: OAuthVariable) => variables.read(OAUTH_VARIABLES[property])
  const nameOf = (property: OAuthVariable) => variables.start + OAUTH_VARIABLES[property]
  const texts = {
    accessToken: read('accessToken'),
    refreshToken: read('refreshToken'),
    clientId: read('clientId'),
    clientSecret: read('clientSecret'),
    tokenUri: read('tokenUri'),
  }
  const list = read('scopes')
  const scopes = list === undefined ? undefined : parseScopes(list, nameOf('scopes'))
  const time = read('expiresAt')
  const expiresAt = time === undefined ? undefined : parseTimestamp(time, nameOf('expiresAt'))
  return { ...texts, scopes, expiresAt, extra: readExtra(variables) }
}

function readExtra(variables: Variables): Readonly<Record<string, string>> {
  const extra: Record<string, string> = Object.create(null)
  variables.readUnder('EXTRA_').forEach(([name, value], index) => {
    const key = name.toLowerCase()
    const variable = `${variables.start}EXTRA_*: ${describeField(key, index + 1)}`
    if (key === '') assertNo('has an empty name', variable)
    if (key in extra) assertNo('is set twice, in different case: remove one', variable)
    extra[key] = value
  })
  return extra
}

function missing(
  variables: Variables,
  advice: string,
  type: CredentialType | undefined,
  fields: readonly string[] = [],
): CredentialError {
  const hint = hintOfType(variables, type) || hintOfName(variables, type, fields)
  return new CredentialError('ERR_CREDENTIAL_MISSING', advice + hint)
}

// Hints: what may have been meant, by the names of the variables that are set

function hintOfType(variables: Variables, type: CredentialType | undefined): string {
  const { start } = variables
  if (start !== '' && !start.endsWith('_') && variables.list('_')?.length)
    return ` There are variables that start with ${start}_: is that the prefix?`
  const field = variables.listSet().find((name) => /^FIELDS$|^FIELD_./.test(name))
  if (type === 'oauth' && field) return ` ${start}${field} is set: did you mean { type: "static" }?`
  if (type === 'static' && variables.isSet('ACCESS_TOKEN'))
    return ` ${start}ACCESS_TOKEN is set: did you mean { type: "oauth" }?`
  return ''
}

function hintOfName(
  variables: Variables,
  type: CredentialType | undefined,
  fields: readonly string[],
): string {
  const { start } = variables
  const wanted = fields.map((name) => `FIELD_${name}`)
  if (type !== 'static') wanted.push(...Object.values(OAUTH_VARIABLES))
  for (const name of variables.listSet()) {
    const spelling = spellingOf(name)
    const alike = wanted.find((variable) => spellingOf(variable) === spelling)
    // Without a prefix, everything that the shell sets would be a candidate.
    const guess = start === '' ? undefined : guessFrom(name, type, fields)
    const meant = alike ?? guess
    if (meant !== undefined && !variables.isSet(meant))
      return ` ${start}${name} is set: did you mean ${start}${meant}?`
  }
  return ''
}

function guessFrom(
  name: string,
  type: CredentialType | undefined,
  fields: readonly string[],
): string | undefined {
  if (type !== 'static') {
    if (/(?:^|_)(?:TOKEN|PAT)$/.test(name)) return OAUTH_VARIABLES.accessToken
    if (/TOKEN_(?:URL|ENDPOINT)$/.test(name)) return OAUTH_VARIABLES.tokenUri
  }
  const isKey = /(?:^|_)(?:KEY|TOKEN|PAT|SECRET|PASSWORD)$/.test(name)
  if (type === 'oauth' || fields.length > 0 || !isKey) return undefined
  return `FIELD_${toCamelCase(name)}`
}

const spellingOf = (name: string): string =>
  name
    .replace(/^FIELD_/i, '')
    .replaceAll('_', '')
    .toLowerCase()

const toCamelCase = (name: string): string =>
  name.toLowerCase().replace(/_+(.)/g, (_, letter: string) => letter.toUpperCase())
