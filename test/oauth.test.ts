import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createAdapter, CredentialError, OAuthCredential } from 'mcp-credentials'
import { createRefresher, CredentialRefreshError, fromTokenResponse } from 'mcp-credentials/oauth'
import type { CallDetails } from 'mcp-credentials'
import type { CreateRefresherOptions } from 'mcp-credentials/oauth'
import { assertNoLeak, assertRefused, fakeSecret } from './helper.ts'
import {
  assertFails,
  clientId,
  endpoint,
  expired,
  refreshTokenOf,
  tokenUri,
} from './oauth-endpoint.ts'

const secret = fakeSecret('answer')
const token = { access_token: secret, token_type: 'Bearer' }

/** Answers that cannot be used, and what is said of them. */
const UNUSABLE: [name: string, answer: object, problem: string][] = [
  ['no token', { token_type: 'Bearer' }, 'access_token is missing'],
  ['a token that is null', { ...token, access_token: null }, 'access_token is missing'],
  ['an empty token', { ...token, access_token: '' }, 'access_token is missing'],
  ['a number as the token', { ...token, access_token: 7 }, 'access_token is not a string'],
  ['a list as the token', { ...token, access_token: [secret] }, 'access_token is not a string'],
  [
    'a token with a line break',
    { ...token, access_token: `${secret}\n` },
    'access_token ends with a line break: trim it (was it read from a file?)',
  ],
  ['no token type', { access_token: secret }, 'token_type is missing'],
  ['a token type that is null', { ...token, token_type: null }, 'token_type is missing'],
  ['another token type', { ...token, token_type: 'DPoP' }, 'token_type is not "bearer"'],
  [
    'a token type that is no access token',
    { ...token, token_type: 'N_A' },
    'token_type is not "bearer"',
  ],
  ['a list as the token type', { ...token, token_type: ['Bearer'] }, 'token_type is not a string'],
  ...[-1, '', '3600s', '-5', '1e3', ' 1', true, [3600], {}].map(
    (expires_in): [string, object, string] => [
      `expires_in ${JSON.stringify(expires_in)}`,
      { ...token, expires_in },
      'expires_in is not a number of seconds',
    ],
  ),
  [
    'a number as the refresh token',
    { ...token, refresh_token: 7 },
    'refresh_token is not a string',
  ],
  [
    'half a character in the refresh token',
    { ...token, refresh_token: '\ud800' },
    'refresh_token holds half of a surrogate pair: its text was cut or decoded wrongly',
  ],
  ['scopes in a list', { ...token, scope: ['a'] }, 'scope is not a string'],
  [
    'scopes that are none',
    { ...token, scope: 'ä' },
    'scope must hold scopes of visible ASCII characters, without spaces',
  ],
]

/** Answers that can be used, and in how many seconds and with which scopes and refresh token they are. */
const USABLE: [
  name: string,
  answer: object,
  seconds: number | undefined,
  scopes?: string[] | undefined,
  refreshToken?: string,
][] = [
  ['nothing else', {}, undefined, ['asked']],
  [
    'null for all else',
    { expires_in: null, scope: null, refresh_token: null },
    undefined,
    ['asked'],
  ],
  ['an empty refresh token', { refresh_token: '' }, undefined, ['asked']],
  ['a refresh token', { refresh_token: 'FAKE-next' }, undefined, ['asked'], 'FAKE-next'],
  ['expires_in 3600', { expires_in: 3600 }, 3600, ['asked']],
  ['expires_in 3599.9', { expires_in: 3599.9 }, 3599, ['asked']],
  ['expires_in "3600"', { expires_in: '3600' }, 3600, ['asked']],
  ['expires_in "3600.7"', { expires_in: '3600.7' }, 3600, ['asked']],
  ['expires_in 0', { expires_in: 0 }, 0, ['asked']],
  ['expires_in 1e9: ten years', { expires_in: 1e9 }, 315_360_000, ['asked']],
  ['a token type in other case', { token_type: 'bEARER' }, undefined, ['asked']],
  ['scopes', { scope: 'a b' }, undefined, ['a', 'b']],
  ['scopes as GitHub writes them', { scope: 'repo,gist' }, undefined, ['repo', 'gist']],
  ['scopes that are nowhere to be seen', { scope: '' }, undefined, undefined],
]

