import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import process from 'node:process'
import { test } from 'node:test'

// A runtime that has it as a global and nowhere else, such as an edge sandbox: in a file of its own, because it is looked
// for once, at import.
Object.defineProperty(globalThis, 'AsyncLocalStorage', {
  value: AsyncLocalStorage,
  configurable: true,
})
Object.defineProperty(process, 'getBuiltinModule', { value: undefined })
const { getCredentials, OAuthCredential, runWithCredentials } = await import('mcp-credentials')

test('a global AsyncLocalStorage is found', async () => {
  const credential = new OAuthCredential({ accessToken: 'FAKE' })
  await runWithCredentials(credential, async () => {
    await undefined
    assert.equal(getCredentials(), credential)
  })
})
