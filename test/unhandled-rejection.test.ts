import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import process from 'node:process'
import { test } from 'node:test'

test('a rejection that nobody handles stays unhandled', () => {
  // In a process of its own: a test runner takes unhandled rejections for failures.
  const folder = mkdtempSync(`${tmpdir()}/mcp-credentials-`)
  const script = `${folder}/script.mjs`
  writeFileSync(
    script,
    `
    import { OAuthCredential, runWithCredentials } from '${import.meta.resolve('mcp-credentials')}'
    process.on('unhandledRejection', (reason) => console.log('unhandled:', reason))
    runWithCredentials(new OAuthCredential({ accessToken: 'FAKE' }), () => Promise.reject('reason'))`,
  )
  const { stdout } = spawnSync(process.execPath, [script], { encoding: 'utf8' })
  rmSync(folder, { recursive: true })
  assert.equal(stdout, 'unhandled: reason\n')
})
