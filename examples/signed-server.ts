// An MCP server that believes no headers but those that its gateway has signed, with the key GATEWAY_KEY; on PORT or 3001.
import { createServer } from 'node:http'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { fromHeaders } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { createSignatureVerifier } from 'mcp-credentials/signature'
import { listIssues } from './apis.ts'
import { announce } from './processes.ts'

const verify = createSignatureVerifier({ keys: [process.env['GATEWAY_KEY']], audience: 'issues' })
const source = fromHeaders({ type: 'oauth', verify })

const handler = createMcpHandler(() => {
  const server = withCredentials(new McpServer({ name: 'issues', version: '1.0.0' }), source)
  server.registerTool('list_issues', { description: 'The open issues of the user' }, async () => {
    return { content: [{ type: 'text', text: await listIssues() }] }
  })
  return server
})

const handle = toNodeHandler(handler)
const server = createServer((request, response) => void handle(request, response))
announce(server, 3001, (url) => [
  `An MCP server at ${url}/mcp, for headers signed with GATEWAY_KEY.`,
])
