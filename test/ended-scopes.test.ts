import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CredentialError, runWithCredentials } from 'mcp-credentials'
import type { ResolvedCredential } from 'mcp-credentials'
import { captureScope, joinScope, outsideOfScopes, scopedCredentials } from '../src/context.ts'
import { fakeToken } from './helper.ts'

// In a file of its own, since the first scope that ends starts the timer: here one that only this file moves.
const timers: { readonly fn: () => void; readonly milliseconds: number }[] = []
let unreferenced = 0
Reflect.set(globalThis, 'setTimeout', (fn: () => void, milliseconds: number) => {
  timers.push({ fn, milliseconds })
  return {
    unref() {
      unreferenced += 1
    },
  }
})

function minutePasses(): void {
  const { fn, milliseconds } = timers.pop() ?? assert.fail('There is no timer.')
  assert.equal(milliseconds, 60_000)
  fn()
}

interface Leftover {
  /** Whose secrets what it sends is scrubbed of; `undefined` where it sends nothing any more. */
  credentials(): Promise<readonly ResolvedCredential[] | undefined>
  run<R>(fn: () => R): Promise<R>
}

/** Leaves something behind in the current scope that runs functions later. */
function leaveBehind(): Leftover {
  const queue: ((fn: () => unknown) => void)[] = []
  const next = () => new Promise<() => unknown>((resolve) => queue.push(resolve))
  const loop = async () => {
    for (;;) (await next())()
  }
  void loop()
  const run = <R>(fn: () => R) => new Promise<R>((resolve) => queue.shift()?.(() => resolve(fn())))
  return { run, credentials: () => run(scopedCredentials) }
}

describe('what an ended scope has left behind', () => {
  test('is scrubbed of its secrets for another minute or two, and then sends nothing', async () => {
    const credential = fakeToken()
    const leftover = runWithCredentials(credential, leaveBehind)
    assert.equal(timers.length, 1)
    assert.equal(unreferenced, 1)
    assert.deepEqual(await leftover.credentials(), [credential])
    minutePasses()
    assert.deepEqual(await leftover.credentials(), [credential])
    minutePasses()
    assert.equal(await leftover.credentials(), undefined)
  })

  test('keeps no timer once there is nothing left to forget, and starts one again', () => {
    assert.equal(timers.length, 0)
    runWithCredentials(fakeToken(), () => undefined)
    runWithCredentials(fakeToken(), () => undefined)
    assert.equal(timers.length, 1)
    minutePasses()
    assert.equal(timers.length, 1)
    minutePasses()
    assert.equal(timers.length, 0)
    assert.equal(unreferenced, 4)
  })

  test('is forgotten sooner where scopes of a thousand other credentials have ended since, and of another thousand', async () => {
    const credential = fakeToken()
    const leftover = runWithCredentials(credential, leaveBehind)
    const endScopes = (count: number) => {
      for (let left = count; left > 0; left--) runWithCredentials(fakeToken(), () => undefined)
    }
    endScopes(1998)
    assert.deepEqual(await leftover.credentials(), [credential])
    endScopes(1)
    assert.equal(await leftover.credentials(), undefined)
    minutePasses()
  })

  test('has nothing to be scrubbed of where there was an error in place of a credential', async () => {
    const error = new CredentialError('ERR_CREDENTIAL_MISSING', 'none')
    const leftover = runWithCredentials(error, leaveBehind)
    assert.deepEqual(await leftover.credentials(), [])
    minutePasses()
    minutePasses()
    assert.equal(await leftover.credentials(), undefined)
  })
})

