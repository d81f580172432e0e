import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { binaries, inFolder, root } from './hosts.ts'

const run = promisify(execFile)
const seenElsewhere: (string | undefined)[] = []
const elsewhere = createServer((request, response) => {
  seenElsewhere.push(request.headers.authorization)
  response.end()
})
const api = createServer(async (request, response) => {
  const { method, url = '', headers } = request
  const { authorization = 'nothing' } = headers
  let body = ''
  for await (const chunk of request) body += chunk
  if (url === '/v1/broken') return void request.socket.destroy()
  if (url === '/v1/moved') response.writeHead(307, { location: '/v1/echo' })
  if (url === '/v1/away') response.writeHead(302, { location: `${originOf(elsewhere)}/v1` })
  if (url === '/v1/forbidden') response.writeHead(403)
  if (url === '/v1/renewed' && authorization.includes('FAKE-old')) response.writeHead(401)
  response.end(`${method} ${url} ${body} ${authorization}`)
})

const originOf = (server: typeof api) =>
  `http://127.0.0.1:${(server.address() as AddressInfo).port}`

before(async () => {
  for (const server of [api, elsewhere]) await once(server.listen(0, '127.0.0.1'), 'listening')
})
after(() => {
  for (const server of [api, elsewhere]) {
    server.closeAllConnections()
    server.close()
  }
})

const EXPECTED = [
  '200 GET /v1/echo  Bearer [redacted]',
  '200 POST /v1/echo text Bearer [redacted]',
  '200 PUT /v1/echo of a request Bearer [redacted]',
  '200 POST /v1/echo moved Bearer [redacted]',
  '302 GET /v1/away  Bearer [redacted]',
  '200 POST /v1/renewed twice Bearer [redacted]',
  '403 GET /v1/forbidden  Bearer [redacted]',
  'TypeError: createFetch takes a path that starts with a slash, or a URL below its base URL.',
  'TypeError: createFetch sets the header authorization itself: leave it out.',
  'TypeError: The request to the API failed.',
  'Error: left',
]

/** A module that prints what createFetch comes to. */
async function bundle(main: (report: string) => string): Promise<string> {
  const contents = `
    import { check } from '${root}test/runtimes/upstream-app.ts'
    ${main(`console.log('REPORT ' + JSON.stringify(await check('${originOf(api)}')))`)}`
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: `${root}test/runtimes` },
    bundle: true,
    write: false,
    format: 'esm',
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

const CONFIG = `
  using Workerd = import "/workerd/workerd.capnp";
  const config :Workerd.Config = (services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["local"])),
  ]);
  const worker :Workerd.Worker = (
    modules = [(name = "app.js", esModule = embed "app.js")],
    compatibilityDate = "2026-11-01",
  );`

async function reportOf(binary: string, args: string[]): Promise<unknown> {
  const { stdout, stderr } = await run(binary, args)
  const [, report = '"no report"'] = /^REPORT (.*)$/m.exec(stdout + stderr) ?? []
  return JSON.parse(report)
}

describe("createFetch, with the runtime's own fetch", () => {
  const scripts: [runtime: string, binary: string, args: (path: string) => string[]][] = [
    ...[20, 22, 24, 26].map((version): [string, string, (path: string) => string[]] => [
      `Node.js ${version}`,
      binaries.node(version),
      (path) => [path],
    ]),
    ['Bun', binaries.bun, (path) => [path]],
    ['Deno', binaries.deno, (path) => ['run', '-A', '--no-check', path]],
  ]
  for (const [runtime, binary, args] of scripts) {
    test(runtime, async () => {
      const script = await bundle((report) => report)
      await inFolder(async (folder) => {
        writeFileSync(`${folder}/app.mjs`, script)
        assert.deepEqual(await reportOf(binary, args(`${folder}/app.mjs`)), EXPECTED)
      })
      assert.deepEqual(seenElsewhere, [])
    })
  }

  test('workerd', async () => {
    const script = await bundle((report) => `export default { async test() { ${report} } }`)
    await inFolder(async (folder) => {
      writeFileSync(`${folder}/app.js`, script)
      writeFileSync(`${folder}/config.capnp`, CONFIG)
      const report = await reportOf(binaries.workerd, ['test', `${folder}/config.capnp`])
      assert.deepEqual(report, EXPECTED)
    })
    assert.deepEqual(seenElsewhere, [])
  })
})
