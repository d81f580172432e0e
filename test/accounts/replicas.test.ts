// A short form of npm run test:replicas.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runLoad } from './load.ts'

test('three replicas behind nginx serve everybody their own account while one is killed, and the database', async () => {
  const calls = 1500
  const { report, places, problems } = await runLoad({ calls, accounts: 100 })
  const { answered, disturbed, failed, refreshes, ...faults } = report
  assert.equal(answered + disturbed + failed, calls)
  assert(answered > calls / 2, JSON.stringify([...problems]))
  assert(refreshes >= 100)
  assert.deepEqual(faults, {
    ...{ calls, othersAccount: 0, refused: 0, refreshedTwice: 0, accountsLost: 0 },
  })
  for (const [place, { tokens, users }] of Object.entries(places)) {
    assert.equal(tokens, 0, `tokens in the ${place}`)
    assert(users > 0, `the search of the ${place} sees users`)
  }
})

test('the control: accounts that are keyed by the id of the client are mixed up', async () => {
  const { report } = await runLoad({ calls: 200, accounts: 10, isControl: true })
  assert(report.othersAccount > 100)
})