/** How long a credential lasts, of one that was asked for between two times. */
function assertLasts(
  { expiresAt }: OAuthCredential,
  seconds: number | undefined,
  [from, to]: [number, number],
) {
  if (seconds === undefined) return assert.equal(expiresAt, undefined)
  const time = Number(expiresAt) - seconds * 1000
  return assert(time >= from && time <= to)
}

describe('fromTokenResponse', () => {
  for (const [name, answer, seconds, scopes, refreshToken] of USABLE) {
    test(`takes ${name}`, () => {
      const from = Date.now()
      const extra = { account: 'acme' }
      const client = { clientId, clientSecret: 'FAKE-client-secret', tokenUri, extra }
      const credential = fromTokenResponse({ ...token, ...answer }, client, ['asked'])
      assertLasts(credential, seconds, [from, Date.now()])
      assert.equal(credential.accessToken, secret)
      assert.equal(credential.refreshToken, refreshToken)
      assert.deepEqual(credential.scopes, scopes)
      assert.equal(credential.clientId, clientId)
      assert.equal(credential.clientSecret, 'FAKE-client-secret')
      assert.equal(credential.tokenUri, tokenUri)
      assert.deepEqual({ ...credential.extra }, extra)
    })
  }

  test('takes a credential for the client as well', () => {
    const client = { clientId, clientSecret: 'FAKE-client-secret', tokenUri, extra: { a: 'b' } }
    const old = new OAuthCredential({ accessToken: 'FAKE-old', ...client })
    const fresh = fromTokenResponse(token, old)
    assert.equal(fresh.accessToken, secret)
    const { clientSecret, extra } = fresh
    assert.deepEqual(
      [fresh.clientId, clientSecret, fresh.tokenUri, extra['a']],
      Object.values({ ...client, extra: 'b' }),
    )
  })

  test('knows no scopes where none are known to have been asked for', () => {
    assert.equal(fromTokenResponse(token, {}).scopes, undefined)
  })

  for (const [name, answer, problem] of UNUSABLE) {
    test(`refuses ${name}, and tells nothing of it`, () => {
      assertRefused(
        () => fromTokenResponse(answer, { clientId, tokenUri }),
        'ERR_CREDENTIAL_REFRESH',
        /./,
        secret,
      )
      const reason = `the answer of the token endpoint cannot be used: ${problem}.`
      assert.throws(() => fromTokenResponse(answer, {}), {
        name: 'CredentialRefreshError',
        message: `No new access token could be obtained: ${reason}`,
        isServerFault: true,
      })
    })
  }

  test('refuses an error, and says which', () => {
    for (const [error, shown] of [
      ['invalid_grant', 'invalid_grant'],
      ['bad_refresh_token', 'invalid_grant'],
      [secret, undefined],
    ] as const) {
      assert.throws(
        () => fromTokenResponse({ ...token, error, error_description: secret } as object, {}),
        (thrown) => {
          assert(thrown instanceof CredentialRefreshError)
          assert.equal(thrown.error, shown)
          assertNoLeak(thrown, secret)
          return true
        },
      )
    }
  })

  test('passes on what an answer that is no plain object throws', () => {
    const error = new Error('broken')
    const answer = {
      get token_type() {
        throw error
      },
    }
    assert.throws(
      () => fromTokenResponse(answer, {}),
      (thrown) => thrown === error,
    )
  })

  test('refuses what is no answer at all', () => {
    for (const answer of [undefined, null, 'FAKE', 7]) {
      assert.throws(() => fromTokenResponse(answer as never, {}), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_TYPE',
      })
    }
  })
})

/** Asks a token endpoint once for a successor. */
function ask(answer: Parameters<typeof endpoint>[0], options: CreateRefresherOptions = {}) {
  const refreshToken = refreshTokenOf('answer')
  const { fetch, sent } = endpoint(answer)
  const promise = createRefresher({ fetch, ...options })(
    expired(refreshToken, { scopes: ['asked'] }),
  )
  return { promise, sent, refreshToken }
}

const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}) =>
  () =>
    Response.json(body, { status, headers })

const CONNECT = 'The account must be connected again.'
const NOT_JSON = 'the token endpoint answered with no JSON object of at most 64 KiB.'

