import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  createAdapter,
  CredentialError,
  getCredentials,
  OAuthCredential,
  runWithCredentials,
  StaticCredential,
  tryGetCredentials,
} from 'mcp-credentials'
import { createAccounts, sealCredential } from 'mcp-credentials/accounts'
import { redactSecrets } from 'mcp-credentials/redact'
import {
  ask,
  assertRejects,
  CONNECT,
  connectError,
  credentialOf,
  fixture,
  memoryStore,
  newKey,
  ownerOf,
  PROVIDER,
  rowOf,
  sourceOf,
  ticketOf,
} from './account-store.ts'
import { assertNoLeak, fakeSecret, fakeToken } from './helper.ts'
import { expired, inSeconds, refreshTokenOf } from './oauth-endpoint.ts'

describe('accounts', () => {
  test('are saved sealed, and given to their owner alone', async () => {
    const { accounts, store } = fixture()
    const [alice, bob] = [fakeToken(), fakeToken()]
    await accounts.save('alice', alice)
    await accounts.save('bob', bob)
    for (const [owner, credential] of [
      ['alice', alice],
      ['bob', bob],
    ] as const) {
      const { call } = await ask(sourceOf(accounts), owner)
      assert.equal(credentialOf(call).accessToken, credential.accessToken)
      assert.equal((await accounts.get(owner))?.accessToken, credential.accessToken)
    }
    assertNoLeak([...store.rows.entries()].join(), alice.accessToken, bob.accessToken)
    assert.equal(await accounts.get('carol'), undefined)
  })

  test('of two providers in one store are two accounts', async () => {
    const store = memoryStore()
    const keys = [newKey()]
    const github = createAccounts('github', { store, keys })
    const google = createAccounts('google', { store, keys })
    const [one, other] = [fakeToken(), fakeToken()]
    await github.save('alice', one)
    assert.equal(await google.get('alice'), undefined)
    await google.save('alice', other)
    assert.equal((await github.get('alice'))?.accessToken, one.accessToken)
    assert.equal((await google.get('alice'))?.accessToken, other.accessToken)
    const ticket = await github.connect('alice')
    await assertRejects(google.check(ticket, { owner: 'alice' }), 'ERR_CREDENTIAL_UNTRUSTED', /^/)
  })

  test('hold every property of a credential of either type', async () => {
    const { accounts } = fixture()
    const properties = {
      accessToken: fakeSecret('access'),
      refreshToken: fakeSecret('refresh'),
      clientId: 'client',
      clientSecret: fakeSecret('secret'),
      tokenUri: 'https://auth.example/token',
      scopes: ['a', 'b'],
      expiresAt: new Date('2099-01-02T03:04:05.678Z'),
      extra: { tenant: 'acme', nested: [{ deep: 'ü' }] },
    }
    await accounts.save('alice', new OAuthCredential(properties))
    const found = await accounts.remove('alice')
    assert(found instanceof OAuthCredential)
    for (const [name, value] of Object.entries(properties))
      assert.equal(JSON.stringify(Reflect.get(found, name)), JSON.stringify(value), name)
    const fields = { apiKey: fakeSecret('key'), empty: '' }
    await accounts.save('alice', new StaticCredential(fields))
    const key = await accounts.get('alice')
    assert(key instanceof StaticCredential)
    assert.deepEqual({ ...key.fields }, fields)
  })

  test('are given to calls without what refreshes them', async () => {
    const { accounts } = fixture()
    const saved = {
      accessToken: fakeSecret('bare-access'),
      scopes: ['a'],
      expiresAt: inSeconds(3600),
      extra: { tenant: 'acme' },
    }
    const [refreshToken, clientSecret] = [fakeSecret('bare-refresh'), fakeSecret('bare-secret')]
    const client = { clientId: 'client', clientSecret, tokenUri: 'https://auth.example/token' }
    await accounts.save('alice', new OAuthCredential({ ...saved, ...client, refreshToken }))
    const { call } = await ask(sourceOf(accounts), 'alice')
    for (const found of [await accounts.get('alice'), credentialOf(call)]) {
      assert(found)
      for (const [name, value] of Object.entries(saved))
        assert.equal(JSON.stringify(Reflect.get(found, name)), JSON.stringify(value), name)
      for (const name of ['refreshToken', 'clientId', 'clientSecret', 'tokenUri'])
        assert.equal(Reflect.get(found, name), undefined, name)
    }
  })

  test('are removed, once, with what is to be revoked', async () => {
    const { accounts, store } = fixture()
    const credential = fakeToken()
    await accounts.save('alice', credential)
    assert.equal((await accounts.remove('alice'))?.accessToken, credential.accessToken)
    assert.equal(store.rows.size, 0)
    const { swap } = store.calls
    assert.equal(await accounts.remove('alice'), undefined)
    assert.equal(store.calls.swap, swap)
    assert.equal(await accounts.get('alice'), undefined)
  })

  test('are told apart by their header from what sealCredential seals', async () => {
    const { accounts, store } = fixture()
    await accounts.save('alice', fakeToken())
    const [header = ''] = (store.rows.get(rowOf('alice')) ?? '').split('.')
    assert.equal(JSON.parse(atob(header.replace(/-/g, '+').replace(/_/g, '/'))).typ, 'mcp-account')
  })

  test('taken within a call are scrubbed from what it sends', async () => {
    const { accounts } = fixture()
    const [inbound, account] = [fakeToken(), fakeToken()]
    await accounts.save('alice', account)
    const sent = await runWithCredentials(inbound, async () => {
      const found = await accounts.get('alice')
      return redactSecrets(`${found?.accessToken} ${inbound.accessToken}`)
    })
    if (tryGetCredentials() === undefined && (await runWithCredentials(inbound, isInScope)))
      assertNoLeak(sent, account.accessToken, inbound.accessToken)
    assert.equal(await accounts.get('bob'), undefined)
  })

  test('of two providers serve one call, the second in a scope of its own', async () => {
    const store = memoryStore()
    const keys = [newKey()]
    const github = createAccounts('github', { store, keys })
    const google = createAccounts('google', { store, keys })
    await github.save('alice', fakeToken())
    await google.save('alice', fakeToken())
    const [one, other] = [await github.get('alice'), await google.get('alice')]
    assert(one && other)
    const sent = runWithCredentials(one, () =>
      runWithCredentials(other, () => {
        const { accessToken } = getCredentials('oauth')
        assert.equal(accessToken, other.accessToken)
        return redactSecrets(`${one.accessToken} ${accessToken}`)
      }),
    )
    assertNoLeak(sent, String(one.accessToken), String(other.accessToken))
  })
})

