// What jose, another implementation of RFC 7516, has sealed; test/accounts has it open what this package seals.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { CredentialError, createAdapter, OAuthCredential, StaticCredential } from 'mcp-credentials'
import { openCredential, sealCredential } from 'mcp-credentials/accounts'
import type { CallDetails, ResolvedCredential } from 'mcp-credentials'
import { assertNoLeak } from './helper.ts'

interface Vector {
  readonly name: string
  readonly key: string
  readonly owner: string
  readonly provider: string
  readonly credential: Record<string, never>
  readonly text: string
  readonly cause: string
}

const root = new URL(import.meta.url.includes('/dist/') ? '../../' : '../', import.meta.url)
const path = fileURLToPath(new URL('test/vectors/accounts.json', root))
const { opened, refused } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, Vector[]>

function credentialOf({ fields, expiresAt, ...others }: Vector['credential']): ResolvedCredential {
  if (fields) return new StaticCredential(fields)
  const date = expiresAt && new Date(expiresAt)
  return new OAuthCredential({ ...(others as unknown as { accessToken: string }), expiresAt: date })
}

describe('what jose has sealed', () => {
  for (const { name, key, owner, provider, credential, text } of opened ?? []) {
    test(`is opened: ${name}`, async () => {
      const expected = credentialOf(credential)
      const found = await openCredential(text, { owner, provider, keys: [key] })
      assert.deepEqual({ ...found.fields }, { ...expected.fields })
      for (const property of Object.keys(credential)) {
        const value = Reflect.get(found, property)
        assert.equal(JSON.stringify(value), JSON.stringify(Reflect.get(expected, property)))
      }
      assert.equal(found.accessToken, expected.accessToken)
    })
  }

  for (const { name, key, owner, provider, text, cause } of refused ?? []) {
    test(`is not opened, and the operator is told why: ${name}`, async () => {
      let details: CallDetails | undefined
      const source = () => openCredential(text, { owner, provider, keys: [key] })
      const ask = createAdapter(source, { onCall: (_event, given) => (details = given) })
      const call = await ask({ headers: undefined })
      call.end()
      assert.equal(call.refusal?.code, 'ERR_CREDENTIAL_UNAVAILABLE')
      assertNoLeak(call.refusal, 'FAKE')
      assert(String(details?.cause).includes(cause), String(details?.cause))
    })
  }

  test('there are vectors of each', () =>
    assert.deepEqual([opened?.length, refused?.length], [6, 8]))
})

test('a runtime without Web Crypto is told so', async () => {
  const known = Object.getOwnPropertyDescriptor(globalThis, 'crypto')
  const keys = [new Uint8Array(32)]
  const options = { owner: 'alice', provider: 'github', keys }
  Object.defineProperty(globalThis, 'crypto', { value: undefined, configurable: true })
  try {
    const credential = new OAuthCredential({ accessToken: 'FAKE' })
    await assert.rejects(sealCredential(credential, options), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_VALUE',
      message: /no Web Crypto/,
    })
    const text = opened?.[0]?.text ?? ''
    await assert.rejects(openCredential(text, options), CredentialError)
  } finally {
    if (known) Object.defineProperty(globalThis, 'crypto', known)
  }
})
