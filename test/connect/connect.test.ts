// Two users in two profiles of a real Chromium, and real MCP clients of either revision and either SDK.
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client as ClientV2, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { chromium } from 'playwright-core'
import type { BrowserContext, Page } from 'playwright-core'
// @ts-expect-error: it is found from where this is compiled to
import { OAuthCredential } from '../../../dist/src/index.js'
// @ts-expect-error: it is compiled by a package of its own
import { startService } from '../../../examples/connect/dist/service.js'

function findChromium(): string {
  const names = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome']
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const paths = folders.flatMap((folder) => names.map((name) => join(folder, name)))
  const found = paths.find((path) => existsSync(path))
  if (found === undefined)
    throw new Error('There is no Chromium. On Debian: apt-get install chromium-headless-shell')
  return found
}

const folder = mkdtempSync(join(tmpdir(), 'connect-'))
const port = 20_000 + (process.pid % 20_000)
const service = await startService({ port, folder, tokenSeconds: 300 })
const { origin } = service as { origin: string }
const browser = await chromium.launch({
  executablePath: findChromium(),
  args: ['--no-sandbox'],
  timeout: 60_000,
})
const screenshots = process.env['SCREENSHOTS']

/** What the operator is told. */
const logged: string[] = []
const { error: print } = console
console.error = (...parts: unknown[]) => logged.push(parts.map(String).join(' '))

/** Whatever a browser, or a server, is still waiting for. */
const atMost = <T>(seconds: number, promise: Promise<T>) =>
  Promise.race([promise, sleep(seconds * 1000, undefined, { ref: false })])

after(async () => {
  console.error = print
  await atMost(20, browser.close())
  await atMost(20, service.close())
  rmSync(folder, { recursive: true })
})

type User = 'alice' | 'bob'
const contexts = new Map<User, BrowserContext>()

/** All that clients and browsers have received. */
const received: string[] = []

async function pageOf(user: User): Promise<Page> {
  const context = contexts.get(user) ?? (await browser.newContext())
  const isNew = !contexts.has(user)
  contexts.set(user, context)
  const page = await context.newPage()
  page.on('response', async (response) => {
    if (response.url().startsWith(origin))
      received.push(JSON.stringify(response.headers()), await response.text().catch(() => ''))
  })
  if (isNew) {
    await page.goto(`${origin}/accounts`)
    await press(page, `I am ${user}`)
    await press(page, 'Allow')
    await page.waitForURL(`${origin}/accounts`)
  }
  return page
}

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click()
const textOf = (page: Page) => page.locator('main').innerText()

async function shoot(page: Page, name: string): Promise<void> {
  if (screenshots === undefined) return
  for (const width of [360, 1200]) {
    await page.setViewportSize({ width, height: 800 })
    await page.screenshot({ path: join(screenshots, `${name}-${width}.png`), fullPage: true })
  }
}

/** Goes the whole way from a link to the end; leaves the page open. */
async function connect(user: User, url: string): Promise<Page> {
  const page = await pageOf(user)
  await page.goto(url)
  await shoot(page, 'connect')
  await press(page, 'Connect notes')
  await shoot(page, 'third-party')
  const logIn = page.getByRole('button', { name: `I am ${user}.writes` })
  const allow = page.getByRole('button', { name: 'Allow', exact: true })
  // Who is logged in there is not asked again, nor who has allowed it before.
  const done = page.getByRole('heading', { name: 'notes is connected' })
  await logIn.or(allow).or(done).waitFor()
  if (await logIn.isVisible()) await logIn.click()
  await allow.or(done).waitFor()
  if (await allow.isVisible()) await allow.click()
  await done.waitFor()
  await shoot(page, 'connected')
  return page
}

/** An access token for the MCP server, as the authorization server gives it to a client of this user. */
async function tokenOf(user: User): Promise<string> {
  const { provider } = service.own
  const client = await provider.Client.find('connect')
  const token = new provider.AccessToken({
    accountId: user,
    client,
    clientId: 'connect',
    scope: 'mcp',
  })
  const jwt = { sign: { alg: 'RS256' } }
  const server = { scope: 'mcp', audience: service.resource, accessTokenFormat: 'jwt', jwt }
  token.resourceServer = new provider.ResourceServer(service.resource, server)
  return token.save()
}

