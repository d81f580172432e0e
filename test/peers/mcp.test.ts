import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fromEnv, fromHeaders } from 'mcp-credentials'
import { createSignatureVerifier, signHeaders } from 'mcp-credentials/signature'
import { afterwards, fingerprint, waiting } from './servers.js'
import { KINDS_V1, KINDS_V2, overStdio, using, WIRINGS } from './wirings.js'
import type { Result, Setup } from './wirings.js'

let serial = 0
const fakeToken = () => `FAKE-peer-${++serial}-0123456789abcdef-do-not-leak`

function textOf(result: Result): string {
  return (result.content ?? []).map((block) => block.text).join('\n')
}

for (const { name, overHttp, connect } of WIRINGS) {
  const setupWith = (token: string): Setup => ({
    source: overHttp
      ? fromHeaders({ type: 'oauth' })
      : fromEnv('PEER_', { type: 'oauth', env: { PEER_ACCESS_TOKEN: token } }),
    headers: () => ({
      'X-MCP-Cred-Access-Token': token,
      'X-Other': 'kept',
      x_mcp_cred_alias: 'dropped',
    }),
  })

  describe(name, () => {
    test('a tool has the credential of its call', async () => {
      const token = fakeToken()
      await using(connect(setupWith(token)), async ({ call }) => {
        assert.equal(textOf(await call('whoami', { milliseconds: 2 })), fingerprint(token))
        assert.equal(textOf(await call('whoami')), fingerprint(token))
      })
    })

    if (overHttp) {
      test('signed headers are believed, unsigned and altered ones are not', async () => {
        const [token, key] = [fakeToken(), fakeToken()]
        const source = fromHeaders({
          type: 'oauth',
          verify: createSignatureVerifier({ keys: [key], audience: 'peer' }),
        })
        const signed = await signHeaders({ 'X-MCP-Cred-Access-Token': token }, key, {
          audience: 'peer',
        })
        await using(connect({ source, headers: () => signed }), async ({ call }) =>
          assert.equal(textOf(await call('whoami')), fingerprint(token)),
        )
        for (const forged of [
          { ...signed, 'X-MCP-Cred-Scopes': 'admin' },
          { 'X-MCP-Cred-Access-Token': token },
        ]) {
          await using(connect({ source, headers: () => forged }), async ({ call }) => {
            const result = await call('whoami')
            assert.equal(result.isError, true)
            assert.match(
              textOf(result),
              /X-MCP-Cred-Signature (does not match|header: it did not come from the gateway)/,
            )
          })
        }
      })
    }

    test('a missing or malformed credential is a result that says what to do, and the tool does not run', async () => {
      const token = `${fakeToken()}é`
      const cases: [setup: Setup, message: RegExp][] = overHttp
        ? [
            [
              { ...setupWith(''), headers: () => ({}) },
              /^The request carries no X-MCP-Cred-Access-Token header\. Connect the account/,
            ],
            [
              setupWith('two, tokens'),
              /^X-MCP-Cred-Access-Token has a comma in it, as if it was sent twice/,
            ],
          ]
        : [
            [{ source: fromEnv('PEER_', { env: {} }) }, /^Set PEER_ACCESS_TOKEN for OAuth/],
            [
              { source: fromEnv('PEER_', { env: { PEER_ACCESS_TOKEN: token } }) },
              /^PEER_ACCESS_TOKEN contains a control character/,
            ],
            [{ source: fromHeaders({ type: 'oauth' }) }, /^This call did not come over HTTP/],
          ]
      for (const [setup, message] of cases) {
        await using(connect(setup), async ({ call }) => {
          const result = await call('leave', { name: 'must not run', milliseconds: 0 })
          assert.equal(result.isError, true)
          assert.match(textOf(result), message)
          assert(!JSON.stringify(result).includes(token.slice(0, 8)))
        })
      }
      assert.equal(afterwards.has('must not run'), false)
    })

    test('what a tool leaves running gets ERR_CREDENTIAL_ENDED, after it returned or threw', async () => {
      await using(connect(setupWith(fakeToken())), async ({ call }) => {
        for (const throws of [false, true]) {
          const key = `${name} ${throws}`
          // The low-level servers answer an exception with an error, the others with a result.
          await call('leave', { name: key, milliseconds: 20, throws }).catch((error: unknown) =>
            assert.match(String(error), /The tool failed/),
          )
          assert.equal(await afterwards.get(key), 'ERR_CREDENTIAL_ENDED')
        }
      })
    })

    test('the scope of a cancelled call ends when the tool settles', async () => {
      await using(connect(setupWith(fakeToken())), async ({ call }) => {
        const controller = new AbortController()
        const key = `${name} cancelled`
        const cancelled = call('cancelled', { name: key }, { signal: controller.signal })
        while (!waiting.has(key)) await sleep(5)
        controller.abort()
        await assert.rejects(cancelled)
        for (let wait = 0; wait < 100 && !afterwards.has(key); wait++) await sleep(10)
        // Without a session, a client of 2025 has no way to reach the call that it cancels.
        const isReachable = !/HTTP without sessions$|HTTP without sessions, client of 2025$/.test(
          name,
        )
        assert.equal(
          await afterwards.get(key),
          isReachable ? 'a credential, then ERR_CREDENTIAL_ENDED' : undefined,
        )
      })
    })

    if (!overHttp) return

    test('the context of the tool has no credential header, and everything else', async () => {
      await using(connect(setupWith(fakeToken())), async ({ call }) => {
        const { headers, ...rest } = JSON.parse(textOf(await call('context'))) as Record<
          string,
          Record<string, string>
        >
        assert.equal(headers?.['x-other'], 'kept')
        assert.match(String(headers?.['content-type']), /json/)
        assert.deepEqual(
          Object.keys(headers ?? {}).filter((header) => /mcp.cred/.test(header)),
          [],
        )
        const isV2 = name.startsWith('v2')
        assert.deepEqual(Object.keys(rest), isV2 ? ['url', 'method', 'isSame'] : ['isSame'])
        if (isV2) assert.equal(rest['method'], 'POST')
        if (isV2) assert.match(String(rest['url']), /^http:\/\/127\.0\.0\.1:\d+\/mcp$/)
      })
    })

    test('1,000 concurrent calls with as many credentials: none mixed up', async () => {
      const tokens = Array.from({ length: 1000 }, fakeToken)
      const setup = {
        ...setupWith(''),
        headers: (args: Record<string, unknown>) => ({
          'X-MCP-Cred-Access-Token': tokens[Number(args['name'])] ?? 'none',
        }),
      }
      await using(connect(setup), async ({ call }) => {
        const results = await Promise.all(
          tokens.map((_, index) => call('whoami', { name: `${index}`, milliseconds: index % 20 })),
        )
        assert.deepEqual(results.map(textOf), tokens.map(fingerprint))
      })
    })

    test('one session whose header changes between calls', async () => {
      let token = ''
      await using(
        connect({ ...setupWith(''), headers: () => ({ 'X-MCP-Cred-Access-Token': token }) }),
        async ({ call }) => {
          for (let turn = 0; turn < 20; turn++) {
            token = fakeToken()
            assert.equal(textOf(await call('whoami')), fingerprint(token))
          }
          token = ''
          assert.equal((await call('whoami')).isError, true)
        },
      )
    })
  })
}

describe('over stdio', () => {
  const cases = [
    ...KINDS_V1.map((kind) => [kind] as const),
    ...KINDS_V2.flatMap(
      (kind) =>
        [
          [kind, 'of 2025'],
          [kind, 'of 2026'],
        ] as const,
    ),
  ]
  for (const [kind, era] of cases) {
    test([kind, era && `client ${era}`].filter(Boolean).join(', '), async () => {
      const token = fakeToken()
      await using(overStdio(kind, { PEER_ACCESS_TOKEN: token }, era), async ({ call }) => {
        assert.equal(textOf(await call('whoami')), fingerprint(token))
      })
      await using(overStdio(kind, {}, era), async ({ call }) => {
        const result = await call('whoami')
        assert.equal(result.isError, true)
        assert.match(textOf(result), /^Set PEER_ACCESS_TOKEN to the access token\.$/)
      })
    })
  }
})
