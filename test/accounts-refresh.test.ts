import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  OAuthCredential,
  runWithCredentials,
  StaticCredential,
  tryGetCredentials,
} from 'mcp-credentials'
import { createAccounts } from 'mcp-credentials/accounts'
import type { Accounts, RefreshOptions } from 'mcp-credentials/accounts'
import { createRefresher } from 'mcp-credentials/oauth'
import { createFetch } from 'mcp-credentials/upstream'
import {
  ask,
  assertRejects,
  connectError,
  credentialOf,
  memoryStore,
  newKey,
  PROVIDER,
  sourceOf,
} from './account-store.ts'
import { assertNoLeak, fakeSecret, fakeToken } from './helper.ts'
import { endpoint, expired, inSeconds, refreshTokenOf, rotating } from './oauth-endpoint.ts'

/** So many processes that share a store, each with its own flights and leases. */
function replicas(count: number, fetch: RefreshOptions['fetch'], more: RefreshOptions = {}) {
  const store = memoryStore()
  const keys = [newKey()]
  const refresh = { fetch, ...more }
  const all = Array.from({ length: count }, () =>
    createAccounts(PROVIDER, { store, keys, refresh }),
  )
  return { store, all, first: all[0] as Accounts, second: (all[1] ?? all[0]) as Accounts }
}

const unauthorized = (error: string, status = 400) => Response.json({ error }, { status })
const fail = () => {
  throw new Error('FAKE: the store is down')
}
const failing = (times: number) => Array.from({ length: times }, () => fail)
const accessTokenOf = async (accounts: Accounts) => (await accounts.get('alice'))?.accessToken
/** Expires within the leeway. */
const expiring = (refreshToken: string, seconds = 30) =>
  expired(refreshToken, { expiresAt: inSeconds(seconds) })