describe('a scope in another one', () => {
  test('is scrubbed of the secrets of both, for as long as it runs', async () => {
    const [outer, inner] = [fakeToken(), fakeToken()]
    let end = () => {}
    let leftover: Leftover | undefined
    const nested = runWithCredentials(outer, () => {
      const isDone = new Promise<void>((resolve) => {
        end = resolve
      })
      const running = runWithCredentials(inner, () => {
        leftover = leaveBehind()
        return isDone
      })
      // What the inner one has may leave through the outer one.
      assert.deepEqual(scopedCredentials(), [outer, inner])
      return { running }
    })
    assert(leftover)
    assert.deepEqual(await leftover.credentials(), [inner, outer])
    minutePasses()
    minutePasses()
    // The outer one has been over for two minutes.
    assert.deepEqual(await leftover.credentials(), [inner, outer])
    end()
    await nested.running
    minutePasses()
    minutePasses()
    assert.equal(await leftover.credentials(), undefined)
  })

  test('that has ended is scrubbed of that one too, until it is forgotten, and works on after that', async () => {
    const [first, second, third] = [fakeToken(), fakeToken(), fakeToken()]
    const leftover = runWithCredentials(first, leaveBehind)
    const credentialsIn = (credential: ResolvedCredential) =>
      leftover.run(() => runWithCredentials(credential, scopedCredentials))
    assert.deepEqual(await credentialsIn(second), [second, first])
    minutePasses()
    minutePasses()
    assert.deepEqual(await credentialsIn(third), [third])
    minutePasses()
    minutePasses()
  })

  test('may be opened in the one before for ever: nothing piles up', async () => {
    let leftover = runWithCredentials(fakeToken(), leaveBehind)
    for (let turn = 0; turn < 100; turn++) {
      const credential = fakeToken()
      const before = leftover
      leftover = await before.run(() => runWithCredentials(credential, leaveBehind))
      assert.equal((await leftover.credentials())?.length, 2)
      if (turn % 10 === 0) minutePasses()
    }
  })
})

describe('a credential that joins a scope', () => {
  const successor = fakeToken()

  test('is scrubbed from it and from the scopes around it, and once', () => {
    const [outer, inner] = [fakeToken(), fakeToken()]
    runWithCredentials(outer, () => {
      runWithCredentials(inner, () => {
        assert.deepEqual(scopedCredentials(), [inner, outer])
        outsideOfScopes(() => assert.deepEqual(scopedCredentials(), []))
        joinScope(successor)
        joinScope(successor)
        assert.deepEqual(scopedCredentials(), [inner, successor, outer])
      })
      assert.deepEqual(scopedCredentials(), [outer, inner, successor])
    })
  })

  test('makes another one forgotten where there are a hundred, but never the own', () => {
    const [own, last] = [fakeToken(), fakeToken()]
    runWithCredentials(own, () => {
      for (let count = 0; count < 200; count++) runWithCredentials(fakeToken(), () => undefined)
      joinScope(last)
      const credentials = scopedCredentials() ?? []
      assert.equal(credentials.length, 100)
      assert.equal(credentials[0], own)
      assert.equal(credentials[99], last)
    })
  })

  test('is scrubbed from a scope that was opened before it joined', async () => {
    const inner = fakeToken()
    let leftover: Leftover | undefined
    await runWithCredentials(fakeToken(), async () => {
      const running = runWithCredentials(inner, async () => {
        leftover = leaveBehind()
        await undefined
      })
      joinScope(successor)
      await running
    })
    assert.equal((await leftover?.credentials())?.includes(successor), true)
  })

  test('is scrubbed from an ended scope, and joins nothing where there is no scope', async () => {
    const credential = fakeToken()
    const leftover = runWithCredentials(credential, leaveBehind)
    await leftover.run(() => joinScope(successor))
    assert.deepEqual(await leftover.credentials(), [credential, successor])
    joinScope(successor)
    assert.deepEqual(scopedCredentials(), [])
  })
})

describe('scopes beside each other', () => {
  test('one that runs is scrubbed of its secrets when another with the same credential is forgotten', async () => {
    const credential = fakeToken()
    let end = () => {}
    const ends = new Promise<void>((resolve) => {
      end = resolve
    })
    const seen = runWithCredentials(credential, async () => {
      await ends
      return scopedCredentials()
    })
    runWithCredentials(credential, () => undefined)
    minutePasses()
    minutePasses()
    end()
    assert.deepEqual(await seen, [credential])
  })

  test('one with an error in place of a credential is scrubbed of those around it', () => {
    const credential = fakeToken()
    const error = new CredentialError('ERR_CREDENTIAL_MISSING', 'none')
    runWithCredentials(credential, () => {
      runWithCredentials(error, () => assert.deepEqual(scopedCredentials(), [credential]))
    })
  })

  test('outside of any there is nothing to keep', () => {
    outsideOfScopes(() => {
      const scope = captureScope()
      scope.keep()
      assert.deepEqual(scope.credentials(), [])
      assert.equal(scope.connectError(), undefined)
    })
  })
})
