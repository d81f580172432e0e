// Where in a text it is worth to undo anything: around anchors, pieces of secrets that no encoder changes, and in dumps.
import { hashAt, merge } from './needles.ts'
import { base64Forms, bytesOf, hexForms, plainForms } from './secrets.ts'
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

/** How long the shortest of some texts is. */
const leastOf = (texts: readonly string[]): number =>
  texts.reduce((least, { length }) => Math.min(least, length), Infinity)

/** Makes what finds out where in a text there may be a secret. */
export function createWindows(secrets: readonly string[]): (text: string) => Range[] {
  const isLong = (anchor: string) => anchor.length >= MIN_ANCHOR
  const plain = secrets.flatMap(plainAnchorsOf)
  const find = createFinder([...plain, ...secrets.flatMap(encodedAnchorsOf)].filter(isLong))
  const shortest = leastOf(secrets)
  const reach = secrets.reduce((most, secret) => Math.max(most, reachOf(secret)), 0)
  return (text) => {
    // A secret without an anchor may be anywhere.
    if (!plain.every(isLong)) return [[0, text.length]]
    const isEscaped = hasEscapes(text)
    const found = [...find(text), ...findDumps(text, shortest, isEscaped)]
    if (isEscaped) found.push(...findEscaped(text, reach))
    return merge(found.map(([start, end]) => [Math.max(start - reach, 0), end + reach]))
  }
}

/** Makes what finds anchors, and skips what cannot be in any (Wu and Manber, 1994, with blocks of two characters). */
function createFinder(anchors: readonly string[]): (text: string) => Range[] {
  const length = Math.min(leastOf(anchors), MAX_ANCHOR)
  const ends = new Set(anchors.map((anchor) => anchor.slice(-length)))
  // How far to go on from two characters, by their hash; 0 where an anchor ends with them.
  const steps = new Uint8Array(4096).fill(length - 1)
  for (const anchor of ends) {
    for (let at = 0; at < length - 1; at++) {
      const block = hashAt(anchor, at)
      steps[block] = Math.min(Number(steps[block]), length - 2 - at)
    }
  }
  return (text) => {
    const found: Range[] = []
    let end = length
    while (end <= text.length) {
      const step = Number(steps[hashAt(text, end - 2)])
      const isFound = step === 0 && ends.has(text.slice(end - length, end))
      if (isFound) found.push([end - length, end])
      // One that begins within another is in the same window.
      end += isFound ? length : step || 1
    }
    return found
  }
}

/** For each character whether it is one of these, of ASCII. */
function tableOf(characters: RegExp): Uint8Array {
  const table = new Uint8Array(65_536)
  for (let code = 0; code < 128; code++)
    table[code] = Number(characters.test(String.fromCharCode(code)))
  return table
}

const WORD = tableOf(/[\w.~+/=%\\&#;{}-]/)
const DUMP = tableOf(/[\da-fx%#;,:|"'\s{}[\]*+-]/i)
// With what may stand between bytes: `\u0022` and `\t`, `&quot;` and `&comma;`, `%26amp`.
const ESCAPED_DUMP = tableOf(/[\dA-Fa-flmnopqrstux%\\&#;,:|"'\s{}[\]*+-]/)

/** Runs of at least so many characters of a table. Such a run has one at a multiple of its length. */
function findRuns(text: string, length: number, table: Uint8Array): Range[] {
  const runs: Range[] = []
  let end = 0
  for (let middle = length - 1; middle < text.length; middle = end + length - 1) {
    let start = middle + 1
    while (start > end && table[text.charCodeAt(start - 1)] === 1) start -= 1
    end = middle + 1
    while (start <= middle && end < text.length && table[text.charCodeAt(end)] === 1) end += 1
    if (end - start >= length) runs.push([start, end])
  }
  return runs
}

const hasEscapes = (text: string) => ['\\', '%', '&'].some((sign) => text.includes(sign))

/** Lists of so many bytes, and as many escapes in a row: digits of numbers with something between them. */
function findDumps(text: string, bytes: number, isEscaped = hasEscapes(text)): Range[] {
  // Two characters of a byte, and one behind it or two of them.
  const runs = findRuns(text, Math.floor(2.5 * bytes) - 1, isEscaped ? ESCAPED_DUMP : DUMP)
  if (runs.length === 0) return runs
  const dump = new RegExp(`^\\D*(?:\\d[\\da-f]*[^\\da-f]\\D*){${Math.ceil(bytes / 2) - 1}}\\d`, 'i')
  return runs.filter(([start, end]) => dump.test(text.slice(start, end)))
}

// How the escape of a letter or a digit ends: %41, \x41, \u0041, \u{41}, &#x41; or &#65; also where %, { or # are escaped (25,
// 7B, 23). It begins with what is rare in JSON: looking for backslashes, or back, takes much longer.
const HEX = String.raw`(?:%|x|u00|\{)(?:25)*(?:7B)?0*(?:3\d|[46][1-9A-F]|[57][\dA])`
const CODE = String.raw`(?:4[89]|5[0-7]|6[5-9]|[78]\d|9[07-9]|1[0-2]\d)`
const DECIMAL = String.raw`(?:[#;]|%(?:25)*23)0*${CODE}[;%&\\]`
const ESCAPED = new RegExp(`${HEX}|${DECIMAL}`, 'gi')

/** Letters and digits that are escaped, of which most texts have few. One stands for all in reach of it. */
function findEscaped(text: string, reach: number): Range[] {
  const found: Range[] = []
  ESCAPED.lastIndex = 0
  for (let match = ESCAPED.exec(text); match; match = ESCAPED.exec(text)) {
    const { index } = match
    // No escape, as in linux64.
    if (/[^\\c#;}3]x/i.test(text.slice(index - 1, index + 1))) continue
    found.push([index, index + reach])
    ESCAPED.lastIndex = index + reach
  }
  return found
}

/** Whether a text is worth more than a look, which takes less time than to learn about the secrets. */
export function mayHold(text: string, secrets: readonly string[]): boolean {
  const shortest = leastOf(secrets)
  const words = findRuns(text, Math.min(shortest, COLUMNS), WORD)
  // One that is broken over lines has a word in two of them, where the shortest is as long as three lines: a hash is not two.
  const enough = shortest > 3 * COLUMNS + 6 ? 2 : 1
  const isLong = words.some(([start, end]) => end - start >= shortest)
  return isLong || words.length >= enough || findDumps(text, shortest).length > 0
}
