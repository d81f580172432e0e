import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  fromEnv,
  fromMode,
  OAuthCredential,
  runWithCredentials,
  tryGetCredentials,
} from 'mcp-credentials'
import { createRefresher, CredentialRefreshError } from 'mcp-credentials/oauth'
import type { Environment, Refresher } from 'mcp-credentials'
import type { CreateRefresherOptions } from 'mcp-credentials/oauth'
import { assertNoLeak, fakeSecret } from './helper.ts'

const tokenUri = 'https://auth.example/token'
const clientId = 'client'
const PAST = new Date(0)
const inSeconds = (seconds: number) => new Date(Date.now() + seconds * 1000)

interface Sent {
  readonly url: string
  readonly init: RequestInit
  readonly form: Record<string, string>
  readonly authorization: string | undefined
}

/** A token endpoint that answers what it is told, a time later, and keeps what it was asked. */
function endpoint(
  answer: (form: Record<string, string>, count: number) => object | Response | Promise<Response>,
  milliseconds = 2,
) {
  const sent: Sent[] = []
  const fetch = async (url: string | URL | Request, init: RequestInit = {}) => {
    const form = Object.fromEntries(new URLSearchParams(String(init.body)))
    sent.push({
      url: String(url),
      init,
      form,
      authorization: new Headers(init.headers).get('authorization') ?? undefined,
    })
    await sleep(milliseconds)
    const given = await answer(form, sent.length)
    return given instanceof Response
      ? given
      : Response.json({ token_type: 'Bearer', expires_in: 3600, ...given })
  }
  return { fetch: fetch as typeof globalThis.fetch, sent }
}

/** A server that hands out another refresh token each time, and takes each but once. */
function rotating() {
  let generation = 0
  let current = 'FAKE-refresh-0'
  const reused: string[] = []
  return {
    reused,
    ...endpoint(({ refresh_token: given }) => {
      if (given !== current) {
        reused.push(String(given))
        return Response.json({ error: 'invalid_grant' }, { status: 400 })
      }
      generation += 1
      current = `FAKE-refresh-${generation}`
      return { access_token: `FAKE-access-${generation}`, refresh_token: current, expires_in: 1 }
    }),
  }
}

const expired = (more: object = {}) =>
  new OAuthCredential({
    accessToken: 'FAKE-old-access',
    refreshToken: 'FAKE-refresh-0',
    clientId,
    tokenUri,
    expiresAt: PAST,
    ...more,
  })

