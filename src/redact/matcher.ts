import type { ResolvedCredential } from '../credential.ts'
import { formsOf } from './forms.ts'
import { describeField, REDACTED } from '../grammar.ts'

// Shorter values, such as `prod` and `5432`, stand in every other sentence.
export const MIN_LENGTH = 8

type Secret = readonly [name: string, value: string]

function secretsOf(credential: ResolvedCredential, except: readonly string[]): Secret[] {
  const secrets: Secret[] = []
  const add = (name: string, value: string | undefined) => {
    if (value !== undefined && value.length >= MIN_LENGTH) secrets.push([name, value])
  }
  const { accessToken, refreshToken, clientSecret, fields } = credential
  add('accessToken', accessToken)
  add('refreshToken', refreshToken)
  add('clientSecret', clientSecret)
  Object.entries(fields).forEach(([name, value], index) => {
    if (!except.includes(name)) add(describeField(name, index + 1), value)
  })
  // A secret of several lines is often shown line by line.
  for (const [name, value] of [...secrets]) {
    if (/[\r\n]/.test(value)) for (const line of value.split(/[\r\n]+/)) add(name, line.trim())
  }
  return secrets
}

interface Form {
  readonly text: string
  readonly secret: string
}

/** A part of a text, and the names of the secrets in it. */
export interface Range {
  readonly start: number
  end: number
  readonly secrets: Set<string>
}

const HASH_SIZE = 4096
const hash = (first: number, second: number) => (first * 31 + second) & (HASH_SIZE - 1)

// What the forms of a token are made of: words, and dumps of bytes with something between them.
const [WORD, DUMP] = [1, 2]
const CLASSES = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  return (
    (/[\w.~+/=%\\-]/.test(character) ? WORD : 0) | (/[\da-f,\s"':\\nt]/i.test(character) ? DUMP : 0)
  )
})

function isOf(kind: number, text: string, index: number): boolean {
  const code = text.charCodeAt(index)
  return code < 128 && (Number(CLASSES[code]) & kind) !== 0
}

/** Whether there are so many characters of a kind in a row. Such a run has one at a multiple of its length. */
function hasRun(text: string, length: number, kind: number): boolean {
  for (let middle = length; middle < text.length + length; middle += length) {
    let start = middle
    while (start > 0 && middle - start < length && isOf(kind, text, start - 1)) start -= 1
    let end = middle
    while (end < text.length && end - start < length && isOf(kind, text, end)) end += 1
    if (end - start >= length) return true
  }
  return false
}

// Eight numbers or more, as lists of bytes are printed: over several lines, indented, in columns, by index, or as JSON in a
// string. Without what stands between the numbers they are a form like the others.
const NUMBERS = /(?:\d{1,3},(?:\s|\\[nt]|\\*"\d+\\*":|'\d+':)*){7,}\d{1,3}/g
const BETWEEN = /\s|\\[nt]|\\*"\d+\\*":|'\d+':/g

interface Index {
  readonly shortest: number
  /** How far to go on from a block of two characters, by its hash; 0 where a form may end its first part with it. */
  readonly skip: Uint8Array
  readonly ending: ReadonlyMap<number, Form[]>
}

/** Finds all forms at once, skipping what cannot be inside any (Wu and Manber, 1994, with blocks of two characters). */
export class Matcher {
  readonly #secrets: readonly Secret[]
  readonly #onIndex: (matcher: Matcher) => void
  readonly #length: number
  #index: Index | undefined

  constructor(secrets: readonly Secret[], onIndex: (matcher: Matcher) => void) {
    this.#secrets = secrets
    this.#onIndex = onIndex
    const isOrdinary = secrets.every(([, value]) => /^[\w.~+/=-]+$/.test(value))
    this.#length = isOrdinary ? Math.min(...secrets.map(([, value]) => value.length)) : 0
  }

