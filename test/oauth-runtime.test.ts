// For Node.js alone: not every runtime lets its globals be taken away.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createRefresher } from 'mcp-credentials/oauth'
import { assertFails, expired, refreshTokenOf } from './oauth-endpoint.ts'

test('a runtime without fetch is told so, and so is one without Web Crypto', async () => {
  const { fetch, crypto } = globalThis
  try {
    Reflect.set(globalThis, 'fetch', undefined)
    const reason = 'this runtime has no fetch: give one as an option.'
    await assertFails(createRefresher()(expired(refreshTokenOf('no-fetch'))), reason)
    Object.defineProperty(globalThis, 'crypto', { value: undefined, configurable: true })
    await assert.rejects(createRefresher()(expired(refreshTokenOf('no-crypto'))), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_VALUE',
      message: 'This runtime has no Web Crypto, which refreshing needs.',
    })
  } finally {
    Reflect.set(globalThis, 'fetch', fetch)
    Object.defineProperty(globalThis, 'crypto', { value: crypto, configurable: true })
  }
})