describe('a refresher', () => {
  test('leaves alone what is fresh, what does not say, and what lacks a part but is still valid', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE' }))
    const refresh = createRefresher({ fetch })
    const expiresAt = inSeconds(50)
    for (const credential of [
      expired({ expiresAt: inSeconds(90) }),
      expired({ expiresAt: undefined }),
      expired({ expiresAt, refreshToken: undefined }),
      expired({ expiresAt, clientId: undefined }),
      expired({ expiresAt, tokenUri: undefined }),
    ]) {
      assert.equal(await refresh(credential), credential)
    }
    assert.equal(sent.length, 0)
  })

  test('refuses what has expired and cannot be refreshed, and names what is missing', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE' }))
    const refresh = createRefresher({ fetch })
    const missing = { refreshToken: undefined, clientId: undefined, tokenUri: undefined }
    for (const [given, names] of [
      [{ refreshToken: undefined }, 'refreshToken'],
      [{ clientId: undefined }, 'clientId'],
      [{ tokenUri: undefined }, 'tokenUri'],
      [missing, 'refreshToken, clientId, tokenUri'],
    ] as const) {
      await assert.rejects(refresh(expired(given)), {
        code: 'ERR_CREDENTIAL_REFRESH',
        message: `The access token could not be refreshed: it has expired, and the credential lacks ${names}.`,
      })
    }
    assert.equal(sent.length, 0)
  })

  test('gives the successor of what has expired, or will within the leeway', async () => {
    for (const [expiresAt, options] of [
      [PAST, {}],
      [inSeconds(50), {}],
      [inSeconds(90), { leewaySeconds: 120 }],
    ] as [Date, CreateRefresherOptions][]) {
      const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-new-access', scope: 'a' }))
      const extra = { tenant: 'acme' }
      const fresh = await createRefresher({ fetch, ...options })(
        expired({ expiresAt, scopes: ['a', 'b'], extra, clientSecret: 'FAKE-client-secret' }),
      )
      assert.equal(fresh.accessToken, 'FAKE-new-access')
      assert.equal(fresh.refreshToken, 'FAKE-refresh-0')
      assert.deepEqual(
        [fresh.clientId, fresh.clientSecret, fresh.tokenUri],
        [clientId, 'FAKE-client-secret', tokenUri],
      )
      assert.deepEqual(fresh.scopes, ['a'])
      assert.deepEqual({ ...fresh.extra }, extra)
      const left = Number(fresh.expiresAt) - Date.now()
      assert(left > 3_590_000 && left <= 3_600_000)
      assert.equal(sent.length, 1)
    }
  })

  test('takes any number of seconds for its timeout', async () => {
    for (const timeoutSeconds of [1.2345678, 1e9, Infinity]) {
      const { fetch } = endpoint(() => ({ access_token: 'FAKE-new' }))
      assert.equal(
        (await createRefresher({ fetch, timeoutSeconds })(expired())).accessToken,
        'FAKE-new',
      )
    }
  })

  test('asks as RFC 6749 says, for each kind of client', async () => {
    const secret = 'FAKE p@ss:w+rd%/é~!*'
    const kinds: [
      options: CreateRefresherOptions,
      clientSecret: string | undefined,
      form: object,
      authorization: string | undefined,
    ][] = [
      [{}, undefined, { client_id: clientId }, undefined],
      [{ clientAuth: 'none' }, secret, { client_id: clientId }, undefined],
      [{}, secret, {}, `Basic ${btoa('client:FAKE+p%40ss%3Aw%2Brd%25%2F%C3%A9%7E%21*')}`],
      [
        { clientAuth: 'basic' },
        secret,
        {},
        `Basic ${btoa('client:FAKE+p%40ss%3Aw%2Brd%25%2F%C3%A9%7E%21*')}`,
      ],
      [{ clientAuth: 'post' }, secret, { client_id: clientId, client_secret: secret }, undefined],
    ]
    for (const [options, clientSecret, form, authorization] of kinds) {
      const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-new' }))
      await createRefresher({ fetch, ...options })(expired({ clientSecret }))
      assert.equal(sent[0]?.url, tokenUri)
      assert.deepEqual(sent[0]?.form, {
        grant_type: 'refresh_token',
        refresh_token: 'FAKE-refresh-0',
        ...form,
      })
      assert.equal(sent[0]?.authorization, authorization)
      assert.equal(sent[0]?.init.method, 'POST')
      assert.equal(sent[0]?.init.redirect, 'manual')
      assert.equal(
        new Headers(sent[0]?.init.headers).get('content-type'),
        'application/x-www-form-urlencoded',
      )
    }
    for (const clientAuth of ['basic', 'post'] as const) {
      await assertFails(createRefresher({ clientAuth })(expired()), /there is no client secret\.$/)
    }
  })
})

async function assertFails(
  promise: Promise<unknown>,
  message: RegExp,
  status?: number,
  error?: string,
  ...secrets: string[]
): Promise<void> {
  await assert.rejects(promise, (thrown: unknown) => {
    assert(thrown instanceof CredentialRefreshError, String(thrown))
    assert.equal(thrown.code, 'ERR_CREDENTIAL_REFRESH')
    assert.equal(thrown.name, 'CredentialRefreshError')
    assert.equal(thrown.isServerFault, true)
    assert.match(thrown.message, message)
    assert.deepEqual([thrown.status, thrown.error, thrown.cause], [status, error, undefined])
    assertNoLeak(thrown, 'FAKE-old-access', 'FAKE-refresh-0', 'auth.example', ...secrets)
    return true
  })
}

