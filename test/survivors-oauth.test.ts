// Cases of the room `oauth` that changes of the code have shown to be missing elsewhere.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { OAuthCredential, RedactedSecret } from 'mcp-credentials'
import { createRefresher, fromTokenEndpoint, fromTokenResponse } from 'mcp-credentials/oauth'
import { redactSecrets } from 'mcp-credentials/redact'
import { fakeSecret } from './helper.ts'
import {
  assertFails,
  clientId,
  endpoint,
  expired,
  refreshTokenOf,
  rotating,
  tokenUri,
  withClock,
} from './oauth-endpoint.ts'

describe('a refresher', () => {
  test('is named in the errors about its options', async () => {
    const wrong = { forced: true } as never
    assert.throws(() => createRefresher(wrong), { message: /not an option of createRefresher/ })
    const call = createRefresher()(expired(refreshTokenOf('named')), wrong)
    await assert.rejects(call, { message: /not an option of a refresher/ })
  })

  test('has a report of what was scrubbed name the tokens that it has replaced', async () => {
    const [old, replaced] = [fakeSecret('old'), refreshTokenOf('replaced')]
    const answer = { access_token: fakeSecret('new'), refresh_token: fakeSecret('next') }
    const { fetch } = endpoint(() => answer)
    const fresh = await createRefresher({ fetch })(expired(replaced, { accessToken: old }))
    const found: RedactedSecret[] = []
    const onRedact = (one: RedactedSecret) => void found.push(one)
    redactSecrets({ first: old, second: replaced }, fresh, { onRedact })
    assert.deepEqual(
      found.map(({ name, where }) => [name, where]),
      [
        ['accessToken', 'first'],
        ['refreshToken', 'second'],
      ],
    )
  })

  test('has nothing saved where there is nothing new', async () => {
    const saved: OAuthCredential[] = []
    const { fetch } = endpoint(() => Response.json({}, { status: 503 }))
    const refresh = createRefresher({ fetch, onRefresh: (one) => void saved.push(one) })
    await assert.rejects(refresh(expired(refreshTokenOf('nothing-new'))))
    assert.deepEqual(saved, [])
  })

  test('waits as long as the token endpoint asks for, although saving fails meanwhile', async () => {
    await withClock(async (advance) => {
      const headers = { 'retry-after': '1000' }
      const { fetch, sent } = endpoint((_, count) =>
        count === 2
          ? new Response('', { status: 429, headers })
          : { access_token: `FAKE-${count}`, expires_in: 1 },
      )
      let fail = (_: Error): void => undefined
      let saving = 0
      const onRefresh = () => {
        saving += 1
        return new Promise<void>((_, reject) => (fail = reject))
      }
      const refresh = createRefresher({ fetch, onRefresh })
      const refreshToken = refreshTokenOf('pause-goes-on')
      const first = refresh(expired(refreshToken))
      while (saving === 0) await sleep(1)
      advance(2)
      const reason = 'the token endpoint answered with 429.'
      const failure = { status: 429, retryAfter: 1000 }
      await assertFails(refresh(expired(refreshToken)), reason, failure)
      fail(new Error('FAKE: the disk is full'))
      await first
      advance(999)
      await assertFails(refresh(expired(refreshToken)), reason, failure)
      assert.equal(sent.length, 2)
    })
  })

  test('knows a server that hands out an old refresh token again by each of them, at the same time', async () => {
    const first = refreshTokenOf('back-again')
    const tokens = [`${first}-a`, first]
    const { fetch, sent } = endpoint((_, count) => ({
      access_token: `FAKE-${count}`,
      refresh_token: tokens[(count - 1) % 2],
      expires_in: 1,
    }))
    const refresh = createRefresher({ fetch })
    await refresh(expired(first))
    for (let count = 2; count <= 30; count++) {
      const both = await Promise.all(tokens.map((token) => refresh(expired(token))))
      assert.deepEqual(new Set(both.map((one) => one.accessToken)), new Set([`FAKE-${count}`]))
      assert.equal(sent.length, count)
    }
  })

  test('knows an account by its first refresh token, and by the last eight', async () => {
    const first = refreshTokenOf('last-eight')
    const { fetch, sent, reused } = rotating(first, { expires_in: 3600 })
    const refresh = createRefresher({ fetch })
    await withClock(async (advance) => {
      let newest = await refresh(expired(first))
      for (let generation = 2; generation <= 20; generation++) {
        advance(3600)
        newest = await refresh(newest)
      }
      assert.equal(sent.length, 20)
      const known = [first, ...Array.from({ length: 8 }, (_, back) => `${first}-${20 - back}`)]
      for (const token of known)
        assert.equal((await refresh(expired(token))).accessToken, 'FAKE-access-20')
      assert.equal(sent.length, 20)
      // What is kept does not grow with time.
      const forgotten = `${first}-12`
      await assert.rejects(refresh(expired(forgotten)))
      assert.deepEqual(reused, [forgotten])
    })
  })

  test('keeps two accounts apart to which a server has handed out the same refresh token', async () => {
    const [one, other] = [refreshTokenOf('same-one'), refreshTokenOf('same-other')]
    const shared = refreshTokenOf('same')
    const { fetch, sent } = endpoint((_, count) => ({
      access_token: `FAKE-${count}`,
      refresh_token: count <= 2 ? shared : `${shared}-${count}`,
      expires_in: count === 2 ? 3600 : 0,
    }))
    const refresh = createRefresher({ fetch })
    await refresh(expired(one))
    await refresh(expired(other))
    // The first one goes on, until it has forgotten what both have had.
    for (let generation = 0; generation < 12; generation++) await refresh(expired(one))
    const requests = sent.length
    assert.equal((await refresh(expired(shared))).accessToken, 'FAKE-2')
    assert.equal(sent.length, requests)
  })
})

