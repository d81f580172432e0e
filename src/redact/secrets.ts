// What is sought: the values of a credential, what their owner means by them, and what encoders make of both.
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

/** Whether a value is made of what tokens are made of: it has no parts. */
export const isToken = (value: string): boolean => /^[\w.~+/=-]+$/.test(value)

function partsOf(value: string): string[] {
  const parts = [value.trim()].filter((part) => part.length >= MIN_LENGTH)
  let level = new Set([value])
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    level = new Set([...level].flatMap(openUp))
    for (const part of level) if (part.split(/\s/).some(isTelling)) parts.push(part)
  }
  return parts
}

// RFC 6750 section 2.1, RFC 7617 section 2, and what GitHub takes.
const SCHEME = /^(?:bearer|basic|token)\s+(\S+)$/i
// RFC 3986 section 3.2.1: behind the user's name.
const PASSWORD = /^[a-z][a-z\d+.-]*:\/\/[^\s/?#:]*:(\S+)@/i
// RFC 8259 section 7: a string, and what makes it the name of a member.
const STRING = /"((?:[^"\\]|\\[^])*)"?(\s*:)?/g

/** What there is one step inside of a value: itself without escapes, lines, a token, a password, the strings of JSON. */
function openUp(value: string): string[] {
  const text = value.trim()
  const strings = /^[{["]/.test(text) ? text.matchAll(STRING) : []
  return [
    ...undoText(value),
    ...text.split(/[\r\n]/).map((line) => line.trim()),
    ...(SCHEME.exec(text) ?? []),
    ...(PASSWORD.exec(text) ?? []),
    ...Array.from(strings, ([, string = '', colon]) => (colon ? '' : string)),
  ]
}

/** Whether nothing but a secret looks like it: long, with a letter and a digit, and neither URL nor e-mail address. */
const isTelling = (word: string): boolean =>
  word.length >= MIN_PART_LENGTH &&
  /[a-z]/i.test(word) &&
  /\d/.test(word) &&
  !/^[a-z][a-z\d+.-]*:\/\/|^[^@]+@[\w-]+(?:\.[\w-]+)+$/i.test(word)

// What a secret is sought as, once escapes are undone: as it is, and its bytes in base64, in hex and as numbers.

const inForm = (text: string): string => text.replace(/ /g, '+')

/** The secret as text: as it is, as UTF-8 read as Latin-1, with the spaces of a form; each also with its own escapes undone. */
export function plainForms(secret: string): Set<string> {
  const asIs = [secret, ...bytesOf(secret)]
  const forms = [...asIs, ...asIs.map(inForm)]
  const undone = forms.flatMap(undoText).filter((text) => text.length >= MIN_LENGTH)
  return new Set([...forms, ...undone, ...undone.map(inForm)])
}

/** The secret's bytes in base64, in hex and as numbers, without anything between them. */
export const encodedForms = (secret: string): string[] =>
  bytesOf(secret).flatMap((bytes) => [
    ...base64Forms(bytes),
    ...hexForms(bytes),
    Array.from(bytes, (byte) => byte.charCodeAt(0)).join(''),
  ])

/** The bytes of a text, a character each: of UTF-8 and, where that can write it, of Latin-1. */
export function bytesOf(text: string): string[] {
  // A JSON value in a secret may hold half of a surrogate pair. There may be no TextEncoder.
  const percent = encodeURIComponent(text.replace(/[\ud800-\udfff]/gu, '\ufffd'))
  const bytes = percent.replace(/%(..)/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return bytes !== text && /^[\0-\xff]*$/.test(text) ? [bytes, text] : [bytes]
}

export function hexForms(bytes: string): string[] {
  const hex = bytes.replace(/[^]/g, (byte) => (256 + byte.charCodeAt(0)).toString(16).slice(1))
  return [hex, hex.toUpperCase()]
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** What base64 makes of the bytes wherever they start, without the characters at both ends that others have a part in. */
export function base64Forms(bytes: string): string[] {
  return [0, 1, 2].map((before) => {
    const padded = '\0'.repeat(before) + bytes
    let text = ''
    // Six bits each, of a byte and the next.
    for (let bit = 0; bit + 6 <= padded.length * 8; bit += 6) {
      const pair = (padded.charCodeAt(bit >> 3) << 8) | padded.charCodeAt((bit >> 3) + 1)
      text += ALPHABET.charAt((pair >> (10 - (bit & 7))) & 63)
    }
    return text.slice(Math.ceil((before * 8) / 6))
  })
}