describe('one flight', () => {
  test('for however many calls, and each of them gets the successor', async () => {
    const { fetch, sent, reused } = rotating()
    const refresh = createRefresher({ fetch })
    const credential = expired()
    const all = await Promise.all(
      Array.from({ length: 1000 }, (_, index) => refresh(index % 2 ? credential : expired())),
    )
    assert.equal(sent.length, 1)
    assert.equal(new Set(all).size, 1)
    assert.deepEqual(reused, [])
  })

  test('for each refresh token, client and endpoint', async () => {
    const { fetch, sent } = endpoint(({ refresh_token: given }) => ({
      access_token: `FAKE-of-${given}`,
    }))
    const refresh = createRefresher({ fetch })
    const others = [
      {},
      { refreshToken: 'FAKE-other' },
      { clientId: 'other' },
      { tokenUri: 'https://other.example/' },
    ]
    const all = await Promise.all([...others, ...others].map((more) => refresh(expired(more))))
    assert.equal(sent.length, 4)
    assert.equal(all[1]?.accessToken, 'FAKE-of-FAKE-other')
  })

  test('is in the scope of nobody', async () => {
    const seen: unknown[] = []
    const { fetch } = endpoint(() => {
      seen.push(tryGetCredentials())
      return { access_token: 'FAKE-new' }
    })
    const refresh = createRefresher({
      fetch,
      onRefresh: () => {
        seen.push(tryGetCredentials())
      },
    })
    await runWithCredentials(new OAuthCredential({ accessToken: 'FAKE-caller' }), () =>
      refresh(expired()),
    )
    assert.deepEqual(seen, [undefined, undefined])
  })

  test('a failure is told to all that wait, and not remembered', async () => {
    const { fetch, sent } = endpoint((_, count) =>
      count === 1 ? Response.json({}, { status: 503 }) : { access_token: 'FAKE-new' },
    )
    const refresh = createRefresher({ fetch })
    const both = [refresh(expired()), refresh(expired())]
    for (const one of both) await assertFails(one, /answered with 503/, 503)
    assert.equal((await refresh(expired())).accessToken, 'FAKE-new')
    assert.equal(sent.length, 2)
  })
})

describe('the successor', () => {
  test('is remembered, while the environment still holds its ancestor, over 150 generations', async () => {
    const { fetch, sent, reused } = rotating()
    const refresh = createRefresher({ fetch })
    for (let generation = 1; generation <= 150; generation++) {
      assert.equal((await refresh(expired())).accessToken, `FAKE-access-${generation}`)
    }
    assert.equal(sent.length, 150)
    assert.deepEqual(reused, [])
  })

  test('is found by itself, by its ancestor and by the first, however they are loaded', async () => {
    const { fetch, reused } = rotating()
    const refresh = createRefresher({ fetch })
    const first = await refresh(expired())
    const second = await refresh(first)
    const third = await refresh(second)
    assert.equal((await refresh(second)).accessToken, 'FAKE-access-4')
    assert.equal((await refresh(expired())).accessToken, 'FAKE-access-5')
    assert.equal((await refresh(third)).accessToken, 'FAKE-access-6')
    assert.deepEqual(reused, [])
  })

  test('gives way to a token that somebody else has refreshed, and to another refresh token', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-short', expires_in: 1 }))
    const refresh = createRefresher({ fetch })
    await refresh(expired())
    const newer = expired({ accessToken: 'FAKE-newer', expiresAt: inSeconds(3600) })
    assert.equal(await refresh(newer), newer)
    await refresh(expired({ refreshToken: 'FAKE-pasted' }))
    assert.equal(sent.at(-1)?.form['refresh_token'], 'FAKE-pasted')
  })

  test('is asked for with a client secret that has been changed meanwhile', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-short', expires_in: 1 }))
    const refresh = createRefresher({ fetch, clientAuth: 'post' })
    await refresh(expired({ clientSecret: 'FAKE-one' }))
    assert.equal((await refresh(expired({ clientSecret: 'FAKE-two' }))).clientSecret, 'FAKE-two')
    assert.deepEqual(
      sent.map(({ form }) => form['client_secret']),
      ['FAKE-one', 'FAKE-two'],
    )
  })

  test('that has expired when it arrives is given out all the same, and refreshed the next time', async () => {
    const { fetch, sent } = endpoint((_, count) => ({
      access_token: `FAKE-${count}`,
      expires_in: 0,
    }))
    const refresh = createRefresher({ fetch })
    assert.equal((await refresh(expired())).accessToken, 'FAKE-1')
    assert.equal((await refresh(expired())).accessToken, 'FAKE-2')
    assert.equal(sent.length, 2)
  })

  test('whose clock jumps ahead is refreshed, and one whose clock jumps back is kept', async () => {
    const { fetch, sent } = endpoint((_, count) => ({ access_token: `FAKE-${count}` }))
    const refresh = createRefresher({ fetch })
    const { now } = Date
    try {
      await refresh(expired())
      Date.now = () => now() + 7_200_000
      assert.equal((await refresh(expired())).accessToken, 'FAKE-2')
      Date.now = () => now() - 7_200_000
      assert.equal((await refresh(expired())).accessToken, 'FAKE-2')
      assert.equal(sent.length, 2)
    } finally {
      Date.now = now
    }
  })
})

