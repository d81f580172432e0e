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
import { createRefresher } from 'mcp-credentials/oauth'
import { redactSecrets } from 'mcp-credentials/redact'
import type { Environment, Refresher } from 'mcp-credentials'
import type { CreateRefresherOptions } from 'mcp-credentials/oauth'
import { assertNoLeak, fakeSecret, fakeToken, findLeak } from './helper.ts'
import {
  assertFails,
  clientId,
  endpoint,
  expired,
  inSeconds,
  PAST,
  refreshTokenOf,
  rotating,
  tokenUri,
  withClock,
} from './oauth-endpoint.ts'

const FAILED = (status: number, headers: Record<string, string> = {}) =>
  Response.json({}, { status, headers })
const REFUSED = () => Response.json({ error: 'invalid_grant' }, { status: 400 })
const CONNECT = 'The account must be connected again.'
const INVALID_GRANT = `the token endpoint answered with 400 (invalid_grant). ${CONNECT}`

describe('a refresher', () => {
  test('leaves alone what is fresh, what does not say, and what lacks a part but is still valid', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE' }))
    const refresh = createRefresher({ fetch })
    const refreshToken = refreshTokenOf('fresh')
    const expiresAt = inSeconds(50)
    for (const credential of [
      expired(refreshToken, { expiresAt: inSeconds(90) }),
      expired(refreshToken, { expiresAt: undefined }),
      expired(refreshToken, { expiresAt, refreshToken: undefined }),
      expired(refreshToken, { expiresAt, clientId: undefined }),
      expired(refreshToken, { expiresAt, tokenUri: undefined }),
    ]) {
      assert.equal(await refresh(credential), credential)
    }
    assert.equal(sent.length, 0)
  })

  test('refuses what has expired and cannot be refreshed, and names what is missing', async () => {
    const refresh = createRefresher()
    const missing = { refreshToken: undefined, clientId: undefined, tokenUri: undefined }
    for (const [given, names] of [
      [{ refreshToken: undefined }, 'refreshToken'],
      [{ clientId: undefined }, 'clientId'],
      [{ tokenUri: undefined }, 'tokenUri'],
      [missing, 'refreshToken, clientId, tokenUri'],
    ] as const) {
      await assertFails(
        refresh(expired(refreshTokenOf('missing'), given)),
        `the credential lacks ${names}.`,
      )
    }
  })

  test('gives the successor of what has expired, or will within the leeway', async () => {
    const cases: [Date, CreateRefresherOptions][] = [
      [PAST, {}],
      [inSeconds(50), {}],
      [inSeconds(90), { leewaySeconds: 120 }],
    ]
    for (const [expiresAt, options] of cases) {
      const refreshToken = refreshTokenOf('successor')
      const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-new-access', scope: 'a' }))
      const client = { clientSecret: 'FAKE-client-secret', extra: { tenant: 'acme' } }
      const credential = expired(refreshToken, { expiresAt, scopes: ['a', 'b'], ...client })
      const fresh = await createRefresher({ fetch, ...options })(credential)
      assert.equal(fresh.accessToken, 'FAKE-new-access')
      assert.equal(fresh.refreshToken, refreshToken)
      assert.equal(fresh.clientId, clientId)
      assert.equal(fresh.clientSecret, 'FAKE-client-secret')
      assert.equal(fresh.tokenUri, tokenUri)
      assert.deepEqual(fresh.scopes, ['a'])
      assert.deepEqual({ ...fresh.extra }, { tenant: 'acme' })
      assert(!fresh.isExpired(3500) && fresh.isExpired(3600))
      assert.equal(sent.length, 1)
    }
  })

  test('takes a grant where there is no access token yet', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-first' }))
    const refresh = createRefresher({ fetch })
    const refreshToken = refreshTokenOf('grant')
    const grant = { refreshToken, clientId, tokenUri, scopes: ['a'], extra: { tenant: 'acme' } }
    const fresh = await refresh(grant)
    assert.equal(fresh.accessToken, 'FAKE-first')
    assert.equal(fresh.refreshToken, refreshToken)
    assert.deepEqual(fresh.scopes, ['a'])
    assert.equal(fresh.extra['tenant'], 'acme')
    assert.equal((await refresh(grant)).accessToken, 'FAKE-first')
    assert.equal(sent.length, 1)
  })

  test('takes nothing else', async () => {
    const refresh = createRefresher()
    const grant = { refreshToken: 'FAKE', clientId, tokenUri }
    // As a credential of a second copy of the package is.
    class OtherCredential {
      readonly refreshToken = 'FAKE'
      readonly clientId = clientId
      readonly tokenUri = tokenUri
    }
    for (const given of [undefined, null, 'FAKE', [grant], new OtherCredential()]) {
      await assert.rejects(refresh(given as never), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_TYPE',
        message: 'A refresher takes an OAuthCredential or a RefreshGrant.',
      })
    }
    for (const [given, names] of [
      [{}, 'refreshToken, clientId, tokenUri'],
      [{ ...grant, refreshToken: '' }, 'refreshToken'],
      [{ ...grant, tokenUri: undefined }, 'tokenUri'],
    ] as const) {
      const reason = `the credential lacks ${names}.`
      await assertFails(refresh(given as never), reason)
    }
  })

  test('takes a grant as it is at each call, whatever it was before', async () => {
    const { fetch, sent } = endpoint(({ refresh_token: given }) => ({ access_token: `${given}-a` }))
    const refresh = createRefresher({ fetch })
    const grant = { refreshToken: refreshTokenOf('mutable'), clientId, tokenUri }
    await refresh(grant)
    grant.refreshToken = refreshTokenOf('mutable')
    assert.equal((await refresh(grant)).accessToken, `${grant.refreshToken}-a`)
    assert.equal(sent.length, 2)
  })

  test('takes any number of seconds for its timeout', async () => {
    for (const timeoutSeconds of [1.2345678, 1e9]) {
      const { fetch } = endpoint(() => ({ access_token: 'FAKE-new' }))
      const refresh = createRefresher({ fetch, timeoutSeconds })
      assert.equal((await refresh(expired(refreshTokenOf('timeout')))).accessToken, 'FAKE-new')
    }
  })

  test('misuse is a TypeError', async () => {
    for (const options of [
      { leewaySeconds: NaN },
      { leewaySeconds: -1 },
      { timeoutSeconds: NaN },
      { timeoutSeconds: Infinity },
      { timeoutSeconds: '10' },
      { timeoutSeconds: 0 },
      { clientAuth: 'jwt' },
      { clientAuth: 'none' },
      { clientAuth: 1 },
      { fetch: 'fetch' },
      { onRefresh: true },
      { allowInsecureLoopback: 'yes' },
      { allowInsecure: true },
      'options',
    ]) {
      assert.throws(() => createRefresher(options as never), {
        name: 'TypeError',
        code: /^ERR_INVALID_ARG_(TYPE|VALUE)$/,
      })
    }
    const refresh = createRefresher()
    for (const options of [{ force: 1 }, { forced: true }]) {
      await assert.rejects(refresh(expired(refreshTokenOf('misuse')), options as never), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
      })
    }
  })
})

