import type { ResolvedCredential } from '../credential.ts'
import type { TokenEndpointOptions } from '../oauth/token-endpoint.ts'
import type { CredentialRequest, CredentialSource } from '../source.ts'
import type { AccountKey } from './keys.ts'

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

/** How accounts are refreshed. */
export interface RefreshOptions extends TokenEndpointOptions {
  /**
   * How long before its expiry a token is refreshed, in seconds; by default 60. It should be more than `timeoutSeconds` and
   * five: so long nobody else refreshes an account whose process has died, and the old token is served meanwhile.
   */
  readonly leewaySeconds?: number | undefined
}

/** Options of {@link createAccounts}. */
export interface CreateAccountsOptions {
  /** Where the accounts are kept: sealed, so that it sees no token. */
  readonly store: AccountStore
  /** Keys of 32 random bytes: the first one seals, all open. To replace one: `[old, new]`, `[new, old]`, `[new]`. */
  readonly keys: readonly AccountKey[]
  /** How and when tokens are refreshed. */
  readonly refresh?: RefreshOptions | undefined
  /** How long a ticket is valid, in seconds; by default 900. */
  readonly linkSeconds?: number | undefined
}

/** Options of {@link Accounts.source}. */
export interface AccountSourceOptions {
  /**
   * The user that was verified, such as the subject of the access token: never the id of the client, which all users of an
   * application share. Where it gives `undefined` the call is refused.
   */
  readonly owner: (request: CredentialRequest) => string | undefined
  /** The page that connects an account, to which `?ticket=` is added; or a function that gives the whole URL. */
  readonly connect: string | ((ticket: string, request: CredentialRequest) => string)
  /** The scopes that every call needs. */
  readonly scopes?: readonly string[] | undefined
}

/** The accounts of one provider that the users of a server have connected. */
export interface Accounts {
  /**
   * A source of the caller's account, kept fresh.
   *
   * @param options - whose account it is, where it is connected, and the `scopes` that it needs
   * @returns a source that rejects with `ConnectRequiredError` where the account is not connected, was revoked, or is short
   *   of a scope; with `ERR_CREDENTIAL_MISSING` without an owner; with `ERR_CREDENTIAL_REFRESH` where the token endpoint
   *   fails; with `ERR_CREDENTIAL_UNAVAILABLE` where the store fails, or holds what cannot be opened
   * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is misspelt, or of another kind
   */
  source(options: AccountSourceOptions): CredentialSource
  /**
   * A ticket for the page that connects an account. It tells nothing of the owner, and is worth nothing to anybody else.
   *
   * @param owner - whose account is to be connected
   * @param scopes - what is to be asked for; by default nothing in particular
   */
  connect(owner: string, scopes?: readonly string[]): Promise<string>
  /**
   * What a ticket asks for. It spends nothing, so that a page may be loaded twice, or left.
   *
   * @param ticket - what the page was opened with
   * @param by - the `owner` that is logged in in this browser
   * @throws CredentialError `ERR_CREDENTIAL_UNTRUSTED` for a ticket of somebody else, one that was changed, has expired, or
   *   was redeemed
   */
  check(ticket: string, by: { owner: string }): Promise<{ scopes: readonly string[] }>
  /**
   * Saves the account that was connected, and spends the ticket, in one step.
   *
   * @param ticket - what the page was opened with
   * @param by - the `owner` that is logged in in this browser now, and the `credential` of the account
   * @throws CredentialError `ERR_CREDENTIAL_UNTRUSTED` as `check`
   */
  redeem(ticket: string, by: { owner: string; credential: ResolvedCredential }): Promise<void>
  /** The account, kept fresh; `undefined` where none is connected, or it was revoked. */
  get(owner: string): Promise<ResolvedCredential | undefined>
  /** Saves an account in place of the one there is. */
  save(owner: string, credential: ResolvedCredential): Promise<void>
  /** Removes an account, and gives its credential, to be revoked at the provider. */
  remove(owner: string): Promise<ResolvedCredential | undefined>
}

export const CREATE_ACCOUNTS_KINDS = {
  store: ['object'],
  keys: ['array'],
  refresh: ['object'],
  linkSeconds: ['seconds'],
} as const
