// The conformance suite of MCP: with the adapter each of its scenarios comes out as without.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
// The suite needs a newer Node.js than this package does.
const NODE_22 = `${root}node_modules/node-22/bin/node`
const SUITE = `${root}node_modules/@modelcontextprotocol/conformance/dist/index.js`

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** The checks of each scenario, with what came of them. */
type Results = ReadonlyMap<string, readonly string[]>

interface Check {
  readonly id: string
  readonly status: string
}

function readResults(folder: string): Results {
  const results = new Map<string, string[]>()
  for (const name of readdirSync(folder).sort()) {
    const [, scenario = ''] = /^server-(.+?)-\d{4}-\d\d-\d\dT/.exec(name) ?? []
    const checks: Check[] = JSON.parse(readFileSync(`${folder}/${name}/checks.json`, 'utf8'))
    results.set(scenario, checks.map(({ id, status }) => `${id}: ${status}`).sort())
  }
  return results
}

async function run(sdk: string, variant: string, options: readonly string[]): Promise<Results> {
  const port = await freePort()
  const folder = mkdtempSync(`${tmpdir()}/mcp-credentials-conformance-`)
  const env = { ...process.env, PORT: `${port}` }
  const script = `${root}dist/server.js`
  const server = spawn(process.execPath, [script, sdk, variant], { env, stdio: 'ignore' })
  const exited = once(server, 'exit')
  const url = `http://127.0.0.1:${port}/mcp`
  try {
    for (let wait = 0; wait < 200 && !(await fetch(url).catch(() => undefined)); wait++)
      await sleep(50)
    const args = [SUITE, 'server', '--url', url, '--suite', 'all', '-o', folder, ...options]
    // It says by its exit code that a scenario has failed.
    await new Promise<void>((resolve) => {
      execFile(NODE_22, args, { timeout: 60_000, maxBuffer: 2 ** 26 }, () => resolve())
    })
    return readResults(folder)
  } finally {
    server.kill('SIGKILL')
    await exited
    rmSync(folder, { recursive: true })
  }
}

const isPassed = (checks: readonly string[]): boolean =>
  checks.some((check) => check.endsWith(': SUCCESS')) &&
  !checks.some((check) => check.endsWith(': FAILURE'))

const SDKS: [sdk: string, options: string[], passed: number, scenarios: number][] = [
  ['v1', ['--spec-version', '2025-11-25'], 32, 33],
  ['v2', [], 52, 65],
]

for (const [sdk, options, passed, scenarios] of SDKS) {
  describe(`a server on SDK ${sdk}`, () => {
    test('gives the same results with the adapter', { timeout: 150_000 }, async () => {
      const variants = ['bare', 'wrapped'].map((variant) => run(sdk, variant, options))
      const [bare, wrapped] = await Promise.all(variants)
      assert(bare && wrapped)
      assert.deepEqual(wrapped, bare)
      const checks = [...bare.values()].flat()
      const successes = checks.filter((check) => check.endsWith(': SUCCESS')).length
      const count = [...bare.values()].filter(isPassed).length
      console.log(
        `SDK ${sdk}: ${count} of ${bare.size} scenarios, ${successes} of ${checks.length} checks, with and without the adapter`,
      )
      assert.deepEqual([count, bare.size], [passed, scenarios])
    })
  })
}

test('where each call is refused, the results are others', { timeout: 150_000 }, async () => {
  const [, options] = SDKS[0] ?? []
  const refused = await run('v1', 'refused', options ?? [])
  assert.equal(refused.size, 33)
  const count = [...refused.values()].filter(isPassed).length
  assert(count > 5 && count < 25, `${count}`)
})
