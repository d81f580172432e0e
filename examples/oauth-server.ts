// An MCP server on stdio with an OAuth token from its environment: CALENDAR_ACCESS_TOKEN, CALENDAR_EXPIRES_AT.
import { McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { fromEnv } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { nextMeeting } from './apis.ts'

const source = fromEnv('CALENDAR_', { type: 'oauth' })

serveStdio(() => {
  const server = withCredentials(new McpServer({ name: 'calendar', version: '1.0.0' }), source, {
    rejectExpired: true,
  })
  server.registerTool('next_meeting', { description: 'The next meeting of the user' }, async () => {
    return { content: [{ type: 'text', text: await nextMeeting() }] }
  })
  return server
})
