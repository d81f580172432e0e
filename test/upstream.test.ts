import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  CredentialError,
  getCredentials,
  OAuthCredential,
  runWithCredentials,
  StaticCredential,
} from 'mcp-credentials'
import type { Refresher, ResolvedCredential } from 'mcp-credentials'
import { createAccounts } from 'mcp-credentials/accounts'
import { createRefresher, fromTokenEndpoint } from 'mcp-credentials/oauth'
import { redactSecrets } from 'mcp-credentials/redact'
import { createFetch } from 'mcp-credentials/upstream'
import type { CreateFetchOptions } from 'mcp-credentials/upstream'
import { CONNECT, memoryStore, newKey } from './account-store.ts'
import { assertNoLeak, codeOf, fakeSecret, fakeToken } from './helper.ts'
import {
  assertFails,
  clientId,
  endpoint,
  expired,
  inSeconds,
  refreshTokenOf,
  tokenUri,
} from './oauth-endpoint.ts'

const baseUrl = 'https://api.example/v1'

interface Sent {
  readonly url: string
  readonly method: string
  readonly headers: Headers
  readonly redirect: string | undefined
  readonly body: string
}

/** An API that answers what it is told, and keeps what it was sent. */
function api(answer: (sent: Sent, count: number) => Response | Promise<Response>) {
  const sent: Sent[] = []
  const fetch = async (url: string | URL | Request, init: RequestInit = {}) => {
    assert.equal(typeof url, 'string')
    const { method = 'GET', headers, redirect, body } = init
    const text = body === undefined || body === null ? '' : await new Response(body).text()
    const one: Sent = {
      url: String(url),
      method,
      headers: new Headers(headers),
      redirect,
      body: text,
    }
    sent.push(one)
    return answer(one, sent.length)
  }
  return { fetch: fetch as typeof globalThis.fetch, sent }
}

const ok = () => new Response('ok')
const redirectTo = (location: string, status = 302) =>
  new Response(null, { status, headers: { location } })

/** One call with a credential, to an API that answers so. */
async function call(
  input: string | URL | Request,
  given: {
    readonly credential?: ResolvedCredential
    readonly init?: RequestInit & { duplex?: 'half' }
    readonly options?: Partial<CreateFetchOptions>
    readonly answer?: (sent: Sent, count: number) => Response | Promise<Response>
  } = {},
) {
  const { credential = fakeToken(), init, options, answer = ok } = given
  const { fetch, sent } = api(answer)
  const upstream = createFetch({ baseUrl, fetch, ...options })
  const run = () => runWithCredentials(credential, () => upstream(input, init))
  return { run, sent, credential }
}

/** The error of a call that sends nothing. */
async function refusal(
  input: string | URL | Request,
  given: Parameters<typeof call>[1] = {},
): Promise<Error> {
  const { run, sent } = await call(input, given)
  const error: unknown = await run().then(
    () => assert.fail('It was not refused.'),
    (reason: unknown) => reason,
  )
  assert.deepEqual(sent, [])
  assert(error instanceof Error)
  return error
}

