import { outsideOfScopes } from '../context.ts'
import type { OAuthCredential } from '../credential.ts'
import type { RefreshGrant } from '../env.ts'
import { isRefusal, Pause } from './pause.ts'

/** A token and those that replace it: by one request at a time, and after a failure by none for a while. */
export class Lineage {
  /** Those by which callers may know it: the first, which an environment holds for ever, and the last ones. */
  readonly keys: string[] = []
  /** The newest refresh token, where it is had by one. */
  refreshToken = ''
  /** The newest answer, without what the caller gave. */
  current: OAuthCredential | undefined
  /** The access token that an API has refused. */
  rejected: string | undefined
  /** The successor that nobody has saved yet. */
  unsaved: OAuthCredential | RefreshGrant | undefined
  saving: Promise<void> | undefined
  flight: Promise<OAuthCredential> | undefined
  /** How many calls are under way with it. */
  users = 0
  readonly pause: Pause = new Pause()

  /**
   * The newest token while it is fresh, or else what `renew` gives; where that fails, what is still valid.
   *
   * @param given - the one that the caller has
   * @param leewaySeconds - how long before its expiry it counts as expired
   * @param refused - the access token that an API has refused, where another one is asked for by force
   */
  async fresh(
    given: OAuthCredential | undefined,
    leewaySeconds: number | undefined,
    refused: string | undefined,
    renew: () => Promise<OAuthCredential>,
  ): Promise<OAuthCredential> {
    const { pause } = this
    const hasFailed = pause.isOn && pause.error !== undefined
    const isForced = refused !== undefined && (hasFailed || !pause.isOn)
    if (isForced) this.rejected = refused
    const newest = this.#newest(given, this.rejected)
    if (newest?.isExpired(leewaySeconds) === false) return newest
    try {
      if (hasFailed) throw pause.error
      const successor = await renew()
      if (successor.accessToken === this.rejected) this.rejected = undefined
      if (isForced && !pause.isOn) pause.begin()
      return successor
    } catch (error) {
      const valid = this.#newest(given, refused)
      if (valid?.isExpired(0) === false) return valid
      throw error
    }
  }

  /** What was given or what is remembered, whichever expires later, unless it was rejected. */
  #newest(
    given: OAuthCredential | undefined,
    rejected: string | undefined,
  ): OAuthCredential | undefined {
    const { current } = this
    const offered = given?.accessToken === rejected ? undefined : given
    // One without a known expiry was for the calls that have waited for it.
    const isRemembered = current?.expiresAt !== undefined && current.accessToken !== rejected
    if (!isRemembered) return offered
    return Number(offered?.expiresAt) >= Number(current.expiresAt) ? offered : current
  }

  /** Makes one request for all who ask meanwhile. */
  once(request: () => Promise<OAuthCredential>): Promise<OAuthCredential> {
    // Not in the scope of who comes first: what the request starts must not have that caller's credential.
    this.flight ??= outsideOfScopes(() => this.#fly(request)).finally(() => {
      this.flight = undefined
    })
    return this.flight
  }

  async #fly(request: () => Promise<OAuthCredential>): Promise<OAuthCredential> {
    try {
      this.current = await request()
      // What it was for is over, whatever becomes of the clock.
      this.pause.error = undefined
      return this.current
    } catch (error) {
      // A refresh token that was refused is not sent again.
      const isFinal = this.refreshToken !== '' && isRefusal(error)
      this.pause.begin(error, isFinal ? Infinity : undefined)
      throw error
    }
  }
}

const MAX_KEYS = 9
const MAX_FORGETTABLE = 10_000

/** What is remembered. */
export class Lineages {
  readonly #lineages = new Map<string, Lineage>()
  // In the order of their last use.
  readonly #forgettable = new Set<Lineage>()

  /** Runs `fn` with what is known by a key, which is not forgotten meanwhile. */
  async use<T>(key: string, refreshToken: string, fn: (known: Lineage) => Promise<T>): Promise<T> {
    const lineage = this.#lineages.get(key) ?? new Lineage()
    if (lineage.keys.length === 0) this.extend(lineage, key, refreshToken)
    this.#forgettable.delete(lineage)
    lineage.users += 1
    try {
      return await fn(lineage)
    } finally {
      lineage.users -= 1
      if (lineage.users === 0 && lineage.unsaved === undefined) this.#release(lineage)
    }
  }

  /** Another refresh token takes the place of the newest one. */
  extend(lineage: Lineage, key: string, refreshToken: string): void {
    lineage.refreshToken = refreshToken
    this.#lineages.set(key, lineage)
    if (lineage.keys.includes(key)) return
    lineage.keys.push(key)
    if (lineage.keys.length > MAX_KEYS) this.#forget(lineage, lineage.keys.splice(1, 1))
  }

  /** Forgets a lineage that knows nothing, or else what was used least recently. */
  #release(lineage: Lineage): void {
    if (lineage.current === undefined && lineage.pause.error === undefined)
      return this.#forget(lineage, lineage.keys)
    this.#forgettable.add(lineage)
    const [oldest = lineage] = this.#forgettable
    if (this.#forgettable.size <= MAX_FORGETTABLE) return
    this.#forgettable.delete(oldest)
    return this.#forget(oldest, oldest.keys)
  }

  #forget(lineage: Lineage, keys: readonly string[]): void {
    for (const key of keys) if (this.#lineages.get(key) === lineage) this.#lineages.delete(key)
  }
}
