import { OAuthCredential, StaticCredential, typeFor } from './credential.ts'
import type { CredentialType, ResolvedCredential } from './credential.ts'
import {
  assertObject,
  assertOptions,
  CredentialError,
  invalidCredential,
  missingCredential,
  misuse,
} from './errors.ts'
import {
  assertNo,
  describeField,
  listed,
  missingFields,
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

/** The variables by the properties that they hold. */
export const OAUTH_VARIABLES = {
  accessToken: 'ACCESS_TOKEN',
  refreshToken: 'REFRESH_TOKEN',
  clientId: 'CLIENT_ID',
  clientSecret: 'CLIENT_SECRET',
  tokenUri: 'TOKEN_URI',
  scopes: 'SCOPES',
  expiresAt: 'EXPIRES_AT',
} as const

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
  const asked = typeFor(type, options.fields)
  return parseVariables(new Variables(prefix, env), asked, options.fields)
}

type Asked = CredentialType | undefined
type NamedText = [name: string, text: string]

const SECOND = 1000

/** The variables of a prefix, by what stands behind it in their names. */
export class Variables {
  readonly start: string
  /** The names of those that there are; `undefined` in Deno without its permission to list them. */
  readonly names: readonly string[] | undefined
  readonly #env: Environment
  readonly #seen = new Map<string, unknown>()
  #listedAt = Date.now()

  constructor(prefix: string, env: Environment) {
    assertPrefix(prefix)
    this.start = prefix.toUpperCase()
    this.#env = env
    try {
      this.names = this.#listNames()
    } catch {
      // Then only those can be read whose names are known.
    }
  }