type Answer = (url: string) => Promise<'accept' | 'decline' | 'cancel'>
interface Caller {
  call(tool: string, args?: object): Promise<{ text: string; isError: boolean }>
  close(): Promise<void>
}

const INFO = { name: 'test', version: '1.0.0' }

async function clientOf(
  user: User,
  era: '2025, v1' | '2025' | '2026',
  answer?: Answer,
): Promise<Caller> {
  const headers = { authorization: `Bearer ${await tokenOf(user)}` }
  const url = new URL(service.resource)
  const requestInit = { headers }
  const capabilities = answer ? { elicitation: { url: {} } } : {}
  const isV1 = era === '2025, v1'
  const mode = era === '2026' ? { pin: '2026-07-28' } : 'legacy'
  const client = isV1
    ? new ClientV1(INFO, { capabilities })
    : new ClientV2(INFO, { capabilities, versionNegotiation: { mode } as never })
  if (client instanceof ClientV2 && answer)
    client.setRequestHandler('elicitation/create', async ({ params }) => ({
      action: await answer((params as { url: string }).url),
    }))
  if (client instanceof ClientV1)
    await client.connect(new TransportV1(url, { requestInit }) as never)
  else await client.connect(new StreamableHTTPClientTransport(url, { requestInit }))
  return {
    async call(name, args = {}) {
      try {
        const result = await client.callTool({ name, arguments: args as never })
        const [block] = result.content as { text: string }[]
        received.push(JSON.stringify(result))
        return { text: block?.text ?? '', isError: result.isError === true }
      } catch (error) {
        received.push(JSON.stringify(error), String(error))
        return { text: String(error), isError: true }
      }
    },
    close: () => client.close(),
  }
}

function linkIn(text: string): string {
  const [url] = /http:\/\/localhost:\d+\/connect\/\w+\?ticket=[\w.-]+/.exec(text) ?? []
  assert(url, text)
  return url
}

/** A link of this user, as a call gives it. */
async function linkOf(user: User, tool = 'list_notes'): Promise<string> {
  const client = await clientOf(user, '2025')
  const { text } = await client.call(tool)
  await client.close()
  return linkIn(text)
}

async function disconnect(user: User): Promise<void> {
  const page = await pageOf(user)
  await page.goto(`${origin}/accounts`)
  const remove = page.getByRole('button', { name: 'Remove notes' })
  if (await remove.isVisible()) await remove.click()
  await page.waitForURL(`${origin}/accounts`)
  await page.close()
}

describe('an account is connected', () => {
  test('in the middle of a call of a client of 2026, which succeeds', async () => {
    const asked: string[] = []
    const client = await clientOf('alice', '2026', async (url) => {
      asked.push(url)
      await (await connect('alice', url)).close()
      return 'accept'
    })
    const { text, isError } = await client.call('list_notes')
    assert.deepEqual([text, isError, asked.length], ['There are none.', false, 1])
    assert.equal((await client.call('list_notes')).text, 'There are none.')
    await client.close()
    await disconnect('alice')
  })

  for (const era of ['2025', '2025, v1'] as const) {
    test(`after a call of a client of ${era}, which then succeeds`, async () => {
      const client = await clientOf('alice', era)
      const first = await client.call('list_notes')
      assert(first.isError)
      const page = await connect('alice', linkIn(first.text))
      assert.match(await textOf(page), /notes is connected[\s\S]*You are alice\.writes there/)
      await page.close()
      assert.equal((await client.call('list_notes')).text, 'There are none.')
      await client.close()
      await disconnect('alice')
    })
  }

  test('with more permissions, where a tool needs them, together with those it has', async () => {
    await (await connect('alice', await linkOf('alice'))).close()
    const client = await clientOf('alice', '2025')
    const refused = await client.call('add_note', { note: 'milk' })
    assert(refused.isError)
    assert.match(refused.text, /more permissions/)
    const page = await pageOf('alice')
    await page.goto(linkIn(refused.text))
    assert.match(await textOf(page), /openid\s+notes:read\s+notes:write/)
    await page.close()
    await (await connect('alice', linkIn(refused.text))).close()
    assert.equal((await client.call('add_note', { note: 'milk' })).text, 'It was added.')
    assert.equal((await client.call('list_notes')).text, 'milk')
    await client.close()
  })

  test('of a service with an API key, by a form, and both serve one call', async () => {
    const client = await clientOf('alice', '2025')
    const { text } = await client.call('note_the_weather')
    const page = await pageOf('alice')
    await page.goto(linkIn(text))
    await shoot(page, 'api-key')
    await page.getByLabel('API key').fill('FAKE-weather-key-do-not-leak')
    await press(page, 'Connect weather')
    assert.match(await textOf(page), /weather is connected/)
    await page.close()
    assert.equal((await client.call('note_the_weather')).text, 'It was noted.')
    assert.match((await client.call('list_notes')).text, /Sunny, for a key of 28 characters/)
    await client.close()
  })

  test('and listed with when it was used last, and removed, and connected anew', async () => {
    const page = await pageOf('alice')
    await page.goto(`${origin}/accounts`)
    await shoot(page, 'accounts')
    assert.match(await textOf(page), /notes\s+Connected\. Used last on /)
    await page.getByRole('button', { name: 'Remove notes' }).click()
    assert.match(await textOf(page), /notes\s+Not connected\./)
    const again = await connect('alice', await linkOf('alice'))
    assert.match(await textOf(again), /notes is connected/)
    await again.close()
    await page.close()
  })
})

