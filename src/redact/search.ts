import type { RelatedSecret } from '../credential.ts'
import { REDACTED } from '../grammar.ts'
import { Anchors, mayHold } from './anchors.ts'
import { merge, Needles } from './needles.ts'
import { encodedForms, plainForms } from './forms.ts'
import { isToken, MIN_LENGTH, withParts } from './secrets.ts'
import { squeezedOf, undoneOf } from './undo.ts'
import type { Layer, Range } from './undo.ts'

/** Where secrets are in a text, and their names. */
export interface Found {
  readonly ranges: readonly Range[]
  readonly names: ReadonlySet<string>
}

// In a longer text the look takes longer.
const MAX_LOOK = 16_384

/** Finds secrets in texts, however they are rendered. What that takes is made when a text is worth it. */
export class Search {
  readonly #secrets: readonly RelatedSecret[]
  readonly #onLearnt: () => unknown
  #anchors: Anchors | undefined
  #plain: Needles | undefined
  #encoded: Needles | undefined

  constructor(secrets: readonly RelatedSecret[], onLearnt: () => unknown) {
    this.#secrets = secrets
    this.#onLearnt = onLearnt
  }

  find(text: string): Found | undefined {
    if (text.length < MIN_LENGTH || this.#secrets.length === 0) return undefined
    if (this.#anchors === undefined && this.#isHarmless(text)) return undefined
    this.#anchors ??= this.#learn()
    const [windows, isEncoded] = this.#anchors.windowsOf(text)
    const names = new Set<string>()
    const found = windows.flatMap((window) => this.#findIn(window, text, isEncoded, names))
    return found.length === 0 ? undefined : { ranges: merge(found), names }
  }

  #learn(): Anchors {
    this.#onLearnt()
    return new Anchors([...withParts(this.#secrets).keys()])
  }

  /** Whether a look is enough: where all secrets are made of what tokens are made of. */
  #isHarmless(text: string): boolean {
    if (text.length > MAX_LOOK) return false
    const areTokens = this.#secrets.every(([, value]) => isToken(value))
    return areTokens && !mayHold(text, Math.min(...this.#secrets.map(([, value]) => value.length)))
  }

  #findIn(window: Range, text: string, isEncoded: boolean, names: Set<string>): Range[] {
    const found: Range[] = []
    const first = Math.max(window[0], 0)
    const search = (sought: Needles, { text, toOriginal }: Layer) => {
      for (const part of sought.search(text, names)) {
        const [start, end] = toOriginal(part)
        found.push([first + start, first + end])
      }
    }
    this.#plain ??= needlesOf(this.#secrets, plainForms)
    const layers = undoneOf(text.slice(first, window[1]))
    for (const layer of layers) search(this.#plain, layer)
    if (!isEncoded) return found
    this.#encoded ??= needlesOf(this.#secrets, encodedForms)
    for (const layer of layers.slice(-1).flatMap(squeezedOf)) search(this.#encoded, layer)
    return found
  }
}

type FormsOf = (secret: string) => Iterable<string>

function needlesOf(secrets: readonly RelatedSecret[], formsOf: FormsOf): Needles {
  const needles = new Map<string, string>()
  for (const [value, name] of withParts(secrets))
    // What the placeholder holds would be found in what replaces it.
    for (const form of formsOf(value)) if (!REDACTED.includes(form)) needles.set(form, name)
  return new Needles(needles)
}
