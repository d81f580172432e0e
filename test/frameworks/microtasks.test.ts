// docs/frameworks.md: what the adapter cannot hide.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client as ClientV2, InMemoryTransport as MemoryV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport as MemoryV1 } from '@modelcontextprotocol/sdk/inMemory.js'
import { Server as ServerV1 } from '@modelcontextprotocol/sdk/server/index.js'
import { CallToolRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { Server as ServerV2 } from '@modelcontextprotocol/server'
import { OAuthCredential } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'

const INFO = { name: 'microtasks', version: '1.0.0' }
const CAPABILITIES = { capabilities: { tools: {} } }
const source = () => new OAuthCredential({ accessToken: 'FAKE-microtasks-0123456789abcdef' })

interface Receiver {
  _onrequest(...args: unknown[]): void
}

/** Counts the microtasks from the moment that a request has reached its server until its tool starts. */
function countIn(server: object) {
  let count = -1
  const receiver = server as Receiver
  const { _onrequest } = receiver
  const tick = () => {
    count += 1
    if (count < 1000) queueMicrotask(tick)
  }
  receiver._onrequest = (...args) => {
    tick()
    _onrequest.apply(server, args)
  }
  return () => {
    const seen = count
    count = 1000
    return { content: [], structuredContent: { seen } }
  }
}

const ofV1 = async (isWrapped: boolean): Promise<unknown> => {
  const server = new ServerV1(INFO, CAPABILITIES)
  if (isWrapped) withCredentials(server, source)
  server.setRequestHandler(CallToolRequestSchema, countIn(server))
  const [near, far] = MemoryV1.createLinkedPair()
  const client = new ClientV1(INFO)
  await Promise.all([server.connect(far), client.connect(near)])
  const { structuredContent } = await client.callTool({ name: 'tool' })
  await client.close()
  return Reflect.get(Object(structuredContent), 'seen')
}

const ofV2 = async (isWrapped: boolean): Promise<unknown> => {
  const server = new ServerV2(INFO, CAPABILITIES)
  if (isWrapped) withCredentials(server, source)
  server.setRequestHandler('tools/call', countIn(server))
  const [near, far] = MemoryV2.createLinkedPair()
  const client = new ClientV2(INFO)
  await Promise.all([server.connect(far), client.connect(near)])
  const { structuredContent } = await client.callTool({ name: 'tool' })
  await client.close()
  return Reflect.get(Object(structuredContent), 'seen')
}

for (const [sdk, run] of Object.entries({ v1: ofV1, v2: ofV2 }))
  test(`on SDK ${sdk} a tool starts a few microtasks later`, async () => {
    const bare = Number(await run(false))
    assert(bare >= 0)
    const more = Number(await run(true)) - bare
    assert(more > 0 && more <= 4, `${more}`)
  })
