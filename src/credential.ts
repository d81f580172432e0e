import { assertObject, CredentialError, missingCredential, misuse, unknownName } from './errors.ts'
import {
  assertNo,
  copyJsonObject,
  dateProblem,
  describeField,
  fieldNameProblem,
  looksLikeAName,
  REDACTED,
  scopesProblem,
  textProblem,
  tokenProblem,
} from './grammar.ts'
import type { JsonObject, JsonValue, Problem } from './grammar.ts'

/** The two kinds of credential: named secrets such as an API key, and an OAuth 2.0 access token. */
export type CredentialType = 'static' | 'oauth'

/** Secrets by name. */
export type Fields = Readonly<Record<string, string>>

/** What an {@link OAuthCredential} is made of; only `accessToken` is required. */
export interface OAuthProperties {
  /** The access token alone, without `Bearer`. */
  readonly accessToken: string
  /** What a new access token is had with. */
  readonly refreshToken?: string | undefined
  /** The client that the tokens were issued to. */
  readonly clientId?: string | undefined
  /** The client's secret, where it has one. */
  readonly clientSecret?: string | undefined
  /** The token endpoint. */
  readonly tokenUri?: string | undefined
  /** The scopes that were granted. */
  readonly scopes?: readonly string[] | undefined
  /** When the access token expires. */
  readonly expiresAt?: Date | undefined
  /** What else belongs to the account, such as a tenant; no secrets, since it is not scrubbed. */
  readonly extra?: JsonObject | undefined
}

// Node.js and Bun, then Deno.
const INSPECT_HOOKS = [Symbol.for('nodejs.util.inspect.custom'), Symbol.for('Deno.customInspect')]

/** What prints an object prints the text instead. */
function printAs(object: object, text: () => string, ...hooks: symbol[]): void {
  for (const hook of [...hooks, ...INSPECT_HOOKS])
    Object.defineProperty(object, hook, { value: text })
}

const NOTHING: Readonly<Record<string, never>> = Object.freeze(Object.create(null))

// What all maps of fields inherit.
const FIELDS_PROTOTYPE: object = Object.create(null, { toJSON: { value: printedFields } })
printAs(FIELDS_PROTOTYPE, printedText, Symbol.toPrimitive)

function printedFields(this: Fields): JsonValue {
  return redactStrings(this)
}

function printedText(this: Fields): string {
  return JSON.stringify(this)
}

/** A secret that belongs to a credential besides its own, by name. */
export type RelatedSecret = readonly [name: string, value: string]

/** Tells where secrets are in a text, from left to right; `names` gets theirs. */
export type Search = (text: string, names: Set<string>) => [start: number, end: number][]

/** What is remembered of a credential for as long as it lives. */
export interface Memory {
  related?: readonly RelatedSecret[]
  /** What its secrets were last searched with, and what that was made of. */
  search?: { readonly run: Search; readonly parts: readonly unknown[] }
}

// In the credential itself: a weak map cost a call with a new credential 9 of 39 µs, most of it in the garbage collector.
let memoryOfStatic: (credential: StaticCredential) => Memory
let memoryOfOAuth: (credential: OAuthCredential) => Memory

