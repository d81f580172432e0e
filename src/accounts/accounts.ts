import { joinScope } from '../context.ts'
import { assertCredential, OAuthCredential } from '../credential.ts'
import type { ResolvedCredential } from '../credential.ts'
import { assertOptions, ConnectRequiredError, CredentialError, misuse } from '../errors.ts'
import { CredentialRefreshError } from '../oauth/errors.ts'
import { assertEndpointOptions, ENDPOINT_KINDS } from '../oauth/token-endpoint.ts'
import { setLabel } from '../source.ts'
import type { CredentialRequest, CredentialSource } from '../source.ts'
import { Keeper } from './keeper.ts'
import type { RefreshOptions } from './keeper.ts'
import { copyKeys } from './keys.ts'
import { assertName } from './seal.ts'
import { createTicket, notYours, readTicket } from './tickets.ts'
import { Vault } from './vault.ts'
import type { Account, AccountStore } from './vault.ts'

/** Options of {@link createAccounts}. */
export interface CreateAccountsOptions {
  /** Where the accounts are kept: sealed, so that it sees no token. */
  readonly store: AccountStore
  /**
   * Keys of 32 random bytes, or their text in base64: the first one seals, all open. To replace one: `[old, new]`,
   * `[new, old]`, `[new]`.
   */
  readonly keys: readonly (string | Uint8Array)[]
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
  /**
   * The page that connects an account, without a fragment, to which `?ticket=` is added; or a function that gives the whole
   * URL.
   */
  readonly connect: string | ((ticket: string, request: CredentialRequest) => string)
  /** The scopes that every call needs. */
  readonly scopes?: readonly string[] | undefined
}

/**
 * The accounts that the users of a server have connected at one provider, in a store that any number of processes share.
 * Each is sealed for its owner; its tokens are refreshed by one process at a time, which holds no connection meanwhile.
 *
 * @param provider - what the accounts are for, such as `github`; it must not change
 * @param options - `store` and `keys`; `refresh` and `linkSeconds`
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is misspelt, or of another kind, and for a key that has not
 *   32 bytes
 * @example
 * const accounts = createAccounts('github', { store, keys: [process.env.ACCOUNT_KEY] })
 * const owner = ({ authInfo }) => authInfo?.extra?.sub
 * withCredentials(server, accounts.source({ owner, connect: 'https://mcp.example.com/connect/github' }))
 */
export function createAccounts(provider: string, options: CreateAccountsOptions): Accounts {
  assertName(provider, 'provider')
  assertOptions(options, 'createAccounts', {
    store: ['object'],
    keys: ['array'],
    refresh: ['object'],
    linkSeconds: ['seconds'],
  })
  const { store, keys, refresh = {}, linkSeconds } = options
  assertOptions(refresh, 'refresh', { ...ENDPOINT_KINDS, leewaySeconds: ['seconds'] })
  assertEndpointOptions(refresh)
  if (typeof store?.load !== 'function' || typeof store.swap !== 'function')
    throw misuse('ERR_INVALID_ARG_VALUE', 'The store of createAccounts needs load and swap.')
  const vault = new Vault(store, { ...refresh, provider, keys: copyKeys(keys) })
  return new Accounts(vault, new Keeper(vault, refresh), linkSeconds)
}

/**
 * The accounts of one provider that the users of a server have connected. What they give to a call has the access token, and
 * neither the refresh token nor the client's secret: nothing that it is passed to refreshes it behind the store's back.
 */
export class Accounts {
  readonly #vault: Vault
  readonly #keeper: Keeper
  readonly #linkSeconds: number
  /** The owners of the credentials that were given to calls. */
  readonly #owners = new WeakMap<ResolvedCredential, string>()

  constructor(vault: Vault, keeper: Keeper, linkSeconds = 900) {
    this.#vault = vault
    this.#keeper = keeper
    this.#linkSeconds = linkSeconds
  }

