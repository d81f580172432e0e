// The MCP server and its pages, as a handler of the Fetch API.
import { OAuthError, OAuthErrorCode, requireBearerAuth } from '@modelcontextprotocol/server'
import type { AuthInfo } from '@modelcontextprotocol/server'
import { CredentialError, StaticCredential } from 'mcp-credentials'
import { createAccounts } from 'mcp-credentials/accounts'
import type { Accounts } from 'mcp-credentials/accounts'
import { fromTokenResponse } from 'mcp-credentials/oauth'
import type { Database } from './database.ts'
import { beginFlow, finishFlow, revoke, subjectOf, verifyToken } from './flow.ts'
import type { Party } from './flow.ts'
import { createHandler } from './mcp.ts'
import { form, html, page, toResponse } from './pages.ts'
import type { Html } from './pages.ts'
import { cookieOf, createSessions, newSession } from './sessions.ts'
import type { Session } from './sessions.ts'
import { createPostgresStore } from './stores/postgres.ts'

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

const PROVIDERS = ['notes', 'weather'] as const
type Provider = (typeof PROVIDERS)[number]

const CREATE_USES = `create table if not exists uses (
  owner text, provider text, at timestamptz not null, primary key (owner, provider)
)`
const RECORD_USE = `insert into uses values ($1, $2, now())
  on conflict (owner, provider) do update set at = now()`

/** What a page is made from. */
interface Visit {
  readonly request: Request
  readonly url: URL
  readonly session: Session
  readonly user: string
}

