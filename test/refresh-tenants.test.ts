import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OAuthCredential } from 'mcp-credentials'
import { createRefresher } from 'mcp-credentials/oauth'
import type { Refresher, RefreshGrant } from 'mcp-credentials'
import { clientId, refreshTokenOf, tokenUri } from './oauth-endpoint.ts'

const TENANTS = 1000
const LOOPS = 50

interface Tenant {
  readonly name: string
  readonly grant: RefreshGrant
}

/** Every second tenant shares its refresh token with another, every third its client, every fifth neither. */
function createTenants(): Tenant[] {
  const tokens = Array.from({ length: TENANTS }, () => refreshTokenOf('tenant'))
  return tokens.map((own, index) => {
    const name = `tenant-${index}`
    const refreshToken = index % 2 === 0 ? (tokens[index % 100] ?? own) : own
    const isOwnClient = index % 3 !== 0 || index % 5 === 0
    const clientSecret = isOwnClient ? `FAKE-secret-${index}` : 'FAKE-secret-shared'
    const client = { clientId: isOwnClient ? `${clientId}-${index}` : clientId, clientSecret }
    const grant = { refreshToken, ...client, tokenUri, extra: { name } }
    return { name, grant }
  })
}

/** Access tokens that tell whom they were made for: of which refresh token, client and secret. */
function createEndpoint() {
  let requests = 0
  const fetch = async (_url: unknown, { headers, body }: RequestInit = {}) => {
    requests += 1
    const [id = '', secret = ''] = atob(
      new Headers(headers).get('authorization')?.slice('Basic '.length) ?? '',
    ).split(':')
    const refreshToken = new URLSearchParams(String(body)).get('refresh_token') ?? ''
    await Promise.resolve()
    const access_token = tokenFor({ refreshToken, clientId: id, clientSecret: secret }, requests)
    return Response.json({ access_token, token_type: 'Bearer', expires_in: 1000 })
  }
  return { fetch: fetch as typeof globalThis.fetch, count: () => requests }
}

type Ids = Pick<RefreshGrant, 'refreshToken' | 'clientId' | 'clientSecret'>
const tokenFor = (grant: Ids, serial: number | string): string =>
  `FAKE|${grant.refreshToken}|${grant.clientId}|${grant.clientSecret}|${serial}`

/** What tenants got that is not their own. */
async function findMixUps(tenants: readonly Tenant[], refresh: Refresher): Promise<string[]> {
  const mixUps: string[] = []
  async function call({ name, grant }: Tenant, loop: number): Promise<void> {
    const expired = { accessToken: tokenFor(grant, 'old'), expiresAt: new Date(0) }
    const given = loop % 2 ? grant : new OAuthCredential({ ...grant, ...expired })
    const fresh = await refresh(given)
    const isOwn =
      fresh.accessToken.startsWith(tokenFor(grant, '')) &&
      fresh.refreshToken === grant.refreshToken &&
      fresh.clientId === grant.clientId &&
      fresh.clientSecret === grant.clientSecret &&
      fresh.extra['name'] === name
    if (!isOwn) mixUps.push(name)
  }
  for (let loop = 0; loop < LOOPS; loop++)
    await Promise.all(tenants.map((tenant) => call(tenant, loop)))
  return mixUps
}

test('1,000 tenants in 50 loops of calls, who share refresh tokens, clients or neither: each gets its own', async () => {
  const tenants = createTenants()
  const { fetch, count } = createEndpoint()
  assert.deepEqual(await findMixUps(tenants, createRefresher({ fetch })), [])
  const grants = tenants.map(({ grant }) => [grant.refreshToken, grant.clientId])
  assert.equal(count(), new Set(grants.map(String)).size)
})

test('the control: who remembers by refresh token alone is found out', async () => {
  const tenants = createTenants()
  const { fetch } = createEndpoint()
  const inner = createRefresher({ fetch })
  const remembered = new Map<string, Promise<OAuthCredential>>()
  const byToken: Refresher = (given) => {
    const known = remembered.get(String(given.refreshToken)) ?? inner(given)
    remembered.set(String(given.refreshToken), known)
    return known
  }
  assert((await findMixUps(tenants, byToken)).length > 0)
})
