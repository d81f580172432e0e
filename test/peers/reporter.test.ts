// What npm test prints: a line for each file, tables, and failures in full, but no log of what passes.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const reporter = fileURLToPath(new URL('../../reporter.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'mcp-credentials-reporter-'))
after(() => rmSync(folder, { recursive: true }))

const FILES = {
  'passes.test.mjs': `import { test } from 'node:test'
console.log('a table')
console.error('an error that is expected')
test('passes', () => {})`,
  'fails.test.mjs': `import { describe, test } from 'node:test'
console.error('what happened before')
describe('a suite', () => {
  test('fails', () => { throw new TypeError('This is wrong.') })
  test('is skipped', { skip: true }, () => {})
})`,
  'crashes.test.mjs': `throw new Error('It cannot be loaded.')`,
}

test('a page, with what failed in full', () => {
  for (const [name, code] of Object.entries(FILES)) writeFileSync(join(folder, name), code)
  const args = ['--test', `--test-reporter=${reporter}`, ...Object.keys(FILES)]
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const { stdout, status } = spawnSync(process.execPath, args, {
    cwd: folder,
    env,
    encoding: 'utf8',
    timeout: 60_000,
  })
  assert.equal(status, 1)
  const expected = [
    /^✔ passes\.test\.mjs +1 passed  \d+\.\d s$/m,
    /^ {4}a table$/m,
    /^✖ fails\.test\.mjs +0 passed, 1 failed, 1 skipped  \d+\.\d s$/m,
    /^ {4}what happened before$/m,
    /^✖ crashes\.test\.mjs +0 passed, 1 failed  \d+\.\d s$/m,
    /It cannot be loaded\./,
    /^2 failed:$/m,
    /^✖ fails\.test\.mjs:\d+: fails\n {2}TypeError(?: \[Error\])?: This is wrong\.\n {6}at /m,
    /^ℹ tests 4$/m,
    /^ℹ pass 1$/m,
    /^ℹ fail 2$/m,
    /^ℹ skipped 1$/m,
  ]
  for (const pattern of expected) assert.match(stdout, pattern)
  assert(!stdout.includes('an error that is expected'), stdout)
})
