// After a 401 the token is refreshed by the real refresher, and what the tool sends is scrubbed of the new one as well.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Client as ClientV2, InMemoryTransport as InMemoryV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport as InMemoryV1 } from '@modelcontextprotocol/sdk/inMemory.js'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { McpServer as McpServerV2 } from '@modelcontextprotocol/server'
import { OAuthCredential, runWithCredentials } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { createRefresher } from 'mcp-credentials/oauth'
import { createFetch } from 'mcp-credentials/upstream'
import { listen } from './servers.js'
import type { Listening } from './servers.js'

const OLD = 'FAKE-refused-token-0123456789abcdef'
let serial = 0
let valid = ''
let refreshed = 0
let api: Listening
let endpoint: Listening

before(async () => {
  api = await listen((request, response) => {
    const { authorization = '' } = request.headers
    if (authorization !== `Bearer ${valid}`) response.writeHead(401)
    response.end(`you sent ${authorization} and ${Buffer.from(authorization).toString('base64')}`)
  })
  endpoint = await listen((_, response) => {
    serial += 1
    refreshed += 1
    valid = `FAKE-fresh-token-${serial}-0123456789abcdef`
    const answer = { token_type: 'Bearer', expires_in: 3600, access_token: valid }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ ...answer, refresh_token: `FAKE-refresh-token-${serial}` }))
  })
})
after(async () => {
  await api.close()
  await endpoint.close()
})

/** The tool, and the source of a credential that the API has come to refuse. */
function setUp() {
  serial += 1
  refreshed = 0
  valid = 'FAKE-nobody-has-this'
  const credential = new OAuthCredential({
    accessToken: OLD,
    refreshToken: `FAKE-refresh-token-${serial}-given`,
    clientId: 'client',
    tokenUri: `${endpoint.origin}/token`,
    expiresAt: new Date(Date.now() + 3_600_000),
  })
  const refresh = createRefresher({ allowInsecureLoopback: true })
  const fetch = createFetch({ baseUrl: api.origin, refresh, allowInsecureLoopback: true })
  const tool = async () => {
    const [first, second] = [await fetch('/a'), await fetch('/b', { method: 'POST', body: 'c' })]
    const text = `${first.status} ${await first.text()}, ${second.status} ${await second.text()}`
    return { content: [{ type: 'text' as const, text }] }
  }
  return { source: () => credential, tool, fetch }
}

const INFO = { name: 'a', version: '1.0.0' }

const CALLS: Record<string, () => Promise<unknown>> = {
  async 'SDK v1'() {
    const { source, tool } = setUp()
    const server = withCredentials(new McpServerV1(INFO), source)
    server.registerTool('echo', {}, tool)
    const client = new ClientV1(INFO)
    const [a, b] = InMemoryV1.createLinkedPair()
    await Promise.all([server.connect(a), client.connect(b)])
    return client.callTool({ name: 'echo' })
  },
  async 'SDK v2'() {
    const { source, tool } = setUp()
    const server = withCredentials(new McpServerV2(INFO), source)
    server.registerTool('echo', {}, tool)
    const client = new ClientV2(INFO)
    const [a, b] = InMemoryV2.createLinkedPair()
    await Promise.all([server.connect(a), client.connect(b)])
    return client.callTool({ name: 'echo' })
  },
}

describe('after a 401', () => {
  for (const [sdk, call] of Object.entries(CALLS)) {
    test(`${sdk}: one refresh, and the new token is scrubbed from what that very call sends`, async () => {
      const result = JSON.stringify(await call())
      const encoded = Buffer.from(`Bearer ${valid}`).toString('base64').slice(12, 40)
      assert.equal(result.match(/200 you sent Bearer \[redacted\] and /g)?.length, 2)
      for (const secret of [valid.slice(0, 20), encoded, 'FAKE'])
        assert.equal(result.includes(secret), false)
      assert.match(valid, /^FAKE-fresh-token/)
      assert.equal(refreshed, 1)
    })
  }

  test('there is one refresh, however many requests of a call were refused at once', async () => {
    const { source, fetch } = setUp()
    const responses = await runWithCredentials(source(), () =>
      Promise.all(Array.from({ length: 50 }, () => fetch('/a'))),
    )
    assert.deepEqual([...new Set(responses.map(({ status }) => status))], [200])
    assert.equal(refreshed, 1)
    await Promise.all(responses.map((response) => response.text()))
  })
})