describe('one request', () => {
  test('for however many calls, and each of them gets the successor', async () => {
    const first = refreshTokenOf('flight')
    // For longer than the leeway: calls whose digest is late find a successor that is fresh.
    const { fetch, sent, reused } = rotating(first, { expires_in: 3600 })
    const refresh = createRefresher({ fetch })
    const credential = expired(first)
    const all = await Promise.all(
      Array.from({ length: 1000 }, (_, index) => refresh(index % 2 ? credential : expired(first))),
    )
    assert.equal(sent.length, 1)
    assert.deepEqual(new Set(all.map((one) => one.accessToken)), new Set(['FAKE-access-1']))
    assert.deepEqual(new Set(all.map((one) => one.refreshToken)), new Set([`${first}-1`]))
    assert.deepEqual(reused, [])
  })

  test('for each refresh token, client, client secret and endpoint', async () => {
    const { fetch, sent } = endpoint((_, count) => ({ access_token: `FAKE-${count}` }))
    const refresh = createRefresher({ fetch })
    const refreshToken = refreshTokenOf('key')
    const others = [
      {},
      { refreshToken: refreshTokenOf('key') },
      { clientId: 'other' },
      { clientSecret: 'FAKE-one' },
      { clientSecret: 'FAKE-two' },
      { tokenUri: 'https://other.example/' },
    ]
    const given = [...others, ...others].map((more) => expired(refreshToken, more))
    const all = await Promise.all(given.map((credential) => refresh(credential)))
    assert.equal(sent.length, others.length)
    assert.equal(new Set(all.map((one) => one.accessToken)).size, others.length)
    for (const [index, fresh] of all.entries()) {
      assert.equal(fresh.clientSecret, given[index]?.clientSecret)
      assert.equal(fresh.clientId, given[index]?.clientId)
    }
  })

  test('is in the scope of nobody', async () => {
    const seen: unknown[] = []
    const look = () => {
      seen.push(tryGetCredentials())
      return { access_token: 'FAKE-new' }
    }
    const { fetch } = endpoint(look)
    const refresh = createRefresher({ fetch, onRefresh: look })
    const credential = expired(refreshTokenOf('scope'))
    const caller = new OAuthCredential({ accessToken: 'FAKE-caller' })
    await runWithCredentials(caller, () => refresh(credential))
    assert.deepEqual(seen, [undefined, undefined])
  })
})

describe('what a caller gave', () => {
  test('is laid over the successor, for each caller its own', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-shared' }))
    const refresh = createRefresher({ fetch })
    const refreshToken = refreshTokenOf('extra')
    const given = ['acme', 'globex', 'initech'].map((tenant) =>
      expired(refreshToken, { extra: { tenant }, scopes: [tenant] }),
    )
    for (const _ of [1, 2]) {
      const all = await Promise.all(given.map((credential) => refresh(credential)))
      assert.deepEqual(
        all.map(({ extra, scopes }) => [extra['tenant'], scopes]),
        [
          ['acme', ['acme']],
          ['globex', ['globex']],
          ['initech', ['initech']],
        ],
      )
      assert.deepEqual(new Set(all.map((one) => one.accessToken)), new Set(['FAKE-shared']))
    }
    assert.equal(sent.length, 1)
  })

  test('is given back itself while it is the newest', async () => {
    const { fetch } = endpoint((_, count) => ({ access_token: `FAKE-${count}` }))
    const refresh = createRefresher({ fetch })
    const credential = expired(refreshTokenOf('same'))
    const fresh = await refresh(credential)
    assert.equal(await refresh(credential), fresh)
    assert.equal(await refresh(fresh), fresh)
    const other = await refresh(fresh, { force: true })
    assert.equal(other.accessToken, 'FAKE-2')
    assert.equal(await refresh(other), other)
    for (const given of [fresh, credential])
      assert.equal((await refresh(given)).accessToken, 'FAKE-2')
  })

  test('wins where it expires later than what is remembered', async () => {
    const refreshToken = refreshTokenOf('newer')
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-remembered' }))
    const refresh = createRefresher({ fetch })
    await refresh(expired(refreshToken))
    const newer = expired(refreshToken, { accessToken: 'FAKE-newer', expiresAt: inSeconds(7200) })
    const older = expired(refreshToken, { accessToken: 'FAKE-older', expiresAt: inSeconds(1800) })
    const unknown = expired(refreshToken, { accessToken: 'FAKE-unknown', expiresAt: undefined })
    assert.equal(await refresh(newer), newer)
    assert.equal((await refresh(older)).accessToken, 'FAKE-remembered')
    assert.equal((await refresh(unknown)).accessToken, 'FAKE-remembered')
    assert.equal(sent.length, 1)
  })

  test('starts afresh with another refresh token', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-short', expires_in: 1 }))
    const refresh = createRefresher({ fetch })
    await refresh(expired(refreshTokenOf('first')))
    const pasted = refreshTokenOf('pasted')
    await refresh(expired(pasted))
    assert.equal(sent.at(-1)?.form['refresh_token'], pasted)
  })
})