async function isInScope(): Promise<boolean> {
  await undefined
  return tryGetCredentials() !== undefined
}

describe('a source of accounts', () => {
  test('asks to connect an account that is not there, with a short URL that tells nothing', async () => {
    const { accounts, store } = fixture()
    const { call } = await ask(sourceOf(accounts), 'alice@example.com')
    const error = connectError(call)
    assert.equal(error.code, 'ERR_CREDENTIAL_CONNECT')
    assert.match(error.message, /^The account has to be connected first\. Open https:/)
    assert.match(error.url, /^https:\/\/mcp\.example\.com\/connect\/github\?ticket=[\w-]{46}$/)
    assert.equal(error.url.length, CONNECT.length + 8 + 46)
    assert.doesNotMatch(atob(ticketOf(call).replace(/-/g, '+').replace(/_/g, '/')), /alice|example/)
    assert.deepEqual([store.rows.size, store.calls.swap], [0, 0])
  })

  test('goes on once the account was connected, which it tells without a new ticket', async () => {
    const { accounts, store } = fixture()
    const source = sourceOf(accounts)
    const { call } = await ask(source, 'alice')
    const { isConnected } = connectError(call)
    assert(isConnected)
    assert.equal(await isConnected(), false)
    const credential = fakeToken()
    await accounts.redeem(ticketOf(call), { owner: 'alice', credential })
    const { swap } = store.calls
    assert.equal(await isConnected(), true)
    assert.equal(store.calls.swap, swap)
    // Also with a token that has expired, but can be refreshed.
    await accounts.save('alice', expired(refreshTokenOf('connected')))
    assert.equal(await isConnected(), true)
    await accounts.save('alice', credential)
    const again = await ask(source, 'alice')
    assert.equal(credentialOf(again.call).accessToken, credential.accessToken)
  })

  test('asks for what was granted and what is wanted together, where a scope is lacking', async () => {
    const { accounts } = fixture()
    const source = sourceOf(accounts, ['profile'])
    const scopes = ['profile', 'mail']
    await accounts.save('alice', new OAuthCredential({ accessToken: fakeSecret('a'), scopes }))
    credentialOf((await ask(source, 'alice', { scopes: ['mail'] })).call)
    const { call } = await ask(source, 'alice', { scopes: ['calendar'] })
    const error = connectError(call)
    assert.match(error.message, /must be connected with more permissions/)
    assert.deepEqual(error.scopes, ['profile', 'mail', 'calendar'])
    const asked = await accounts.check(ticketOf(call), { owner: 'alice' })
    assert.deepEqual(asked.scopes, ['profile', 'mail', 'calendar'])
    assert.equal(await error.isConnected?.(), false)
    const more = [...scopes, 'calendar']
    const credential = new OAuthCredential({ accessToken: fakeSecret('b'), scopes: more })
    await accounts.redeem(ticketOf(call), { owner: 'alice', credential })
    assert.equal(await error.isConnected?.(), true)
  })

  test('takes an account whose scopes are unknown', async () => {
    const { accounts } = fixture()
    const key = new StaticCredential({ apiKey: fakeSecret('key') })
    await accounts.save('alice', key)
    credentialOf((await ask(sourceOf(accounts, ['a']), 'alice', { scopes: ['b'] })).call)
  })

  test('asks to connect again what has expired and cannot be refreshed', async () => {
    const { accounts } = fixture()
    const source = sourceOf(accounts)
    const accessToken = fakeSecret('short')
    await accounts.save('alice', new OAuthCredential({ accessToken, expiresAt: inSeconds(30) }))
    credentialOf((await ask(source, 'alice')).call)
    await accounts.save('alice', new OAuthCredential({ accessToken, expiresAt: inSeconds(-1) }))
    const { call } = await ask(source, 'alice')
    assert.match(connectError(call).message, /has to be connected again/)
    assert.equal(await connectError(call).isConnected?.(), false)
    assert.equal(await accounts.get('alice'), undefined)
  })

  test('refuses a call without a user, whoever else is connected', async () => {
    const { accounts, store } = fixture()
    await accounts.save('undefined', fakeToken())
    const { call } = await ask(sourceOf(accounts), undefined)
    assert.equal(call.refusal?.code, 'ERR_CREDENTIAL_MISSING')
    assert.match(`${call.refusal?.message}`, /no user that was verified/)
    assert.equal(store.calls.load, 1)
    for (const wrong of ['', '\ud800', 7, null, Promise.resolve('alice')]) {
      const { call, cause } = await ask(sourceOf(accounts), wrong as string)
      assert.equal(call.refusal?.code, 'ERR_CREDENTIAL_UNAVAILABLE')
      assert.match(String(cause), /^TypeError: The owner of an account must be a string, not empty/)
    }
  })

  test('says whose account it was, for the operator', async () => {
    const { accounts } = fixture()
    await accounts.save('alice', fakeToken())
    const labels: unknown[] = []
    const adapter = createAdapter(sourceOf(accounts), { onCall: ({ label }) => labels.push(label) })
    for (const sub of ['alice', 'bob', undefined, 7, ''])
      (await adapter({ headers: undefined, authInfo: { sub } })).end()
    assert.deepEqual(labels, ['alice', 'bob', undefined, undefined, undefined])
  })

  test('makes its URL as it is told', async () => {
    const { accounts } = fixture()
    const urls: [connect: Parameters<typeof accounts.source>[0]['connect'], url: RegExp][] = [
      ['https://a.example/c?p=1', /^https:\/\/a\.example\/c\?p=1&ticket=[\w-]{46}$/],
      [(ticket) => `https://b.example/${ticket}`, /^https:\/\/b\.example\/[\w-]{46}$/],
      [(_, { tool }) => `https://c.example/${tool}`, /^https:\/\/c\.example\/mail$/],
    ]
    for (const [connect, url] of urls) {
      const source = accounts.source({ owner: ownerOf, connect })
      const { call } = await ask(source, 'alice', { tool: 'mail' })
      assert.match(connectError(call).url, url)
    }
  })

  test('tells a store that fails from an account that is not connected', async () => {
    const { accounts, store } = fixture()
    const source = sourceOf(accounts)
    const failure = new Error('FAKE: connect ECONNREFUSED db-host-FAKE:5432')
    const fail = () => {
      throw failure
    }
    await accounts.save('alice', fakeToken())
    store.before.load.push(fail)
    const { call, cause } = await ask(source, 'alice')
    assert.equal(call.refusal?.code, 'ERR_CREDENTIAL_UNAVAILABLE')
    assertNoLeak(call.refusal, 'db-host-FAKE')
    assert.equal(cause, failure)
    credentialOf((await ask(source, 'alice')).call)
    const absent = connectError((await ask(source, 'bob')).call)
    store.before.load.push(fail)
    await assertRejects(
      Promise.resolve(absent.isConnected?.()),
      'ERR_CREDENTIAL_UNAVAILABLE',
      /cannot be reached/,
      'db-host-FAKE',
    )
  })

  test('takes null of a store for nothing, and nothing else that is no text', async () => {
    const { accounts, store } = fixture()
    const given = (value: unknown) => {
      store.load = async () => value as string
    }
    given(null)
    connectError((await ask(sourceOf(accounts), 'alice')).call)
    for (const value of [{ text: 'x' }, 7, new Uint8Array(3)]) {
      given(value)
      const { call, cause } = await ask(sourceOf(accounts), 'alice')
      assert.equal(call.refusal?.code, 'ERR_CREDENTIAL_UNAVAILABLE')
      assert.match(String(cause), /It is no JWE/)
    }
  })

  test('takes true of a swap for a yes, and nothing else', async () => {
    const { accounts, store } = fixture()
    for (const value of [undefined, 1, 'true', { rowCount: 1 }]) {
      store.swap = async () => value as unknown as boolean
      const promise = accounts.save('alice', fakeToken())
      await assertRejects(promise, 'ERR_CREDENTIAL_UNAVAILABLE', /cannot be reached/)
    }
  })

  test('gives up on a store whose swap never succeeds', async () => {
    const { accounts, store } = fixture()
    let tries = 0
    store.swap = async () => {
      tries += 1
      return false
    }
    const promise = accounts.save('alice', fakeToken())
    await assertRejects(promise, 'ERR_CREDENTIAL_UNAVAILABLE', /cannot be reached/)
    assert.equal(tries, 200)
    const { accounts: due, store: other } = fixture()
    await due.save('alice', expired(refreshTokenOf('never')))
    other.swap = store.swap
    const { cause } = await ask(sourceOf(due), 'alice')
    assert.match(String(cause), /swap\(\) of the store failed 200 times: does a row hold/)
  })
})

