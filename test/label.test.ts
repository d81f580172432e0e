import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAdapter } from 'mcp-credentials'
import type { AdapterOptions, CredentialSource } from 'mcp-credentials'
import { setLabel } from '../src/source.ts'
import { fakeToken } from './helper.ts'

test('an event says what the source calls the account, and otherwise what the adapter is told', async () => {
  const silent: CredentialSource = () => fakeToken()
  const telling: CredentialSource = (request) => {
    setLabel(request, 'from the source')
    return fakeToken()
  }
  const labels: [CredentialSource, label: AdapterOptions['label'], expected: string | undefined][] =
    [
      [telling, undefined, 'from the source'],
      [telling, () => undefined, 'from the source'],
      [telling, () => 'from the adapter', 'from the source'],
      [silent, () => 'from the adapter', 'from the adapter'],
      [silent, () => undefined, undefined],
      [silent, undefined, undefined],
    ]
  for (const [source, label, expected] of labels) {
    const told: (string | undefined)[] = []
    const ask = createAdapter(source, { label, onCall: (event) => told.push(event.label) })
    const call = await ask({ headers: undefined })
    call.end()
    assert.deepEqual(told, [expected])
  }
})