  /** Whether one that was read has another value by now, or whether there are others, which is looked at once a second. */
  hasChanged(env: Environment): boolean {
    for (const [variable, value] of this.#seen) if (env[variable] !== value) return true
    // To list the names of 100 variables costs 28 µs, to read one by its name 0.1 µs.
    if (Math.abs(Date.now() - this.#listedAt) < SECOND) return false
    this.#listedAt = Date.now()
    return String(new Variables(this.start, env).names) !== String(this.names)
  }

  isSet(name: string): boolean {
    return Boolean(this.#get(name))
  }

  /** The value of a variable that is set. */
  read(name: string): string | undefined {
    const value = this.#get(name)
    if (value === undefined || value === '') return undefined
    assertNo(valueProblem(value), this.start + name)
    return value as string
  }

  /** What `parse` makes of the value. */
  parse<T>(name: string, parse: (text: string, variable: string) => T): T | undefined {
    const text = this.read(name)
    return text === undefined ? undefined : parse(text, this.start + name)
  }

  /** Those that are set, by what stands behind `part` in their names. */
  readUnder(part: string): NamedText[] {
    return (this.names ?? []).flatMap((name) => {
      const value = name.startsWith(part) ? this.read(name) : undefined
      return value === undefined ? [] : [[name.slice(part.length), value]]
    })
  }

  /** Unlike extras, fields are needed: Deno says by itself what permission it takes to list them. */
  readFields(): NamedText[] {
    if (this.names === undefined) this.#listNames()
    return this.readUnder('FIELD_')
  }

  #listNames(): readonly string[] {
    const variables = Object.keys(this.#env).filter((variable) => variable.startsWith(this.start))
    return variables.map((variable) => variable.slice(this.start.length))
  }

  #get(name: string): unknown {
    const variable = this.start + name
    const value: unknown = this.#env[variable]
    this.#seen.set(variable, value)
    return value
  }
}

/** Refuses a prefix that is not a string. */
export function assertPrefix(prefix: unknown): void {
  if (typeof prefix === 'string') return
  const message = 'The prefix of the variables must be a string, such as "WEATHER_".'
  throw misuse('ERR_INVALID_ARG_TYPE', message)
}

/** What people paste, and what no shell or .env loader has changed. */
function valueProblem(value: unknown): Problem {
  // Workers can bind other things than strings.
  if (typeof value !== 'string') return 'must be a string'
  if (/^(["']).*\1$/s.test(value)) return 'has quotes around it, which nothing removes: omit them'
  if (!/^\$\{[\w:.-]+\}$/.test(value)) return undefined
  return 'refers to a variable, which nothing has expanded: write the value itself'
}

/** As parseEnv. */
export function parseVariables(
  variables: Variables,
  type: Asked,
  fields: readonly string[] | undefined,
): ResolvedCredential {
  return asServerFault(() => {
    const isOAuth = typeToRead(variables, type) === 'oauth'
    return isOAuth ? parseOAuth(variables) : parseStatic(variables, fields)
  })
}

/** As parseEnv for OAuth; without an access token, what it takes to get one. */
export const parseRefreshable = (variables: Variables): OAuthCredential | RefreshGrant =>
  asServerFault(() => {
    typeToRead(variables, 'oauth')
    return variables.isSet('ACCESS_TOKEN') ? parseOAuth(variables) : parseGrant(variables)
  })

/** The environment is the server's own, whatever is wrong with it. */
function asServerFault<T>(parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof CredentialError)) throw error
    throw new CredentialError(error.code, error.message, { isServerFault: true })
  }
}

function typeToRead(variables: Variables, type: Asked): CredentialType {
  const variable = `${variables.start}CRED_TYPE`
  const declared = variables.read('CRED_TYPE') ?? type ?? typeOfWhatIsSet(variables)
  if (declared !== 'static' && declared !== 'oauth')
    throw invalidCredential(`${variable} must be static or oauth, in lower case.`)
  if (type === undefined || declared === type) return declared
  const message = `${variable} says ${declared}, but this server asks for ${type}: set it to ${type}, or remove it.`
  throw new CredentialError('ERR_CREDENTIAL_TYPE', message)
}

function typeOfWhatIsSet(variables: Variables): CredentialType {
  const { start } = variables
  const both = `Both a token and fields are set: set ${start}CRED_TYPE to oauth or static.`
  const isOAuth = variables.isSet('ACCESS_TOKEN') || variables.isSet('REFRESH_TOKEN')
  const isStatic = variables.isSet('FIELDS') || variables.readFields().length > 0
  if (isOAuth && isStatic) throw invalidCredential(both)
  if (isOAuth) return 'oauth'
  if (isStatic) return 'static'
  const advice = `Set ${start}ACCESS_TOKEN for OAuth, or ${start}FIELDS or ${start}FIELD_<name> for an API key.`
  throw missingCredential(advice + hintAt(variables, undefined))
}

function parseStatic(variables: Variables, required: readonly string[] = []): StaticCredential {
  const { start } = variables
  const json = variables.parse('FIELDS', (text, name) => parseFields(text, name, required))
  if (json) return new StaticCredential(json, `${start}FIELDS`)
  const fields = Object.fromEntries(variables.readFields())
  const names = missingFields(fields, required)
  const single = listed(names.map((name) => `${start}FIELD_${name}`))
  if (Object.keys(fields).length === 0) {
    const each = single || `${start}FIELD_<name> for each`
    const advice = `Set ${start}FIELDS to a JSON object with a field, or ${each}.`
    throw missingCredential(advice + hintAt(variables, 'static', names))
  }
  if (names.length === 0) return new StaticCredential(fields, `${start}FIELD_*`)
  throw invalidCredential(`Set ${single}.${hintAt(variables, 'static', names)}`)
}

function parseOAuth(variables: Variables): OAuthCredential {
  const { start } = variables
  const { accessToken, ...properties } = readProperties(variables)
  if (accessToken === undefined)
    throw missingCredential(
      `Set ${start}ACCESS_TOKEN to the access token.${hintAt(variables, 'oauth')}`,
    )
  const origins: Record<string, string> = { extra: `${start}EXTRA_*` }
  for (const [property, name] of Object.entries(OAUTH_VARIABLES)) origins[property] = start + name
  return new OAuthCredential({ ...properties, accessToken }, origins)
}

function parseGrant(variables: Variables): RefreshGrant {
  const { start } = variables
  const { refreshToken, clientId, clientSecret, tokenUri, scopes, extra } =
    readProperties(variables)
  // Frozen, so that a refresher knows it again without a look at what is in it.
  if (refreshToken && clientId && tokenUri)
    return Object.freeze({ refreshToken, clientId, tokenUri, clientSecret, scopes, extra })
  const others = `${start}REFRESH_TOKEN, ${start}CLIENT_ID and ${start}TOKEN_URI`
  const advice = `Set ${start}ACCESS_TOKEN to the access token, or ${others} to get one.`
  throw missingCredential(advice + hintAt(variables, 'oauth'))
}

const readProperties = (variables: Variables) => ({
  accessToken: variables.read('ACCESS_TOKEN'),
  refreshToken: variables.read('REFRESH_TOKEN'),
  clientId: variables.read('CLIENT_ID'),
  clientSecret: variables.read('CLIENT_SECRET'),
  tokenUri: variables.read('TOKEN_URI'),
  scopes: variables.parse('SCOPES', parseScopes),
  expiresAt: variables.parse('EXPIRES_AT', parseTimestamp),
  extra: readExtra(variables),
})

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

// Hints: what may have been meant, by the names of the variables that are set

function hintAt(variables: Variables, type: Asked, fields: readonly string[] = []): string {
  const { start, names = [] } = variables
  if (start !== '' && !start.endsWith('_') && names.some((name) => name.startsWith('_')))
    return ` There are variables that start with ${start}_: is that the prefix?`
  for (const name of names.filter((each) => variables.isSet(each))) {
    const meant = meantBy(name, start, type, fields)
    if (meant === undefined || variables.isSet(meant)) continue
    return ` ${start}${name} is set: did you mean ${meant.startsWith('{') ? meant : start + meant}?`
  }
  return ''
}

function meantBy(name: string, start: string, type: Asked, fields: readonly string[]) {
  if (type === 'oauth' && /^FIELDS$|^FIELD_./.test(name)) return '{ type: "static" }'
  const wanted = fields.map((field) => `FIELD_${field}`)
  if (type !== 'static') wanted.push(...Object.values(OAUTH_VARIABLES))
  const alike = wanted.find((variable) => spellingOf(variable) === spellingOf(name))
  // Where names are declared, any other is something else; without a prefix it may be one of the shell.
  if (alike !== undefined || fields.length > 0 || start === '') return alike
  if (type === 'static' && name === 'ACCESS_TOKEN') return '{ type: "oauth" }'
  if (type !== 'static' && /(?:^|_)(?:TOKEN|PAT)$/.test(name)) return 'ACCESS_TOKEN'
  if (type !== 'static' && /TOKEN_(?:URL|ENDPOINT)$/.test(name)) return 'TOKEN_URI'
  const isKey = /(?:^|_)(?:KEY|TOKEN|PAT|SECRET|PASSWORD)$/.test(name)
  return isKey && type !== 'oauth' ? `FIELD_${toCamelCase(name)}` : undefined
}

const spellingOf = (name: string): string => name.toLowerCase().replace(/^field_|_/g, '')

const toCamelCase = (name: string): string =>
  name.toLowerCase().replace(/_+(.)/g, (_, letter: string) => letter.toUpperCase())
