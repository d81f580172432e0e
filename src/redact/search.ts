import type { RelatedSecret, Search } from '../credential.ts'
import { createWindows, mayHold } from './anchors.ts'
import { merge, Needles } from './needles.ts'
import { encodedForms, isToken, plainForms, withParts } from './secrets.ts'
import { squeezedOf, undoneOf } from './undo.ts'

/** Finds secrets however they are rendered. What that takes is made when a text is worth it. */
export function createSearch(secrets: readonly RelatedSecret[]): Search {
  let find: Search | undefined
  return (text, names) => {
    if (secrets.length === 0) return []
    if (find === undefined && isHarmless(text, secrets)) return []
    find ??= createThorough(withParts(secrets))
    return find(text, names)
  }
}

// In a longer text the look takes longer.
const MAX_LOOK = 16_384

/** Whether a look is enough: where all secrets are made of what tokens are made of. */
function isHarmless(text: string, secrets: readonly RelatedSecret[]): boolean {
  const values = secrets.map(([, value]) => value)
  return text.length <= MAX_LOOK && values.every(isToken) && !mayHold(text, values)
}

function createThorough(secrets: ReadonlyMap<string, string>): Search {
  const windowsOf = createWindows([...secrets.keys()])
  let needles: readonly [plain: Needles, encoded: Needles] | undefined
  return (text, names) => {
    const found = windowsOf(text).flatMap((window) => {
      needles ??= [new Needles(secrets, plainForms), new Needles(secrets, encodedForms)]
      const [plain, encoded] = needles
      const layers = undoneOf(text, window)
      const squeezed = layers.slice(-1).flatMap(squeezedOf)
      return [
        ...layers.flatMap((layer) => plain.search(layer, names)),
        ...squeezed.flatMap((layer) => encoded.search(layer, names)),
      ]
    })
    return merge(found)
  }
}
