import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { runWithCredentials } from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'
import { fakeToken } from './helper.ts'

test('where nobody knows any more what must not leave, nothing does', async () => {
  const credential = fakeToken()
  const leftovers: Promise<unknown>[] = []
  runWithCredentials(credential, () => {
    leftovers.push(sleep(1).then(() => redactSecrets({ any: 'thing' })))
  })
  // So many that the first is forgotten.
  for (let count = 0; count < 2000; count++) runWithCredentials(fakeToken(), () => undefined)
  assert.deepEqual(await Promise.all(leftovers), ['[redacted]'])
})
