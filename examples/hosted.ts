// An MCP server for many tenants: the gateway in front sends each request with its tenant's token. It is a handler of the
// Fetch API, which Bun, Deno and Cloudflare Workers serve as it is; hosted-server.ts serves it with Node.js.
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { fromHeaders, getCredentials } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { listIssues } from './apis.ts'

const source = fromHeaders({ type: 'oauth' })

export const handler = createMcpHandler(() => {
  const server = withCredentials(new McpServer({ name: 'issues', version: '1.0.0' }), source)
  server.registerTool('list_issues', { description: 'The open issues of the user' }, async () => {
    return { content: [{ type: 'text', text: await listIssues() }] }
  })
  server.registerTool('delete_issue', { description: 'As tools go wrong' }, () => {
    const { accessToken } = getCredentials('oauth')
    throw new Error(`401 from the API, for Authorization: Bearer ${accessToken}`)
  })
  return server
})

export default { fetch: (request: Request) => handler.fetch(request) }