describe('createFetch', () => {
  test('adds the credential of the current call, and follows no redirect by itself', async () => {
    const credential = fakeToken()
    const { run, sent } = await call('/users?q=1', {
      credential,
      init: { headers: { accept: 'text/plain' } },
    })
    assert.equal(await (await run()).text(), 'ok')
    assert.deepEqual(
      sent.map(({ url, method, redirect }) => [url, method, redirect]),
      [['https://api.example/v1/users?q=1', 'GET', 'manual']],
    )
    assert.equal(sent[0]?.headers.get('authorization'), `Bearer ${credential.accessToken}`)
    assert.equal(sent[0]?.headers.get('accept'), 'text/plain')
  })

  for (const [base, input, expected] of [
    ['https://api.example', '/users', 'https://api.example/users'],
    ['https://api.example/', '/users', 'https://api.example/users'],
    ['https://api.example/v1/', '/users', 'https://api.example/v1/users'],
    ['https://api.example/v1', '/a/../users', 'https://api.example/v1/users'],
    ['https://api.example/v1', '/a\\b', 'https://api.example/v1/a/b'],
    ['https://api.example/graphql', '', 'https://api.example/graphql'],
    ['https://api.example/v1', '?q=1', 'https://api.example/v1?q=1'],
    ['https://api.example/v1', 'https://api.example/v1', 'https://api.example/v1'],
    ['https://api.example/v1', 'HTTPS://API.EXAMPLE:443/v1/users', 'https://api.example/v1/users'],
    ['https://API.example:443/v1', 'https://api.example/v1/users', 'https://api.example/v1/users'],
    ['https://bücher.example', 'https://xn--bcher-kva.example/', 'https://xn--bcher-kva.example/'],
    ['https://api.example/v1', '/projects/a%2Fb', 'https://api.example/v1/projects/a%2Fb'],
    [
      'https://api.example/v1',
      '/a;b=c/100%25/..%252e',
      'https://api.example/v1/a;b=c/100%25/..%252e',
    ],
    [
      'https://api.example/v1',
      '/users?next=%2F..%2F..%2F',
      'https://api.example/v1/users?next=%2F..%2F..%2F',
    ],
    ['https://api.example:8443', '/users', 'https://api.example:8443/users'],
  ] as const) {
    test(`of ${base} and "${input}" makes ${expected}`, async () => {
      const { run, sent } = await call(input, { options: { baseUrl: base } })
      await run()
      assert.equal(sent[0]?.url, expected)
    })
  }

  test('takes a URL object, and a Request with its method, headers, body and signal', async () => {
    const controller = new AbortController()
    const request = new Request(`${baseUrl}/users`, {
      method: 'POST',
      headers: { 'x-of': 'request' },
      body: 'of the request',
      signal: controller.signal,
    })
    const { run, sent } = await call(request)
    await run()
    const [first] = sent
    assert.equal(first?.method, 'POST')
    assert.equal(first?.body, 'of the request')
    assert.equal(first?.headers.get('x-of'), 'request')
    const other = await call(new Request(`${baseUrl}/users`, { method: 'PUT', body: 'a' }), {
      init: { method: 'PATCH', headers: { 'x-of': 'init' }, body: 'of init' },
    })
    await other.run()
    assert.equal(other.sent[0]?.method, 'PATCH')
    assert.equal(other.sent[0]?.body, 'of init')
    assert.equal(other.sent[0]?.headers.get('x-of'), 'init')
    const url = await call(new URL(`${baseUrl}/a`))
    await url.run()
    assert.equal(url.sent[0]?.url, `${baseUrl}/a`)
  })

  for (const target of [
    'https://evil.example/v1/users',
    'https://api.example/',
    'https://api.example/v1/../admin',
    'https://api.example/v1/..%2fadmin',
    'https://api.example/v1/%2e%2e%5Cadmin',
    'https://api.example/v10',
    'https://api.example/v1/..;/admin',
    'https://api.example/v1/..%252Fadmin',
    'https://api.example/v1/..%25252Fadmin',
    'https://api.example.evil.example/v1/',
    'https://api.example:444/v1/',
    'https://user@api.example/v1/',
    'https://api.example@evil.example/v1/',
    'http://api.example/v1/',
    'blob:https://api.example/v1/users',
    'data:text/plain,https://api.example/v1/',
    '//evil.example/v1/',
    '/\\evil.example/v1/',
    '\\\\evil.example/',
    '/../admin',
    '/%2e%2e/admin',
    'users',
    'https://',
  ]) {
    test(`sends nothing to ${target}`, async () => {
      const credential = fakeToken()
      const error = await refusal(target, { credential })
      assert(error instanceof TypeError)
      assert.equal(Reflect.get(error, 'code'), 'ERR_INVALID_ARG_VALUE')
      assert.match(error.message, /^createFetch takes a path that starts with a slash, or a URL/)
      assert.doesNotMatch(error.message, /evil|admin/)
      assertNoLeak(error, credential.accessToken)
    })
  }

  test('what is no URL at the second look was none at the first', async () => {
    let looks = 0
    const input = { toString: () => (looks++ === 0 ? `${baseUrl}/a` : 'https://evil.example/') }
    const { run, sent } = await call(input as URL)
    await run()
    assert.equal(sent[0]?.url, `${baseUrl}/a`)
  })

  test('outside of a call, after it, and with a credential of another kind, says what getCredentials says', async () => {
    const { fetch, sent } = api(ok)
    const upstream = createFetch({ baseUrl, fetch })
    await assert.rejects(upstream('/a'), { code: 'ERR_CREDENTIAL_NO_SCOPE' })
    const error = await refusal('/a', {
      credential: new StaticCredential({ apiKey: fakeSecret('key') }),
    })
    assert.equal(Reflect.get(error, 'code'), 'ERR_CREDENTIAL_TYPE')
    assert.deepEqual(sent, [])
  })

  for (const [name, headers] of [
    ['authorization', { authorization: 'Basic eA==' }],
    ['authorization', [['AUTHORIZATION', '']]],
    ['authorization', new Headers({ Authorization: 'Bearer other' })],
    ['host', { Host: 'evil.example' }],
  ] as const) {
    test(`refuses the caller's ${name} (${JSON.stringify(headers)})`, async () => {
      const error = await refusal('/a', { init: { headers: headers as HeadersInit } })
      assert.equal(Reflect.get(error, 'code'), 'ERR_INVALID_ARG_VALUE')
      assert.equal(error.message, `createFetch sets the header ${name} itself: leave it out.`)
    })
  }

  test("refuses those of a Request, and those of authorize's names", async () => {
    const request = new Request(`${baseUrl}/a`, { headers: { authorization: 'Bearer other' } })
    assert.match((await refusal(request)).message, /sets the header authorization/)
    const options = { authorize: () => ({ headers: { 'X-Api-Key': 'FAKE-key' } }) }
    const error = await refusal('/a', { options, init: { headers: { 'x-api-key': 'other' } } })
    assert.match(error.message, /sets the header X-Api-Key/)
  })

  test('adds that of the innermost scope, so that each API wants a scope of its own', async () => {
    const [issues, chat] = [fakeToken(), fakeToken()]
    const { fetch, sent } = api(ok)
    const fetchIssues = createFetch({ baseUrl, fetch })
    await runWithCredentials(issues, () =>
      runWithCredentials(chat, async () => {
        const inner = fetchIssues('/inner')
        await runWithCredentials(issues, () => fetchIssues('/own'))
        await inner
      }),
    )
    assert.deepEqual(
      sent.map((one) => [one.url, one.headers.get('authorization')]),
      [
        [`${baseUrl}/inner`, `Bearer ${chat.accessToken}`],
        [`${baseUrl}/own`, `Bearer ${issues.accessToken}`],
      ],
    )
  })

  test('authorize adds headers', async () => {
    const apiKey = fakeSecret('key')
    const { run, sent } = await call('/a', {
      credential: new StaticCredential({ apiKey }),
      options: {
        authorize: (credential) => ({ headers: { 'x-api-key': credential.field('apiKey') } }),
      },
    })
    await run()
    assert.equal(sent[0]?.headers.get('x-api-key'), apiKey)
    assert.equal(sent[0]?.headers.has('authorization'), false)
  })

  test('authorize may give all fields, as they are', async () => {
    const [apiKey, query] = [fakeSecret('key'), fakeSecret('query')]
    const credential = new StaticCredential({ apiKey, query })
    const options = { authorize: ({ fields }: ResolvedCredential) => ({ headers: fields }) }
    const { run, sent } = await call('/a', { credential, options })
    await run()
    assert.equal(sent[0]?.headers.get('apikey'), apiKey)
    assert.equal(sent[0]?.headers.get('query'), query)
  })

  for (const [what, authorize] of [
    ['nothing', () => undefined],
    ['null', () => null],
    ['a text', (key: string) => key],
    ['a promise', async (key: string) => ({ headers: { 'x-api-key': key } })],
    ['a promise that is rejected', (key: string) => Promise.reject(new Error(key))],
    ['headers without { headers }', (key: string) => ({ 'x-api-key': key })],
    ['another name beside', (key: string) => ({ headers: { 'x-api-key': key }, header: {} })],
    ['Headers', (key: string) => new Headers({ 'x-api-key': key })],
    ['URLSearchParams', (key: string) => new URLSearchParams({ key })],
    ['a list', (key: string) => [{ headers: { 'x-api-key': key } }]],
    ['Headers as headers', (key: string) => ({ headers: new Headers({ 'x-api-key': key }) })],
    ['pairs as headers', (key: string) => ({ headers: [['x-api-key', key]] })],
    ['a Map as headers', (key: string) => ({ headers: new Map([['x-api-key', key]]) })],
    ['null as headers', () => ({ headers: null })],
    ['URLSearchParams as the query', (key: string) => ({ query: new URLSearchParams({ key }) })],
    ['a text as the query', (key: string) => ({ query: `key=${key}` })],
    ['a header that is undefined', () => ({ headers: { 'x-api-key': undefined } })],
    ['a header that is a list', (key: string) => ({ headers: { 'x-api-key': [key] } })],
    ['a parameter that is null', (key: string) => ({ headers: { key }, query: { key: null } })],
  ] as const) {
    test(`sends nothing where authorize returns ${what}`, async () => {
      const key = fakeSecret('key')
      const options = { authorize: (() => authorize(key)) as never }
      const error = await refusal('/a', { credential: new StaticCredential({ key }), options })
      assert(error instanceof TypeError)
      assert.equal(Reflect.get(error, 'code'), 'ERR_INVALID_ARG_VALUE')
      assert.match(error.message, /^authorize must return \{ headers \} or \{ query \}/)
      assertNoLeak(error, key)
    })
  }

  test('authorize adds parameters, which the response does not show, and which a redirect keeps', async () => {
    const key = `${fakeSecret('key')} &=`
    const answers = [redirectTo('/v1/b?q=1&key=echoed'), new Response('ok', { status: 201 })]
    const { run, sent } = await call('/a?q=1', {
      credential: new StaticCredential({ key }),
      options: { authorize: (credential) => ({ query: { key: credential.field('key') } }) },
      answer: (_, count) => answers[count - 1] ?? ok(),
    })
    const response = await run()
    for (const { url } of sent) {
      const { searchParams } = new URL(url)
      assert.deepEqual([searchParams.get('q'), searchParams.get('key')], ['1', key])
      assert.equal([...searchParams.keys()].length, 2)
    }
    assert.equal(sent.length, 2)
    assert.equal(response.url, '')
    assert.equal(response.status, 201)
    assert.equal(await response.text(), 'ok')
  })

  test('the base URL may be a field of the credential, which has to be one as well', async () => {
    const options = {
      baseUrl: (credential: ResolvedCredential) => credential.field('baseUrl'),
      authorize: () => ({ headers: { 'x-api-key': 'FAKE-key' } }),
    }
    const good = new StaticCredential({ baseUrl: 'https://tenant.example/v2' })
    const { run, sent } = await call('/a', { credential: good, options })
    await run()
    assert.equal(sent[0]?.url, 'https://tenant.example/v2/a')
    const bad = new StaticCredential({ baseUrl: 'http://tenant.example/secret' })
    const error = await refusal('/a', { credential: bad, options })
    assert.match(error.message, /^baseUrl must be an https: URL/)
    assertNoLeak(error, 'tenant.example/secret')
  })

  for (const bad of [
    'api.example',
    '/v1',
    'http://api.example',
    'ftp://api.example',
    'https://user:FAKE-password@api.example',
    'https://api.example?a=b',
    'https://api.example/#a',
    'http://127.0.0.1:1',
    'http://127.0.0.1.evil.example',
    'http://localhost.evil.example',
    'http://evil.example/http://localhost/',
    'http://10.0.0.1',
    '',
    undefined,
  ]) {
    test(`refuses ${bad} for a base URL`, () => {
      for (const allowInsecureLoopback of [false, bad !== 'http://127.0.0.1:1'])
        assert.throws(() => createFetch({ baseUrl: bad as string, allowInsecureLoopback }), {
          code: 'ERR_INVALID_ARG_VALUE',
          message: /^baseUrl must be an https: URL/,
        })
    })
  }

  for (const base of ['http://127.0.0.1:80', 'http://[::1]:8080/v1', 'http://localhost']) {
    test(`allows ${base} on request`, async () => {
      const { run, sent } = await call('/a', {
        options: { baseUrl: base, allowInsecureLoopback: true },
      })
      await run()
      assert.equal(sent.length, 1)
    })
  }

  test('refuses options that are misspelt or of another kind', () => {
    for (const options of [
      { baseUrl, authorise: () => ({}) },
      { baseUrl, authorize: {} },
      { baseUrl, refresh: true },
      { baseUrl, redirects: 5 },
      { baseUrl, fetch: 'fetch' },
      { baseUrl, allowInsecureLoopback: 1 },
    ])
      assert.throws(() => createFetch(options as unknown as CreateFetchOptions), {
        code: 'ERR_INVALID_ARG_VALUE',
        message: /createFetch/,
      })
  })
})

