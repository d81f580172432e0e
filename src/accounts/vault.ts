import type { ResolvedCredential } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { inTime } from '../oauth/token-endpoint.ts'
import { open, seal } from './jwe.ts'
import type { Binding } from './jwe.ts'
import { assertName, fromClaim, toClaim } from './seal.ts'

/**
 * Where the accounts are kept: a row, of an owner and a provider, holds a text. It may be a table, or a key of Redis.
 *
 * @example
 * const rows = new Map<string, string>()
 * const store: AccountStore = {
 *   load: async (...key) => rows.get(JSON.stringify(key)),
 *   swap: async (owner, provider, before, after) => {
 *     const key = JSON.stringify([owner, provider])
 *     if (rows.get(key) !== before) return false
 *     if (after === undefined) rows.delete(key)
 *     else rows.set(key, after)
 *     return true
 *   },
 * }
 */
export interface AccountStore {
  /** The text of a row as it was written last, by any process; `undefined` where there is none. */
  load(owner: string, provider: string): Promise<string | undefined>
  /**
   * Writes `after` (`undefined` deletes) only if the row still holds `before` (`undefined`: if there is no row), in one step
   * that no other write comes between; tells whether it did.
   */
  swap(
    owner: string,
    provider: string,
    before: string | undefined,
    after: string | undefined,
  ): Promise<boolean>
}

/** What is known of an account; times are in milliseconds since 1970. */
export interface Account {
  readonly credential?: ResolvedCredential | undefined
  /** Whether the token endpoint has refused the refresh token for good. */
  readonly isRefused?: boolean | undefined
  /** Who refreshes it, and until when nobody else does. */
  readonly lease?: { readonly by: string; readonly until: number } | undefined
  /** Nonces of the tickets that have been redeemed, with their expiry. */
  readonly spent?: Readonly<Record<string, number>> | undefined
}

/** An account, and the text that the store has of it. */
export interface Row {
  readonly owner: string
  readonly text: string | undefined
  readonly account: Account
}

// Of a hundred that write to one row at a time the last one succeeds at the hundredth try.
export const MAX_TRIES = 200

type VaultOptions = Pick<Binding, 'provider' | 'keys'> & { timeoutSeconds?: number | undefined }

/** The sealed rows of one provider. */
export class Vault {
  readonly #store: AccountStore
  readonly #options: VaultOptions

  constructor(store: AccountStore, options: VaultOptions) {
    this.#store = store
    this.#options = options
  }

  bindingOf(owner: string): Binding {
    assertName(owner, 'owner')
    return { ...this.#options, typ: 'mcp-account', owner }
  }

  async load(owner: string): Promise<Row> {
    const binding = this.bindingOf(owner)
    const text = (await this.#ask((store, provider) => store.load(owner, provider))) ?? undefined
    if (text === undefined) return { owner, text, account: {} }
    const account = await open(text, binding, ({ credential, ...others }) => {
      // It was authenticated: nothing but this has written it.
      const account: Account = others
      return credential === undefined ? account : { ...account, credential: fromClaim(credential) }
    })
    return { owner, text, account }
  }

  /** Whether the row was still as given, and has been changed. */
  async swap({ owner, text: before }: Row, { spent = {}, ...account }: Account): Promise<boolean> {
    const unexpired = Object.entries(spent).filter(([, expiry]) => Date.now() < expiry)
    const credential = account.credential && toClaim(account.credential)
    const claims = { ...account, credential, spent: Object.fromEntries(unexpired) }
    const isEmpty = credential === undefined && unexpired.length === 0
    const text = isEmpty ? undefined : await seal(claims, this.bindingOf(owner))
    // A store that gives anything else, such as a number of rows, is found out at once.
    const isDone = await this.#ask((store, provider) => store.swap(owner, provider, before, text))
    return isDone === true
  }

  /** What hangs must not keep an owner waiting for ever. */
  async #ask<T>(query: (store: AccountStore, provider: string) => Promise<T>): Promise<T> {
    const { provider, timeoutSeconds } = this.#options
    try {
      return await inTime(timeoutSeconds, 'the store', () => query(this.#store, provider))
    } catch (cause) {
      throw unavailable(cause)
    }
  }

  /** Changes an account, whoever else does at the same time; `change` gives it back as it is to leave it alone. */
  async change(owner: string, change: (account: Account) => Account): Promise<Account> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const row = await this.load(owner)
      const account = change(row.account)
      if (account === row.account || (await this.swap(row, account))) return account
    }
    throw unavailable(new Error(NEVER_DONE))
  }
}

export const NEVER_DONE =
  'swap() of the store failed 200 times: does a row hold the text exactly as it was written, and does it give true?'

/** Of a store that fails nobody learns that an account is not connected. */
export function unavailable(cause: unknown): CredentialError {
  const message = 'The accounts of this server cannot be reached at the moment.'
  return new CredentialError('ERR_CREDENTIAL_UNAVAILABLE', message, { cause })
}
