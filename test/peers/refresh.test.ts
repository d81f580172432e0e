// Refreshing against a real authorization server that rotates refresh tokens and detects their reuse, and against servers
// that do what they should not.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AddressInfo } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { fromEnv, getCredentials, OAuthCredential } from 'mcp-credentials'
import { createRefresher, CredentialRefreshError } from 'mcp-credentials/oauth'
import type { CredentialSource, OnCall } from 'mcp-credentials'
import type { CreateRefresherOptions } from 'mcp-credentials/oauth'
import { CLIENTS, CLIENT_SECRET, startAuthorizationServer } from './authorization-server.js'
import type { AuthorizationServer } from './authorization-server.js'
import { registerLeaky } from './leaky.js'
import { fingerprint, makeV1, makeV2 } from './servers.js'
import { inMemory, listen, using } from './wirings.js'
import type { Result } from './wirings.js'

const options: CreateRefresherOptions = { allowInsecureLoopback: true }

let server: AuthorizationServer
before(async () => {
  server = await startAuthorizationServer()
})
after(() => server.close())

const textOf = (result: Result) => (result.content ?? []).map((block) => block.text).join()

describe('a real authorization server', () => {
  for (const method of CLIENTS) {
    test(`${method}, with a secret full of reserved characters`, async () => {
      const clientAuth = method === 'client_secret_post' ? 'post' : undefined
      const credential = await server.expiredFor(method)
      const fresh = await createRefresher({ ...options, ...(clientAuth && { clientAuth }) })(
        credential,
      )
      assert.equal(await server.ownerOf(fresh), 'user')
      assert.notEqual(fresh.refreshToken, credential.refreshToken)
      assert.deepEqual(fresh.scopes, ['openid', 'offline_access'])
      assert(!fresh.isExpired(3500))
    })
  }

  for (const [name, make] of [
    ['v1', (source: CredentialSource) => makeV1('v1 McpServer', source)],
    ['v2', (source: CredentialSource) => makeV2('v2 McpServer', source)],
  ] as const) {
    test(`1,000 concurrent tool calls on SDK ${name} without an access token make one refresh, and all succeed`, async () => {
      const before = { ...server.seen }
      const env = {
        SVC_REFRESH_TOKEN: await server.refreshTokenFor('client_secret_basic'),
        SVC_CLIENT_ID: 'client_secret_basic',
        SVC_CLIENT_SECRET: CLIENT_SECRET,
        SVC_TOKEN_URI: `${server.origin}/token`,
      }
      const source = fromEnv('SVC_', { type: 'oauth', env, refresh: createRefresher(options) })
      await using(inMemory(make(source)), async ({ call }) => {
        const answers = await Promise.all(Array.from({ length: 1000 }, () => call('whoami')))
        const current = (await source({ headers: undefined })) as OAuthCredential
        assert.equal(await server.ownerOf(current), 'user')
        assert.deepEqual(new Set(answers.map(textOf)), new Set([fingerprint(current.accessToken)]))
      })
      assert.deepEqual(server.seen, { refreshes: before.refreshes + 1, revoked: before.revoked })
    })
  }

  test('50 generations, and reuse is never provoked', async () => {
    const before = { ...server.seen }
    const first = await server.expiredFor('client_secret_basic')
    // With so much leeway each token has expired when it arrives.
    const refresh = createRefresher({ ...options, leewaySeconds: 10_000 })
    const tokens = new Set<string>()
    for (let generation = 0; generation < 50; generation++) {
      const all = await Promise.all([refresh(first), refresh(first), refresh(first)])
      for (const { accessToken } of all) tokens.add(accessToken)
    }
    assert.equal(tokens.size, 50)
    assert.deepEqual(server.seen, { refreshes: before.refreshes + 50, revoked: before.revoked })
  })

  test('two refreshers of a process know of each other', async () => {
    const before = { ...server.seen }
    const credential = await server.expiredFor('client_secret_basic')
    const [one, other] = [createRefresher(options), createRefresher(options)]
    const both = await Promise.all([one(credential), other(credential)])
    assert.equal(both[0].accessToken, both[1].accessToken)
    assert.deepEqual(server.seen, { refreshes: before.refreshes + 1, revoked: before.revoked })
  })

  test('the control: two processes do not, and the second kills the account', async () => {
    const { revoked } = server.seen
    const credential = await server.expiredFor('client_secret_basic')
    const { refreshToken, clientId, clientSecret, tokenUri } = credential
    const grant = { refreshToken, clientId, clientSecret, tokenUri }
    const code = `
      import { createRefresher } from 'mcp-credentials/oauth'
      const refresh = createRefresher({ allowInsecureLoopback: true })
      const fresh = await refresh(JSON.parse(process.env.GRANT))
      process.exitCode = fresh.accessToken ? 0 : 1`
    const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
      cwd: new URL('..', import.meta.url),
      env: { ...process.env, GRANT: JSON.stringify(grant) },
    })
    assert.deepEqual(await once(child, 'exit'), [0, null])
    await assert.rejects(createRefresher(options)(credential), {
      status: 400,
      error: 'invalid_grant',
      message: /\(invalid_grant\)\. The account must be connected again\.$/,
    })
    assert.equal(server.seen.revoked, revoked + 1)
  })

  test('a wrong secret is invalid_client, and the tool is told so without it', async () => {
    const credential = await server.expiredFor('client_secret_basic')
    const { refreshToken, tokenUri } = credential
    const env = {
      SVC_REFRESH_TOKEN: refreshToken,
      SVC_CLIENT_ID: 'client_secret_basic',
      SVC_CLIENT_SECRET: 'FAKE-wrong-secret',
      SVC_TOKEN_URI: tokenUri,
    }
    const source = fromEnv('SVC_', { type: 'oauth', env, refresh: createRefresher(options) })
    await using(inMemory(makeV2('v2 McpServer', source)), async ({ call }) => {
      const result = await call('whoami')
      assert.equal(result.isError, true)
      assert.equal(
        textOf(result),
        'No new access token could be obtained: the token endpoint answered with 401 (invalid_client).',
      )
    })
  })

  test('a call that is cancelled while it waits does not cancel it for the others', async () => {
    server.intercept((next) => (request, response) => {
      void sleep(50).then(() => next(request, response))
    })
    const before = { ...server.seen }
    const credential = await server.expiredFor('client_secret_basic')
    const refresh = createRefresher(options)
    await using(inMemory(makeV2('v2 McpServer', () => refresh(credential))), async ({ call }) => {
      const controller = new AbortController()
      const cancelled = assert.rejects(call('whoami', {}, { signal: controller.signal }))
      await sleep(10)
      const other = call('whoami')
      controller.abort()
      await cancelled
      assert.match(textOf(await other), /^[\da-f]{16}$/)
    })
    assert.equal(server.seen.refreshes, before.refreshes + 1)
  })

  test('what a tool sends is searched for the new tokens', async () => {
    const credential = await server.expiredFor('client_secret_basic')
    const refresh = createRefresher(options)
    const source = () => refresh(credential)
    const fresh = await source()
    await using(
      inMemory(
        registerLeaky(source, () =>
          JSON.stringify([
            getCredentials('oauth').accessToken,
            getCredentials('oauth').refreshToken,
          ]),
        ),
      ),
      async ({ call }) => {
        const text = textOf(await call('leaky'))
        assert.equal(text, '["[redacted]","[redacted]"]')
        assert(!text.includes(fresh.accessToken))
      },
    )
  })
})

