import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  createAdapter,
  CredentialError,
  formatHeaders,
  fromHeaders,
  fromMode,
  OAuthCredential,
  toHttpRefusal,
} from 'mcp-credentials'
import { createSignatureVerifier, signHeaders } from 'mcp-credentials/signature'
import type { CredentialSource, HeaderVerifier, WebHeaders } from 'mcp-credentials'
import type { CreateSignatureVerifierOptions } from 'mcp-credentials/signature'
import { assertNoLeak, fakeSecret } from './helper.ts'

const SIGNATURE = 'X-MCP-Cred-Signature'
const TOKEN = 'X-MCP-Cred-Access-Token'
const key = fakeSecret('key')
const otherKey = fakeSecret('other-key')
const accessToken = fakeSecret('signed')
const credential = new OAuthCredential({
  accessToken,
  scopes: ['a', 'b'],
  expiresAt: new Date('2099-01-01T00:00:00Z'),
  extra: { tenant: 'acme' },
})
const headers = formatHeaders(credential)
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000)

type Verify = CreateSignatureVerifierOptions | HeaderVerifier
const verifierOf = (verify: Verify) =>
  typeof verify === 'function' ? verify : createSignatureVerifier(verify)
const sourceOf = (verify: Verify) => fromHeaders({ type: 'oauth', verify: verifierOf(verify) })
// As Node.js gives them.
const lowerCase = (given: Record<string, string>) =>
  Object.fromEntries(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]))
const ask = async (source: CredentialSource, given: Record<string, string> | Headers) => {
  const call = await createAdapter(source)({
    headers: given instanceof Headers ? given : lowerCase(given),
  })
  return call.credential
}

async function assertTrusted(verify: Verify, given: Record<string, string>): Promise<void> {
  for (const form of [given, new Headers(given)]) {
    const found = await ask(sourceOf(verify), form)
    assert(found instanceof OAuthCredential, String(found))
    assert.equal(found.accessToken, accessToken)
  }
}

async function assertUntrusted(
  verify: Verify,
  given: Record<string, string> | Headers,
  message: RegExp,
): Promise<void> {
  const error = await ask(sourceOf(verify), given)
  assert(error instanceof CredentialError)
  assert.equal(error.code, 'ERR_CREDENTIAL_UNTRUSTED')
  assert.match(error.message, message)
  assert.equal(error.isServerFault, false)
  assertNoLeak(error, accessToken, key, otherKey)
}

describe('signed headers', () => {
  test('are believed, as a record in any order and case and as Web Headers', async () => {
    const signed = await signHeaders(headers, key)
    assert.match(signed[SIGNATURE] ?? '', /^t=\d{10},v1=[\da-f]{64}$/)
    await assertTrusted({ keys: [key] }, signed)
    await assertTrusted({ keys: [key] }, Object.fromEntries(Object.entries(signed).reverse()))
  })

  test('for an audience', async () => {
    await assertTrusted(
      { keys: [key], audience: 'issues' },
      await signHeaders(headers, key, { audience: 'issues' }),
    )
  })

  test('with one of several keys, as text or bytes', async () => {
    for (const one of [key, new TextEncoder().encode(key)]) {
      await assertTrusted({ keys: [otherKey, key] }, await signHeaders(headers, one))
      await assertTrusted(
        { keys: [new TextEncoder().encode(key), otherKey] },
        await signHeaders(headers, one),
      )
    }
  })

  test('by the keys as they were given, whatever becomes of the bytes and of the list', async () => {
    const bytes = new TextEncoder().encode(key)
    const keys: (string | Uint8Array)[] = [bytes]
    const verify = { keys }
    const [kept, other] = [sourceOf(verify), sourceOf(verify)]
    bytes.fill(0)
    keys[0] = otherKey
    const ours = await signHeaders(headers, key)
    const forged = await signHeaders(headers, new Uint8Array(bytes.length))
    const replaced = await signHeaders(headers, otherKey)
    for (const given of [forged, replaced, ours, forged, replaced]) {
      const found = await ask(kept, given)
      if (given === ours) assert(found instanceof OAuthCredential, String(found))
      else assert.equal((found as CredentialError).code, 'ERR_CREDENTIAL_UNTRUSTED')
    }
    assert((await ask(other, ours)) instanceof OAuthCredential)
  })

  test('within the tolerance, which is 60 seconds unless told otherwise', async () => {
    for (const seconds of [-55, 55])
      await assertTrusted(
        { keys: [key] },
        await signHeaders(headers, key, { time: inSeconds(seconds) }),
      )
    await assertTrusted(
      { keys: [key], toleranceSeconds: 300 },
      await signHeaders(headers, key, { time: inSeconds(-290) }),
    )
  })

  test('keep what else is sent, unsigned, and one signature', async () => {
    const signed = await signHeaders(
      { ...headers, accept: '*/*', 'x-mcp-cred-signature': 'old' },
      key,
    )
    assert.deepEqual(Object.keys(signed), [...Object.keys(headers), 'accept', SIGNATURE])
    await assertTrusted({ keys: [key] }, { ...signed, accept: 'changed', 'x-other': 'added' })
  })

  test('survive what HTTP does to the ends of values', async () => {
    const scopes = { [TOKEN]: accessToken, 'X-MCP-Cred-Scopes': '\t a b ' }
    await assertTrusted(
      { keys: [key] },
      { ...(await signHeaders(scopes, key)), 'X-MCP-Cred-Scopes': 'a b' },
    )
  })
})

