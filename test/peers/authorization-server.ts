// A real authorization server that rotates refresh tokens and revokes all of a grant when one is used twice.
import assert from 'node:assert/strict'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { OAuthCredential } from 'mcp-credentials'
import Provider from 'oidc-provider'
import { listen } from './wirings.js'

// Every character that has a meaning in a form, a URL, or a Basic header.
export const CLIENT_SECRET = 'FAKE s%cr+et: /?&=#!~*()"<>'
export const CLIENTS = ['client_secret_basic', 'client_secret_post', 'none'] as const

export interface AuthorizationServer {
  readonly provider: Provider
  readonly origin: string
  readonly seen: { refreshes: number; revoked: number }
  /** Puts something in front of it. */
  intercept(handler: (next: RequestListener) => RequestListener): void
  /** A refresh token as a user's consent would have given it. */
  refreshTokenFor(clientId: string, accountId?: string): Promise<string>
  /** A credential whose access token has expired. */
  expiredFor(clientId: string, more?: object): Promise<OAuthCredential>
  /** Whose a token is; of nobody when it is not valid. */
  ownerOf(credential: { accessToken: string }): Promise<string | undefined>
  close(): Promise<unknown>
}

const SCOPE = 'openid offline_access'

export async function startAuthorizationServer(secondsToLive = 3600): Promise<AuthorizationServer> {
  let handler: RequestListener = () => {}
  const server = await listen((request: IncomingMessage, response: ServerResponse) =>
    handler(request, response),
  )
  const { origin } = server.url
  const provider = createProvider(origin, secondsToLive)
  const seen = { refreshes: 0, revoked: 0 }
  handler = provider.callback() as RequestListener
  provider.on('grant.success', () => {
    seen.refreshes += 1
  })
  provider.on('grant.revoked', () => {
    seen.revoked += 1
  })

  async function refreshTokenFor(clientId: string, accountId = 'user'): Promise<string> {
    const client = await provider.Client.find(clientId)
    assert(client)
    const grant = new provider.Grant({ accountId, clientId })
    grant.addOIDCScope(SCOPE)
    const grantId = await grant.save()
    const properties = { client, accountId, grantId, scope: SCOPE, gty: 'authorization_code' }
    return new provider.RefreshToken(properties as never).save()
  }

  return {
    provider,
    origin,
    seen,
    intercept(wrap) {
      handler = wrap(handler)
    },
    refreshTokenFor,
    async expiredFor(clientId, more = {}) {
      return new OAuthCredential({
        accessToken: 'FAKE-expired',
        expiresAt: new Date(0),
        clientId,
        ...(clientId !== 'none' && { clientSecret: CLIENT_SECRET }),
        tokenUri: `${origin}/token`,
        refreshToken: await refreshTokenFor(clientId),
        ...more,
      })
    },
    async ownerOf({ accessToken }) {
      return (await provider.AccessToken.find(accessToken))?.accountId
    },
    close: () => server.close(),
  }
}

function createProvider(origin: string, secondsToLive: number): Provider {
  const { warn } = console
  // That its keys are for development, and that it prefers later versions of Node.js.
  console.warn = () => {}
  const provider = new Provider(origin, {
    clients: CLIENTS.map((method) => ({
      client_id: method,
      ...(method !== 'none' && { client_secret: CLIENT_SECRET }),
      token_endpoint_auth_method: method,
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['https://client.example/'],
    })),
    rotateRefreshToken: true,
    ttl: { AccessToken: secondsToLive, RefreshToken: 864_000, Grant: 864_000 },
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ['FAKE'] },
    findAccount: (_context, accountId) => ({ accountId, claims: async () => ({ sub: accountId }) }),
  })
  console.warn = warn
  return provider
}
