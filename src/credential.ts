import { assertObject, CredentialError, misuse } from './errors.ts'
import {
  assertNo,
  copyJsonObject,
  dateProblem,
  describeField,
  fieldNameProblem,
  nonEmptyTextProblem,
  scopesProblem,
  textProblem,
  tokenProblem,
} from './values.ts'
import type { JsonObject } from './values.ts'

/** The two kinds of credential: named secrets such as an API key, and an OAuth 2.0 access token. */
export type CredentialType = 'static' | 'oauth'

/** Secrets by name. */
export type Fields = Readonly<Record<string, string>>

/** What an {@link OAuthCredential} is made of; only `accessToken` is required. */
export interface OAuthProperties {
  readonly accessToken: string
  readonly refreshToken?: string | undefined
  readonly clientId?: string | undefined
  readonly clientSecret?: string | undefined
  readonly tokenUri?: string | undefined
  readonly scopes?: readonly string[] | undefined
  readonly expiresAt?: Date | undefined
  readonly extra?: JsonObject | undefined
}

const REDACTED = '[redacted]'
const NOTHING: Readonly<Record<string, never>> = Object.freeze(Object.create(null))

/**
 * A set of named secrets, such as an API key. It never prints one.
 *
 * @param fields - the secrets by name; at least one
 * @param origin - where they come from, such as the name of a variable, to be named in errors
 * @throws CredentialError `ERR_CREDENTIAL_MISSING` without any field; `ERR_CREDENTIAL_INVALID` for a bad name or value
 * @example
 * new StaticCredential({ apiKey: 'not-a-real-key' }).field('apiKey')
 */
export class StaticCredential {
  // What only an OAuthCredential has reads as undefined, so that a ResolvedCredential need not be narrowed first.
  declare readonly accessToken: undefined
  declare readonly refreshToken: undefined
  declare readonly clientId: undefined
  declare readonly clientSecret: undefined
  declare readonly tokenUri: undefined
  declare readonly scopes: undefined
  declare readonly expiresAt: undefined

  readonly #fields: Record<string, string> = Object.create(null)

  constructor(fields: Fields, origin?: string) {
    assertObject(fields, 'The fields of a credential')
    const entries = Object.entries(fields)
    if (entries.length === 0) throw new CredentialError('ERR_CREDENTIAL_MISSING', 'A static credential needs a field.')
    entries.forEach(([name, value], index) => {
      const field = describeField(name, index + 1)
      assertNo(fieldNameProblem(name) ?? textProblem(value), origin === undefined ? field : `${origin}: ${field}`)
      this.#fields[name] = value
    })
    Object.freeze(this)
  }

  get type(): 'static' {
    return 'static'
  }