describe('onRefresh', () => {
  test('has saved the successor before anyone gets it', async () => {
    const { fetch } = rotating()
    const saved: string[] = []
    const refresh = createRefresher({
      fetch,
      onRefresh: async ({ refreshToken }) => {
        await sleep(5)
        saved.push(String(refreshToken))
      },
    })
    await Promise.all(
      [1, 2, 3].map(async () => {
        const { refreshToken } = await refresh(expired())
        assert.deepEqual(saved, [refreshToken])
      }),
    )
  })

  test('that fails is asked again, before the token is, which is not lost', async () => {
    const { fetch, sent } = endpoint(() => ({
      access_token: 'FAKE-new',
      refresh_token: 'FAKE-refresh-1',
    }))
    let attempts = 0
    const error = new Error('the disk is full')
    const refresh = createRefresher({
      fetch,
      onRefresh: () => {
        attempts += 1
        if (attempts < 3) throw error
      },
    })
    for (const _ of [1, 2]) await assert.rejects(refresh(expired()), (thrown) => thrown === error)
    assert.equal((await refresh(expired())).refreshToken, 'FAKE-refresh-1')
    assert.equal((await refresh(expired())).refreshToken, 'FAKE-refresh-1')
    assert.deepEqual([attempts, sent.length], [3, 1])
  })
})