  /** Whether it is worth making the forms, which takes longer than to look at a short text without any long word. */
  #couldHold(text: string): boolean {
    if (this.#length === 0 || text.length > 16_384) return true
    return hasRun(text, this.#length, WORD) || hasRun(text, 2 * this.#length, DUMP)
  }

  /** Where secrets are; what overlaps or touches is one range. */
  ranges(text: string): Range[] {
    const ranges: Range[] = []
    if (text.length < MIN_LENGTH) return ranges
    if (this.#index === undefined) {
      if (!this.#couldHold(text)) return ranges
      this.#index = createIndex(this.#secrets)
      this.#onIndex(this)
    }
    const found = this.#search(text, this.#index)
    for (const dump of text.matchAll(NUMBERS)) {
      const { text: squeezed, starts } = squeeze(dump[0], BETWEEN)
      for (const { start, end, secrets } of this.#search(squeezed, this.#index)) {
        const first = dump.index + Number(starts[start])
        found.push({ start: first, end: dump.index + Number(starts[end - 1]) + 1, secrets })
      }
    }
    return merge(found)
  }

  #search(text: string, { shortest, skip, ending }: Index): Range[] {
    const ranges: Range[] = []
    const last = shortest - 2
    for (let index = last; index < text.length - 1;) {
      const block = hash(text.charCodeAt(index), text.charCodeAt(index + 1))
      const step = Number(skip[block])
      if (step === 0)
        ending.get(block)?.forEach((form) => collect(form, text, index - last, ranges))
      index += step || 1
    }
    return ranges
  }
}

/** The text without what matches, and where in it each character that is left had stood. */
function squeeze(text: string, pattern: RegExp): { text: string; starts: number[] } {
  const starts: number[] = []
  const parts: string[] = []
  const keep = (start: number, end: number) => {
    parts.push(text.slice(start, end))
    for (let index = start; index < end; index++) starts.push(index)
  }
  let from = 0
  for (const { index, 0: match } of text.matchAll(pattern)) {
    keep(from, index)
    from = index + match.length
  }
  keep(from, text.length)
  return { text: parts.join(''), starts }
}

/** One range for those that overlap or touch. */
function merge(ranges: Range[]): Range[] {
  const merged: Range[] = []
  for (const range of ranges.sort((a, b) => a.start - b.start)) {
    const previous = merged.at(-1)
    if (previous === undefined || range.start > previous.end) merged.push(range)
    else {
      previous.end = Math.max(previous.end, range.end)
      for (const secret of range.secrets) previous.secrets.add(secret)
    }
  }
  return merged
}

function createIndex(secrets: readonly Secret[]): Index {
  const forms = new Map<string, Form>()
  for (const [secret, value] of secrets) {
    // A form that the placeholder holds would be found in what replaces it.
    for (const text of formsOf(value))
      if (!REDACTED.includes(text)) forms.set(text, { text, secret })
  }
  const shortest = Math.min(255, ...Array.from(forms.keys(), (text) => text.length))
  const last = shortest - 2
  const skip = new Uint8Array(HASH_SIZE).fill(last + 1)
  const ending = new Map<number, Form[]>()
  for (const form of forms.values()) {
    for (let index = 0; index <= last; index++) {
      const block = hash(form.text.charCodeAt(index), form.text.charCodeAt(index + 1))
      skip[block] = Math.min(Number(skip[block]), last - index)
    }
    const block = hash(form.text.charCodeAt(last), form.text.charCodeAt(last + 1))
    ending.set(block, ending.get(block) ?? [])
    ending.get(block)?.push(form)
  }
  return { shortest, skip, ending }
}

function collect({ text: form, secret }: Form, text: string, start: number, ranges: Range[]): void {
  if (!text.startsWith(form, start)) return
  const end = start + form.length
  const previous = ranges.at(-1)
  if (previous === undefined || start > previous.end)
    ranges.push({ start, end, secrets: new Set([secret]) })
  else {
    previous.end = Math.max(previous.end, end)
    previous.secrets.add(secret)
  }
}

const matchers = new WeakMap<ResolvedCredential, Map<string, Matcher>>()

/** What finds the secrets of a credential; `undefined` where there is none to be found. */
export function matcherOf(
  credential: ResolvedCredential,
  except: readonly string[],
): Matcher | undefined {
  const key = JSON.stringify(except)
  const known = matchers.get(credential)?.get(key)
  if (known) return known
  const secrets = secretsOf(credential, except)
  if (secrets.length === 0) return undefined
  // Kept from when it has cost something: most credentials are new with each call, and most texts are harmless.
  return new Matcher(secrets, (matcher) => {
    const byKey = matchers.get(credential) ?? new Map<string, Matcher>()
    matchers.set(credential, byKey.set(key, matcher))
  })
}