describe('what is sealed', () => {
  const cases: [name: string, change: (text: string, other: string) => string, cause: RegExp][] = [
    ['that was moved from another owner', (_, other) => other, /sealed for another owner/],
    ['with another last character', (text) => `${text.slice(0, -1)}-`, /no JWE|changed/],
    ['that was cut', (text) => text.slice(0, -5), /or was cut/],
    ['without a part', (text) => text.slice(0, text.lastIndexOf('.')), /no JWE/],
    ['with a part more', (text) => `${text}.`, /no JWE/],
    ['with an encrypted key', (text) => text.replace('..', '.AAAA.'), /no JWE/],
    ['that is no JWE', () => 'FAKE', /no JWE/],
    ['with a header of no possible length', (text) => lengthen(text, 0), /no JWE/],
    ['with a body of no possible length', (text) => lengthen(text, 3), /no JWE/],
    ['that is empty', () => '', /no JWE/],
    ['with white space', (text) => ` ${text}`, /./],
    ['without a header', (text) => text.slice(text.indexOf('.')), /./],
    ['whose body was changed', (text) => changePart(text, 3), /It was changed/],
    ['whose nonce was changed', (text) => changePart(text, 2), /It was changed/],
  ]
  for (const [name, change, expected] of cases) {
    test(`${name} shows nothing, disconnects nobody, and is not written over`, async () => {
      const { accounts, store } = fixture()
      const [mine, others] = [fakeToken(), fakeToken()]
      await accounts.save('alice', mine)
      await accounts.save('bob', others)
      const other = store.rows.get(rowOf('bob')) ?? ''
      const changed = change(store.rows.get(rowOf('alice')) ?? '', other)
      store.rows.set(rowOf('alice'), changed)
      const { call, cause } = await ask(sourceOf(accounts), 'alice')
      assert.equal(call.refusal?.code, 'ERR_CREDENTIAL_UNAVAILABLE')
      assert.equal(call.refusal?.message, 'The stored account cannot be opened.')
      assert.match(String(cause), expected)
      assertNoLeak(cause, mine.accessToken, others.accessToken)
      const ticket = await accounts.connect('alice')
      const by = { owner: 'alice', credential: fakeToken() }
      for (const attempt of [
        () => accounts.get('alice'),
        () => accounts.remove('alice'),
        () => accounts.save('alice', fakeToken()),
        () => accounts.check(ticket, by),
        () => accounts.redeem(ticket, by),
      ])
        await assertRejects(attempt(), 'ERR_CREDENTIAL_UNAVAILABLE', /cannot be opened/)
      assert.equal(store.rows.get(rowOf('alice')), changed)
      credentialOf((await ask(sourceOf(accounts), 'bob')).call)
    })
  }

  test('with a key that is gone names that key to the operator', async () => {
    const { accounts, store } = fixture()
    await accounts.save('alice', fakeToken())
    const later = createAccounts(PROVIDER, { store, keys: [newKey(), newKey()] })
    const { call, cause } = await ask(sourceOf(later), 'alice')
    assert.equal(call.refusal?.code, 'ERR_CREDENTIAL_UNAVAILABLE')
    assert.match(String(cause), /Its key is not among the keys: the kid is [\w-]{43}\.$/)
  })

  test('for another provider is not opened', async () => {
    const { accounts, store, keys } = fixture()
    await accounts.save('alice', fakeToken())
    store.rows.set(rowOf('alice', 'google'), store.rows.get(rowOf('alice')) ?? '')
    const google = createAccounts('google', { store, keys })
    const { cause } = await ask(sourceOf(google), 'alice')
    assert.match(String(cause), /sealed for another provider/)
  })

  test('is opened while keys are replaced: [old, new], [new, old], [new]', async () => {
    const store = memoryStore()
    const [old, next] = [newKey(), newKey()]
    const credential = fakeToken()
    let swaps = 0
    for (const keys of [[old], [old, next], [next, old], [next]]) {
      const accounts = createAccounts(PROVIDER, { store, keys })
      if (swaps > 0)
        assert.equal((await accounts.get('alice'))?.accessToken, credential.accessToken)
      await accounts.save('alice', credential)
      swaps += 1
    }
    assert.equal(swaps, 4)
  })

  test('is opened by copies of the keys, whatever becomes of those', async () => {
    const key = newKey()
    const keys = [key]
    const { accounts } = fixture({ keys })
    key.fill(0)
    keys[0] = newKey()
    await accounts.save('alice', fakeToken())
    assert((await accounts.get('alice')) instanceof OAuthCredential)
  })
})