describe('what is not believed', () => {
  const verify: CreateSignatureVerifierOptions = { keys: [key], audience: 'issues' }
  const sign = (given = headers, by = key, options = {}) =>
    signHeaders(given, by, { audience: 'issues', ...options })
  const NO_MATCH =
    /^X-MCP-Cred-Signature does not match: the headers were changed, or signed with another key or for another audience\.$/
  const cases: [
    name: string,
    make: () => Promise<Record<string, string> | Headers>,
    message: RegExp,
  ][] = [
    [
      'no signature',
      async () => headers,
      /carries credentials, but no X-MCP-Cred-Signature header/,
    ],
    [
      'an empty signature',
      async () => ({ ...headers, [SIGNATURE]: '' }),
      /but no X-MCP-Cred-Signature header/,
    ],
    [
      'one that is no signature',
      async () => ({ ...headers, [SIGNATURE]: 'v1=00' }),
      /must be t=<unix seconds>,v1=<64 hex digits>/,
    ],
    [
      'upper-case digits',
      async () => ({ ...headers, [SIGNATURE]: String((await sign())[SIGNATURE]).toUpperCase() }),
      /must be t=/,
    ],
    [
      'two signatures',
      async () => {
        const both = new Headers(await sign())
        both.append(SIGNATURE, String((await sign())[SIGNATURE]))
        return both
      },
      /must be t=/,
    ],
    [
      'a stale one',
      () => sign(headers, key, { time: inSeconds(-65) }),
      /too old, or from the future/,
    ],
    [
      'one from the future',
      () => sign(headers, key, { time: inSeconds(65) }),
      /too old, or from the future/,
    ],
    [
      'another time than was signed',
      async () => {
        const signed = await sign()
        return {
          ...signed,
          [SIGNATURE]: String(signed[SIGNATURE]).replace(
            /^t=\d+/,
            `t=${Math.floor(Date.now() / 1000) - 7}`,
          ),
        }
      },
      NO_MATCH,
    ],
    ['another token', async () => ({ ...(await sign()), [TOKEN]: `${accessToken}x` }), NO_MATCH],
    [
      'wider scopes',
      async () => ({ ...(await sign()), 'X-MCP-Cred-Scopes': 'a b admin' }),
      NO_MATCH,
    ],
    [
      'a header more',
      async () => ({
        ...(await sign({ [TOKEN]: accessToken })),
        'X-MCP-Cred-Extra': '{"tenant":"globex"}',
      }),
      NO_MATCH,
    ],
    [
      'a header more that nobody knows',
      async () => ({ ...(await sign()), 'X-MCP-Cred-Future': '1' }),
      NO_MATCH,
    ],
    [
      'a header more by an alias',
      async () => ({ ...(await sign()), x_mcp_cred_extra: '{}' }),
      NO_MATCH,
    ],
    [
      'a header less',
      async () => {
        const { 'X-MCP-Cred-Scopes': _, ...rest } = await sign()
        return rest
      },
      NO_MATCH,
    ],
    [
      'a header sent twice',
      async () => {
        const both = new Headers(await sign())
        both.append(TOKEN, accessToken)
        return both
      },
      NO_MATCH,
    ],
    [
      'a value outside ASCII',
      async () => ({ ...(await sign()), 'X-MCP-Cred-Extra': '{"a":"é"}' }),
      /not ASCII/,
    ],
    [
      'two headers in one',
      async () => ({
        ...(await sign({ [TOKEN]: accessToken, 'X-MCP-Cred-Z': 'z' })),
        [TOKEN]: `${accessToken}\nx-mcp-cred-z:z`,
      }),
      /not ASCII/,
    ],
    ['another key', () => sign(headers, otherKey), NO_MATCH],
    ['another audience', () => sign(headers, key, { audience: 'calendar' }), NO_MATCH],
    ['no audience', () => sign(headers, key, { audience: undefined }), NO_MATCH],
  ]
  for (const [name, make, message] of cases) {
    test(name, async () => {
      await assertUntrusted(verify, await make(), message)
    })
  }

  test('is refused with 403, also where a credential is optional', async () => {
    const admit = createAdapter(sourceOf(verify), { optional: true })
    const { refusal } = await admit({ headers: lowerCase(headers) })
    assert(refusal)
    const { status, error } = toHttpRefusal(refusal)
    assert.equal(status, 403)
    assert.equal(error.code, 'ERR_CREDENTIAL_UNTRUSTED')
    assert.equal((await admit({ headers: { accept: '*/*' } })).refusal, undefined)
  })

  test('no credential at all is a missing one, as without signatures', async () => {
    for (const given of [{}, { accept: '*/*' }])
      assert.equal(
        ((await ask(sourceOf(verify), given)) as CredentialError).code,
        'ERR_CREDENTIAL_MISSING',
      )
    const onStdio = await createAdapter(sourceOf(verify))({ headers: undefined })
    assert.match(String(onStdio.refusal?.message), /^This call did not come over HTTP/)
  })
})

