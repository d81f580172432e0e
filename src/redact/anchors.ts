// Where in a text it is worth to undo anything: around anchors, pieces of secrets that no encoder changes, and in dumps.
import { hashAt, merge } from './automaton.ts'
import { base64Forms, bytesOf, hexForms, plainForms } from './forms.ts'
import type { Range } from './undo.ts'

// Longer anchors let more of a text be skipped, shorter ones are there in more secrets.
const [MIN_ANCHOR, MAX_ANCHOR] = [3, 16]

/** Base64 and hex are found in lines of so many characters and more. */
const COLUMNS = 40

/** One of them is in whatever a secret is escaped as. */
const plainAnchorsOf = (secret: string): string[] =>
  Array.from(plainForms(secret), (form) => piecesOf(form)[0] ?? '')

/** One of them is in whatever a secret is encoded as, dumps aside. They are of its end: many tokens begin alike. */
function encodedAnchorsOf(secret: string): string[] {
  const forms = bytesOf(secret).flatMap((bytes) => [
    ...base64Forms(bytes.slice((-COLUMNS / 4) * 3)),
    ...hexForms(bytes.slice(-COLUMNS / 2)),
  ])
  return forms.flatMap(pairOf)
}

/** The runs of letters and digits, which encoders leave as they are, the longest first; of several the last. */
const piecesOf = (form: string): string[] =>
  (form.match(/[a-z\d]+/gi) ?? []).reverse().sort((a, b) => b.length - a.length)

/** Two pieces of a line, of which a line break leaves one. */
function pairOf(form: string): [string, string] {
  const [first = '', second = ''] = piecesOf(form)
  const half = Math.floor(first.length / 2)
  return half < second.length ? [first, second] : [first.slice(0, half), first.slice(half)]
}

/** What the rest of a secret may take when it is escaped four times, or encoded with line breaks and indentation. */
const reachOf = (secret: string): number =>
  64 + 4 * secret.length + 20 * secret.replace(/[a-z\d]/gi, '').length

const isShort = (anchor: string): boolean => anchor.length < MIN_ANCHOR

/** Where to look in a text, and whether there may be something encoded. */
export interface Windows {
  readonly windows: readonly Range[]
  readonly isEncoded: boolean
}

export class Anchors {
  // Of one length, each with whether it is of an encoded secret.
  readonly #anchors = new Map<string, boolean>()
  readonly #length: number
  /** How far to go on from two characters, by their hash; 0 where an anchor ends with them. */
  readonly #steps = new Uint8Array(4096)
  readonly #shortestSecret: number
  readonly #reach: number
  /** Whether a secret has no anchor, and may be anywhere; and encoded, too. */
  readonly #isAnywhere: boolean
  readonly #isEncoded: boolean

  constructor(secrets: readonly string[]) {
    const plain = secrets.flatMap(plainAnchorsOf)
    const encoded = secrets.flatMap(encodedAnchorsOf)
    const anchors = [...plain, ...encoded].filter((anchor) => !isShort(anchor))
    const length = anchors.reduce((least, anchor) => Math.min(least, anchor.length), MAX_ANCHOR)
    this.#length = length
    this.#isEncoded = encoded.some(isShort)
    this.#isAnywhere = this.#isEncoded || plain.some(isShort)
    this.#shortestSecret = Math.min(...secrets.map((secret) => secret.length))
    this.#reach = Math.max(...secrets.map(reachOf))
    for (const anchor of plain) this.#anchors.set(anchor.slice(-length), false)
    for (const anchor of encoded) this.#anchors.set(anchor.slice(-length), true)
    this.#steps.fill(length - 1)
    for (const anchor of this.#anchors.keys()) {
      for (let at = 0; at < anchor.length - 1; at++) {
        const block = hashAt(anchor, at)
        this.#steps[block] = Math.min(Number(this.#steps[block]), length - 2 - at)
      }
    }
  }

  windowsOf(text: string): Windows {
    const dumps = findDumps(text, this.#shortestSecret)
    const anchors = this.#find(text)
    const isEncoded =
      this.#isEncoded ||
      dumps.length > 0 ||
      anchors.some(([start]) => this.#anchors.get(text.slice(start, start + this.#length)))
    if (this.#isAnywhere) return { windows: [[0, text.length]], isEncoded }
    const found = [...anchors, ...dumps]
    const windows = merge(found.map(([start, end]) => [start - this.#reach, end + this.#reach]))
    return { windows, isEncoded }
  }

  /** Skips what cannot be in any anchor (Wu and Manber, 1994, with blocks of two characters). */
  #find(text: string): Range[] {
    const found: Range[] = []
    const [steps, length] = [this.#steps, this.#length]
    let end = length
    while (end <= text.length) {
      const step = Number(steps[hashAt(text, end - 2)])
      const isFound = step === 0 && this.#anchors.has(text.slice(end - length, end))
      if (isFound) found.push([end - length, end])
      // One that begins within another is in the same window.
      end += isFound ? length : step || 1
    }
    return found
  }
}

const tableOf = (characters: RegExp): Uint8Array =>
  Uint8Array.from({ length: 128 }, (_, code) => Number(characters.test(String.fromCharCode(code))))

const WORD = tableOf(/[\w.~+/=%\\&#;{}-]/)
const DUMP = tableOf(/[\da-fx%#;,:|"'\s{}[\]+-]/i)
// Also with `\u0022` and `\t`, with `&quot;` and `&comma;` between the bytes.
const ESCAPED_DUMP = tableOf(/[\dA-Fa-flmnopqrstux%\\&#;,:|"'\s{}[\]+-]/)

/** Runs of at least so many characters of a table. Such a run has one at a multiple of its length. */
function findRuns(text: string, length: number, table: Uint8Array): Range[] {
  const runs: Range[] = []
  let end = 0
  for (let middle = length - 1; middle < text.length; middle = end + length - 1) {
    let start = middle + 1
    while (start > end && table[text.charCodeAt(start - 1)] === 1) start -= 1
    end = middle + 1
    while (start <= middle && table[text.charCodeAt(end)] === 1) end += 1
    if (end - start >= length) runs.push([start, end])
  }
  return runs
}

/** Lists of so many bytes, and as many escapes in a row: digits of numbers with something between them. */
function findDumps(text: string, bytes: number): Range[] {
  const dump = new RegExp(`^\\D*(?:\\d[\\da-f]*[^\\da-f]\\D*){${Math.ceil(bytes / 2)}}`, 'i')
  const table = /[\\%&]/.test(text) ? ESCAPED_DUMP : DUMP
  const runs = findRuns(text, 2 * bytes + 7, table)
  return runs.filter(([start, end]) => dump.test(text.slice(start, end)))
}

/** Whether a text is worth more than a look, which takes less time than to learn about the secrets. */
export function mayHold(text: string, shortestSecret: number): boolean {
  const words = findRuns(text, Math.min(shortestSecret, COLUMNS), WORD)
  // One that is broken over lines has a word in two of them, where the shortest is as long as three lines: a hash is not two.
  const enough = shortestSecret > 3 * COLUMNS + 6 ? 2 : 1
  const isLong = words.some(([start, end]) => end - start >= shortestSecret)
  return isLong || words.length >= enough || findDumps(text, shortestSecret).length > 0
}
