import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'
import {
  bindToScope,
  CredentialError,
  getCredentials,
  runWithCredentials,
  StaticCredential,
  tryGetCredentials,
} from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'
import { assertRefused, codeOf, fakeToken } from './helper.ts'

const credential = fakeToken()

describe('inside of runWithCredentials', () => {
  test('getCredentials returns the credential, in whatever fn starts', async () => {
    const seen = await runWithCredentials(credential, async (argument) => {
      const all: unknown[] = [argument, getCredentials(), tryGetCredentials()]
      await undefined
      all.push(getCredentials())
      await sleep(1)
      all.push(getCredentials('oauth'), tryGetCredentials('oauth'))
      all.push(
        ...(await Promise.all([1, 2, 3].map(async () => (await setImmediate(), getCredentials())))),
      )
      all.push(await new Promise((resolve) => queueMicrotask(() => resolve(getCredentials()))))
      return all
    })
    assert.equal(seen.length, 10)
    for (const one of seen) assert.equal(one, credential)
  })

  test('the type is checked', () => {
    runWithCredentials(credential, () => {
      assertRefused(
        () => getCredentials('static'),
        'ERR_CREDENTIAL_TYPE',
        /is of type "oauth", not "static"/,
        credential.accessToken,
      )
      assertRefused(
        () => tryGetCredentials('static'),
        'ERR_CREDENTIAL_TYPE',
        /is of type "oauth"/,
        credential.accessToken,
      )
    })
  })

  test('a type that does not exist is a TypeError', () => {
    runWithCredentials(credential, () => {
      for (const get of [getCredentials, tryGetCredentials]) {
        for (const type of ['apikey', { type: 'oauth' }]) {
          assert.throws(() => Reflect.apply(get, undefined, [type]), {
            name: 'TypeError',
            code: 'ERR_INVALID_ARG_VALUE',
            message: 'The type of a credential is either "static" or "oauth".',
          })
        }
      }
    })
  })

  test('an error in place of a credential is thrown, and tryGetCredentials has none', () => {
    const error = new CredentialError('ERR_CREDENTIAL_MISSING', 'Connect the account.')
    const result = runWithCredentials(error, (argument) => {
      assert.throws(
        () => getCredentials(),
        (thrown) => thrown === error,
      )
      assert.equal(tryGetCredentials(), undefined)
      return argument
    })
    assert.equal(result, undefined)
  })
})

describe('outside of any scope', () => {
  test('getCredentials says what to check, and tryGetCredentials is undefined', () => {
    assertRefused(
      () => getCredentials(),
      'ERR_CREDENTIAL_NO_SCOPE',
      /^There is no credential in this context\. Is the adapter installed/,
    )
    assert.equal(tryGetCredentials(), undefined)
    assert.equal(tryGetCredentials('oauth'), undefined)
  })

  test('an event listener and a generator that others drive have none', () => {
    const target = new EventTarget()
    let code: string | undefined
    function* generate() {
      yield tryGetCredentials()
    }
    const generator = runWithCredentials(credential, () => {
      target.addEventListener('event', () => {
        code = codeOf(getCredentials)
      })
      return generate()
    })
    target.dispatchEvent(new Event('event'))
    assert.equal(code, 'ERR_CREDENTIAL_NO_SCOPE')
    assert.equal(generator.next().value, undefined)
  })
})

describe('a function that is bound to a scope', () => {
  test('has its credential wherever it is called, until the scope ends', async () => {
    const target = new EventTarget()
    const seen: unknown[] = []
    const ask = (event: Event) => {
      seen.push(event.type, codeOf(getCredentials))
      return seen.length
    }
    let bound = (_event: Event) => 0
    const end = runWithCredentials(credential, async () => {
      bound = bindToScope(ask)
      target.addEventListener('bound', bound)
      await sleep(2)
    })
    target.dispatchEvent(new Event('bound'))
    assert.equal(codeOf(getCredentials), 'ERR_CREDENTIAL_NO_SCOPE')
    runWithCredentials(fakeToken(), () => {
      bound(new Event('elsewhere'))
    })
    await end
    assert.equal(bound(new Event('late')), 6)
    assert.deepEqual(seen, [
      'bound',
      'a credential',
      'elsewhere',
      'a credential',
      'late',
      'ERR_CREDENTIAL_ENDED',
    ])
  })

  test('has none where there was none', () => {
    const bound = bindToScope(() => codeOf(getCredentials))
    assert.equal(runWithCredentials(credential, bound), 'ERR_CREDENTIAL_NO_SCOPE')
  })
})

