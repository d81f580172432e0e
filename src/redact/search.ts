import type { RelatedSecret } from '../credential.ts'
import { REDACTED } from '../grammar.ts'
import { Anchors, mayHold } from './anchors.ts'
import { Automaton, merge } from './automaton.ts'
import { encodedForms, plainForms } from './forms.ts'
import { MIN_LENGTH, withParts } from './secrets.ts'
import type { Names } from './secrets.ts'
import { layersOf } from './undo.ts'
import type { Range } from './undo.ts'

/** Where secrets are in a text, and their names. */
export interface Found {
  readonly ranges: readonly Range[]
  readonly names: Names
}

// In a longer text the look takes longer.
const MAX_LOOK = 16_384

/** Finds secrets in texts, however they are rendered. What that takes is made when a text is worth it. */
export class Search {
  readonly #secrets: readonly RelatedSecret[]
  #anchors: Anchors | undefined
  #automaton: Automaton<Names> | undefined

  constructor(secrets: readonly RelatedSecret[]) {
    this.#secrets = secrets
  }

  find(text: string): Found | undefined {
    if (text.length < MIN_LENGTH || this.#secrets.length === 0) return undefined
    if (this.#anchors === undefined && this.#isHarmless(text)) return undefined
    this.#anchors ??= new Anchors([...withParts(this.#secrets).keys()])
    const names = new Set<Names>()
    const found = this.#anchors.windows(text).flatMap((window) => this.#findIn(window, text, names))
    if (found.length === 0) return undefined
    return { ranges: merge(found), names: new Set([...names].flatMap((some) => [...some])) }
  }

  /** Whether a look is enough: where all secrets are made of what tokens are made of. */
  #isHarmless(text: string): boolean {
    if (text.length > MAX_LOOK) return false
    const isToken = this.#secrets.every(([, value]) => /^[\w.~+/=-]+$/.test(value))
    return isToken && !mayHold(text, Math.min(...this.#secrets.map(([, value]) => value.length)))
  }

  #findIn(window: Range, text: string, names: Set<Names>): Range[] {
    const automaton = (this.#automaton ??= automatonOf(this.#secrets))
    const found: Range[] = []
    const first = Math.max(window[0], 0)
    for (const layer of layersOf(text.slice(first, window[1]))) {
      for (const part of automaton.search(layer.text, names)) {
        const [start, end] = layer.toOriginal(part)
        found.push([first + start, first + end])
      }
    }
    return found
  }
}

function automatonOf(secrets: readonly RelatedSecret[]): Automaton<Names> {
  const needles = new Map<string, Names>()
  for (const [value, names] of withParts(secrets)) {
    for (const form of [...plainForms(value), ...encodedForms(value)])
      needles.set(form, new Set([...(needles.get(form) ?? []), ...names]))
  }
  // What the placeholder holds would be found in what replaces it.
  for (const form of needles.keys()) if (REDACTED.includes(form)) needles.delete(form)
  return new Automaton(needles)
}
