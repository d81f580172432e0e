// docs/frameworks.md: each framework that is installed quickly, as the document has it.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { compileBlocks, readBlocks } from './blocks.js'
import { exercise, freePort, serve, tableOf } from './harness.js'
import type { Findings, Serving } from './harness.js'

const BLOCKS = [
  'server.ts',
  'express.ts',
  'hono.ts',
  'fastify.ts',
  'route.ts',
  'hono-mcp.ts',
  'fastify-mcp.ts',
  'fastmcp.ts',
  'tmcp.ts',
]
// Their test is of its own, since their installation takes long: all/frameworks.test.ts.
const HEAVY = ['nest.ts', 'agents.ts', 'mcp-use.ts', 'xmcp.ts', 'mastra.ts']

const FRAMEWORKS: [name: string, args: string[]][] = [
  ['@modelcontextprotocol/express', ['express']],
  ['@modelcontextprotocol/hono', ['hono']],
  ['@modelcontextprotocol/fastify', ['fastify']],
  ['mcp-handler', ['route']],
  ['@hono/mcp', ['hono-mcp']],
  ['fastify-mcp', ['fastify-mcp']],
  ['fastmcp, with sessions', ['fastmcp']],
  ['fastmcp, without', ['fastmcp', 'stateless']],
  ['tmcp', ['tmcp']],
]

const main = fileURLToPath(new URL('main.js', import.meta.url))
const rows = new Map<string, Findings>()

before(() => {
  assert.deepEqual([...readBlocks().keys()], [...BLOCKS, ...HEAVY])
  assert.equal(compileBlocks(BLOCKS, fileURLToPath(new URL('blocks', import.meta.url))), '')
})
after(() => console.log(tableOf(rows)))

async function run(args: readonly string[]): Promise<Findings> {
  const port = await freePort()
  const serving: Serving = await serve(process.execPath, [main, ...args], port)
  try {
    return await exercise(serving)
  } finally {
    await serving.stop()
  }
}

describe('of 200 calls, 20 at a time, each has its own credential, and none shows it', () => {
  for (const [name, args] of FRAMEWORKS) {
    test(name, { timeout: 60_000 }, async () => {
      const findings = await run(args)
      rows.set(name, findings)
      const { right, wrong, leaked, ended, printed } = findings
      assert.deepEqual(
        { right, wrong, leaked, ended, printed },
        { right: 200, wrong: 0, leaked: 0, ended: 200, printed: false },
      )
    })
  }
})

test('a server that keeps the credential in a variable fails', { timeout: 60_000 }, async () => {
  const { wrong, leaked, ended } = await run(['naive'])
  assert(wrong > 0)
  assert.equal(leaked, 40)
  assert.equal(ended, 200)
})
