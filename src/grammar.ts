import { invalidCredential } from './errors.ts'

/** Anything that JSON can write. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject

/** An object of JSON values. */
export type JsonObject = { readonly [key: string]: JsonValue }

// The checks return what is wrong, to stand behind the name of the variable, header or property; never the value.
export type Problem = string | undefined

export function assertNo(problem: Problem, name: string): void {
  if (problem !== undefined) throw invalidCredential(`${name} ${problem}.`)
}

/** What stands in place of a secret. */
export const REDACTED = '[redacted]'

// A secret can sit where a name belongs, as in {"<the key>": "apiKey"}: what does not look like a name is counted.
const LOOKS_LIKE_A_NAME = /^[A-Za-z_][\w.-]{0,63}$/

export function describeField(name: string, position?: number): string {
  if (LOOKS_LIKE_A_NAME.test(name)) return `field "${name}"`
  return position === undefined ? 'that field' : `field ${position}`
}

// RFC 6749 A.12: access-token = 1*VSCHAR, where VSCHAR is %x20-7E; here without the space.
const VISIBLE_ASCII = /^[\x21-\x7e]+$/

export function tokenProblem(value: unknown): Problem {
  if (typeof value !== 'string') return 'must be a string'
  if (VISIBLE_ASCII.test(value)) return undefined
  if (/^bearer\s/i.test(value)) return 'must be the token alone, without "Bearer " before it'
  if (/[\r\n]$/.test(value)) return 'ends with a line break: trim it (was it read from a file?)'
  if (/\s/.test(value))
    return 'has white space in it, which no token has (was it wrapped or quoted when copied?)'
  return 'has a control character or one outside ASCII in it, which no token has (was it cut or decoded wrongly?)'
}

// With the u flag a class of surrogates matches lone ones only.
const LONE_SURROGATE = /[\ud800-\udfff]/u

export function textProblem(value: unknown): Problem {
  if (typeof value !== 'string') return 'must be a string'
  return LONE_SURROGATE.test(value)
    ? 'holds half of a surrogate pair: its text was cut or decoded wrongly'
    : undefined
}

export function fieldNameProblem(name: string): Problem {
  if (name === '') return 'has an empty name'
  // The map of fields has a toJSON of its own, which prints them redacted.
  return name === 'toJSON' ? 'must not be called toJSON' : keyProblem(name)
}

const keyProblem = (key: string): Problem =>
  key === '__proto__' ? 'must not be called __proto__' : textProblem(key)

export function scopesProblem(scopes: unknown): Problem {
  if (!Array.isArray(scopes)) return 'must be a list of strings'
  for (const scope of scopes) {
    if (typeof scope !== 'string' || !VISIBLE_ASCII.test(scope))
      return 'must hold scopes of visible ASCII characters'
    if (scope.endsWith(','))
      return 'must be separated by spaces, not by commas (or was the header sent twice?)'
  }
  return undefined
}

export const splitScopes = (text: string): string[] =>
  text.split(/\s+/).filter((scope) => scope !== '')

export function dateProblem(date: unknown): Problem {
  // An invalid Date has the year NaN.
  const year = date instanceof Date ? date.getUTCFullYear() : NaN
  return year >= 0 && year <= 9999 ? undefined : 'must be a valid Date in the years 0 to 9999'
}

// RFC 3339 section 5.6 date-time; looser where people are: a space for T, no seconds, +0100, +01, no offset, no time.
// Without groups: what stands at a fixed place is read there, in half the time (measured).
const TIMESTAMP =
  /^\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d(?::?\d\d)?)?)?$/
const OFFSET = /([+-])(\d\d):?(\d\d)?$/
const MINUTE = 60_000
// The calendar repeats itself after so many years and milliseconds.
const [CYCLE_YEARS, CYCLE] = [400, 146_097 * 24 * 60 * MINUTE]

/** Date.parse must not decide: it takes "0" and 30 February, and reads a time without an offset as local time. */
export function parseTimestamp(text: string, name: string): Date {
  const time = TIMESTAMP.test(text) ? timeOf(text) : undefined
  if (time === undefined)
    throw invalidCredential(`${name} must be a time as in RFC 3339, such as 2026-05-04T12:00:00Z.`)
  return new Date(time)
}

