// What is remembered of ten thousand and more accounts: apart from the other tests of the room, since it takes as long as all of them.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createRefresher, fromTokenEndpoint } from 'mcp-credentials/oauth'
import type { CredentialRequest } from 'mcp-credentials'
import { fakeSecret } from './helper.ts'
import {
  clientId,
  endpoint,
  expired,
  inSeconds,
  refreshTokenOf,
  rotating,
  tokenUri,
} from './oauth-endpoint.ts'

describe('what a refresher remembers', () => {
  test('is not pushed out by credentials that are fresh', async () => {
    const first = refreshTokenOf('pushed')
    const { fetch, sent, reused } = rotating(first, { expires_in: 3600 })
    const refresh = createRefresher({ fetch, onRefresh: () => {} })
    await refresh(expired(first))
    for (let batch = 0; batch < 101; batch++) {
      const fresh = Array.from({ length: 100 }, (_, index) =>
        expired(`FAKE-fresh-${batch}-${index}`, { expiresAt: inSeconds(3600) }),
      )
      assert.deepEqual(await Promise.all(fresh.map((one) => refresh(one))), fresh)
    }
    assert.equal((await refresh(expired(first))).refreshToken, `${first}-1`)
    assert.equal(sent.length, 1)
    assert.deepEqual(reused, [])
  })

  test('may be forgotten where it was saved, the least recently used first', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-new' }), 0)
    const refresh = createRefresher({ fetch, onRefresh: () => {} })
    const [used, unused] = [refreshTokenOf('used'), refreshTokenOf('unused')]
    const countOf = (token: string) =>
      sent.filter(({ form }) => form['refresh_token'] === token).length
    for (const token of [used, unused]) await refresh(expired(token))
    for (let batch = 0; batch < 100; batch++) {
      const tokens = Array.from({ length: 100 }, (_, index) => `FAKE-forget-${batch}-${index}`)
      await Promise.all(tokens.map((token) => refresh(expired(token))))
      await refresh(expired(used))
    }
    for (const token of [used, unused]) await refresh(expired(token))
    assert.deepEqual([countOf(used), countOf(unused)], [1, 2])
  })

  test('is never forgotten where nobody has saved it', async () => {
    const first = refreshTokenOf('unsaved')
    const { fetch, sent } = endpoint(
      ({ refresh_token: given }, count) => ({
        access_token: `FAKE-${count}`,
        ...(given === first && { refresh_token: `${first}-next` }),
      }),
      0,
    )
    const refresh = createRefresher({ fetch })
    await refresh(expired(first))
    for (let batch = 0; batch < 101; batch++) {
      const tokens = Array.from({ length: 100 }, (_, index) => `FAKE-unsaved-${batch}-${index}`)
      await Promise.all(tokens.map((token) => refresh(expired(token))))
    }
    assert.equal((await refresh(expired(first))).refreshToken, `${first}-next`)
    assert.equal(sent.filter(({ form }) => form['refresh_token'] === first).length, 1)
  })
})

describe('what fromTokenEndpoint remembers', () => {
  const callOf = (token: string): CredentialRequest => ({ headers: undefined, authInfo: { token } })
  const sourceOf = (fetch: typeof globalThis.fetch) =>
    fromTokenEndpoint({
      tokenUri,
      clientId,
      clientSecret: 'FAKE-client-secret',
      fetch,
      form: ({ authInfo }) => ({ subject_token: (authInfo as { token: string }).token }),
    })

  test('gives each of 1,000 callers its own, in 20 loops', async () => {
    const { fetch, sent } = endpoint(
      ({ subject_token }) => ({ access_token: `of-${subject_token}` }),
      1,
    )
    const source = sourceOf(fetch)
    const subjects = Array.from({ length: 1000 }, () => fakeSecret('caller'))
    for (let loop = 0; loop < 20; loop++) {
      const all = await Promise.all(subjects.map((subject) => source(callOf(subject))))
      for (const [index, { accessToken }] of all.entries())
        assert.equal(accessToken, `of-${subjects[index]}`)
    }
    assert.equal(sent.length, 1000)
  })

  test('keeps the 10,000 tokens that were used last', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-token' }), 0)
    const source = sourceOf(fetch)
    const countOf = (subject: string) =>
      sent.filter(({ form }) => form['subject_token'] === subject).length
    for (const subject of ['FAKE-used', 'FAKE-unused']) await source(callOf(subject))
    for (let batch = 0; batch < 100; batch++) {
      await Promise.all(
        Array.from({ length: 100 }, (_, index) => source(callOf(`FAKE-${batch}-${index}`))),
      )
      await source(callOf('FAKE-used'))
    }
    for (const subject of ['FAKE-used', 'FAKE-unused']) await source(callOf(subject))
    assert.deepEqual([countOf('FAKE-used'), countOf('FAKE-unused')], [1, 2])
  })
})