/** What is remembered of a credential. */
export const memoryOf = (credential: ResolvedCredential): Memory =>
  credential.type === 'static' ? memoryOfStatic(credential) : memoryOfOAuth(credential)

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
  static {
    memoryOfStatic = (credential) => credential.#memory
  }

  readonly #fields: Record<string, string> = Object.create(FIELDS_PROTOTYPE)
  readonly #memory: Memory = {}

  constructor(fields: Fields, origin = 'A static credential') {
    assertObject(fields, 'The fields of a credential', "{ apiKey: '…' }")
    const entries = Object.entries(fields)
    if (entries.length === 0) throw missingCredential(`${origin} needs at least one field.`)
    entries.forEach(([name, value], index) => {
      const problem = fieldNameProblem(name) ?? fieldValueProblem(value)
      if (problem) assertNo(problem, `${origin}: ${describeField(name, index + 1)}`)
      this.#fields[name] = value
    })
    Object.freeze(this.#fields)
    Object.freeze(this)
  }

  /** Tells the two classes apart. */
  get type(): 'static' {
    return 'static'
  }

  /** The secrets, to be taken out on purpose (`{ ...fields }`); as JSON, text or in a log each shows as `[redacted]`. */
  get fields(): Fields {
    return this.#fields
  }

  /** Empty: static credentials have none. */
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
    const value = Object.hasOwn(this.#fields, name) && this.#fields[name]
    if (value) return value
    const present = Object.keys(this.#fields).map((key, index) => describeField(key, index + 1))
    throw missingCredential(
      `The credential has no value for ${describeField(name)}; it has ${present.join(', ')}.`,
    )
  }

  /** Always `false`: static secrets carry no expiry. */
  isExpired(_leewaySeconds?: number): boolean {
    return false
  }

  /** Without any secret. */
  toJSON(): object {
    return { type: this.type, fields: redactStrings(this.#fields) }
  }

  /** Without any secret. */
  toString(): string {
    return `StaticCredential ${JSON.stringify(this)}`
  }

  get [Symbol.toStringTag](): string {
    return tagOf('StaticCredential', #fields in this && Object.entries(this.#fields).sort())
  }
}

const fieldValueProblem = (value: unknown): Problem =>
  value === undefined ? 'must be a string, and is undefined: set its variable' : textProblem(value)

/** What only an OAuth credential has reads as `undefined`, so that a {@link ResolvedCredential} need not be narrowed. */
export interface StaticCredential extends Readonly<
  Record<Exclude<keyof OAuthProperties, 'extra'>, undefined>
> {}

const TEXTS = ['refreshToken', 'clientId', 'clientSecret', 'tokenUri'] as const
const PROPERTIES = ['accessToken', ...TEXTS, 'scopes', 'extra'] as const
const NAMES: readonly string[] = [...PROPERTIES, 'expiresAt']

/**
 * An OAuth 2.0 access token with what belongs to it. It never prints a secret.
 *
 * @param properties - `accessToken` (RFC 6749 A.12, without spaces) and what else is known; `expiresAt` is a `Date`,
 *   `extra` holds JSON values at most 16 levels deep
 * @param origins - where each property comes from, such as the name of a header, to be named in errors
 * @throws CredentialError `ERR_CREDENTIAL_MISSING` without a token; `ERR_CREDENTIAL_INVALID` for a value that breaks
 *   its grammar
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for anything but an object, `ERR_INVALID_ARG_VALUE` for a property of another name
 * @example
 * new OAuthCredential({ accessToken: 'not-a-real-token', scopes: ['repo'], expiresAt: new Date(Date.now() + 3_600_000) })
 */
export class OAuthCredential {
  static {
    memoryOfOAuth = (credential) => credential.#memory
  }

  readonly #values: Values
  readonly #memory: Memory = {}

  static {
    const { prototype } = this
    for (const property of PROPERTIES) {
      const get = function (this: OAuthCredential) {
        return this.#values[property]
      }
      Object.defineProperty(prototype, property, { get })
    }
  }

  constructor(
    properties: OAuthProperties,
    origins: Partial<Record<keyof OAuthProperties, string>> = {},
  ) {
    assertObject(properties, 'The properties of a credential', "{ accessToken: '…' }")
    const misspelt = Object.keys(properties).find((name) => !NAMES.includes(name))
    // Of "expires_at" nothing would come, and the token would never expire.
    if (misspelt) throw unknownName(misspelt, 'a property of an OAuth credential', NAMES.join(', '))
    const nameOf = (property: keyof OAuthProperties) => origins[property] ?? property
    const { accessToken, refreshToken, clientId, clientSecret, tokenUri } = properties
    if (accessToken === undefined || accessToken === '')
      throw missingCredential(`An OAuth credential needs ${nameOf('accessToken')}.`)
    assertNo(tokenProblem(accessToken), nameOf('accessToken'))
    for (const property of TEXTS) assertNo(partProblem(properties[property]), nameOf(property))
    const { scopes, expiresAt, extra } = properties
    if (scopes !== undefined) assertNo(scopesProblem(scopes), nameOf('scopes'))
    if (expiresAt !== undefined) assertNo(dateProblem(expiresAt), nameOf('expiresAt'))
    this.#values = {
      accessToken,
      refreshToken,
      clientId,
      clientSecret,
      tokenUri,
      scopes: scopes?.length ? Object.freeze([...scopes]) : undefined,
      expiresAt: expiresAt?.getTime(),
      extra: extra === undefined ? NOTHING : copyJsonObject(extra, nameOf('extra')),
    }
    Object.freeze(this)
  }

  /** Tells the two classes apart. */
  get type(): 'oauth' {
    return 'oauth'
  }

  /** Empty: OAuth credentials have none. */
  get fields(): Fields {
    return NOTHING
  }

  /** When the access token expires, as a `Date` of the caller's own; `undefined` when that is unknown. */
  get expiresAt(): Date | undefined {
    const { expiresAt } = this.#values
    return expiresAt === undefined ? undefined : new Date(expiresAt)
  }

  /**
   * An OAuth credential has no fields.
   *
   * @throws CredentialError `ERR_CREDENTIAL_TYPE`, always
   */
  field(_name: string): never {
    const message = 'The credential is of type "oauth", which has no fields: use accessToken.'
    throw new CredentialError('ERR_CREDENTIAL_TYPE', message)
  }

  /**
   * Whether the access token has expired, or will within the leeway; `false` when its expiry is unknown.
   *
   * @param leewaySeconds - seconds, 0 or more; default 60
   * @throws TypeError `ERR_INVALID_ARG_VALUE` for any other leeway
   * @example
   * if (getCredentials('oauth').isExpired()) return 'The session has expired: connect the account again.'
   */
  isExpired(leewaySeconds = 60): boolean {
    // NaN would make every comparison false, so that no token ever expired.
    if (!(leewaySeconds >= 0))
      throw misuse('ERR_INVALID_ARG_VALUE', 'leewaySeconds must be a number, 0 or more.')
    const { expiresAt } = this.#values
    return expiresAt !== undefined && expiresAt <= Date.now() + leewaySeconds * 1000
  }

  /** Without any secret. */
  toJSON(): object {
    const { refreshToken, clientSecret, scopes, extra } = this.#values
    return {
      type: this.type,
      accessToken: REDACTED,
      refreshToken: refreshToken && REDACTED,
      clientSecret: clientSecret && REDACTED,
      scopes,
      expiresAt: this.expiresAt,
      extra: redactStrings(extra),
    }
  }

  /** Without any secret. */
  toString(): string {
    return `OAuthCredential ${JSON.stringify(this)}`
  }

  get [Symbol.toStringTag](): string {
    return tagOf('OAuthCredential', #values in this && this.#values)
  }
}

// Its properties are found in #values, as they are.
export interface OAuthCredential extends Readonly<Omit<Values, 'expiresAt'>> {}

interface Values extends Omit<OAuthProperties, 'expiresAt' | 'extra'> {
  /** In milliseconds since 1970. */
  readonly expiresAt: number | undefined
  /** What else belongs to the account, such as a tenant. */
  readonly extra: JsonObject
}

function partProblem(value: unknown): Problem {
  if (value === '') return 'must not be empty'
  return value === undefined ? undefined : textProblem(value)
}

/** What a tool gets. `type` tells the two apart; every property exists on both. */
export type ResolvedCredential = StaticCredential | OAuthCredential

/** Has whatever is scrubbed of a credential scrubbed of these as well: the tokens that it was refreshed from, say. */
export function relateSecrets(
  credential: ResolvedCredential,
  secrets: readonly RelatedSecret[],
): void {
  memoryOf(credential).related = [...relatedSecrets(credential), ...secrets]
}

/** What relateSecrets was told of a credential. */
export const relatedSecrets = (credential: ResolvedCredential): readonly RelatedSecret[] =>
  memoryOf(credential).related ?? []

/** Whether a value is a credential of this copy of the package. */
export const isCredential = (value: unknown): value is ResolvedCredential =>
  value instanceof OAuthCredential || value instanceof StaticCredential

/** Refuses anything but a credential of this copy of the package; `requirement` says who takes one. */
export function assertCredential(value: unknown, requirement: string): void {
  if (isCredential(value)) return
  const classes = 'a StaticCredential or an OAuthCredential, made with new'
  const others = 'not a plain object, nor a credential of a second copy of the package'
  throw misuse('ERR_INVALID_ARG_TYPE', `${requirement} ${classes}: ${others}.`)
}

/** Refuses a type that does not exist. */
export function assertType(type: CredentialType | undefined): void {
  const isKnown = type === undefined || type === 'static' || type === 'oauth'
  if (!isKnown)
    throw misuse('ERR_INVALID_ARG_VALUE', 'The type of a credential is either "static" or "oauth".')
}

/** The type to read; fields are those of a static credential. */
export function typeFor(
  type: CredentialType | undefined,
  fields: readonly string[] | undefined,
): CredentialType | undefined {
  assertType(type)
  if (fields === undefined) return type
  if (type !== 'oauth') return 'static'
  throw misuse('ERR_INVALID_ARG_VALUE', 'The option fields is for { type: "static" }.')
}

// What is printed

const printedName = (name: string, index: number): string =>
  looksLikeAName(name) ? name : describeField(name, index + 1)

/** All that fields are, and what people put into `extra`, where no secret belongs. */
function redactStrings(value: JsonValue): JsonValue {
  if (typeof value === 'string') return REDACTED
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(redactStrings)
  const entries = Object.entries(value).map(([key, part], index) => [
    printedName(key, index),
    redactStrings(part),
  ])
  return Object.fromEntries(entries)
}

printAs(StaticCredential.prototype, StaticCredential.prototype.toString)
printAs(OAuthCredential.prototype, OAuthCredential.prototype.toString)

const SEED = Math.floor(Math.random() * 2 ** 32)

/**
 * Test runners do not see private fields, but compare tags: by this one, credentials with different secrets differ. It is 16
 * bits of an FNV-1a hash, and starts with a random number, so that it tells nothing of the secrets.
 */
function tagOf(name: string, secrets: unknown): string {
  // The class itself has none.
  if (secrets === false) return name
  let hash = SEED
  for (const character of JSON.stringify(secrets))
    hash = Math.imul(hash ^ Number(character.codePointAt(0)), 16_777_619)
  return `${name} ${(hash >>> 16).toString(16)}`
}
