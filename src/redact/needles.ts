import { REDACTED } from '../grammar.ts'
import { MIN_LENGTH } from './secrets.ts'
import type { Layer, Range } from './undo.ts'

type Needle = readonly [text: string, name: string]

// A needle is known by its first 16 characters, a shorter one by its first 8.
const [LONG, SHORT] = [16, MIN_LENGTH]

// What a text may cost that is made to match the beginnings of needles: so many comparisons for each character. A text that
// costs more is withheld.
const MAX_COMPARED = 16
const ALLOWANCE = 10_000

/** Finds needles, of 8 characters and more. */
export class Needles {
  readonly #needles = new Map<string, Needle[]>()
  // By the hash of two characters, whether a needle begins with them, and goes on with them: most of a text is passed over by
  // this alone.
  readonly #isFirst = new Uint8Array(4096)
  readonly #isNext = new Uint8Array(4096)

  constructor(secrets: ReadonlyMap<string, string>, formsOf: (secret: string) => Iterable<string>) {
    const names = new Map<string, string>()
    for (const [value, name] of secrets)
      // What the placeholder holds would be found in what replaces it.
      for (const form of formsOf(value)) if (!REDACTED.includes(form)) names.set(form, name)
    // The longest first.
    for (const needle of [...names].sort(([a], [b]) => b.length - a.length)) {
      const beginning = needle[0].slice(0, needle[0].length < LONG ? SHORT : LONG)
      const alike = this.#needles.get(beginning)
      if (alike) alike.push(needle)
      else this.#needles.set(beginning, [needle])
      this.#isFirst[hashAt(beginning, 0)] = 1
      this.#isNext[hashAt(beginning, 2)] = 1
    }
  }

  /** Where needles are in the text of a layer; `names` gets theirs. */
  search({ text, toOriginal }: Layer, names: Set<string>): Range[] {
    const ranges: Range[] = []
    const [isFirst, isNext] = [this.#isFirst, this.#isNext]
    let budget = MAX_COMPARED * (text.length + ALLOWANCE)
    for (let at = 0; at <= text.length - MIN_LENGTH; at++) {
      if (isFirst[hashAt(text, at)] === 0 || isNext[hashAt(text, at + 2)] === 0) continue
      const beginnings = [text.slice(at, at + LONG), text.slice(at, at + SHORT)]
      for (const [needle, name] of beginnings.flatMap((text) => this.#needles.get(text) ?? [])) {
        const length = commonLength(needle, text, at)
        budget -= length + 1
        if (length < needle.length && budget > 0) continue
        names.add(name)
        if (budget <= 0) return [toOriginal([0, text.length])]
        addRange(ranges, at, at + length)
        break
      }
    }
    return ranges.map(toOriginal)
  }
}

function commonLength(needle: string, text: string, at: number): number {
  let length = 0
  while (length < needle.length && needle[length] === text[at + length]) length += 1
  return length
}

/** A hash of two characters, below 4,096. */
export const hashAt = (text: string, at: number): number =>
  (text.charCodeAt(at) * 31 + text.charCodeAt(at + 1)) & 4095

/** Adds a range to others that begin no later; what overlaps or touches becomes one. */
function addRange(ranges: Range[], start: number, end: number): void {
  const last = ranges.at(-1)
  if (last && last[1] >= start) last[1] = Math.max(last[1], end)
  else ranges.push([start, end])
}

export function merge(ranges: Range[]): Range[] {
  const merged: Range[] = []
  for (const [start, end] of ranges.sort((a, b) => a[0] - b[0])) addRange(merged, start, end)
  return merged
}
