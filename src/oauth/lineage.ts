import type { OAuthCredential } from '../credential.ts'
import { CredentialRefreshError } from './errors.ts'
import type { Refreshable } from './grant.ts'

const SECOND = 1000
const LONGEST = 60 * SECOND

/** A time in which nobody asks again. */
export class Pause {
  #until = 0
  #length = 0
  /** What went wrong; `undefined` where nothing did. */
  error: unknown

  /** A clock that was set back ends it. */
  get isOn(): boolean {
    const left = this.#until - Date.now()
    return left > 0 && left <= this.#length
  }

  begin(error?: unknown): void {
    const now = Date.now()
    this.#length = this.#lengthAfter(error, now)
    this.#until = now + this.#length
    this.error = error
  }

  /** As long as the answer asks for, or else a second, and twice as long each time up to a minute. */
  #lengthAfter(error: unknown, now: number): number {
    if (isRefusal(error)) return Infinity
    const { retryAfter } = error instanceof CredentialRefreshError ? error : {}
    if (retryAfter !== undefined) return Math.max(retryAfter * SECOND, SECOND)
    const isRepeated = now < this.#until + LONGEST
    return isRepeated ? Math.min(2 * this.#length, LONGEST) : SECOND
  }
}

/** Whether the refresh token itself was refused. */
export const isRefusal = (error: unknown): boolean =>
  error instanceof CredentialRefreshError && error.error === 'invalid_grant'

/** What has become of a refresh token. */
export class Lineage {
  /** Those by which callers may know it: the first, which an environment holds for ever, and the last ones. */
  readonly keys: string[] = []
  /** The newest one. */
  refreshToken = ''
  /** The newest answer, without what the caller gave. */
  current: OAuthCredential | undefined
  /** The access token that a call was refused with. */
  rejected: string | undefined
  /** The successor that nobody has saved yet. */
  unsaved: Refreshable | undefined
  saving: Promise<void> | undefined
  flight: Promise<OAuthCredential> | undefined
  readonly pause: Pause = new Pause()
}

const MAX_KEYS = 9
const MAX_FORGETTABLE = 10_000

// Of all refreshers of the process: a refresh token that one has used is worth nothing to another.
const lineages = new Map<string, Lineage>()
// In the order of their last use.
const forgettable = new Set<Lineage>()

/** What is known of a refresh token. */
export function findLineage(key: string): Lineage | undefined {
  const lineage = lineages.get(key)
  if (lineage !== undefined && forgettable.delete(lineage)) forgettable.add(lineage)
  return lineage
}

/** Another refresh token takes the place of the newest one. */
export function extendLineage(lineage: Lineage, key: string, refreshToken: string): void {
  lineage.refreshToken = refreshToken
  lineages.set(key, lineage)
  if (lineage.keys.includes(key)) return
  lineage.keys.push(key)
  if (lineage.keys.length > MAX_KEYS) forget(lineage, lineage.keys.splice(1, 1))
}

/** Keeps a lineage while something is under way with it. */
export function holdLineage(lineage: Lineage): void {
  forgettable.delete(lineage)
}

/** Lets a lineage be forgotten, unless it has something under way, or a successor that nobody has saved. */
export function releaseLineage(lineage: Lineage): void {
  if (lineage.flight !== undefined || lineage.unsaved !== undefined) return
  forgettable.add(lineage)
  const [oldest] = forgettable
  if (oldest === undefined || forgettable.size <= MAX_FORGETTABLE) return
  forgettable.delete(oldest)
  forget(oldest, oldest.keys)
}

function forget(lineage: Lineage, keys: readonly string[]): void {
  for (const key of keys) if (lineages.get(key) === lineage) lineages.delete(key)
}