describe('the successor', () => {
  test('is remembered, while the environment still holds its ancestor, over 150 generations', async () => {
    const first = refreshTokenOf('generations')
    const { fetch, sent, reused } = rotating(first)
    const refresh = createRefresher({ fetch })
    for (let generation = 1; generation <= 150; generation++) {
      assert.equal((await refresh(expired(first))).accessToken, `FAKE-access-${generation}`)
    }
    assert.equal(sent.length, 150)
    assert.deepEqual(reused, [])
  })

  test('is found by itself, by its ancestors and by the first, however they are loaded', async () => {
    const start = refreshTokenOf('ancestors')
    const { fetch, reused } = rotating(start)
    const refresh = createRefresher({ fetch })
    const first = await refresh(expired(start))
    const second = await refresh(first)
    const third = await refresh(second)
    assert.equal((await refresh(second)).accessToken, 'FAKE-access-4')
    assert.equal((await refresh(expired(start))).accessToken, 'FAKE-access-5')
    assert.equal((await refresh(third)).accessToken, 'FAKE-access-6')
    assert.deepEqual(reused, [])
  })

  test('is remembered of a server that hands out an old refresh token again', async () => {
    const first = refreshTokenOf('back')
    const tokens = [`${first}-a`, first]
    const { fetch, sent } = endpoint((_, count) => ({
      access_token: `FAKE-${count}`,
      refresh_token: tokens[(count - 1) % 2],
      expires_in: 1,
    }))
    const refresh = createRefresher({ fetch })
    for (let count = 1; count <= 30; count++)
      assert.equal((await refresh(expired(first))).accessToken, `FAKE-${count}`)
    assert.deepEqual(
      sent.map(({ form }) => form['refresh_token']),
      Array.from({ length: 30 }, (_, index) => (index % 2 ? `${first}-a` : first)),
    )
  })

  test('that has expired when it arrives is given out all the same, and refreshed the next time', async () => {
    const { fetch, sent } = endpoint((_, count) => ({
      access_token: `FAKE-${count}`,
      expires_in: 0,
    }))
    const refresh = createRefresher({ fetch })
    const refreshToken = refreshTokenOf('arrives')
    assert.equal((await refresh(expired(refreshToken))).accessToken, 'FAKE-1')
    assert.equal((await refresh(expired(refreshToken))).accessToken, 'FAKE-2')
    assert.equal(sent.length, 2)
  })

  test('without a known expiry is for the calls that wait for it, and for no later one', async () => {
    const { fetch, sent } = endpoint((_, count) =>
      Response.json({ access_token: `FAKE-${count}`, token_type: 'Bearer' }),
    )
    const refresh = createRefresher({ fetch })
    const credential = expired(refreshTokenOf('unknown'))
    const both = await Promise.all([refresh(credential), refresh(credential)])
    assert.deepEqual(
      both.map((one) => one.accessToken),
      ['FAKE-1', 'FAKE-1'],
    )
    assert.equal(both[0]?.expiresAt, undefined)
    assert.equal((await refresh(credential)).accessToken, 'FAKE-2')
    assert.equal(sent.length, 2)
  })

  test('keeps the scopes that an earlier answer has narrowed', async () => {
    const { fetch } = endpoint((_, count) => ({
      access_token: `FAKE-${count}`,
      expires_in: 1,
      ...(count === 1 && { scope: 'a' }),
    }))
    const refresh = createRefresher({ fetch })
    const credential = expired(refreshTokenOf('narrowed'), { scopes: ['a', 'b'] })
    assert.deepEqual((await refresh(credential)).scopes, ['a'])
    assert.deepEqual((await refresh(credential)).scopes, ['a'])
  })

  test('whose clock jumps ahead is refreshed, and one whose clock jumps back is kept', async () => {
    const { fetch, sent } = endpoint((_, count) => ({ access_token: `FAKE-${count}` }))
    const refresh = createRefresher({ fetch })
    const refreshToken = refreshTokenOf('clock')
    await withClock(async (advance) => {
      await refresh(expired(refreshToken))
      advance(7200)
      assert.equal((await refresh(expired(refreshToken))).accessToken, 'FAKE-2')
      advance(-14_400)
      assert.equal((await refresh(expired(refreshToken))).accessToken, 'FAKE-2')
      assert.equal(sent.length, 2)
    })
  })
})