  /** The secrets, to be taken out on purpose (`{ ...fields }`); as JSON, text or in a log each shows as `[redacted]`. */
  get fields(): Fields {
    return Object.isFrozen(this.#fields) ? this.#fields : freezeFields(this.#fields)
  }

  get extra(): JsonObject {
    return NOTHING
  }

  /**
   * The value of one field.
   *
   * @param name - the field's name, in its own case
   * @throws CredentialError `ERR_CREDENTIAL_MISSING` when the field is absent or empty; the message lists those there are
   * @example
   * const apiKey = getCredentials('static').field('apiKey')
   */
  field(name: string): string {
    const value: unknown = this.#fields[name]
    if (typeof value === 'string' && value !== '') return value
    const present = Object.keys(this.#fields).map((key, index) => describeField(key, index + 1))
    throw new CredentialError(
      'ERR_CREDENTIAL_MISSING',
      `The credential has no value for ${describeField(name)}. It has ${present.join(', ')}.`,
    )
  }

  /** Always `false`: static secrets carry no expiry. */
  isExpired(_leewaySeconds?: number): boolean {
    return false
  }

  toJSON(): object {
    return { type: this.type, fields: redactFields(this.#fields) }
  }

  toString(): string {
    return `StaticCredential ${JSON.stringify(this)}`
  }
}

/**
 * An OAuth 2.0 access token with what belongs to it. It never prints a secret.
 *
 * @param properties - `accessToken` (RFC 6749 A.12, without spaces) and what else is known; `expiresAt` is a `Date`,
 *   `extra` holds JSON values at most 16 levels deep
 * @param origins - where each property comes from, such as the name of a header, to be named in errors
 * @throws CredentialError `ERR_CREDENTIAL_MISSING` without a token; `ERR_CREDENTIAL_INVALID` for a value that breaks
 *   its grammar
 * @example
 * new OAuthCredential({ accessToken: 'not-a-real-token', scopes: ['repo'], expiresAt: new Date(Date.now() + 3_600_000) })
 */
export class OAuthCredential {
  readonly #accessToken: string
  readonly #refreshToken: string | undefined
  readonly #clientId: string | undefined
  readonly #clientSecret: string | undefined
  readonly #tokenUri: string | undefined
  readonly #scopes: readonly string[] | undefined
  readonly #expiresAt: number | undefined
  readonly #extra: JsonObject

  constructor(properties: OAuthProperties, origins: Partial<Record<keyof OAuthProperties, string>> = {}) {
    assertObject(properties, 'The properties of a credential')
    const { accessToken, refreshToken, clientId, clientSecret, tokenUri, scopes, expiresAt, extra } = properties
    if (accessToken === undefined || accessToken === '') {
      throw new CredentialError('ERR_CREDENTIAL_MISSING', `An OAuth credential needs ${origins.accessToken ?? 'accessToken'}.`)
    }
    assertNo(tokenProblem(accessToken), origins.accessToken ?? 'accessToken')
    this.#accessToken = accessToken
    this.#refreshToken = checkedText(refreshToken, origins.refreshToken ?? 'refreshToken')
    this.#clientId = checkedText(clientId, origins.clientId ?? 'clientId')
    this.#clientSecret = checkedText(clientSecret, origins.clientSecret ?? 'clientSecret')
    this.#tokenUri = checkedText(tokenUri, origins.tokenUri ?? 'tokenUri')
    this.#scopes = checkedScopes(scopes, origins.scopes ?? 'scopes')
    this.#expiresAt = checkedTime(expiresAt, origins.expiresAt ?? 'expiresAt')
    this.#extra = extra === undefined ? NOTHING : copyJsonObject(extra, origins.extra ?? 'extra')
    Object.freeze(this)
  }

  get type(): 'oauth' {
    return 'oauth'
  }

  get fields(): Fields {
    return NOTHING
  }

  /**
   * An OAuth credential has no fields.
   *
   * @throws CredentialError `ERR_CREDENTIAL_TYPE`, always
   */
  field(_name: string): never {
    throw new CredentialError('ERR_CREDENTIAL_TYPE', 'The credential is of type "oauth", which has no fields.')
  }

  get accessToken(): string {
    return this.#accessToken
  }

  get refreshToken(): string | undefined {
    return this.#refreshToken
  }

  get clientId(): string | undefined {
    return this.#clientId
  }

  get clientSecret(): string | undefined {
    return this.#clientSecret
  }

  get tokenUri(): string | undefined {
    return this.#tokenUri
  }

  get scopes(): readonly string[] | undefined {
    return this.#scopes
  }

  /** When the access token expires, in a `Date` of the caller's own; `undefined` when unknown. */
  get expiresAt(): Date | undefined {
    return this.#expiresAt === undefined ? undefined : new Date(this.#expiresAt)
  }

  get extra(): JsonObject {
    return this.#extra
  }

  /**
   * Whether the access token has expired, or will within the leeway; `false` when its expiry is unknown.
   *
   * @param leewaySeconds - seconds, 0 or more; default 60
   * @throws TypeError `ERR_INVALID_ARG_VALUE` for a leeway that is no such number
   * @example
   * if (getCredentials('oauth').isExpired()) return 'Your session has expired: connect the account again.'
   */
  isExpired(leewaySeconds = 60): boolean {
    // NaN would make every comparison false, and so no token ever expire.
    if (!(leewaySeconds >= 0)) throw misuse('ERR_INVALID_ARG_VALUE', 'leewaySeconds must be a number, 0 or more.')
    return this.#expiresAt !== undefined && this.#expiresAt <= Date.now() + leewaySeconds * 1000
  }

  toJSON(): object {
    return {
      type: this.type,
      accessToken: REDACTED,
      ...(this.#refreshToken !== undefined && { refreshToken: REDACTED }),
      ...(this.#clientSecret !== undefined && { clientSecret: REDACTED }),
      scopes: this.#scopes,
      expiresAt: this.expiresAt,
      extra: this.#extra,
    }
  }

  toString(): string {
    return `OAuthCredential ${JSON.stringify(this)}`
  }
}

/** What a tool gets. `type` tells the two apart; every property exists on both. */
export type ResolvedCredential = StaticCredential | OAuthCredential

export function assertCredential(value: unknown, receiver: string): void {
  if (value instanceof StaticCredential || value instanceof OAuthCredential) return
  throw misuse(
    'ERR_INVALID_ARG_TYPE',
    `${receiver} takes a StaticCredential or an OAuthCredential of this copy of mcp-credentials: ` +
      'not a plain object, nor a credential from a second copy of the package.',
  )
}

export function assertType(type: CredentialType | undefined): void {
  if (type === undefined || type === 'static' || type === 'oauth') return
  throw misuse('ERR_INVALID_ARG_VALUE', 'The type of a credential is either "static" or "oauth".')
}

function checkedText(text: string | undefined, name: string): string | undefined {
  if (text !== undefined) assertNo(nonEmptyTextProblem(text), name)
  return text
}

function checkedScopes(scopes: readonly string[] | undefined, name: string): readonly string[] | undefined {
  if (scopes === undefined) return undefined
  const copy = Array.isArray(scopes) ? Object.freeze([...scopes]) : scopes
  assertNo(scopesProblem(copy), name)
  return copy.length === 0 ? undefined : copy
}

function checkedTime(date: Date | undefined, name: string): number | undefined {
  if (date === undefined) return undefined
  assertNo(dateProblem(date), name)
  return date.getTime()
}

function redactFields(fields: Fields): Fields {
  return Object.fromEntries(Object.keys(fields).map((name) => [name, REDACTED]))
}

// Node.js and Bun, then Deno.
const INSPECT_HOOKS = [Symbol.for('nodejs.util.inspect.custom'), Symbol.for('Deno.customInspect')]

function freezeFields(fields: Record<string, string>): Fields {
  const print = () => JSON.stringify(fields)
  Object.defineProperty(fields, 'toJSON', { value: () => redactFields(fields) })
  for (const hook of [Symbol.toPrimitive, ...INSPECT_HOOKS]) Object.defineProperty(fields, hook, { value: print })
  return Object.freeze(fields)
}

for (const prototype of [StaticCredential.prototype, OAuthCredential.prototype]) {
  for (const hook of INSPECT_HOOKS) Object.defineProperty(prototype, hook, { value: prototype.toString })
}
