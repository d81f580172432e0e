import { outsideOfScopes } from './context.ts'
import { assertCredential } from './credential.ts'
import type { ResolvedCredential } from './credential.ts'
import { assertOptions, misuse } from './errors.ts'
import type { CredentialRequest } from './source.ts'

/** Options of {@link cached}. */
export interface CachedOptions {
  /** Whose credential a call gets: calls with the same key share one. To refuse a call, it throws. */
  readonly key: (request: CredentialRequest) => string
  /** Loads the credential of a key, of which it knows nothing else, within a time limit of its own. */
  readonly load: (key: string) => ResolvedCredential | Promise<ResolvedCredential>
  /** How long a credential is kept, in seconds from the moment that it was asked for; by default 60. */
  readonly ttlSeconds?: number | undefined
  /** How many credentials are kept; by default 10,000. The least recently used one goes first. */
  readonly max?: number | undefined
}

/** A source that remembers. */
export interface CachedSource {
  /** What every `CredentialSource` is. */
  (request: CredentialRequest): Promise<ResolvedCredential>
  /** Forgets the credential of a key, and that it is being loaded: the next call loads it again. */
  invalidate(key: string): void
}

/**
 * A source that loads a credential once for many calls: one load for all who wait, and then none for `ttlSeconds`, or until a
 * minute before the credential expires. Errors are not kept.
 *
 * @param options - whose credential a call gets, how it is loaded, for how long it is kept, and how many are
 * @returns a source that rejects with what `key` and `load` throw, and with `TypeError` `ERR_INVALID_ARG_VALUE` for a key that
 *   is empty or no string, which would mix callers
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is not as it should be
 * @example
 * const source = cached({ key: ({ headers }) => tenantOf(headers), load: (tenant) => vault.read(tenant), ttlSeconds: 300 })
 */
export function cached(options: CachedOptions): CachedSource {
  const { max = 10_000 }: Partial<CachedOptions> = Object(options)
  if (!Number.isSafeInteger(max) || max < 0)
    throw misuse(
      'ERR_INVALID_ARG_VALUE',
      'The option max of cached must be a number of credentials.',
    )
  assertOptions(options, 'cached', {
    key: ['function'],
    load: ['function'],
    ttlSeconds: ['seconds'],
    // Checked above: the kind that is nearest would call it seconds.
    max: ['seconds'],
  })
  for (const name of ['key', 'load'] as const)
    if (options[name] === undefined) throw misuse('ERR_INVALID_ARG_VALUE', `cached needs ${name}.`)
  const cache = new Cache({ ...options, max })
  const source = async (request: CredentialRequest) => cache.get(options.key(request))
  return Object.assign(source, { invalidate: (key: string) => cache.forget(key) })
}

interface Entry {
  readonly credential: ResolvedCredential
  /** When its loading began. */
  readonly since: number
}

class Cache {
  readonly #options: CachedOptions & { readonly max: number }
  // In the order of their last use.
  readonly #entries = new Map<string, Entry>()
  readonly #flights = new Map<string, Promise<ResolvedCredential>>()

  constructor(options: CachedOptions & { readonly max: number }) {
    this.#options = options
  }

  async get(key: unknown): Promise<ResolvedCredential> {
    if (typeof key !== 'string' || key === '')
      throw misuse(
        'ERR_INVALID_ARG_VALUE',
        'key must return a string that is not empty: it would mix callers.',
      )
    const entry = this.#entries.get(key)
    if (entry === undefined || !this.#isCurrent(entry))
      return this.#flights.get(key) ?? this.#fly(key)
    this.#keep(key, entry)
    return entry.credential
  }

  forget(key: string): void {
    this.#entries.delete(key)
    this.#flights.delete(key)
  }

  #isCurrent({ credential, since }: Entry): boolean {
    const { ttlSeconds = 60 } = this.#options
    const age = Date.now() - since
    // A clock that was set back must not make it last longer.
    return age >= 0 && age < ttlSeconds * 1000 && !credential.isExpired()
  }

  #fly(key: string): Promise<ResolvedCredential> {
    const since = Date.now()
    // For all who wait, so in the scope of none of them.
    const flight = outsideOfScopes(() => this.#load(key))
    const land = (credential?: ResolvedCredential) => {
      const isForgotten = this.#flights.get(key) !== flight
      if (isForgotten) return
      this.forget(key)
      if (credential !== undefined) this.#keep(key, { credential, since })
    }
    flight.then(land, () => land())
    this.#flights.set(key, flight)
    return flight
  }

  async #load(key: string): Promise<ResolvedCredential> {
    const credential = await this.#options.load(key)
    assertCredential(credential, 'load returns')
    return credential
  }

  #keep(key: string, entry: Entry): void {
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#options.max) return
      this.#entries.delete(oldest)
    }
  }
}
