import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runWithCredentials } from 'mcp-credentials'
import { scopedCredentials } from '../src/context.ts'
import { fakeToken } from './helper.ts'

test('a timer that would keep the process alive is taken back, and a thousand later scopes have to do', async () => {
  const { setTimeout, clearTimeout } = globalThis
  const started: number[] = []
  const cleared: unknown[] = []
  Reflect.set(globalThis, 'setTimeout', () => started.push(0))
  Reflect.set(globalThis, 'clearTimeout', (timer: unknown) => cleared.push(timer))
  let ask = () => {}
  const later = runWithCredentials(fakeToken(), () => {
    const isAsked = new Promise<void>((resolve) => {
      ask = resolve
    })
    return { credentials: isAsked.then(scopedCredentials) }
  })
  for (let left = 2000; left > 0; left--) runWithCredentials(fakeToken(), () => undefined)
  Object.assign(globalThis, { setTimeout, clearTimeout })
  assert.deepEqual(started, [0])
  assert.deepEqual(cleared, [1])
  ask()
  assert.equal(await later.credentials, undefined)
})
