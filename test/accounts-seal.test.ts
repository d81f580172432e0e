import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { OAuthCredential, StaticCredential } from 'mcp-credentials'
import { createAccounts, openCredential, sealCredential } from 'mcp-credentials/accounts'
import type { SealCredentialOptions } from 'mcp-credentials/accounts'
import { ask, assertRejects, memoryStore, newKey, PROVIDER, rowOf } from './account-store.ts'
import { assertNoLeak, fakeSecret, fakeToken } from './helper.ts'

const key = newKey()
const options: SealCredentialOptions = { owner: 'alice', provider: PROVIDER, keys: [key] }

/** The base64url of a text. */
const encode = (text: string) =>
  btoa(text).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
const decode = (text: string) => atob(text.replace(/-/g, '+').replace(/_/g, '/'))

/** Seals any text under a header, as somebody could who has the key. */
async function sealRaw(header: object | string, text: string): Promise<string> {
  const start = encode(typeof header === 'string' ? header : JSON.stringify(header))
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const usages = ['encrypt'] as const
  const imported = await crypto.subtle.importKey(
    'raw',
    key as BufferSource,
    'AES-GCM',
    false,
    usages,
  )
  const additionalData = new TextEncoder().encode(start)
  const algorithm = { name: 'AES-GCM', iv, additionalData }
  const data = new TextEncoder().encode(text)
  const sealed = new Uint8Array(await crypto.subtle.encrypt(algorithm, imported, data))
  const binary = (bytes: Uint8Array) => encode(String.fromCharCode(...bytes))
  const end = sealed.length - 16
  return `${start}..${binary(iv)}.${binary(sealed.slice(0, end))}.${binary(sealed.slice(end))}`
}

