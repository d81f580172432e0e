import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { isCredentialHeader } from 'mcp-credentials'
import { createSignatureVerifier, signHeaders } from 'mcp-credentials/signature'
import { visible } from './arbitraries.ts'
import { checkError, holdsLater } from './check.ts'

const SIGNATURE = 'X-MCP-Cred-Signature'
const NOW = Date.parse('2026-05-04T12:00:00Z')
// No part of it stands in the path of this file, which is in stacks.
const KEY = 'FAKE-Fk7qZ1wXv9pRt3yUm5Nb-0123456789'

/** A record as Node.js hands it out: names in lower case. */
type Lower = Readonly<Record<string, string>>

// Blanks and commas are what proxies add and take away.
const value = fc
  .array(fc.oneof(visible(), fc.constantFrom(' ', '\t', ',', ', ')), { maxLength: 4 })
  .map((parts) => parts.join(''))
const name = fc.oneof(
  fc
    .constantFrom(
      ...['X-MCP-Cred-Access-Token', 'x-mcp-cred-fields', 'X-Mcp-Cred-Extra', 'x_mcp_cred_fields'],
      ...['X-MCP-Cred-Scopes', 'X-MCP-Cred-Expires-At', 'X-MCP-Cred-', 'x.mcp.cred.future'],
    )
    .map(String),
  fc.constantFrom('Accept', 'X-Request-Id', 'X-MCP-Credential'),
)
const headers = fc
  .array(fc.tuple(name, value), { maxLength: 5 })
  .map((entries) => Object.fromEntries(entries))
const audience = fc.option(visible(), { nil: undefined })
const skew = fc.integer({ min: -70, max: 70 })

const lower = (given: Lower): Lower =>
  Object.fromEntries(Object.entries(given).map(([named, one]) => [named.toLowerCase(), one]))

const webHeaders = (given: Lower) => ({
  get: (named: string) => given[named],
  keys: () => Object.keys(given),
})

/** What a signature binds, in one line. */
const bound = (given: Lower): string =>
  Object.entries(given)
    .filter(([named]) => isCredentialHeader(named) && named !== SIGNATURE.toLowerCase())
    .map(([named, one]) => JSON.stringify([named, one.trim()]))
    .sort()
    .join()

/** A change that somebody on the way makes; it may come to nothing. */
type Change = (given: Lower) => Lower
const setTo = (named: string, one: string): Change => {
  return (given) => ({ ...given, [named.toLowerCase()]: one })
}
const inOne = (pick: number, alter: (one: string) => string): Change => {
  return (given) => {
    const names = Object.keys(given)
    const named = names[pick % names.length] ?? 'none'
    return { ...given, [named]: alter(given[named] ?? '') }
  }
}
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(name, value).map(([named, one]) => setTo(named, one)),
  fc.nat().map((pick): Change => {
    return (given) => {
      const dropped = Object.keys(given)[pick % Object.keys(given).length]
      return Object.fromEntries(Object.entries(given).filter(([named]) => named !== dropped))
    }
  }),
  fc.tuple(fc.nat(), fc.nat(), visible()).map(([pick, at, one]) =>
    inOne(pick, (old) => {
      const index = at % (old.length + 1)
      return old.slice(0, index) + one + old.slice(index + 1)
    }),
  ),
  fc.tuple(fc.nat(), fc.constantFrom(' ', '\t', ',')).map(([pick, end]) => {
    return inOne(pick, (old) => old + end)
  }),
  fc.nat().map((pick) => inOne(pick, (old) => old.toUpperCase())),
  fc.constant<Change>((given) => given),
)

const verdict = async (
  verify: (given: ReturnType<typeof webHeaders>) => Promise<true>,
  sent: Lower,
) => {
  try {
    return await verify(webHeaders(sent))
  } catch (error) {
    return checkError(error, ['ERR_CREDENTIAL_UNTRUSTED'], [KEY])
  }
}

/** On a clock that stands still. */
async function at<T>(time: number, run: () => Promise<T>): Promise<T> {
  const { now } = Date
  Date.now = () => time
  try {
    return await run()
  } finally {
    Date.now = now
  }
}

describe('a signature', () => {
  test('is believed until anything of ours is changed, and only in its time', async () => {
    const seen = { believed: 0, refused: 0 }
    const changes = fc.array(change, { maxLength: 2 })
    await holdsLater(
      fc.asyncProperty(headers, audience, changes, skew, async (given, forWhom, made, seconds) => {
        const time = new Date(NOW)
        const signed = lower(await signHeaders(given, KEY, { audience: forWhom, time }))
        const sent = made.reduce((one, alter) => alter(one), signed)
        const verify = createSignatureVerifier({ keys: [KEY], audience: forWhom })
        const found = await at(NOW + seconds * 1000, () => verdict(verify, sent))
        const isSame = sent[SIGNATURE.toLowerCase()] === signed[SIGNATURE.toLowerCase()]
        const isBelieved = isSame && bound(sent) === bound(signed) && Math.abs(seconds) <= 60
        assert.equal(found, isBelieved || 'ERR_CREDENTIAL_UNTRUSTED')
        seen[isBelieved ? 'believed' : 'refused'] += 1
      }),
      400,
    )
    assert(seen.believed > 40, JSON.stringify(seen))
    assert(seen.refused > 40, JSON.stringify(seen))
  })

  test('is for one audience, and of one of the keys', async () => {
    const keys = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
    const keyOf = (letter: string) => KEY + letter
    await holdsLater(
      fc.asyncProperty(headers, audience, audience, keys, async (given, one, other, letters) => {
        const signed = await signHeaders(given, keyOf('a'), { audience: one, time: new Date(NOW) })
        const verify = createSignatureVerifier({ keys: letters.map(keyOf), audience: other })
        const found = await at(NOW, () => verdict(verify, lower(signed)))
        const isBelieved = letters.includes('a') && (one ?? '') === (other ?? '')
        assert.equal(found, isBelieved || 'ERR_CREDENTIAL_UNTRUSTED')
      }),
      200,
    )
  })

  test('survives Web Headers, as a proxy passes them on', async () => {
    await holdsLater(
      fc.asyncProperty(headers, async (given) => {
        const own = Object.entries(lower(given))
        const signed = await signHeaders(Object.fromEntries(own), KEY, { time: new Date(NOW) })
        const verify = createSignatureVerifier({ keys: [KEY] })
        assert.equal(await at(NOW, () => verify(new Headers(signed))), true)
      }),
      100,
    )
  })
})
