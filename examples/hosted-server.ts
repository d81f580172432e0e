// Serves hosted.ts with Node.js, on PORT or 3000.
import { createServer } from 'node:http'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { handler } from './hosted.ts'
import { announce, curlOf } from './processes.ts'

const handle = toNodeHandler(handler)
const server = createServer((request, response) => void handle(request, response))
announce(server, 3000, (url) => [
  `An MCP server at ${url}/mcp, for a gateway in front of it. As the gateway would call it:`,
  curlOf(url, 'list_issues', 'X-MCP-Cred-Access-Token: FAKE-token'),
])
