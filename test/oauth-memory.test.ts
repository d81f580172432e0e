// What is remembered of ten thousand and more accounts: apart from the other tests of the room, since it takes as long as all of them.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
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

  test('may be forgotten where it was saved, or is worth nothing, the least recently used first', async () => {
    const [refused, flying] = [refreshTokenOf('refused'), refreshTokenOf('flying')]
    const landings: (() => void)[] = []
    const { fetch, sent } = endpoint(async ({ refresh_token: given }) => {
      if (given === flying && countOf(flying) > 1)
        await new Promise<void>((resolve) => landings.push(resolve))
      if (given === `${refused}-1`)
        return Response.json({ error: 'invalid_grant' }, { status: 400 })
      const rotated = given === refused && { refresh_token: `${refused}-1`, expires_in: 0 }
      return { access_token: 'FAKE-new', ...rotated }
    }, 0)
    const refresh = createRefresher({ fetch, onRefresh: () => {}, timeoutSeconds: 600 })
    const [used, unused] = [refreshTokenOf('used'), refreshTokenOf('unused')]
    const countOf = (token: string) =>
      sent.filter(({ form }) => form['refresh_token'] === token).length
    for (const token of [used, unused, flying]) await refresh(expired(token))
    // A request that is under way is known by whoever comes, although others come and go meanwhile.
    const forced = refresh(expired(flying, { accessToken: 'FAKE-new' }), { force: true })
    while (countOf(flying) === 1) await sleep(1)
    const passing = expired(flying, { accessToken: 'FAKE-other', expiresAt: inSeconds(7200) })
    assert.equal(await refresh(passing), passing)
    // Nobody saves the successor, which is refused then.
    const unsaving = createRefresher({ fetch })
    await unsaving(expired(refused))
    await assert.rejects(unsaving(expired(refused)))
    for (let batch = 0; batch < 100; batch++) {
      const tokens = Array.from({ length: 100 }, (_, index) => `FAKE-forget-${batch}-${index}`)
      await Promise.all(tokens.map((token) => refresh(expired(token))))
      await refresh(expired(used))
    }
    for (const token of [used, unused, refused]) await refresh(expired(token))
    assert.deepEqual([used, unused, refused].map(countOf), [1, 2, 2])
    const late = refresh(expired(flying, { accessToken: 'FAKE-new' }), { force: true })
    for (let turn = 0; turn < 20; turn++) await sleep(1)
    for (const land of landings) land()
    await Promise.all([forced, late])
    assert.equal(countOf(flying), 2)
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
    // Of those that came first, nothing was rotated: there is nothing to lose.
    await refresh(expired('FAKE-unsaved-0-0'))
    const countOf = (token: string) =>
      sent.filter(({ form }) => form['refresh_token'] === token).length
    assert.deepEqual([countOf(first), countOf('FAKE-unsaved-0-0')], [1, 2])
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
    const subjects = ['FAKE-first', 'FAKE-unused', 'FAKE-unused-too', 'FAKE-used']
    for (const subject of subjects) await source(callOf(subject))
    const fill = async (name: string, count: number) => {
      const others = Array.from({ length: count }, (_, index) => callOf(`FAKE-${name}-${index}`))
      await Promise.all(others.map((other) => source(other)))
      await source(callOf('FAKE-used'))
    }
    for (let batch = 0; batch < 98; batch++) await fill(`${batch}`, 102)
    // As many as are kept: all of them are.
    assert.equal(sent.length, 10_000)
    await source(callOf('FAKE-first'))
    assert.equal(sent.length, 10_000)
    await fill('more', 2)
    for (const subject of subjects) await source(callOf(subject))
    assert.deepEqual(subjects.map(countOf), [1, 2, 2, 1])
  })
})
