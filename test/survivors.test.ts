// Cases that changes of the code, or a property test, have shown to be missing elsewhere.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fromEnv, OAuthCredential, parseEnv, parseHeaders, StaticCredential } from 'mcp-credentials'
import { cached } from 'mcp-credentials/cache'
import { createRefresher } from 'mcp-credentials/oauth'
import { redactSecrets } from 'mcp-credentials/redact'
import { createSignatureVerifier, signHeaders } from 'mcp-credentials/signature'
import { assertRefused, fakeSecret, fakeToken } from './helper.ts'
import {
  assertFails,
  endpoint,
  expired,
  inSeconds,
  refreshTokenOf,
  withClock,
} from './oauth-endpoint.ts'

describe('refreshing', () => {
  test('a pause that a clock set back has ended does not come on again as the clock goes on', async () => {
    await withClock(async (advance) => {
      const busy = () => new Response('', { status: 429, headers: { 'retry-after': '120' } })
      const { fetch, sent } = endpoint(
        (_, count) => (count === 1 ? busy() : { access_token: `FAKE-access-${count}` }),
        0,
      )
      const refresh = createRefresher({ fetch })
      const credential = expired(refreshTokenOf('clock-set-back'))
      const reason = 'the token endpoint answered with 429.'
      await assertFails(refresh(credential), reason, { status: 429, retryAfter: 120 })
      advance(-30)
      const successor = await refresh(credential)
      assert.equal(successor.accessToken, 'FAKE-access-2')
      advance(59)
      const next = await refresh(successor, { force: true })
      assert.equal(next.accessToken, 'FAKE-access-3')
      assert.equal(sent.length, 3)
    })
  })
  test('two fresh credentials with one refresh token are each given back, and nothing is sent', async () => {
    const { fetch, sent } = endpoint(() => assert.fail('Nothing has to be refreshed.'))
    const refresh = createRefresher({ fetch })
    const refreshToken = refreshTokenOf('two-fresh')
    const fresh = ['one', 'other'].map((name) =>
      expired(refreshToken, { accessToken: `FAKE-access-${name}`, expiresAt: inSeconds(3600) }),
    )
    const found = await Promise.all([...fresh, ...fresh].map((credential) => refresh(credential)))
    assert.deepEqual(
      found.map((credential, index) => credential === fresh[index % 2]),
      [true, true, true, true],
    )
    assert.equal(sent.length, 0)
  })
})

