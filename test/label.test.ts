import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAdapter } from 'mcp-credentials'
import type { AdapterOptions, CredentialSource } from 'mcp-credentials'
import { setLabel } from '../src/source.ts'
import { fakeToken } from './helper.ts'

test('an event says what the source calls the account, unless the adapter is told otherwise', async () => {
  const source: CredentialSource = (request) => {
    setLabel(request, 'from the source')
    return fakeToken()
  }
  const labels: [label: AdapterOptions['label'], expected: string][] = [
    [undefined, 'from the source'],
    [() => undefined, 'from the source'],
    [() => 'from the adapter', 'from the adapter'],
  ]
  for (const [label, expected] of labels) {
    const told: (string | undefined)[] = []
    const ask = createAdapter(source, { label, onCall: (event) => told.push(event.label) })
    const call = await ask({ headers: undefined })
    call.end()
    assert.deepEqual(told, [expected])
  }
})
