// README.md and the pages of docs/: their code compiles, and their servers run.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { format } from 'node:util'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import {
  bindToScope,
  ConnectRequiredError,
  getCredentials,
  OAuthCredential,
  parseEnv,
  parseHeaders,
  runWithCredentials,
} from 'mcp-credentials'
import { freePort } from './free-port.js'
import { clientV2, listen, peerOf } from './wirings.js'
import type { Peer, Result } from './wirings.js'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const root = here('../../../')

interface Block {
  readonly code: string
  /** Where it is written to, below the folder of all: blocks of one page may import each other by name. */
  readonly file: string
  readonly page: string
  readonly heading: string
  /** From the comment above a complete server: how to reach it, its variables, its tool and the tool's arguments. */
  readonly server: string[] | undefined
}

/** Pages with code that other tests compile, since it needs other packages, or none that is complete. */
const ELSEWHERE = [
  'docs/accounts.md',
  'docs/frameworks.md',
  'docs/operating.md',
  'docs/refresh.md',
  'docs/scrubbing.md',
  'docs/sources.md',
]

const pages = [
  'README.md',
  ...readdirSync(`${root}docs`)
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].filter((page) => !ELSEWHERE.includes(page))

/** The folder of a page's blocks. */
const folderOf = (page: string) => page.replace(/\W/g, '-')

function blocksOf(page: string): Block[] {
  const blocks: Block[] = []
  let heading = ''
  for (const [, title, server, code] of readFileSync(root + page, 'utf8').matchAll(
    /^#+ (.+)$|^(?:<!-- server: (.+) -->\n)?```ts\n([^]*?)^```$/gm,
  )) {
    if (title !== undefined) heading = title
    else if (code !== undefined) {
      const name = /^\/\/ ([\w-]+)\.ts$/m.exec(code.slice(0, code.indexOf('\n')))?.[1]
      const file = `${folderOf(page)}/${name ?? `block-${blocks.length}`}`
      blocks.push({ code, file, page, heading, server: server?.split(' ') })
    }
  }
  return blocks
}

// test/consumers has the test of a tool: it needs a test runner.
const blocks = pages.flatMap(blocksOf).filter(({ heading }) => heading !== 'A tool')

/** The API that the tools of the documents call: it says which secret it was sent, without showing it. */
const known = new Map([
  ['FAKE-readme-weather-key', 'weather'],
  ['Bearer FAKE-readme-calendar-token', 'calendar'],
  ['Bearer FAKE-readme-github-token', 'github'],
  ['Bearer FAKE-readme-gateway-token', 'gateway'],
])
const folder = here('documents')
const tsc = here('../../../node_modules/typescript/bin/tsc')
const API = /https:\/\/api\.(?:\w+\.example|github\.com)/g
let api: Awaited<ReturnType<typeof listen>>

before(async () => {
  api = await listen((request, response) => {
    const secret = request.headers['x-api-key'] ?? request.headers.authorization
    response.end(`the API knows ${known.get(String(secret))}`)
  })
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  for (const page of pages) mkdirSync(`${folder}/${folderOf(page)}`)
  for (const { code, file } of blocks) {
    writeFileSync(
      `${folder}/${file}.ts`,
      code
        .replace(API, api.url.origin)
        .replaceAll('createFetch({', 'createFetch({ allowInsecureLoopback: true,'),
    )
  }
  // As the README says.
  spawnSync(process.execPath, [tsc, '--init', '--types', 'node'], { cwd: folder })
})

after(() => api.close())

test('every code block compiles in the project that tsc --init makes', () => {
  assert(blocks.length >= 20)
  assert.equal(new Set(blocks.map(({ file }) => file)).size, blocks.length)
  const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
  assert.equal(stdout, '')
  assert.equal(status, 0)
})

async function overStdio(script: string, variables: Record<string, string>): Promise<Peer> {
  const client = clientV2('of 2025')
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [script], env: variables }),
  )
  return peerOf(client)
}

