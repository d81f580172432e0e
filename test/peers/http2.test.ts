// The adapter for raw Node.js HTTP on a server and a client of HTTP/2, whose responses lack what those of HTTP/1 have.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, constants, createServer } from 'node:http2'
import type { ClientHttp2Session, Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fromHeaders, getCredentials, OAuthCredential } from 'mcp-credentials'
import type { AdapterOptions, CallEvent, CredentialSource } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/node-http'
import { fingerprint } from './servers.js'

type Listener = (request: Http2ServerRequest, response: Http2ServerResponse) => unknown

let serial = 0
const fakeToken = () => `FAKE-http2-${++serial}-0123456789abcdef-do-not-leak`
const source = fromHeaders({ type: 'oauth' })
const codeOf = (fn: () => unknown) => {
  try {
    return fn() ? 'a credential' : 'nothing'
  } catch (error) {
    return String(Reflect.get(error as object, 'code'))
  }
}

function defer() {
  let resolve = () => {}
  const promise = new Promise<void>((set) => {
    resolve = set
  })
  return { promise, resolve }
}

function listening() {
  const events: CallEvent[] = []
  const { promise: isTold, resolve } = defer()
  const onCall: AdapterOptions['onCall'] = (event) => {
    events.push(event)
    resolve()
  }
  return { options: { onCall }, events, isTold }
}

const describeEvents = (events: readonly CallEvent[]) =>
  events.map(({ method, outcome, error }) => `${method} ${outcome} ${error?.message}`)

