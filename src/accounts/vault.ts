import type { ResolvedCredential } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { open, seal } from './jwe.ts'
import type { Binding } from './jwe.ts'
import { assertName, fromClaim, toClaim } from './seal.ts'
import type { AccountStore } from './types.ts'

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
  readonly text: string | undefined
  readonly account: Account
}

// Of a hundred that write to one row at a time the last one succeeds at the hundredth try.
export const MAX_TRIES = 200

/** The sealed rows of one provider. */
export class Vault {
  readonly #store: AccountStore
  readonly #provider: string
  readonly #keys: readonly string[]

  constructor(store: AccountStore, provider: string, keys: readonly string[]) {
    this.#store = store
    this.#provider = provider
    this.#keys = keys
  }

  bindingOf(owner: string): Binding {
    assertName(owner, 'owner')
    return { owner, provider: this.#provider, keys: this.#keys }
  }

  async load(owner: string): Promise<Row> {
    const binding = this.bindingOf(owner)
    const loaded = await ask(() => this.#store.load(owner, this.#provider))
    const text = loaded ?? undefined
    if (text === undefined) return { text, account: {} }
    if (typeof text !== 'string') throw unavailable('load() of the store must give a string.')
    const account = await open(text, 'mcp-account', binding, ({ credential, ...others }) => {
      // It was authenticated: nothing but this has written it.
      const account: Account = others
      return credential === undefined ? account : { ...account, credential: fromClaim(credential) }
    })
    return { text, account }
  }

  /** Whether the row was still as given, and has been changed. */
  async swap(owner: string, before: Row, { spent = {}, ...account }: Account): Promise<boolean> {
    const now = Date.now()
    const unexpired = Object.entries(spent).filter(([, expiry]) => now < expiry)
    const credential = account.credential && toClaim(account.credential)
    const claims = { ...account, credential, spent: Object.fromEntries(unexpired) }
    const isEmpty = credential === undefined && unexpired.length === 0
    const text = isEmpty ? undefined : await seal(claims, 'mcp-account', this.bindingOf(owner))
    const isDone = await ask(() => this.#store.swap(owner, this.#provider, before.text, text))
    if (typeof isDone === 'boolean') return isDone
    throw unavailable('swap() of the store must give true or false.')
  }

  /** Changes an account, whoever else does at the same time; `change` gives it back as it is to leave it alone. */
  async change(owner: string, change: (account: Account) => Account): Promise<Account> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const row = await this.load(owner)
      const account = change(row.account)
      if (account === row.account || (await this.swap(owner, row, account))) return account
    }
    throw unavailable(NEVER_DONE)
  }
}

export const NEVER_DONE =
  'swap() of the store failed 200 times: does a row hold the text exactly as it was written?'

async function ask<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (cause) {
    throw unavailable(cause)
  }
}

/** Of a store that fails nobody learns that an account is not connected. */
export function unavailable(cause: unknown): CredentialError {
  const message = 'The accounts of this server cannot be reached at the moment.'
  const shown = typeof cause === 'string' ? new Error(cause) : cause
  return new CredentialError('ERR_CREDENTIAL_UNAVAILABLE', message, { cause: shown })
}
