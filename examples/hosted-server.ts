// An MCP server on HTTP that works for many tenants: the gateway in front sends each request with its tenant's token.
import { createServer } from 'node:http'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { fromHeaders, getCredentials } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { listIssues } from './apis.ts'
import { announce } from './processes.ts'

const source = fromHeaders({ type: 'oauth' })

const handler = createMcpHandler(() => {
  const server = withCredentials(new McpServer({ name: 'issues', version: '1.0.0' }), source)
  server.registerTool('list_issues', { description: 'The open issues of the user' }, async () => {
    const { accessToken } = getCredentials('oauth')
    return { content: [{ type: 'text', text: await listIssues(accessToken) }] }
  })
  return server
})

const handle = toNodeHandler(handler)
announce(createServer((request, response) => void handle(request, response)))
