import { invalidCredential } from './errors.ts'

/** Anything that JSON can write. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject

/** An object of JSON values. */
export interface JsonObject {
  readonly [key: string]: JsonValue
}

/** What is wrong with a value, to stand behind the name of its variable, header or property; never the value. */
export type Problem = string | undefined

/** Refuses a value that has a problem. */
export function assertNo(problem: Problem, name: string): void {
  if (problem !== undefined) throw invalidCredential(`${name} ${problem}.`)
}

/** What stands in place of a secret. */
export const REDACTED = '[redacted]'

/** Whether a name can be shown: a secret can sit where one belongs, as in `{"<the key>": "apiKey"}`. */
export const looksLikeAName = (name: string): boolean => /^[A-Za-z_][\w.-]{0,63}$/.test(name)

/** A field by its name, or by its position where its name does not look like one. */
export function describeField(name: string, position?: number): string {
  if (looksLikeAName(name)) return `field "${name}"`
  return position === undefined ? 'that field' : `field ${position}`
}

/** `a, b and c` */
export const listed = (names: readonly string[]): string =>
  names.join(', ').replace(/, ([^,]*)$/, ' and $1')

// Tokens, scopes and texts

// RFC 6749 A.12: access-token = 1*VSCHAR, where VSCHAR is %x20-7E; here without the space.
const VISIBLE_ASCII = /^[\x21-\x7e]+$/

/** RFC 6749 A.12: what is wrong with an access token. */
export function tokenProblem(value: unknown): Problem {
  if (typeof value !== 'string') return 'must be a string'
  if (VISIBLE_ASCII.test(value)) return undefined
  if (/^bearer\s/i.test(value)) return 'must be the token alone, without "Bearer " before it'
  if (/[\r\n]$/.test(value)) return 'ends with a line break: trim it (was it read from a file?)'
  if (/\s/.test(value)) return 'contains white space, which no token does (was it wrapped?)'
  return 'contains a control character or one outside ASCII, which no token does (was it cut?)'
}

// With the u flag a class of surrogates matches lone ones only.
const LONE_SURROGATE = /[\ud800-\udfff]/u

/** What is wrong with a text that is to be sent as UTF-8. */
export function textProblem(value: unknown): Problem {
  if (typeof value !== 'string') return 'must be a string'
  if (!LONE_SURROGATE.test(value)) return undefined
  return 'holds half of a surrogate pair: its text was cut or decoded wrongly'
}

/** What is wrong with the name of a field. */
export function fieldNameProblem(name: string): Problem {
  if (name === '') return 'has an empty name'
  // The map of fields has a toJSON of its own, which prints them redacted.
  if (name === 'toJSON') return 'must not be called toJSON'
  return keyProblem(name)
}

function keyProblem(key: string): Problem {
  if (key === '__proto__') return 'must not be called __proto__'
  return textProblem(key)
}

/** RFC 6749 section 3.3: what is wrong with a list of scopes. */
export function scopesProblem(scopes: unknown): Problem {
  if (!Array.isArray(scopes)) return 'must be a list of strings, such as ["repo"]'
  const areVisible = scopes.every((scope) => typeof scope === 'string' && VISIBLE_ASCII.test(scope))
  return areVisible ? undefined : 'must hold scopes of visible ASCII characters, without spaces'
}

/**
 * RFC 6749 section 3.3: scopes are separated by spaces, and have no quotes. It allows a comma inside of one, but no
 * provider is known that has any, while many people separate them so, and so does a header that was sent twice.
 */