describe('the result of fn comes back as it was', () => {
  test('a value, and a function', () => {
    const fn = () => 1
    assert.equal(
      runWithCredentials(credential, () => 7),
      7,
    )
    assert.equal(
      runWithCredentials(credential, () => null),
      null,
    )
    assert.equal(
      runWithCredentials(credential, () => undefined),
      undefined,
    )
    assert.equal(
      runWithCredentials(credential, () => fn),
      fn,
    )
  })

  test('a throw, and a rejection', async () => {
    const error = new Error('thrown')
    assert.throws(
      () =>
        runWithCredentials(credential, () => {
          throw error
        }),
      (thrown) => thrown === error,
    )
    await assert.rejects(
      runWithCredentials(credential, async () => {
        throw error
      }),
      (thrown) => thrown === error,
    )
  })

  test('a lazy thenable runs once, inside of the scope, and becomes a plain promise', async () => {
    let runs = 0
    const query = {
      then(resolve: (value: unknown) => void) {
        runs += 1
        void sleep(1).then(() => resolve(getCredentials()))
      },
    }
    const promise: unknown = runWithCredentials(credential, () => query)
    assert(promise instanceof Promise)
    assert.equal(await promise, credential)
    assert.equal(await promise, credential)
    assert.equal(runs, 1)
  })

  test('then is read once, and what it throws is a rejection', async () => {
    let reads = 0
    const thenable = Object.defineProperty(() => 1, 'then', {
      get() {
        reads += 1
        return () => {
          throw new Error('in then')
        }
      },
    })
    await assert.rejects(Promise.resolve(runWithCredentials(credential, () => thenable)), /in then/)
    assert.equal(reads, 1)
    const hostile = Object.defineProperty({}, 'then', {
      get() {
        throw new Error('at then')
      },
    })
    assert.throws(() => runWithCredentials(credential, () => hostile), /at then/)
  })

  test('a subclass of Promise, or one with a then of its own, becomes a plain promise', async () => {
    class Cancellable<T> extends Promise<T> {}
    const subclass: unknown = runWithCredentials(credential, () => Cancellable.resolve(1))
    assert.equal((subclass as object).constructor, Promise)
    assert.equal(await subclass, 1)
    const patched = Object.assign(Promise.resolve(1), {
      then(resolve: (value: number) => void) {
        resolve(2)
      },
    })
    assert.equal(await runWithCredentials(credential, () => patched as Promise<number>), 2)
  })
})

describe('the scope ends', () => {
  const ended = (fn: () => unknown) =>
    assertRefused(
      fn,
      'ERR_CREDENTIAL_ENDED',
      /^The call .* is over\. Work that outlives its call/,
      credential.accessToken,
    )

  const outcomeOf = async (run: () => unknown): Promise<string> => {
    try {
      await run()
      return 'settled'
    } catch (error) {
      return String(error)
    }
  }

  for (const [name, expected, fn] of [
    ['returns', 'settled', () => undefined],
    [
      'throws',
      'Error: tool',
      () => {
        throw new Error('tool')
      },
    ],
    ['resolves', 'settled', () => sleep(2)],
    [
      'rejects',
      'Error: tool',
      () =>
        sleep(2).then(() => {
          throw new Error('tool')
        }),
    ],
  ] as const) {
    test(`when fn ${name}: a timer and a floating promise left behind get ERR_CREDENTIAL_ENDED`, async () => {
      const left: Promise<void>[] = []
      let isOver = false
      const inTimer = async () => {
        await new Promise<void>((resolve) => {
          const ask = () => (isOver ? resolve(ended(tryGetCredentials)) : setTimeout(ask, 1))
          ask()
        })
      }
      const inLoop = async () => {
        while (!isOver) await sleep(1)
        ended(getCredentials)
      }
      const outcome = await outcomeOf(() =>
        runWithCredentials(credential, () => {
          left.push(inTimer(), inLoop())
          return fn()
        }),
      )
      isOver = true
      assert.equal(outcome, expected)
      assert.equal((await Promise.all(left)).length, 2)
    })
  }

  test('for an error in its place as well', async () => {
    let left: Promise<void> | undefined
    runWithCredentials(new CredentialError('ERR_CREDENTIAL_MISSING', 'none'), () => {
      left = sleep(1).then(() => ended(getCredentials))
    })
    await left
  })

  test('but redactSecrets still takes its credential, since what is sent later may hold its secrets', async () => {
    const later = runWithCredentials(credential, () => ({
      redacted: sleep(1).then(() => redactSecrets(credential.accessToken)),
    }))
    assert.equal(await later.redacted, '[redacted]')
  })

  test('not when the call is aborted, but when the tool has settled', async () => {
    const controller = new AbortController()
    const states: string[] = []
    const tool = runWithCredentials(credential, async () => {
      void sleep(10)
        .then(() => ended(getCredentials))
        .then(() => states.push('ended'))
      await new Promise((resolve) => controller.signal.addEventListener('abort', resolve))
      states.push(getCredentials().type)
    })
    controller.abort()
    await tool
    await sleep(15)
    assert.deepEqual(states, ['oauth', 'ended'])
  })

  test('for the inner one alone, which hides the outer from what it started', async () => {
    const inner = new StaticCredential({ key: 'inner' })
    let left: Promise<void> | undefined
    await runWithCredentials(credential, async () => {
      await runWithCredentials(inner, async () => {
        assert.equal(getCredentials(), inner)
        left = sleep(2).then(() => ended(getCredentials))
        await undefined
        assert.equal(getCredentials(), inner)
      })
      assert.equal(getCredentials(), credential)
      await left
      assert.equal(getCredentials(), credential)
    })
  })
})

describe('runWithCredentials refuses anything but a credential of this package', () => {
  for (const [name, value] of [
    ['a plain object', { type: 'oauth', accessToken: credential.accessToken }],
    ['a token', credential.accessToken],
    ['nothing', undefined],
    ['another error', new Error('none')],
  ] as const) {
    test(name, () => {
      const run = () => runWithCredentials(value as never, () => assert.fail('it ran'))
      assert.throws(run, {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_TYPE',
        message: /second copy of the package/,
      })
    })
  }
})
