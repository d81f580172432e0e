// An MCP server on stdio with an API key from its environment: WEATHER_FIELD_apiKey.
import { McpServer } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { fromEnv } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { z } from 'zod'
import { forecast } from './apis.ts'

const source = fromEnv('WEATHER_', { type: 'static' })

serveStdio(() => {
  const server = withCredentials(new McpServer({ name: 'weather', version: '1.0.0' }), source)
  const inputSchema = z.object({ city: z.string() })
  server.registerTool(
    'forecast',
    { description: "Tomorrow's weather", inputSchema },
    async ({ city }) => {
      return { content: [{ type: 'text', text: await forecast(city) }] }
    },
  )
  return server
})
