// A store in memory, which is a real one for a single process, for the tests of the room `accounts`.
import assert from 'node:assert/strict'
import { createAdapter, CredentialError } from 'mcp-credentials'
import type {
  AdapterCall,
  CallDetails,
  ConnectRequiredError,
  CredentialSource,
  ResolvedCredential,
} from 'mcp-credentials'
import { createAccounts } from 'mcp-credentials/accounts'
import type { Accounts, AccountStore, CreateAccountsOptions } from 'mcp-credentials/accounts'
import { assertNoLeak } from './helper.ts'

export const CONNECT = 'https://mcp.example.com/connect/github'
export const PROVIDER = 'github'

let serial = 0

/** A key of 32 bytes, another one each time. Not a random one: Workers have no such before the first request. */
export function newKey(): Uint8Array {
  serial += 1
  return Uint8Array.from({ length: 32 }, (_, index) => serial >> (8 * (index % 3)))
}

export interface MemoryStore extends AccountStore {
  readonly rows: Map<string, string>
  /** What happens before the next steps, such as a failure; each once. */
  readonly before: { load: Hook[]; swap: Hook[] }
  /** What happens once a row was written; each once. */
  readonly afterSwap: Hook[]
  /** How often each was called. */
  readonly calls: { load: number; swap: number }
}
type Hook = () => unknown

export const rowOf = (owner: string, provider: string = PROVIDER): string =>
  JSON.stringify([owner, provider])

export function memoryStore(): MemoryStore {
  const rows = new Map<string, string>()
  const before: MemoryStore['before'] = { load: [], swap: [] }
  const afterSwap: Hook[] = []
  const calls = { load: 0, swap: 0 }
  return {
    rows,
    before,
    afterSwap,
    calls,
    async load(owner, provider) {
      calls.load += 1
      await before.load.shift()?.()
      return rows.get(rowOf(owner, provider))
    },
    async swap(owner, provider, expected, text) {
      calls.swap += 1
      await before.swap.shift()?.()
      const key = rowOf(owner, provider)
      if (rows.get(key) !== expected) return false
      if (text === undefined) rows.delete(key)
      else rows.set(key, text)
      await afterSwap.shift()?.()
      return true
    },
  }
}

export function fixture(options: Partial<CreateAccountsOptions> & { store?: MemoryStore } = {}) {
  const store = options.store ?? memoryStore()
  const keys = options.keys ?? [newKey()]
  const accounts = createAccounts(PROVIDER, { ...options, store, keys })
  return { store, keys, accounts }
}

/** What an adapter makes of a call of this owner. */
export async function ask(source: CredentialSource, owner: string | undefined, more: object = {}) {
  let details: CallDetails | undefined
  const adapter = createAdapter(source, { onCall: (_event, given) => (details = given) })
  const call = await adapter({ headers: undefined, authInfo: { sub: owner }, ...more })
  call.end()
  return { call, cause: details?.cause }
}

export const ownerOf = ({ authInfo }: { readonly authInfo?: unknown }): string | undefined =>
  (authInfo as { readonly sub: string | undefined }).sub

export const sourceOf = (accounts: Accounts, scopes?: readonly string[]): CredentialSource =>
  accounts.source({ owner: ownerOf, connect: CONNECT, scopes })

export function credentialOf({ credential }: AdapterCall): ResolvedCredential {
  assert(!(credential instanceof CredentialError), String(credential))
  return credential
}

export function connectError({ refusal }: AdapterCall): ConnectRequiredError {
  assert.equal(refusal?.name, 'ConnectRequiredError', String(refusal))
  return refusal as ConnectRequiredError
}

/** The ticket of the URL that a call was refused with. */
export function ticketOf(call: AdapterCall): string {
  const { url } = connectError(call)
  assert(url.startsWith(`${CONNECT}?ticket=`), url)
  return url.slice(`${CONNECT}?ticket=`.length)
}

/** Asserts that a promise rejects with a CredentialError of this code, and gives it. */
export async function assertRejects(
  promise: Promise<unknown>,
  code: string,
  message: RegExp,
  ...secrets: string[]
): Promise<CredentialError> {
  let found: CredentialError | undefined
  await assert.rejects(promise, (error: unknown) => {
    assert(error instanceof CredentialError, String(error))
    assert.equal(error.code, code)
    assert.match(error.message, message)
    assert.equal(error.cause, undefined)
    assertNoLeak(error, ...secrets)
    found = error
    return true
  })
  assert(found)
  return found
}
