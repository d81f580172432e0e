// A server with one tool that sends whatever it is made to.
import { McpServer } from '@modelcontextprotocol/server'
import type { CredentialSource } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'

export function registerLeaky(source: CredentialSource, leak: () => string): McpServer {
  const server = withCredentials(new McpServer({ name: 'leaky', version: '1.0.0' }), source)
  server.registerTool('leaky', {}, () => ({ content: [{ type: 'text', text: leak() }] }))
  return server
}