describe('after a failure', () => {
  const FAILURES: [
    name: string,
    answer: () => Response | Promise<Response>,
    reason: string,
    status?: number,
  ][] = [
    ['503', () => FAILED(503), 'the token endpoint answered with 503.', 503],
    ['429', () => FAILED(429), 'the token endpoint answered with 429.', 429],
    ['a redirect', () => FAILED(302), 'the token endpoint redirects, which is not followed.', 302],
    [
      'no network',
      () => Promise.reject(new TypeError('fetch failed')),
      'the token endpoint could not be reached.',
    ],
    [
      'an answer that cannot be used',
      () => new Response(''),
      'the token endpoint answered with no JSON object of at most 64 KiB.',
      200,
    ],
  ]
  for (const [name, answer, reason, status] of FAILURES) {
    test(`with ${name}, 100 calls make one request a pause, and fail alike`, async () => {
      await withClock(async (advance) => {
        const { fetch, sent } = endpoint(answer)
        const refresh = createRefresher({ fetch })
        const refreshToken = refreshTokenOf('pause')
        const fail = () => assertFails(refresh(expired(refreshToken)), reason, { status })
        await Promise.all(Array.from({ length: 50 }, fail))
        for (let call = 0; call < 50; call++) await fail()
        assert.equal(sent.length, 1)
        advance(1)
        await Promise.all(Array.from({ length: 50 }, fail))
        for (let call = 0; call < 50; call++) await fail()
        assert.equal(sent.length, 2)
      })
    })

    test(`with ${name}, what is still valid is served, also in the pause`, async () => {
      await withClock(async (advance) => {
        const { fetch, sent } = endpoint(answer)
        const refresh = createRefresher({ fetch })
        const credential = expired(refreshTokenOf('valid'), { expiresAt: inSeconds(30) })
        const all = await Promise.all([refresh(credential), refresh(credential)])
        assert.deepEqual(all, [credential, credential])
        assert.equal(await refresh(credential), credential)
        assert.equal(sent.length, 1)
        advance(30)
        await assertFails(refresh(credential), reason, { status })
        assert.equal(sent.length, 2)
      })
    })
  }

  test('the pause grows from a second to a minute, and starts anew after a minute of peace', async () => {
    await withClock(async (advance) => {
      const { fetch, sent } = endpoint(() => FAILED(500))
      const refresh = createRefresher({ fetch })
      const refreshToken = refreshTokenOf('growing')
      const fail = () =>
        assertFails(refresh(expired(refreshToken)), 'the token endpoint answered with 500.', {
          status: 500,
        })
      await fail()
      let requests = 1
      for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
        advance(seconds - 0.001)
        await fail()
        assert.equal(sent.length, requests, `after a little less than ${seconds} seconds`)
        advance(0.001)
        await fail()
        requests += 1
        assert.equal(sent.length, requests, `after ${seconds} seconds`)
      }
      advance(120)
      await fail()
      advance(1)
      await fail()
      assert.equal(sent.length, requests + 2)
    })
  })

  test('the pause is as long as the answer asks for, an hour at most', async () => {
    for (const [retryAfter, seconds] of [
      ['120', 120],
      ['31536000', 3600],
      ['nonsense', 1],
      ['0', 1],
    ] as const) {
      await withClock(async (advance) => {
        const { fetch, sent } = endpoint((_, count) =>
          count === 1 ? FAILED(429, { 'retry-after': retryAfter }) : { access_token: 'FAKE-new' },
        )
        const refresh = createRefresher({ fetch })
        const refreshToken = refreshTokenOf('retry-after')
        const failure = { status: 429, retryAfter: seconds === 1 ? undefined : seconds }
        const reason = 'the token endpoint answered with 429.'
        const fail = () => assertFails(refresh(expired(refreshToken)), reason, failure)
        await fail()
        advance(seconds - 0.001)
        await fail()
        assert.equal(sent.length, 1)
        advance(0.001)
        assert.equal((await refresh(expired(refreshToken))).accessToken, 'FAKE-new')
        assert.equal(sent.length, 2)
      })
    }
  })

  test('a failure does not come back after a success, although the clock is set back', async () => {
    await withClock(async (advance) => {
      const { fetch, sent } = endpoint((_, count) =>
        count === 1
          ? FAILED(429, { 'retry-after': '120' })
          : { access_token: 'FAKE-new', expires_in: 3600 },
      )
      const refresh = createRefresher({ fetch })
      const given = expired(refreshTokenOf('set-back'))
      await assertFails(refresh(given), 'the token endpoint answered with 429.', {
        status: 429,
        retryAfter: 120,
      })
      advance(120)
      const successor = await refresh(given)
      advance(-30)
      assert.equal((await refresh(successor, { force: true })).accessToken, 'FAKE-new')
      assert.equal(sent.length, 2)
    })
  })

  test('a pause of part of a second lasts a second', async () => {
    await withClock(async (advance) => {
      advance((1001 - (Date.now() % 1000)) / 1000)
      const retryAfter = new Date(Date.now() + 1000).toUTCString()
      const { fetch, sent } = endpoint(() => FAILED(429, { 'retry-after': retryAfter }))
      const refresh = createRefresher({ fetch })
      const credential = expired(refreshTokenOf('part'))
      await assert.rejects(refresh(credential), { retryAfter: 0.999 })
      advance(0.9995)
      await assert.rejects(refresh(credential))
      assert.equal(sent.length, 1)
    })
  })

  test('a clock that is set back ends the pause', async () => {
    await withClock(async (advance) => {
      const { fetch, sent } = endpoint((_, count) =>
        count === 1 ? FAILED(503, { 'retry-after': '60' }) : { access_token: 'FAKE-new' },
      )
      const refresh = createRefresher({ fetch })
      const credential = expired(refreshTokenOf('back'))
      await assert.rejects(refresh(credential))
      advance(-3600)
      assert.equal((await refresh(credential)).accessToken, 'FAKE-new')
      assert.equal(sent.length, 2)
    })
  })

  test('another account is not paused', async () => {
    const { fetch, sent } = endpoint((_, count) =>
      count === 1 ? FAILED(503) : { access_token: 'FAKE-new' },
    )
    const refresh = createRefresher({ fetch })
    await assert.rejects(refresh(expired(refreshTokenOf('one'))))
    assert.equal((await refresh(expired(refreshTokenOf('other')))).accessToken, 'FAKE-new')
    assert.equal(sent.length, 2)
  })
})

