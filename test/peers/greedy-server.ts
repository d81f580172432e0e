// Tells its parent where it listens, and what it was told of secrets. Its tool returns properties as its caller shapes them.
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { McpServer as McpServerV2 } from '@modelcontextprotocol/server'
import { fromHeaders } from 'mcp-credentials'
import type { CallEvent } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { z } from 'zod'
import { handlerV2, listen, statelessV1 } from './wirings.js'

const [sdk, hears] = process.argv.slice(2)

const INFO = { name: 'greedy', version: '1.0.0' }
const onCall = ({ redacted }: CallEvent) =>
  process.send?.({ places: redacted.length, longest: JSON.stringify(redacted).length })
const options = hears === 'hears' ? { onCall } : {}

const inputSchema = { name: z.string(), times: z.number(), names: z.number() }
type Args = { name: string; times: number; names: number }

const shape = ({ name, times, names }: Args) => {
  const many = Array.from({ length: names }, (_, index) => ['a'.repeat(8 + index), index])
  const _meta = { ...Object.fromEntries(many), [name]: 'aaaaaaaa '.repeat(times) }
  return { content: [{ type: 'text' as const, text: 'done' }], _meta }
}

const source = fromHeaders({ type: 'static' })

function makeV1(): McpServerV1 {
  const server = withCredentials(new McpServerV1(INFO), source, options)
  server.registerTool('shape', { inputSchema }, shape)
  return server
}

function makeV2(): McpServerV2 {
  const server = withCredentials(new McpServerV2(INFO), source, options)
  server.registerTool('shape', { inputSchema: z.object(inputSchema) }, shape)
  return server
}

const handle = sdk === 'v1' ? statelessV1(makeV1) : handlerV2(makeV2)
const { url } = await listen((request, response) => void handle(request, response))
process.send?.({ url: url.href })
process.on('disconnect', () => process.exit())
