// Cases that changes of the code, or a property test, have shown to be missing elsewhere.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createRefresher } from 'mcp-credentials/oauth'
import { assertFails, endpoint, expired, refreshTokenOf, withClock } from './oauth-endpoint.ts'

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
})
