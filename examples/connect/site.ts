// The pages on which people log in, connect their accounts, and see and remove them.
import { CredentialError, StaticCredential } from 'mcp-credentials'
import type { Accounts } from 'mcp-credentials/accounts'
import { fromTokenResponse } from 'mcp-credentials/oauth'
import { beginFlow, finishFlow, revoke, subjectOf } from './flow.ts'
import type { Party } from './flow.ts'
import { form, html, page, toResponse } from './pages.ts'
import type { Html } from './pages.ts'
import { cookieOf, newSession } from './sessions.ts'
import type { Session, Sessions } from './sessions.ts'
import type { Uses } from './uses.ts'

export const PROVIDERS = ['notes', 'weather'] as const
export type Provider = (typeof PROVIDERS)[number]

// The pages that a login goes on to, whatever was asked for: //evil.example would be another site.
const PAGES = ['/accounts', ...PROVIDERS.map((name) => `/connect/${name}`)]

export interface SiteOptions {
  readonly accounts: Readonly<Record<Provider, Accounts>>
  readonly sessions: Sessions
  readonly uses: Uses
  /** Where users log in. */
  readonly login: Party
  /** The third party whose accounts they connect. */
  readonly notes: Party
}

/** What a page is made from: whoever asks for one is logged in. */
interface Visit {
  readonly url: URL
  readonly session: Session
  readonly user: string
}

export class Site {
  readonly #options: SiteOptions

  constructor(options: SiteOptions) {
    this.#options = options
  }

  async serve(request: Request): Promise<Response> {
    const url = new URL(request.url)
    try {
      const session = await this.#options.sessions.load(request)
      if (url.pathname === '/login/callback') return await this.#finishLogin(url, session)
      if (request.method === 'POST') return await this.#post(request, url, session)
      const user = session?.user
      if (session === undefined || user === undefined) return await this.#goToLogin(url, session)
      return await this.#get({ url, session, user })
    } catch (error) {
      // Our own messages hold no secret. What else goes wrong is for the operator.
      if (error instanceof CredentialError && !error.isServerFault)
        return showProblem(error.message, 403)
      console.error(error instanceof Error ? `${error.name} at ${url.pathname}` : 'failed')
      return showProblem('That did not work. Nothing was connected: please start again.', 400)
    }
  }

