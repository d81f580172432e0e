import type { OAuthCredential } from '../credential.ts'
import type { CredentialRefreshError } from './errors.ts'
import type { Refreshable } from './grant.ts'
import { Pause } from './pause.ts'

/** What a request has come to. */
export interface Outcome {
  readonly successor?: OAuthCredential | undefined
  readonly error?: unknown
  /** The saving that it has started. */
  readonly saving?: Promise<void> | undefined
}

/** What has become of a grant. */
export interface Lineage {
  /** The keys by which callers may know it: the first, which an environment holds for ever, and the last ones. */
  readonly keys: string[]
  /** The key of the newest refresh token. */
  key: string
  /** The newest refresh token. */
  refreshToken: string
  /** The newest answer, without what the caller gave. */
  current: OAuthCredential | undefined
  /** The access token that a call was refused with. */
  rejected: string | undefined
  /** The successor that nobody has saved yet. */
  unsaved: Refreshable | undefined
  isSaving: boolean
  flight: Promise<Outcome> | undefined
  /** Why the newest refresh token is not sent again. */
  refusal: CredentialRefreshError | undefined
  readonly pause: Pause
}

const MAX_KEYS = 9
const MAX_FORGETTABLE = 10_000

/** The lineages of a refresher. Those that are saved may be forgotten, the least recently used one first. */
export class Memory {
  readonly #lineages = new Map<string, Lineage>()
  // In the order of their last use.
  readonly #forgettable = new Set<Lineage>()

  find(key: string): Lineage | undefined {
    const lineage = this.#lineages.get(key)
    if (lineage !== undefined && this.#forgettable.delete(lineage)) this.#forgettable.add(lineage)
    return lineage
  }

  create(key: string, refreshToken: string): Lineage {
    const lineage: Lineage = {
      keys: [],
      key,
      refreshToken,
      current: undefined,
      rejected: undefined,
      unsaved: undefined,
      isSaving: false,
      flight: undefined,
      refusal: undefined,
      pause: new Pause(),
    }
    this.adopt(lineage, key, refreshToken)
    return lineage
  }

  /** Another refresh token takes the place of the newest one. */
  adopt(lineage: Lineage, key: string, refreshToken: string): void {
    lineage.key = key
    lineage.refreshToken = refreshToken
    this.#lineages.set(key, lineage)
    if (lineage.keys.includes(key)) return
    lineage.keys.push(key)
    if (lineage.keys.length > MAX_KEYS) this.#drop(lineage, lineage.keys.splice(1, 1))
  }

  /** Keeps a lineage for as long as something is under way with it. */
  hold(lineage: Lineage): void {
    this.#forgettable.delete(lineage)
  }

  /** Lets a lineage be forgotten, unless it has a successor that nobody has saved. */
  release(lineage: Lineage): void {
    if (lineage.unsaved !== undefined) return
    this.#forgettable.add(lineage)
    if (this.#forgettable.size <= MAX_FORGETTABLE) return
    for (const oldest of this.#forgettable) {
      this.#forgettable.delete(oldest)
      this.#drop(oldest, oldest.keys)
      return
    }
  }

  #drop(lineage: Lineage, keys: readonly string[]): void {
    for (const key of keys) if (this.#lineages.get(key) === lineage) this.#lineages.delete(key)
  }
}
