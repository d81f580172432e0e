// fromTokenEndpoint against a real authorization server for what that can do, and against one on loopback that checks what
// RFC 8693 and RFC 7523 ask for, where it cannot.
import assert from 'node:assert/strict'
import type { IncomingMessage, RequestListener } from 'node:http'
import { after, before, describe, test } from 'node:test'
import { getCredentials, runWithCredentials } from 'mcp-credentials'
import { fromTokenEndpoint } from 'mcp-credentials/oauth'
import type { CredentialRequest } from 'mcp-credentials'
import type { TokenForm } from 'mcp-credentials/oauth'
import { createFetch } from 'mcp-credentials/upstream'
import Provider from 'oidc-provider'
import { registerLeaky } from './leaky.js'
import { inMemory, listen, using } from './wirings.js'

const CLIENT_SECRET = 'FAKE s%cr+et: /?&=#!~*()"<>'
const onStdio: CredentialRequest = { headers: undefined }

type Server = Awaited<ReturnType<typeof listen>>

describe('client credentials, of a real authorization server', () => {
  let server: Server
  let provider: Provider
  let granted = 0
  before(async () => {
    let handler: RequestListener = () => {}
    server = await listen((request, response) => handler(request, response))
    const { warn } = console
    // That its keys are for development, and that it prefers later versions of Node.js.
    console.warn = () => {}
    provider = new Provider(server.url.origin, {
      clients: [
        {
          client_id: 'machine',
          client_secret: CLIENT_SECRET,
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
        },
      ],
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_context, resource) => ({
            scope: 'read write',
            audience: resource,
            accessTokenFormat: 'opaque',
            accessTokenTTL: 600,
          }),
        },
      },
      cookies: { keys: ['FAKE'] },
    })
    console.warn = warn
    handler = provider.callback() as RequestListener
    provider.on('grant.success', () => {
      granted += 1
    })
  })
  after(() => server.close())

  const sourceFor = (resource: string) =>
    fromTokenEndpoint({
      tokenUri: `${server.url.origin}/token`,
      clientId: 'machine',
      clientSecret: CLIENT_SECRET,
      allowInsecureLoopback: true,
      form: () => ({ grant_type: 'client_credentials', resource, scope: 'read' }),
    })

  test('1,000 calls share a token, which is for its audience and scopes', async () => {
    const source = sourceFor('https://one.example')
    const earlier = granted
    const all = await Promise.all(Array.from({ length: 1000 }, () => source(onStdio)))
    assert.equal(new Set(all).size, 1)
    assert.equal(granted, earlier + 1)
    const [credential] = all
    const token = await provider.ClientCredentials.find(String(credential?.accessToken))
    assert.equal(token?.aud, 'https://one.example')
    assert.equal(token?.scope, 'read')
    assert.deepEqual(credential?.scopes, ['read'])
    assert.equal(credential?.isExpired(590), false)
    assert.equal(credential?.isExpired(600), true)
  })

  test('another audience gets another token, of one source as well', async () => {
    let resource = 'https://one.example'
    const source = fromTokenEndpoint({
      tokenUri: `${server.url.origin}/token`,
      clientId: 'machine',
      clientSecret: CLIENT_SECRET,
      allowInsecureLoopback: true,
      form: () => ({ grant_type: 'client_credentials', resource, scope: 'read' }),
    })
    for (resource of ['https://one.example', 'https://two.example', 'https://one.example']) {
      const { accessToken } = await source(onStdio)
      const token = await provider.ClientCredentials.find(String(accessToken))
      assert.equal(token?.aud, resource)
    }
  })

  test('a token that was revoked is replaced after a 401, by one request for 100 calls', async () => {
    // Takes what the authorization server knows.
    const api = await listen((request, response) => {
      const [, token = ''] = (request.headers.authorization ?? '').split(' ')
      void provider.ClientCredentials.find(token).then((found) => {
        response.writeHead(found === undefined ? 401 : 200).end(found?.aud)
      })
    })
    const source = sourceFor('https://api.example')
    const upstream = createFetch({
      baseUrl: api.url.origin,
      refresh: source.refresh,
      allowInsecureLoopback: true,
    })
    const call = async () => {
      const response = await runWithCredentials(await source(onStdio), () => upstream('/a'))
      return `${response.status} ${await response.text()}`
    }
    try {
      assert.equal(await call(), '200 https://api.example')
      const { accessToken } = await source(onStdio)
      const token = await provider.ClientCredentials.find(String(accessToken))
      await token?.destroy()
      const earlier = granted
      const answers = await Promise.all(Array.from({ length: 100 }, call))
      assert.deepEqual(new Set(answers), new Set(['200 https://api.example']))
      assert.equal(granted, earlier + 1)
    } finally {
      await api.close()
    }
  })

  test('a wrong secret is an error that tells nothing of it', async () => {
    const source = fromTokenEndpoint({
      tokenUri: `${server.url.origin}/token`,
      clientId: 'machine',
      clientSecret: 'FAKE-wrong-secret',
      allowInsecureLoopback: true,
      form: () => ({ grant_type: 'client_credentials' }),
    })
    await assert.rejects(Promise.resolve(source(onStdio)), {
      status: 401,
      error: 'invalid_client',
      message:
        'No new access token could be obtained: the token endpoint answered with 401 (invalid_client).',
    })
  })
})