describe('an account is refreshed', () => {
  test('when it has to be, and keeps what belongs to it', async () => {
    const sent = refreshTokenOf('kept')
    const next = refreshTokenOf('next')
    const answer = { access_token: fakeSecret('fresh'), refresh_token: next }
    const { fetch, sent: requests } = endpoint(() => answer)
    const { first, store } = replicas(1, fetch)
    const more = { clientSecret: fakeSecret('client'), scopes: ['a'], extra: { tenant: 'acme' } }
    await first.save('alice', expired(sent, more))
    const found = await first.get('alice')
    assert(found instanceof OAuthCredential)
    assert.equal(found.accessToken, answer.access_token)
    assert.deepEqual(found.scopes, ['a'])
    assert.equal(JSON.stringify(found.extra), '{"tenant":"acme"}')
    assert.equal(await accessTokenOf(first), answer.access_token)
    assert.deepEqual(
      requests.map(({ form }) => form['refresh_token']),
      [sent],
    )
    assertNoLeak([...store.rows.values()], sent, next)
    const removed = await first.remove('alice')
    assert.equal(removed?.refreshToken, next)
    assert.equal(removed?.clientSecret, more.clientSecret)
  })

  test('not when its expiry is far off, or unknown', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE' }))
    const { first } = replicas(1, fetch, { leewaySeconds: 20 })
    for (const expiresAt of [inSeconds(30), undefined]) {
      await first.save('alice', expired(refreshTokenOf('far'), { expiresAt }))
      assert.equal(await accessTokenOf(first), 'FAKE-old-access')
    }
    assert.equal(sent.length, 0)
  })

  test('once, by however many calls of a process', async () => {
    const server = rotating(refreshTokenOf('calls'), { expires_in: 3600 })
    const { first } = replicas(1, server.fetch)
    await first.save('alice', expired(server.first))
    const tokens = await Promise.all(Array.from({ length: 50 }, () => accessTokenOf(first)))
    assert.deepEqual(new Set(tokens), new Set(['FAKE-access-1']))
    assert.deepEqual([server.sent.length, server.reused.length], [1, 0])
  })

  test('once, by however many processes, again and again', async () => {
    const server = rotating(refreshTokenOf('processes'), { expires_in: 3600 })
    // Within the leeway again at once.
    const { all, store } = replicas(4, server.fetch, { leewaySeconds: 10 })
    await all[0]?.save('alice', expired(server.first))
    for (let round = 1; round <= 5; round++) {
      const tokens = await Promise.all(
        all.flatMap((one) => [accessTokenOf(one), accessTokenOf(one)]),
      )
      assert.deepEqual(new Set(tokens), new Set([`FAKE-access-${round}`]))
      const current = await all[0]?.remove('alice')
      await all[0]?.save('alice', expired(String(current?.refreshToken)))
    }
    assert.deepEqual([server.sent.length, server.reused.length], [5, 0])
    assert.equal(store.rows.size, 1)
  })

  test('without anybody waiting whose token is still valid', async () => {
    let answer = (_: object): void => undefined
    const { fetch, sent } = endpoint(() => new Promise<object>((resolve) => (answer = resolve)))
    const { first, second } = replicas(2, fetch)
    await first.save('alice', expiring(refreshTokenOf('valid')))
    const refreshed = accessTokenOf(first)
    while (sent.length === 0) await sleep(1)
    assert.equal(await accessTokenOf(first), 'FAKE-old-access')
    assert.equal(await accessTokenOf(second), 'FAKE-old-access')
    await sleep(5)
    answer({ access_token: 'FAKE-new-access' })
    assert.equal(await refreshed, 'FAKE-new-access')
    assert.equal(await accessTokenOf(second), 'FAKE-new-access')
    assert.equal(sent.length, 1)
  })

  test('while other accounts are served', async () => {
    const { fetch } = endpoint(() => new Promise<object>(() => undefined))
    const { first } = replicas(1, fetch, { timeoutSeconds: 1 })
    const credential = fakeToken()
    await first.save('alice', expired(refreshTokenOf('slow')))
    await first.save('bob', credential)
    const slow = assertRejects(first.get('alice'), 'ERR_CREDENTIAL_REFRESH', /took longer than/)
    await sleep(5)
    assert.equal((await first.get('bob'))?.accessToken, credential.accessToken)
    await slow
  })

  test('where it has to be, and else costs one look at the store', async () => {
    const { first, store } = replicas(1, endpoint(() => assert.fail('Nothing is due.')).fetch)
    await first.save('alice', expiring(refreshTokenOf('not-due'), 3600))
    const before = { ...store.calls }
    assert.equal(await accessTokenOf(first), 'FAKE-old-access')
    assert.deepEqual(store.calls, { load: before.load + 1, swap: before.swap })
  })

  test('by one process, for which the others wait as long as it takes', async () => {
    const server = rotating(refreshTokenOf('long'), { expires_in: 3600 })
    const { first, second } = replicas(2, async (...request) => {
      await sleep(1500)
      return server.fetch(...request)
    })
    await first.save('alice', expired(server.first))
    const tokens = await Promise.all([accessTokenOf(first), accessTokenOf(second)])
    assert.deepEqual(tokens, ['FAKE-access-1', 'FAKE-access-1'])
    assert.deepEqual([server.sent.length, server.reused.length], [1, 0])
  })

  test('in no scope of a caller', async () => {
    const seen: unknown[] = []
    const { fetch } = endpoint(() => {
      seen.push(tryGetCredentials())
      return { access_token: 'FAKE-new-access' }
    })
    const { first } = replicas(1, fetch)
    await first.save('alice', expired(refreshTokenOf('scope')))
    await runWithCredentials(fakeToken(), () => accessTokenOf(first))
    assert.deepEqual(seen, [undefined])
  })
})

test('a store that hangs keeps an owner waiting for as long as a request may take, and no later call', async () => {
  for (const step of ['load', 'swap'] as const) {
    const server = rotating(refreshTokenOf(`hangs-${step}`), { expires_in: 3600 })
    const { store, first } = replicas(1, server.fetch, { timeoutSeconds: 1 })
    await first.save('alice', expired(server.first))
    store.before[step].push(() => new Promise(() => undefined))
    await assertRejects(first.get('alice'), 'ERR_CREDENTIAL_UNAVAILABLE', /cannot be reached/)
    assert.equal(await accessTokenOf(first), 'FAKE-access-1')
    assert.deepEqual([server.sent.length, server.reused.length], [1, 0])
  }
})