describe('scrubbing', () => {
  const bytesOf = (text: string) => [...new TextEncoder().encode(text)]
  const hexOf = (text: string) => bytesOf(text).map((byte) => byte.toString(16).padStart(2, '0'))
  const base64 = (text: string) => btoa(String.fromCharCode(...bytesOf(text)))
  const holding = (secret: string) => new StaticCredential({ secret })

  // Made up, in the alphabets and lengths of the field.
  const TOKENS: readonly (readonly [kind: string, token: string])[] = [
    ['letters and digits', 'Fk7qZ1wXv9pRt3yUm5NbFk7qZ1wXv9pRt3yUm5Nb'],
    ['a prefix', 'ghx_Fk7qZ1wXv9pRt3yUm5NbFk7qZ1wXv9pRt3yU'],
    ['dashes', 'sx-proj-Fk7qZ1w-Xv9pRt3yUm5Nb-Fk7qZ1wXv9pRt3'],
    ['hexadecimal', '0f1e2d3c4b5a69788796a5b4c3d2e1f0'],
    ['a UUID', '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0'],
    ['base64', 'Fk7qZ1wX/9pRt3yUm5Nb+k7qZ1wXv9pRt3yUm5Nb=='],
    ['dots, as of a JWT', 'eyJGQUtFIjoxfQ.eyJzdWIiOiJGQUtFIn0.Fk7qZ1wXv9pRt3yUm5Nb'],
    ['eight characters', 'Xq7Kp2Zw'],
  ]
  const NON_ASCII: readonly (readonly [kind: string, token: string])[] = [
    ['umlauts', 'pässwörd-übérgröße'],
    ['Chinese', '密码密码保密口令口令'],
    ['emoji', '\u{1f511}\u{1f5dd}\u{1f511}\u{1f5dd}\u{1f511}'],
    ['Cyrillic', 'парольпароль'],
  ]
  const ENCODINGS: readonly (readonly [name: string, encode: (text: string) => string])[] = [
    ['as it is', (text) => text],
    ['JSON', JSON.stringify],
    [
      'JSON, escaped',
      (text) =>
        text.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
    ],
    [
      'percent',
      (text) =>
        hexOf(text)
          .map((byte) => `%${byte}`)
          .join(''),
    ],
    [
      'percent, twice',
      (text) =>
        hexOf(text)
          .map((byte) => `%25${byte.toUpperCase()}`)
          .join(''),
    ],
    ['HTML', (text) => Array.from(text, (one) => `&#${one.codePointAt(0)};`).join('')],
    [
      'HTML, hexadecimal',
      (text) => Array.from(text, (one) => `&#x${one.codePointAt(0)?.toString(16)};`).join(''),
    ],
    ...['', 'u', 'uu'].map((before): [string, (text: string) => string] => [
      `base64 behind ${before.length}`,
      (text) => base64(before + text),
    ]),
    ['base64url', (text) => base64(text).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '')],
    ['hex', (text) => hexOf(text).join('')],
    ['hex, upper case', (text) => hexOf(text).join('').toUpperCase()],
    ['hex, spaced', (text) => hexOf(text).join(' ')],
    ['bytes', (text) => bytesOf(text).join(',')],
    ['bytes, as JSON', (text) => JSON.stringify(bytesOf(text))],
  ]

  for (const [encoding, encode] of ENCODINGS) {
    test(`finds any token in a short text that holds nothing else: ${encoding}`, () => {
      for (const [kind, token] of [...TOKENS, ...NON_ASCII]) {
        const encoded = encode(token)
        for (const text of [encoded, `a ${encoded}`, `${encoded} z`]) {
          const clean = redactSecrets(text, holding(token))
          assert.match(clean, /\[redacted\]/, `${kind}: ${text}`)
          // At its ends a character of base64 may belong to what stands beside it.
          const left = clean.replace('[redacted]', '').replace(/^a | z$/g, '')
          assert(left.length <= 6, `${kind}: ${clean}`)
        }
      }
    })
  }

  test('takes a text that is exactly a secret of eight characters, and none of seven', () => {
    assert.equal(redactSecrets('Xq7Kp2Zw', holding('Xq7Kp2Zw')), '[redacted]')
    assert.equal(redactSecrets('xXq7Kp2Zwx', holding('Xq7Kp2Zw')), 'x[redacted]x')
    assert.equal(redactSecrets('Xq7Kp2Z', holding('Xq7Kp2Z')), 'Xq7Kp2Z')
  })

  test('takes a list that is exactly the eight bytes of one', () => {
    const list = bytesOf('Xq7Kp2Zw')
    assert.deepEqual(redactSecrets(list, holding('Xq7Kp2Zw')), Array(8).fill(42))
    assert.deepEqual(redactSecrets(list.slice(1), holding('Xq7Kp2Zw')), list.slice(1))
  })

  test('takes the tail of a longer secret that begins with, or ends in, a shorter one', () => {
    const [head, tail] = ['Fk7qZ1wXv9pR', 't3yUm5Nb0123']
    const secrets = { head, both: head + tail, across: `${head.slice(6)}${tail.slice(0, 6)}` }
    for (const names of [
      ['head', 'both'],
      ['both', 'head'],
      ['across', 'both', 'head'],
    ]) {
      const fields = Object.entries(secrets).filter(([name]) => names.includes(name))
      fields.sort(([one], [other]) => names.indexOf(one) - names.indexOf(other))
      const credential = new StaticCredential(Object.fromEntries(fields))
      assert.equal(redactSecrets(`<${head}${tail}>`, credential), '<[redacted]>')
    }
  })

  test('takes bytes beyond 8 KiB, also across that border', () => {
    const secret = 'Fk7qZ1wXv9pRt3yUm5Nb'
    for (const before of [8170, 8180, 8191, 8192, 8193, 16_380, 70_000]) {
      const filler = 'x'.repeat(before)
      const bytes = Uint8Array.from(bytesOf(`${filler}${secret}y`))
      const clean = redactSecrets(bytes, holding(secret))
      const expected = bytesOf(`${filler}${'*'.repeat(secret.length)}y`)
      assert.deepEqual([...clean], expected)
    }
  })
})