describe('a server that does what it should not', () => {
  type Answer = (request: IncomingMessage, response: ServerResponse) => void
  const credentialAt = (url: URL) =>
    new OAuthCredential({
      accessToken: 'FAKE-expired',
      expiresAt: new Date(0),
      refreshToken: `FAKE-refresh-token-${randomUUID()}`,
      clientId: 'client',
      clientSecret: 'FAKE-client-secret',
      tokenUri: `${url.origin}/token`,
    })

  async function assertFails(
    answer: Answer,
    message: RegExp,
    more: CreateRefresherOptions = {},
  ): Promise<void> {
    const bad = await listen(answer)
    try {
      await assert.rejects(
        createRefresher({ ...options, ...more })(credentialAt(bad.url)),
        (error: unknown) => {
          assert(error instanceof CredentialRefreshError)
          assert.match(error.message, message)
          assert.equal(error.cause, undefined)
          for (const text of [error.message, error.stack ?? '', JSON.stringify(error)])
            assert(!/FAKE|127\.0\.0\.1:/.test(text))
          return true
        },
      )
    } finally {
      await bad.close()
    }
  }

  test('redirects elsewhere: nothing arrives there', async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      const requests: string[] = []
      const elsewhere = await listen((request, response) => {
        requests.push(String(request.url))
        response.end('{}')
      })
      await assertFails(
        (_request, response) => response.writeHead(status, { location: elsewhere.url.href }).end(),
        /the token endpoint redirects, which is not followed\.$/,
      )
      await elsewhere.close()
      assert.deepEqual(requests, [])
    }
  })

  const cases: [name: string, answer: Answer, message: RegExp, more?: CreateRefresherOptions][] = [
    ['500', (_, response) => response.writeHead(500).end('FAKE-stack'), /answered with 500\.$/],
    [
      'HTML',
      (_, response) =>
        response.writeHead(200, { 'content-type': 'text/html' }).end('<html>FAKE</html>'),
      /answered with no JSON object of at most 64 KiB\.$/,
    ],
    [
      'an endless body',
      (_, response) => {
        const write = () => {
          while (response.write('x'.repeat(8192)));
        }
        response.on('drain', write)
        write()
      },
      /no JSON object of at most 64 KiB\.$/,
    ],
    [
      'a reset before the answer',
      (request) => request.socket.resetAndDestroy(),
      /the token endpoint could not be reached\.$/,
    ],
    [
      'a reset in mid-answer',
      (request, response) => {
        response.writeHead(200, { 'content-length': 1000 }).write('{"access_token":"FAKE')
        setTimeout(() => request.socket.resetAndDestroy(), 20)
      },
      /the answer of the token endpoint broke off\.$/,
    ],
    [
      'no answer',
      () => {},
      /the token endpoint took longer than 0\.1 seconds\.$/,
      { timeoutSeconds: 0.1 },
    ],
    [
      'an answer without an end',
      (_, response) => {
        response.writeHead(200).write('{')
      },
      /the token endpoint took longer than 0\.1 seconds\.$/,
      { timeoutSeconds: 0.1 },
    ],
  ]
  for (const [name, answer, message, more] of cases)
    test(name, () => assertFails(answer, message, more))

  const UNREACHABLE: [name: string, start: () => Promise<string>, code: RegExp][] = [
    [
      'nobody listens',
      async () => {
        const gone = await listen(() => {})
        await gone.close()
        return gone.url.origin
      },
      /^ECONNREFUSED$/,
    ],
    [
      'HTTP is spoken where https: is asked for',
      async () => {
        const plain = await listen(() => {})
        after(() => plain.close())
        return plain.url.origin.replace('http:', 'https:')
      },
      /^(ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG|ECONNRESET)$/,
    ],
    [
      'TLS fails',
      async () => {
        const bare = createTlsServer({})
        bare.listen(0, '127.0.0.1')
        await once(bare, 'listening')
        after(() => bare.close())
        return `https://127.0.0.1:${(bare.address() as AddressInfo).port}`
      },
      /^ERR_SSL_/,
    ],
  ]
  for (const [name, start, code] of UNREACHABLE) {
    test(`${name}: the operator is told why, and the client is not`, async () => {
      const credential = credentialAt(new URL(await start()))
      const refresh = createRefresher(options)
      const causes: unknown[] = []
      const onCall: OnCall = (_event, { cause }) => void causes.push(cause)
      const wired = makeV2('v2 McpServer', () => refresh(credential), { onCall })
      await using(inMemory(wired), async ({ call }) => {
        const reason = 'the token endpoint could not be reached'
        const text = `No new access token could be obtained: ${reason}.`
        assert.equal(textOf(await call('whoami')), text)
      })
      assert.equal(causes.length, 1)
      assert.match(String(Reflect.get((causes[0] as Error).cause as Error, 'code')), code)
    })
  }
})
