import { CredentialRefreshError } from './errors.ts'

const SECOND = 1000
const LONGEST = 60 * SECOND

/** A time in which nobody asks again. */
export class Pause {
  #until = 0
  #length = 0
  /** What went wrong; `undefined` where nothing did. */
  error: unknown

  /** A clock that was set back ends it for good: it must not come on again as the clock goes on. */
  get isOn(): boolean {
    if (this.#until - Date.now() > this.#length) this.#until = 0
    return Date.now() < this.#until
  }

  /** For so many milliseconds, by default as after the error. */
  begin(error?: unknown, length: number = this.#lengthAfter(error)): void {
    this.#length = length
    this.#until = Date.now() + length
    this.error = error
  }

  /** As long as the answer asks for, or else a second, and twice as long each time up to a minute. */
  #lengthAfter(error: unknown): number {
    const { retryAfter } = error instanceof CredentialRefreshError ? error : {}
    if (retryAfter !== undefined) return Math.max(retryAfter * SECOND, SECOND)
    const isRepeated = Date.now() < this.#until + LONGEST
    return isRepeated ? Math.min(2 * this.#length, LONGEST) : SECOND
  }
}

/** Whether the refresh token, or what else was sent for a token, was refused itself. */
export const isRefusal = (error: unknown): error is CredentialRefreshError =>
  error instanceof CredentialRefreshError && error.error === 'invalid_grant'