describe('a function that verifies', () => {
  test('is believed when it says true, at once or later, and gets the headers', async () => {
    const jwt = (given: WebHeaders) => given.get('x-proxy-jwt') === 'valid'
    await assertTrusted(jwt, { ...headers, 'x-proxy-jwt': 'valid' })
    await assertTrusted(async (given) => jwt(given), { ...headers, 'X-Proxy-JWT': 'valid' })
    await assertUntrusted(jwt, { ...headers, 'x-proxy-jwt': 'other' }, /could not be verified/)
  })

  test('and by nothing else that it returns', async () => {
    for (const value of [false, undefined, 1, 'true', {}])
      await assertUntrusted(() => value as never, headers, /could not be verified/)
  })

  test('what it throws goes to onCall alone, unless it is for the caller', async () => {
    const causes: unknown[] = []
    const thrown = new Error(`vault ${accessToken}`)
    const hidden = await createAdapter(
      sourceOf(() => Promise.reject(thrown)),
      { onCall: (_, { cause }) => causes.push(cause) },
    )({ headers: lowerCase(headers) })
    hidden.end()
    assert.equal(hidden.refusal?.code, 'ERR_CREDENTIAL_UNAVAILABLE')
    assertNoLeak(hidden.refusal, accessToken)
    assert.deepEqual(causes, [thrown])
    const own = new CredentialError('ERR_CREDENTIAL_UNTRUSTED', 'The proxy is not known.')
    assert.equal(
      await ask(
        sourceOf(() => {
          throw own
        }),
        headers,
      ),
      own,
    )
  })
})

describe('keys that are not set', () => {
  test('are left out, also where the variable is empty', async () => {
    const signed = await signHeaders(headers, key)
    await assertTrusted({ keys: [undefined, '', key] }, signed)
    await assertTrusted({ keys: [key, '', undefined] }, signed)
  })
})

