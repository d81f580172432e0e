import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import {
  getCredentials,
  OAuthCredential,
  runWithCredentials,
  StaticCredential,
  tryGetCredentials,
} from 'mcp-credentials'
import { assertRefused, fakeToken } from './helper.ts'

type Package = typeof import('mcp-credentials')

test('a second copy of the package shares no scope, and the errors say so', async () => {
  const index = import.meta.resolve('mcp-credentials')
  const folder = mkdtempSync(`${tmpdir()}/mcp-credentials-`)
  cpSync(fileURLToPath(new URL('.', index)), folder, { recursive: true })
  const second: Package = await import(
    index.replace(new URL('.', index).href, pathToFileURL(`${folder}/`).href)
  )
  rmSync(folder, { recursive: true })

  assert.notEqual(second.getCredentials, getCredentials)
  runWithCredentials(fakeToken(), () => {
    assert.equal(second.tryGetCredentials(), undefined)
    assert.throws(() => second.getCredentials(), {
      code: 'ERR_CREDENTIAL_NO_SCOPE',
      message: /There are 2 copies of mcp-credentials/,
    })
  })
  assertRefused(
    () => getCredentials(),
    'ERR_CREDENTIAL_NO_SCOPE',
    /There are 2 copies of mcp-credentials/,
  )
  assert.equal(tryGetCredentials(), undefined)

  // By its tag nobody can look up what a secret is.
  const tagsOf = (copy: Package) =>
    ['FAKE-1', 'FAKE-2', 'FAKE-3'].map((key) =>
      String(new copy.StaticCredential({ key })[Symbol.toStringTag]),
    )
  assert.notEqual(String(tagsOf(second)), String(tagsOf({ StaticCredential } as Package)))

  for (const foreign of [
    new second.StaticCredential({ key: 'x' }),
    new second.OAuthCredential({ accessToken: 'x' }),
  ]) {
    assert(!(foreign instanceof StaticCredential) && !(foreign instanceof OAuthCredential))
    const run = () => runWithCredentials(foreign as never, () => assert.fail('it ran'))
    assert.throws(run, {
      name: 'TypeError',
      message: /nor a credential of a second copy of the package/,
    })
  }
})
