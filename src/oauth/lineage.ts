import type { OAuthCredential } from '../credential.ts'
import type { Refreshable } from './grant.ts'
import { Pause } from './pause.ts'

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
