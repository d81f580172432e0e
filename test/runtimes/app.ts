// A server for every runtime that takes a fetch handler. It tells what its handlers saw.
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { fromEnv, fromHeaders, getCredentials } from 'mcp-credentials'
import { createRefresher } from 'mcp-credentials/oauth'
import { withCredentials } from 'mcp-credentials/fetch'
import { withCredentials as withMcpCredentials } from 'mcp-credentials/mcp'

const source = fromHeaders({ type: 'oauth' })
const sleep = (milliseconds: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, milliseconds))

/** What identifies the token of this call without showing it; or why there is none. */
async function identify(): Promise<string> {
  try {
    const bytes = new TextEncoder().encode(getCredentials('oauth').accessToken)
    const digest = await crypto.subtle.digest('SHA-256', bytes)
    return Array.from(new Uint8Array(digest).slice(0, 8), (byte) =>
      byte.toString(16).padStart(2, '0'),
    ).join('')
  } catch (error) {
    return String(Reflect.get(error as object, 'code'))
  }
}

// What streams saw after their reader had left, by the path of the request.
const seen = new Map<string, string[]>()

type Handler = (request: Request) => Response | Promise<Response>

const routes: Record<string, Handler> = {
  async '/own'(request) {
    await sleep(Math.random() * 5)
    const body = await request.text()
    return new Response(`${await identify()} ${body.length}`)
  },
  '/pull'() {
    let left = 3
    return new Response(
      new ReadableStream({
        async pull(controller) {
          await sleep(1)
          controller.enqueue(new TextEncoder().encode(`${await identify()} `))
          left -= 1
          if (left === 0) controller.close()
        },
      }),
    )
  },
  '/sse'() {
    const stream = new ReadableStream({
      async start(controller) {
        for (let event = 0; event < 3; event++) {
          await sleep(5)
          controller.enqueue(new TextEncoder().encode(`data: ${await identify()}\n\n`))
        }
        controller.close()
      },
    })
    return new Response(stream, { headers: { 'content-type': 'text/event-stream' } })
  },
  '/endless'(request) {
    const states: string[] = []
    seen.set(new URL(request.url).search, states)
    return new Response(
      new ReadableStream({
        async pull(controller) {
          await sleep(1)
          controller.enqueue(new Uint8Array(1024))
        },
        async cancel() {
          states.push(await identify())
          void sleep(20).then(async () => states.push(await identify()))
        },
      }),
    )
  },
  '/upgrade': () => new Response(null, { status: 204 }),
}

function createServer(): McpServer {
  const server = new McpServer({ name: 'app', version: '1.0.0' })
  server.registerTool('whoami', {}, async () => {
    const before = await identify()
    await sleep(Math.random() * 5)
    return { content: [{ type: 'text', text: `${before} ${await identify()}` }] }
  })
  server.registerTool('context', {}, (ctx) => {
    const names = [...(ctx.http?.req?.headers.keys() ?? [])]
    return {
      content: [
        { type: 'text', text: JSON.stringify(names.filter((name) => name.startsWith('x-'))) },
      ],
    }
  })
  server.registerTool('leak', {}, () => ({
    content: [{ type: 'text', text: `it is ${getCredentials('oauth').accessToken}` }],
  }))
  return server
}

// Of an environment with a refresh token alone.
const refreshed = fromEnv('SVC_', {
  type: 'oauth',
  refresh: createRefresher({ allowInsecureLoopback: true, timeoutSeconds: 3 }),
})
const serveRefreshed = withCredentials(
  async (_request: Request) => new Response(await identify()),
  refreshed,
)
const mcpRefreshed = createMcpHandler(() => withMcpCredentials(createServer(), refreshed))

const mcp = createMcpHandler(() => withMcpCredentials(createServer(), source))
// Credentials from the adapter for fetch handlers alone; nothing in it knows of MCP.
const mcpInFetch = createMcpHandler(createServer)
const serveMcpInFetch = withCredentials((request: Request) => mcpInFetch.fetch(request), source, {
  optional: true,
})
const serveRoutes = withCredentials(
  (request: Request) =>
    routes[new URL(request.url).pathname]?.(request) ?? new Response(null, { status: 404 }),
  source,
)

export default {
  fetch(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url)
    if (pathname === '/seen') return Promise.resolve(Response.json(seen.get(search) ?? []))
    if (pathname === '/mcp') return mcp.fetch(request)
    if (pathname === '/refreshed') return serveRefreshed(request)
    if (pathname === '/mcp-refreshed') return mcpRefreshed.fetch(request)
    return pathname === '/mcp-in-fetch' ? serveMcpInFetch(request) : serveRoutes(request)
  },
}