const TOKEN = 'FAKE-readme-gateway-token'

async function overHttp(
  script: string,
  era: 'of 2025' | 'of 2026',
  headers: Record<string, string> = { 'X-MCP-Cred-Access-Token': TOKEN },
): Promise<Peer> {
  const port = await freePort()
  const child = spawn(process.execPath, [script], { env: { PORT: `${port}` } })
  const url = new URL(`http://127.0.0.1:${port}/mcp`)
  for (let wait = 0; wait < 100 && !(await fetch(url).catch(() => undefined)); wait++)
    await sleep(50)
  const client = clientV2(era)
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }))
  return peerOf(client, async () => {
    await client.close()
    child.kill()
    await once(child, 'exit')
  })
}

const textOf = (result: Result) => result.content?.[0]?.text

describe('the complete servers of the documents work', () => {
  for (const { file, server, page, heading } of blocks) {
    if (!server || server[0] === 'accounts') continue
    const [transport, ...words] = server
    const variablesOf = () =>
      Object.fromEntries(
        words
          .filter((word) => word.includes('='))
          .map((word) => word.replace(API, api.url.origin).split('=')),
      )
    const [tool = '', ...names] = words.filter((word) => !word.includes('='))
    const args = Object.fromEntries(names.map((name) => [name, 'any']))
    const script = `${folder}/${file}.js`

    test(`${page}: ${heading} (${file})`, async () => {
      const isHttp = transport !== 'stdio'
      const peer = isHttp
        ? await overHttp(script, transport === 'http' ? 'of 2026' : 'of 2025')
        : await overStdio(script, variablesOf())
      try {
        assert.match(
          String(textOf(await peer.call(tool, args))),
          /^the API knows (weather|calendar|gateway|github)$/,
        )
      } finally {
        await peer.close()
      }
      if (isHttp) return
      const unset = await overStdio(script, {})
      try {
        assert.match(String(textOf(await unset.call(tool, args))), /^Set [A-Z]+_/)
      } finally {
        await unset.close()
      }
    })
  }
})

test('the line that stops a server at its start does so, and names what is missing', () => {
  const block = blocks.find(({ code }) => code.includes("parseEnv('WEATHER_', process.env"))
  const start = (env: Record<string, string>) =>
    spawnSync(process.execPath, [`${folder}/${block?.file}.js`], { encoding: 'utf8', env })
  const apiKey = 'FAKE-readme-start-key'
  const stopped = start({ WEATHER_FIELD_apiKey: apiKey, WEATHER_BASE_URL: 'https://api.example' })
  assert.equal(stopped.status, 1)
  assert.match(
    stopped.stderr,
    /CredentialError: Set WEATHER_FIELD_baseUrl\. WEATHER_BASE_URL is set: did you mean WEATHER_FIELD_baseUrl\?/,
  )
  assert(!stopped.stderr.includes(apiKey))
  const started = start({
    WEATHER_FIELD_apiKey: apiKey,
    WEATHER_FIELD_baseUrl: 'https://api.example',
  })
  assert.equal(started.stderr, '')
  assert.equal(started.status, 0)
})

/** The modules of all blocks that export a name. */
function modulesWith(name: string): Promise<Record<string, unknown>>[] {
  const exported = new RegExp(`^export (?:const|(?:async )?function) ${name}\\b`, 'm')
  return blocks.flatMap(({ code, file }) =>
    exported.test(code) ? [import(pathToFileURL(`${folder}/${file}.js`).href)] : [],
  )
}