describe('a lease', () => {
  test('of a process that has died is waited for where the token has expired, and not where it is valid', async () => {
    const server = rotating(refreshTokenOf('died'), { expires_in: 3600 })
    const { store, first, second } = replicas(2, server.fetch, { timeoutSeconds: 1 })
    await second.save('alice', expiring(server.first))
    // Its lease stays: nothing of it is written any more.
    const isTaken = new Promise<void>((resolve) =>
      store.afterSwap.push(() => {
        resolve()
        return new Promise(() => undefined)
      }),
    )
    const late = assertRejects(
      second.get('alice'),
      'ERR_CREDENTIAL_UNAVAILABLE',
      /cannot be reached/,
    )
    await isTaken
    assert.equal(await accessTokenOf(first), 'FAKE-old-access')
    assert.equal(server.sent.length, 0)
    const { now } = Date
    const start = now()
    try {
      Date.now = () => start + 6_200
      assert.equal(await accessTokenOf(first), 'FAKE-access-1')
    } finally {
      Date.now = now
    }
    await late
    assert.deepEqual([server.sent.length, server.reused.length], [1, 0])
  })

  test('that was taken too long ago sends nothing: another process may have', async () => {
    const server = rotating(refreshTokenOf('paused'), { expires_in: 3600 })
    const { store, first, second } = replicas(2, server.fetch)
    await first.save('alice', expired(server.first))
    const { now } = Date
    let offset = 0
    Date.now = () => now() + offset
    try {
      // The first one sleeps for as long as a lease lasts, right after it has taken one; the second is busy meanwhile.
      store.afterSwap.push(async () => {
        offset = 16_000
        assert.equal(await accessTokenOf(second), 'FAKE-access-1')
      })
      assert.equal(await accessTokenOf(first), 'FAKE-access-1')
    } finally {
      Date.now = now
    }
    assert.deepEqual([server.sent.length, server.reused.length], [1, 0])
  })

  test('of its own does not keep a process waiting', async () => {
    const server = rotating(refreshTokenOf('own'), { expires_in: 3600 })
    const { store, first } = replicas(1, server.fetch)
    await first.save('alice', expired(server.first))
    // Written, but the connection broke before that was known.
    store.afterSwap.push(fail)
    await assertRejects(first.get('alice'), 'ERR_CREDENTIAL_UNAVAILABLE', /cannot be reached/)
    const { load } = store.calls
    assert.equal(await accessTokenOf(first), 'FAKE-access-1')
    assert.equal(server.sent.length, 1)
    // For the call, for the request, and to save what came of it.
    assert.equal(store.calls.load, load + 3)
  })

  test('lasts as long as a request may take', async () => {
    let answer = (_: object): void => undefined
    const { fetch, sent } = endpoint(() => new Promise<object>((resolve) => (answer = resolve)))
    const { first, second } = replicas(2, fetch)
    await first.save('alice', expired(refreshTokenOf('lease')))
    const one = accessTokenOf(first)
    while (sent.length === 0) await sleep(1)
    await withLater(14, async () => {
      const other = accessTokenOf(second)
      await sleep(200)
      assert.equal(sent.length, 1)
      answer({ access_token: 'FAKE-new-access' })
      assert.deepEqual(await Promise.all([one, other]), ['FAKE-new-access', 'FAKE-new-access'])
    })
    assert.equal(sent.length, 1)
  })
})

