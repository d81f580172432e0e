// An MCP server on stdio with an OAuth token from its environment: CALENDAR_ACCESS_TOKEN, CALENDAR_EXPIRES_AT.
import { McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { fromEnv, getCredentials } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { nextMeeting } from './apis.ts'

const source = fromEnv('CALENDAR_', { type: 'oauth' })

serveStdio(() => {
  const server = withCredentials(new McpServer({ name: 'calendar', version: '1.0.0' }), source)
  server.registerTool('next_meeting', { description: 'The next meeting of the user' }, async () => {
    const credential = getCredentials('oauth')
    if (credential.isExpired()) throw new Error('The access token has expired: get a new one.')
    return { content: [{ type: 'text', text: await nextMeeting(credential.accessToken) }] }
  })
  return server
})
