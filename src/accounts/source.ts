import { OAuthCredential } from '../credential.ts'
import type { ResolvedCredential } from '../credential.ts'
import { assertOptions, ConnectRequiredError, CredentialError, misuse } from '../errors.ts'
import { grantOf } from '../oauth/grant.ts'
import { setLabel } from '../source.ts'
import type { CredentialSource } from '../source.ts'
import type { Keeper } from './keeper.ts'
import { assertName } from './seal.ts'
import type { Accounts, AccountSourceOptions } from './types.ts'
import type { Account, Vault } from './vault.ts'

interface Parts extends Pick<Accounts, 'connect'> {
  readonly vault: Vault
  readonly keeper: Keeper
}

export function createSource(options: AccountSourceOptions, parts: Parts): CredentialSource {
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
    const account = await parts.keeper.fresh(owner)
    const credential = connected(account, wanted)
    if (credential !== undefined) return credential
    const scopes = union(account.credential?.scopes, wanted)
    const url = urlOf(await parts.connect(owner, scopes), request)
    const isConnected = async () =>
      connected((await parts.vault.load(owner)).account, wanted) !== undefined
    throw new ConnectRequiredError(url, { message: messageFor(account), scopes, isConnected })
  }
}

const NO_OWNER = 'This call comes from no user that was verified, so no account belongs to it.'

function messageFor(account: Account): string {
  if (account.credential === undefined) return 'The account has to be connected first.'
  if (connected(account) === undefined) return 'The account has to be connected again.'
  return 'The account must be connected with more permissions.'
}

function addTicketTo(page: string): (ticket: string) => string {
  // What is wrong with it is said at the start.
  const { url } = new ConnectRequiredError(page)
  return (ticket) => `${url}${url.includes('?') ? '&' : '?'}ticket=${ticket}`
}

const union = (one: readonly string[] = [], other: readonly string[] = []): readonly string[] => [
  ...new Set([...one, ...other]),
]

/** The credential, where it is good for these scopes; compares names, exactly. */
export function connected(
  { credential, isRefused }: Account,
  wanted: readonly string[] = [],
): ResolvedCredential | undefined {
  if (credential === undefined || isRefused) return undefined
  const { scopes } = credential
  if (scopes !== undefined && !wanted.every((scope) => scopes.includes(scope))) return undefined
  const isLasting = credential instanceof OAuthCredential && grantOf(credential) !== undefined
  return isLasting || !credential.isExpired(0) ? credential : undefined
}
