// The adapter for fetch handlers, and MCP servers, on real servers of every runtime, called over real sockets.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { root } from './hosts.ts'
import { servers } from './servers.ts'
import type { Running } from './servers.ts'

let serial = 0
const fakeToken = () => `FAKE-server-${++serial}-0123456789abcdef-do-not-leak`
const fingerprint = (token: string) => createHash('sha256').update(token).digest('hex').slice(0, 16)
const headersWith = (token: string) => ({ 'X-MCP-Cred-Access-Token': token, 'X-Kept': 'yes' })

async function withClient<T>(
  url: URL,
  token: string | undefined,
  use: (client: Client) => Promise<T>,
): Promise<T> {
  const client = new Client(
    { name: 'runtimes', version: '1.0.0' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  )
  await client.connect(
    new StreamableHTTPClientTransport(url, {
      requestInit: { headers: token === undefined ? {} : headersWith(token) },
    }),
  )
  try {
    return await use(client)
  } finally {
    await client.close()
  }
}

async function call(client: Client, name: string): Promise<{ text: string; isError: boolean }> {
  const { content, isError } = await client.callTool({ name, arguments: {} })
  return {
    text: content.map((block) => (block.type === 'text' ? block.text : '')).join(),
    isError: isError === true,
  }
}

for (const [name, start] of Object.entries(servers)) {
  describe(name, () => {
    let server: Running
    before(async () => {
      server = await start(`${root}test/runtimes/app.ts`)
    })
    after(() => server.stop())

    const get = (path: string, token: string, init: RequestInit = {}) =>
      fetch(new URL(path, server.url), { headers: headersWith(token), ...init })

    test('1,000 requests at a time have each their own credential', async () => {
      const tokens = Array.from({ length: 1000 }, fakeToken)
      const answers = await Promise.all(
        tokens.map(async (token) =>
          (await get('/own', token, { method: 'POST', body: 'x'.repeat(1000) })).text(),
        ),
      )
      assert.deepEqual(
        answers,
        tokens.map((token) => `${fingerprint(token)} 1000`),
      )
    })

    test('a stream has it in every pull, and server-sent events to their end', async () => {
      const token = fakeToken()
      const own = fingerprint(token)
      assert.equal(await (await get('/pull', token)).text(), `${own} ${own} ${own} `)
      const events = await get('/sse', token)
      assert.equal(events.headers.get('content-type'), 'text/event-stream')
      assert.equal(await events.text(), `data: ${own}\n\n`.repeat(3))
    })

    test('a response without a body, and a request without a credential', async () => {
      assert.equal((await get('/upgrade', fakeToken())).status, 204)
      const refused = await fetch(new URL('/own', server.url))
      assert.equal(refused.status, 403)
      assert.equal(
        ((await refused.json()) as { error: { code: string } }).error.code,
        'ERR_CREDENTIAL_MISSING',
      )
    })

    test('a client that leaves half-way: the stream is cancelled in the scope, which then ends', async () => {
      const token = fakeToken()
      const controller = new AbortController()
      const response = await get(`/endless?${serial}`, token, { signal: controller.signal })
      await response.body?.getReader().read()
      controller.abort()
      let states: string[] = []
      for (let wait = 0; wait < 50 && states.length < 2; wait++) {
        await sleep(20)
        states = (await (await fetch(new URL(`/seen?${serial}`, server.url))).json()) as string[]
      }
      const expected = [fingerprint(token), 'ERR_CREDENTIAL_ENDED']
      // workerd drops, sooner or later, all that runs for a request whose client has left.
      assert.deepEqual(states, name === 'workerd' ? expected.slice(0, states.length) : expected)
    })

    for (const path of ['/mcp', '/mcp-in-fetch']) {
      test(`MCP tools at ${path}: the credential of each of 100 calls of two clients`, async () => {
        const url = new URL(path, server.url)
        await Promise.all(
          [fakeToken(), fakeToken()].map((token) =>
            withClient(url, token, async (client) => {
              const own = { text: `${fingerprint(token)} ${fingerprint(token)}`, isError: false }
              const answers = await Promise.all(
                Array.from({ length: 50 }, () => call(client, 'whoami')),
              )
              assert.deepEqual(
                answers,
                Array.from({ length: 50 }, () => own),
              )
            }),
          ),
        )
      })
    }

    test('MCP: the headers are gone from the context, a leak is redacted, and a missing credential is an error', async () => {
      const url = new URL('/mcp', server.url)
      await withClient(url, fakeToken(), async (client) => {
        assert.deepEqual(await call(client, 'context'), { text: '["x-kept"]', isError: false })
        assert.deepEqual(await call(client, 'leak'), { text: 'it is [redacted]', isError: false })
      })
      await withClient(url, undefined, async (client) => {
        const { text, isError } = await call(client, 'whoami')
        assert.match(text, /carries no X-MCP-Cred-Access-Token header/)
        assert(isError)
      })
    })

    describe('a refresh token in the environment', () => {
      let generation = 0
      let delay = 50
      const endpoint = createServer(async (_request, response) => {
        generation += 1
        const token = {
          access_token: `FAKE-refreshed-${generation}`,
          token_type: 'Bearer',
          expires_in: 3600,
          refresh_token: `FAKE-refresh-${generation}`,
        }
        await sleep(delay)
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(token))
      })
      const startFresh = () =>
        start(`${root}test/runtimes/app.ts`, {
          SVC_REFRESH_TOKEN: 'FAKE-refresh-0',
          SVC_CLIENT_ID: 'client',
          SVC_TOKEN_URI: `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/token`,
        })
      before(() => once(endpoint.listen(0, '127.0.0.1'), 'listening'))
      after(() => endpoint.close())
      const own = () => fingerprint(`FAKE-refreshed-${generation}`)

      test('is used once, however many requests wait', async () => {
        const fresh = await startFresh()
        try {
          generation = 0
          const answers = await Promise.all(
            Array.from({ length: 200 }, async () =>
              (await fetch(new URL('/refreshed', fresh.url))).text(),
            ),
          )
          assert.deepEqual(new Set(answers), new Set([own()]))
          const tools = await withClient(
            new URL('/mcp-refreshed', fresh.url),
            undefined,
            (client) => Promise.all(Array.from({ length: 50 }, () => call(client, 'whoami'))),
          )
          assert.deepEqual(new Set(tools.map(({ text }) => text)), new Set([`${own()} ${own()}`]))
          assert.equal(generation, 1)
        } finally {
          await fresh.stop()
        }
      })

      test('is used by the others, though the first client has left', async () => {
        const fresh = await startFresh()
        try {
          generation = 0
          delay = 300
          const controller = new AbortController()
          const first = fetch(new URL('/refreshed', fresh.url), {
            signal: controller.signal,
          }).catch(() => undefined)
          await sleep(100)
          const others = Array.from({ length: 5 }, async () =>
            (await fetch(new URL('/refreshed', fresh.url))).text(),
          )
          await sleep(50)
          controller.abort()
          await first
          assert.deepEqual(new Set(await Promise.all(others)), new Set([own()]))
          assert.equal(generation, 1)
        } finally {
          delay = 50
          await fresh.stop()
        }
      })
    })

    test("the demo's server", async () => {
      const known = new Map(
        [fakeToken(), fakeToken()].map((token, index) => [
          `Bearer ${token}`,
          `the issues of ${index}`,
        ]),
      )
      const upstream = createServer((request, response) =>
        response.end(known.get(String(request.headers.authorization))),
      ).listen(0, '127.0.0.1')
      await once(upstream, 'listening')
      const demo = await start(`${root}examples/hosted.ts`, {
        UPSTREAM: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
      })
      try {
        for (const [authorization, issues] of known) {
          const answer = await withClient(
            new URL('/mcp', demo.url),
            authorization.slice(7),
            (client) => call(client, 'list_issues'),
          )
          assert.deepEqual(answer, { text: issues, isError: false })
        }
      } finally {
        await demo.stop()
        upstream.close()
      }
    })
  })
}