describe('a sealed credential', () => {
  test('is opened as it was, for its owner and provider', async () => {
    const oauth = new OAuthCredential({
      accessToken: fakeSecret('access'),
      refreshToken: fakeSecret('refresh'),
      clientId: 'client',
      scopes: ['a'],
      expiresAt: new Date('2099-01-02T03:04:05.678Z'),
      extra: { tenant: 'ü' },
    })
    const text = await sealCredential(oauth, options)
    assertNoLeak(text, oauth.accessToken, String(oauth.refreshToken))
    const found = await openCredential(text, options)
    for (const name of ['accessToken', 'refreshToken', 'clientId', 'scopes', 'expiresAt', 'extra'])
      assert.equal(
        JSON.stringify(Reflect.get(found, name)),
        JSON.stringify(Reflect.get(oauth, name)),
      )
    const fields = { apiKey: fakeSecret('key'), empty: '', 'not a name': 'x' }
    const opened = await openCredential(
      await sealCredential(new StaticCredential(fields), options),
      options,
    )
    assert.deepEqual({ ...opened.fields }, fields)
  })

  test('is a compact JWE that names its key, and nothing else', async () => {
    const text = await sealCredential(fakeToken(), options)
    assert.match(text, /^[\w-]+\.\.[\w-]{16}\.[\w-]+\.[\w-]{22}$/)
    const { kid, ...header } = JSON.parse(decode(text.split('.')[0] ?? ''))
    assert.deepEqual(header, { alg: 'dir', enc: 'A256GCM', typ: 'mcp-credential' })
    assert.match(kid, /^[\w-]{43}$/)
    // Never twice the same.
    const credential = fakeToken()
    const texts = [
      await sealCredential(credential, options),
      await sealCredential(credential, options),
    ]
    assert.notEqual(texts[0], texts[1])
  })

  test('is bound to its owner, its provider, and its kind', async () => {
    const credential = fakeToken()
    const text = await sealCredential(credential, options)
    const cases: [more: Partial<SealCredentialOptions>, code: string][] = [
      [{ owner: 'bob' }, 'ERR_CREDENTIAL_UNAVAILABLE'],
      [{ provider: 'google' }, 'ERR_CREDENTIAL_UNAVAILABLE'],
      [{ keys: [newKey()] }, 'ERR_CREDENTIAL_UNAVAILABLE'],
    ]
    for (const [more, code] of cases) {
      const promise = openCredential(text, { ...options, ...more })
      await assertRejects(
        promise,
        code,
        /^The stored account cannot be opened\.$/,
        credential.accessToken,
      )
    }
    const store = memoryStore()
    store.rows.set(rowOf('alice'), text)
    const accounts = createAccounts(PROVIDER, { store, keys: [key] })
    await assertRejects(accounts.get('alice'), 'ERR_CREDENTIAL_UNAVAILABLE', /cannot be opened/)
  })

  const kid = async () =>
    JSON.parse(decode((await sealCredential(fakeToken(), options)).split('.')[0] ?? '')).kid
  const claims = JSON.stringify({
    sub: 'alice',
    aud: PROVIDER,
    credential: { accessToken: 'FAKE-raw-token' },
  })
  const header = { alg: 'dir', enc: 'A256GCM', typ: 'mcp-credential' }
  const RAW: [name: string, header: (kid: string) => object | string, claims: string][] = [
    ['another algorithm', (kid) => ({ ...header, kid, alg: 'A256KW' }), claims],
    ['another encryption', (kid) => ({ ...header, kid, enc: 'A128GCM' }), claims],
    ['no kid', () => header, claims],
    ['a typ more', (kid) => ({ ...header, kid, typ: 'application/mcp-credential' }), claims],
    ['no typ', (kid) => ({ ...header, kid, typ: undefined }), claims],
    ['a compression', (kid) => ({ ...header, kid, zip: 'DEF' }), claims],
    ['what is critical', (kid) => ({ ...header, kid, crit: ['exp'], exp: 1 }), claims],
    ['a header that is a list', () => '[]', claims],
    ['a header that is null', () => 'null', claims],
    ['a header that is no JSON', () => '{', claims],
    ['claims that are no JSON', (kid) => ({ ...header, kid }), '{'],
    ['claims that are a list', (kid) => ({ ...header, kid }), '[]'],
    ['claims that are empty', (kid) => ({ ...header, kid }), ' '],
    ['no claims', (kid) => ({ ...header, kid }), '{}'],
    ['no credential', (kid) => ({ ...header, kid }), `{"sub":"alice","aud":"${PROVIDER}"}`],
  ]
  for (const [name, headerOf, text] of RAW) {
    test(`with ${name} is not opened`, async () => {
      const sealed = await sealRaw(headerOf(await kid()), text)
      const promise = openCredential(sealed, options)
      await assertRejects(
        promise,
        'ERR_CREDENTIAL_UNAVAILABLE',
        /cannot be opened/,
        'FAKE-raw-token',
      )
    })
  }

  test('is not opened, and the operator is told what its header asks for', async () => {
    for (const [more, expected] of [
      [{ alg: 'A256KW' }, 'It is not of "dir" and "A256GCM".'],
      [{ enc: 'A128GCM' }, 'It is not of "dir" and "A256GCM".'],
      [{ typ: 'mcp-account' }, 'Its typ is not "mcp-credential".'],
      [{ zip: 'DEF' }, 'Its header asks for more.'],
      [{ crit: ['exp'], exp: 1 }, 'Its header asks for more.'],
    ] as const) {
      const sealed = await sealRaw({ ...header, kid: await kid(), ...more }, claims)
      const { call, cause } = await ask(() => openCredential(sealed, options), 'alice')
      assert.equal(call.refusal?.code, 'ERR_CREDENTIAL_UNAVAILABLE')
      assert.equal((cause as Error).message, expected)
    }
  })

  test('that somebody made with the key is opened: the control of the cases above', async () => {
    const sealed = await sealRaw({ ...header, kid: await kid() }, claims)
    assert.equal((await openCredential(sealed, options)).accessToken, 'FAKE-raw-token')
  })

  test('whose header is spelt otherwise is not opened', async () => {
    const text = await sealCredential(fakeToken(), options)
    const [start = '', ...others] = text.split('.')
    // The last character has bits that mean nothing, and a text of length 1 modulo 4 is no base64 at all.
    for (const changed of [`${start}A`, `${start.slice(0, -1)}`, `${start}=`, `A${start}`]) {
      const promise = openCredential([changed, ...others].join('.'), options)
      await assertRejects(promise, 'ERR_CREDENTIAL_UNAVAILABLE', /cannot be opened/)
    }
  })

  test('of many keys is opened, however many there were', async () => {
    const credential = fakeToken()
    for (let count = 0; count < 1010; count++) {
      const one = { ...options, keys: [newKey()] }
      if (count % 100 > 0 && count < 1000) await sealCredential(credential, one)
      else {
        const found = await openCredential(await sealCredential(credential, one), one)
        assert.equal(found.accessToken, credential.accessToken)
      }
    }
  })
})

test('what is misused is a TypeError that shows nothing', async () => {
  const credential = fakeToken()
  const secret = fakeSecret('key!')
  const cases: [attempt: () => Promise<unknown>, message: RegExp][] = [
    [() => sealCredential({} as never, options), /sealCredential takes/],
    [
      () => sealCredential(credential, undefined as never),
      /of sealCredential must be given as an object/,
    ],
    [() => sealCredential(credential, { ...options, owner: '' }), /owner of an account/],
    [
      () => sealCredential(credential, { ...options, provider: '\ud800' }),
      /provider of an account/,
    ],
    [() => sealCredential(credential, { ...options, keys: [] }), /at least one key/],
    [() => sealCredential(credential, { ...options, keys: [secret] }), /must have 32 bytes/],
    [() => openCredential('', { ...options, keys: [secret] }), /must have 32 bytes/],
    [
      () => openCredential('', { ...options, subject: 'alice' } as never),
      /not an option of openCredential/,
    ],
  ]
  for (const [attempt, message] of cases) {
    await assert.rejects(attempt, (error: unknown) => {
      assert(error instanceof TypeError, String(error))
      assert.match(String(Reflect.get(error, 'code')), /^ERR_INVALID_ARG_(TYPE|VALUE)$/)
      assert.match(error.message, message)
      assertNoLeak(error, secret, credential.accessToken)
      return true
    })
  }
  for (const text of [undefined, null, 7, {}, ['a'], ''] as string[])
    await assertRejects(
      openCredential(text, options),
      'ERR_CREDENTIAL_UNAVAILABLE',
      /cannot be opened/,
    )
})