describe('token exchange and on-behalf-of, of a server on loopback', () => {
  const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
  const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
  const received: string[] = []
  let server: Server

  /** What RFC 8693 section 2.2, and RFC 7523 section 3.1 have it answer. */
  function answer(form: URLSearchParams): [status: number, body: object] {
    const subject = form.get('subject_token') ?? form.get('assertion') ?? ''
    const audience = form.get('audience') ?? ''
    const isExchange = form.get('grant_type') === EXCHANGE && form.has('subject_token_type')
    if (!isExchange && form.get('grant_type') !== JWT_BEARER)
      return [400, { error: 'unsupported_grant_type' }]
    if (!subject.startsWith('FAKE-inbound-')) return [400, { error: 'invalid_grant' }]
    if (audience === 'https://forbidden.example') return [400, { error: 'invalid_target' }]
    const access_token = `${subject.replace('inbound', 'upstream')}|${audience}`
    const type = isExchange && {
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    }
    return [200, { access_token, token_type: 'Bearer', expires_in: 300, ...type }]
  }

  async function readBody(request: IncomingMessage): Promise<string> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    return Buffer.concat(chunks).toString()
  }

  before(async () => {
    server = await listen((request, response) => {
      void readBody(request).then((body) => {
        received.push(body)
        const [status, json] = answer(new URLSearchParams(body))
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json))
      })
    })
  })
  after(() => server.close())

  const callOf = (token: string): CredentialRequest => ({ ...onStdio, authInfo: { token } })
  const sourceOf = (form: (token: string) => TokenForm) =>
    fromTokenEndpoint({
      tokenUri: `${server.url.origin}/token`,
      clientId: 'server',
      clientSecret: CLIENT_SECRET,
      allowInsecureLoopback: true,
      form: ({ authInfo }) => form((authInfo as { token: string }).token),
    })
  const exchangeFor = (audience: string) => (token: string) => ({
    grant_type: EXCHANGE,
    subject_token: token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    audience,
  })
  const onBehalfOf = (token: string) => ({
    grant_type: JWT_BEARER,
    assertion: token,
    requested_token_use: 'on_behalf_of',
    scope: 'https://graph.example/.default',
  })

  for (const [name, form, audience] of [
    ['token exchange', exchangeFor('https://api.example'), 'https://api.example'],
    ['on-behalf-of', onBehalfOf, ''],
  ] as const) {
    test(`${name}: 100 callers get a token of their own, by one request each`, async () => {
      const source = sourceOf(form)
      const earlier = received.length
      const callers = Array.from(
        { length: 100 },
        (_, index) => `${name.replaceAll(' ', '-')}-${index}`,
      )
      for (let loop = 0; loop < 4; loop++) {
        const all = await Promise.all(callers.map((one) => source(callOf(`FAKE-inbound-${one}`))))
        for (const [index, { accessToken }] of all.entries())
          assert.equal(accessToken, `FAKE-upstream-${callers[index]}|${audience}`)
      }
      assert.equal(received.length, earlier + 100)
    })
  }

  test('a target that is refused is an error with its name', async () => {
    const source = sourceOf(exchangeFor('https://forbidden.example'))
    await assert.rejects(Promise.resolve(source(callOf('FAKE-inbound-user'))), {
      code: 'ERR_CREDENTIAL_REFRESH',
      error: 'invalid_target',
    })
  })

  test('what a tool sends is searched for the token that came in, and for the one that it was exchanged for', async () => {
    const inbound = 'FAKE-inbound-0123456789abcdef'
    const source = sourceOf(exchangeFor('https://api.example'))
    const leaky = registerLeaky(
      () => source(callOf(inbound)),
      () => JSON.stringify([inbound, getCredentials('oauth').accessToken, CLIENT_SECRET]),
    )
    await using(inMemory(leaky), async ({ call }) => {
      const result = await call('leaky')
      const text = (result.content ?? []).map((block) => block.text).join()
      assert.equal(text, '["[redacted]","[redacted]","[redacted]"]')
    })
  })
})