describe('a refresh token that was refused', () => {
  test('is not sent again, by 100 calls and an hour later', async () => {
    await withClock(async (advance) => {
      const { fetch, sent } = endpoint(REFUSED)
      const refresh = createRefresher({ fetch })
      const refreshToken = refreshTokenOf('refused')
      const failure = { status: 400, error: 'invalid_grant' }
      const fail = () => assertFails(refresh(expired(refreshToken)), INVALID_GRANT, failure)
      await Promise.all(Array.from({ length: 50 }, fail))
      for (let call = 0; call < 50; call++) await fail()
      advance(3600)
      await fail()
      assert.equal(sent.length, 1)
    })
  })

  test('is not sent again by force, nor by who knows its ancestor or its successor', async () => {
    const first = refreshTokenOf('refused-later')
    const { fetch, sent } = endpoint((_, count) =>
      count === 1
        ? { access_token: 'FAKE-1', refresh_token: `${first}-1`, expires_in: 0 }
        : REFUSED(),
    )
    const refresh = createRefresher({ fetch })
    const fresh = await refresh(expired(first))
    const failure = { status: 400, error: 'invalid_grant' }
    await assertFails(refresh(fresh, { force: true }), INVALID_GRANT, failure)
    await assertFails(refresh(fresh, { force: true }), INVALID_GRANT, failure)
    await assertFails(refresh(expired(first), { force: true }), INVALID_GRANT, failure)
    assert.equal(sent.length, 2)
  })

  test('leaves what is still valid, and what is newer', async () => {
    const { fetch, sent } = endpoint(REFUSED)
    const refresh = createRefresher({ fetch })
    const refreshToken = refreshTokenOf('refused-valid')
    const valid = expired(refreshToken, { expiresAt: inSeconds(30) })
    assert.equal(await refresh(valid), valid)
    const newer = expired(refreshToken, { expiresAt: inSeconds(3600) })
    assert.equal(await refresh(newer), newer)
    assert.equal(sent.length, 1)
  })
})

describe('a second refresher of the process', () => {
  test('knows what the first knows', async () => {
    const first = refreshTokenOf('two-refreshers')
    const { fetch, sent, reused } = rotating(first)
    const [one, other] = [createRefresher({ fetch }), createRefresher({ fetch })]
    await one(expired(first))
    assert.equal((await other(expired(first))).accessToken, 'FAKE-access-2')
    await Promise.all([one(expired(first)), other(expired(first))])
    assert.equal(sent.length, 3)
    assert.deepEqual(reused, [])
  })

  test('saves what the first could not', async () => {
    await withClock(async (advance) => {
      const first = refreshTokenOf('two-savers')
      const { fetch, sent } = rotating(first, { expires_in: 3600 })
      await createRefresher({ fetch })(expired(first))
      const saved: (string | undefined)[] = []
      const onRefresh = ({ refreshToken }: OAuthCredential) => void saved.push(refreshToken)
      advance(1)
      await createRefresher({ fetch, onRefresh })(expired(first))
      assert.deepEqual(saved, [`${first}-1`])
      assert.equal(sent.length, 1)
    })
  })
})

