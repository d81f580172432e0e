// A replica: an MCP server on SDK v2, stateless, whose tools do what tools do, and what they should not.
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { fromHeaders, getCredentials } from 'mcp-credentials'
import type { CredentialSource } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { z } from 'zod'

// The control: what people do without this package, so that the checks are seen to find it. A global that nobody ends.
const isControl = process.env['CONTROL'] === 'yes'
let current = ''
const fromGateway = fromHeaders({ type: 'oauth' })
const source: CredentialSource = async (request) => {
  const credential = await fromGateway(request)
  current = String(credential.accessToken)
  return credential
}
const readToken = () => (isControl ? current : getCredentials('oauth').accessToken)

const fingerprint = (token: string) => createHash('sha256').update(token).digest('hex').slice(0, 16)
const counts = { calls: 0, open: 0 }

/** Runs a tool, and looks a while after it is done whether it still gets a credential. */
async function counted(tool: () => Promise<string>) {
  counts.calls += 1
  try {
    return { content: [{ type: 'text' as const, text: await tool() }] }
  } finally {
    setTimeout(() => {
      try {
        readToken()
        counts.open += 1
      } catch (error) {
        if (Reflect.get(error as object, 'code') !== 'ERR_CREDENTIAL_ENDED') counts.open += 1
      }
    }, 50)
  }
}

const inputSchema = z.object({ milliseconds: z.number() })

function createMcpServer(): McpServer {
  const server = withCredentials(
    new McpServer({ name: 'load', version: '1.0.0' }),
    source,
    isControl ? { redact: false } : {},
  )
  server.registerTool('sleep', { inputSchema }, ({ milliseconds }) =>
    counted(async () => {
      const before = readToken()
      await sleep(milliseconds)
      return before === readToken() ? fingerprint(before) : 'it changed'
    }),
  )
  server.registerTool('progress', { inputSchema }, ({ milliseconds }, { mcpReq }) =>
    counted(async () => {
      for (let step = 1; step <= 5; step++) {
        await sleep(milliseconds / 5)
        const params = {
          progressToken: mcpReq._meta?.progressToken ?? 0,
          progress: step,
          message: `step ${step} with ${readToken()}`,
        }
        await mcpReq.notify({ method: 'notifications/progress', params })
      }
      return fingerprint(readToken())
    }),
  )
  server.registerTool('flood', {}, (_context) =>
    counted(async () => `${fingerprint(readToken())} ${'.'.repeat(2_000_000)}`),
  )
  server.registerTool('throw', { inputSchema }, ({ milliseconds }) =>
    counted(async () => {
      await sleep(milliseconds)
      throw new Error(`${fingerprint(readToken())} could not use ${readToken()}`)
    }),
  )
  server.registerTool('leak', { inputSchema }, ({ milliseconds }) =>
    counted(async () => {
      await sleep(milliseconds)
      return `${fingerprint(readToken())} ${JSON.stringify({ authorization: `Bearer ${readToken()}` })}`
    }),
  )
  for (const path of ['slow', 'reset']) {
    server.registerTool(path, {}, () =>
      counted(async () => {
        const response = await fetch(`${process.env['UPSTREAM']}/${path}`, {
          headers: { authorization: `Bearer ${readToken()}` },
          redirect: 'manual',
        })
        return `${fingerprint(readToken())} ${await response.text()}`
      }),
    )
  }
  return server
}

const handle = toNodeHandler(createMcpHandler(createMcpServer))
const server = createServer((request, response) => void handle(request, response))

// What the proxy sends, for the tests of its configuration.
if (process.env['ECHO'] === 'yes') {
  server.removeAllListeners('request')
  server.on('request', async (request, response) => {
    let size = 0
    for await (const chunk of request) size += (chunk as Uint8Array).length
    if (request.headers['mcp-name'] === 'events') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (let event = 0; event < 5; event++) {
        response.write(`data: ${event}\n\n`)
        await sleep(100)
      }
      response.end()
      return
    }
    response.end(
      JSON.stringify({
        headers: request.rawHeaders,
        size,
        replica: request.socket.localPort,
        connection: request.socket.remotePort,
      }),
    )
  })
}

server.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', () =>
  process.send?.({ port: (server.address() as AddressInfo).port }),
)
process.on('message', () => {
  ;(globalThis as { gc?: () => void }).gc?.()
  process.send?.({ ...counts, heap: process.memoryUsage().heapUsed })
})
process.on('disconnect', () => process.exit())
