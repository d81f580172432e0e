// Refreshing against a real authorization server that rotates refresh tokens and detects their reuse, and against servers
// that do what they should not.
import assert from 'node:assert/strict'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fromEnv, getCredentials, OAuthCredential } from 'mcp-credentials'
import { createRefresher, CredentialRefreshError } from 'mcp-credentials/oauth'
import type { CredentialSource } from 'mcp-credentials'
import type { CreateRefresherOptions } from 'mcp-credentials/oauth'
import Provider from 'oidc-provider'
import { registerLeaky } from './leaky.js'
import { fingerprint, makeV1, makeV2 } from './servers.js'
import { inMemory, listen, using } from './wirings.js'
import type { Result } from './wirings.js'

const options: CreateRefresherOptions = { allowInsecureLoopback: true }
// Every character that has a meaning in a form, a URL, or a Basic header.
const SECRET = 'FAKE s%cr+et: /?&=#!~*()"<>'
const CLIENTS = ['client_secret_basic', 'client_secret_post', 'none'] as const

let provider: Provider
let server: Awaited<ReturnType<typeof listen>>
let handler: RequestListener
const seen = { refreshes: 0, revoked: 0 }

before(async () => {
  server = await listen((request, response) => handler(request, response))
  const { warn } = console
  // That its keys are for development, and that it prefers later versions of Node.js.
  console.warn = () => {}
  provider = new Provider(server.url.origin, {
    clients: CLIENTS.map((method) => ({
      client_id: method,
      ...(method !== 'none' && { client_secret: SECRET }),
      token_endpoint_auth_method: method,
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: ['https://client.example/'],
    })),
    rotateRefreshToken: true,
    ttl: { AccessToken: 3600, RefreshToken: 86_400, Grant: 86_400 },
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ['FAKE'] },
    findAccount: (_context, accountId) => ({ accountId, claims: async () => ({ sub: accountId }) }),
  })
  console.warn = warn
  handler = provider.callback() as RequestListener
  provider.on('grant.success', () => {
    seen.refreshes += 1
  })
  provider.on('grant.revoked', () => {
    seen.revoked += 1
  })
})
after(() => server.close())

/** A refresh token as a user's consent would have given it. */
async function refreshTokenFor(clientId: string): Promise<string> {
  const client = await provider.Client.find(clientId)
  assert(client)
  const grant = new provider.Grant({ accountId: 'user', clientId })
  grant.addOIDCScope('openid offline_access')
  const grantId = await grant.save()
  return new provider.RefreshToken({
    client,
    accountId: 'user',
    grantId,
    scope: 'openid offline_access',
    gty: 'authorization_code',
  } as never).save()
}

async function expiredFor(clientId: string): Promise<OAuthCredential> {
  const properties = {
    clientId,
    ...(clientId !== 'none' && { clientSecret: SECRET }),
    tokenUri: `${server.url.origin}/token`,
    refreshToken: await refreshTokenFor(clientId),
  }
  return new OAuthCredential({ accessToken: 'FAKE-expired', expiresAt: new Date(0), ...properties })
}

const isValid = async ({ accessToken }: { accessToken: string }) =>
  (await provider.AccessToken.find(accessToken)) !== undefined
const textOf = (result: Result) => (result.content ?? []).map((block) => block.text).join()

