// A real authorization server that rotates refresh tokens and revokes all of a grant when one is used twice. It counts what
// each process sends, and has a resource that tells whether an access token is good.
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { PassThrough } from 'node:stream'
import { OAuthCredential } from 'mcp-credentials'
import type Provider from 'oidc-provider'
import type { Adapter, AdapterPayload } from 'oidc-provider'

/** What every token of this server holds. */
export const TOKEN_MARK = 'FAKE-token-do-not-leak'
const CLIENT_ID = 'client'
const CLIENT_SECRET = 'FAKE-client-secret-do-not-leak'
const SCOPE = 'openid offline_access'

/** A refresh token that was sent to the token endpoint. */
export interface Sent {
  readonly token: string
  /** The process that has sent it. */
  readonly by: number
}

/** What becomes of a request: `drop` before it is seen, or its answer (`swallow`). */
export type Fate = 'pass' | 'drop' | 'swallow'

export interface AuthorizationServer {
  readonly origin: string
  readonly sent: (Sent & { readonly fate: Fate })[]
  /** How many were refused. */
  readonly refused: () => number
  /** What becomes of the next requests; by default they pass. */
  decide: (sent: Sent) => Fate
  credentialFor(accountId: string): Promise<OAuthCredential>
  close(): Promise<unknown>
}

export async function startAuthorizationServer(
  secondsToLive: number,
): Promise<AuthorizationServer> {
  let provider: Provider | undefined
  let refused = 0
  const server = createServer((request, response) => void handle(request, response))
  // By default it closes connections after five seconds, while a process that was paused for as long takes them for open.
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const callback = (): RequestListener => provider?.callback() as RequestListener
  provider = await createProvider(origin, secondsToLive)
  provider.on('grant.error', () => {
    refused += 1
  })

  const found: AuthorizationServer = {
    origin,
    sent: [],
    refused: () => refused,
    decide: () => 'pass',
    async credentialFor(accountId) {
      const refreshToken = await refreshTokenFor(provider, accountId)
      const client = { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET }
      const token = { accessToken: 'FAKE-expired', expiresAt: new Date(0), refreshToken }
      return new OAuthCredential({ ...token, ...client, tokenUri: `${origin}/token` })
    },
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => server.close(resolve))
    },
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.startsWith('/resource')) return resource(request, response)
    if (request.url === '/whoami') return whoAmI(request, response)
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    const token = new URLSearchParams(body.toString()).get('refresh_token') ?? ''
    const sent = { token, by: Number(request.headers['x-process']) }
    const fate = found.decide(sent)
    found.sent.push({ ...sent, fate })
    if (fate === 'drop') return
    // The body has been read: it is given anew.
    const again = Object.assign(new PassThrough(), {
      ...{ method: request.method, url: request.url, headers: request.headers },
      ...{ socket: request.socket, connection: request.socket, httpVersion: '1.1' },
    })
    again.end(body)
    if (fate === 'swallow') response.end = () => response
    callback()(again as unknown as IncomingMessage, response)
  }

  async function accountOf(request: IncomingMessage): Promise<string | undefined> {
    const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
    return (await provider?.AccessToken.find(token))?.accountId
  }

  /** The owner of an access token. */
  async function whoAmI(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const account = await accountOf(request)
    response.writeHead(account === undefined ? 401 : 200).end(account)
  }

  /** 204 for a good access token of the owner that the path names, 401 for any other. */
  async function resource(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const owner = request.url?.split('/').at(-1)
    response.writeHead((await accountOf(request)) === owner ? 204 : 401).end()
  }
  return found
}

async function refreshTokenFor(provider: Provider, accountId: string): Promise<string> {
  const client = await provider.Client.find(CLIENT_ID)
  const grant = new provider.Grant({ accountId, clientId: CLIENT_ID })
  grant.addOIDCScope(SCOPE)
  const grantId = await grant.save()
  const properties = { client, accountId, grantId, scope: SCOPE, gty: 'authorization_code' }
  return new provider.RefreshToken(properties as never).save()
}

async function createProvider(origin: string, secondsToLive: number): Promise<Provider> {
  const { warn } = console
  // That its keys are for development, and that it prefers later versions of Node.js.
  console.warn = () => undefined
  const { default: OidcProvider } = await import('oidc-provider')
  const provider = new OidcProvider(origin, {
    clients: [
      {
        client_id: CLIENT_ID,
        client_secret: CLIENT_SECRET,
        grant_types: ['authorization_code', 'refresh_token'],
        redirect_uris: ['https://client.example/'],
      },
    ],
    adapter: createMemory(),
    rotateRefreshToken: true,
    ttl: { AccessToken: secondsToLive, IdToken: 3600, RefreshToken: 864_000, Grant: 864_000 },
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ['FAKE'] },
    findAccount: (_context, accountId) => ({ accountId, claims: async () => ({ sub: accountId }) }),
  })
  console.warn = warn
  for (const { prototype } of [provider.AccessToken, provider.RefreshToken]) mark(prototype)
  return provider
}

/** Has every token hold what can be searched for. */
function mark(prototype: object): void {
  const generate: () => string = Reflect.get(prototype, 'generateTokenId')
  const generateTokenId = function (this: unknown): string {
    return `${TOKEN_MARK}-${generate.call(this)}`
  }
  Object.assign(prototype, { generateTokenId })
}

type Stored = AdapterPayload & { readonly grantId?: string; consumed?: boolean }

/** Its own one forgets what is more than a thousand. */
function createMemory(): (model: string) => Adapter {
  const rows = new Map<string, Stored>()
  return (model) => ({
    upsert: async (id, payload) => void rows.set(`${model} ${id}`, payload as Stored),
    find: async (id) => rows.get(`${model} ${id}`),
    findByUid: async () => undefined,
    findByUserCode: async () => undefined,
    destroy: async (id) => void rows.delete(`${model} ${id}`),
    async consume(id) {
      const row = rows.get(`${model} ${id}`)
      if (row) row.consumed = true
    },
    async revokeByGrantId(grantId) {
      for (const [key, row] of rows)
        if (row.grantId === grantId && key.startsWith(`${model} `)) rows.delete(key)
    },
  })
}
