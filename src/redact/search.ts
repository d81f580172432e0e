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

// A longer text holds a long word anyway.
const MAX_LOOK = 16_384

/** Finds secrets in texts, however they are rendered. What that takes is made when a text is worth it. */
export class Search {
  readonly #secrets: readonly RelatedSecret[]
  #values: ReadonlyMap<string, Names> | undefined
  #anchors: Anchors | undefined
  #automaton: Automaton<Names> | undefined

  constructor(secrets: readonly RelatedSecret[]) {
    this.#secrets = secrets
  }

  /** Whether a number may be a secret. */
  get hasNumber(): boolean {
    return this.#secrets.some(([, value]) => /^[-+.\de]+$/i.test(value))
  }

  find(text: string): Found | undefined {
    if (text.length < MIN_LENGTH) return undefined
    if (this.#anchors === undefined && this.#isHarmless(text)) return undefined
    this.#values ??= withParts(this.#secrets)
    this.#anchors ??= new Anchors([...this.#values.keys()])
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
    const automaton = (this.#automaton ??= automatonOf(this.#values ?? new Map()))
    const found: Range[] = []
    for (const layer of layersOf(text.slice(window.start, window.end))) {
      for (const part of automaton.search(layer.text, names)) {
        const { start, end } = layer.toOriginal(part)
        found.push({ start: window.start + start, end: window.start + end })
      }
    }
    return found
  }
}

function automatonOf(values: ReadonlyMap<string, Names>): Automaton<Names> {
  const needles = new Map<string, Names>()
  for (const [value, names] of values) {
    for (const form of [...plainForms(value), ...encodedForms(value)])
      // What the placeholder holds would be found in what replaces it.
      if (!REDACTED.includes(form))
        needles.set(form, new Set([...(needles.get(form) ?? []), ...names]))
  }
  return new Automaton(needles)
}