/** Runs with the clock of all servers so much later. */
async function afterMinutes(minutes: number, fn: () => Promise<void>): Promise<void> {
  const { now } = Date
  Date.now = () => now() + minutes * 60_000
  try {
    await fn()
  } finally {
    Date.now = now
  }
}

describe('nothing is connected', () => {
  const NOT_YOURS = /This link is not yours, or is not valid any more/

  test('where the person declines, in the client or at the third party, or closes the page', async () => {
    const declining = await clientOf('bob', '2026', async () => 'decline')
    assert((await declining.call('list_notes')).isError)
    await declining.close()
    const link = await linkOf('bob')
    const page = await pageOf('bob')
    await page.goto(link)
    await page.reload()
    await press(page, 'Connect notes')
    await press(page, 'I am bob.writes')
    await press(page, 'Decline')
    await page.waitForURL(/callback/)
    await shoot(page, 'declined')
    assert.match(await textOf(page), /Nothing was connected/)
    await page.goto(link)
    await press(page, 'Connect notes')
    // A page that is closed in the middle of its way to another site may keep the browser from answering.
    await page.getByRole('button', { name: 'Decline' }).waitFor()
    await page.close()
    const client = await clientOf('bob', '2025')
    assert((await client.call('list_notes')).isError)
    await client.close()
    // None of that has spent the link.
    await (await connect('bob', link)).close()
    await disconnect('bob')
  })

  test("by the link of another user: Mallory's attack", async () => {
    const link = await linkOf('alice', 'add_note')
    const page = await pageOf('bob')
    await page.goto(link)
    await shoot(page, 'not-yours')
    assert.match(await textOf(page), NOT_YOURS)
    // Nor by a form of bob's own that sends her ticket, with a guessed token or with his.
    await page.goto(`${origin}/accounts`)
    const csrf = await page.locator('input[name=csrf]').first().inputValue()
    const ticket = link.split('ticket=')[1] ?? ''
    for (const [token, answer] of [
      ['guessed', /not from your session/],
      [csrf, NOT_YOURS],
    ] as const) {
      const form = { ticket, csrf: token }
      const response = await page.request.post(`${origin}/connect/notes`, { form, maxRedirects: 0 })
      assert.equal(response.status(), 403)
      assert.match(await response.text(), answer)
    }
    await page.close()
  })

  test('by a link that was changed, or was used before', async () => {
    const link = await linkOf('bob')
    const page = await pageOf('bob')
    for (const changed of [link.slice(0, -1), `${link}x`, link.replace(/ticket=./, 'ticket=!')]) {
      await page.goto(changed)
      assert.match(await textOf(page), NOT_YOURS)
    }
    await (await connect('bob', link)).close()
    await page.goto(link)
    assert.match(await textOf(page), NOT_YOURS)
    await page.close()
  })

  test('by a link after its time, whenever that comes: the page, its button, the way back', async () => {
    await disconnect('bob')
    const link = await linkOf('bob')
    const page = await pageOf('bob')
    const isOver = async () => {
      assert.match(await textOf(page), NOT_YOURS)
      await page.goto(`${origin}/accounts`)
      assert.match(await textOf(page), /notes\s+Not connected/)
    }
    await page.goto(link)
    await afterMinutes(16, async () => {
      await press(page, 'Connect notes')
      await isOver()
      await page.goto(link)
      await isOver()
    })
    // By the clock of before it is valid, until the third party has been asked.
    await page.goto(link)
    await press(page, 'Connect notes')
    const allow = page.getByRole('button', { name: 'Allow', exact: true })
    await allow.waitFor()
    await afterMinutes(16, async () => {
      await allow.click()
      await page.waitForURL(/callback/)
      await isOver()
    })
    await page.close()
    await (await connect('bob', await linkOf('bob'))).close()
  })

  test('by a form of another site', async () => {
    const page = await pageOf('alice')
    await page.goto(`${service.notes.issuer}/.well-known/openid-configuration`)
    await page.evaluate((url) => {
      document.body.innerHTML = `<form method="post" action="${url}"><button>Go</button></form>`
    }, `${origin}/remove/notes`)
    await press(page, 'Go')
    await page.waitForURL(`${origin}/remove/notes`)
    assert.match(await textOf(page), /not from your session/)
    await page.goto(`${origin}/accounts`)
    assert.match(await textOf(page), /notes\s+Connected/)
    await page.close()
  })

  test('by a callback that nobody has asked for', async () => {
    const page = await pageOf('alice')
    await page.goto(`${origin}/connect/notes/callback?code=FAKE&state=FAKE`)
    assert.equal(page.url(), `${origin}/accounts`)
    await page.close()
  })
})

