// A server of mcp-framework on the port that is named, with the adapter or `bare`. A process of its own, since it writes a log.
import { OAuthCredential } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import type { McpServerLike } from 'mcp-credentials/mcp'
import { MCPServer, MCPTool } from 'mcp-framework'
import type { MCPServerConfig } from 'mcp-framework'
import { createRequire } from 'node:module'
import { setTimeout as sleep } from 'node:timers/promises'
import type { infer as Infer } from 'zod-3'

// Its own zod, since it asks what a schema is an instance of.
const { resolve } = createRequire(import.meta.resolve('mcp-framework'))
const { z }: typeof import('zod-3') = await import(resolve('zod').replace(/cjs$/, 'js'))

const [port, bare] = process.argv.slice(2)

const schema = z.object({
  who: z.string().describe('The caller'),
  milliseconds: z.number().describe('How long it takes'),
})

class Answer extends MCPTool {
  override name = 'answer'
  override description = 'Answers its caller'
  override schema = schema

  override async execute({ who, milliseconds }: Infer<typeof schema>): Promise<string> {
    await sleep(milliseconds)
    return `the answer for ${who}`
  }
}

// Where the framework makes its servers is private in its types.
interface WithHandlers {
  setupHandlers(server: McpServerLike): void
  addTool(tool: typeof Answer): void
  start(): Promise<void>
}
const Base = MCPServer as unknown as new (config: MCPServerConfig) => WithHandlers

class Wrapped extends Base {
  override setupHandlers(server: McpServerLike): void {
    withCredentials(server, () => new OAuthCredential({ accessToken: 'FAKE-frameworks' }))
    super.setupHandlers(server)
  }
}

const server = new (bare === 'bare' ? Base : Wrapped)({
  name: 'frameworks',
  version: '1.0.0',
  transport: { type: 'http-stream', options: { port: Number(port) } },
})
server.addTool(Answer)
await server.start()