describe('a successor', () => {
  test('is saved at the next try where the store fails for a moment', async () => {
    const server = rotating(refreshTokenOf('moment'), { expires_in: 3600 })
    const { store, first, second } = replicas(2, server.fetch)
    await first.save('alice', expired(server.first))
    store.afterSwap.push(() => store.before.swap.push(fail))
    assert.equal(await accessTokenOf(first), 'FAKE-access-1')
    assert.equal(await accessTokenOf(second), 'FAKE-access-1')
    assert.deepEqual([server.sent.length, server.reused.length], [1, 0])
  })

  test('is saved by the same call where the store is there again a little later', async () => {
    const server = rotating(refreshTokenOf('restarted'), { expires_in: 3600 })
    const { store, first, second } = replicas(2, server.fetch)
    await first.save('alice', expired(server.first))
    const { swap } = store
    store.afterSwap.push(() => {
      store.swap = async () => fail()
      setTimeout(() => (store.swap = swap), 100)
    })
    assert.equal(await accessTokenOf(first), 'FAKE-access-1')
    assert.equal(await accessTokenOf(second), 'FAKE-access-1')
    assert.deepEqual([server.sent.length, server.reused.length], [1, 0])
  })

  test('that was saved, although the store said that it failed, is found', async () => {
    const server = rotating(refreshTokenOf('said'), { expires_in: 3600 })
    const { store, first } = replicas(1, server.fetch)
    await first.save('alice', expired(server.first))
    store.afterSwap.push(() => store.afterSwap.push(fail))
    assert.equal(await accessTokenOf(first), 'FAKE-access-1')
    assert.deepEqual([server.sent.length, server.reused.length], [1, 0])
  })

  test('that cannot be saved is served, and saved by a later call', async () => {
    const server = rotating(refreshTokenOf('later'), { expires_in: 3600 })
    const { store, first, second } = replicas(2, server.fetch)
    await first.save('alice', expired(server.first))
    store.afterSwap.push(() => store.before.swap.push(...failing(8)))
    assert.equal(await accessTokenOf(first), 'FAKE-access-1')
    assert.equal(store.before.swap.length, 4)
    // Not saved by the second call either.
    assert.equal(await accessTokenOf(first), 'FAKE-access-1')
    assert.equal(store.before.swap.length, 0)
    assert.equal(await accessTokenOf(first), 'FAKE-access-1')
    assert.equal(await accessTokenOf(second), 'FAKE-access-1')
    assert.deepEqual([server.sent.length, server.reused.length], [1, 0])
  })

  test('that cannot be saved, nor served, is saved by a later call', async () => {
    const server = rotating(refreshTokenOf('later-still'), { expires_in: 0 })
    const { store, first } = replicas(1, server.fetch)
    await first.save('alice', expired(server.first))
    store.afterSwap.push(() => store.before.swap.push(...failing(4)))
    await assertRejects(first.get('alice'), 'ERR_CREDENTIAL_UNAVAILABLE', /cannot be reached/)
    assert.equal(await accessTokenOf(first), 'FAKE-access-2')
    assert.deepEqual([server.sent.length, server.reused.length], [2, 0])
  })

  test('does not come back after the account was removed, or connected anew, meanwhile', async () => {
    for (const meanwhile of ['removed', 'connected'] as const) {
      const server = rotating(refreshTokenOf(meanwhile), { expires_in: 3600 })
      const other = fakeToken()
      const { first, second, store } = replicas(2, async (...request) => {
        const answer = await server.fetch(...request)
        if (meanwhile === 'removed') await second.remove('alice')
        else await second.save('alice', other)
        return answer
      })
      await first.save('alice', expired(server.first))
      const expected = meanwhile === 'removed' ? undefined : other.accessToken
      assert.equal(await accessTokenOf(first), expected)
      assert.equal(await accessTokenOf(second), expected)
      assert.equal(store.rows.size, meanwhile === 'removed' ? 0 : 1)
    }
  })

  test('keeps the tickets that were redeemed', async () => {
    const server = rotating(refreshTokenOf('tickets'), { expires_in: 3600 })
    const { first } = replicas(1, server.fetch)
    const ticket = await first.connect('alice')
    const credential = expired(server.first)
    await first.redeem(ticket, { owner: 'alice', credential })
    assert.equal(await accessTokenOf(first), 'FAKE-access-1')
    const again = first.redeem(ticket, { owner: 'alice', credential })
    await assertRejects(again, 'ERR_CREDENTIAL_UNTRUSTED', /not yours/)
  })

  test('in an answer that cannot be used otherwise is kept', async () => {
    const [sent, next] = [refreshTokenOf('half'), refreshTokenOf('half-next')]
    const { fetch, sent: requests } = endpoint(({ refresh_token }) =>
      refresh_token === sent
        ? { refresh_token: next, token_type: 'DPoP' }
        : { access_token: 'FAKE-new-access' },
    )
    const { first, second } = replicas(2, fetch)
    await first.save('alice', expired(sent))
    await assertRejects(first.get('alice'), 'ERR_CREDENTIAL_REFRESH', /token_type/, sent, next)
    await withLater(2, async () => {
      assert.equal(await accessTokenOf(second), 'FAKE-new-access')
    })
    assert.deepEqual(
      requests.map(({ form }) => form['refresh_token']),
      [sent, next],
    )
  })
})