describe('a redirect', () => {
  for (const [status, method, location, expected] of [
    [301, 'GET', '/v1/b', 'GET https://api.example/v1/b'],
    [302, 'GET', 'https://api.example/other/b', 'GET https://api.example/other/b'],
    [302, 'POST', 'b', 'GET https://api.example/v1/b'],
    [301, 'POST', '?p=2', 'GET https://api.example/v1/a?p=2'],
    [301, 'PUT', '/b', 'PUT https://api.example/b with body'],
    [301, 'post', '/b', 'GET https://api.example/b'],
    [302, 'Post', '/b', 'GET https://api.example/b'],
    [302, 'PATCH', '/b', 'PATCH https://api.example/b with body'],
    [303, 'patch', '/b', 'GET https://api.example/b'],
    [303, 'GET', '/b', 'GET https://api.example/b'],
    [303, 'head', '/b', 'head https://api.example/b'],
    [307, 'post', '/b', 'post https://api.example/b with body'],
    [303, 'PUT', '/b', 'GET https://api.example/b'],
    [303, 'HEAD', '/b', 'HEAD https://api.example/b'],
    [307, 'POST', '/b', 'POST https://api.example/b with body'],
    [308, 'DELETE', '/b', 'DELETE https://api.example/b with body'],
  ] as const) {
    test(`${status} of ${method} to ${location} is followed with the credential`, async () => {
      const hasBody = !/^(?:get|head)$/i.test(method)
      const { run, sent, credential } = await call('/a', {
        init: { method, ...(hasBody && { body: 'body' }) },
        answer: (_, count) => (count === 1 ? redirectTo(location, status) : ok()),
      })
      assert.equal((await run()).status, 200)
      const [, second] = sent
      const { url, method: used, body } = second ?? assert.fail('It was not followed.')
      assert.equal(`${used} ${url}${body === '' ? '' : ` with ${body}`}`, expected)
      assert.equal(second?.headers.get('authorization'), `Bearer ${credential.accessToken}`)
    })
  }

  const ofBody = ['content-encoding', 'content-language', 'content-location', 'content-type']
  const others = { accept: 'text/plain', 'content-disposition': 'inline', 'x-of': 'caller' }

  for (const [status, method, kept] of [
    [301, 'POST', false],
    [302, 'post', false],
    [303, 'PUT', false],
    [307, 'POST', true],
    [302, 'PUT', true],
  ] as const) {
    test(`${status} of ${method} ${kept ? 'keeps' : 'drops'} the headers that tell of the body`, async () => {
      const headers = Object.fromEntries(
        [...ofBody, 'content-length'].map((name) => [name, name.endsWith('length') ? '4' : 'FAKE']),
      )
      const { run, sent } = await call('/a', {
        init: { method, body: 'body', headers: { ...headers, ...others } },
        answer: (_, count) => (count === 1 ? redirectTo('/v1/b', status) : ok()),
      })
      await run()
      const [first, second] = sent.map((one) => {
        const { authorization, ...rest } = Object.fromEntries(one.headers)
        assert.match(String(authorization), /^Bearer FAKE/)
        return rest
      })
      assert.deepEqual(first, { ...headers, ...others })
      assert.deepEqual(second, { ...(kept && headers), ...others })
    })
  }

  test('keeps headers that can be read once', async () => {
    const headers = new Map([['x-of', 'caller']]).entries() as unknown as HeadersInit
    const { run, sent } = await call('/a', {
      init: { headers },
      answer: (_, count) => (count === 1 ? redirectTo('/v1/b') : ok()),
    })
    await run()
    assert.deepEqual(
      sent.map((one) => one.headers.get('x-of')),
      ['caller', 'caller'],
    )
  })

  for (const [what, response] of [
    ['to another origin', () => redirectTo('https://evil.example/v1/a')],
    ['to another port', () => redirectTo('https://api.example:444/v1/a')],
    ['to http:', () => redirectTo('http://api.example/v1/a')],
    ['with a user name', () => redirectTo('https://a@api.example/v1/a')],
    ['to a blob:', () => redirectTo('blob:https://api.example/v1/a')],
    ['to no URL', () => redirectTo('https://')],
    ['without a location', () => new Response(null, { status: 302 })],
    ['of another status', () => redirectTo('/v1/b', 304)],
  ] as const) {
    test(`${what} is given back`, async () => {
      const { run, sent } = await call('/a', { answer: response })
      const { status } = response()
      assert.equal((await run()).status, status)
      assert.equal(sent.length, 1)
    })
  }

  test('is given back where that is wanted, and left to the runtime where it is an error', async () => {
    const answer = () => redirectTo('/v1/b')
    const { run, sent } = await call('/a', { answer, options: { redirects: false } })
    assert.equal((await run()).status, 302)
    assert.equal(sent.length, 1)
    for (const redirect of ['manual', 'error'] as const) {
      const other = await call('/a', { answer, init: { redirect } })
      await other.run()
      assert.deepEqual(
        other.sent.map((one) => one.redirect),
        [redirect],
      )
    }
  })

  test('in a circle is given back in the end', async () => {
    const { run, sent } = await call('/a', { answer: () => redirectTo('/v1/a') })
    assert.equal((await run()).status, 302)
    assert.equal(sent.length, 21)
  })

  test('is given back where its body was a stream', async () => {
    const { body } = new Response('body')
    const { run, sent } = await call('/a', {
      init: { method: 'POST', body, duplex: 'half' },
      answer: () => redirectTo('/v1/b', 307),
    })
    assert.equal((await run()).status, 307)
    assert.equal(sent.length, 1)
  })
})