describe('force', () => {
  test('gets another token than that of the credential, however long that would last', async () => {
    const { fetch, sent } = endpoint((_, count) => ({ access_token: `FAKE-${count}` }))
    const refresh = createRefresher({ fetch })
    const refreshToken = refreshTokenOf('force')
    const long = expired(refreshToken, { expiresAt: inSeconds(86_400) })
    assert.equal((await refresh(long, { force: true })).accessToken, 'FAKE-1')
    // What a call was refused with is not given out again, though it expires later than its successor.
    assert.equal((await refresh(long)).accessToken, 'FAKE-1')
    assert.equal((await refresh(long, { force: true })).accessToken, 'FAKE-1')
    assert.equal(sent.length, 1)
  })

  test('makes one request a pause, whoever forces', async () => {
    await withClock(async (advance) => {
      const { fetch, sent } = endpoint((_, count) => ({ access_token: `FAKE-${count}` }))
      const refresh = createRefresher({ fetch })
      const fresh = await refresh(expired(refreshTokenOf('force-pause')))
      const forced = await Promise.all(
        Array.from({ length: 100 }, () => refresh(fresh, { force: true })),
      )
      assert.deepEqual(new Set(forced.map((one) => one.accessToken)), new Set(['FAKE-2']))
      const [second] = forced
      assert(second)
      // The API refuses that one as well.
      for (let call = 0; call < 100; call++)
        assert.equal((await refresh(second, { force: true })).accessToken, 'FAKE-2')
      assert.equal(sent.length, 2)
      advance(1)
      assert.equal((await refresh(second, { force: true })).accessToken, 'FAKE-3')
      assert.equal(sent.length, 3)
    })
  })

  test('does not ask again for what has been replaced already', async () => {
    await withClock(async (advance) => {
      const { fetch, sent } = endpoint((_, count) => ({ access_token: `FAKE-${count}` }))
      const refresh = createRefresher({ fetch })
      const old = await refresh(expired(refreshTokenOf('replaced')))
      await refresh(old, { force: true })
      advance(10)
      assert.equal((await refresh(old, { force: true })).accessToken, 'FAKE-2')
      assert.equal(sent.length, 2)
    })
  })

  test('that fails is an error, for which what was refused is no substitute; who does not force is served', async () => {
    await withClock(async (advance) => {
      const { fetch, sent } = endpoint((_, count) =>
        count === 2 ? FAILED(503) : { access_token: `FAKE-${count}` },
      )
      const refresh = createRefresher({ fetch })
      const fresh = await refresh(expired(refreshTokenOf('force-fails')))
      const failed = 'the token endpoint answered with 503.'
      for (const _ of [1, 2])
        await assertFails(refresh(fresh, { force: true }), failed, { status: 503 })
      assert.equal((await refresh(fresh)).accessToken, 'FAKE-1')
      assert.equal(sent.length, 2)
      advance(1)
      assert.equal((await refresh(fresh)).accessToken, 'FAKE-3')
    })
  })

  test('with a grant is meant for the token that was had by it', async () => {
    const { fetch, sent } = endpoint((_, count) => ({ access_token: `FAKE-${count}` }))
    const refresh = createRefresher({ fetch })
    const grant = Object.freeze({ refreshToken: refreshTokenOf('force-grant'), clientId, tokenUri })
    await withClock(async (advance) => {
      assert.equal((await refresh(grant, { force: true })).accessToken, 'FAKE-1')
      assert.equal((await refresh(grant)).accessToken, 'FAKE-1')
      assert.equal((await refresh(grant, { force: true })).accessToken, 'FAKE-1')
      assert.equal(sent.length, 1)
      advance(1)
      assert.equal((await refresh(grant, { force: true })).accessToken, 'FAKE-2')
    })
  })

  test('refuses what cannot be refreshed, although it is still valid', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-new' }))
    const refresh = createRefresher({ fetch })
    const valid = expired(refreshTokenOf('force-missing'), {
      expiresAt: inSeconds(3600),
      refreshToken: undefined,
    })
    assert.equal(await refresh(valid), valid)
    await assertFails(refresh(valid, { force: true }), 'the credential lacks refreshToken.')
    assert.equal(sent.length, 0)
  })

  test('beside calls that leave the token as it is makes one request, for whoever comes in between too', async () => {
    await withClock(async () => {
      const first = refreshTokenOf('force-beside')
      const { fetch, sent, reused } = rotating(first, { expires_in: 3600 })
      const refresh = createRefresher({ fetch })
      const valid = expired(first, { expiresAt: inSeconds(3600) })
      const plain: Promise<OAuthCredential>[] = []
      const forced: Promise<OAuthCredential>[] = []
      for (let call = 0; call < 50; call++) {
        plain.push(refresh(valid))
        forced.push(refresh(valid, { force: true }))
        await undefined
      }
      const tokensOf = async (calls: Promise<OAuthCredential>[]) =>
        new Set((await Promise.all(calls)).map((one) => one.accessToken))
      assert.deepEqual(await tokensOf(forced), new Set(['FAKE-access-1']))
      // Who comes first is not settled: digests are made side by side.
      for (const token of await tokensOf(plain)) assert.match(token, /^FAKE-(old-access|access-1)$/)
      assert.equal((await refresh(valid)).accessToken, 'FAKE-access-1')
      assert.equal(sent.length, 1)
      assert.deepEqual(reused, [])
    })
  })

  test('takes the same token from a server that has no other', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-always' }))
    const refresh = createRefresher({ fetch })
    const fresh = await refresh(expired(refreshTokenOf('always')))
    assert.equal((await refresh(fresh, { force: true })).accessToken, 'FAKE-always')
    assert.equal((await refresh(fresh)).accessToken, 'FAKE-always')
    assert.equal(sent.length, 2)
  })

  test('has the running call scrubbed of the successor, and of what it has replaced', async () => {
    const first = refreshTokenOf('scrubbed')
    const [access, next] = [fakeSecret('forced'), fakeSecret('forced-refresh')]
    const { fetch } = endpoint(() => ({ access_token: access, refresh_token: next }))
    const refresh = createRefresher({ fetch })
    const old = expired(first, { accessToken: fakeSecret('old'), expiresAt: inSeconds(3600) })
    const secrets = [access, next, first, old.accessToken]
    const hasStore = await runWithCredentials(old, async () => {
      await undefined
      return tryGetCredentials() !== undefined
    })
    const scrubbed = await runWithCredentials(old, async () => {
      assert.notEqual(findLeak([redactSecrets(access)], access), undefined)
      await refresh(old, { force: true })
      return redactSecrets(secrets.join(' '))
    })
    // Where the scope is over after the first await, so is what the call sends.
    if (hasStore) for (const secret of secrets) assertNoLeak(scrubbed, secret)
    else assert.equal(scrubbed, secrets.join(' '))
    // Also of a call that starts with the successor.
    const fresh = await refresh(old)
    const later = runWithCredentials(fresh, () => redactSecrets(secrets.join(' ')))
    for (const secret of secrets) assertNoLeak(later, secret)
  })

  test('has no other call scrubbed of anything', async () => {
    const refreshToken = refreshTokenOf('scrubbed-other')
    const access = fakeSecret('forced')
    const { fetch } = endpoint(() => ({ access_token: access }))
    const old = expired(refreshToken, { expiresAt: inSeconds(3600) })
    await runWithCredentials(old, () => createRefresher({ fetch })(old, { force: true }))
    const other = runWithCredentials(fakeToken(), () => redactSecrets(access))
    assert.equal(other, access)
  })
})