export async function createServer(options: ServerOptions) {
  const { origin, database, keys, login, notes: notesParty } = options
  const store = await createPostgresStore(database)
  await database.query(CREATE_USES)
  const sessions = await createSessions(database)
  const refresh = { allowInsecureLoopback: true }
  const accounts: Record<Provider, Accounts> = {
    notes: createAccounts('notes', { store, keys, refresh }),
    weather: createAccounts('weather', { store, keys }),
  }
  const handler = createHandler({
    ...{ origin, api: options.api, ...accounts },
    onUse: (owner, provider) => database.query(RECORD_USE, [owner, provider]),
  })
  const resource = `${origin}/mcp`
  const metadata = `${origin}/.well-known/oauth-protected-resource`
  const verifyAccessToken = async (token: string): Promise<AuthInfo> => {
    const { sub, client_id, scope, exp } = await verifyToken(login, token, resource).catch(() => {
      throw new OAuthError(OAuthErrorCode.InvalidToken, 'The access token is not valid here.')
    })
    return {
      token,
      clientId: client_id,
      scopes: String(scope).split(' '),
      expiresAt: exp,
      extra: { sub },
    }
  }
  const checkBearer = requireBearerAuth({
    verifier: { verifyAccessToken },
    resourceMetadataUrl: metadata,
  })

  async function serveMcp(request: Request): Promise<Response> {
    const checked = await checkBearer(request)
    return checked instanceof Response ? checked : handler.fetch(request, { authInfo: checked })
  }

  // Logging in

  async function goToLogin(visitor: Session | undefined, path: string): Promise<Response> {
    const session = visitor ?? newSession()
    const { url, pending } = await beginFlow(login, ['openid'], { path })
    await sessions.save({ ...session, flows: { ...session.flows, login: pending } })
    return redirect(url.href, cookieOf(session))
  }

  async function finishLogin(url: URL, session: Session | undefined): Promise<Response> {
    const pending = session?.flows['login']
    if (session === undefined || pending === undefined) return redirect('/accounts')
    const user = subjectOf(await finishFlow(login, url, pending))
    // Another id than before: nobody can have planted it.
    await sessions.end(session)
    const next = newSession(user)
    await sessions.save(next)
    return redirect(pending.path ?? '/accounts', cookieOf(next))
  }

  // Connecting

  async function showConnect(provider: Provider, { url, session, user }: Visit): Promise<Response> {
    const ticket = url.searchParams.get('ticket') ?? ''
    const { scopes } = await accounts[provider].check(ticket, { owner: user })
    const secret = html`<label
      >API key <input name="key" type="password" autocomplete="off" required
    /></label>`
    const asked = html`<p>You will be asked to allow:</p>
      <ul>
        ${scopes.map((scope) => html`<li>${scope}</li>`)}
      </ul>`
    const content = html`
      <h1>Connect ${provider}</h1>
      <p>Your assistant wants to use your ${provider} account. It never sees the credential.</p>
      ${provider === 'notes' ? asked : html``}
      ${form(
        `/connect/${provider}`,
        session.csrf,
        html`
          <input type="hidden" name="ticket" value="${ticket}" />
          ${provider === 'weather' ? secret : html``}
          <button>Connect ${provider}</button>
        `,
      )}
    `
    return show(`Connect ${provider}`, content, user, session)
  }

  async function connectNotes(
    fields: URLSearchParams,
    { session, user }: Visit,
  ): Promise<Response> {
    const ticket = fields.get('ticket') ?? ''
    const { scopes } = await accounts.notes.check(ticket, { owner: user })
    const { url, pending } = await beginFlow(notesParty, scopes, { ticket })
    await sessions.save({ ...session, flows: { ...session.flows, notes: pending } })
    return redirect(url.href)
  }

  async function finishNotes({ url, session, user }: Visit): Promise<Response> {
    const { notes: pending, ...flows } = session.flows
    if (pending === undefined) return redirect('/accounts')
    await sessions.save({ ...session, flows })
    const answer = await finishFlow(notesParty, url, pending)
    const { client, clientSecret, server } = notesParty
    const us = { clientId: client.client_id, clientSecret, tokenUri: server.token_endpoint }
    const credential = fromTokenResponse(answer, us, pending.scopes)
    await accounts.notes.redeem(pending.ticket ?? '', { owner: user, credential })
    return showDone('notes', session, user, `You are ${subjectOf(answer)} there.`)
  }

  async function connectWeather(
    fields: URLSearchParams,
    { session, user }: Visit,
  ): Promise<Response> {
    const credential = new StaticCredential({ apiKey: fields.get('key') ?? '' })
    await accounts.weather.redeem(fields.get('ticket') ?? '', { owner: user, credential })
    return showDone('weather', session, user, '')
  }

  const showDone = (provider: Provider, session: Session, user: string, more: string): Response =>
    show(
      'Connected',
      html`<h1>${provider} is connected</h1>
        <p>
          ${more} You can close this page: your assistant goes on.
          <a href="/accounts">Your accounts</a>
        </p>`,
      user,
      session,
    )

  // The accounts

  async function showAccounts({ session, user }: Visit): Promise<Response> {
    const { rows } = await database.query('select provider, at from uses where owner = $1', [user])
    const uses = new Map(
      (rows as { provider: string; at: Date }[]).map(({ provider, at }) => [provider, at]),
    )
    const cards: Html[] = []
    for (const provider of PROVIDERS) {
      const isConnected = (await accounts[provider].get(user)) !== undefined
      const used = uses.get(provider)
      const last = used === undefined ? 'Not used yet.' : `Used last on ${used.toUTCString()}.`
      const button = html`<button class="quiet">Remove<span class="of"> ${provider}</span></button>`
      cards.push(
        html`<section class="card">
          <h2>${provider}</h2>
          <p>${isConnected ? `Connected. ${last}` : 'Not connected.'}</p>
          ${
            isConnected
              ? form(`/remove/${provider}`, session.csrf, button)
              : form(`/start/${provider}`, session.csrf, html`<button>Connect ${provider}</button>`)
          }
        </section>`,
      )
    }
    return show(
      'Your accounts',
      html`<h1>Your accounts</h1>
        ${cards}`,
      user,
      session,
    )
  }

  async function remove(provider: Provider, { user }: Visit): Promise<Response> {
    const removed = await accounts[provider].remove(user)
    if (removed?.refreshToken) await revoke(notesParty, removed.refreshToken).catch(() => undefined)
    return redirect('/accounts')
  }

  async function start(provider: Provider, { user }: Visit): Promise<Response> {
    const scopes = provider === 'notes' ? ['openid', 'notes:read'] : []
    return redirect(`/connect/${provider}?ticket=${await accounts[provider].connect(user, scopes)}`)
  }

  async function post(visit: Visit, fields: URLSearchParams): Promise<Response> {
    const { pathname } = visit.url
    const provider = PROVIDERS.find((name) => pathname.endsWith(`/${name}`))
    if (pathname === '/connect/notes') return connectNotes(fields, visit)
    if (pathname === '/connect/weather') return connectWeather(fields, visit)
    if (pathname === `/remove/${provider}` && provider) return remove(provider, visit)
    if (pathname === `/start/${provider}` && provider) return start(provider, visit)
    if (pathname !== '/logout') return notFound()
    await sessions.end(visit.session)
    return redirect('/accounts')
  }

  async function servePage(request: Request, url: URL): Promise<Response> {
    const session = await sessions.load(request)
    if (url.pathname === '/login/callback') return finishLogin(url, session)
    const user = session?.user
    if (request.method === 'POST') {
      const fields = new URLSearchParams(await request.text())
      const isOurs = user !== undefined && fields.get('csrf') === session?.csrf
      if (!isOurs || user === undefined || session === undefined)
        return showProblem('This form is not from your session.', 403)
      return post({ request, url, session, user }, fields)
    }
    if (session === undefined || user === undefined)
      return goToLogin(session, `${url.pathname}${url.search}`)
    const visit = { request, url, session, user }
    if (url.pathname === '/connect/notes/callback') return finishNotes(visit)
    const provider = PROVIDERS.find((name) => url.pathname === `/connect/${name}`)
    if (provider) return showConnect(provider, visit)
    return url.pathname === '/accounts' ? showAccounts(visit) : notFound()
  }

  function show(title: string, content: Html, user: string, { csrf }: Session): Response {
    const nav = html`<nav>
      <span>You are ${user}</span>
      ${form('/logout', csrf, html`<button class="quiet">Log out</button>`)}
    </nav>`
    const parties = [login, notesParty].map(({ server }) => server.issuer)
    return toWebResponse(page(title, content, nav), 200, ...parties)
  }

  async function serve(request: Request): Promise<Response> {
    const url = new URL(request.url)
    if (url.pathname === '/mcp') return serveMcp(request)
    if (url.href.startsWith(metadata))
      return Response.json({ resource, authorization_servers: [login.server.issuer] })
    try {
      return await servePage(request, url)
    } catch (error) {
      // Our own messages hold no secret. What else goes wrong is for the operator.
      if (error instanceof CredentialError && !error.isServerFault)
        return showProblem(error.message, 403)
      console.error(error instanceof Error ? `${error.name} at ${url.pathname}` : 'failed')
      return showProblem('That did not work. Nothing was connected: please start again.', 400)
    }
  }
  return { serve, accounts }
}

function toWebResponse(content: Html, status: number, ...formTargets: readonly string[]): Response {
  const { headers, body } = toResponse(content, status, ...formTargets)
  return new Response(body, { status, headers })
}

const showProblem = (message: string, status: number): Response =>
  toWebResponse(
    page(
      'Not connected',
      html`<h1>Sorry</h1>
        <p>${message}</p>
        <p><a href="/accounts">Your accounts</a></p>`,
    ),
    status,
  )

const notFound = (): Response => showProblem('There is no such page.', 404)

function redirect(location: string, cookie?: string): Response {
  const headers = new Headers({
    location,
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
  })
  if (cookie !== undefined) headers.set('set-cookie', cookie)
  return new Response(null, { status: 303, headers })
}
