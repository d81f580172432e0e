import { invalidCredential } from './errors.ts'

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject
export interface JsonObject {
  readonly [key: string]: JsonValue
}

// The checks return what is wrong, to stand behind the name of the variable, header or property; never the value.
export type Problem = string | undefined

export function assertNo(problem: Problem, name: string): void {
  if (problem !== undefined) throw invalidCredential(`${name} ${problem}.`)
}

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
  if (/\s/.test(value)) return 'has white space in it, which no token has (was it wrapped or quoted when copied?)'
  return 'has a control character or one outside ASCII in it, which no token has (was it cut or decoded wrongly?)'
}

// With the u flag a class of surrogates matches lone ones only.
const LONE_SURROGATE = /[\ud800-\udfff]/u

export function textProblem(value: unknown): Problem {
  if (typeof value !== 'string') return 'must be a string'
  return LONE_SURROGATE.test(value) ? 'holds half of a surrogate pair: its text was cut or decoded wrongly' : undefined
}

export function nonEmptyTextProblem(value: unknown): Problem {
  return value === '' ? 'must not be empty' : textProblem(value)
}

export function fieldNameProblem(name: string): Problem {
  if (name === '') return 'has an empty name'
  // The map of fields carries a toJSON of its own, which prints it redacted.
  if (name === 'toJSON') return 'must not be called toJSON'
  return keyProblem(name)
}

function keyProblem(key: string): Problem {
  return key === '__proto__' ? 'is called __proto__, which is not allowed' : textProblem(key)
}

export function scopesProblem(scopes: unknown): Problem {
  if (!Array.isArray(scopes)) return 'must be a list of strings'
  for (const scope of scopes) {
    if (typeof scope !== 'string' || !VISIBLE_ASCII.test(scope)) return 'must hold scopes of visible ASCII characters'
    if (scope.endsWith(',')) return 'must be separated by spaces, not by commas (or was the header sent twice?)'
  }
  return undefined
}

export function splitScopes(text: string): string[] {
  const trimmed = text.trim()
  return trimmed === '' ? [] : trimmed.split(/\s+/)
}

export function dateProblem(date: unknown): Problem {
  if (!(date instanceof Date) || Number.isNaN(date.getTime())) return 'must be a valid Date'
  const year = date.getUTCFullYear()
  return year < 0 || year > 9999 ? 'must lie in the years 0 to 9999' : undefined
}

// RFC 3339 section 5.6 date-time; looser where people are: a space for T, no seconds, +0100, +01, no offset, no time.
const TIMESTAMP =
  /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?)?$/

/** Date.parse must not decide: it takes "0" and 30 February, and reads a time without an offset as local time. */
export function parseTimestamp(text: string, name: string): Date {
  const match = TIMESTAMP.exec(text)
  const date = match === null ? undefined : toDate(match)
  if (date === undefined) throw invalidCredential(`${name} must be a time as in RFC 3339, such as 2026-05-04T12:00:00Z.`)
  return date
}

function toDate(match: RegExpExecArray): Date | undefined {
  const [, year, month, day, hour = 0, minute = 0, second = 0, fraction = '', sign, offsetHour = 0, offsetMinute = 0] = match
  if (+hour > 23 || +minute > 59 || +second > 59 || +offsetHour > 23 || +offsetMinute > 59) return undefined
  // Date.UTC would move the years 0 to 99 into the twentieth century.
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  if (date.getUTCMonth() + 1 !== Number(month) || date.getUTCDate() !== Number(day)) return undefined
  const offset = +offsetHour * 60 + +offsetMinute
  const milliseconds = fraction.slice(0, 3).padEnd(3, '0')
  date.setUTCHours(+hour, +minute - (sign === '-' ? -offset : offset), +second, +milliseconds)
  return date
}

/** Drops the SyntaxError of a bad text: engines quote their input in it, some of them whole. */
export function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw invalidCredential(`${name} is not valid JSON.`)
  }
}

