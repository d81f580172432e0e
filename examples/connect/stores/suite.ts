// What a store of accounts has to promise, as tests for node:test: call testStore with your own.
import assert from 'node:assert/strict'
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

/**
 * Tests a store.
 *
 * @param name - what it is called
 * @param open - gives the store over one of several connections; each time another one, if it can
 */
export function testStore(name: string, open: () => Promise<AccountStore>): void {
  let serial = 0
  const newOwner = () => `owner-${Date.now()}-${serial++}`

  describe(`a store in ${name}`, () => {
    test('has nothing of an owner that it does not know', async () => {
      const store = await open()
      assert.equal(await store.load(newOwner(), 'p'), undefined)
    })

    test('writes where there is nothing, once', async () => {
      const store = await open()
      const owner = newOwner()
      assert.equal(await store.swap(owner, 'p', undefined, 'first'), true)
      assert.equal(await store.swap(owner, 'p', undefined, 'second'), false)
      assert.equal(await store.load(owner, 'p'), 'first')
    })

    test('writes over what it holds, and over nothing else', async () => {
      const store = await open()
      const owner = newOwner()
      assert.equal(await store.swap(owner, 'p', 'first', 'second'), false)
      assert.equal(await store.load(owner, 'p'), undefined)
      await store.swap(owner, 'p', undefined, 'first')
      for (const wrong of ['First', 'first ', 'firs', 'second'])
        assert.equal(await store.swap(owner, 'p', wrong, 'second'), false)
      assert.equal(await store.swap(owner, 'p', 'first', 'second'), true)
      assert.equal(await store.load(owner, 'p'), 'second')
      assert.equal(await store.swap(owner, 'p', 'second', 'second'), true)
    })

    test('deletes what it holds, and nothing else', async () => {
      const store = await open()
      const owner = newOwner()
      assert.equal(await store.swap(owner, 'p', 'first', undefined), false)
      await store.swap(owner, 'p', undefined, 'first')
      assert.equal(await store.swap(owner, 'p', 'other', undefined), false)
      assert.equal(await store.load(owner, 'p'), 'first')
      assert.equal(await store.swap(owner, 'p', 'first', undefined), true)
      assert.equal(await store.load(owner, 'p'), undefined)
      assert.equal(await store.swap(owner, 'p', undefined, 'again'), true)
    })

    test('tells owners and providers apart, whatever they are called', async () => {
      const store = await open()
      const prefix = newOwner()
      const keys = NAMES.flatMap((owner) =>
        ['p', 'P', ...NAMES].map((provider) => [`${prefix}${owner}`, provider] as const),
      )
      for (const [owner, provider] of keys)
        assert.equal(await store.swap(owner, provider, undefined, `${owner} ${provider}`), true)
      for (const [owner, provider] of keys)
        assert.equal(await store.load(owner, provider), `${owner} ${provider}`)
    })

    test('gives a text as it was written, also a long one', async () => {
      const store = await open()
      const owner = newOwner()
      const text = 'aB3-_.'.repeat(20_000)
      await store.swap(owner, 'p', undefined, text)
      assert.equal(await store.load(owner, 'p'), text)
      assert.equal(await store.swap(owner, 'p', text, `${text}.`), true)
    })

    test('shows every connection what another one has written', async () => {
      const [one, other] = [await open(), await open()]
      const owner = newOwner()
      await one.swap(owner, 'p', undefined, 'first')
      assert.equal(await other.load(owner, 'p'), 'first')
      assert.equal(await other.swap(owner, 'p', 'first', 'second'), true)
      assert.equal(await one.swap(owner, 'p', 'first', 'third'), false)
      assert.equal(await one.load(owner, 'p'), 'second')
    })

    test('lets one of a hundred writers win, each time', async () => {
      const stores = await Promise.all(Array.from({ length: 4 }, open))
      const owner = newOwner()
      const writers = Array.from({ length: 100 }, (_, index) => increment(stores[index % 4], owner))
      await Promise.all(writers)
      assert.equal(await stores[0]?.load(owner, 'p'), '100')
    })
  })
}

async function increment(store: AccountStore | undefined, owner: string): Promise<void> {
  assert(store)
  for (;;) {
    const before = await store.load(owner, 'p')
    if (await store.swap(owner, 'p', before, String(Number(before ?? 0) + 1))) return
  }
}