describe('fromTokenEndpoint', () => {
  test('asks again a while after what was sent for a token was refused: the next time it may not be', async () => {
    await withClock(async (advance) => {
      const { fetch, sent } = endpoint((_, count) =>
        count === 1
          ? Response.json({ error: 'invalid_grant' }, { status: 400 })
          : { access_token: 'FAKE-granted' },
      )
      const form = () => ({ grant_type: 'client_credentials' })
      const source = fromTokenEndpoint({ tokenUri, clientId, fetch, form })
      await assert.rejects(source({ headers: undefined }), { error: 'invalid_grant' })
      await assert.rejects(source({ headers: undefined }), { error: 'invalid_grant' })
      assert.equal(sent.length, 1)
      advance(1)
      assert.equal((await source({ headers: undefined })).accessToken, 'FAKE-granted')
    })
  })
})

describe('a token endpoint', () => {
  const SECURE =
    'tokenUri ({PREFIX}TOKEN_URI) must be an https: URL without user name and fragment.'
  for (const uri of [
    'http://auth.example/https://auth.example/token',
    'http://auth.example/http://localhost/token',
    'ftp://auth.example/https://auth.example/token',
  ]) {
    test(`is sent nothing at ${uri}, whatever its path looks like`, async () => {
      const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-new' }))
      const refresh = createRefresher({ fetch, allowInsecureLoopback: true })
      const given = expired(refreshTokenOf('scheme'), { tokenUri: uri })
      await assertFails(refresh(given), SECURE)
      assert.equal(sent.length, 0)
    })
  }

  const REDIRECTS = 'the token endpoint redirects, which is not followed.'
  for (const [name, answer, status] of [
    ['300', () => new Response('', { status: 300 }), 300],
    ['0, as browsers say', () => Response.error(), 0],
  ] as const) {
    test(`that redirects is said to, with a status of ${name}`, async () => {
      const { fetch } = endpoint(answer)
      const given = expired(refreshTokenOf('redirects'))
      await assertFails(createRefresher({ fetch })(given), REDIRECTS, { status })
    })
  }

  test('has what is wrong with its options said', () => {
    for (const [options, message] of [
      [{ timeoutSeconds: 0 }, 'timeoutSeconds must be more than 0.'],
      [{ clientAuth: 'jwt' }, 'clientAuth is "basic" or "post".'],
    ] as const)
      assert.throws(() => createRefresher(options as never), { message })
  })

  test('gets the same form again, however the client says who it is', async () => {
    const { fetch, sent } = endpoint((_, count) => ({ access_token: `FAKE-${count}` }))
    const client = { clientId, clientSecret: 'FAKE-client-secret', clientAuth: 'post' } as const
    const form = () => ({ grant_type: 'client_credentials' })
    const source = fromTokenEndpoint({ tokenUri, ...client, fetch, form })
    const credential = await source({ headers: undefined })
    assert.equal((await source.refresh(credential)).accessToken, 'FAKE-1')
    assert.equal((await source.refresh(credential, { force: true })).accessToken, 'FAKE-2')
    assert.equal((await source({ headers: undefined })).accessToken, 'FAKE-2')
    const [first, second] = sent.map(({ init }) => init.body)
    assert.deepEqual([sent.length, second], [2, first])
  })
})

