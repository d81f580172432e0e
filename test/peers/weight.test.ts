// What the package weighs, against the budget of its design; and whether README.md quotes the figures as they are.
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
const WEIGHTS: [what: string, contents: string, budget: number][] = [
  ['four functions', `export { ${FOUR} } from 'mcp-credentials'`, 6],
  ['the core', `export * from 'mcp-credentials'`, 7.5],
  [
    'the core and the MCP adapter, with redaction',
    `export * from 'mcp-credentials'\nexport * from 'mcp-credentials/mcp'`,
    12.5,
  ],
]

for (const [what, contents, budget] of WEIGHTS) {
  test(`${what}: within the budget`, async () => {
    const size = await sizeOf(contents)
    console.log(`${what}: ${size.toFixed(1)} KB minified and gzipped; the budget is ${budget} KB`)
    assert(size <= budget, `${what}: ${size.toFixed(1)} KB`)
  })
}

test('README.md quotes lines and weights as they are', () => {
  const { status, stderr } = spawnSync(process.execPath, [`${root}test/figures.js`, '--check'], {
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
})