describe('misuse is a TypeError', () => {
  const short = 'FAKE-31-bytes-0123456789abcdef!'
  const NO_KEY =
    'createSignatureVerifier needs a key, such as { keys: [process.env.GATEWAY_KEY] }: is that variable set?'
  const BAD_KEY = 'A key has at least 32 bytes: openssl rand -hex 32 makes one.'

  describe('at once, of the server:', () => {
    const cases: [name: string, options: unknown, message: string][] = [
      ['no key', { keys: [] }, NO_KEY],
      ['no keys', {}, NO_KEY],
      ['keys that are not set', { keys: [undefined, ''] }, NO_KEY],
      [
        'a key that is in no list',
        { keys: key },
        'The option keys of createSignatureVerifier must be a list.',
      ],
      ['a key that is too short', { keys: [key, short] }, BAD_KEY],
      ['a key of another kind', { keys: [7] }, BAD_KEY],
      ['null for a key', { keys: [null] }, BAD_KEY],
      [
        'a tolerance that is not a number',
        { keys: [key], toleranceSeconds: NaN },
        'The option toleranceSeconds of createSignatureVerifier must be a finite number of seconds, 0 or more.',
      ],
      [
        'a negative tolerance',
        { keys: [key], toleranceSeconds: -1 },
        'The option toleranceSeconds of createSignatureVerifier must be a finite number of seconds, 0 or more.',
      ],
      [
        'a tolerance without end',
        { keys: [key], toleranceSeconds: Infinity },
        'The option toleranceSeconds of createSignatureVerifier must be a finite number of seconds, 0 or more.',
      ],
      [
        'a line break in the audience',
        { keys: [key], audience: 'a\nb' },
        'audience must not contain a line break.',
      ],
      [
        'an option that is misspelt',
        { keys: [key], audiance: 'issues' },
        '"audiance" is not an option of createSignatureVerifier: use keys, audience, toleranceSeconds.',
      ],
    ]
    for (const [name, options, message] of cases) {
      test(name, () => {
        assert.throws(
          () => createSignatureVerifier(options as never),
          (error: unknown) => {
            assert(error instanceof TypeError)
            assert.equal(error.message, message)
            assert.equal(Reflect.get(error, 'code'), 'ERR_INVALID_ARG_VALUE')
            assertNoLeak(error, short, key)
            return true
          },
        )
        assert.throws(() => fromHeaders({ type: 'oauth', verify: options as never }), {
          name: 'TypeError',
          code: 'ERR_INVALID_ARG_VALUE',
          message:
            'The option verify of fromHeaders must be a function, such as createSignatureVerifier({ keys }) returns.',
        })
      })
    }

    test('but 32 bytes are enough', () => {
      assert.equal(typeof createSignatureVerifier({ keys: [`${short}!`] }), 'function')
    })
  })

  describe('of the gateway:', () => {
    const cases: [name: string, args: unknown[], message: string, code?: string][] = [
      ['a key that is too short', [headers, short], BAD_KEY],
      ['bytes that are too few', [headers, new Uint8Array(31)], BAD_KEY],
      ['no key', [headers, undefined], BAD_KEY],
      [
        'a line break in the audience',
        [headers, key, { audience: 'a\rb' }],
        'audience must not contain a line break.',
      ],
      [
        'an invalid time',
        [headers, key, { time: new Date(NaN) }],
        'time must be a valid Date, from 1970 on.',
      ],
      [
        'a time before 1970',
        [headers, key, { time: new Date(-1) }],
        'time must be a valid Date, from 1970 on.',
      ],
      [
        'a time in seconds',
        [headers, key, { time: 1777896000 }],
        'The option time of signHeaders must be a Date.',
      ],
      [
        'an option that is misspelt',
        [headers, key, { audiance: 'issues' }],
        '"audiance" is not an option of signHeaders: use audience, time.',
      ],
      [
        'an audience in place of options',
        [headers, key, 'issues'],
        'The options of signHeaders must be given as an object, such as { audience, time }.',
        'ERR_INVALID_ARG_TYPE',
      ],
      [
        'Web Headers, of which it would sign nothing',
        [new Headers(headers), key],
        'signHeaders takes a record: Object.fromEntries(headers).',
        'ERR_INVALID_ARG_TYPE',
      ],
    ]
    for (const [name, args, message, code = 'ERR_INVALID_ARG_VALUE'] of cases) {
      test(name, () =>
        assert.rejects(Reflect.apply(signHeaders, undefined, args), (error: unknown) => {
          assert(error instanceof TypeError)
          assert.equal(error.message, message)
          assert.equal(Reflect.get(error, 'code'), code)
          assertNoLeak(error, short, key, accessToken)
          return true
        }),
      )
    }

    test('a value that no signature survives is a CredentialError', async () => {
      for (const end of ['é', '\n', '\0']) {
        const value = `${accessToken}${end}`
        await assert.rejects(signHeaders({ [TOKEN]: value }, key), (error: unknown) => {
          assert(error instanceof CredentialError)
          assert.equal(error.code, 'ERR_CREDENTIAL_INVALID')
          assert.equal(error.message, `${TOKEN} must be printable ASCII on one line.`)
          assertNoLeak(error, value)
          return true
        })
      }
    })
  })
})

test('fromMode verifies in hosted mode', async () => {
  const source = fromMode('SVC_', {
    type: 'oauth',
    env: { FASTMCP_CREDENTIAL_MODE: 'hosted' },
    verify: createSignatureVerifier({ keys: [key] }),
  })
  assert.equal(((await ask(source, headers)) as CredentialError).code, 'ERR_CREDENTIAL_UNTRUSTED')
  assert((await ask(source, await signHeaders(headers, key))) instanceof OAuthCredential)
})