describe('a body that can be read once', () => {
  for (const [what, body] of [
    ['of a browser, whose streams are no iterables', { getReader: () => assert.fail() }],
    ['of Node.js, whose streams have no reader', { [Symbol.asyncIterator]: () => assert.fail() }],
  ] as const) {
    test(`is not sent twice: ${what}`, async () => {
      let requests = 0
      const fetch = async () => {
        requests += 1
        return redirectTo('/v1/b', 307)
      }
      const upstream = createFetch({ baseUrl, fetch })
      const init = { method: 'POST', body: body as never }
      const response = await runWithCredentials(fakeToken(), () => upstream('/a', init))
      assert.deepEqual([response.status, requests], [307, 1])
    })
  }
})

describe('a 401', () => {
  const unauthorized = () => new Response('no', { status: 401 })
  const successor = new OAuthCredential({ accessToken: fakeSecret('successor') })

  /** An API that knows the successor alone, and a refresher that gives it. */
  function refreshing(known = successor) {
    const forced: unknown[] = []
    const refresh: Refresher = async (_, options) => {
      forced.push(options?.force)
      return successor
    }
    const isKnown = ({ headers }: Sent) =>
      headers.get('authorization') === `Bearer ${known.accessToken}`
    return {
      forced,
      options: { refresh },
      answer: (sent: Sent) => (isKnown(sent) ? ok() : unauthorized()),
    }
  }

  for (const [what, body, expected] of [
    ['text', 'body', 'body'],
    ['a form', new URLSearchParams({ a: 'b' }), 'a=b'],
    ['bytes', new TextEncoder().encode('body'), 'body'],
  ] as const) {
    test(`is refreshed by force, and ${what} is sent once more`, async () => {
      const { forced, ...given } = refreshing()
      const { run, sent } = await call('/a', { ...given, init: { method: 'POST', body } })
      assert.equal((await run()).status, 200)
      assert.deepEqual(forced, [true])
      assert.deepEqual(
        sent.map((one) => `${one.method} ${one.body}`),
        [`POST ${expected}`, `POST ${expected}`],
      )
    })
  }

  test('of a Request with a body is sent once more', async () => {
    const { forced, ...given } = refreshing()
    const request = new Request(`${baseUrl}/a`, { method: 'POST', body: 'body' })
    const { run, sent } = await call(request, given)
    assert.equal((await run()).status, 200)
    assert.deepEqual(
      sent.map(({ body }) => body),
      ['body', 'body'],
    )
    assert.deepEqual(forced, [true])
  })

  test('a stream is not sent again; the next request has the new token', async () => {
    const { forced, ...given } = refreshing()
    const { body } = new Response('body')
    const { run, sent } = await call('/a', {
      ...given,
      init: { method: 'POST', body, duplex: 'half' },
    })
    assert.equal((await run()).status, 401)
    assert.equal(sent.length, 1)
    assert.deepEqual(forced, [true])
  })

  test('is tried once more, and no oftener', async () => {
    const { forced, ...given } = refreshing(fakeToken())
    const { run, sent } = await call('/a', given)
    assert.equal(await (await run()).text(), 'no')
    assert.equal(sent.length, 2)
    assert.deepEqual(forced, [true])
  })

  test('on the way of a redirect is tried again there, so that nothing is done twice', async () => {
    const { forced, ...given } = refreshing()
    const { run, sent } = await call('/a', {
      ...given,
      init: { method: 'POST', body: 'body' },
      answer: (one) => (one.method === 'POST' ? redirectTo('/v1/b', 303) : given.answer(one)),
    })
    assert.equal((await run()).status, 200)
    assert.deepEqual(
      sent.map(({ method, url }) => `${method} ${new URL(url).pathname}`),
      ['POST /v1/a', 'GET /v1/b', 'GET /v1/b'],
    )
    assert.deepEqual(forced, [true])
  })

  for (const [what, given] of [
    ['a 403', { answer: () => new Response('no', { status: 403 }) }],
    ['without refresh', { options: {} }],
    [
      'with a static credential',
      {
        credential: new StaticCredential({ key: 'FAKE-key' }),
        options: { ...refreshing().options, authorize: () => ({}) },
      },
    ],
    ['where there is no other token', { credential: successor }],
  ] as const) {
    test(`${what}: is given back`, async () => {
      const { run, sent } = await call('/a', { ...refreshing(fakeToken()), ...given })
      const { status } = await run()
      assert(status === 401 || status === 403)
      assert.equal(sent.length, 1)
    })
  }

  test('is refreshed by what gives a credential at once, too', async () => {
    const { answer } = refreshing()
    const { run, sent } = await call('/a', { answer, options: { refresh: () => successor } })
    assert.equal((await run()).status, 200)
    assert.equal(sent.length, 2)
  })

  test('rejects with what the refresher rejects with, and where it gives no credential', async () => {
    const error = new CredentialError('ERR_CREDENTIAL_REFRESH', 'Connect the account again.')
    const rejecting = await call('/a', {
      answer: unauthorized,
      options: { refresh: () => Promise.reject(error) },
    })
    await assert.rejects(rejecting.run(), (reason) => reason === error)
    const refresh = (async () => ({ accessToken: 'FAKE-plain' })) as unknown as Refresher
    const plain = await call('/a', { answer: unauthorized, options: { refresh } })
    const message = /^A refresher returns a StaticCredential or an OAuthCredential/
    await assert.rejects(plain.run(), { code: 'ERR_INVALID_ARG_TYPE', message })
  })

  test('frees the connection of the answer that nobody reads', async () => {
    let cancelled = 0
    const unread = () =>
      new Response(
        new ReadableStream({
          cancel() {
            cancelled += 1
            throw new Error('Nobody hears this.')
          },
        }),
        { status: 401 },
      )
    const { run } = await call('/a', {
      ...refreshing(),
      answer: (_, count) => (count === 1 ? unread() : ok()),
    })
    assert.equal((await run()).status, 200)
    assert.equal(cancelled, 1)
  })
})

