// Where in a text it is worth to undo anything: around anchors, pieces of secrets that no encoder changes, and in dumps.
import { hashAt, merge } from './automaton.ts'
import { base64Forms, bytesOf, hexForms, plainForms } from './forms.ts'
import type { Range } from './undo.ts'

// Longer anchors let more of a text be skipped, shorter ones are there in more secrets.
const [MIN_ANCHOR, MAX_ANCHOR] = [3, 16]

/** Base64 and hex are found in lines of so many characters and more. */
const COLUMNS = 40

/** One of them is in whatever a secret is rendered as, dumps aside. */
function anchorsOf(secret: string): string[] {
  const anchors = Array.from(plainForms(secret), (form) => piecesOf(form)[0] ?? '')
  for (const bytes of bytesOf(secret)) {
    // From the end: many tokens begin alike.
    const base64 = base64Forms(bytes.slice(-(COLUMNS / 4) * 3))
    const hex = hexForms(bytes.slice(-COLUMNS / 2))
    anchors.push(...[...base64, ...hex].flatMap(pairOf))
  }
  return anchors
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

export class Anchors {
  /** All of one length. */
  readonly #anchors: ReadonlySet<string>
  readonly #length: number
  /** How far to go on from two characters, by their hash; 0 where an anchor ends with them. */
  readonly #steps = new Uint8Array(4096)
  readonly #shortestSecret: number
  readonly #reach: number

  constructor(secrets: readonly string[]) {
    const anchors = secrets.flatMap(anchorsOf)
    const length = Math.min(MAX_ANCHOR, ...anchors.map((anchor) => anchor.length))
    this.#anchors = new Set(anchors.map((anchor) => anchor.slice(-length)))
    this.#length = length
    this.#steps.fill(length - 1)
    for (const anchor of this.#anchors) {
      for (let at = 0; at < length - 1; at++) {
        const block = hashAt(anchor, at)
        this.#steps[block] = Math.min(Number(this.#steps[block]), length - 2 - at)
      }
    }
    this.#shortestSecret = Math.min(...secrets.map((secret) => secret.length))
    this.#reach = Math.max(...secrets.map(reachOf))
  }

  /** The parts of a text in which there may be a secret. */
  windows(text: string): Range[] {
    // A secret without letters and digits may be anywhere.
    if (this.#length < MIN_ANCHOR) return [[0, text.length]]
    const found = [...this.#find(text), ...findDumps(text, this.#shortestSecret)]
    return merge(found.map(([start, end]) => [start - this.#reach, end + this.#reach]))
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
  return words.length > 0 || findDumps(text, shortestSecret).length > 0
}
