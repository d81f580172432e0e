// A server of fastmcp over stdio.
import { FastMCP, FastMCPSession } from 'fastmcp'
import { fromEnv, getCredentials } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/fastmcp'

withCredentials(FastMCPSession, fromEnv('FASTMCP_', { type: 'oauth' }))
const server = new FastMCP({ name: 'stdio', version: '1.0.0' })
server.addTool({
  name: 'leak',
  description: 'Says its token',
  execute: async () => `the token is ${getCredentials('oauth').accessToken}`,
})
await server.start({ transportType: 'stdio' })