describe('an answer', () => {
  for (const [name, answer, seconds, scopes, refreshToken] of USABLE) {
    test(`with ${name} is taken`, async () => {
      const from = Date.now()
      const { promise, refreshToken: old } = ask(json({ ...token, ...answer }))
      const fresh = await promise
      assertLasts(fresh, seconds, [from, Date.now()])
      assert.equal(fresh.accessToken, secret)
      assert.equal(fresh.refreshToken, refreshToken ?? old)
      // What the caller knows is as good as anything where the answer tells of none.
      assert.deepEqual(fresh.scopes, scopes ?? ['asked'])
    })
  }

  for (const [name, answer, problem] of UNUSABLE) {
    test(`with ${name} is refused, and nothing is told of it`, async () => {
      const { promise, sent, refreshToken } = ask(json(answer))
      const reason = `the answer of the token endpoint cannot be used: ${problem}.`
      await assertFails(promise, reason, { status: 200 }, secret, refreshToken)
      assert.equal(sent.length, 1)
    })
  }

  const REDIRECT = 'the token endpoint redirects, which is not followed.'
  const FAILED: [
    name: string,
    answer: () => Response,
    reason: string,
    failure: { status?: number; error?: string },
  ][] = [
    ...[
      'invalid_request',
      'invalid_client',
      'unauthorized_client',
      'unsupported_grant_type',
      'invalid_scope',
      'temporarily_unavailable',
      'interaction_required',
    ].map((error): (typeof FAILED)[number] => [
      error,
      json({ error, error_description: secret }, 400),
      `the token endpoint answered with 400 (${error}).`,
      { status: 400, error },
    ]),
    [
      'invalid_grant',
      json({ error: 'invalid_grant', error_description: secret }, 400),
      `the token endpoint answered with 400 (invalid_grant). ${CONNECT}`,
      { status: 400, error: 'invalid_grant' },
    ],
    [
      'GitHub’s name for invalid_grant, with status 200',
      json({ error: 'bad_refresh_token', error_description: secret }),
      `the answer of the token endpoint cannot be used: it is an error (invalid_grant). ${CONNECT}`,
      { status: 200, error: 'invalid_grant' },
    ],
    [
      'GitHub’s name for invalid_client, with status 200',
      json({ ...token, error: 'incorrect_client_credentials' }),
      'the answer of the token endpoint cannot be used: it is an error (invalid_client).',
      { status: 200, error: 'invalid_client' },
    ],
    [
      'an error that nobody knows',
      json({ error: secret }, 401),
      'the token endpoint answered with 401.',
      { status: 401 },
    ],
    [
      'an error that is no text',
      json({ error: { secret } }, 400),
      'the token endpoint answered with 400.',
      { status: 400 },
    ],
    ['500', json({ secret }, 500), 'the token endpoint answered with 500.', { status: 500 }],
    ['201', json(token, 201), 'the token endpoint answered with 201.', { status: 201 }],
    ...[301, 302, 303, 307, 308].map((status): (typeof FAILED)[number] => [
      String(status),
      () => new Response(null, { status, headers: { location: 'https://evil.example/' } }),
      REDIRECT,
      { status },
    ]),
    ['HTML', () => new Response(`<html>${secret}</html>`), NOT_JSON, { status: 200 }],
    ['nothing', () => new Response(null), NOT_JSON, { status: 200 }],
    ['a list', json([token]), NOT_JSON, { status: 200 }],
    ['null', json(null), NOT_JSON, { status: 200 }],
    ['a string', json(secret), NOT_JSON, { status: 200 }],
    [
      'too much',
      () => new Response(`{"padding":"${secret.repeat(2000)}"}`),
      NOT_JSON,
      { status: 200 },
    ],
    [
      '503 and too much',
      () => new Response(secret.repeat(2000), { status: 503 }),
      'the token endpoint answered with 503.',
      { status: 503 },
    ],
    [
      'a break in its middle',
      () => new Response(brokenBody()),
      'the answer of the token endpoint broke off.',
      {},
    ],
  ]
  for (const [name, answer, reason, failure] of FAILED) {
    test(`${name} is an error of its own, and nothing else is told of it`, async () => {
      const { promise, sent, refreshToken } = ask(answer)
      await assertFails(promise, reason, failure, secret, refreshToken)
      assert.equal(sent.length, 1)
    })
  }

  function brokenBody(): ReadableStream {
    return new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"access'))
        controller.error(new Error(secret))
      },
    })
  }

  test('of exactly 64 KiB is read, in whatever pieces it comes', async () => {
    const text = JSON.stringify({ ...token, padding: '' })
    const whole = text.replace('""', `"${'x'.repeat(65_536 - text.length)}"`)
    assert.equal(whole.length, 65_536)
    const bytes = new TextEncoder().encode(whole)
    const body = new ReadableStream({
      start(controller) {
        for (let start = 0; start < bytes.length; start += 999)
          controller.enqueue(bytes.slice(start, start + 999))
        controller.close()
      },
    })
    assert.equal((await ask(() => new Response(body)).promise).accessToken, secret)
    const { promise } = ask(() => new Response(`${whole} `))
    await assertFails(promise, NOT_JSON, { status: 200 })
  })

  test('without an end is cut off, and the request aborted', async () => {
    let pieces = 0
    const body = () =>
      new ReadableStream({
        pull(controller) {
          pieces += 1
          controller.enqueue(new Uint8Array(10_000))
        },
      })
    const { promise, sent } = ask(() => new Response(body()))
    await assertFails(promise, NOT_JSON, { status: 200 })
    assert(pieces < 10)
    assert.equal(sent[0]?.init.signal?.aborted, true)
  })

  test('that never comes, or never ends, is given up, and the request with it', async () => {
    for (const answer of [
      () => new Promise<Response>(() => {}),
      () => new Response(new ReadableStream({ start() {} })),
    ]) {
      const { promise, sent } = ask(answer, { timeoutSeconds: 0.05 })
      await assertFails(promise, 'the token endpoint took longer than 0.05 seconds.')
      assert.equal(sent[0]?.init.signal?.aborted, true)
    }
  })

  test('asks to wait, in seconds or until a date; an hour at most, and nothing where that is nonsense', async () => {
    const { now } = Date
    const time = Date.UTC(2026, 10, 24, 12)
    const cases: [header: string, seconds: number | undefined][] = [
      ['120', 120],
      ['0', undefined],
      ['31536000', 3600],
      ['99999999999999999999999', 3600],
      ['Tue, 24 Nov 2026 12:02:00 GMT', 120],
      ['Wed, 24 Nov 2027 12:00:00 GMT', 3600],
      ['Tue, 24 Nov 2026 11:59:00 GMT', undefined],
      ['Xxx, 99 Xxx 9999 99:99:99 GMT', undefined],
      ['-5', undefined],
      ['1.5', undefined],
      ['1e3', undefined],
      ['soon', undefined],
      ['', undefined],
    ]
    for (const [header, retryAfter] of cases) {
      Date.now = () => time
      try {
        const { promise } = ask(json({}, 429, { 'retry-after': header }))
        const failure = { status: 429, retryAfter }
        await assertFails(promise, 'the token endpoint answered with 429.', failure)
      } finally {
        Date.now = now
      }
    }
  })
})

