// The MCP server and its site, as a handler of the Fetch API.
import { OAuthError, OAuthErrorCode, requireBearerAuth } from '@modelcontextprotocol/server'
import type { AuthInfo } from '@modelcontextprotocol/server'
import { createAccounts } from 'mcp-credentials/accounts'
import type { Database } from './database.ts'
import { verifyToken } from './flow.ts'
import type { Party } from './flow.ts'
import { createHandler } from './mcp.ts'
import { createSessions } from './sessions.ts'
import { Site } from './site.ts'
import { createPostgresStore } from './stores/postgres.ts'
import { createUses } from './uses.ts'

export interface ServerOptions {
  readonly origin: string
  readonly database: Database
  /** Keys of 32 bytes; the first one seals. */
  readonly keys: readonly string[]
  /** Where users log in. */
  readonly login: Party
  /** The third party whose accounts they connect, and its API. */
  readonly notes: Party
  readonly api: string
}

export async function createServer({ origin, database, keys, ...options }: ServerOptions) {
  const { login, notes, api } = options
  const store = await createPostgresStore(database)
  const sessions = await createSessions(database)
  const uses = await createUses(database)
  const accounts = {
    // The third party of this example is on this machine.
    notes: createAccounts('notes', { store, keys, refresh: { allowInsecureLoopback: true } }),
    weather: createAccounts('weather', { store, keys }),
  }
  const site = new Site({ accounts, sessions, uses, login, notes })
  const handler = createHandler({ origin, api, uses, ...accounts })
  const resource = `${origin}/mcp`
  const metadata = `${origin}/.well-known/oauth-protected-resource`
  const checkBearer = createBearerCheck(login, resource, metadata)

  async function serve(request: Request): Promise<Response> {
    const { pathname, href } = new URL(request.url)
    // RFC 9728
    if (href.startsWith(metadata))
      return Response.json({ resource, authorization_servers: [login.server.issuer] })
    if (pathname !== '/mcp') return site.serve(request)
    const checked = await checkBearer(request)
    return checked instanceof Response ? checked : handler.fetch(request, { authInfo: checked })
  }
  return { serve, accounts }
}

function createBearerCheck(login: Party, resource: string, resourceMetadataUrl: string) {
  async function verifyAccessToken(token: string): Promise<AuthInfo> {
    const claims = await verifyToken(login, token, resource).catch(() => {
      throw new OAuthError(OAuthErrorCode.InvalidToken, 'The access token is not valid here.')
    })
    const { sub, client_id: clientId, scope = '', exp: expiresAt } = claims
    return { token, clientId, scopes: scope.split(' '), expiresAt, extra: { sub } }
  }
  return requireBearerAuth({ verifier: { verifyAccessToken }, resourceMetadataUrl })
}