describe('credentials', () => {
  test('share empty objects that nobody can write to', () => {
    const [one, other] = [new StaticCredential({ a: 'FAKE' }), new StaticCredential({ b: 'FAKE' })]
    const token = fakeToken()
    for (const shared of [one.extra, token.fields, token.extra]) {
      assert.throws(() => Object.assign(shared, { leaked: 'FAKE' }), TypeError)
      assert.throws(() => Object.setPrototypeOf(shared, { leaked: 'FAKE' }), TypeError)
      assert.equal(Reflect.get(shared, 'toString'), undefined)
    }
    assert.deepEqual(Object.keys(other.extra), [])
    assert.deepEqual(Object.keys(fakeToken().fields), [])
  })

  test('freeze the lists in extra, and what is in those', () => {
    const given = { list: [[1], { deep: ['a'] }] }
    const { extra } = new OAuthCredential({ accessToken: fakeSecret('frozen'), extra: given })
    const list = extra['list'] as readonly (readonly unknown[])[]
    for (const part of [list, list[0], list[1], Reflect.get(Object(list[1]), 'deep')])
      assert(Object.isFrozen(part))
    given.list.push([2])
    assert.equal(list.length, 2)
  })

  test('take no list of objects for their fields', () => {
    const secret = fakeSecret('in-a-list')
    for (const json of [`[{"apiKey":"${secret}"}]`, `[{"0":"${secret}"}]`]) {
      const invalid = ['ERR_CREDENTIAL_INVALID', /must be a JSON object/, secret] as const
      assertRefused(() => parseEnv('SVC_', { SVC_FIELDS: json }), ...invalid)
      assertRefused(() => parseHeaders({ 'x-mcp-cred-fields': json }), ...invalid)
      const inHeaders = { 'x-mcp-cred-access-token': 'a', 'x-mcp-cred-extra': json }
      assertRefused(() => parseHeaders(inHeaders), ...invalid)
    }
  })
})

describe('fromEnv', () => {
  const OAUTH = [
    ...['SVC_ACCESS_TOKEN', 'SVC_CLIENT_ID', 'SVC_CLIENT_SECRET', 'SVC_CRED_TYPE'],
    ...['SVC_EXPIRES_AT', 'SVC_EXTRA_A', 'SVC_REFRESH_TOKEN', 'SVC_SCOPES', 'SVC_TOKEN_URI'],
  ]
  const STATIC = ['SVC_CRED_TYPE', 'SVC_FIELDS', 'SVC_FIELD_a', 'SVC_FIELD_b']
  const set = {
    SVC_ACCESS_TOKEN: 'FAKE-token',
    SVC_EXTRA_A: 'a',
    SVC_FIELD_a: 'FAKE-a',
    SVC_FIELD_b: 'FAKE-b',
    SVC_OTHER: 'x',
    OTHER: 'x',
    SVCX: 'x',
  }
  for (const [type, names] of [
    ['oauth', OAUTH],
    ['static', STATIC],
  ] as const) {
    test(`reads the variables of the type ${type} and no others, and follows each`, () => {
      const read = new Set<string>()
      const env: Record<string, string | undefined> = new Proxy<Record<string, string>>(
        { ...set },
        {
          get: (target, name) => {
            read.add(String(name))
            return Reflect.get(target, name)
          },
        },
      )
      const source = fromEnv('svc_', { env, type })
      const ask = () => source({ headers: undefined })
      const first = ask()
      assert.equal(ask(), first)
      assert.deepEqual([...read].sort(), names)
      for (const name of names.filter((one) => /TOKEN|ID|SECRET|EXTRA|FIELD_/.test(one))) {
        const before = ask()
        env[name] = `FAKE-changed-${name}`
        assert.notEqual(ask(), before, name)
      }
      const last = ask()
      env['SVC_OTHER'] = 'changed'
      env['OTHER'] = 'changed'
      assert.equal(ask(), last)
    })
  }
})

describe('signatures', () => {
  const key = 'FAKE-key-of-survivors-0123456789abcdef'
  const headers = { 'x-mcp-cred-access-token': 'FAKE-token' }
  const lower = (given: Record<string, string>) => new Headers(given)

  test('are for no audience by default, which is the empty one', async () => {
    for (const signer of [{}, { audience: undefined }, { audience: '' }]) {
      for (const verifier of [{}, { audience: undefined }, { audience: '' }]) {
        const verify = createSignatureVerifier({ keys: [key], ...verifier })
        assert.equal(await verify(lower(await signHeaders(headers, key, signer))), true)
      }
      const verify = createSignatureVerifier({ keys: [key], audience: 'undefined' })
      const refused = { code: 'ERR_CREDENTIAL_UNTRUSTED' }
      await assert.rejects(verify(lower(await signHeaders(headers, key, signer))), refused)
    }
  })
})

describe('cached', () => {
  const load = () => fakeToken()
  const key = () => 'key'
  const code = 'ERR_INVALID_ARG_VALUE'

  test('says what is wrong with its options, and with what load returns', async () => {
    const wrong: readonly (readonly [options: object, message: string])[] = [
      [{ key, load, ttl: 1 }, '"ttl" is not an option of cached: use key, load, ttlSeconds, max.'],
      [{ key, load, max: -1 }, 'The option max of cached must be a number of credentials.'],
      [{ load }, 'cached needs key.'],
      [{ key }, 'cached needs load.'],
    ]
    for (const [options, message] of wrong)
      assert.throws(() => cached(options as Parameters<typeof cached>[0]), { code, message })
    const source = cached({ key, load: (() => ({})) as unknown as typeof load })
    await assert.rejects(source({ headers: undefined }), /^TypeError: load returns a Static/)
  })
})