  async #get(visit: Visit): Promise<Response> {
    const { pathname } = visit.url
    if (pathname === '/accounts') return this.#showAccounts(visit)
    if (pathname === '/connect/notes/callback') return this.#finishNotes(visit)
    const provider = PROVIDERS.find((name) => pathname === `/connect/${name}`)
    return provider ? this.#showConnect(provider, visit) : notFound()
  }

  async #post(request: Request, url: URL, session: Session | undefined): Promise<Response> {
    const fields = new URLSearchParams(await request.text())
    const user = session?.user
    if (session === undefined || user === undefined || fields.get('csrf') !== session.csrf)
      return showProblem('This form is not from your session.', 403)
    const visit = { url, session, user }
    const { pathname } = url
    if (pathname === '/logout') return this.#logOut(session)
    if (pathname === '/connect/notes') return this.#connectNotes(visit, fields)
    if (pathname === '/connect/weather') return this.#connectWeather(visit, fields)
    const provider = PROVIDERS.find((name) => pathname.endsWith(`/${name}`))
    if (provider && pathname === `/start/${provider}`) return this.#start(provider, user)
    if (provider && pathname === `/remove/${provider}`) return this.#remove(provider, user)
    return notFound()
  }

  // Logging in

  async #goToLogin({ pathname, search }: URL, known: Session | undefined): Promise<Response> {
    const { login, sessions } = this.#options
    const session = known ?? newSession()
    const path = PAGES.includes(pathname) ? `${pathname}${search}` : '/accounts'
    const { url, pending } = await beginFlow(login, ['openid'], { path })
    await sessions.save({ ...session, flows: { ...session.flows, login: pending } })
    return redirect(url.href, cookieOf(session))
  }

  async #finishLogin(url: URL, session: Session | undefined): Promise<Response> {
    const { login, sessions } = this.#options
    const pending = session?.flows['login']
    if (session === undefined || pending === undefined) return redirect('/accounts')
    const user = subjectOf(await finishFlow(login, url, pending))
    // Another id than before: somebody else may have planted that one.
    await sessions.end(session)
    const next = newSession(user)
    await sessions.save(next)
    return redirect(pending.path ?? '/accounts', cookieOf(next))
  }

  async #logOut(session: Session): Promise<Response> {
    await this.#options.sessions.end(session)
    return redirect('/accounts')
  }

  // Connecting

  async #start(provider: Provider, user: string): Promise<Response> {
    const scopes = provider === 'notes' ? ['openid', 'notes:read'] : []
    const ticket = await this.#options.accounts[provider].connect(user, scopes)
    return redirect(`/connect/${provider}?ticket=${ticket}`)
  }

  async #showConnect(provider: Provider, visit: Visit): Promise<Response> {
    const { url, session, user } = visit
    const ticket = url.searchParams.get('ticket') ?? ''
    const { scopes } = await this.#options.accounts[provider].check(ticket, { owner: user })
    const fields = html`
      <input type="hidden" name="ticket" value="${ticket}" />
      ${provider === 'weather' ? KEY_FIELD : html``}
      <button>Connect ${provider}</button>
    `
    const content = html`
      <h1>Connect ${provider}</h1>
      <p>Your assistant wants to use your ${provider} account. It never sees the credential.</p>
      ${provider === 'notes' ? listScopes(scopes) : html``}
      ${form(`/connect/${provider}`, session.csrf, fields)}
    `
    return this.#show(`Connect ${provider}`, content, visit)
  }

  async #connectNotes({ session, user }: Visit, fields: URLSearchParams): Promise<Response> {
    const { accounts, notes, sessions } = this.#options
    const ticket = fields.get('ticket') ?? ''
    const { scopes } = await accounts.notes.check(ticket, { owner: user })
    const { url, pending } = await beginFlow(notes, scopes, { ticket })
    await sessions.save({ ...session, flows: { ...session.flows, notes: pending } })
    return redirect(url.href)
  }

  async #finishNotes(visit: Visit): Promise<Response> {
    const { accounts, notes, sessions } = this.#options
    const { notes: pending, ...flows } = visit.session.flows
    if (pending === undefined) return redirect('/accounts')
    await sessions.save({ ...visit.session, flows })
    const answer = await finishFlow(notes, visit.url, pending)
    const { client, clientSecret, server } = notes
    const us = { clientId: client.client_id, clientSecret, tokenUri: server.token_endpoint }
    const credential = fromTokenResponse(answer, us, pending.scopes)
    await accounts.notes.redeem(pending.ticket ?? '', { owner: visit.user, credential })
    return this.#showDone('notes', `You are ${subjectOf(answer) ?? 'somebody'} there.`, visit)
  }

  async #connectWeather(visit: Visit, fields: URLSearchParams): Promise<Response> {
    const credential = new StaticCredential({ apiKey: fields.get('key') ?? '' })
    const ticket = fields.get('ticket') ?? ''
    await this.#options.accounts.weather.redeem(ticket, { owner: visit.user, credential })
    return this.#showDone('weather', '', visit)
  }

  #showDone(provider: Provider, more: string, visit: Visit): Response {
    const content = html`
      <h1>${provider} is connected</h1>
      <p>${more} You can close this page: your assistant goes on.</p>
      <p><a href="/accounts">Your accounts</a></p>
    `
    return this.#show('Connected', content, visit)
  }

  // The accounts

  async #showAccounts(visit: Visit): Promise<Response> {
    const uses = await this.#options.uses.of(visit.user)
    const cards: Html[] = []
    for (const provider of PROVIDERS) {
      const credential = await this.#options.accounts[provider].get(visit.user)
      const isConnected = credential !== undefined
      cards.push(card(provider, visit.session.csrf, isConnected, uses.get(provider)))
    }
    return this.#show(
      'Your accounts',
      html`<h1>Your accounts</h1>
        ${cards}`,
      visit,
    )
  }

  async #remove(provider: Provider, user: string): Promise<Response> {
    const { accounts, notes } = this.#options
    const { refreshToken } = (await accounts[provider].remove(user)) ?? {}
    if (refreshToken !== undefined) await revoke(notes, refreshToken).catch(() => undefined)
    return redirect('/accounts')
  }

  #show(title: string, content: Html, { session, user }: Visit): Response {
    const logOut = form('/logout', session.csrf, html`<button class="quiet">Log out</button>`)
    const nav = html`<nav><span>You are ${user}</span>${logOut}</nav>`
    const { login, notes } = this.#options
    const parties = [login, notes].map(({ server }) => server.issuer)
    return toWebResponse(page(title, content, nav), 200, ...parties)
  }
}

const KEY_FIELD = html`
  <label>API key <input name="key" type="password" autocomplete="off" required /></label>
`

const listScopes = (scopes: readonly string[]): Html => html`
  <p>You will be asked to allow:</p>
  <ul>
    ${scopes.map((scope) => html`<li>${scope}</li>`)}
  </ul>
`

function card(
  provider: Provider,
  csrf: string,
  isConnected: boolean,
  used: Date | undefined,
): Html {
  const last = used === undefined ? 'Not used yet.' : `Used last on ${used.toUTCString()}.`
  const remove = html`<button class="quiet">Remove ${provider}</button>`
  const start = html`<button>Connect ${provider}</button>`
  const button = isConnected
    ? form(`/remove/${provider}`, csrf, remove)
    : form(`/start/${provider}`, csrf, start)
  return html`
    <section class="card">
      <h2>${provider}</h2>
      <p>${isConnected ? `Connected. ${last}` : 'Not connected.'}</p>
      ${button}
    </section>
  `
}

function toWebResponse(content: Html, status: number, ...formTargets: readonly string[]): Response {
  const { headers, body } = toResponse(content, status, ...formTargets)
  return new Response(body, { status, headers })
}

function showProblem(message: string, status: number): Response {
  const content = html`
    <h1>Sorry</h1>
    <p>${message}</p>
    <p><a href="/accounts">Your accounts</a></p>
  `
  return toWebResponse(page('Not connected', content), status)
}

const notFound = (): Response => showProblem('There is no such page.', 404)

function redirect(location: string, cookie?: string): Response {
  const headers = new Headers({ location, 'cache-control': 'no-store' })
  headers.set('referrer-policy', 'no-referrer')
  if (cookie !== undefined) headers.set('set-cookie', cookie)
  return new Response(null, { status: 303, headers })
}
