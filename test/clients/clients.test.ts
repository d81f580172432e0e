// Clients that take a fetch get one that createFetch has made; none of them ever sees the token.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Octokit } from '@octokit/core'
import ky from 'ky'
import { OAuthCredential, runWithCredentials } from 'mcp-credentials'
import type { Refresher } from 'mcp-credentials'
import { createFetch } from 'mcp-credentials/upstream'
import type { UpstreamFetch } from 'mcp-credentials/upstream'
import createClient from 'openapi-fetch'
import { Agent, fetch as undiciFetch, FormData, Request as UndiciRequest } from 'undici'
import { listen } from './servers.js'
import type { Listening } from './servers.js'

const OLD = 'FAKE-old-token-0123456789abcdef'
const NEW = 'FAKE-new-token-0123456789abcdef'
const credential = new OAuthCredential({ accessToken: OLD })
const refresh: Refresher = async () => new OAuthCredential({ accessToken: NEW })

interface Sent {
  readonly line: string
  readonly authorization: string | undefined
  readonly type: string | undefined
  readonly body: string
}

let sent: Sent[] = []
let valid = OLD
let server: Listening
let baseUrl: string

before(async () => {
  server = await listen(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { authorization, 'content-type': type } = request.headers
    sent.push({ line: `${request.method} ${request.url}`, authorization, type, body })
    const isKnown = authorization === `Bearer ${valid}`
    if (request.url === '/v1/moved') response.writeHead(307, { location: '/v1/issues' })
    else response.writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ id: 7, isKnown }))
  })
  baseUrl = `${server.origin}/v1`
})
after(() => server.close())

interface paths {
  '/issues': {
    get: { responses: { 200: { content: { 'application/json': { id: number } } } } }
    post: {
      requestBody: { content: { 'application/json': { title: string } } }
      responses: { 200: { content: { 'application/json': { id: number } } } }
    }
  }
}

interface Client {
  /** GET /v1/issues */
  list(fetch: UpstreamFetch): Promise<unknown>
  /** POST /v1/issues with { title } */
  create(fetch: UpstreamFetch, title: string): Promise<unknown>
  /** GET of another origin */
  elsewhere(fetch: UpstreamFetch, url: string): Promise<unknown>
}

const CLIENTS: Record<string, Client> = {
  fetch: {
    list: async (fetch) => (await fetch('/issues')).json(),
    create: async (fetch, title) =>
      (await fetch('/issues', { method: 'POST', body: JSON.stringify({ title }) })).json(),
    elsewhere: (fetch, url) => fetch(url),
  },
  'fetch with a Request of undici': {
    list: async (fetch) =>
      (await fetch(new UndiciRequest(`${baseUrl}/issues`) as unknown as Request)).json(),
    async create(fetch, title) {
      const init = { method: 'POST', body: JSON.stringify({ title }) }
      return (
        await fetch(new UndiciRequest(`${baseUrl}/issues`, init) as unknown as Request)
      ).json()
    },
    elsewhere: (fetch, url) => fetch(new UndiciRequest(url) as unknown as Request),
  },
  'openapi-fetch': {
    async list(fetch) {
      const { data, error } = await createClient<paths>({ baseUrl, fetch }).GET('/issues')
      return data ?? error
    },
    async create(fetch, title) {
      const client = createClient<paths>({ baseUrl, fetch })
      const { data, error } = await client.POST('/issues', { body: { title } })
      return data ?? error
    },
    elsewhere: (fetch, url) => createClient<paths>({ baseUrl: url, fetch }).GET('/issues'),
  },
  '@octokit/core': {
    async list(fetch) {
      const octokit = new Octokit({ baseUrl, request: { fetch } })
      return (await octokit.request('GET /issues')).data
    },
    async create(fetch, title) {
      const octokit = new Octokit({ baseUrl, request: { fetch } })
      return (await octokit.request('POST /issues', { title })).data
    },
    elsewhere: (fetch, url) =>
      new Octokit({ baseUrl, request: { fetch } }).request('GET /issues', { baseUrl: url }),
  },
  ky: {
    list: (fetch) => ky.create({ prefixUrl: baseUrl, fetch, retry: 0 }).get('issues').json(),
    create: (fetch, title) =>
      ky.create({ prefixUrl: baseUrl, fetch, retry: 0 }).post('issues', { json: { title } }).json(),
    elsewhere: (fetch, url) => ky.create({ fetch, retry: 0 }).get(url),
  },
}

