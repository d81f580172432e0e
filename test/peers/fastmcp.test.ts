// punkpeye's fastmcp with its adapter, from the first call of each session on.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import { FastMCP, FastMCPSession, UserError } from 'fastmcp'
import { fromHeaders, getCredentials, OAuthCredential } from 'mcp-credentials'
import type { CallEvent, CredentialSource } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/fastmcp'
import type { FastMcpSessionClass } from 'mcp-credentials/fastmcp'
import { z } from 'zod'
import { freePort } from './free-port.js'

const TOKEN = 'FAKE-fastmcp-0123456789abcdef-do-not-leak'
const headerSource = fromHeaders({ type: 'oauth' })

let events: CallEvent[] = []
let owners: unknown[] = []
// In memory there are no headers.
const source: CredentialSource = (request) => {
  owners.push(request.authInfo)
  return request.headers
    ? headerSource(request)
    : new OAuthCredential({ accessToken: `${TOKEN}-memory` })
}
withCredentials(FastMCPSession, source, { onCall: (event) => events.push(event) })

const silent = () => undefined
const logger = { debug: silent, error: silent, info: silent, log: silent, warn: silent }

function createFastMcp(): FastMCP<Record<string, unknown>> {
  const server = new FastMCP<Record<string, unknown>>({
    name: 'peer',
    version: '1.0.0',
    logger,
    // It pings sessions that are over, for as long as the process runs.
    ping: { enabled: false },
    async authenticate(request) {
      const user = { sub: request?.headers['x-user'] }
      if (request) Object.assign(request, { auth: user })
      return user
    },
  })
  const parameters = z.object({ milliseconds: z.number() })
  server.addTool({
    name: 'ending',
    description: 'Whose credential the call has',
    parameters,
    async execute({ milliseconds }) {
      const { accessToken } = getCredentials('oauth')
      await sleep(milliseconds)
      const isSame = accessToken === getCredentials('oauth').accessToken
      return isSame ? accessToken.slice(TOKEN.length + 1) : 'the credential changed'
    },
  })
  const name = (text: string) => ({ name: text, description: text })
  server.addTool({ ...name('leak'), execute: async () => getCredentials('oauth').accessToken })
  server.addTool({
    ...name('fail'),
    async execute() {
      throw new Error(`401 for ${getCredentials('oauth').accessToken}`)
    },
  })
  server.addTool({
    ...name('explain'),
    async execute() {
      throw new UserError('It failed.', { token: getCredentials('oauth').accessToken })
    },
  })
  return server
}

async function connect(transport: Transport): Promise<Client> {
  const client = new Client({ name: 'peer', version: '1.0.0' })
  await client.connect(transport, { timeout: 10_000 })
  return client
}

async function call(client: Client, name: string, args = {}): Promise<string> {
  const result = await client.callTool({ name, arguments: args }, undefined, { timeout: 10_000 })
  return JSON.stringify(result)
}

const requestInit = (caller: string, token = `${TOKEN}-${caller}`) => ({
  headers: { 'X-MCP-Cred-Access-Token': token, 'X-User': caller },
})

const FAILED = 'execution failed: 401 for [redacted]'

async function assertScrubbed(client: Client): Promise<void> {
  for (const [name, expected] of [
    ['leak', '"text":"[redacted]"'],
    ['fail', FAILED],
    ['explain', 'The structured result of the tool was withheld'],
  ] as const) {
    const text = await call(client, name)
    assert(text.includes(expected) && !text.includes(TOKEN), name)
  }
}

