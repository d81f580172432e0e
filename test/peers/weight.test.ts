// What the package weighs, against the budget of its design; and whether the documents quote the figures as they are.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** In KB, minified and gzipped. */
async function sizeOf(contents: string): Promise<number> {
  const { outputFiles, warnings } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    logLevel: 'silent',
  })
  assert.deepEqual(warnings, [])
  return gzipSync(outputFiles[0]?.contents ?? '').length / 1000
}

const FOUR = 'parseEnv, parseHeaders, runWithCredentials, getCredentials'
/** The budget, and the limit: what it is exceeded by now may not get more. */
const WEIGHTS: [what: string, contents: string, budget: number, limit: number][] = [
  ['four functions', `export { ${FOUR} } from 'mcp-credentials'`, 6, 8.3],
  ['the core', `export * from 'mcp-credentials'`, 7.5, 11.4],
  [
    'the core and the MCP adapter, with redaction',
    `export * from 'mcp-credentials'\nexport * from 'mcp-credentials/mcp'`,
    12.5,
    20.4,
  ],
]

for (const [what, contents, budget, limit] of WEIGHTS) {
  test(`${what}: within the limit`, async () => {
    const size = await sizeOf(contents)
    console.log(`${what}: ${size.toFixed(1)} KB minified and gzipped; the budget is ${budget} KB`)
    assert(size <= limit, `${what}: ${size.toFixed(1)} KB`)
  })
}

test('the documents quote lines and weights as they are', () => {
  const { status, stderr } = spawnSync(process.execPath, [`${root}test/figures.js`, '--check'], {
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
})