test('what a gateway of the documents passes on has nothing of the caller but what MCP needs', async () => {
  process.env['GATEWAY_KEY'] = 'FAKE-readme-key-0123456789abcdef-do-not-leak'
  const modules = await Promise.all(modulesWith('headersFor'))
  assert.equal(modules.length, 2)
  const incoming = new Headers({
    accept: 'application/json',
    'mcp-session-id': 'session',
    'mcp-protocol-version': '2025-11-25',
    'last-event-id': '7',
    authorization: 'Bearer FAKE-key-of-the-caller',
    cookie: 'FAKE-cookie',
    host: 'gateway.example',
    forwarded: 'for=127.0.0.1',
    'x-api-key': 'FAKE-key',
    'x-mcp-cred-access-token': 'FAKE-forged',
    'x-mcp-cred-scopes': 'admin',
    'x-mcp-cred-signature': 'FAKE-forged',
  })
  for (const [index, { headersFor }] of modules.entries()) {
    const passed = await (headersFor as (incoming: Headers, token: string) => Promise<Headers>)(
      incoming,
      'FAKE-of-the-tenant',
    )
    const { 'x-mcp-cred-signature': signature, ...rest } = Object.fromEntries(passed)
    assert.deepEqual(rest, {
      accept: 'application/json',
      'last-event-id': '7',
      'mcp-protocol-version': '2025-11-25',
      'mcp-session-id': 'session',
      'x-mcp-cred-access-token': 'FAKE-of-the-tenant',
    })
    assert.equal(signature === undefined, index === 0)
    assert.notEqual(signature, 'FAKE-forged')
  }
})

test('the log of the documents shows no secret, in whatever shows more than its properties', async () => {
  const [module] = await Promise.all(modulesWith('log'))
  const log = module?.['log'] as (...values: unknown[]) => void
  const token = 'FAKE-logged-0123456789abcdef'
  const values = [
    new Headers({ authorization: `Bearer ${token}` }),
    new URLSearchParams({ key: token }),
    new Error('failed', { cause: new Error(`with ${token}`) }),
    new Map([[token, new Set([token])]]),
    Buffer.from(token),
    `${token}`,
  ]
  const shown: string[] = []
  const { error } = console
  console.error = (...args: unknown[]) => void shown.push(format(...args))
  try {
    await runWithCredentials(new OAuthCredential({ accessToken: token }), async () => {
      for (const value of values) log('kept %s', 'kept', value)
      log(...values)
      console.error(...values)
    })
  } finally {
    console.error = error
  }
  const control = shown.pop()
  assert(control?.includes(token))
  assert.equal(shown.length, values.length + 1)
  for (const text of shown) {
    assert(!text.includes(token) && !text.includes(Buffer.from(token).toString('hex')), text)
    assert(text.includes('[redacted]'))
  }
})

test('the test of a whole server passes', async () => {
  const block = blocks.find(({ heading }) => heading === 'A whole server')
  await import(pathToFileURL(`${folder}/${block?.file}.js`).href)
})

describe('the server of the README that keeps accounts', () => {
  const password = 'FAKE-readme-password-of-alice'
  const accessToken = 'FAKE-readme-connected-token'
  const alice = { authorization: `Basic ${btoa(`alice:${password}`)}` }
  let child: ChildProcess
  let origin: string

  before(async () => {
    known.set(`Bearer ${accessToken}`, 'alice')
    const block = blocks.find(({ server }) => server?.[0] === 'accounts')
    const script = `${folder}/${block?.file}.js`
    const port = await freePort()
    origin = `http://127.0.0.1:${port}`
    const ACCOUNT_KEY = Buffer.alloc(32, 7).toString('base64')
    const env = { PORT: `${port}`, ALICE_PASSWORD: password, ACCOUNT_KEY }
    child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    assert(child.stdout)
    const [printed] = await once(child.stdout, 'data', { signal: AbortSignal.timeout(10_000) })
    assert.equal(String(printed), `${origin}/mcp\n`)
  })
  after(async () => {
    child.kill()
    await once(child, 'exit')
  })

  // As the README does it with curl.
  async function whoami(headers: Record<string, string>): Promise<string> {
    const response = await fetch(`${origin}/mcp`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
      },
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}',
    })
    return response.text()
  }

  test('gives a link, connects by it once, and goes on', async () => {
    assert.equal(await whoami({ authorization: 'Bearer FAKE-of-nobody' }), 'Unauthorized')
    const asked = await whoami(alice)
    const link = /http:[^"\s]+ticket=[\w-]+/.exec(asked)?.[0] ?? ''
    assert.equal((await fetch(link)).status, 401)
    const page = await (await fetch(link, { headers: alice })).text()
    assert.match(page, /^<form method="post"><input name="token"/)
    // A form without an action is sent to where it came from.
    const body = new URLSearchParams({ token: accessToken })
    const connect = () => fetch(link, { method: 'POST', headers: alice, body })
    assert.match(await (await connect()).text(), /^GitHub is connected/)
    assert.match(await whoami(alice), /the API knows alice/)
    const again = await connect()
    assert.equal(again.status, 403)
    assert.match(await again.text(), /^This link is not yours/)
  })
})