describe('a 401 for the credential of', () => {
  /** A token endpoint, and an API that refuses one token. */
  function service(refused: string) {
    const tokens = endpoint((_, count) => ({ access_token: `FAKE-issued-${count}` }))
    const isRefused = ({ headers }: Sent) => headers.get('authorization') === `Bearer ${refused}`
    const given = (one: Sent) => (isRefused(one) ? new Response('no', { status: 401 }) : ok())
    return { tokens, fetch: api(given).fetch }
  }

  test('a token endpoint: is refreshed by its source, and by no refresher', async () => {
    const { tokens, fetch } = service('FAKE-issued-1')
    const form = () => ({ grant_type: 'client_credentials' })
    const source = fromTokenEndpoint({ tokenUri, clientId, form, fetch: tokens.fetch })
    const credential = await source({ headers: undefined })
    const refresher = createRefresher({ fetch: tokens.fetch })
    const wrong = createFetch({ baseUrl, fetch, refresh: refresher })
    await assertFails(
      runWithCredentials(credential, () => wrong('/a')),
      'the credential lacks refreshToken, clientId, tokenUri.',
    )
    assert.equal(tokens.sent.length, 1)
    const right = createFetch({ baseUrl, fetch, refresh: source.refresh })
    assert.equal((await runWithCredentials(credential, () => right('/a'))).status, 200)
    assert.equal(tokens.sent.length, 2)
  })

  test('an account: is refreshed by its accounts, and by no refresher, which would lose it', async () => {
    const { tokens, fetch } = service('FAKE-old-access')
    const refresh = { fetch: tokens.fetch }
    const accounts = createAccounts('api', { store: memoryStore(), keys: [newKey()], refresh })
    await accounts.save('alice', expired(refreshTokenOf('account'), { expiresAt: inSeconds(600) }))
    const source = accounts.source({ owner: () => 'alice', connect: CONNECT })
    const credential = await source({ headers: undefined })
    const refresher = createRefresher(refresh)
    const wrong = createFetch({ baseUrl, fetch, refresh: refresher })
    await assertFails(
      runWithCredentials(credential, () => wrong('/a')),
      'the credential lacks refreshToken, clientId, tokenUri.',
    )
    assert.equal(tokens.sent.length, 0)
    const right = createFetch({ baseUrl, fetch, refresh: accounts.refresh })
    assert.equal((await runWithCredentials(credential, () => right('/a'))).status, 200)
    assert.equal(tokens.sent.length, 1)
  })
})