test('an account that was revoked at the third party has to be connected again', async () => {
  const { accounts } = service as { accounts: { notes: Accounts } }
  const credential = await accounts.notes.remove('bob')
  assert(credential?.refreshToken && credential.accessToken)
  await (await service.notes.provider.RefreshToken.find(credential.refreshToken)).destroy()
  const { accessToken, refreshToken, clientId, clientSecret, tokenUri, scopes } = credential
  const properties = { accessToken, refreshToken, clientId, clientSecret, tokenUri, scopes }
  await accounts.notes.save('bob', new OAuthCredential({ ...properties, expiresAt: new Date(0) }))
  const client = await clientOf('bob', '2025')
  const { text, isError } = await client.call('list_notes')
  assert(isError)
  assert.match(text, /has to be connected again/)
  await (await connect('bob', linkIn(text))).close()
  assert.equal((await client.call('list_notes')).isError, false)
  await client.close()
})

interface Accounts {
  remove(owner: string): Promise<Record<string, string> | undefined>
  save(owner: string, credential: object): Promise<void>
}

test('a caller without a token, or with one for another server, gets nothing', async () => {
  const none = await fetch(service.resource, { method: 'POST' })
  assert.equal(none.status, 401)
  assert.match(String(none.headers.get('www-authenticate')), /resource_metadata=/)
  const metadata = await fetch(`${origin}/.well-known/oauth-protected-resource/mcp`)
  assert.equal((await metadata.json()).authorization_servers[0], service.own.issuer)
  const headers = { authorization: 'Bearer FAKE' }
  assert.equal((await fetch(service.resource, { method: 'POST', headers })).status, 401)
})

test('no token is in the bytes of the database, or in what clients and browsers have received', async () => {
  const { accounts } = service as { accounts: { notes: Accounts } }
  const path = join(folder, 'database')
  const files = readdirSync(path, { recursive: true, encoding: 'utf8' }).map((file) =>
    join(path, file),
  )
  const bytes = Buffer.concat(
    files.filter((file) => statSync(file).isFile()).map((file) => readFileSync(file)),
  )
  const secrets = ['FAKE-weather-key-do-not-leak']
  for (const user of ['alice', 'bob']) {
    const credential = await accounts.notes.remove(user)
    assert(credential?.accessToken && credential.refreshToken)
    secrets.push(credential.accessToken, credential.refreshToken)
  }
  assert(bytes.includes('alice'))
  assert(received.some((text) => text.includes('There are none.')))
  for (const secret of secrets) {
    assert(!bytes.includes(secret))
    assert(!received.some((text) => text.includes(secret)))
  }
  // That bob has declined.
  assert.deepEqual(logged, ['AuthorizationResponseError at /connect/notes/callback'])
})