describe('onRefresh', () => {
  test('has saved the successor before anyone who waited gets it', async () => {
    const first = refreshTokenOf('saved')
    const { fetch } = rotating(first)
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
        const { refreshToken } = await refresh(expired(first))
        assert.deepEqual(saved, [refreshToken])
      }),
    )
  })

  test('gets the successor with what the caller gave, also where the refresh token is the same', async () => {
    const saved: OAuthCredential[] = []
    const { fetch } = endpoint(() => ({ access_token: 'FAKE-new' }))
    const onRefresh = (credential: OAuthCredential) => void saved.push(credential)
    const credential = expired(refreshTokenOf('gets'), { extra: { account: 'acme' } })
    const fresh = await createRefresher({ fetch, onRefresh })(credential)
    assert.equal(saved.length, 1)
    assert.equal(saved[0]?.accessToken, 'FAKE-new')
    assert.equal(saved[0]?.refreshToken, fresh.refreshToken)
    assert.equal(saved[0]?.extra['account'], 'acme')
  })

  test('that fails is called again later, and the token is not asked for again, nor withheld', async () => {
    await withClock(async (advance) => {
      const first = refreshTokenOf('fails')
      const { fetch, sent } = rotating(first, { expires_in: 3600 })
      let attempts = 0
      const refresh = createRefresher({
        fetch,
        onRefresh: () => {
          attempts += 1
          if (attempts < 3) throw new Error('the disk is full')
        },
      })
      // Once a pause.
      for (const [seconds, expected] of [
        [0, 1],
        [0, 1],
        [1, 2],
        [1, 2],
        [1, 3],
        [60, 3],
      ] as const) {
        advance(seconds)
        assert.equal((await refresh(expired(first))).refreshToken, `${first}-1`)
        assert.equal(attempts, expected)
      }
      assert.equal(sent.length, 1)
    })
  })

  test('that goes on failing is an error once the token has expired: no other is asked for until it is saved', async () => {
    await withClock(async (advance) => {
      const first = refreshTokenOf('fails-on')
      const { fetch, sent, reused } = rotating(first, { expires_in: 3600 })
      const error = new Error('the disk is full')
      let isBroken = true
      const saved: (string | undefined)[] = []
      const refresh = createRefresher({
        fetch,
        onRefresh: ({ refreshToken }) => {
          if (isBroken) throw error
          saved.push(refreshToken)
        },
      })
      await refresh(expired(first))
      advance(3600)
      for (const _ of [1, 2])
        await assert.rejects(refresh(expired(first)), (thrown) => thrown === error)
      assert.equal(sent.length, 1)
      isBroken = false
      advance(60)
      assert.equal((await refresh(expired(first))).refreshToken, `${first}-2`)
      assert.deepEqual(saved, [`${first}-1`, `${first}-2`])
      assert.deepEqual(reused, [])
    })
  })

  test('that hangs is given up after the time that a request may take, and hinders nobody else', async () => {
    const first = refreshTokenOf('hangs')
    const { fetch, sent } = rotating(first, { expires_in: 3600 })
    let attempts = 0
    const refresh = createRefresher({
      fetch,
      timeoutSeconds: 0.05,
      onRefresh: () => {
        attempts += 1
        return new Promise(() => {})
      },
    })
    const waiting = refresh(expired(first))
    while (attempts === 0) await sleep(1)
    // While it hangs.
    assert.equal((await refresh(expired(first))).refreshToken, `${first}-1`)
    assert.equal((await waiting).refreshToken, `${first}-1`)
    assert.equal((await refresh(expired(first))).refreshToken, `${first}-1`)
    assert.deepEqual([attempts, sent.length], [1, 1])
    await withClock(async (advance) => {
      advance(3600)
      await assertFails(refresh(expired(first)), 'onRefresh took longer than 0.05 seconds.')
    })
  })

  test('may call the refresher, for the same account as well, and by force', async () => {
    const first = refreshTokenOf('inside')
    const { fetch, sent, reused } = rotating(first, { expires_in: 3600 })
    const inside: string[] = []
    const refresh: Refresher = createRefresher({
      fetch,
      onRefresh: async (credential) => {
        for (const given of [credential, expired(first)])
          inside.push((await refresh(given)).accessToken)
        inside.push((await refresh(credential, { force: true })).accessToken)
      },
    })
    const fresh = await refresh(expired(first))
    assert.equal(fresh.accessToken, 'FAKE-access-1')
    // By force it got another one, which was saved as well; then there was the pause.
    const [one, two] = ['FAKE-access-1', 'FAKE-access-2']
    assert.deepEqual(inside, [one, one, two, two, two, two])
    assert.equal((await refresh(expired(first))).accessToken, two)
    assert.equal(sent.length, 2)
    assert.deepEqual(reused, [])
  })

  test('that is slow saves what has been refreshed meanwhile, last', async () => {
    const first = refreshTokenOf('slow')
    const { fetch } = rotating(first)
    const saved: (string | undefined)[] = []
    let finish: (() => void) | undefined
    const refresh = createRefresher({
      fetch,
      onRefresh: async ({ refreshToken }) => {
        if (finish === undefined) await new Promise<void>((resolve) => (finish = resolve))
        saved.push(refreshToken)
      },
    })
    const waiting = refresh(expired(first))
    while (finish === undefined) await sleep(1)
    for (const generation of [2, 3])
      assert.equal((await refresh(expired(first))).refreshToken, `${first}-${generation}`)
    finish()
    await waiting
    assert.deepEqual(saved, [`${first}-1`, `${first}-3`])
  })
})