describe('a refresh token that is refused', () => {
  test('is sent by no process again: the account has to be connected', async () => {
    const { fetch, sent } = endpoint(() => unauthorized('invalid_grant'))
    const { all, first } = replicas(4, fetch)
    const scopes = ['granted']
    await first.save('alice', expiring(refreshTokenOf('refused')))
    await first.save('alice', expired(refreshTokenOf('refused-2'), { scopes }))
    for (const one of [...all, ...all]) {
      const { call } = await ask(sourceOf(one, ['wanted']), 'alice')
      const error = connectError(call)
      assert.match(error.message, /has to be connected again/)
      assert.deepEqual(error.scopes, ['granted', 'wanted'])
      assert.equal(await error.isConnected?.(), false)
      assert.equal(await one.get('alice'), undefined)
    }
    assert.equal(sent.length, 1)
    const credential = fakeToken()
    await first.save('alice', credential)
    assert.equal(await accessTokenOf(first), credential.accessToken)
  })

  test('is given back when the account is removed', async () => {
    const { fetch } = endpoint(() => unauthorized('invalid_grant'))
    const { first } = replicas(1, fetch)
    const refreshToken = refreshTokenOf('refused-removed')
    await first.save('alice', expired(refreshToken))
    assert.equal(await first.get('alice'), undefined)
    assert.equal((await first.remove('alice'))?.refreshToken, refreshToken)
  })

  test('is told apart from a store that fails at that moment', async () => {
    const { fetch, sent } = endpoint(() => unauthorized('invalid_grant'))
    const { first, store } = replicas(1, fetch)
    await first.save('alice', expired(refreshTokenOf('refused-down')))
    store.afterSwap.push(() => store.before.swap.push(...failing(4)))
    await assertRejects(first.get('alice'), 'ERR_CREDENTIAL_UNAVAILABLE', /cannot be reached/)
    assert.equal(await first.get('alice'), undefined)
    assert.equal(sent.length, 1)
  })
})