describe('what the endpoint answers', () => {
  const secret = fakeSecret('answer')
  const json =
    (body: object, status = 200) =>
    () =>
      Response.json(body, { status })
  const token = { access_token: secret, token_type: 'Bearer' }
  const NO_TOKEN = /answered with what is no bearer token\.$/
  const bad: [
    name: string,
    answer: () => object | Response,
    message: RegExp,
    status?: number,
    error?: string,
  ][] = [
    ...[
      'invalid_request',
      'invalid_client',
      'unauthorized_client',
      'unsupported_grant_type',
      'invalid_scope',
    ].map((error): [string, () => Response, RegExp, number, string] => [
      error,
      json({ error, error_description: secret }, 400),
      new RegExp(`answered with 400 \\(${error}\\)\\.$`),
      400,
      error,
    ]),
    [
      'invalid_grant',
      json({ error: 'invalid_grant' }, 400),
      /\(invalid_grant\)\. The account must be connected again\.$/,
      400,
      'invalid_grant',
    ],
    ['an error that nobody knows', json({ error: secret }, 401), /answered with 401\.$/, 401],
    ['an error that is none', json({ error: { secret } }, 400), /answered with 400\.$/, 400],
    ['500', json({ secret }, 500), /answered with 500\.$/, 500],
    ['201', json(token, 201), /answered with 201\.$/, 201],
    [
      'a redirect',
      () => new Response(null, { status: 307, headers: { location: 'https://evil.example/' } }),
      /answered with 307\.$/,
      307,
    ],
    ['HTML', () => new Response(`<html>${secret}</html>`), NO_TOKEN, 200],
    ['nothing', () => new Response(null), NO_TOKEN, 200],
    ['a list', () => Response.json([token]), NO_TOKEN, 200],
    ['null', () => new Response('null'), NO_TOKEN, 200],
    ['no token', json({ token_type: 'Bearer' }), NO_TOKEN, 200],
    ['an empty token', json({ ...token, access_token: '' }), NO_TOKEN, 200],
    ['a token that is none', json({ ...token, access_token: `${secret}\n` }), NO_TOKEN, 200],
    ['no token type', json({ access_token: secret }), NO_TOKEN, 200],
    ['another token type', json({ ...token, token_type: 'DPoP' }), NO_TOKEN, 200],
    ...[-1, 1.5, NaN, null, '', '3600s', '-5', '1e3', true, [3600]]
      .map((expiresIn): [string, () => Response, RegExp, number] => [
        `expires_in ${JSON.stringify(expiresIn)}`,
        json({ ...token, expires_in: expiresIn }),
        NO_TOKEN,
        200,
      ])
      .filter(([name]) => name !== 'expires_in [3600]'),
    ['a refresh token that is none', json({ ...token, refresh_token: 7 }), NO_TOKEN, 200],
    ['an empty refresh token', json({ ...token, refresh_token: '' }), NO_TOKEN, 200],
    ['scopes in a list', json({ ...token, scope: ['a'] }), NO_TOKEN, 200],
    [
      'an answer that is too long',
      () => new Response(`{"padding":"${secret.repeat(2000)}"}`),
      /the answer of the token endpoint is too long/,
    ],
    [
      'a break in mid-answer',
      () =>
        new Response(
          new ReadableStream({
            start(controller) {
              controller.enqueue(new TextEncoder().encode('{"access'))
              controller.error(new Error(secret))
            },
          }),
        ),
      /could not be reached, or broke off/,
    ],
    [
      'no answer',
      () => {
        throw new Error(`connect ECONNREFUSED ${secret}`)
      },
      /could not be reached, or broke off/,
    ],
  ]
  for (const [name, answer, message, status, error] of bad) {
    test(`${name} is an error that tells nothing of it`, async () => {
      const { fetch, sent } = endpoint(answer)
      await assertFails(createRefresher({ fetch })(expired()), message, status, error, secret)
      assert.equal(sent.length, 1)
    })
  }

  test('an endless body is cut off', async () => {
    let isCancelled = false
    const body = () =>
      new ReadableStream({
        pull(controller) {
          controller.enqueue(new Uint8Array(10_000))
        },
        cancel() {
          isCancelled = true
          throw new Error('cancel')
        },
      })
    const { fetch } = endpoint(() => new Response(body()))
    await assertFails(createRefresher({ fetch })(expired()), /too long/)
    assert(isCancelled)
  })

  test('an answer that never comes, or never ends, is given up', async () => {
    for (const answer of [
      () => new Promise<Response>(() => {}),
      () => new Response(new ReadableStream({ start() {} })),
    ]) {
      const { fetch } = endpoint(answer)
      await assertFails(
        createRefresher({ fetch, timeoutSeconds: 0.05 })(expired()),
        /took too long to answer/,
      )
    }
  })

  const good: [name: string, answer: object, expiry: (seconds: number | undefined) => boolean][] = [
    ['no expires_in: unknown', {}, (seconds) => seconds === undefined],
    ['expires_in 3600', { expires_in: 3600 }, (seconds = 0) => seconds > 3590 && seconds <= 3600],
    [
      'expires_in "3600"',
      { expires_in: '3600' },
      (seconds = 0) => seconds > 3590 && seconds <= 3600,
    ],
    [
      'expires_in 1e9: ten years',
      { expires_in: 1e9 },
      (seconds = 0) => seconds > 315_359_000 && seconds <= 315_360_000,
    ],
    [
      'a token type in other case',
      { token_type: 'bEARER', expires_in: 1 },
      (seconds = 9) => seconds <= 1,
    ],
  ]
  for (const [name, answer, isGood] of good) {
    test(name, async () => {
      const { fetch } = endpoint(() => Response.json({ ...token, ...answer }))
      const fresh = await createRefresher({ fetch })(expired({ scopes: ['a'] }))
      assert.equal(fresh.accessToken, secret)
      assert.deepEqual(fresh.scopes, ['a'])
      assert(isGood(fresh.expiresAt && (Number(fresh.expiresAt) - Date.now()) / 1000))
    })
  }
})

