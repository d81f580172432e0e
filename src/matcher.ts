import type { ResolvedCredential } from './credential.ts'
import { formsOf } from './forms.ts'
import { describeField } from './values.ts'

export const PLACEHOLDER = '[redacted]'
// Shorter values, such as `prod` and `5432`, stand in every other sentence.
export const MIN_LENGTH = 8

type Secret = readonly [name: string, value: string]

/** A secret of several lines is often shown line by line. */
const linesOf = (secret: string) => [secret, ...secret.split(/[\r\n]+/).map((line) => line.trim())]

function secretsOf(credential: ResolvedCredential, except: readonly string[]): Secret[] {
  const { accessToken, refreshToken, clientSecret, fields } = credential
  const fieldEntries = Object.entries(fields).filter(([name]) => !except.includes(name))
  const named = [
    ...Object.entries({ accessToken, refreshToken, clientSecret }),
    ...fieldEntries.map(([name, value], index) => [describeField(name, index + 1), value] as const),
  ]
  return named.flatMap(([name, value = '']) => linesOf(value).map((line): Secret => [name, line]))
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
  return (/[\w.~+/=%\\-]/.test(character) ? WORD : 0) | (/[\da-f,\s]/i.test(character) ? DUMP : 0)
})

/** Finds all forms at once, skipping what cannot be inside any (Wu and Manber, 1994, with blocks of two characters). */
export class Matcher {
  readonly #secrets: readonly Secret[]
  readonly #length: number
  #shortest = 0
  #skip = new Uint8Array()
  readonly #ending = new Map<number, Form[]>()

  constructor(secrets: readonly Secret[]) {
    this.#secrets = secrets
    const isOrdinary = secrets.every(([, value]) => /^[\w.~+/=-]+$/.test(value))
    this.#length = isOrdinary ? Math.min(...secrets.map(([, value]) => value.length)) : 0
  }

  /** Whether it is worth making the forms, which takes longer than to look at a short text without any long word. */
  #couldHold(text: string): boolean {
    if (text.length > 16_384) return true
    let [word, dump] = [0, 0]
    for (let index = 0; index < text.length; index++) {
      const found = CLASSES[text.charCodeAt(index)] ?? 0
      word = found & WORD ? word + 1 : 0
      dump = found & DUMP ? dump + 1 : 0
      if (word >= this.#length || dump >= 2 * this.#length) return true
    }
    return false
  }

  #prepare(): void {
    const forms = new Map<string, Form>()
    for (const [secret, value] of this.#secrets) {
      // A form that the placeholder holds would be found in what replaces it.
      for (const text of formsOf(value)) if (!PLACEHOLDER.includes(text)) forms.set(text, { text, secret })
    }
    this.#shortest = Math.min(255, ...Array.from(forms.keys(), (text) => text.length))
    const last = this.#shortest - 2
    this.#skip = new Uint8Array(HASH_SIZE).fill(last + 1)
    for (const form of forms.values()) {
      for (let index = 0; index <= last; index++) {
        const block = hash(form.text.charCodeAt(index), form.text.charCodeAt(index + 1))
        this.#skip[block] = Math.min(Number(this.#skip[block]), last - index)
      }
      const ending = hash(form.text.charCodeAt(last), form.text.charCodeAt(last + 1))
      this.#ending.set(ending, this.#ending.get(ending) ?? [])
      this.#ending.get(ending)?.push(form)
    }
  }

  /** Where secrets are; what overlaps or touches is one range. */
  ranges(text: string): Range[] {
    const ranges: Range[] = []
    if (this.#shortest === 0) {
      if (!this.#couldHold(text)) return ranges
      this.#prepare()
    }
    const last = this.#shortest - 2
    for (let index = last; index < text.length - 1; ) {
      const block = hash(text.charCodeAt(index), text.charCodeAt(index + 1))
      const skip = Number(this.#skip[block])
      if (skip === 0) this.#ending.get(block)?.forEach((form) => collect(form, text, index - last, ranges))
      index += skip || 1
    }
    return ranges
  }
}

function collect({ text: form, secret }: Form, text: string, start: number, ranges: Range[]): void {
  if (!text.startsWith(form, start)) return
  const end = start + form.length
  const previous = ranges.at(-1)
  if (previous === undefined || start > previous.end) ranges.push({ start, end, secrets: new Set([secret]) })
  else {
    previous.end = Math.max(previous.end, end)
    previous.secrets.add(secret)
  }
}

const matchers = new WeakMap<ResolvedCredential, Map<string, Matcher | undefined>>()

/** What finds the secrets of a credential, made once; `undefined` where there is none to be found. */
export function matcherOf(credential: ResolvedCredential, except: readonly string[]): Matcher | undefined {
  const known = matchers.get(credential) ?? new Map<string, Matcher | undefined>()
  matchers.set(credential, known)
  const key = JSON.stringify(except)
  if (!known.has(key)) known.set(key, createMatcher(credential, except))
  return known.get(key)
}

function createMatcher(credential: ResolvedCredential, except: readonly string[]): Matcher | undefined {
  const secrets = secretsOf(credential, except).filter(([, value]) => value.length >= MIN_LENGTH)
  return secrets.length === 0 ? undefined : new Matcher(secrets)
}
