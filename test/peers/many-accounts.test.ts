import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OAuthCredential } from 'mcp-credentials'
import { createAccounts } from 'mcp-credentials/accounts'
import type { AccountStore } from 'mcp-credentials/accounts'

function memoryStore(): AccountStore {
  const rows = new Map<string, string>()
  return {
    load: (owner) => Promise.resolve(rows.get(owner)),
    swap(owner, _provider, before, after) {
      const isSame = rows.get(owner) === before
      if (isSame && after !== undefined) rows.set(owner, after)
      return Promise.resolve(isSame)
    },
  }
}

/** Within the leeway, but still valid. */
const expiring = (owner: string) =>
  new OAuthCredential({
    accessToken: `FAKE-access-of-${owner}`,
    refreshToken: `FAKE-refresh-of-${owner}`,
    clientId: 'client',
    tokenUri: 'https://auth.example.com/token',
    expiresAt: new Date(Date.now() + 3_500_000),
  })

test('pauses of ten thousand accounts are remembered, and of more those that failed last', async () => {
  let requests = 0
  const fetch = () => {
    requests += 1
    const init = { status: 429, headers: { 'retry-after': '3600' } }
    return Promise.resolve(new Response('', init))
  }
  const accounts = createAccounts('github', {
    store: memoryStore(),
    keys: [new Uint8Array(32).fill(7)],
    refresh: { fetch, leewaySeconds: 3600 },
  })
  const requestsOf = async (owners: readonly string[]) => {
    const before = requests
    for (const owner of owners) {
      const credential = await accounts.get(owner)
      assert.equal(credential?.accessToken, `FAKE-access-of-${owner}`)
    }
    return requests - before
  }
  const owners = Array.from({ length: 10_001 }, (_, index) => `owner-${index}`)
  for (const owner of owners) await accounts.save(owner, expiring(owner))
  assert.equal(await requestsOf(owners), owners.length)
  assert.equal(await requestsOf(['owner-1', 'owner-10000']), 0)
  assert.equal(await requestsOf(['owner-0']), 1)
})