describe('a token endpoint that fails', () => {
  const FAILURES: [name: string, answer: () => object, message: RegExp][] = [
    ['with 503', () => unauthorized('temporarily_unavailable', 503), /answered with 503/],
    ['for the client', () => unauthorized('invalid_client', 401), /invalid_client/],
    ['with rubbish', () => new Response('<html>'), /no JSON object/],
  ]
  for (const [name, answer, message] of FAILURES) {
    test(`${name} is asked once a process, and then again after a second`, async () => {
      const { fetch, sent } = endpoint((_, count) =>
        count < 3 ? answer() : { access_token: 'FAKE-new-access' },
      )
      const { first, second } = replicas(2, fetch)
      await first.save('alice', expired(refreshTokenOf(name)))
      for (let times = 0; times < 20; times++)
        await assertRejects(first.get('alice'), 'ERR_CREDENTIAL_REFRESH', message)
      assert.equal(sent.length, 1)
      await withLater(1.1, async () => {
        await assertRejects(first.get('alice'), 'ERR_CREDENTIAL_REFRESH', message)
      })
      // Twice as long.
      await withLater(2.2, async () => {
        await assertRejects(first.get('alice'), 'ERR_CREDENTIAL_REFRESH', message)
      })
      assert.equal(sent.length, 2)
      await withLater(3.3, async () => {
        assert.equal(await accessTokenOf(first), 'FAKE-new-access')
      })
      assert.equal(await accessTokenOf(second), 'FAKE-new-access')
      assert.equal(sent.length, 3)
    })
  }

  test('is told apart from a store that fails at that moment', async () => {
    const { fetch } = endpoint(() => unauthorized('server_error', 503))
    const { first, store } = replicas(1, fetch)
    await first.save('alice', expired(refreshTokenOf('both-down')))
    store.afterSwap.push(() => store.before.swap.push(...failing(4)))
    await assertRejects(first.get('alice'), 'ERR_CREDENTIAL_UNAVAILABLE', /cannot be reached/)
  })

  test('is asked after a second again where it has answered in between', async () => {
    const { fetch, sent } = endpoint((_, count) =>
      count === 2
        ? { access_token: 'FAKE-between', expires_in: 0 }
        : unauthorized('server_error', 500),
    )
    const { first } = replicas(1, fetch)
    await first.save('alice', expired(refreshTokenOf('between')))
    const requestsAfter = async (seconds: number) => {
      await withLater(seconds, () => first.get('alice').catch(() => undefined))
      return sent.length
    }
    assert.equal(await requestsAfter(0), 1)
    assert.equal(await requestsAfter(1.1), 2)
    assert.equal(await requestsAfter(10), 3)
    assert.equal(await requestsAfter(11.1), 4)
  })

  test('is asked again when it has said, and no pause is longer than a minute', async () => {
    const headers = { 'retry-after': '120' }
    const { fetch, sent } = endpoint((_, count) =>
      count === 1 ? new Response('', { status: 429, headers }) : unauthorized('server_error', 500),
    )
    const { first } = replicas(1, fetch)
    await first.save('alice', expired(refreshTokenOf('retry-after')))
    const requestsAfter = async (seconds: number) => {
      await withLater(seconds, () =>
        assertRejects(first.get('alice'), 'ERR_CREDENTIAL_REFRESH', /^/),
      )
      return sent.length
    }
    assert.equal(await requestsAfter(0), 1)
    assert.equal(await requestsAfter(119), 1)
    assert.equal(await requestsAfter(121), 2)
    assert.equal(await requestsAfter(121 + 59), 2)
    assert.equal(await requestsAfter(121 + 61), 3)
    // Long after, it starts with a second again.
    assert.equal(await requestsAfter(1000), 4)
    assert.equal(await requestsAfter(1001.1), 5)
  })

  test('keeps nobody from a token that is still valid', async () => {
    const { fetch, sent } = endpoint(() => unauthorized('server_error', 500))
    const { first } = replicas(1, fetch)
    await first.save('alice', expiring(refreshTokenOf('still-valid')))
    for (const one of [first, first]) {
      assert.equal(await accessTokenOf(one), 'FAKE-old-access')
      credentialOf((await ask(sourceOf(one), 'alice')).call)
    }
    assert.equal(sent.length, 1)
  })

  test('shows its own error to the operator alone', async () => {
    const failure = new TypeError('FAKE: getaddrinfo ENOTFOUND auth-host-FAKE')
    const { first } = replicas(1, () => Promise.reject(failure))
    await first.save('alice', expired(refreshTokenOf('network')))
    const { call, cause } = await ask(sourceOf(first), 'alice')
    assert.equal(call.refusal?.code, 'ERR_CREDENTIAL_REFRESH')
    assertNoLeak(call.refusal, 'auth-host-FAKE')
    assert.equal(cause, failure)
  })

  test('leaves no flight behind', async () => {
    const { first, store } = replicas(1, endpoint(() => ({ access_token: 'FAKE-new' })).fetch)
    await first.save('alice', expired(refreshTokenOf('flight')))
    store.before.load.push(() => undefined, fail)
    await assertRejects(first.get('alice'), 'ERR_CREDENTIAL_UNAVAILABLE', /cannot be reached/)
    assert.equal(await accessTokenOf(first), 'FAKE-new')
  })
})

