// The authorization code flow with PKCE, by oauth4webapi: for logging in, and for connecting accounts.
import * as oauth from 'oauth4webapi'

/** An authorization server, and who this server is to it. */
export interface Party {
  readonly server: oauth.AuthorizationServer
  readonly client: oauth.Client
  readonly clientSecret: string
  readonly redirectUri: string
}

/** What the session keeps until the browser comes back. */
export interface Pending {
  readonly state: string
  readonly verifier: string
  readonly scopes: readonly string[]
  /** The ticket that is redeemed at the end, or the path that is gone on with. */
  readonly ticket?: string
  readonly path?: string
}

// The authorization servers of this example are on this machine.
// eslint-disable-next-line @typescript-eslint/no-deprecated -- it is marked so that it stands out
const INSECURE = { [oauth.allowInsecureRequests]: true }

export interface Registration {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  readonly redirectUri: string
}

export async function discover(registration: Registration): Promise<Party> {
  const issuer = new URL(registration.issuer)
  const response = await oauth.discoveryRequest(issuer, INSECURE)
  const server = await oauth.processDiscoveryResponse(issuer, response)
  const { clientId, clientSecret, redirectUri } = registration
  return { server, client: { client_id: clientId }, clientSecret, redirectUri }
}

export async function beginFlow(
  party: Party,
  scopes: readonly string[],
  then: Pick<Pending, 'ticket' | 'path'>,
): Promise<{ readonly url: URL; readonly pending: Pending }> {
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const url = new URL(String(party.server.authorization_endpoint))
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: party.client.client_id,
    redirect_uri: party.redirectUri,
    scope: scopes.join(' '),
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }).toString()
  return { url, pending: { state, verifier, scopes, ...then } }
}

/** Throws where anything is not as it should be: `state`, `iss`, the code, the answer. */
export async function finishFlow(
  party: Party,
  callback: URL,
  { state, verifier }: Pending,
): Promise<oauth.TokenEndpointResponse> {
  const { server, client, clientSecret, redirectUri } = party
  const parameters = oauth.validateAuthResponse(server, client, callback, state)
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.ClientSecretBasic(clientSecret),
    parameters,
    redirectUri,
    verifier,
    INSECURE,
  )
  return oauth.processAuthorizationCodeResponse(server, client, response)
}

export const subjectOf = (response: oauth.TokenEndpointResponse): string | undefined =>
  oauth.getValidatedIdTokenClaims(response)?.sub

/** RFC 7009; the account is gone from here whether it succeeds or not. */
export async function revoke(party: Party, token: string): Promise<void> {
  const { server, client, clientSecret } = party
  const secret = oauth.ClientSecretBasic(clientSecret)
  const response = await oauth.revocationRequest(server, client, secret, token, INSECURE)
  await oauth.processRevocationResponse(response)
}

/** Whose access token for this server it is (RFC 9068). */
export async function verifyToken(party: Party, token: string, audience: string) {
  const headers = { authorization: `Bearer ${token}` }
  const request = new Request(audience, { headers })
  return oauth.validateJwtAccessToken(party.server, request, audience, INSECURE)
}
