import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  OAuthCredential,
  runWithCredentials,
  StaticCredential,
  tryGetCredentials,
} from 'mcp-credentials'
import type { CredentialRequest, ResolvedCredential } from 'mcp-credentials'
import { cached } from 'mcp-credentials/cache'
import type { CachedOptions } from 'mcp-credentials/cache'
import { fakeSecret, fakeToken } from './helper.ts'

const requestOf = (tool: string): CredentialRequest => ({ tool, headers: undefined })
const keyOf = ({ tool }: CredentialRequest) => tool ?? ''

/** A source that is cached by the name of the tool, and how often each key was loaded. */
function counting(options: Partial<CachedOptions> = {}) {
  const loaded: string[] = []
  const load = async (key: string): Promise<ResolvedCredential> => {
    loaded.push(key)
    return new OAuthCredential({ accessToken: fakeSecret(key) })
  }
  return { source: cached({ key: keyOf, load, ...options }), loaded }
}

/** Runs `fn` with a clock that it sets, in milliseconds from now. */
async function withClock(
  fn: (set: (milliseconds: number) => void) => Promise<void>,
): Promise<void> {
  const { now } = Date
  const start = now()
  try {
    await fn((milliseconds) => {
      Date.now = () => start + milliseconds
    })
  } finally {
    Date.now = now
  }
}