function parseJsonObject(text: string, name: string): object {
  const value = parseJson(text, name)
  if (isJsonObject(value)) return value
  throw invalidCredential(`${name} must be a JSON object.`)
}

// These run over texts that JSON.parse has taken, for what it hides: keys that stand twice, and the digits of numbers.
const STRING = /"[^"\\]*(?:\\.[^"\\]*)*"/.source
const MEMBER_OF_FLAT_OBJECT = new RegExp(`(${STRING})\\s*:\\s*(${STRING}|[^\\s,}]+)`, 'g')
const KEY_OR_BRACE = new RegExp(`(${STRING})\\s*(:)?|[{}]`, 'g')
const INTEGER = /^(?:0|-?[1-9]\d*)$/

/** The fields of a JSON object of strings and integers; an integer keeps its digits, `null` counts as absent. */
export function parseFields(text: string, name: string): Record<string, string> {
  parseJsonObject(text, name)
  const fields: Record<string, string> = Object.create(null)
  const seen = new Set<string>()
  for (const [, key = '', value = ''] of text.matchAll(MEMBER_OF_FLAT_OBJECT)) {
    const field: string = JSON.parse(key)
    const isString = value.startsWith('"')
    const isAllowed = isString || value === 'null' || INTEGER.test(value)
    const problem = seen.has(field) ? 'stands twice' : isAllowed ? undefined : 'must be a string: put it in quotes'
    assertNo(problem, `${name}: ${describeField(field, seen.size + 1)}`)
    seen.add(field)
    if (value !== 'null') fields[field] = isString ? JSON.parse(value) : value
  }
  return fields
}

/** The JSON object of `extra`, whose values the constructor checks. */
export function parseExtra(text: string, name: string): JsonObject {
  const extra = parseJsonObject(text, name)
  if (hasKeyTwice(text)) throw invalidCredential(`${name} has a key that stands twice.`)
  return extra as JsonObject
}

function hasKeyTwice(text: string): boolean {
  const open: Set<string>[] = []
  for (const [token, key, colon] of text.matchAll(KEY_OR_BRACE)) {
    if (token === '{') open.push(new Set())
    else if (token === '}') open.pop()
    else if (key !== undefined && colon !== undefined) {
      const keys = open.at(-1)
      const name = JSON.parse(key)
      if (keys?.has(name)) return true
      keys?.add(name)
    }
  }
  return false
}

function isJsonObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const MAX_DEPTH = 16

/** A deep-frozen copy without prototypes; anything that JSON does not have is refused. */
export function copyJsonObject(value: unknown, name: string): JsonObject {
  if (!isPlainObject(value)) throw invalidCredential(`${name} must be an object.`)
  return copyPlainObject(value, name, 1)
}

function copyJson(value: unknown, name: string, depth: number): JsonValue {
  if (typeof value === 'string') {
    assertNo(textProblem(value), name)
    return value
  }
  if (value === null || typeof value === 'boolean') return value
  // JSON.parse makes Infinity of 1e400; the zero that is added makes 0 of -0, which JSON.stringify would lose.
  if (typeof value === 'number' && Number.isFinite(value)) return value + 0
  if (depth > MAX_DEPTH) throw invalidCredential(`${name} is nested more than ${MAX_DEPTH} levels deep.`)
  if (Array.isArray(value)) return Object.freeze(Array.from(value, (item) => copyJson(item, name, depth + 1)))
  if (isPlainObject(value)) return copyPlainObject(value, name, depth)
  throw invalidCredential(`${name} holds a value that JSON does not have, or a number too large for it.`)
}

function copyPlainObject(value: object, name: string, depth: number): JsonObject {
  const copy: Record<string, JsonValue> = Object.create(null)
  for (const [key, item] of Object.entries(value)) {
    assertNo(keyProblem(key), `${name}: a key in it`)
    copy[key] = copyJson(item, name, depth + 1)
  }
  return Object.freeze(copy)
}

/** Also true of objects from another realm, such as a vm context of a test runner. */
function isPlainObject(value: unknown): value is object {
  if (!isJsonObject(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
