// A tool that cannot read a token serves a thousand accounts at once, on servers of both SDKs.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { inspect } from 'node:util'
import { createContext, runInContext } from 'node:vm'
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as HttpV2,
} from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { createMcpHandler, McpServer as McpServerV2 } from '@modelcontextprotocol/server'
import { fromHeaders } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { createFetch } from 'mcp-credentials/upstream'
import type { UpstreamFetch } from 'mcp-credentials/upstream'
import { z } from 'zod'
import { listen } from './servers.js'
import type { Listening } from './servers.js'

const ACCOUNTS = 1000
const tokenOf = (account: number) => `FAKE-account-${account}-0123456789abcdef-token`
const nameOf = (token: string) => createHash('sha256').update(token).digest('hex').slice(0, 16)

/** The API knows whose a token is, and greets its owner. */
let api: Listening
const greeted = new Map<string, number>()
before(async () => {
  api = await listen((request, response) => {
    const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
    greeted.set(token, (greeted.get(token) ?? 0) + 1)
    // Out of order, so that calls overlap.
    setTimeout(() => response.end(nameOf(token)), greeted.size % 20)
  })
})
after(() => api.close())

/** What the tool was able to look at, for the test to search. */
const looks: string[] = []

// All that the tool has is a fetch: it runs in a context without modules, process, or the library.
const TOOL = `
  async () => {
    const response = await fetch('/whoami')
    const name = await response.text()
    const errors = []
    for (const target of ['https://evil.example/', '/../../x', '//evil.example'])
      await fetch(target).catch((error) => errors.push(error))
    await fetch('/whoami', { headers: { authorization: 'x' } }).catch((error) => errors.push(error))
    look(response, [...response.headers], response.url, fetch, String(fetch), errors, Object.getOwnPropertyNames(globalThis))
    const reach = [typeof require, typeof process, typeof module, typeof getCredentials, typeof withCredentials]
    return name + ' ' + reach.join()
  }
`
const UNREACHABLE = 'undefined,undefined,undefined,undefined,undefined'

function toolWith(fetch: UpstreamFetch): () => Promise<string> {
  const look = (...values: unknown[]) => {
    for (const value of values) looks.push(inspect(value, { depth: 2 }))
  }
  return runInContext(TOOL, createContext({ fetch, look }))
}

const source = fromHeaders({ type: 'oauth' })
const makeTool = () =>
  toolWith(createFetch({ baseUrl: `${api.origin}/v1`, allowInsecureLoopback: true }))

const resultOf = async (tool: () => Promise<string>) => ({
  content: [{ type: 'text' as const, text: await tool() }],
})

async function serveV1(): Promise<Listening> {
  const tool = makeTool()
  return listen(async (request, response) => {
    const server = withCredentials(new McpServerV1({ name: 'a', version: '1.0.0' }), source)
    server.registerTool('whoami', {}, () => resultOf(tool))
    const transport = new StreamableHTTPServerTransport({})
    await server.connect(transport as never)
    await transport.handleRequest(request, response)
  })
}

function handlerV2(): (request: Request) => Promise<Response> {
  const tool = makeTool()
  const handler = createMcpHandler(() => {
    const server = withCredentials(new McpServerV2({ name: 'a', version: '1.0.0' }), source)
    server.registerTool('whoami', { inputSchema: z.object({}) }, () => resultOf(tool))
    return server
  })
  return (request) => handler.fetch(request)
}

/** A result with content. */
type Result = object

/** Sends the token of the account that a call is for. The account is an argument that no tool looks at. */
function withAccount(inner: typeof fetch): typeof fetch {
  return (url, init) => {
    const headers = new Headers(init?.headers)
    const body = typeof init?.body === 'string' ? JSON.parse(init.body) : undefined
    headers.set('x-mcp-cred-access-token', tokenOf(Number(body?.params?._meta?.account ?? 0)))
    return inner(url, { ...init, headers })
  }
}

const INFO = { name: 'client', version: '1.0.0' }
const paramsOf = (account: number) => ({ name: 'whoami', arguments: {}, _meta: { account } })

const SDKS: Record<
  string,
  () => Promise<{ call(account: number): Promise<Result>; close(): Promise<void> }>
> = {
  async 'SDK v1, over HTTP'() {
    const server = await serveV1()
    const client = new ClientV1(INFO)
    const options = { fetch: withAccount(fetch) }
    await client.connect(new HttpV1(new URL(server.origin), options) as never)
    return {
      call: (account) => client.callTool(paramsOf(account)),
      async close() {
        await client.close()
        await server.close()
      },
    }
  },
  async 'SDK v2, through its fetch handler'() {
    const handle = handlerV2()
    const client = new ClientV2(INFO, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
    const inner = (url: string | URL | Request, init?: RequestInit) =>
      handle(new Request(url, init))
    const options = { fetch: withAccount(inner as typeof fetch) }
    await client.connect(new HttpV2(new URL('http://server.example/mcp'), options))
    return { call: (account) => client.callTool(paramsOf(account)), close: () => client.close() }
  },
}

for (const [name, connect] of Object.entries(SDKS)) {
  describe(name, () => {
    test(`${ACCOUNTS} calls at once, each with an account of its own, through a tool that sees none`, async () => {
      greeted.clear()
      looks.length = 0
      const client = await connect()
      try {
        const accounts = Array.from({ length: ACCOUNTS }, (_, index) => index)
        const results = await Promise.all(accounts.map((account) => client.call(account)))
        const texts = results.map((result) => JSON.stringify(Reflect.get(result, 'content')))
        const expected = accounts.map((account) =>
          JSON.stringify([{ type: 'text', text: `${nameOf(tokenOf(account))} ${UNREACHABLE}` }]),
        )
        assert.deepEqual(texts, expected)
      } finally {
        await client.close()
      }
      assert.equal(greeted.size, ACCOUNTS)
      assert.deepEqual([...new Set(greeted.values())], [1])
      assert.equal(looks.length, 7 * ACCOUNTS)
      assert.equal(looks.filter((text) => text.includes('FAKE-account')).length, 0)
    })
  })
}

test('the search would have found a token that the tool can see', async () => {
  looks.length = 0
  const { accessToken } = { accessToken: tokenOf(0) }
  const careless = (() =>
    fetch(`${api.origin}/whoami?token=${accessToken}`)) as unknown as UpstreamFetch
  await toolWith(careless)()
  assert(looks.some((text) => text.includes('FAKE-account')))
})
