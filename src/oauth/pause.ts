import { CredentialRefreshError } from './errors.ts'

const LONGEST = 60

/** A time in which nobody asks again. */
export class Pause {
  #since = 0
  #until = 0
  /** What went wrong; `undefined` where nothing did. */
  error: unknown

  /** Whether it lasts; a clock that was set back ends it. */
  get isOn(): boolean {
    const now = Date.now()
    return now >= this.#since && now < this.#until
  }

  /** Begins one: as long as the answer asks for, or else of a second, and of twice as long each time up to a minute. */
  begin(error?: unknown): void {
    const now = Date.now()
    const seconds = askedFor(error) ?? this.#nextSeconds(now)
    this.#since = now
    this.#until = now + Math.max(seconds, 1) * 1000
    this.error = error
  }

  #nextSeconds(now: number): number {
    const isRepeated = now < this.#until + LONGEST * 1000
    if (!isRepeated) return 1
    const last = (this.#until - this.#since) / 1000
    return Math.min(2 * last, LONGEST)
  }
}

const askedFor = (error: unknown): number | undefined =>
  error instanceof CredentialRefreshError ? error.retryAfter : undefined