for (const stateless of [false, true]) {
  describe(stateless ? 'without sessions' : 'with sessions', () => {
    const server = createFastMcp()
    let origin: string
    before(async () => {
      const port = await freePort()
      const httpStream = { host: '127.0.0.1', port, stateless }
      await server.start({ transportType: 'httpStream', httpStream })
      origin = `http://127.0.0.1:${port}`
    })
    after(() => server.stop())
    const open = (caller: string, token?: string) =>
      connect(
        new StreamableHTTPClientTransport(new URL(`${origin}/mcp`), {
          requestInit: requestInit(caller, token),
        }) as Transport,
      )

    test('each of many calls at a time has the credential of its own request', async () => {
      owners = []
      const callers = [...Array(10).keys()].map(String)
      const clients = await Promise.all(callers.map((caller) => open(caller)))
      const calls = clients.flatMap((client, caller) =>
        [1, 2, 3, 4].map(async (turn) => {
          const text = await call(client, 'ending', { milliseconds: (caller * 7 + turn * 3) % 10 })
          assert.equal(text, `{"content":[{"type":"text","text":"${caller}"}]}`)
        }),
      )
      await Promise.all(calls)
      for (const caller of callers)
        assert.equal(
          owners.filter((owner) => Reflect.get(Object(owner), 'sub') === caller).length,
          4,
        )
      assert.equal(owners.length, 40)
      await Promise.all(clients.map((client) => client.close()))
    })

    test('what a tool returns and throws is scrubbed, and the operator is told', async () => {
      const client = await open('leaky')
      events = []
      await assertScrubbed(client)
      assert.deepEqual(
        events.map(({ tool, outcome }) => [tool, outcome]),
        [
          ['leak', 'ok'],
          ['fail', 'failed'],
          ['explain', 'failed'],
        ],
      )
      await client.close()
    })

    test('a call without its header is refused', async () => {
      const client = await open('nobody', '')
      assert.match(await call(client, 'leak'), /X-MCP-Cred-Access-Token.*"isError":true/)
      await client.close()
    })

    // Without sessions there is none.
    if (stateless) return
    const overSse = async () => {
      const client = await connect(
        new SSEClientTransport(new URL(`${origin}/sse`), {
          requestInit: requestInit('sse'),
        }) as Transport,
      )
      assert.match(await call(client, 'ending', { milliseconds: 0 }), /"text":"sse"/)
      await client.close()
    }
    // On Node.js 26.12 fastmcp's own SSE answers nobody, with the adapter or without.
    if (Number.parseInt(process.versions.node, 10) < 26) test('over SSE as well', overSse)
  })
}

test('without HTTP', async () => {
  const [near, far] = InMemoryTransport.createLinkedPair()
  const server = createFastMcp()
  const [client, session] = await Promise.all([connect(near), server.connect(far)])
  assert.match(await call(client, 'ending', { milliseconds: 0 }), /"text":"memory"/)
  await assertScrubbed(client)
  await client.close()
  await session.close()
})

test('over stdio the first call has its credential', async () => {
  const script = fileURLToPath(new URL('fastmcp-stdio.js', import.meta.url))
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [script],
    env: { FASTMCP_ACCESS_TOKEN: `${TOKEN}-stdio` },
    stderr: 'ignore',
  })
  const client = await connect(transport)
  assert.match(await call(client, 'leak'), /"text":"the token is \[redacted\]"/)
  await client.close()
})

describe('what it takes', () => {
  class Session {
    get server() {
      return { setRequestHandler: silent }
    }
    async connect() {
      return undefined
    }
  }
  const WRONG: [what: string, use: () => void, code: string][] = [
    ...[FastMCP, new Session(), class {}, () => undefined, null, undefined, 'a', {}].map(
      (value): [string, () => void, string] => [
        `of ${typeof value} ${String(value).slice(0, 20)}`,
        () => withCredentials(value as unknown as FastMcpSessionClass, source),
        'ERR_INVALID_ARG_TYPE',
      ],
    ),
    [
      'a source that is no function',
      () => withCredentials(Session, 'a' as unknown as CredentialSource),
      'ERR_INVALID_ARG_TYPE',
    ],
    [
      'an option that is misspelt',
      () => withCredentials(Session, source, { onCal: silent } as object),
      'ERR_INVALID_ARG_VALUE',
    ],
    [
      'a method that is no string',
      () => withCredentials(Session, source, { methods: [7] as unknown as string[] }),
      'ERR_INVALID_ARG_VALUE',
    ],
    ['the class once more', () => withCredentials(FastMCPSession, source), 'ERR_INVALID_ARG_VALUE'],
  ]
  for (const [what, use, code] of WRONG) {
    test(`is checked: ${what}`, () => {
      assert.throws(use, (error: TypeError & { code: string }) => {
        assert.equal(error.code, code)
        return error instanceof TypeError
      })
    })
  }
})