describe('a new refresh token in an answer that is refused otherwise', () => {
  const BAD: [name: string, answer: object][] = [
    ['a token type that nobody knows', { token_type: 'DPoP' }],
    ['no token type', { token_type: undefined }],
    ['no access token', { access_token: null }],
    ['an access token that is none', { access_token: 'FAKE token' }],
    ['a lifetime that is none', { expires_in: 'long' }],
    ['scopes that are none', { scope: ['a'] }],
    ['an error', { error: 'server_error' }],
  ]
  for (const [name, bad] of BAD) {
    test(`is kept and saved, beside ${name}`, async () => {
      await withClock(async (advance) => {
        const first = refreshTokenOf('rescued')
        const { fetch, sent } = endpoint((_, count) => ({
          access_token: `FAKE-${count}`,
          refresh_token: `${first}-${count}`,
          ...(count === 1 && bad),
        }))
        const saved: OAuthCredential[] = []
        const refresh = createRefresher({ fetch, onRefresh: (one) => void saved.push(one) })
        const failure = { code: 'ERR_CREDENTIAL_REFRESH', status: 200 }
        await assert.rejects(refresh(expired(first)), failure)
        assert.equal(saved[0]?.accessToken, 'FAKE-old-access')
        assert.equal(saved[0]?.refreshToken, `${first}-1`)
        assert.equal(saved[0]?.isExpired(0), true)
        advance(1)
        assert.equal((await refresh(expired(first))).accessToken, 'FAKE-2')
        assert.deepEqual(
          sent.map(({ form }) => form['refresh_token']),
          [first, `${first}-1`],
        )
        assert.equal(saved[1]?.refreshToken, `${first}-2`)
      })
    })
  }

  test('goes with the last access token that there was, and is saved with the first one where there was none', async () => {
    await withClock(async (advance) => {
      const first = refreshTokenOf('rescued-grant')
      const { fetch } = endpoint((_, count) => ({
        access_token: `FAKE-${count}`,
        refresh_token: `${first}-${count}`,
        ...(count !== 2 && { token_type: 'DPoP' }),
      }))
      const saved: OAuthCredential[] = []
      const refresh = createRefresher({ fetch, onRefresh: (one) => void saved.push(one) })
      const extra = { account: 'acme' }
      // Frozen, so that what is handed out is remembered.
      const grant = Object.freeze({ refreshToken: first, clientId, tokenUri, extra })
      await assert.rejects(refresh(grant))
      assert.equal(saved.length, 0)
      advance(1)
      assert.equal((await refresh(grant)).accessToken, 'FAKE-2')
      advance(3590)
      const still = await refresh(grant)
      assert.equal(still.accessToken, 'FAKE-2')
      assert.equal(still.refreshToken, `${first}-3`)
      const seen = saved.map(({ accessToken, refreshToken, extra }) => [
        accessToken,
        refreshToken,
        extra['account'],
      ])
      assert.deepEqual(seen, [
        ['FAKE-2', `${first}-2`, 'acme'],
        ['FAKE-2', `${first}-3`, 'acme'],
      ])
    })
  })

  test('is not taken from what is no refresh token, nor from an answer with another status', async () => {
    for (const [body, status] of [
      [{ refresh_token: 'FAKE \ud800' }, 200],
      [{ refresh_token: '\ud800 FAKE' }, 200],
      [{ refresh_token: '' }, 200],
      [{ refresh_token: 7 }, 200],
      [{ refresh_token: 'FAKE-echo' }, 400],
    ] as const) {
      await withClock(async (advance) => {
        const first = refreshTokenOf('no-rescue')
        const { fetch, sent } = endpoint(() => Response.json(body, { status }))
        const refresh = createRefresher({ fetch })
        await assert.rejects(refresh(expired(first)))
        advance(1)
        await assert.rejects(refresh(expired(first)))
        assert.deepEqual(
          sent.map(({ form }) => form['refresh_token']),
          [first, first],
        )
      })
    }
  })
})

describe('fromEnv', () => {
  const envOf = (refreshToken: string): Record<string, string> => ({
    SVC_REFRESH_TOKEN: refreshToken,
    SVC_CLIENT_ID: clientId,
    SVC_TOKEN_URI: tokenUri,
    SVC_EXTRA_TENANT: 'acme',
  })
  const request = { headers: undefined }

  test('gets an access token where there is none, and keeps it fresh, also for a second source', async () => {
    const first = refreshTokenOf('env')
    const env = envOf(first)
    const { fetch, sent, reused } = rotating(first)
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
    assert.deepEqual(reused, [])
  })

  test('uses the access token that there is, until it expires', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-new' }))
    const env = envOf(refreshTokenOf('env-until'))
    env['SVC_ACCESS_TOKEN'] = 'FAKE-given'
    env['SVC_EXPIRES_AT'] = inSeconds(3600).toISOString()
    const source = fromEnv('SVC_', { type: 'oauth', env, refresh: createRefresher({ fetch }) })
    assert.equal((await source(request)).accessToken, 'FAKE-given')
    env['SVC_EXPIRES_AT'] = '2020-01-01'
    assert.equal((await source(request)).accessToken, 'FAKE-new')
    assert.equal(sent.length, 1)
  })

  test('follows a changed EXTRA, a newer access token and another refresh token', async () => {
    const { fetch, sent } = endpoint(({ refresh_token: given }) => ({
      access_token: `FAKE-of-${given}`,
    }))
    const env = envOf(refreshTokenOf('env-follows'))
    const source = fromEnv('SVC_', { type: 'oauth', env, refresh: createRefresher({ fetch }) })
    const fresh = await source(request)
    env['SVC_EXTRA_TENANT'] = 'globex'
    const changed = await source(request)
    assert.equal(changed.extra['tenant'], 'globex')
    assert.equal(changed.accessToken, fresh.accessToken)
    env['SVC_ACCESS_TOKEN'] = 'FAKE-newer'
    env['SVC_EXPIRES_AT'] = inSeconds(7200).toISOString()
    assert.equal((await source(request)).accessToken, 'FAKE-newer')
    const pasted = refreshTokenOf('env-pasted')
    env['SVC_REFRESH_TOKEN'] = pasted
    env['SVC_ACCESS_TOKEN'] = ''
    assert.equal((await source(request)).accessToken, `FAKE-of-${pasted}`)
    assert.equal(sent.length, 2)
  })

  test('refreshes by the defaults of createRefresher', async () => {
    const env = { ...envOf(refreshTokenOf('env-defaults')), SVC_TOKEN_URI: 'http://auth.example/' }
    const source = fromEnv('SVC_', { type: 'oauth', env, refresh: createRefresher() })
    await assertFails(
      Promise.resolve(source(request)),
      'tokenUri ({PREFIX}TOKEN_URI) must be an https: URL without user name and fragment.',
    )
  })

  test('says what is missing, and refuses a refresher that leaves it so', async () => {
    const sourceOf = (env: Environment, refresh: Refresher = createRefresher()) =>
      fromEnv('SVC_', { type: 'oauth', env, refresh })
    const env = envOf(refreshTokenOf('env-missing'))
    for (const name of ['SVC_REFRESH_TOKEN', 'SVC_CLIENT_ID', 'SVC_TOKEN_URI']) {
      await assert.rejects(Promise.resolve(sourceOf({ ...env, [name]: '' })(request)), {
        code: 'ERR_CREDENTIAL_MISSING',
      })
    }
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
