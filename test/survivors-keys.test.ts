// Cases of keys that changes of the code have shown to be missing elsewhere.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createAccounts, openCredential, sealCredential } from 'mcp-credentials/accounts'
import { createSignatureVerifier, signHeaders } from 'mcp-credentials/signature'
import { memoryStore, newKey } from './account-store.ts'
import { fakeToken } from './helper.ts'

/** The keys that are imported while `fn` runs. */
async function imported(fn: () => Promise<unknown>): Promise<CryptoKey[]> {
  const { subtle } = crypto
  const { importKey } = subtle
  const keys: CryptoKey[] = []
  const spy = async (...args: unknown[]) => {
    const key: CryptoKey = await Reflect.apply(importKey, subtle, args)
    keys.push(key)
    return key
  }
  Object.defineProperty(subtle, 'importKey', { value: spy, configurable: true, writable: true })
  try {
    await fn()
  } finally {
    Reflect.deleteProperty(subtle, 'importKey')
  }
  return keys
}

const headers = { 'x-mcp-cred-access-token': 'FAKE-token' }
const optionsOf = (...keys: Uint8Array[]) => ({ owner: 'alice', provider: 'github', keys })

describe('keys', () => {
  test('cannot be extracted again once they are imported', async () => {
    const keys = await imported(async () => {
      const key = newKey()
      const verify = createSignatureVerifier({ keys: [key] })
      await verify(new Headers(await signHeaders(headers, key)))
      const sealed = await sealCredential(fakeToken(), optionsOf(key))
      await openCredential(sealed, optionsOf(newKey(), key))
      const accounts = createAccounts('github', { store: memoryStore(), keys: [key] })
      const ticket = await accounts.connect('alice')
      await accounts.check(ticket, { owner: 'alice' })
    })
    assert(keys.length >= 4, String(keys.length))
    for (const key of keys) assert.equal(key.extractable, false)
  })

  test('of accounts are imported once, however often they seal and open', async () => {
    const key = newKey()
    const seal = () => sealCredential(fakeToken(), optionsOf(key))
    const sealed = await seal()
    const again = await imported(async () => {
      for (let count = 0; count < 3; count++) await openCredential(await seal(), optionsOf(key))
      await openCredential(sealed, optionsOf(key))
    })
    assert.equal(again.length, 0)
    // As while keys are replaced.
    const others = optionsOf(newKey(), key)
    await sealCredential(fakeToken(), others)
    const both = await imported(async () => {
      for (const options of [optionsOf(key), others]) {
        await openCredential(await sealCredential(fakeToken(), options), others)
        await openCredential(sealed, options)
      }
    })
    assert.equal(both.length, 0)
  })

  test('of accounts are remembered up to a thousand, and work beyond', async () => {
    const first = newKey()
    const sealed = await sealCredential(fakeToken(), optionsOf(first))
    const others = Array.from({ length: 1000 }, newKey)
    const seals = others.map((key) => sealCredential(fakeToken(), optionsOf(key)))
    await Promise.all(seals)
    const again = await imported(() => openCredential(sealed, optionsOf(first)))
    assert.equal(again.length, 1)
    // It is remembered again.
    const once = await imported(() => openCredential(sealed, optionsOf(first)))
    assert.equal(once.length, 0)
  })

  test('that cannot be used are a misuse, by its code', async () => {
    const code = 'ERR_INVALID_ARG_VALUE'
    for (const keys of [[], [new Uint8Array(31)], ['a'.repeat(43) + '=' + 'A']]) {
      assert.throws(() => createAccounts('github', { store: memoryStore(), keys }), { code })
      const options = { owner: 'alice', provider: 'github', keys }
      await assert.rejects(sealCredential(fakeToken(), options), { code })
    }
  })
})

describe('a sealed text', () => {
  test('that lacks a part is no sealed text, whichever it lacks', async () => {
    const key = newKey()
    const sealed = await sealCredential(fakeToken(), optionsOf(key))
    const parts = sealed.split('.')
    assert.equal(parts.length, 5)
    for (const index of parts.keys()) {
      // The second one is empty, and must be.
      const part = index === 1 ? 'AAAA' : ''
      // What is no base64url in a place where its length is right.
      const spoilt = parts[index]?.replace(/.$/, '!')
      for (const put of [part, spoilt ?? '!']) {
        const text = parts.map((one, at) => (at === index ? put : one)).join('.')
        const code = 'ERR_CREDENTIAL_UNAVAILABLE'
        if (text !== sealed) await assert.rejects(openCredential(text, optionsOf(key)), { code })
      }
    }
  })
})

describe('a signature', () => {
  test('is good for its tolerance, and a millisecond longer for nobody', async () => {
    const key = newKey()
    const verify = createSignatureVerifier({ keys: [key], toleranceSeconds: 60 })
    const { now } = Date
    const signedAt = 4_000_000_000_000
    const signed = new Headers(await signHeaders(headers, key, { time: new Date(signedAt) }))
    try {
      for (const [offset, isGood] of [
        [0, true],
        [60_000, true],
        [-60_000, true],
        [60_001, false],
        [-60_001, false],
      ] as const) {
        Date.now = () => signedAt + offset
        const verified = verify(signed)
        if (isGood) assert.equal(await verified, true)
        else await assert.rejects(verified, { code: 'ERR_CREDENTIAL_UNTRUSTED' })
      }
    } finally {
      Date.now = now
    }
  })

  test('may have been made at any time since 1970', async () => {
    const signed = await signHeaders(headers, newKey(), { time: new Date(0) })
    assert.match(String(signed['X-MCP-Cred-Signature']), /^t=0,v1=/)
  })

  test('needs Web Crypto, which is said', async () => {
    const known = Object.getOwnPropertyDescriptor(globalThis, 'crypto')
    Object.defineProperty(globalThis, 'crypto', { value: undefined, configurable: true })
    try {
      await assert.rejects(signHeaders(headers, 'FAKE-key-of-more-than-32-characters'), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
        message: 'This runtime has no Web Crypto, which signatures need.',
      })
    } finally {
      if (known) Object.defineProperty(globalThis, 'crypto', known)
    }
  })
})
