// What the package weighs, against what the README says and against the budget of its design.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const readme = readFileSync(`${root}README.md`, 'utf8')

/** In KB, minified and gzipped. */
async function sizeOf(imports: string): Promise<string> {
  const stdin = { contents: `export ${imports} from 'mcp-credentials'`, resolveDir: root }
  const { outputFiles, warnings } = await build({
    stdin,
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    logLevel: 'silent',
  })
  assert.deepEqual(warnings, [])
  return (gzipSync(outputFiles[0]?.contents ?? '').length / 1000).toFixed(1)
}

const WEIGHTS: [what: string, imports: string, budget: string][] = [
  [
    '`parseEnv`, `parseHeaders`, `runWithCredentials`, `getCredentials`',
    '{ parseEnv, parseHeaders, runWithCredentials, getCredentials }',
    '4.5',
  ],
  ['everything', '*', '8.0'],
]

for (const [what, imports, budget] of WEIGHTS) {
  test(`the README states the size of ${what}`, async () => {
    const size = await sizeOf(imports)
    console.log(`${what}: ${size} KB minified and gzipped; the budget is ${budget} KB`)
    assert(readme.includes(`| ${what} | ${size} KB |`), `${what}: ${size} KB`)
  })
}
