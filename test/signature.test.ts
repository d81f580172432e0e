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
import type { SignatureVerifierOptions } from 'mcp-credentials/signature'
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

type Verify = SignatureVerifierOptions | HeaderVerifier
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
  const verify: SignatureVerifierOptions = { keys: [key], audience: 'issues' }
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

describe('misuse is a TypeError', () => {
  const isMisuse = { name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' }
  const short = 'FAKE-31-bytes-0123456789abcdef!'

  test('at once, of the server', () => {
    for (const verify of [
      { keys: [] },
      {},
      { keys: key },
      { keys: [key, short] },
      { keys: [7] },
      { keys: [key], toleranceSeconds: NaN },
      { keys: [key], toleranceSeconds: -1 },
      { keys: [key], audience: 'a\nb' },
    ]) {
      assert.throws(() => sourceOf(verify as never), isMisuse)
      assert.throws(() => fromHeaders({ type: 'oauth', verify: verify as never }), isMisuse)
    }
    assert.throws(
      () => sourceOf({ keys: [short] }),
      (error: unknown) => {
        assertNoLeak(error, short)
        return true
      },
    )
    assert.equal(typeof sourceOf({ keys: [`${short}!`] }), 'function')
  })

  test('of the gateway', async () => {
    await assert.rejects(signHeaders(headers, short), isMisuse)
    await assert.rejects(signHeaders(headers, new Uint8Array(31)), isMisuse)
    await assert.rejects(signHeaders(headers, undefined as never), isMisuse)
    await assert.rejects(signHeaders(headers, key, { audience: 'a\rb' }), isMisuse)
    for (const time of [NaN, -1])
      await assert.rejects(signHeaders(headers, key, { time: new Date(time) }), isMisuse)
    const value = `${accessToken}é`
    await assert.rejects(signHeaders({ [TOKEN]: value }, key), (error: unknown) => {
      assert.equal(Reflect.get(error as object, 'code'), 'ERR_CREDENTIAL_INVALID')
      assertNoLeak(error, value)
      return true
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