describe('what a call sends', () => {
  test('is scrubbed of the token that took the place of a refused one, whoever gave it', async () => {
    const successor = fakeToken()
    const { fetch } = api(({ headers }) => {
      const authorization = headers.get('authorization')
      const isKnown = authorization === `Bearer ${successor.accessToken}`
      return new Response(`you sent ${authorization}`, { status: isKnown ? 200 : 401 })
    })
    const refresh: Refresher = async () => successor
    const upstream = createFetch({ baseUrl, fetch, refresh })
    const ofOther = await runWithCredentials(fakeToken(), async () =>
      redactSecrets(`Bearer ${successor.accessToken}`),
    )
    assert.equal(ofOther, `Bearer ${successor.accessToken}`)
    const seen = await runWithCredentials(fakeToken(), async () => {
      const text = await (await upstream('/a')).text()
      assert(text.includes(successor.accessToken))
      return redactSecrets(text)
    })
    // Where the scope is over after the first await, so is what the call sends.
    const hasStore = await runWithCredentials(fakeToken(), async () => {
      await undefined
      return codeOf(getCredentials) === 'a credential'
    })
    const expected = hasStore ? '[redacted]' : successor.accessToken
    assert.equal(seen, `you sent Bearer ${expected}`)
  })
})

describe('what a runtime says of a request that failed', () => {
  test('is cut down to its code, since it may quote the request', async () => {
    const credential = fakeToken()
    const secret = credential.accessToken
    for (const [failure, message, code] of [
      [new TypeError(`bad header ${secret}`), 'The request to the API failed.', undefined],
      [
        Object.assign(new Error(secret), { code: 'ConnectionRefused' }),
        'The request to the API failed (ConnectionRefused).',
        'ConnectionRefused',
      ],
      [
        new TypeError(secret, { cause: Object.assign(new Error(secret), { code: 'ECONNRESET' }) }),
        'The request to the API failed (ECONNRESET).',
        'ECONNRESET',
      ],
      [
        Object.assign(new Error(), { code: `not a code: ${secret}` }),
        'The request to the API failed.',
        undefined,
      ],
      [undefined, 'The request to the API failed.', undefined],
    ] as const) {
      const { run } = await call('/a', { credential, answer: () => Promise.reject(failure) })
      const error: unknown = await run().catch((reason: unknown) => reason)
      assert(error instanceof TypeError)
      assert.equal(error.message, message)
      assert.equal(Reflect.get(error, 'code'), code)
      assertNoLeak(error, secret)
    }
  })

  test('is not said either of what is no header', async () => {
    const key = `${fakeSecret('key')}\nx`
    const credential = new StaticCredential({ key })
    const authorize = (given: ResolvedCredential) => ({ headers: { 'x-key': given.field('key') } })
    const own = await refusal('/a', { credential, options: { authorize } })
    const callers = await refusal('/a', { init: { headers: { 'x-key': key } } })
    for (const error of [own, callers]) {
      assert.equal(error.message, 'The request to the API failed.')
      assertNoLeak(error, key.slice(0, -2))
    }
  })

  test("an abort is the caller's own reason", async () => {
    const controller = new AbortController()
    const reason = new Error('The caller has left.')
    const { run } = await call('/a', {
      init: { signal: controller.signal },
      answer: () => {
        controller.abort(reason)
        return Promise.reject(new Error('aborted'))
      },
    })
    await assert.rejects(run(), (error) => error === reason)
  })
})