describe('by force', () => {
  const HOUR = { expires_in: 3600 }
  const lasting = (refreshToken: string) =>
    expired(refreshToken, { expiresAt: inSeconds(3600), scopes: ['a'] })
  async function given(accounts: Accounts): Promise<OAuthCredential> {
    const credential = await accounts.get('alice')
    assert(credential instanceof OAuthCredential)
    return credential
  }

  test('an account gets another access token, which is saved for all', async () => {
    const server = rotating(refreshTokenOf('forced'), HOUR)
    const { first, second } = replicas(2, server.fetch)
    await first.save('alice', lasting(server.first))
    const { call } = await ask(sourceOf(first), 'alice')
    const credential = credentialOf(call)
    assert(credential instanceof OAuthCredential)
    assert.equal((await first.refresh(credential)).accessToken, 'FAKE-old-access')
    assert.equal(server.sent.length, 0)
    const successor = await first.refresh(credential, { force: true })
    assert.equal(successor.accessToken, 'FAKE-access-1')
    assert.equal(successor.refreshToken, undefined)
    assert.deepEqual(successor.scopes, ['a'])
    assert.equal(await accessTokenOf(second), 'FAKE-access-1')
    assert.deepEqual([server.sent.length, server.reused.length], [1, 0])
  })

  test('it gets what another process, or another call, has got meanwhile', async () => {
    const server = rotating(refreshTokenOf('forced-meanwhile'), HOUR)
    const { first, second } = replicas(2, server.fetch)
    await first.save('alice', lasting(server.first))
    const [one, other] = [await given(first), await given(second)]
    const forced = { force: true }
    const successors = await Promise.all([
      ...Array.from({ length: 10 }, () => first.refresh(one, forced)),
      ...Array.from({ length: 10 }, () => second.refresh(other, forced)),
    ])
    const tokens = new Set(successors.map(({ accessToken }) => accessToken))
    assert.deepEqual([...tokens], ['FAKE-access-1'])
    assert.equal((await second.refresh(other, forced)).accessToken, 'FAKE-access-1')
    assert.deepEqual([server.sent.length, server.reused.length], [1, 0])
  })

  test('it asks once in a pause, which gets longer, and where its token ends it asks all the same', async () => {
    const server = rotating(refreshTokenOf('forced-pause'), { expires_in: 63 })
    const { first } = replicas(1, server.fetch)
    await first.save('alice', lasting(server.first))
    let credential = await given(first)
    const force = async () => {
      credential = await first.refresh(credential, { force: true })
      return server.sent.length
    }
    assert.equal(await force(), 1)
    // An API that takes no token at all.
    for (let times = 0; times < 5; times++) assert.equal(await force(), 1)
    await withLater(1.1, async () => assert.equal(await force(), 2))
    await withLater(2.2, async () => assert.equal(await force(), 2))
    await withLater(3.3, async () => assert.equal(await force(), 3))
    // The pause of four seconds is still on.
    await withLater(6.8, async () => assert.equal(await accessTokenOf(first), 'FAKE-access-4'))
    assert.deepEqual([server.sent.length, server.reused.length], [4, 0])
  })

  test('it asks at once where the refused token was not had by force itself', async () => {
    const server = rotating(refreshTokenOf('forced-at-once'), HOUR)
    const { first } = replicas(1, server.fetch)
    await first.save('alice', expired(server.first))
    const credential = await given(first)
    assert.equal(credential.accessToken, 'FAKE-access-1')
    const forced = await first.refresh(credential, { force: true })
    assert.equal(forced.accessToken, 'FAKE-access-2')
    assert.deepEqual([server.sent.length, server.reused.length], [2, 0])
  })

  test('a failure is told, and the next call has what is still valid', async () => {
    const { fetch, sent } = endpoint(() => unauthorized('server_error', 503))
    const { first } = replicas(1, fetch)
    await first.save('alice', lasting(refreshTokenOf('forced-503')))
    const credential = await given(first)
    for (let times = 0; times < 5; times++) {
      const refreshed = first.refresh(credential, { force: true })
      await assertRejects(refreshed, 'ERR_CREDENTIAL_REFRESH', /answered with 503/)
    }
    assert.equal(sent.length, 1)
    assert.equal(await accessTokenOf(first), 'FAKE-old-access')
  })

  test('an account that is refused, removed, or static by now has to be connected again', async () => {
    const { fetch, sent } = endpoint(() => unauthorized('invalid_grant'))
    const { first } = replicas(1, fetch)
    const saved = lasting(refreshTokenOf('forced-refused'))
    const ends = [
      () => undefined,
      () => first.remove('alice'),
      () => first.save('alice', new StaticCredential({ apiKey: fakeSecret('key') })),
    ]
    for (const end of ends) {
      await first.save('alice', saved)
      const credential = await given(first)
      await end()
      const refreshed = first.refresh(credential, { force: true })
      const message =
        /: the old one is no good \(invalid_grant\)\. The account must be connected again\.$/
      await assertRejects(refreshed, 'ERR_CREDENTIAL_REFRESH', message)
    }
    assert.equal(sent.length, 1)
  })

  test('an account without a refresh token keeps its access token', async () => {
    const { first } = replicas(1, endpoint(() => ({})).fetch)
    await first.save('alice', fakeToken())
    const credential = await given(first)
    const refreshed = await first.refresh(credential, { force: true })
    assert.equal(refreshed.accessToken, credential.accessToken)
  })

  test('the credential of anybody else is a TypeError that does not show it', async () => {
    const { first, second } = replicas(2, endpoint(() => ({})).fetch)
    const credential = fakeToken()
    await first.save('alice', credential)
    for (const foreign of [credential, await given(second), {}, 'alice'] as OAuthCredential[])
      await assert.rejects(first.refresh(foreign, { force: true }), (error: unknown) => {
        assert(error instanceof TypeError)
        assert.equal(Reflect.get(error, 'code'), 'ERR_INVALID_ARG_VALUE')
        assert.match(error.message, /takes a credential that these accounts have given/)
        assertNoLeak(error, credential.accessToken)
        return true
      })
  })

  test('createFetch sends a request once more after a 401', async () => {
    const server = rotating(refreshTokenOf('forced-fetch'), HOUR)
    const { first } = replicas(1, server.fetch)
    await first.save('alice', lasting(server.first))
    const seen: unknown[] = []
    const api = async (_url: unknown, init: { headers: Headers }) => {
      const token = init.headers.get('authorization')
      seen.push(token)
      return new Response('', { status: token === 'Bearer FAKE-old-access' ? 401 : 200 })
    }
    const callApi = createFetch({
      baseUrl: 'https://api.example',
      refresh: first.refresh,
      fetch: api as never,
    })
    const { status } = await runWithCredentials(await given(first), () => callApi('/'))
    assert.equal(status, 200)
    assert.deepEqual(seen, ['Bearer FAKE-old-access', 'Bearer FAKE-access-1'])
    assert.deepEqual([server.sent.length, server.reused.length], [1, 0])
  })

  test('createRefresher cannot get behind the back of the store', async () => {
    const server = rotating(refreshTokenOf('forced-behind'), HOUR)
    const { first } = replicas(1, server.fetch)
    await first.save('alice', lasting(server.first))
    const credential = await given(first)
    const refresh = createRefresher({ fetch: server.fetch as never })
    const forced = refresh(credential, { force: true })
    await assertRejects(forced, 'ERR_CREDENTIAL_REFRESH', /lacks refreshToken/)
    assert.equal(await refresh(credential), credential)
    assert.equal(server.sent.length, 0)
  })
})

test('an account that is changed all the time is given up on', async () => {
  const { first, store } = replicas(1, endpoint(() => ({ access_token: 'FAKE-new' })).fetch)
  await first.save('alice', expired(refreshTokenOf('changed')))
  const { swap } = store
  store.swap = async () => false
  await assertRejects(first.get('alice'), 'ERR_CREDENTIAL_UNAVAILABLE', /cannot be reached/)
  store.swap = swap
  assert.equal(await accessTokenOf(first), 'FAKE-new')
})

test('a static account is as it is', async () => {
  const { first } = replicas(1, endpoint(() => ({})).fetch)
  await first.save('alice', fakeToken())
  assert((await first.get('alice')) instanceof OAuthCredential)
})

/** Runs with the clock so much later. */
async function withLater(seconds: number, fn: () => Promise<unknown>): Promise<void> {
  const { now } = Date
  Date.now = () => now() + seconds * 1000
  try {
    await fn()
  } finally {
    Date.now = now
  }
}