describe('the cause of a failure', () => {
  /** What an operator is told of a call whose source refreshes. */
  async function detailsOf(options: CreateRefresherOptions): Promise<CallDetails> {
    const details: CallDetails[] = []
    const refresh = createRefresher(options)
    const source = () => refresh(expired(refreshTokenOf('cause')))
    const adapter = createAdapter(source, { onCall: (_event, detail) => details.push(detail) })
    const call = await adapter({ headers: undefined })
    assert(call.refusal instanceof CredentialError)
    assertNoLeak(call.refusal, secret)
    call.end()
    assert(details[0])
    return details[0]
  }

  test('is told to the operator, and to nobody else', async () => {
    const cause = new TypeError(`fetch failed: connect ECONNREFUSED ${secret}`)
    const { fetch } = endpoint(() => Promise.reject(cause))
    assert.equal((await detailsOf({ fetch })).cause, cause)
  })

  test('also where the answer breaks off', async () => {
    const cause = new TypeError(`terminated ${secret}`)
    const body = new ReadableStream({
      pull(controller) {
        controller.error(cause)
      },
    })
    const { fetch } = endpoint(() => new Response(body))
    assert.equal((await detailsOf({ fetch })).cause, cause)
  })
})

test('a network that fails is an error that tells nothing of it', async () => {
  const { promise, refreshToken } = ask(() => Promise.reject(new Error(`ECONNREFUSED ${secret}`)))
  await assertFails(promise, 'the token endpoint could not be reached.', {}, secret, refreshToken)
})