async function serving(
  listener: Listener,
  use: (session: ClientHttp2Session) => Promise<void>,
): Promise<void> {
  const server = createServer((request, response) => {
    void Promise.resolve(listener(request, response)).catch(() =>
      response.stream.close(constants.NGHTTP2_INTERNAL_ERROR),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  try {
    await use(session)
  } finally {
    session.destroy()
    server.close()
    await once(server, 'close')
  }
}

async function send(
  session: ClientHttp2Session,
  { token, method = 'GET' }: { token?: string; method?: string } = {},
): Promise<{ status: unknown; text: string }> {
  const stream = session.request({
    ':path': '/',
    ':method': method,
    ...(token === undefined ? {} : { 'x-mcp-cred-access-token': token }),
  })
  stream.end()
  const [headers] = await once(stream, 'response')
  let text = ''
  for await (const chunk of stream) text += chunk
  return { status: headers[constants.HTTP2_HEADER_STATUS], text }
}

describe('node:http2', () => {
  test('what the adapter cannot rely on: a response has no property destroyed', async () => {
    let isThere: boolean | undefined
    const listener: Listener = (_request, response) => {
      isThere = 'destroyed' in response
      response.end()
    }
    await serving(listener, async (session) => {
      await send(session)
      assert.equal(isThere, false)
    })
  })

  test('100 requests at a time on one connection have each their own credential, to their end', async () => {
    const ended: Promise<string>[] = []
    const { options, events } = listening()
    const listener = withCredentials<Http2ServerRequest, Http2ServerResponse>(
      async (_request, response) => {
        const isOver = once(response, 'close').then(() => sleep(5))
        ended.push(isOver.then(() => codeOf(getCredentials)))
        await sleep(Math.random() * 5)
        response.end(fingerprint(getCredentials('oauth').accessToken))
      },
      source,
      options,
    )
    await serving(listener, async (session) => {
      const tokens = Array.from({ length: 100 }, fakeToken)
      const answers = await Promise.all(tokens.map((token) => send(session, { token })))
      assert.deepEqual(
        answers,
        tokens.map((token) => ({ status: 200, text: fingerprint(token) })),
      )
      assert.equal(ended.length, 100)
      assert.deepEqual(new Set(await Promise.all(ended)), new Set(['ERR_CREDENTIAL_ENDED']))
      assert.equal(events.length, 100)
      assert.deepEqual(new Set(describeEvents(events)), new Set(['GET ok undefined']))
    })
  })

  test('a missing credential is answered with 403, an error of the server with 500', async () => {
    const never: Listener = () => assert.fail('The handler ran.')
    const failing: CredentialSource = () => {
      throw new Error('vault: FAKE-secret')
    }
    for (const [bad, status, code] of [
      [source, 403, 'ERR_CREDENTIAL_MISSING'],
      [failing, 500, 'ERR_CREDENTIAL_UNAVAILABLE'],
    ] as const) {
      const { options, events } = listening()
      await serving(withCredentials(never, bad, options), async (session) => {
        const answer = await send(session)
        assert.equal(answer.status, status)
        assert.equal(JSON.parse(answer.text).error.code, code)
        assert(!answer.text.includes('FAKE'))
        assert.deepEqual(
          events.map(({ outcome }) => outcome),
          ['refused'],
        )
      })
    }
  })

  test('an answer to HEAD ends the scope', async () => {
    const { options, events, isTold } = listening()
    let later: Promise<string> | undefined
    const listener = withCredentials<Http2ServerRequest, Http2ServerResponse>(
      (_request, response) => {
        later = isTold.then(() => codeOf(getCredentials))
        response.end('body')
      },
      source,
      options,
    )
    await serving(listener, async (session) => {
      const answer = await send(session, { token: fakeToken(), method: 'HEAD' })
      assert.deepEqual(answer, { status: 200, text: '' })
      assert.equal(await later, 'ERR_CREDENTIAL_ENDED')
      assert.deepEqual(describeEvents(events), ['HEAD ok undefined'])
    })
  })

  test('a client that resets its stream half-way ends the scope', async () => {
    const { options, events, isTold } = listening()
    let later: Promise<string> | undefined
    const listener = withCredentials<Http2ServerRequest, Http2ServerResponse>(
      (_request, response) => {
        later = isTold.then(() => codeOf(getCredentials))
        response.write('half')
      },
      source,
      options,
    )
    await serving(listener, async (session) => {
      const stream = session.request({ ':path': '/', 'x-mcp-cred-access-token': fakeToken() })
      stream.on('error', () => {})
      await once(stream, 'data')
      assert.deepEqual(events, [])
      stream.close(constants.NGHTTP2_CANCEL)
      assert.equal(await later, 'ERR_CREDENTIAL_ENDED')
      assert.deepEqual(describeEvents(events), ['GET ok undefined'])
    })
  })

  for (const [name, leave] of [
    ['resets its stream', (stream) => stream.close(constants.NGHTTP2_CANCEL)],
    ['closes its connection', (stream) => stream.session?.destroy()],
  ] as [string, (stream: ReturnType<ClientHttp2Session['request']>) => void][]) {
    test(`a client that ${name} while the source is busy: the handler does not run`, async () => {
      const { options, events, isTold } = listening()
      const isAsked = defer()
      const hasLeft = defer()
      const slow: CredentialSource = async () => {
        isAsked.resolve()
        await hasLeft.promise
        return new OAuthCredential({ accessToken: fakeToken() })
      }
      const inner = withCredentials<Http2ServerRequest, Http2ServerResponse>(
        () => assert.fail('The handler ran.'),
        slow,
        options,
      )
      const listener: Listener = (request, response) => {
        response.once('close', hasLeft.resolve)
        return inner(request, response)
      }
      await serving(listener, async (session) => {
        const stream = session.request({ ':path': '/' })
        stream.on('error', () => {})
        await isAsked.promise
        leave(stream)
        await isTold
        await sleep(5)
        assert.deepEqual(describeEvents(events), ['GET failed The client has left.'])
      })
    })

    test(`a client that ${name} before the source is asked: the handler does not run`, async () => {
      const { options, events, isTold } = listening()
      const isAsked = defer()
      const inner = withCredentials<Http2ServerRequest, Http2ServerResponse>(
        () => assert.fail('The handler ran.'),
        () => new OAuthCredential({ accessToken: fakeToken() }),
        options,
      )
      const listener: Listener = async (request, response) => {
        isAsked.resolve()
        await once(response, 'close')
        await inner(request, response)
      }
      await serving(listener, async (session) => {
        const stream = session.request({ ':path': '/' })
        stream.on('error', () => {})
        await isAsked.promise
        leave(stream)
        await isTold
        assert.deepEqual(describeEvents(events), ['GET failed The client has left.'])
      })
    })
  }

  test('an error in a handler is told of, and ends the scope', async () => {
    const { options, events, isTold } = listening()
    const listener = withCredentials<Http2ServerRequest, Http2ServerResponse>(
      () => Promise.reject(new Error('upstream')),
      source,
      options,
    )
    await serving(listener, async (session) => {
      await assert.rejects(send(session, { token: fakeToken() }))
      await isTold
      assert.deepEqual(
        events.map(({ outcome }) => outcome),
        ['failed'],
      )
    })
  })
})
