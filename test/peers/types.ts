// Compiled, not run: the adapter takes all server classes of both SDKs without a cast, and gives back the same class.
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { Server as ServerV1 } from '@modelcontextprotocol/sdk/server/index.js'
import { McpServer as McpServerV2, Server as ServerV2 } from '@modelcontextprotocol/server'
import { fromEnv } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'

const INFO = { name: 'types', version: '1.0.0' }
const source = fromEnv('TYPES_')

export const v1: McpServerV1 = withCredentials(new McpServerV1(INFO), source)
export const v1LowLevel: ServerV1 = withCredentials(new ServerV1(INFO), source)
export const v2: McpServerV2 = withCredentials(new McpServerV2(INFO), source, {
  methods: ['resources/read'],
  optional: true,
})
export const v2LowLevel: ServerV2 = withCredentials(new ServerV2(INFO), source, {
  optional: ({ tool }) => tool === 'public',
})

// @ts-expect-error Not a server.
withCredentials({ connect() {} }, source)
// @ts-expect-error Not a source.
withCredentials(new McpServerV2(INFO), { accessToken: 'a' })
// @ts-expect-error Not an option.
withCredentials(new McpServerV2(INFO), source, { optinal: true })