describe('a request', () => {
  const SECRET = 'FAKE p@ss:w+rd%/é~!*'
  const BASIC = `Basic ${btoa('client:FAKE+p%40ss%3Aw%2Brd%25%2F%C3%A9%7E%21*')}`
  const KINDS: [
    options: CreateRefresherOptions,
    clientSecret: string | undefined,
    form: object,
    authorization: string | undefined,
  ][] = [
    [{}, undefined, { client_id: clientId }, undefined],
    [{ clientAuth: 'post' }, undefined, { client_id: clientId }, undefined],
    [{}, SECRET, {}, BASIC],
    [{ clientAuth: 'basic' }, SECRET, {}, BASIC],
    [{ clientAuth: 'post' }, SECRET, { client_id: clientId, client_secret: SECRET }, undefined],
  ]
  for (const [options, clientSecret, form, authorization] of KINDS) {
    test(`is as RFC 6749 says, for ${JSON.stringify(options)} and ${clientSecret ? 'a' : 'no'} client secret`, async () => {
      const refreshToken = refreshTokenOf('request')
      const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-new' }))
      await createRefresher({ fetch, ...options })(expired(refreshToken, { clientSecret }))
      assert.equal(sent.length, 1)
      assert.equal(sent[0]?.url, tokenUri)
      const grant = { grant_type: 'refresh_token', refresh_token: refreshToken }
      assert.deepEqual(sent[0]?.form, { ...grant, ...form })
      assert.equal(sent[0]?.authorization, authorization)
      assert.equal(sent[0]?.init.method, 'POST')
      assert.equal(sent[0]?.init.redirect, 'manual')
      const headers = new Headers(sent[0]?.init.headers)
      assert.equal(headers.get('content-type'), 'application/x-www-form-urlencoded')
      assert.equal(headers.get('accept'), 'application/json')
    })
  }

  test('is not made with half of a surrogate pair', async () => {
    const { fetch, sent } = endpoint(() => ({}))
    const refreshToken = `${refreshTokenOf('surrogate')}\ud800`
    await assert.rejects(
      createRefresher({ fetch })({ refreshToken, clientId, tokenUri }),
      (error) => {
        assertNoLeak(error, refreshToken.slice(0, -1))
        return error instanceof URIError
      },
    )
    assert.equal(sent.length, 0)
  })
})

describe('the address of a token endpoint', () => {
  const request = (uri: string, options: CreateRefresherOptions = {}) => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-new' }))
    const credential = expired(refreshTokenOf('address'), { tokenUri: uri })
    return { promise: createRefresher({ fetch, ...options })(credential), sent }
  }
  const INSECURE = 'must be an https: URL without user name and fragment'
  const LOOPBACK = 'is an http: URL of this machine, for which allowInsecureLoopback must be true'
  const BAD: [uri: string, problem: string][] = [
    ['auth.example/token', INSECURE],
    ['/token', INSECURE],
    [' ', INSECURE],
    ['https://', INSECURE],
    ['ftp://auth.example/', INSECURE],
    ['javascript:1', INSECURE],
    ['http://auth.example/token', INSECURE],
    ['http://127.0.0.1.evil.example/', INSECURE],
    ['http://localhost.evil.example/', INSECURE],
    ['http://10.0.0.1/', INSECURE],
    ['https://user@auth.example/', INSECURE],
    ['https://:secret@auth.example/', INSECURE],
    ['http://user@localhost/', INSECURE],
    ['https://auth.example/#token', INSECURE],
    ['https://auth.example/#', INSECURE],
    ['http://localhost/#token', INSECURE],
    ['http://127.0.0.1/token', LOOPBACK],
    ['http://[::1]:8080/token', LOOPBACK],
    ['http://localhost:3000/token', LOOPBACK],
  ]
  for (const [uri, problem] of BAD) {
    test(`${JSON.stringify(uri)} ${problem}`, async () => {
      for (const options of problem === LOOPBACK ? [{}] : [{}, { allowInsecureLoopback: true }]) {
        const { promise, sent } = request(uri, options)
        await assertFails(promise, `tokenUri ({PREFIX}TOKEN_URI) ${problem}.`)
        assert.equal(sent.length, 0)
      }
    })
  }

  test('may have a port, a path and a query', async () => {
    for (const uri of ['https://auth.example:8443/a?b=c@d', 'HTTPS://AUTH.example']) {
      const { promise, sent } = request(uri)
      assert.equal((await promise).accessToken, 'FAKE-new')
      assert.equal(sent[0]?.url, uri)
    }
  })

  test('may be on this machine without TLS, where that is said', async () => {
    for (const host of ['127.0.0.1:8080', '[::1]', 'localhost:1']) {
      const { promise } = request(`http://${host}/token`, { allowInsecureLoopback: true })
      assert.equal((await promise).accessToken, 'FAKE-new')
    }
  })
})