describe('a real authorization server', () => {
  for (const method of CLIENTS) {
    test(`${method}, with a secret full of reserved characters`, async () => {
      const clientAuth = method === 'client_secret_post' ? 'post' : undefined
      const credential = await expiredFor(method)
      const fresh = await createRefresher({ ...options, ...(clientAuth && { clientAuth }) })(
        credential,
      )
      assert(await isValid(fresh))
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
      const before = { ...seen }
      const env = {
        SVC_REFRESH_TOKEN: await refreshTokenFor('client_secret_basic'),
        SVC_CLIENT_ID: 'client_secret_basic',
        SVC_CLIENT_SECRET: SECRET,
        SVC_TOKEN_URI: `${server.url.origin}/token`,
      }
      const source = fromEnv('SVC_', { type: 'oauth', env, refresh: createRefresher(options) })
      await using(inMemory(make(source)), async ({ call }) => {
        const answers = await Promise.all(Array.from({ length: 1000 }, () => call('whoami')))
        const current = (await source({ headers: undefined })) as OAuthCredential
        assert(await isValid(current))
        assert.deepEqual(new Set(answers.map(textOf)), new Set([fingerprint(current.accessToken)]))
      })
      assert.deepEqual(seen, { refreshes: before.refreshes + 1, revoked: before.revoked })
    })
  }

  test('50 generations, and reuse is never provoked', async () => {
    const before = { ...seen }
    const first = await expiredFor('client_secret_basic')
    // With so much leeway each token has expired when it arrives.
    const refresh = createRefresher({ ...options, leewaySeconds: 10_000 })
    const tokens = new Set<string>()
    for (let generation = 0; generation < 50; generation++) {
      const all = await Promise.all([refresh(first), refresh(first), refresh(first)])
      for (const { accessToken } of all) tokens.add(accessToken)
    }
    assert.equal(tokens.size, 50)
    assert.deepEqual(seen, { refreshes: before.refreshes + 50, revoked: before.revoked })
  })

  test('the control: two refreshers that do not know of each other provoke it', async () => {
    const { revoked } = seen
    const credential = await expiredFor('client_secret_basic')
    const all = await Promise.allSettled([
      createRefresher(options)(credential),
      createRefresher(options)(credential),
    ])
    const failed = all.find((one) => one.status === 'rejected')
    assert(failed?.reason instanceof CredentialRefreshError)
    assert.deepEqual([failed.reason.status, failed.reason.error], [400, 'invalid_grant'])
    assert.match(failed.reason.message, /The account must be connected anew\.$/)
    assert(seen.revoked > revoked)
  })

  test('a wrong secret is invalid_client, and the tool is told so without it', async () => {
    const credential = await expiredFor('client_secret_basic')
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
        'The access token could not be refreshed: the token endpoint answered with 401 (invalid_client).',
      )
    })
  })

  test('a call that is cancelled while it waits does not cancel it for the others', async () => {
    const inner = handler
    handler = (request, response) => void sleep(50).then(() => inner(request, response))
    const before = { ...seen }
    const credential = await expiredFor('client_secret_basic')
    const refresh = createRefresher(options)
    try {
      await using(inMemory(makeV2('v2 McpServer', () => refresh(credential))), async ({ call }) => {
        const controller = new AbortController()
        const cancelled = assert.rejects(call('whoami', {}, { signal: controller.signal }))
        await sleep(10)
        const other = call('whoami')
        controller.abort()
        await cancelled
        assert.match(textOf(await other), /^[\da-f]{16}$/)
      })
    } finally {
      handler = inner
    }
    assert.equal(seen.refreshes, before.refreshes + 1)
  })

  test('what a tool sends is searched for the new tokens', async () => {
    const credential = await expiredFor('client_secret_basic')
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
      refreshToken: 'FAKE-refresh-token',
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
        new RegExp(`answered with ${status}`),
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
      /no bearer token/,
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
      /too long/,
    ],
    [
      'a reset before the answer',
      (request) => request.socket.resetAndDestroy(),
      /could not be reached, or broke off/,
    ],
    [
      'a reset in mid-answer',
      (request, response) => {
        response.writeHead(200, { 'content-length': 1000 }).write('{"access_token":"FAKE')
        setTimeout(() => request.socket.resetAndDestroy(), 20)
      },
      /could not be reached, or broke off/,
    ],
    ['no answer', () => {}, /took too long to answer/, { timeoutSeconds: 0.1 }],
    [
      'an answer without an end',
      (_, response) => {
        response.writeHead(200).write('{')
      },
      /took too long to answer/,
      { timeoutSeconds: 0.1 },
    ],
  ]
  for (const [name, answer, message, more] of cases)
    test(name, () => assertFails(answer, message, more))

  test('nobody who listens', async () => {
    const gone = await listen(() => {})
    await gone.close()
    await assert.rejects(createRefresher(options)(credentialAt(gone.url)), /could not be reached/)
  })
})
