import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { spawn } from 'node:child_process'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
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
      code.replace(/https:\/\/api\.\w+\.example/g, api.url.origin),
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

test('the example for tests runs', async () => {
  const index = blocks.findIndex(({ heading }) => heading === 'In tests')
  await import(pathToFileURL(`${folder}/block-${index}.js`).href)
})
