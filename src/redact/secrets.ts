// Which values are sought: those of the credential, and what their owner means by them.
import { relatedSecrets } from '../credential.ts'
import type { RelatedSecret as Secret, ResolvedCredential } from '../credential.ts'
import { describeField } from '../grammar.ts'
import { undoText } from './undo.ts'

/** Shorter values, such as `prod` and `5432`, stand in every other sentence. */
export const MIN_LENGTH = 8

// A part of a value was not chosen by anybody as a secret: less of it is believed.
const MIN_PART_LENGTH = 12

// A JSON value may hold a database URL, whose password is percent-encoded.
const MAX_DEPTH = 4

/** The values of a credential that are secret, by name. */
export function secretsOf(credential: ResolvedCredential, except: readonly string[]): Secret[] {
  const secrets = [...relatedSecrets(credential)]
  for (const name of ['accessToken', 'refreshToken', 'clientSecret'] as const)
    secrets.push([name, credential[name] ?? ''])
  Object.entries(credential.fields).forEach(([name, value], index) => {
    if (!except.includes(name)) secrets.push([describeField(name, index + 1), value])
  })
  return secrets.filter(([, value]) => value.length >= MIN_LENGTH)
}

/** The values, and the parts that are secrets by themselves; each with the name of the secret. */
export const withParts = (secrets: readonly Secret[]): Map<string, string> =>
  new Map(
    secrets.flatMap(([name, value]) => [value, ...partsOf(value)].map((part) => [part, name])),
  )

/** Whether a value is made of what tokens are made of; they have no parts. */
export const isToken = (value: string): boolean => /^[\w.~+/=-]+$/.test(value)

function partsOf(value: string): string[] {
  if (isToken(value)) return []
  const trimmed = value.trim()
  const parts = trimmed.length < MIN_LENGTH ? [] : [trimmed]
  let level = new Set([value])
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    level = new Set([...level].flatMap(openUp))
    for (const part of level) if (part.split(/\s+/).some(isTelling)) parts.push(part)
  }
  return parts
}

// RFC 6750 section 2.1, RFC 7617 section 2, and what GitHub takes.
const SCHEME = /^(?:bearer|basic|token)\s+(\S+)$/i
// RFC 3986 section 3.2.1: behind the user's name.
const PASSWORD = /^[a-z][a-z\d+.-]*:\/\/[^\s/?#:]*:(\S+)@/i
// RFC 8259 section 7: a string, and what makes it the name of a member.
const STRING = /"((?:[^"\\]|\\[^]?)*)"?(\s*:)?/g

/** What there is one step inside of a value: itself without escapes, lines, a token, a password, the strings of JSON. */
function openUp(value: string): string[] {
  const text = value.trim()
  const strings = /^[{["]/.test(text) ? text.matchAll(STRING) : []
  return [
    ...undoText(value),
    ...text.split(/[\r\n]+/).map((line) => line.trim()),
    ...(SCHEME.exec(text)?.slice(1) ?? []),
    ...(PASSWORD.exec(text)?.slice(1) ?? []),
    ...Array.from(strings, ([, string = '', colon]) => (colon ? '' : string)),
  ]
}

/** Whether nothing but a secret looks like it: long, with a letter and a digit, and neither URL nor e-mail address. */
const isTelling = (word: string): boolean =>
  word.length >= MIN_PART_LENGTH &&
  /[a-z]/i.test(word) &&
  /\d/.test(word) &&
  !/^[a-z][a-z\d+.-]*:\/\/|^[^@]+@[\w-]+(?:\.[\w-]+)+$/i.test(word)
