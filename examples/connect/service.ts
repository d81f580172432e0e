// Everything that the example consists of, on three ports of this machine.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { toNodeHandler } from '@modelcontextprotocol/node'
import type Provider from 'oidc-provider'
import { startAuthorizationServer } from './authorization-server.ts'
import type { AuthorizationServer } from './authorization-server.ts'
import { openDatabase } from './database.ts'
import { discover } from './flow.ts'
import { createServer } from './server.ts'

export interface ServiceOptions {
  /** The server's own port; its authorization server has the next one, and the third party the one after. */
  readonly port: number
  /** For an embedded database, and the key. */
  readonly folder: string
  readonly databaseUrl?: string | undefined
  /** How long access tokens of the third party live, in seconds. */
  readonly tokenSeconds?: number
}

/** Kept apart from the database, as it should be: here in a file. */
function readKey(folder: string): string {
  const path = join(folder, 'account.key')
  if (!existsSync(path)) writeFileSync(path, randomBytes(32).toString('base64'), { mode: 0o600 })
  return readFileSync(path, 'utf8')
}

function clientOf(id: string, redirectUri: string) {
  return {
    client_id: id,
    client_secret: `FAKE-secret-of-${id}`,
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
  }
}

/** The API of the third party. */
function createNotes() {
  const notes = new Map<string, string[]>()
  return async (request: IncomingMessage, provider: Provider): Promise<object | undefined> => {
    const url = new URL(request.url ?? '/', 'http://localhost')
    if (url.pathname !== '/notes') return undefined
    const token = request.headers.authorization?.slice('Bearer '.length) ?? ''
    const found = await provider.AccessToken.find(token)
    const add = url.searchParams.get('add')
    const needed = add === null ? 'notes:read' : 'notes:write'
    if (!found?.scopes.has(needed)) return { error: 'refused', notes: [] }
    const own = notes.get(found.accountId) ?? []
    if (add !== null) notes.set(found.accountId, [...own, add])
    return { notes: notes.get(found.accountId) ?? [] }
  }
}

/** Where the users of this server, and their MCP clients, log in. */
const startOwn = (port: number, origin: string, resource: string) =>
  startAuthorizationServer({
    name: 'Example',
    port,
    users: ['alice', 'bob'],
    configuration: {
      clients: [clientOf('connect', `${origin}/login/callback`)],
      scopes: ['openid', 'offline_access', 'mcp'],
      features: {
        registration: { enabled: true },
        resourceIndicators: {
          enabled: true,
          useGrantedResource: () => true,
          getResourceServerInfo: () => ({
            scope: 'mcp',
            audience: resource,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: 'RS256' } },
          }),
        },
      },
    },
  })

/** The third party. */
const startNotes = (port: number, origin: string, tokenSeconds: number) =>
  startAuthorizationServer({
    name: 'Notes',
    port,
    users: ['alice.writes', 'bob.writes'],
    serve: createNotes(),
    configuration: {
      clients: [clientOf('connect', `${origin}/connect/notes/callback`)],
      scopes: ['openid', 'offline_access', 'notes:read', 'notes:write'],
      ttl: { AccessToken: tokenSeconds },
    },
  })

function partyOf({ issuer }: AuthorizationServer, redirectUri: string) {
  const clientSecret = 'FAKE-secret-of-connect'
  return discover({ issuer, clientId: 'connect', clientSecret, redirectUri })
}

export async function startService(options: ServiceOptions) {
  const { port, folder, databaseUrl, tokenSeconds = 3600 } = options
  mkdirSync(folder, { recursive: true })
  const origin = `http://localhost:${port}`
  const resource = `${origin}/mcp`
  const own = await startOwn(port + 1, origin, resource)
  const notes = await startNotes(port + 2, origin, tokenSeconds)
  const database = await openDatabase(databaseUrl, join(folder, 'database'))
  const { serve, accounts } = await createServer({
    origin,
    database,
    keys: [readKey(folder)],
    login: await partyOf(own, `${origin}/login/callback`),
    notes: await partyOf(notes, `${origin}/connect/notes/callback`),
    api: `${notes.issuer}/notes`,
  })
  const handle = toNodeHandler({ fetch: serve })
  const server = createHttpServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve) => server.listen(port, 'localhost', resolve))
  async function close(): Promise<void> {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    for (const part of [own, notes, database]) await part.close()
  }
  return { origin, resource, folder, own, notes, accounts, close }
}

export type Service = Awaited<ReturnType<typeof startService>>