describe('the endpoint', () => {
  const ask = (uri: string, options: CreateRefresherOptions = {}) => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-new' }))
    return { promise: createRefresher({ fetch, ...options })(expired({ tokenUri: uri })), sent }
  }
  for (const uri of [
    'http://auth.example/token',
    'http://127.0.0.1/token',
    'https://user@auth.example/',
    'https://:secret@auth.example/',
    'https://auth.example/#token',
    'ftp://auth.example/',
    'javascript:1',
    'auth.example/token',
    '/token',
    ' ',
  ]) {
    test(`${JSON.stringify(uri)} is refused, and asked nothing`, async () => {
      const { promise, sent } = ask(uri)
      await assertFails(promise, /must be an https: URL without user info or fragment/)
      assert.equal(sent.length, 0)
    })
  }

  test('may be on this machine without TLS, when that is said', async () => {
    for (const host of ['127.0.0.1:8080', '[::1]', 'localhost:1'])
      assert.equal(
        (await ask(`http://${host}/token`, { allowInsecureLoopback: true }).promise).accessToken,
        'FAKE-new',
      )
    for (const uri of [
      'http://auth.example/',
      'http://127.0.0.1.evil.example/',
      'http://10.0.0.1/',
      'http://user@localhost/',
    ]) {
      await assertFails(ask(uri, { allowInsecureLoopback: true }).promise, /must be an https: URL/)
    }
  })
})

