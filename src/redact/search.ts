import type { RelatedSecret } from '../credential.ts'
import { REDACTED } from '../grammar.ts'
import { Anchors, leastOf, mayHold } from './anchors.ts'
import { encodedForms, plainForms } from './forms.ts'
import { merge, Needles } from './needles.ts'
import { isToken, MIN_LENGTH, withParts } from './secrets.ts'
import { squeezedOf, undoneOf } from './undo.ts'
import type { Layer, Range } from './undo.ts'

/** Finds secrets in texts, however they are rendered. What that takes is made when a text is worth it. */
export class Search {
  readonly #secrets: readonly RelatedSecret[]
  #anchors: Anchors | undefined
  #plain: Needles | undefined
  #encoded: Needles | undefined

  constructor(secrets: readonly RelatedSecret[]) {
    this.#secrets = secrets
  }

  /** Where secrets are, from left to right; `names` gets theirs. */
  find(text: string, names: Set<string>): Range[] {
    if (text.length < MIN_LENGTH || this.#secrets.length === 0) return []
    if (this.#anchors === undefined && this.#isHarmless(text)) return []
    this.#anchors ??= new Anchors([...withParts(this.#secrets).keys()])
    const windows = this.#anchors.windowsOf(text)
    return merge(windows.flatMap((window) => this.#findIn(window, text, names)))
  }

  /** Whether a look is enough: where all secrets are made of what tokens are made of. */
  #isHarmless(text: string): boolean {
    const values = this.#secrets.map(([, value]) => value)
    return values.every(isToken) && !mayHold(text, leastOf(values))
  }

  #findIn(window: Range, text: string, names: Set<string>): Range[] {
    this.#plain ??= needlesOf(this.#secrets, plainForms)
    this.#encoded ??= needlesOf(this.#secrets, encodedForms)
    const layers = undoneOf(text, window)
    const squeezed = layers.slice(-1).flatMap(squeezedOf)
    const search = (needles: Needles) => (layer: Layer) => needles.search(layer, names)
    return [...layers.flatMap(search(this.#plain)), ...squeezed.flatMap(search(this.#encoded))]
  }
}

function needlesOf(
  secrets: readonly RelatedSecret[],
  formsOf: (secret: string) => Iterable<string>,
): Needles {
  const needles = new Map<string, string>()
  for (const [value, name] of withParts(secrets))
    // What the placeholder holds would be found in what replaces it.
    for (const form of formsOf(value)) if (!REDACTED.includes(form)) needles.set(form, name)
  return new Needles(needles)
}
