import type { RelatedSecret } from '../credential.ts'
import { REDACTED } from '../grammar.ts'
import { Anchors, mayHold } from './anchors.ts'
import { Automaton, merge } from './automaton.ts'
import { encodedForms, plainForms } from './forms.ts'
import { MIN_LENGTH, withParts } from './secrets.ts'
import type { Names } from './secrets.ts'
import { squeezedOf, undoneOf } from './undo.ts'
import type { Layer, Range } from './undo.ts'

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
  #plain: Automaton<Names> | undefined
  #encoded: Automaton<Names> | undefined

  constructor(secrets: readonly RelatedSecret[]) {
    this.#secrets = secrets
  }

  find(text: string): Found | undefined {
    if (text.length < MIN_LENGTH || this.#secrets.length === 0) return undefined
    if (this.#anchors === undefined && this.#isHarmless(text)) return undefined
    this.#anchors ??= new Anchors([...withParts(this.#secrets).keys()])
    const { windows, isEncoded } = this.#anchors.windowsOf(text)
    const names = new Set<Names>()
    const found = windows.flatMap((window) => this.#findIn(window, text, isEncoded, names))
    if (found.length === 0) return undefined
    return { ranges: merge(found), names: new Set([...names].flatMap((some) => [...some])) }
  }

  /** Whether a look is enough: where all secrets are made of what tokens are made of. */
  #isHarmless(text: string): boolean {
    if (text.length > MAX_LOOK) return false
    const isToken = this.#secrets.every(([, value]) => /^[\w.~+/=-]+$/.test(value))
    return isToken && !mayHold(text, Math.min(...this.#secrets.map(([, value]) => value.length)))
  }

  #findIn(window: Range, text: string, isEncoded: boolean, names: Set<Names>): Range[] {
    const first = Math.max(window[0], 0)
    const found: Range[] = []
    const search = (automaton: Automaton<Names>, layers: readonly Layer[]) => {
      for (const layer of layers) {
        for (const part of automaton.search(layer.text, names)) {
          const [start, end] = layer.toOriginal(part)
          found.push([first + start, first + end])
        }
      }
    }
    const layers = undoneOf(text.slice(first, window[1]))
    search((this.#plain ??= automatonOf(this.#secrets, plainForms)), layers)
    if (!isEncoded) return found
    this.#encoded ??= automatonOf(this.#secrets, encodedForms)
    search(this.#encoded, layers.slice(-1).flatMap(squeezedOf))
    return found
  }
}

type FormsOf = (secret: string) => Iterable<string>

function automatonOf(secrets: readonly RelatedSecret[], formsOf: FormsOf): Automaton<Names> {
  const needles = new Map<string, Names>()
  for (const [value, names] of withParts(secrets)) {
    for (const form of formsOf(value))
      needles.set(form, new Set([...(needles.get(form) ?? []), ...names]))
  }
  // What the placeholder holds would be found in what replaces it.
  for (const form of needles.keys()) if (REDACTED.includes(form)) needles.delete(form)
  return new Automaton(needles)
}