describe('fromTokenResponse', () => {
  test('says what it takes', () => {
    const message = /^The answer of a token endpoint .*\{ access_token: '…' \}/
    assert.throws(() => fromTokenResponse('FAKE' as never, { clientId }), { message })
  })

  test('takes a lifetime that is a text with a fraction', () => {
    for (const expires_in of ['3600', '3600.5', '3600.25', '3600.125000']) {
      const answer = { access_token: 'FAKE-access', token_type: 'Bearer', expires_in }
      const credential = fromTokenResponse(answer, { clientId })
      assert(!credential.isExpired(3500) && credential.isExpired(3600), expires_in)
    }
  })
})

describe('fromTokenEndpoint, besides,', () => {
  const sourceOf = (answer: object, more: object = {}) => {
    const { fetch } = endpoint(() => answer)
    const form = () => ({ grant_type: 'client_credentials' })
    return fromTokenEndpoint({ tokenUri, clientId, fetch, form, ...more })
  }

  test('says what it takes', async () => {
    const needs = { message: 'fromTokenEndpoint needs tokenUri, clientId and form.' }
    assert.throws(() => sourceOf({}, { form: undefined }), needs)
    const unknown = { message: /not an option of fromTokenEndpoint/ }
    assert.throws(() => sourceOf({}, { audience: 'https://api.example' }), unknown)
    const message = /^The form for a token endpoint .*\{ grant_type: 'client_credentials' \}/
    const source = sourceOf({}, { form: () => 'form' })
    await assert.rejects(source({ headers: undefined }), { message })
  })

  test('knows of no scopes where nobody has asked for any', async () => {
    const credential = await sourceOf({ access_token: 'FAKE-access' })({ headers: undefined })
    assert.equal(credential.scopes, undefined)
  })

  test('has the secret of the client and a refresh token scrubbed by their names, where there are any', async () => {
    const [access, refreshToken] = [fakeSecret('access'), fakeSecret('refresh')]
    const clientSecret = fakeSecret('client')
    for (const [answer, more, names] of [
      [{ refresh_token: refreshToken }, { clientSecret }, ['clientSecret', 'refreshToken']],
      [{ refresh_token: refreshToken }, {}, ['refreshToken']],
      [{}, { clientSecret }, ['clientSecret']],
      [{}, {}, []],
    ] as const) {
      const source = sourceOf({ access_token: access, ...answer }, more)
      const credential = await source({ headers: undefined })
      const found: RedactedSecret[] = []
      const onRedact = (one: RedactedSecret) => void found.push(one)
      redactSecrets([clientSecret, refreshToken, 'undefined'], credential, { onRedact })
      assert.deepEqual(
        found.map(({ name }) => name),
        names,
      )
    }
  })
})
