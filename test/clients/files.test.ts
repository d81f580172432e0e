// Files that this process may not read: as another user, where it runs as root.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const KEY = 'FAKE-file-key-0123456789abcdef'
const folder = mkdtempSync(`${tmpdir()}/mounted-`)
const NOBODY = 65_534

before(async () => {
  chmodSync(folder, 0o755)
  const contents = `
    import { parseEnv } from 'mcp-credentials'
    import { withFiles } from 'mcp-credentials/files'
    const env = withFiles('X_', { X_FIELD_apiKey_FILE: process.argv[2] })
    try {
      console.log(parseEnv('X_', env, 'static').field('apiKey').length)
    } catch (error) {
      console.log(error.code, error.message)
    }`
  const resolveDir = fileURLToPath(new URL('..', import.meta.url))
  const stdin = { contents, resolveDir }
  await build({
    stdin,
    bundle: true,
    format: 'esm',
    platform: 'node',
    outfile: `${folder}/read.mjs`,
  })
  chmodSync(`${folder}/read.mjs`, 0o644)
})
after(() => rmSync(folder, { recursive: true }))

/** What comes of a file of this mode, and of a mount of this one. */
function read(fileMode: number, mountMode: number): string {
  const mount = mkdtempSync(`${folder}/mount-`)
  writeFileSync(`${mount}/key`, KEY)
  chmodSync(`${mount}/key`, fileMode)
  chmodSync(mount, mountMode)
  const isRoot = process.getuid?.() === 0
  const args = [`${folder}/read.mjs`, `${mount}/key`]
  const options = {
    encoding: 'utf8' as const,
    cwd: '/',
    ...(isRoot && { uid: NOBODY, gid: NOBODY }),
  }
  const output = execFileSync(process.execPath, args, options)
  chmodSync(mount, 0o755)
  return output.trim()
}

describe('a file', { skip: process.platform === 'win32' }, () => {
  const REFUSED = 'ERR_CREDENTIAL_INVALID X_FIELD_apiKey_FILE: the file cannot be read (EACCES).'

  test('that may be read is', () => assert.equal(read(0o444, 0o755), `${KEY.length}`))
  test('that may not be read is an error', () => assert.equal(read(0o000, 0o755), REFUSED))
  test('in a folder that may not be entered is an error', () =>
    assert.equal(read(0o444, 0o000), REFUSED))
})