const inCall = <T>(fn: () => T) => runWithCredentials(credential, fn)

/** Whether a value shows a token, however it is looked at. */
function showsToken(value: unknown): boolean {
  const { inspect } = process.getBuiltinModule('node:util')
  const text = inspect(value, { depth: Infinity, showHidden: true })
  return text.includes(OLD) || text.includes(NEW)
}

for (const [name, client] of Object.entries(CLIENTS)) {
  describe(name, () => {
    const upstream = () => createFetch({ baseUrl, refresh, allowInsecureLoopback: true })

    test('gets the credential of its call', async () => {
      sent = []
      valid = OLD
      assert.deepEqual(await inCall(() => client.list(upstream())), { id: 7, isKnown: true })
      assert.deepEqual(
        sent.map(({ line, authorization }) => [line, authorization]),
        [['GET /v1/issues', `Bearer ${OLD}`]],
      )
    })

    test('sends a body, and once more after a 401', async () => {
      sent = []
      valid = NEW
      assert.deepEqual(await inCall(() => client.create(upstream(), 'a title')), {
        id: 7,
        isKnown: true,
      })
      assert.deepEqual(
        sent.map(({ line, authorization, body }) => [line, authorization, JSON.parse(body)]),
        [
          ['POST /v1/issues', `Bearer ${OLD}`, { title: 'a title' }],
          ['POST /v1/issues', `Bearer ${NEW}`, { title: 'a title' }],
        ],
      )
    })

    test('outside of a call sends nothing', async () => {
      sent = []
      const error: unknown = await client.list(upstream()).catch((reason: unknown) => reason)
      assert.match(String(error), /There is no credential in this context/)
      assert.deepEqual(sent, [])
    })

    test('sends nothing elsewhere', async () => {
      let requests = 0
      const other = await listen((_, response) => {
        requests += 1
        response.end('{}')
      })
      try {
        const error: unknown = await inCall(() => client.elsewhere(upstream(), other.origin)).then(
          () => assert.fail('It was sent.'),
          (reason: unknown) => reason,
        )
        assert.match(String(error), /a URL below its base URL/)
        assert.equal(showsToken(error), false)
        assert.equal(requests, 0)
      } finally {
        await other.close()
      }
    })
  })
}

describe('undici', () => {
  test('sends the requests, through a dispatcher of its own', async () => {
    sent = []
    valid = OLD
    const dispatcher = new Agent()
    const through = (url: Parameters<typeof undiciFetch>[0], init?: object) =>
      undiciFetch(url, { ...init, dispatcher })
    const upstream = createFetch({
      baseUrl,
      allowInsecureLoopback: true,
      fetch: through as unknown as UpstreamFetch,
    })
    const form = new FormData()
    form.append('a', 'b')
    const init = { method: 'POST', body: form as never }
    const answer = await inCall(async () => (await upstream('/moved', init)).json())
    await dispatcher.close()
    assert.deepEqual(answer, { id: 7, isKnown: true })
    assert.deepEqual(
      sent.map(({ line, authorization }) => [line, authorization]),
      [
        ['POST /v1/moved', `Bearer ${OLD}`],
        ['POST /v1/issues', `Bearer ${OLD}`],
      ],
    )
    for (const { type, body } of sent) {
      assert.match(String(type), /^multipart\/form-data; boundary=/)
      assert.match(body, /name="a"\r\n\r\nb/)
    }
  })

  test('says what went wrong by its code', async () => {
    const gone = await listen(() => undefined)
    await gone.close()
    const upstream = createFetch({ baseUrl: gone.origin, allowInsecureLoopback: true })
    await assert.rejects(
      inCall(() => upstream('/a')),
      {
        name: 'TypeError',
        code: 'ECONNREFUSED',
        message: 'The request to the API failed (ECONNREFUSED).',
      },
    )
  })

  test('gives up when its caller does, with the reason of the caller', async () => {
    const silent = await listen(() => undefined)
    const upstream = createFetch({ baseUrl: silent.origin, allowInsecureLoopback: true })
    const reason = new Error('The caller has left.')
    const controller = new AbortController()
    const request = new Request(`${silent.origin}/a`, { signal: controller.signal })
    const waiting = [
      inCall(() => upstream('/a', { signal: controller.signal })),
      inCall(() => upstream(request)),
    ]
    controller.abort(reason)
    for (const promise of waiting) await assert.rejects(promise, (error) => error === reason)
    await silent.close()
  })
})