export function parseScopes(text: string, name: string): string[] {
  if (/[,"]/.test(text)) assertNo('must be separated by spaces, without commas or quotes', name)
  return splitScopes(text)
}

/** RFC 6749 section 3.3: scopes are separated by spaces. */
export const splitScopes = (text: string): string[] => text.match(/\S+/g) ?? []

// Times

/** What is wrong with a time; those that no text of RFC 3339 can give are refused. */
export function dateProblem(date: unknown): Problem {
  if (!(date instanceof Date)) return 'must be a Date, such as new Date("2026-05-04T12:00:00Z")'
  // An invalid Date has the year NaN.
  const year = date.getUTCFullYear()
  if (year >= 0 && year <= 9999) return undefined
  return 'must be a valid Date in the years 0 to 9999'
}

// RFC 3339 section 5.6, date-time; looser where people are: a space for T, no seconds, +0100, +01, no offset, no time. Without
// leap seconds, :60, which a Date does not have.
const DATE = /\d{4}-(?:0[1-9]|1[0-2])-(\d\d)/.source
const TIME = /((?:[01]\d|2[0-3]):[0-5]\d)(?:(:[0-5]\d)(?:\.(\d+))?)?/.source
const OFFSET = /[Zz]|([+-](?:[01]\d|2[0-3]))(?::?([0-5]\d))?/.source
const TIMESTAMP = new RegExp(`^(${DATE})(?:[Tt ]${TIME}(?:${OFFSET})?)?$`)

/** Date.parse must not decide: it takes "0" and 30 February, and reads a time without an offset as local time. */
export function parseTimestamp(text: string, name: string): Date {
  const [, date = '', day, time = '00:00', seconds = ':00', fraction = '', hours, minutes = '00'] =
    TIMESTAMP.exec(text) ?? []
  const local = `${date}T${time}${seconds}.${`${fraction}000`.slice(0, 3)}`
  const inUtc = new Date(`${local}Z`)
  // 30 February has become another day.
  if (inUtc.getUTCDate() !== Number(day))
    throw invalidCredential(`${name} must be a time as in RFC 3339, such as 2026-05-04T12:00:00Z.`)
  return hours === undefined ? inUtc : new Date(`${local}${hours}:${minutes}`)
}

// Forms and JSON

/** application/x-www-form-urlencoded, as the URL standard writes it. */
export function formEncode(text: string): string {
  const strict = encodeURIComponent(text).replace(/[!'()~]/g, percentEncode)
  return strict.replace(/%20/g, '+')
}

const percentEncode = (character: string): string =>
  `%${character.charCodeAt(0).toString(16).toUpperCase()}`

/** A character as JSON escapes it. */
export const escapeUnicode = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** Drops the SyntaxError of a bad text: engines quote their input in it, some of them whole. */
export function parseJson(text: string, name: string, example: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // As Python prints it, and as JavaScript takes it.
    const isOfPython = /^\s*[[{]\s*'/.test(text)
    const advice = isOfPython ? ': its strings need double quotes' : `, such as ${example}`
    throw invalidCredential(`${name} is not valid JSON${advice}.`)
  }
}

// These run over texts that JSON.parse has taken.
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/.source
const STRING_OR_NUMBER = new RegExp(`${STRING}|-?\\d[\\d.eE+-]*`, 'g')
const STRING_OR_BRACE = new RegExp(`${STRING}(?:\\s*:)?|[{}]`, 'g')

/** A JSON object in which no key appears twice: JSON.parse keeps the last of two, other parsers the first. */
export function parseJsonObject(text: string, name: string, example: string): JsonObject {
  const value = parseJson(text, name, example)
  if (!isPlainObject(value))
    throw invalidCredential(`${name} must be a JSON object, such as ${example}.`)
  // A colon follows each key: where there are no more of them than keys that were kept, none appears twice.
  if (text.split(':').length > Object.keys(value).length + 1) assertNoDuplicateKey(text, name)
  return value as JsonObject
}

function assertNoDuplicateKey(text: string, name: string): void {
  const objects: Set<string>[] = []
  for (const [part] of text.matchAll(STRING_OR_BRACE)) {
    if (part === '{') objects.push(new Set())
    else if (part === '}') objects.pop()
    else if (part.endsWith(':')) {
      const key: string = JSON.parse(part.slice(0, -1))
      const keys = objects.at(-1)
      if (keys?.has(key))
        assertNo('appears twice: remove one', `${name}: ${describeField(key, keys.size)}`)
      keys?.add(key)
    }
  }
}

/** The fields of a JSON object of strings and integers; an integer keeps its digits, `null` counts as absent. Some are required. */
export function parseFields(
  text: string,
  name: string,
  required: readonly string[] | undefined,
): Record<string, string> {
  parseJsonObject(text, name, '{"apiKey":"…"}')
  // JSON.parse would round a long integer: in quotes it keeps every digit.
  const quoted = text.replace(STRING_OR_NUMBER, (part) =>
    /^(?:0|-?[1-9]\d*)$/.test(part) ? `"${part}"` : part,
  )
  const fields: Record<string, string> = Object.create(null)
  const parsed: JsonObject = JSON.parse(quoted)
  Object.entries(parsed).forEach(([field, value], index) => {
    if (typeof value === 'string') fields[field] = value
    else if (value !== null)
      assertNo(fieldProblem(value), `${name}: ${describeField(field, index + 1)}`)
  })
  const missing = missingFields(fields, required).map((field) => `"${field}"`)
  if (missing.length > 0) throw invalidCredential(`${name} needs a value for ${listed(missing)}.`)
  return fields
}

function fieldProblem(value: JsonValue): Problem {
  if (Object.is(value, -0)) return 'is -0, which others read as 0: put it in quotes'
  if (typeof value === 'object') return 'must be a string, not an object or a list'
  return 'must be a string: put it in quotes'
}

/** The fields that a server has declared, and that are absent or empty. */
export function missingFields(
  fields: Readonly<Record<string, string>>,
  required: readonly string[] = [],
): string[] {
  return required.filter((field) => !Object.hasOwn(fields, field) || fields[field] === '')
}

const NOT_JSON =
  'must be a JSON object, and hold nothing but JSON: leave out what is undefined, and write dates as strings'

/** A deep-frozen copy without prototypes; anything that JSON does not have is refused. */
export function copyJsonObject(value: unknown, name: string, depth = 1): JsonObject {
  if (!isPlainObject(value)) throw invalidCredential(`${name} ${NOT_JSON}.`)
  const copy: Record<string, JsonValue> = Object.create(null)
  for (const [key, part] of Object.entries(value)) {
    const problem = keyProblem(key)
    if (problem) assertNo(problem, `${name}: a key in it`)
    copy[key] = copyJson(part, name, depth + 1)
  }
  return Object.freeze(copy)
}

function copyJson(value: unknown, name: string, depth: number): JsonValue {
  if (value === null || typeof value === 'boolean') return value
  if (typeof value === 'string') {
    assertNo(textProblem(value), name)
    return value
  }
  if (typeof value === 'number') {
    assertNo(numberProblem(value), name)
    // Of -0, which JSON.stringify writes as 0.
    return value + 0
  }
  if (depth > 16) throw invalidCredential(`${name} is nested more than 16 levels deep.`)
  if (!Array.isArray(value)) return copyJsonObject(value, name, depth)
  return Object.freeze(Array.from(value, (item) => copyJson(item, name, depth + 1)))
}

function numberProblem(value: number): Problem {
  // JSON.parse makes Infinity of 1e400.
  if (!Number.isFinite(value)) return 'holds a number that is too large'
  if (!Number.isInteger(value) || Number.isSafeInteger(value)) return undefined
  return 'holds an integer beyond 2^53, whose last digits are lost: put it in quotes'
}

/** Also true of an object from another realm, such as the vm context of a test runner. */
export function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
