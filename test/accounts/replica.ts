// One of several replicas of an MCP server, whose users have connected accounts. It logs every call.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer, requireBearerAuth } from '@modelcontextprotocol/server'
import { getCredentials } from 'mcp-credentials'
import type { CredentialRequest } from 'mcp-credentials'
import { createAccounts } from 'mcp-credentials/accounts'
import { withCredentials } from 'mcp-credentials/mcp'
import { createPostgresStore } from '../../examples/connect/stores/postgres.ts'
import { openPool } from './databases.ts'

/** What a replica is told. */
export interface ReplicaOrders {
  readonly databaseUrl: string
  readonly key: string
  /** Where the API is. */
  readonly origin: string
  readonly port: number
  /** Whether it keys the accounts by the id of the client, as people do. */
  readonly isControl: boolean
}

/** The id of the client that all users have. */
export const CLIENT_ID = 'assistant'

/** How long a lease lasts. */
export const LEASE_SECONDS = 14

// For tokens of 30 seconds.
const refresh = {
  timeoutSeconds: LEASE_SECONDS - 5,
  leewaySeconds: LEASE_SECONDS + 1,
  allowInsecureLoopback: true,
  fetch: (url: string | URL | Request, init: RequestInit = {}) => {
    const headers = new Headers(init.headers)
    headers.set('x-process', String(process.pid))
    return fetch(url, { ...init, headers })
  },
}

interface User {
  readonly clientId: string
  readonly extra: { readonly sub: string }
}

async function start(orders: ReplicaOrders): Promise<number> {
  const { databaseUrl, key, origin, port, isControl } = orders
  const store = await createPostgresStore(openPool(databaseUrl, 10))
  const accounts = createAccounts('api', { store, keys: [key], refresh })
  const owner = ({ authInfo }: CredentialRequest) => {
    const { clientId, extra } = authInfo as User
    return isControl ? clientId : extra.sub
  }
  const source = accounts.source({ owner, connect: 'https://mcp.example.com/connect' })

  const handler = createMcpHandler(() => {
    const server = new McpServer({ name: 'replica', version: '1.0.0' })
    withCredentials(server, source, { onCall: (event) => console.log(JSON.stringify(event)) })
    server.registerTool('who_am_i', { description: 'The name of the account' }, async () => {
      const authorization = `Bearer ${getCredentials('oauth').accessToken}`
      const response = await fetch(`${origin}/whoami`, { headers: { authorization } })
      // It tells more than it should.
      const text = `${response.status} ${await response.text()} ${authorization}`
      return { content: [{ type: 'text' as const, text }] }
    })
    return server
  })
  const checkBearer = requireBearerAuth({
    verifier: {
      verifyAccessToken: async (token) => {
        const expiresAt = Math.ceil(Date.now() / 1000) + 60
        const extra = { sub: token.replace('FAKE-inbound-', '') }
        return { token, clientId: CLIENT_ID, scopes: [], expiresAt, extra }
      },
    },
  })
  const handle = toNodeHandler({
    async fetch(request: Request): Promise<Response> {
      const checked = await checkBearer(request)
      return checked instanceof Response ? checked : handler.fetch(request, { authInfo: checked })
    },
  })
  const server = createServer((request, response) => void handle(request as never, response))
  // Longer than nginx keeps a connection: it must not use one that is just being closed.
  server.keepAliveTimeout = 90_000
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

// Not where it is imported for its constants.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // Whoever has started it is gone.
  process.once('disconnect', () => process.exit())
  process.once('message', async (orders: ReplicaOrders) => process.send?.(await start(orders)))
}
