// Serves one of the frameworks on the port of the environment.
import { setTimeout as sleep } from 'node:timers/promises'
import { serve } from '@hono/node-server'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import type { Express } from 'express'
import type { FastifyInstance } from 'fastify'
import type { FastMCP } from 'fastmcp'
import { OAuthCredential } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { registerTools } from './tools.js'

const [name = '', variant] = process.argv.slice(2)
const hostname = '127.0.0.1'
const port = Number(process.env['PORT'])

type Fetch = (request: Request) => Response | null | Promise<Response | null>

const serveFetch = (fetch: Fetch) =>
  serve({
    port,
    hostname,
    fetch: async (request) => (await fetch(request)) ?? new Response(null, { status: 404 }),
  })

/** The credential in a variable, and nothing scrubbed: what all this is there to prevent. */
function serveNaively(): void {
  let accessToken = 'FAKE'
  const source = async () => {
    await sleep(1)
    return new OAuthCredential({ accessToken })
  }
  const handler = createMcpHandler(() => {
    const info = { name: 'naive', version: '1.0.0' }
    const server = withCredentials(new McpServer(info), source, { redact: false })
    registerTools(server)
    return server
  })
  serveFetch((request) => {
    accessToken = request.headers.get('x-mcp-cred-access-token') ?? accessToken
    return handler.fetch(request)
  })
}

const load = <T>(): Promise<T> => import(`./blocks/${name}.js`)

switch (name) {
  case 'naive':
    serveNaively()
    break
  case 'express':
    ;(await load<{ app: Express }>()).app.listen(port, hostname)
    break
  case 'fastify':
  case 'fastify-mcp':
    await (await load<{ app: FastifyInstance }>()).app.listen({ port, host: hostname })
    break
  case 'hono':
  case 'hono-mcp': {
    const { app } = await load<{ app: { fetch: Fetch } }>()
    serveFetch((request) => app.fetch(request))
    break
  }
  case 'fastmcp': {
    const httpStream = { port, host: hostname, stateless: variant === 'stateless' }
    const { server } = await load<{ server: FastMCP }>()
    await server.start({ transportType: 'httpStream', httpStream })
    break
  }
  case 'tmcp':
    serveFetch((await load<{ handler: Fetch }>()).handler)
    break
  default:
    serveFetch((await load<{ POST: Fetch }>()).POST)
}
