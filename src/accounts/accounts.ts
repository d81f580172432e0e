import { joinScope } from '../context.ts'
import { assertCredential } from '../credential.ts'
import type { ResolvedCredential } from '../credential.ts'
import { assertOptions, misuse } from '../errors.ts'
import { assertEndpointOptions, ENDPOINT_KINDS } from '../oauth/token-endpoint.ts'
import { Keeper } from './keeper.ts'
import { copyKeys } from './keys.ts'
import { assertName } from './seal.ts'
import { connected, createSource } from './source.ts'
import { createTicket, notYours, readTicket } from './tickets.ts'
import { CREATE_ACCOUNTS_KINDS } from './types.ts'
import type { Accounts, CreateAccountsOptions } from './types.ts'
import { Vault } from './vault.ts'
import type { Account } from './vault.ts'

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
  assertOptions(options, 'createAccounts', CREATE_ACCOUNTS_KINDS)
  const { store, keys, refresh = {}, linkSeconds = 900 } = options
  assertOptions(refresh, 'refresh', { ...ENDPOINT_KINDS, leewaySeconds: ['seconds'] })
  assertEndpointOptions(refresh)
  if (typeof store?.load !== 'function' || typeof store.swap !== 'function')
    throw misuse('ERR_INVALID_ARG_VALUE', 'The store of createAccounts needs load and swap.')
  const vault = new Vault(store, provider, copyKeys(keys))
  const keeper = new Keeper(vault, refresh)
  const tickets = createTickets(vault, linkSeconds)
  return {
    ...tickets,
    ...createRows(vault, keeper),
    source: (given) => createSource(given, { vault, keeper, connect: tickets.connect }),
  }
}

function createTickets(
  vault: Vault,
  linkSeconds: number,
): Pick<Accounts, 'connect' | 'check' | 'redeem'> {
  return {
    connect: async (owner, scopes = []) =>
      createTicket(vault.bindingOf(owner), scopes, linkSeconds),
    async check(ticket, { owner }) {
      const { scopes, nonce } = await readTicket(ticket, vault.bindingOf(owner))
      const { account } = await vault.load(owner)
      assertUnspent(account, nonce)
      return { scopes }
    },
    async redeem(ticket, { owner, credential }) {
      const { nonce, expiresAt } = await readTicket(ticket, vault.bindingOf(owner))
      assertStorable(credential, 'redeem')
      await vault.change(owner, (account) => {
        assertUnspent(account, nonce)
        return { credential, spent: { ...account.spent, [nonce]: expiresAt } }
      })
    },
  }
}

function assertUnspent({ spent = {} }: Account, nonce: string): void {
  if (Object.hasOwn(spent, nonce)) throw notYours()
}

function createRows(vault: Vault, keeper: Keeper): Pick<Accounts, 'get' | 'save' | 'remove'> {
  return {
    async get(owner) {
      const credential = connected(await keeper.fresh(owner))
      if (credential !== undefined) joinScope(credential)
      return credential
    },
    async save(owner, credential) {
      assertStorable(credential, 'save')
      await vault.change(owner, ({ spent }) => ({ credential, spent }))
    },
    async remove(owner) {
      let removed: ResolvedCredential | undefined
      await vault.change(owner, (account) => {
        removed = account.credential
        return removed === undefined ? account : { spent: account.spent }
      })
      return removed
    },
  }
}

function assertStorable(credential: ResolvedCredential, caller: string): void {
  assertCredential(credential, `${caller} takes`)
  const { refreshToken, clientId, tokenUri } = credential
  if (refreshToken === undefined || (clientId && tokenUri)) return
  const message = `${caller} takes no refresh token without its clientId and tokenUri.`
  throw misuse('ERR_INVALID_ARG_VALUE', message)
}