describe('what the documents have clients write into their files', () => {
  interface Configured {
    readonly command?: string
    readonly args?: readonly string[]
    readonly env?: Record<string, string>
    readonly url?: string
    readonly headers?: Record<string, string>
  }
  const configured = ['README.md', 'docs/clients.md'].flatMap((page) =>
    [...readFileSync(root + page, 'utf8').matchAll(/^```json\n([^]*?)^```$/gm)].map(
      ([, json = '']): [page: string, servers: Record<string, Configured>] => {
        const { mcpServers, servers } = JSON.parse(json)
        return [page, mcpServers ?? servers]
      },
    ),
  )
  const withToken = (values: Record<string, string> = {}, token: string) =>
    Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, value.replace(/^.*[…$].*$/, token)]),
    )

  test('there are four of them', () => assert.equal(configured.length, 4))
  for (const [index, [page, { github }]] of configured.entries()) {
    test(`${page} (${index}): starts the server, which has its token`, async () => {
      assert(github)
      if (github.url !== undefined) assert.equal(github.url, 'http://127.0.0.1:3000/mcp')
      else {
        assert.equal(github.command, 'node')
        assert.deepEqual(github.args, ['/home/me/github/local.js'])
      }
      const scripts = `${folder}/${folderOf('README.md')}`
      const isLocal = github.url === undefined
      const peer = await (isLocal
        ? overStdio(`${scripts}/local.js`, withToken(github.env, 'FAKE-readme-github-token'))
        : overHttp(`${scripts}/hosted.js`, 'of 2026', withToken(github.headers, TOKEN)))
      try {
        assert.equal(
          textOf(await peer.call('whoami', {})),
          `the API knows ${isLocal ? 'github' : 'gateway'}`,
        )
      } finally {
        await peer.close()
      }
    })
  }
})

describe('the errors of the README are what people meet', () => {
  const sections = readFileSync(`${root}README.md`, 'utf8').split('\n## ')
  const section = sections.find((text) => text.startsWith('The five errors')) ?? ''
  const messages = [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, message = '']) => message)
  const thrownBy = (fn: () => unknown): string => {
    try {
      return String(fn())
    } catch (error) {
      return String(error)
    }
  }
  const credential = new OAuthCredential({ accessToken: 'FAKE-readme-ended-token' })
  const OCCASIONS: readonly (() => unknown)[] = [
    () => parseEnv('GITHUB_', {}, 'oauth'),
    () => parseHeaders({}, 'oauth'),
    () => getCredentials(),
    () => runWithCredentials(credential, () => bindToScope(() => getCredentials()))(),
    () => new ConnectRequiredError('https://mcp.example.com/connect'),
  ]
  test('there are five', () => assert.equal(messages.length, OCCASIONS.length))
  for (const [index, occasion] of OCCASIONS.entries()) {
    test(`number ${index + 1} is what is thrown`, () => {
      const thrown = thrownBy(occasion)
      assert(thrown.includes(messages[index] ?? 'no message'), `${thrown} ${messages[index]}`)
    })
  }
})
