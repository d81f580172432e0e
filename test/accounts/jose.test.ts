import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as jose from 'jose'
import { OAuthCredential, StaticCredential } from 'mcp-credentials'
import { createAccounts, openCredential, sealCredential } from 'mcp-credentials/accounts'

const key = crypto.getRandomValues(new Uint8Array(32))
const options = { owner: 'alice', provider: 'github', keys: [key] }
const expected = { subject: 'alice', audience: 'github', typ: 'mcp-credential' }
const credential = new OAuthCredential({
  accessToken: 'FAKE-access-token',
  refreshToken: 'FAKE-refresh-token',
  clientId: 'client',
  tokenUri: 'https://auth.example/token',
  scopes: ['a', 'b'],
  expiresAt: new Date('2099-01-02T03:04:05.678Z'),
  extra: { tenant: 'acme' },
})

describe('jose opens what is sealed', () => {
  test('of either type', async () => {
    const text = await sealCredential(credential, options)
    const { payload, protectedHeader } = await jose.jwtDecrypt(text, key, expected)
    assert.deepEqual(payload['credential'], {
      accessToken: 'FAKE-access-token',
      refreshToken: 'FAKE-refresh-token',
      clientId: 'client',
      tokenUri: 'https://auth.example/token',
      scopes: ['a', 'b'],
      expiresAt: '2099-01-02T03:04:05.678Z',
      extra: { tenant: 'acme' },
    })
    const k = Buffer.from(key).toString('base64url')
    assert.equal(protectedHeader.kid, await jose.calculateJwkThumbprint({ kty: 'oct', k }))
    const fields = { apiKey: 'FAKE-key-ü' }
    const sealed = await sealCredential(new StaticCredential(fields), options)
    const opened = await jose.jwtDecrypt(sealed, key, expected)
    assert.deepEqual(opened.payload['credential'], { fields })
  })

  test('in a store', async () => {
    let row: string | undefined
    const store = {
      load: async () => row,
      swap: async (...[, , , after]: (string | undefined)[]) => ((row = after), true),
    }
    await createAccounts('github', { store, keys: [key] }).save('alice', credential)
    const opened = await jose.jwtDecrypt(row ?? '', key, { ...expected, typ: 'mcp-account' })
    assert.equal(
      (opened.payload['credential'] as { accessToken: string }).accessToken,
      'FAKE-access-token',
    )
  })

  test('and nothing for another owner, another provider, another kind, another key', async () => {
    const text = await sealCredential(credential, options)
    for (const wrong of [{ subject: 'bob' }, { audience: 'google' }, { typ: 'mcp-account' }])
      await assert.rejects(
        jose.jwtDecrypt(text, key, { ...expected, ...wrong }),
        jose.errors.JOSEError,
      )
    const other = crypto.getRandomValues(new Uint8Array(32))
    await assert.rejects(jose.jwtDecrypt(text, other, expected), jose.errors.JOSEError)
  })
})

test('what jose seals is opened', async () => {
  const k = Buffer.from(key).toString('base64url')
  const kid = await jose.calculateJwkThumbprint({ kty: 'oct', k })
  const text = await new jose.EncryptJWT({ credential: { accessToken: 'FAKE-of-jose' } })
    .setSubject('alice')
    .setAudience('github')
    .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', kid, typ: 'mcp-credential' })
    .encrypt(key)
  assert.equal((await openCredential(text, options)).accessToken, 'FAKE-of-jose')
})

test('the vectors are those of jose', async () => {
  const path = new URL('../../../../vectors/accounts.json', import.meta.url)
  const { opened } = JSON.parse(readFileSync(fileURLToPath(path), 'utf8'))
  assert.equal(opened.length, 6)
  for (const { text, key, owner, provider, credential } of opened) {
    const expected = { subject: owner, audience: provider, typ: 'mcp-credential' }
    const { payload } = await jose.jwtDecrypt(text, Buffer.from(key, 'base64url'), expected)
    assert.deepEqual(payload['credential'], credential)
  }
})