  /**
   * A source of the caller's account, kept fresh.
   *
   * @param options - whose account it is, where it is connected, and the `scopes` that it needs
   * @returns a source that rejects with `ConnectRequiredError` where the account is not connected, was revoked, or is short
   *   of a scope; with `ERR_CREDENTIAL_MISSING` without an owner; with `ERR_CREDENTIAL_REFRESH` where the token endpoint
   *   fails; with `ERR_CREDENTIAL_UNAVAILABLE` where the store fails, or holds what cannot be opened
   * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is misspelt, or of another kind, and for a page with a
   *   fragment, which would keep the ticket from the server
   */
  source(options: AccountSourceOptions): CredentialSource {
    assertOptions(options, 'source', {
      owner: ['function'],
      connect: ['string', 'function'],
      scopes: ['strings'],
    })
    const { owner: ownerOf, connect } = options
    if (ownerOf === undefined || connect === undefined)
      throw misuse('ERR_INVALID_ARG_VALUE', 'A source of accounts needs owner and connect.')
    const urlOf = typeof connect === 'string' ? addTicketTo(connect) : connect
    return async (request) => {
      const owner = ownerOf(request)
      if (owner === undefined) throw new CredentialError('ERR_CREDENTIAL_MISSING', NO_OWNER)
      assertName(owner, 'owner')
      setLabel(request, owner)
      const wanted = union(options.scopes, request.scopes)
      const account = await this.#keeper.fresh(owner)
      if (isGood(account, wanted)) return this.#handOut(owner, account.credential)
      const scopes = union(account.credential?.scopes, wanted)
      const url = urlOf(await this.connect(owner, scopes), request)
      const isConnected = async () => isGood((await this.#vault.load(owner)).account, wanted)
      throw new ConnectRequiredError(url, { message: messageFor(account), scopes, isConnected })
    }
  }

  /**
   * For the option `refresh` of `createFetch`: the newest credential of the account that this one belongs to. With `force`,
   * as after a 401, it has another access token, which another process may have got; one is asked for once in a while only.
   *
   * @param given - what the source, or `get`, has given
   * @param options - whether to `force` it
   * @throws CredentialRefreshError `ERR_CREDENTIAL_REFRESH` where the token endpoint fails, and where the account has to be
   *   connected again
   * @throws TypeError `ERR_INVALID_ARG_VALUE` for a credential from anywhere else
   * @example
   * const fetchIssues = createFetch({ baseUrl: 'https://api.issues.example', refresh: accounts.refresh })
   */
  readonly refresh = async (
    given: OAuthCredential,
    { force }: { readonly force?: boolean } = {},
  ): Promise<OAuthCredential> => {
    const owner = this.#owners.get(given)
    if (owner === undefined) throw misuse('ERR_INVALID_ARG_VALUE', NOT_OURS)
    const account = await this.#keeper.fresh(owner, force ? given.accessToken : undefined)
    const credential = isGood(account) && this.#handOut(owner, account.credential)
    if (credential instanceof OAuthCredential) return credential
    throw new CredentialRefreshError('the old one is no good', { error: 'invalid_grant' })
  }

  /**
   * A ticket for the page that connects an account. It tells nothing of the owner, and is worth nothing to anybody else.
   *
   * @param owner - whose account is to be connected
   * @param scopes - what is to be asked for; by default nothing in particular
   */
  async connect(owner: string, scopes: readonly string[] = []): Promise<string> {
    return createTicket(this.#vault.bindingOf(owner), scopes, this.#linkSeconds)
  }

  /**
   * What a ticket asks for. It spends nothing, so that a page may be loaded twice, or left.
   *
   * @param ticket - what the page was opened with
   * @param by - the `owner` that is logged in in this browser
   * @throws CredentialError `ERR_CREDENTIAL_UNTRUSTED` for a ticket of somebody else, one that was changed, has expired, or
   *   was redeemed
   */
  async check(ticket: string, by: { owner: string }): Promise<{ scopes: readonly string[] }> {
    const { scopes, nonce } = await readTicket(ticket, this.#vault.bindingOf(by.owner))
    assertUnspent((await this.#vault.load(by.owner)).account, nonce)
    return { scopes }
  }

  /**
   * Saves the account that was connected, and spends the ticket, in one step.
   *
   * @param ticket - what the page was opened with
   * @param by - the `owner` that is logged in in this browser now, and the `credential` of the account
   * @throws CredentialError `ERR_CREDENTIAL_UNTRUSTED` as `check`
   */
  async redeem(
    ticket: string,
    by: { owner: string; credential: ResolvedCredential },
  ): Promise<void> {
    const { owner, credential } = by
    const { nonce, expiresAt } = await readTicket(ticket, this.#vault.bindingOf(owner))
    assertStorable(credential, 'redeem')
    await this.#vault.change(owner, (account) => {
      assertUnspent(account, nonce)
      return { credential, spent: { ...account.spent, [nonce]: expiresAt } }
    })
  }

  /** The account, kept fresh; `undefined` where none is connected, or it was revoked. */
  async get(owner: string): Promise<ResolvedCredential | undefined> {
    const account = await this.#keeper.fresh(owner)
    return isGood(account) ? this.#handOut(owner, account.credential) : undefined
  }

  /** Saves an account in place of the one there is. */
  async save(owner: string, credential: ResolvedCredential): Promise<void> {
    assertStorable(credential, 'save')
    await this.#vault.change(owner, ({ spent }) => ({ credential, spent }))
  }

  /** Removes an account, and gives its whole credential, to be revoked at the provider. */
  async remove(owner: string): Promise<ResolvedCredential | undefined> {
    let removed: ResolvedCredential | undefined
    await this.#vault.change(owner, (account) => {
      removed = account.credential
      return removed === undefined ? account : { spent: account.spent }
    })
    return removed
  }

  /** What a call gets of a credential. */
  #handOut(owner: string, credential: ResolvedCredential): ResolvedCredential {
    joinScope(credential)
    if (credential.type === 'static') return credential
    const { accessToken, scopes, expiresAt, extra } = credential
    const given = new OAuthCredential({ accessToken, scopes, expiresAt, extra })
    this.#owners.set(given, owner)
    return given
  }
}

const NO_OWNER = 'This call comes from no user that was verified, so no account belongs to it.'
const NOT_OURS = 'The refresh of accounts takes a credential that these accounts have given.'

/** Whether there is a credential that is good for these scopes; compares names, exactly. */
function isGood(
  account: Account,
  wanted: readonly string[] = [],
): account is Account & { readonly credential: ResolvedCredential } {
  const { credential, isRefused } = account
  if (credential === undefined || isRefused) return false
  const { scopes, refreshToken } = credential
  if (scopes !== undefined && !wanted.every((scope) => scopes.includes(scope))) return false
  return refreshToken !== undefined || !credential.isExpired(0)
}

function messageFor(account: Account): string {
  if (account.credential === undefined) return 'The account has to be connected first.'
  if (!isGood(account)) return 'The account has to be connected again.'
  return 'The account must be connected with more permissions.'
}

function addTicketTo(page: string): (ticket: string) => string {
  // What is wrong with it is said at the start.
  const { url } = new ConnectRequiredError(page)
  if (url.includes('#')) throw misuse('ERR_INVALID_ARG_VALUE', 'connect takes a URL without a #.')
  return (ticket) => `${url}${url.includes('?') ? '&' : '?'}ticket=${ticket}`
}

const union = (one: readonly string[] = [], other: readonly string[] = []): readonly string[] =>
  Array.from(new Set([...one, ...other]))

function assertUnspent({ spent = {} }: Account, nonce: string): void {
  if (Object.hasOwn(spent, nonce)) throw notYours()
}

function assertStorable(credential: ResolvedCredential, caller: string): void {
  assertCredential(credential, `${caller} takes`)
  const { refreshToken, clientId, tokenUri } = credential
  if (refreshToken === undefined || (clientId && tokenUri)) return
  const message = `${caller} takes no refresh token without its clientId and tokenUri.`
  throw misuse('ERR_INVALID_ARG_VALUE', message)
}
