import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { format } from 'node:util'
import { spawn } from 'node:child_process'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { OAuthCredential, runWithCredentials } from 'mcp-credentials'
import type { CredentialSource } from 'mcp-credentials'
import { clientV2, listen, peerOf } from './wirings.js'
import type { Peer, Result } from './wirings.js'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const readme = readFileSync(here('../../../README.md'), 'utf8')

interface Block {
  readonly code: string
  readonly heading: string
  /** From the comment above a complete server: how to reach it, its variables, its tool and the tool's arguments. */
  readonly server: string[] | undefined
}

const blocks: Block[] = []
let heading = ''
for (const [, title, server, code] of readme.matchAll(
  /^#+ (.+)$|^(?:<!-- server: (.+) -->\n)?```ts\n([^]*?)^```$/gm,
)) {
  if (title !== undefined) heading = title
  else if (code !== undefined) blocks.push({ code, heading, server: server?.split(' ') })
}

/** The API that the README's tools call: it says which secret it was sent, without showing it. */
const known = new Map([
  ['FAKE-readme-weather-key', 'weather'],
  ['Bearer FAKE-readme-calendar-token', 'calendar'],
  ['Bearer FAKE-readme-github-token', 'github'],
  ['Bearer FAKE-readme-gateway-token', 'gateway'],
])
const folder = here('readme')
let api: Awaited<ReturnType<typeof listen>>

before(async () => {
  api = await listen((request, response) => {
    const secret = request.headers['x-api-key'] ?? request.headers.authorization
    response.end(`the API knows ${known.get(String(secret))}`)
  })
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  for (const [index, { code }] of blocks.entries()) {
    writeFileSync(
      `${folder}/block-${index}.ts`,
      code
        .replace(/https:\/\/api\.\w+\.example/g, api.url.origin)
        .replaceAll('createFetch({', 'createFetch({ allowInsecureLoopback: true,'),
    )
  }
  // As a user's project has it: strict, and nothing more.
  const compilerOptions = {
    target: 'es2022',
    module: 'nodenext',
    strict: true,
    skipLibCheck: true,
    types: ['node'],
    rootDir: '.',
    outDir: '.',
  }
  writeFileSync(
    `${folder}/tsconfig.json`,
    JSON.stringify({ compilerOptions, include: ['*.ts'], exclude: [] }),
  )
})

after(() => api.close())

test('every code block of the README compiles', () => {
  assert(blocks.length >= 9)
  const tsc = here('../../../node_modules/typescript/bin/tsc')
  const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
  assert.equal(stdout, '')
  assert.equal(status, 0)
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function overStdio(script: string, variables: Record<string, string>): Promise<Peer> {
  const client = clientV2('of 2025')
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args: [script], env: variables }),
  )
  return peerOf(client)
}

async function overHttp(script: string, era: 'of 2025' | 'of 2026'): Promise<Peer> {
  const port = await freePort()
  const child = spawn(process.execPath, [script], { env: { PORT: `${port}` } })
  const url = new URL(`http://127.0.0.1:${port}/mcp`)
  for (let wait = 0; wait < 100 && !(await fetch(url).catch(() => undefined)); wait++)
    await sleep(50)
  const client = clientV2(era)
  const headers = { 'X-MCP-Cred-Access-Token': 'FAKE-readme-gateway-token' }
  await client.connect(new StreamableHTTPClientTransport(url, { requestInit: { headers } }))
  return peerOf(client, async () => {
    await client.close()
    child.kill()
    await once(child, 'exit')
  })
}

const textOf = (result: Result) => result.content?.[0]?.text

describe('the complete servers of the README work', () => {
  for (const [index, { server, heading }] of blocks.entries()) {
    if (!server) continue
    const [transport, ...words] = server
    const variablesOf = () =>
      Object.fromEntries(
        words
          .filter((word) => word.includes('='))
          .map((word) => word.replace(/https:\/\/api\.\w+\.example/, api.url.origin).split('=')),
      )
    const [tool = '', ...names] = words.filter((word) => !word.includes('='))
    const args = Object.fromEntries(names.map((name) => [name, 'any']))
    const script = `${folder}/block-${index}.js`

    test(`${heading} (${index})`, async () => {
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
  const index = blocks.findIndex(({ code }) => code.includes("parseEnv('WEATHER_', process.env"))
  const start = (env: Record<string, string>) =>
    spawnSync(process.execPath, [`${folder}/block-${index}.js`], { encoding: 'utf8', env })
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
  return blocks.flatMap(({ code }, index) =>
    exported.test(code) ? [import(pathToFileURL(`${folder}/block-${index}.js`).href)] : [],
  )
}

describe('a source by who is calling', () => {
  // Two users of one application.
  const of = (sub: unknown) => ({
    headers: undefined,
    authInfo: { token: 'FAKE', clientId: 'one-app', scopes: [], extra: { sub } },
  })
  const valid = (accessToken: string) =>
    new OAuthCredential({ accessToken, extra: { account: accessToken } })

  for (const [name, store, put] of [
    ['fromVault', 'vault', (accessToken: string) => accessToken],
    ['fromAccounts', 'accounts', valid],
  ] as const) {
    test(`${name} gives two users of one client each their own, and others none`, async () => {
      const modules = await Promise.all(modulesWith(name))
      assert.equal(modules.length, 1)
      const source = modules[0]?.[name] as CredentialSource
      const stored = modules[0]?.[store] as Map<string, unknown>
      stored.set('anna', put('FAKE-of-anna')).set('bob', put('FAKE-of-bob'))
      stored.set('one-app', put('FAKE-of-the-app')).set('undefined', put('FAKE-of-nobody'))
      for (const user of ['anna', 'bob']) {
        const credential = await source(of(user))
        assert.equal(credential.accessToken, `FAKE-of-${user}`)
      }
      const nobody = [of('carol'), of(undefined), of(7), { headers: undefined }]
      const { token, clientId } = of('anna').authInfo
      for (const request of [...nobody, { headers: undefined, authInfo: { token, clientId } }])
        await assert.rejects(async () => source(request), { code: 'ERR_CREDENTIAL_NOT_FOUND' })
    })
  }
})

test('what a gateway of the README passes on has nothing of the caller but what MCP needs', async () => {
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

test('the log of the README shows no secret, in whatever shows more than its properties', async () => {
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

test('the example for tests runs', async () => {
  const index = blocks.findIndex(({ heading }) => heading === 'In tests')
  await import(pathToFileURL(`${folder}/block-${index}.js`).href)
})
