// A hosted server with a tool that echoes its arguments, as text and as a value; it prints its port.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { fromHeaders } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { z } from 'zod'

const server = createServer(async (request, response) => {
  const mcp = withCredentials(
    new McpServer({ name: 'echo', version: '1.0.0' }),
    fromHeaders({ type: 'static' }),
    { onCall: () => undefined },
  )
  mcp.registerTool('echo', { inputSchema: z.looseObject({}) }, (input) => ({
    content: [{ type: 'text', text: JSON.stringify(input) }],
    _meta: { input },
  }))
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: undefined,
    enableJsonResponse: true,
  } as never)
  await mcp.connect(transport as never)
  await transport.handleRequest(request, response)
})
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