function timeOf(text: string): number | undefined {
  const [year, month, day] = [
    Number(text.slice(0, 4)),
    Number(text.slice(5, 7)),
    Number(text.slice(8, 10)),
  ]
  const [hour, minute] = [Number(text.slice(11, 13)), Number(text.slice(14, 16))]
  const second = text[16] === ':' ? Number(text.slice(17, 19)) : 0
  const fraction = text[19] === '.' ? text.slice(20, 23).replace(/\D.*/, '') : ''
  const [, sign, offsetHour = 0, offsetMinute = 0] = OFFSET.exec(text.slice(16)) ?? []
  if (hour > 23 || minute > 59 || second > 59 || +offsetHour > 23 || +offsetMinute > 59)
    return undefined
  // Date.UTC would move the years 0 to 99 into the twentieth century.
  const time = Date.UTC(
    year + CYCLE_YEARS,
    month - 1,
    day,
    hour,
    minute,
    second,
    Number(fraction.padEnd(3, '0')),
  )
  // A day or a month that there is not moves it into another month.
  if (day === 0 || new Date(time).getUTCMonth() !== month - 1) return undefined
  const offset = (+offsetHour * 60 + +offsetMinute) * (sign === '-' ? -1 : 1)
  return time - CYCLE - offset * MINUTE
}

export const escapeUnicode = (character: string): string =>
  `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

/** application/x-www-form-urlencoded, as the URL standard writes it. */
export const formEncode = (text: string): string =>
  encodeURIComponent(text)
    .replace(/[!'()~]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%20/g, '+')

/** Drops the SyntaxError of a bad text: engines quote their input in it, some of them whole. */
export function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalidCredential(`${name} is not valid JSON.`)
  }
}

// These run over texts that JSON.parse has taken, for what it hides: keys that stand twice, and the digits of numbers.
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/.source
const MEMBER_OF_FLAT_OBJECT = new RegExp(`(${STRING})\\s*:\\s*(${STRING}|[^\\s,}]+)`, 'g')
const STRING_OR_BRACE = new RegExp(`${STRING}(?:\\s*:)?|[{}]`, 'g')
const INTEGER = /^(?:0|-?[1-9]\d*)$/

/** The fields of a JSON object of strings and integers; an integer keeps its digits, `null` counts as absent. */
export function parseFields(text: string, name: string): Record<string, string> {
  parseJson(text, name)
  if (!/^\s*\{/.test(text)) throw invalidCredential(`${name} must be a JSON object.`)
  const fields: Record<string, string> = Object.create(null)
  const seen = new Set<string>()
  for (const [, key = '', value = ''] of text.matchAll(MEMBER_OF_FLAT_OBJECT)) {
    const field: string = JSON.parse(key)
    const isString = value.startsWith('"')
    const isAllowed = isString || value === 'null' || INTEGER.test(value)
    const problem = seen.has(field)
      ? 'stands twice'
      : isAllowed
        ? undefined
        : 'must be a string: put it in quotes'
    assertNo(problem, `${name}: ${describeField(field, seen.size + 1)}`)
    seen.add(field)
    if (value !== 'null') fields[field] = isString ? JSON.parse(value) : value
  }
  return fields
}

/** What `extra` is made of; the constructor checks the rest. */
export function parseExtra(text: string, name: string): JsonObject {
  const extra = parseJson(text, name)
  // Every member has a colon: with no more of them than there are keys, none stands twice, and none is further down.
  const isPlain = text.split(':').length - 1 === Object.keys(extra ?? {}).length
  if (!isPlain && hasKeyTwice(text)) throw invalidCredential(`${name} has a key that stands twice.`)
  return extra as JsonObject
}

function hasKeyTwice(text: string): boolean {
  const open: Set<string>[] = []
  for (const [token] of text.matchAll(STRING_OR_BRACE)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (token.endsWith(':')) {
      const key: string = JSON.parse(token.slice(0, -1))
      const keys = open.at(-1)
      if (keys?.has(key)) return true
      keys?.add(key)
    }
  }
  return false
}

/** A deep-frozen copy without prototypes; anything that JSON does not have is refused. */
export function copyJsonObject(value: unknown, name: string, depth = 1): JsonObject {
  if (!isPlainObject(value))
    throw invalidCredential(`${name} must be a JSON object, and hold nothing else than JSON.`)
  const copy: Record<string, JsonValue> = Object.create(null)
  for (const key of Object.keys(value)) {
    assertNo(keyProblem(key), `${name}: a key in it`)
    copy[key] = copyJson(value[key], name, depth + 1)
  }
  return Object.freeze(copy)
}

function copyJson(value: unknown, name: string, depth: number): JsonValue {
  if (typeof value === 'string') assertNo(textProblem(value), name)
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value
  // JSON.parse makes Infinity of 1e400. The zero that is added makes 0 of -0, which JSON.stringify would lose.
  if (Number.isFinite(value)) return Number(value) + 0
  if (typeof value === 'number')
    throw invalidCredential(`${name} holds a number that is too large.`)
  if (depth > 16) throw invalidCredential(`${name} is nested more than 16 levels deep.`)
  if (!Array.isArray(value)) return copyJsonObject(value, name, depth)
  return Object.freeze(Array.from(value, (item) => copyJson(item, name, depth + 1)))
}

/** Also true of an object from another realm, such as the vm context of a test runner. */
function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
