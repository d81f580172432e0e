import type { Range } from './undo.ts'

/**
 * Finds all of many needles in one pass, in a time that is linear whatever the needles and the text are (Aho and Corasick,
 * 1975). One search for each is quadratic for `aaaa…b` in a text of `a`, and for a thousand fields in a thousand windows.
 */
export class Automaton<T> {
  // A state is a beginning of needles; 0 is the empty one. A step is keyed by state * 2 ** 16 + character.
  readonly #steps = new Map<number, number>()
  /** For each state the longest other one that it ends with, and the longest needle that it ends with. */
  readonly #fallbacks: number[] = [0]
  readonly #needles: ([length: number, value: T] | undefined)[] = [undefined]
  // By the hash of two characters, whether a needle may begin with them: most of a text is passed over by this alone.
  readonly #isFirst = new Uint8Array(4096)

  constructor(needles: ReadonlyMap<string, T>) {
    for (const text of needles.keys()) this.#isFirst[hashAt(text, 0)] = 1
    let open = Array.from(needles, ([text, value]) => ({ text, value, state: 0 }))
    // Level by level: what a state falls back to is shorter.
    for (let length = 1; open.length > 0; length++) {
      for (const needle of open)
        needle.state = this.#extend(needle.state, needle.text.charCodeAt(length - 1))
      for (const { text, value, state } of open)
        if (text.length === length) this.#needles[state] = [length, value]
      open = open.filter(({ text }) => text.length > length)
    }
  }

  #extend(state: number, code: number): number {
    const known = this.#steps.get(state * 65_536 + code)
    if (known !== undefined) return known
    const fallback = state === 0 ? 0 : this.#step(Number(this.#fallbacks[state]), code)
    this.#needles.push(this.#needles[fallback])
    const next = this.#fallbacks.push(fallback) - 1
    this.#steps.set(state * 65_536 + code, next)
    return next
  }

  #step(from: number, code: number): number {
    let state = from
    let next = this.#steps.get(state * 65_536 + code)
    while (next === undefined && state !== 0) {
      state = Number(this.#fallbacks[state])
      next = this.#steps.get(state * 65_536 + code)
    }
    return next ?? 0
  }

  /** Where needles are; `values` gets what they stand for. */
  search(text: string, values: Set<T>): Range[] {
    const ranges: Range[] = []
    const isFirst = this.#isFirst
    const last = text.length - 1
    let state = 0
    for (let at = 0; at <= last; at++) {
      if (state === 0 && (at === last || isFirst[hashAt(text, at)] === 0)) continue
      state = this.#step(state, text.charCodeAt(at))
      const needle = this.#needles[state]
      if (needle === undefined) continue
      addRange(ranges, at + 1 - needle[0], at + 1)
      values.add(needle[1])
    }
    return ranges
  }
}

/** A hash of two characters, below 4,096. */
export const hashAt = (text: string, at: number): number =>
  (text.charCodeAt(at) * 31 + text.charCodeAt(at + 1)) & 4095

/** Adds a range to others that end no later; what overlaps or touches becomes one. */
export function addRange(ranges: Range[], start: number, end: number): void {
  let last = ranges.at(-1)
  while (last && last[0] >= start) {
    ranges.pop()
    last = ranges.at(-1)
  }
  if (last && last[1] >= start) last[1] = end
  else ranges.push([start, end])
}

export function merge(ranges: Range[]): Range[] {
  const merged: Range[] = []
  for (const [start, end] of ranges.sort((a, b) => a[1] - b[1])) addRange(merged, start, end)
  return merged
}