describe('fromEnv', () => {
  const env: Environment = {
    SVC_REFRESH_TOKEN: 'FAKE-refresh-0',
    SVC_CLIENT_ID: clientId,
    SVC_TOKEN_URI: tokenUri,
    SVC_EXTRA_TENANT: 'acme',
  }
  const request = { headers: undefined }

  test('gets an access token where there is none, and keeps it fresh', async () => {
    const { fetch, sent } = rotating()
    const refresh = createRefresher({ fetch })
    for (const source of [
      fromEnv('SVC_', { type: 'oauth', env, refresh }),
      fromMode('SVC_', { type: 'oauth', env, refresh }),
    ]) {
      const credential = await source(request)
      assert.match(String(credential.accessToken), /^FAKE-access-\d$/)
      assert.equal(credential.extra['tenant'], 'acme')
    }
    assert.equal(sent.length, 2)
  })

  test('uses the access token that there is, until it expires', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-new' }))
    const given: Record<string, string> = {
      ...(env as Record<string, string>),
      SVC_ACCESS_TOKEN: 'FAKE-given',
      SVC_EXPIRES_AT: inSeconds(3600).toISOString(),
    }
    const source = fromEnv('SVC_', {
      type: 'oauth',
      env: given,
      refresh: createRefresher({ fetch }),
    })
    assert.equal((await source(request)).accessToken, 'FAKE-given')
    given['SVC_EXPIRES_AT'] = '2020-01-01'
    assert.equal((await source(request)).accessToken, 'FAKE-new')
    assert.equal(sent.length, 1)
  })

  test('refuses a token that has expired where the set is incomplete, and names the variables', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-new' }))
    const { SVC_TOKEN_URI: misspelt, ...rest } = env
    const given: Record<string, string | undefined> = {
      ...rest,
      SVC_TOKEN_URL: misspelt,
      SVC_ACCESS_TOKEN: 'FAKE-expired-0123456789',
      SVC_EXPIRES_AT: '2020-01-01',
    }
    const refresh = createRefresher({ fetch })
    const source = fromEnv('SVC_', { type: 'oauth', env: given, refresh })
    await assertFails(
      Promise.resolve(source(request)),
      /: it has expired, and SVC_TOKEN_URI must be set\.$/,
    )
    delete given['SVC_REFRESH_TOKEN']
    await assertFails(
      Promise.resolve(source(request)),
      /: it has expired, and SVC_REFRESH_TOKEN, SVC_TOKEN_URI must be set\.$/,
    )
    // Still valid, it is used, also within the leeway.
    given['SVC_EXPIRES_AT'] = inSeconds(30).toISOString()
    assert.equal((await source(request)).accessToken, 'FAKE-expired-0123456789')
    assert.equal(sent.length, 0)
  })

  test('starts afresh with another refresh token', async () => {
    const { fetch, sent } = endpoint(({ refresh_token: given }) => ({
      access_token: `FAKE-of-${given}`,
    }))
    const given: Record<string, string> = { ...(env as Record<string, string>) }
    const source = fromEnv('SVC_', {
      type: 'oauth',
      env: given,
      refresh: createRefresher({ fetch }),
    })
    await source(request)
    given['SVC_REFRESH_TOKEN'] = 'FAKE-pasted'
    assert.equal((await source(request)).accessToken, 'FAKE-of-FAKE-pasted')
    assert.equal(sent.length, 2)
  })

  test('refreshes by the defaults of createRefresher', async () => {
    const source = fromEnv('SVC_', {
      type: 'oauth',
      env: { ...env, SVC_TOKEN_URI: 'http://auth.example/' },
      refresh: createRefresher(),
    })
    await assertFails(Promise.resolve(source(request)), /must be an https: URL/)
  })

  test('says what is missing, and refuses a refresher that leaves it so', async () => {
    const sourceOf = (given: Environment, refresh: Refresher = createRefresher()) =>
      fromEnv('SVC_', { type: 'oauth', env: given, refresh })
    for (const name of ['SVC_REFRESH_TOKEN', 'SVC_CLIENT_ID', 'SVC_TOKEN_URI']) {
      await assert.rejects(Promise.resolve(sourceOf({ ...env, [name]: '' })(request)), {
        code: 'ERR_CREDENTIAL_MISSING',
        message:
          'Set SVC_ACCESS_TOKEN to the access token, or SVC_REFRESH_TOKEN, SVC_CLIENT_ID and SVC_TOKEN_URI to get one.',
      })
    }
    assert.throws(() => fromEnv('SVC_', { type: 'oauth', env })(request), {
      code: 'ERR_CREDENTIAL_MISSING',
      message: 'Set SVC_ACCESS_TOKEN to the access token.',
    })
    const lazy = async (credential: unknown) => credential
    await assert.rejects(Promise.resolve(sourceOf(env, lazy as never)(request)), {
      code: 'ERR_INVALID_ARG_TYPE',
      message: /^A refresher returns a StaticCredential or an OAuthCredential/,
    })
    for (const type of [undefined, 'static'] as const)
      assert.throws(() => fromEnv('SVC_', { type, env, refresh: createRefresher() }), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
      })
  })
})

test('misuse is a TypeError', () => {
  for (const options of [
    { leewaySeconds: NaN },
    { leewaySeconds: -1 },
    { timeoutSeconds: 0 },
    { timeoutSeconds: NaN },
    { clientAuth: 'jwt' },
  ]) {
    assert.throws(() => createRefresher(options as never), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_VALUE',
    })
  }
})
