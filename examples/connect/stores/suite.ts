// What a store of accounts has to promise, as tests for node:test: call testStore with your own.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import type { AccountStore } from 'mcp-credentials/accounts'

/** Names that a careless store takes for one another. */
const NAMES = [
  'alice',
  'Alice',
  'alice ',
  ' alice',
  'alice@example.com',
  'auth0|alice',
  '["alice"]',
  "a' or '1'='1",
  'a%',
  'a_',
  'a*',
  'a:b',
  'a',
  'b:c',
  'c',
  'é',
  'e\u0301',
  'ß',
  'ss',
  '🙂',
  'x'.repeat(255),
]

/** What is asked of a store: `open` gives it over one of several connections, `owner` has no row yet. */
type Check = (open: () => Promise<AccountStore>, owner: string) => Promise<void>

const CHECKS: readonly (readonly [name: string, check: Check])[] = [
  [
    'has nothing of an owner that it does not know',
    async (open, owner) => {
      assert.equal(await (await open()).load(owner, 'p'), undefined)
    },
  ],
  [
    'writes where there is nothing, once',
    async (open, owner) => {
      const store = await open()
      assert.equal(await store.swap(owner, 'p', undefined, 'first'), true)
      assert.equal(await store.swap(owner, 'p', undefined, 'second'), false)
      assert.equal(await store.load(owner, 'p'), 'first')
    },
  ],
  [
    'writes over what it holds, and over nothing else',
    async (open, owner) => {
      const store = await open()
      assert.equal(await store.swap(owner, 'p', 'first', 'second'), false)
      assert.equal(await store.load(owner, 'p'), undefined)
      await store.swap(owner, 'p', undefined, 'first')
      for (const wrong of ['First', 'first ', 'firs', 'second'])
        assert.equal(await store.swap(owner, 'p', wrong, 'second'), false)
      assert.equal(await store.swap(owner, 'p', 'first', 'second'), true)
      assert.equal(await store.load(owner, 'p'), 'second')
      assert.equal(await store.swap(owner, 'p', 'second', 'second'), true)
    },
  ],
  [
    'deletes what it holds, and nothing else',
    async (open, owner) => {
      const store = await open()
      assert.equal(await store.swap(owner, 'p', 'first', undefined), false)
      await store.swap(owner, 'p', undefined, 'first')
      assert.equal(await store.swap(owner, 'p', 'other', undefined), false)
      assert.equal(await store.load(owner, 'p'), 'first')
      assert.equal(await store.swap(owner, 'p', 'first', undefined), true)
      assert.equal(await store.load(owner, 'p'), undefined)
      assert.equal(await store.swap(owner, 'p', undefined, 'again'), true)
    },
  ],
  [
    'tells owners and providers apart, whatever they are called',
    async (open, prefix) => {
      const store = await open()
      const keys = NAMES.flatMap((owner) =>
        ['p', 'P', ...NAMES].map((provider) => [`${prefix}${owner}`, provider] as const),
      )
      for (const [owner, provider] of keys)
        assert.equal(await store.swap(owner, provider, undefined, `${owner} ${provider}`), true)
      for (const [owner, provider] of keys)
        assert.equal(await store.load(owner, provider), `${owner} ${provider}`)
    },
  ],
  [
    'gives a text as it was written, also a long one',
    async (open, owner) => {
      const store = await open()
      const text = 'aB3-_.'.repeat(20_000)
      await store.swap(owner, 'p', undefined, text)
      assert.equal(await store.load(owner, 'p'), text)
      assert.equal(await store.swap(owner, 'p', text, `${text}.`), true)
    },
  ],
  [
    'shows every connection what another one has written',
    async (open, owner) => {
      const [one, other] = [await open(), await open()]
      await one.swap(owner, 'p', undefined, 'first')
      assert.equal(await other.load(owner, 'p'), 'first')
      assert.equal(await other.swap(owner, 'p', 'first', 'second'), true)
      assert.equal(await one.swap(owner, 'p', 'first', 'third'), false)
      assert.equal(await one.load(owner, 'p'), 'second')
    },
  ],
  [
    'lets one of a hundred writers win, each time',
    async (open, owner) => {
      const stores = [await open(), await open(), await open(), await open()]
      const writers = Array.from({ length: 25 }, () =>
        stores.map((store) => increment(store, owner)),
      )
      await Promise.all(writers.flat())
      assert.equal(await stores[0]?.load(owner, 'p'), '100')
    },
  ],
]

/**
 * Tests a store.
 *
 * @param name - what it is called
 * @param open - gives the store over one of several connections; each time another one, if it can
 */
export function testStore(name: string, open: () => Promise<AccountStore>): void {
  void describe(`a store in ${name}`, () => {
    for (const [promise, check] of CHECKS)
      void test(promise, () => check(open, `owner-${randomUUID()}`))
  })
}

async function increment(store: AccountStore, owner: string): Promise<void> {
  for (;;) {
    const before = await store.load(owner, 'p')
    if (await store.swap(owner, 'p', before, String(Number(before ?? 0) + 1))) return
  }
}
