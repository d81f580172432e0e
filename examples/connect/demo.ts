// The third scene of the demo: a hosted server without a gateway. Ends with an error if anything goes other than it should.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Browser } from './browser.ts'
import { startService } from './service.ts'
import type { Service } from './service.ts'

const title = (text: string) =>
  console.log(process.stdout.isTTY ? `\n\x1b[1m${text}\x1b[0m` : `\n${text}`)
const line = (label: string, text: string) => console.log(`  ${label.padEnd(22)} ${text}`)

function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(`The demo did not go as it should: ${what}.`)
}

const received: string[] = []

/** An access token for the MCP server, as a client of this user is given it. */
async function tokenOf({ own, resource }: Service, accountId: string): Promise<string> {
  const client = await own.provider.Client.find('connect')
  if (client === undefined) throw new Error('The client is not registered.')
  const token = new own.provider.AccessToken({ accountId, client, scope: 'mcp' } as never)
  token.resourceServer = new own.provider.ResourceServer(resource, {
    scope: 'mcp',
    audience: resource,
    accessTokenFormat: 'jwt',
    jwt: { sign: { alg: 'RS256' } },
  })
  return token.save()
}

async function connectClient(service: Service, user: string, open: (url: string) => unknown) {
  const capabilities = { elicitation: { url: {} } }
  const versionNegotiation = { mode: { pin: '2026-07-28' } } as const
  const client = new Client({ name: user, version: '1.0.0' }, { capabilities, versionNegotiation })
  client.setRequestHandler('elicitation/create', async ({ params }) => {
    await open(String(Reflect.get(params, 'url')))
    return { action: 'accept' }
  })
  const headers = { authorization: `Bearer ${await tokenOf(service, user)}` }
  const url = new URL(service.resource)
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }))
  return client
}

async function callTool(client: Client, name: string): Promise<string> {
  const result = await client.callTool({ name, arguments: {} })
  received.push(JSON.stringify(result))
  const [block] = result.content
  return block?.type === 'text' ? block.text : ''
}

async function logIn(browser: Browser, origin: string, user: string): Promise<void> {
  const asked = await browser.open(`${origin}/accounts`)
  await browser.press(await browser.press(asked, `I am ${user}`), 'Allow')
}

function bytesOf(folder: string): Buffer {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const paths = files.map((file) => join(folder, file)).filter((path) => statSync(path).isFile())
  return Buffer.concat(paths.map((path) => readFileSync(path)))
}

async function play(service: Service): Promise<void> {
  const [alice, bob] = [new Browser(), new Browser()]
  await logIn(alice, service.origin, 'alice')
  await logIn(bob, service.origin, 'bob')
  const client = await connectClient(service, 'alice', async (url) => {
    line("alice's client asks", `to open ${url.slice(0, url.indexOf('=') + 9)}…`)
    const refused = await bob.open(url)
    line('bob opens it, and sees', /<p>([^<]*)<\/p>/.exec(refused.text)?.[1] ?? '')
    expect(refused.status === 403, 'the link of alice was good for bob')
    const page = await alice.press(await alice.open(url), 'Connect notes')
    const asked = await alice.press(page, 'I am alice.writes')
    const done = await alice.press(asked, 'Allow')
    line('alice opens it, and sees', /<h1>([^<]*)<\/h1>/.exec(done.text)?.[1] ?? '')
  })
  const answer = await callTool(client, 'list_notes')
  line("alice's model sees", answer)
  expect(answer === 'There are none.', 'the same call did not go on')
  await client.close()
  received.push(...alice.received, ...bob.received)
  await check(service, answer)
}

async function check({ accounts, folder }: Service, answer: string): Promise<void> {
  const bytes = bytesOf(join(folder, 'database'))
  const credential = await accounts.notes.remove('alice')
  const secrets = [credential?.accessToken ?? '', credential?.refreshToken ?? '']
  const texts = received.join('\n')
  const found = secrets.filter((secret) => bytes.includes(secret) || texts.includes(secret))
  line('searched', `${bytes.length} bytes of the database, ${texts.length} that were received`)
  line('found', `${found.length} of ${secrets.length} tokens`)
  expect(
    secrets.every((secret) => secret.length > 20),
    'there was nothing to search for',
  )
  expect(bytes.includes('alice') && texts.includes(answer), 'the search did not see everything')
  expect(found.length === 0, 'a token was found')
}

title('Accounts: a hosted server without a gateway; its users connect their own')
const folder = mkdtempSync(join(tmpdir(), 'connect-demo-'))
const service = await startService({ port: 3300, folder })
try {
  await play(service)
} finally {
  await service.close()
  rmSync(folder, { recursive: true })
}
