// An authorization server for this example, with two users and no passwords: oidc-provider. It is the server's own, where its
// users and their MCP clients log in; and once more the third party, which rotates refresh tokens.
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type Provider from 'oidc-provider'
import type { Configuration } from 'oidc-provider'
import { html, page, STYLE_SOURCE, toResponse } from './pages.ts'
import type { Html } from './pages.ts'

export interface AuthorizationServerOptions {
  readonly name: string
  readonly port: number
  readonly users: readonly string[]
  readonly configuration: Configuration
  /** What it serves besides, such as an API; `undefined` for what it does not know. */
  readonly serve?: (request: IncomingMessage, provider: Provider) => Promise<object | undefined>
}

export interface AuthorizationServer {
  readonly issuer: string
  readonly provider: Provider
  close(): Promise<unknown>
}

export async function startAuthorizationServer(
  options: AuthorizationServerOptions,
): Promise<AuthorizationServer> {
  const { port } = options
  const issuer = `http://127.0.0.1:${port}`
  const provider = await createProvider(issuer, options)
  const serveProvider = provider.callback()
  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.url?.startsWith('/interaction/'))
      return interact(options, provider, request, response)
    const answer = await options.serve?.(request, provider)
    if (answer === undefined) return serveProvider(request, response)
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  }
  const server = createServer((request, response) => {
    // Such as of a step that is over.
    serve(request, response).catch(() => response.writeHead(400).end('Please start again.'))
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const close = () => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  }
  return { issuer, provider, close }
}

const HOUR = 3600
const DAY = 24 * HOUR
const LIFETIMES = {
  ...{ AccessToken: HOUR, IdToken: HOUR, Interaction: HOUR },
  ...{ Grant: 14 * DAY, RefreshToken: 14 * DAY, Session: 14 * DAY },
}

async function createProvider(
  issuer: string,
  options: AuthorizationServerOptions,
): Promise<Provider> {
  const { name, configuration } = options
  const { warn } = console
  // That its keys are for development, and that it prefers later versions of Node.js.
  console.warn = () => undefined
  const { default: OidcProvider } = await import('oidc-provider')
  const provider = new OidcProvider(issuer, {
    ...configuration,
    ttl: { ...LIFETIMES, ...configuration.ttl },
    // Cookies know no ports: each server has names of its own.
    cookies: {
      keys: ['FAKE-cookie-key'],
      names: { session: `${name}-session`, interaction: `${name}-step`, resume: `${name}-resume` },
    },
    findAccount: (_context, accountId) => ({
      accountId,
      claims: () => Promise.resolve({ sub: accountId }),
    }),
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    rotateRefreshToken: true,
    issueRefreshToken: () => Promise.resolve(true),
    features: {
      devInteractions: { enabled: false },
      revocation: { enabled: true, allowedPolicy: isOwnToken },
      ...configuration.features,
    },
  })
  console.warn = warn
  return provider
}

/** A client revokes its own tokens. */
const isOwnToken = (
  _context: unknown,
  client: { clientId: string },
  token: { clientId?: string },
) => token.clientId === client.clientId

/** Asks who it is, and whether the client may; a form for each. */
async function interact(
  { name, users }: AuthorizationServerOptions,
  provider: Provider,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const details = await provider.interactionDetails(request, response)
  const { prompt, params, session } = details
  if (request.method !== 'POST') {
    const content =
      prompt.name === 'login' ? loginForm(name, users) : consentForm(name, String(params['scope']))
    const { status, headers, body } = toResponse(page(`${name}: ${prompt.name}`, content))
    // The form's answer leads to the client, wherever that is.
    response.writeHead(status, { ...headers, 'content-security-policy': STYLE_ONLY }).end(body)
    return
  }
  const choice = await readChoice(request)
  if (choice === '')
    return provider.interactionFinished(request, response, { error: 'access_denied' })
  if (prompt.name === 'login')
    return provider.interactionFinished(request, response, { login: { accountId: choice } })
  const grant = new provider.Grant({
    accountId: session?.accountId ?? '',
    clientId: String(params['client_id']),
  })
  grant.addOIDCScope(String(params['scope']))
  const resource = params['resource']
  if (typeof resource === 'string') grant.addResourceScope(resource, String(params['scope']))
  const consent = { grantId: await grant.save() }
  return provider.interactionFinished(
    request,
    response,
    { consent },
    { mergeWithLastSubmission: true },
  )
}

const STYLE_ONLY = `default-src 'none'; style-src ${STYLE_SOURCE}; frame-ancestors 'none'; base-uri 'none'`

async function readChoice(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request) body += String(chunk)
  return new URLSearchParams(body).get('choice') ?? ''
}

const loginForm = (name: string, users: readonly string[]): Html => html`
  <h1>Log in at ${name}</h1>
  <p>This example has no passwords.</p>
  <form method="post">
    ${users.map((user) => html`<button name="choice" value="${user}">I am ${user}</button>`)}
  </form>
`

const consentForm = (name: string, scope: string): Html => html`
  <h1>${name}: allow it?</h1>
  <p>It asks for:</p>
  <ul>
    ${scope.split(' ').map((one) => html`<li>${one}</li>`)}
  </ul>
  <form method="post">
    <button name="choice" value="allow">Allow</button>
    <button name="choice" value="" class="quiet">Decline</button>
  </form>
`
