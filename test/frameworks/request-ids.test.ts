// Frameworks that share one server among their callers, whose requests have the same ids: no caller gets the answer of another.
// Each run is also made without the adapter, where callers do.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { StreamableHTTPTransport } from '@hono/mcp'
import { serve } from '@hono/node-server'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { Hono } from 'hono'
import { fromHeaders, getCredentials } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { z } from 'zod'
import { freePort } from './harness.js'

interface Running {
  readonly url: URL
  stop(): Promise<unknown>
}

/** One server and one transport for all, as the README of @hono/mcp has it. */
async function startHono(isBare: boolean): Promise<Running> {
  const app = new Hono()
  const mcpServer = new McpServer({ name: 'frameworks', version: '1.0.0' })
  // The token tells whose credential the call had, so that it has to be seen.
  if (!isBare) withCredentials(mcpServer, fromHeaders({ type: 'oauth' }), { redact: false })
  const inputSchema = { who: z.string(), milliseconds: z.number() }
  mcpServer.registerTool('answer', { inputSchema }, async ({ who, milliseconds }) => {
    const token = isBare ? who : getCredentials('oauth').accessToken
    await sleep(milliseconds)
    return { content: [{ type: 'text', text: `the answer for ${token}` }] }
  })
  const transport = new StreamableHTTPTransport()
  app.all('/mcp', async (c) => {
    if (!mcpServer.isConnected()) await mcpServer.connect(transport)
    return transport.handleRequest(c)
  })
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: new URL(`http://127.0.0.1:${port}/mcp`),
    async stop() {
      await mcpServer.close()
      if ('closeAllConnections' in server) server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function startMcpFramework(isBare: boolean): Promise<Running> {
  const port = await freePort()
  const script = fileURLToPath(new URL('framework-server.js', import.meta.url))
  const args = [script, `${port}`, ...(isBare ? ['bare'] : [])]
  const child = spawn(process.execPath, args, { stdio: 'ignore' })
  const health = new URL(`http://127.0.0.1:${port}/health`)
  for (let wait = 0; wait < 200 && !(await fetch(health).catch(() => undefined)); wait++)
    await sleep(50)
  return {
    url: new URL(`http://127.0.0.1:${port}/mcp`),
    async stop() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

const CALLERS = 20
const CALLS = 10
const OUTCOMES = ['own', "another's", 'refused', 'timed out'] as const
type Outcome = (typeof OUTCOMES)[number]

async function connect(url: URL, who: string): Promise<Client> {
  const client = new Client({ name: who, version: '1.0.0' })
  const headers = { 'X-MCP-Cred-Access-Token': who }
  await client.connect(
    new StreamableHTTPClientTransport(url, { requestInit: { headers } }) as never,
  )
  return client
}

async function outcomeOf(client: Client, who: string, milliseconds: number): Promise<Outcome> {
  const params = { name: 'answer', arguments: { who, milliseconds } }
  try {
    const { content } = await client.callTool(params, undefined, { timeout: 1000 })
    const text = JSON.stringify(content)
    const [, answered] = /the answer for ([\w-]+)/.exec(text) ?? []
    assert(answered !== undefined, text)
    return answered === who ? 'own' : "another's"
  } catch (error) {
    const { code, message } = error as { code: number; message: string }
    if (code === -32001) return 'timed out'
    assert.equal(code, -32600, String(error))
    assert.match(message, /gives each session, or each request, a server of its own\.$/)
    return 'refused'
  }
}

/** How 200 calls of 20 callers at a time end. */
async function run(url: URL): Promise<Record<Outcome, number>> {
  const counts = { own: 0, "another's": 0, refused: 0, 'timed out': 0 }
  const clients: Client[] = []
  for (let caller = 0; caller < CALLERS; caller++)
    clients.push(await connect(url, `caller-${caller}`))
  const callAll = async (client: Client, caller: number) => {
    for (let call = 0; call < CALLS; call++) {
      const milliseconds = (caller * 7 + call * 3) % 10
      await sleep((caller * 3 + call * 5) % 11)
      counts[await outcomeOf(client, `caller-${caller}`, milliseconds)] += 1
    }
  }
  await Promise.all(clients.map(callAll))
  // One alone is served.
  const [client] = clients
  assert(client)
  assert.equal(await outcomeOf(client, 'caller-0', 1), 'own')
  await Promise.all(clients.map((each) => each.close()))
  return counts
}

const FRAMEWORKS: [name: string, start: (isBare: boolean) => Promise<Running>][] = [
  ['@hono/mcp', startHono],
  ['mcp-framework', startMcpFramework],
]

for (const [name, start] of FRAMEWORKS) {
  describe(name, () => {
    for (const isBare of [true, false]) {
      const ending = isBare
        ? 'without the adapter, some get that of another'
        : 'none gets that of another'
      test(`of ${CALLERS * CALLS} answers, ${ending}`, async () => {
        const { url, stop } = await start(isBare)
        try {
          const counts = await run(url)
          const texts = OUTCOMES.map((outcome) => `${outcome} ${counts[outcome]}`)
          console.log(`${name}, ${isBare ? 'bare' : 'with the adapter'}: ${texts.join(', ')}`)
          assert.equal(counts["another's"] > 0, isBare)
          if (!isBare) assert(counts.refused > 0)
        } finally {
          await stop()
        }
      })
    }
  })
}