describe('a cached source', () => {
  test('loads once for a key, and gives the same credential again', async () => {
    const { source, loaded } = counting()
    const first = await source(requestOf('a'))
    assert.equal(await source(requestOf('a')), first)
    assert.notEqual(await source(requestOf('b')), first)
    assert.deepEqual(loaded, ['a', 'b'])
  })

  test('loads once for all who wait', async () => {
    const { source, loaded } = counting()
    const all = await Promise.all(Array.from({ length: 100 }, () => source(requestOf('a'))))
    assert.equal(new Set(all).size, 1)
    assert.deepEqual(loaded, ['a'])
  })

  test('load gets the key and nothing else, in the scope of no caller', async () => {
    const seen: unknown[] = []
    const source = cached({
      key: keyOf,
      load: (...given: unknown[]) => {
        seen.push(given, tryGetCredentials())
        return new StaticCredential({ key: 'FAKE-key' })
      },
    })
    await runWithCredentials(fakeToken(), () => source(requestOf('a')))
    assert.deepEqual(seen, [['a'], undefined])
  })

  test('keeps no error: who waits gets it, and the next call loads again', async () => {
    let loads = 0
    const source = cached({
      key: keyOf,
      load: async () => {
        loads += 1
        if (loads === 1) throw new Error('The vault is sealed.')
        return fakeToken()
      },
    })
    const waiting = [source(requestOf('a')), source(requestOf('a'))]
    for (const promise of waiting) await assert.rejects(promise, /The vault is sealed\./)
    await source(requestOf('a'))
    assert.equal(loads, 2)
  })

  test('a load that throws at once is no other than one that rejects', async () => {
    const load = () => {
      throw new Error('at once')
    }
    await assert.rejects(cached({ key: keyOf, load })(requestOf('a')), /at once/)
  })

  test('keeps nothing for longer than ttlSeconds, counted from when it was asked for', async () => {
    await withClock(async (set) => {
      for (const [ttlSeconds, milliseconds, expected] of [
        [undefined, 59_999, 1],
        [undefined, 60_000, 2],
        [5, 4_999, 1],
        [5, 5_000, 2],
        [0, 0, 2],
        // A clock that was set back.
        [5, -1, 2],
      ] as const) {
        set(0)
        const { source, loaded } = counting({ ttlSeconds })
        await source(requestOf('a'))
        set(milliseconds)
        await source(requestOf('a'))
        assert.equal(loaded.length, expected, `${ttlSeconds} ${milliseconds}`)
      }
    })
    await withClock(async (set) => {
      set(0)
      let loads = 0
      const load = () => {
        loads += 1
        set(5000)
        return fakeToken()
      }
      const source = cached({ key: keyOf, load, ttlSeconds: 5 })
      await source(requestOf('a'))
      await source(requestOf('a'))
      assert.equal(loads, 2)
    })
  })

  test('keeps no token until its expiry: a minute before it loads another', async () => {
    await withClock(async (set) => {
      set(0)
      const expiresAt = new Date(Date.now() + 100_000)
      let loads = 0
      const load = () => {
        loads += 1
        return new OAuthCredential({ accessToken: `FAKE-${loads}`, expiresAt })
      }
      const source = cached({ key: keyOf, load, ttlSeconds: 1000 })
      for (const [milliseconds, expected] of [
        [0, 1],
        [39_999, 1],
        [40_000, 2],
        [40_000, 3],
      ] as const) {
        set(milliseconds)
        await source(requestOf('a'))
        assert.equal(loads, expected, String(milliseconds))
      }
    })
  })

  test('keeps the max that were used last', async () => {
    const { source, loaded } = counting({ max: 2 })
    for (const key of ['a', 'b', 'a', 'c', 'a', 'b', 'a']) await source(requestOf(key))
    assert.deepEqual(loaded, ['a', 'b', 'c', 'b'])
    const none = counting({ max: 0 })
    for (const key of ['a', 'a']) await none.source(requestOf(key))
    assert.deepEqual(none.loaded, ['a', 'a'])
  })

  test('does not grow with the keys that it is asked for', async () => {
    const { source, loaded } = counting({ max: 10 })
    for (let index = 0; index < 1000; index++) await source(requestOf(`key-${index}`))
    loaded.length = 0
    for (let index = 990; index < 1000; index++) await source(requestOf(`key-${index}`))
    assert.deepEqual(loaded, [])
    await source(requestOf('key-989'))
    assert.deepEqual(loaded, ['key-989'])
  })

  test('forgets what is invalidated, also while it is loaded', async () => {
    const { source, loaded } = counting()
    const first = await source(requestOf('a'))
    await source(requestOf('b'))
    source.invalidate('a')
    source.invalidate('never seen')
    assert.notEqual(await source(requestOf('a')), first)
    await source(requestOf('b'))
    assert.deepEqual(loaded, ['a', 'b', 'a'])

    const releases: ((credential: ResolvedCredential) => void)[] = []
    const slow = cached({
      key: keyOf,
      load: () => new Promise<ResolvedCredential>((resolve) => releases.push(resolve)),
    })
    const [old, young] = [fakeToken(), fakeToken()]
    const before = slow(requestOf('a'))
    await Promise.resolve()
    slow.invalidate('a')
    const after = slow(requestOf('a'))
    await Promise.resolve()
    assert.equal(releases.length, 2)
    releases[1]?.(young)
    assert.equal(await after, young)
    releases[0]?.(old)
    assert.equal(await before, old)
    assert.equal(await slow(requestOf('a')), young)
  })

  test('a caller who leaves stops no other', async () => {
    const controller = new AbortController()
    const { source, loaded } = counting()
    const leaving = source({ ...requestOf('a'), signal: controller.signal })
    const staying = source(requestOf('a'))
    controller.abort()
    assert.equal(await staying, await leaving)
    assert.deepEqual(loaded, ['a'])
  })

  for (const key of [
    '',
    undefined,
    null,
    7,
    {},
    [],
    ['a'],
    Promise.resolve('a'),
    NaN,
  ] as unknown[]) {
    test(`refuses ${JSON.stringify(key) ?? String(key)} for a key`, async () => {
      const { source, loaded } = counting({ key: () => key as string })
      await assert.rejects(source(requestOf('a')), {
        code: 'ERR_INVALID_ARG_VALUE',
        message: /not empty: it would mix callers/,
      })
      assert.deepEqual(loaded, [])
    })
  }

  test('refuses a call where key does', async () => {
    const key = () => {
      throw new Error('Who are you?')
    }
    const { source, loaded } = counting({ key })
    await assert.rejects(source(requestOf('a')), /Who are you\?/)
    assert.deepEqual(loaded, [])
  })

  test('what is no credential is not kept', async () => {
    let loads = 0
    const load = (() => {
      loads += 1
      return { accessToken: 'FAKE' }
    }) as unknown as CachedOptions['load']
    const source = cached({ key: keyOf, load })
    for (let index = 0; index < 2; index++)
      await assert.rejects(source(requestOf('a')), { code: 'ERR_INVALID_ARG_TYPE' })
    assert.equal(loads, 2)
  })

  test('refuses options that are missing, misspelt or of another kind', () => {
    const load = () => fakeToken()
    for (const options of [
      { load },
      { key: keyOf },
      { key: 'key', load },
      { key: keyOf, load, ttl: 5 },
      { key: keyOf, load, ttlSeconds: -1 },
      { key: keyOf, load, max: -1 },
      { key: keyOf, load, max: 1.5 },
      { key: keyOf, load, max: Infinity },
      { key: keyOf, load, max: '5' },
    ])
      assert.throws(() => cached(options as unknown as CachedOptions), {
        code: 'ERR_INVALID_ARG_VALUE',
      })
  })

  test('says what it takes, max among it', () => {
    const load = () => fakeToken()
    for (const options of [undefined, null, 'key'])
      assert.throws(() => cached(options as unknown as CachedOptions), {
        code: 'ERR_INVALID_ARG_TYPE',
        message: /^The options of cached must be given .* \{ key, load, ttlSeconds, max \}\.$/,
      })
    assert.throws(() => cached({ key: keyOf, load, ttl: 5 } as CachedOptions), {
      message: '"ttl" is not an option of cached: use key, load, ttlSeconds, max.',
    })
    assert.throws(() => cached({ key: keyOf, load, max: -1 }), {
      message: 'The option max of cached must be a number of credentials.',
    })
  })
})