/** Makes a part as long as no base64url is. */
function lengthen(text: string, index: number): string {
  const parts = text.split('.')
  let part = parts[index] ?? ''
  while (part.length % 4 !== 1) part += 'A'
  parts[index] = part
  return parts.join('.')
}

function changePart(text: string, index: number): string {
  const parts = text.split('.')
  const part = parts[index] ?? ''
  parts[index] = `${part.startsWith('A') ? 'B' : 'A'}${part.slice(1)}`
  return parts.join('.')
}

describe('what is given to createAccounts', () => {
  const keys = [newKey()]
  const store = memoryStore()
  const wrong: [name: string, create: () => unknown, message: RegExp][] = [
    ['no provider', () => createAccounts('', { store, keys }), /provider of an account/],
    ['no options', () => createAccounts('a', undefined as never), /must be given as an object/],
    ['no store', () => createAccounts('a', { keys } as never), /needs load and swap/],
    ['half a store', () => createAccounts('a', { store: {}, keys } as never), /load and swap/],
    [
      'a store that cannot be written',
      () => createAccounts('a', { store: { load: store.load }, keys } as never),
      /load and swap/,
    ],
    [
      'a leeway that is none',
      () => createAccounts('a', { store, keys, refresh: { leewaySeconds: -1 } }),
      /leewaySeconds/,
    ],
    [
      'a misspelt option of a source',
      () =>
        createAccounts('a', { store, keys }).source({
          owner: ownerOf,
          connect: CONNECT,
          scope: ['a'],
        } as never),
      /"scope" is not an option of source/,
    ],
    ['no keys', () => createAccounts('a', { store } as never), /at least one key/],
    ['an empty list of keys', () => createAccounts('a', { store, keys: [] }), /at least one key/],
    [
      'a misspelt option',
      () => createAccounts('a', { store, keys, key: 1 } as never),
      /not an option of createAccounts/,
    ],
    [
      'a misspelt option of refresh',
      () => createAccounts('a', { store, keys, refresh: { leeway: 1 } as never }),
      /"leeway" is not an option of refresh/,
    ],
    [
      'no time for a request',
      () => createAccounts('a', { store, keys, refresh: { timeoutSeconds: 0 } }),
      /timeoutSeconds must be more than 0/,
    ],
    [
      'a source without an owner',
      () => createAccounts('a', { store, keys }).source({ connect: CONNECT } as never),
      /needs owner and connect/,
    ],
    [
      'a source without a page',
      () => createAccounts('a', { store, keys }).source({ owner: ownerOf } as never),
      /needs owner and connect/,
    ],
    [
      'a page that is no URL',
      () => createAccounts('a', { store, keys }).source({ owner: ownerOf, connect: '/connect' }),
      /takes the URL of a page/,
    ],
  ]
  for (const connect of [
    'https://a.example/c#top',
    'https://a.example/#',
    'https://a.example/#/c?p',
  ])
    wrong.push([
      `${connect}, where the ticket would not reach the server,`,
      () => createAccounts('a', { store, keys }).source({ owner: ownerOf, connect }),
      /connect takes a URL without a #/,
    ])
  for (const [name, create, message] of wrong) {
    test(`${name} is a TypeError`, () => {
      const code = /^ERR_INVALID_ARG_(TYPE|VALUE)$/
      assert.throws(create, { name: 'TypeError', message, code })
    })
  }

  test('a key is 32 bytes, or their text in base64 or base64url', async () => {
    const key = Uint8Array.from({ length: 32 }, (_, index) => 255 - 3 * index)
    const base64 = btoa(String.fromCharCode(...key))
    const base64url = base64.replace(/\+/g, '-').replace(/\//g, '_').replace('=', '')
    assert(base64url.includes('_') || base64url.includes('-'))
    const rows = memoryStore()
    await createAccounts('a', { store: rows, keys: [key] }).save('alice', fakeToken())
    for (const text of [base64, base64.replace('=', ''), base64url]) {
      const accounts = createAccounts('a', { store: rows, keys: [text] })
      assert((await accounts.get('alice')) instanceof OAuthCredential)
    }
  })

  test('any other key is refused, and not shown', () => {
    // Without the sign it might be base64 of 32 bytes, by its number.
    const secret = fakeSecret('key!')
    const wrongKeys = [
      secret,
      secret.slice(0, 32),
      '',
      'a'.repeat(32),
      'a'.repeat(42),
      'a'.repeat(43),
      'a'.repeat(44),
      'a'.repeat(63),
      'a'.repeat(64),
      ` ${'A'.repeat(43)}`,
      `${'A'.repeat(20)}=${'A'.repeat(23)}`,
      new Uint8Array(31),
      new Uint8Array(33),
      7,
      undefined,
      null,
      Array.from({ length: 32 }, () => 0),
    ]
    for (const key of wrongKeys) {
      assert.throws(
        () => createAccounts('a', { store, keys: [newKey(), key as string] }),
        (error: unknown) => {
          assert(error instanceof TypeError)
          assert.match(error.message, /must have 32 bytes/)
          assertNoLeak(error, secret)
          return true
        },
      )
    }
  })

  test('an owner that is no text is refused everywhere', async () => {
    const { accounts } = fixture()
    const credential = fakeToken()
    const ticket = await accounts.connect('alice')
    for (const owner of ['', undefined, null, 7, '\udc00', {}] as string[]) {
      for (const attempt of [
        () => accounts.get(owner),
        () => accounts.save(owner, credential),
        () => accounts.remove(owner),
        () => accounts.connect(owner),
        () => accounts.check(ticket, { owner }),
        () => accounts.redeem(ticket, { owner, credential }),
      ])
        await assert.rejects(attempt, { name: 'TypeError', message: /owner of an account/ })
    }
    await assert.rejects(accounts.check(ticket, undefined as never), { name: 'TypeError' })
  })

  test('what is no credential, or could not be refreshed, is not saved', async () => {
    const { accounts, store } = fixture()
    const ticket = await accounts.connect('alice')
    const half = { accessToken: fakeSecret('half'), refreshToken: fakeSecret('half') }
    const cases: [credential: unknown, message: RegExp][] = [
      [undefined, /takes a StaticCredential or an OAuthCredential/],
      [{ ...half }, /takes a StaticCredential or an OAuthCredential/],
      [new OAuthCredential(half), /without its clientId and tokenUri/],
      [new OAuthCredential({ ...half, clientId: 'c' }), /without its clientId and tokenUri/],
    ]
    const code = /^ERR_INVALID_ARG_(TYPE|VALUE)$/
    for (const [given, message] of cases) {
      const credential = given as OAuthCredential
      for (const [caller, attempt] of [
        ['save', () => accounts.save('alice', credential)],
        ['redeem', () => accounts.redeem(ticket, { owner: 'alice', credential })],
      ] as const) {
        await assert.rejects(attempt, { name: 'TypeError', message, code })
        await assert.rejects(attempt, { message: new RegExp(`^${caller} takes`) })
      }
    }
    assert.equal(store.rows.size, 0)
    await accounts.save('alice', expired(refreshTokenOf('saved')))
  })
})

describe('a ticket', () => {
  test("is the owner's alone, and asks for its scopes", async () => {
    const { accounts } = fixture()
    for (const scopes of [[], ['a'], ['repo', 'read:user', 'https://www.example.com/auth/x']]) {
      const ticket = await accounts.connect('alice', scopes)
      assert.deepEqual((await accounts.check(ticket, { owner: 'alice' })).scopes, scopes)
      for (const owner of ['bob', 'Alice', 'alice ', 'alice\0'])
        await assertNotYours(accounts.check(ticket, { owner }))
      const by = { owner: 'bob', credential: fakeToken() }
      await assertNotYours(accounts.redeem(ticket, by))
      assert.equal(await accounts.get('bob'), undefined)
    }
    await assertRejects(
      accounts.connect('alice', ['a b']),
      'ERR_CREDENTIAL_INVALID',
      /^scopes must/,
    )
  })

  test('is spent by being redeemed, and by nothing else', async () => {
    const { accounts } = fixture()
    const by = { owner: 'alice', credential: fakeToken() }
    const ticket = await accounts.connect('alice')
    for (let times = 0; times < 3; times++) await accounts.check(ticket, by)
    await accounts.redeem(ticket, by)
    await assertNotYours(accounts.check(ticket, by))
    await assertNotYours(accounts.redeem(ticket, by))
    await accounts.check(await accounts.connect('alice'), by)
  })

  test('that was spent stays so when the account is removed, saved, and connected again', async () => {
    const { accounts, store } = fixture()
    const by = { owner: 'alice', credential: fakeToken() }
    const [first, second] = [await accounts.connect('alice'), await accounts.connect('alice')]
    await accounts.redeem(first, by)
    await accounts.remove('alice')
    assert.equal(store.rows.size, 1)
    await assertNotYours(accounts.redeem(first, by))
    assert.equal(await accounts.get('alice'), undefined)
    await accounts.redeem(second, by)
    await accounts.save('alice', fakeToken())
    for (const ticket of [first, second]) await assertNotYours(accounts.check(ticket, by))
  })

  test('is redeemed once, by however many at a time', async () => {
    const { accounts } = fixture()
    const ticket = await accounts.connect('alice')
    const attempts = Array.from({ length: 20 }, () =>
      accounts.redeem(ticket, { owner: 'alice', credential: fakeToken() }),
    )
    const results = await Promise.allSettled(attempts)
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1)
  })

  test('expires, and is forgotten then', async () => {
    const { accounts, store } = fixture({ linkSeconds: 60 })
    const by = { owner: 'alice', credential: fakeToken() }
    await withTime(async (advance) => {
      const [ticket, spent] = [await accounts.connect('alice'), await accounts.connect('alice')]
      await accounts.redeem(spent, by)
      advance(58)
      await accounts.check(ticket, by)
      advance(3)
      await assertNotYours(accounts.check(ticket, by))
      await assertNotYours(accounts.redeem(ticket, by))
      await accounts.remove('alice')
      assert.equal(store.rows.size, 0)
    })
  })

  test('is good for so many seconds, and not at the next', async () => {
    const { accounts, store } = fixture({ linkSeconds: 60 })
    const by = { owner: 'alice', credential: fakeToken() }
    const { now } = Date
    const start = 4_000_000_000_000
    try {
      Date.now = () => start
      const [ticket, spent] = [await accounts.connect('alice'), await accounts.connect('alice')]
      await accounts.redeem(spent, by)
      Date.now = () => start + 59_999
      await accounts.check(ticket, by)
      Date.now = () => start + 60_000
      await assertNotYours(accounts.check(ticket, by))
      await accounts.remove('alice')
      assert.equal(store.rows.size, 0)
    } finally {
      Date.now = now
    }
  })

  test('is good under either key while keys are replaced', async () => {
    const store = memoryStore()
    const [old, next] = [newKey(), newKey()]
    const by = { owner: 'alice' }
    const ticket = await createAccounts(PROVIDER, { store, keys: [old] }).connect('alice')
    await createAccounts(PROVIDER, { store, keys: [next, old] }).check(ticket, by)
    await assertNotYours(createAccounts(PROVIDER, { store, keys: [next] }).check(ticket, by))
  })

  test("that is anything else is not the owner's, for one and the same reason", async () => {
    const { accounts, keys } = fixture()
    const by = { owner: 'alice', credential: fakeToken() }
    const ticket = await accounts.connect('alice', ['a', 'b'])
    const without = await accounts.connect('alice')
    const sealed = await sealCredential(fakeToken(), { owner: 'alice', provider: PROVIDER, keys })
    const forged = [
      '',
      ticket.slice(0, -1),
      ticket.slice(0, 46),
      ticket.slice(16),
      `${ticket}A`,
      `${ticket}AAAA`,
      `${ticket}=`,
      `${ticket} `,
      ` ${ticket}`,
      ...[0, 15, 16, 23, 24, ticket.length - 2].map((index) => changeAt(ticket, index)),
      // The nonce of one, and what was sealed with that of another.
      without.slice(0, 16) + ticket.slice(16),
      sealed,
      sealed.split('.').slice(2).join(''),
      'A'.repeat(16),
      'A'.repeat(46),
      '-'.repeat(46),
      'A'.repeat(1_000_000),
      undefined,
      null,
      7,
      {},
      [ticket, ticket],
    ] as string[]
    for (const one of forged) {
      await assertNotYours(accounts.check(one, by))
      await assertNotYours(accounts.redeem(one, by))
    }
    await accounts.redeem(ticket, by)
  })
})

const changeAt = (text: string, index: number) =>
  `${text.slice(0, index)}${text[index] === 'A' ? 'B' : 'A'}${text.slice(index + 1)}`

async function assertNotYours(promise: Promise<unknown>): Promise<void> {
  const error = await assertRejects(promise, 'ERR_CREDENTIAL_UNTRUSTED', /^This link is not yours/)
  assert(error instanceof CredentialError)
  assert.equal(error.isServerFault, false)
}

async function withTime(fn: (advance: (seconds: number) => void) => Promise<void>): Promise<void> {
  const { now } = Date
  let time = now()
  Date.now = () => time
  try {
    await fn((seconds) => {
      time += seconds * 1000
    })
  } finally {
    Date.now = now
  }
}
