// The adapter for fetch handlers around a real Hono application, and in it, over @hono/node-server; and the one for raw HTTP
// around that server's listener.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { getRequestListener } from '@hono/node-server'
import { Hono } from 'hono'
import { stream, streamSSE } from 'hono/streaming'
import { fromHeaders, getCredentials, OAuthCredential } from 'mcp-credentials'
import type { AdapterOptions, CallEvent, CredentialSource } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/fetch'
import { withCredentials as withNodeCredentials } from 'mcp-credentials/node-http'
import { fingerprint } from './servers.js'

let serial = 0
const fakeToken = () => `FAKE-hono-${++serial}-0123456789abcdef-do-not-leak`
const source = fromHeaders({ type: 'oauth' })
const own = () => fingerprint(getCredentials('oauth').accessToken)
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

async function serving(server: Server, use: (url: URL) => Promise<void>): Promise<void> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  try {
    await use(new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`))
  } finally {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
}

const bytes = (text: string) => new TextEncoder().encode(text)

/** What a source of chunks sees, each of them asked for by whoever reads. */
const pulled = () => {
  let left = 3
  return new ReadableStream({
    async pull(controller) {
      await sleep(1)
      controller.enqueue(bytes(`${own()} `))
      left -= 1
      if (left === 0) controller.close()
    },
  })
}

const createApp = () =>
  new Hono()
    .get('/text', (context) => context.text(own()))
    .get('/json', (context) => context.json({ own: own() }))
    .get('/html', (context) => context.html(`<p>${own()}</p>`))
    .get('/bytes', (context) => context.body(bytes(own())))
    .get('/status', (context) => context.text(own(), 201, { 'x-own': 'kept' }))
    .get('/nothing', (context) => context.body(null, 204))
    .get('/failed', (context) => context.text(own(), 503))
    .get('/stream', (context) =>
      stream(context, async (to) => {
        for (let chunk = 0; chunk < 3; chunk++) {
          await to.sleep(2)
          await to.write(`${own()} `)
        }
      }),
    )
    .get('/events', (context) =>
      streamSSE(context, async (to) => {
        for (let event = 0; event < 3; event++) {
          await to.sleep(2)
          await to.writeSSE({ data: own() })
        }
      }),
    )
    .get('/pulled', () => new Response(pulled()))
    .get('/pulled-json', () => new Response(pulled(), { headers: { 'content-type': 'text/json' } }))

const FRONTS: [
  name: string,
  create: (source: CredentialSource, options?: AdapterOptions) => Server,
][] = [
  [
    'the adapter for fetch handlers around the application',
    (given, options) => {
      const app = createApp()
      const handler = withCredentials((request: Request) => app.fetch(request), given, options)
      return createServer(getRequestListener(handler))
    },
  ],
  [
    'the adapter for raw HTTP around the listener',
    (given, options) => {
      const listener = withNodeCredentials(getRequestListener(createApp().fetch), given, options)
      return createServer((request, response) => void listener(request, response))
    },
  ],
]

for (const [name, create] of FRONTS)
  describe(`Hono on Node.js, ${name}`, () => {
    const COMPLETE: [path: string, status: number, text: (own: string) => string][] = [
      ['/text', 200, (own) => own],
      ['/json', 200, (own) => JSON.stringify({ own })],
      ['/html', 200, (own) => `<p>${own}</p>`],
      ['/bytes', 200, (own) => own],
      ['/status', 201, (own) => own],
      ['/failed', 503, (own) => own],
      ['/nothing', 204, () => ''],
    ]
    for (const [path, status, text] of COMPLETE)
      test(`a complete body keeps its Content-Length: ${path}`, async () => {
        const token = fakeToken()
        const { options, events, isTold } = listening()
        await serving(create(source, options), async (url) => {
          const headers = { 'x-mcp-cred-access-token': token }
          const response = await fetch(new URL(path, url), { headers })
          const expected = text(fingerprint(token))
          assert.equal(response.status, status)
          assert.equal(await response.text(), expected)
          const length = response.headers.get('content-length')
          assert.equal(length, expected === '' ? null : String(expected.length))
          assert.equal(response.headers.get('transfer-encoding'), null)
          await isTold
          assert.deepEqual(
            events.map(({ outcome }) => outcome),
            [status === 503 ? 'failed' : 'ok'],
          )
        })
      })

    for (const path of ['/stream', '/events', '/pulled', '/pulled-json'])
      test(`a stream has the credential to its end: ${path}`, async () => {
        const token = fakeToken()
        const { options, events, isTold } = listening()
        await serving(create(source, options), async (url) => {
          const headers = { 'x-mcp-cred-access-token': token }
          const text = await (await fetch(new URL(path, url), { headers })).text()
          assert.equal(text.split(fingerprint(token)).length, 4, text)
          await isTold
          assert.deepEqual(
            events.map(({ outcome }) => outcome),
            ['ok'],
          )
        })
      })

    test('HEAD of any of them ends the scope', async () => {
      for (const path of ['/text', '/json', '/stream', '/events', '/pulled', '/pulled-json']) {
        const { options, events, isTold } = listening()
        await serving(create(source, options), async (url) => {
          const headers = { 'x-mcp-cred-access-token': fakeToken() }
          await fetch(new URL(path, url), { method: 'HEAD', headers })
          await isTold
          assert.deepEqual(
            events.map(({ method, outcome }) => `${method} ${outcome}`),
            ['HEAD ok'],
          )
        })
      }
    })

    test('a client that leaves while the source is busy: no handler runs, and onCall is told once', async () => {
      const { options, events, isTold } = listening()
      const isAsked = defer()
      const hasLeft = defer()
      const token = fakeToken()
      const slow: CredentialSource = async () => {
        isAsked.resolve()
        await hasLeft.promise
        return new OAuthCredential({ accessToken: token })
      }
      const server = create(slow, options)
      server.on('connection', (socket) => socket.once('close', () => setTimeout(hasLeft.resolve)))
      await serving(server, async (url) => {
        const socket = connect(Number(url.port), url.hostname)
        socket.write('GET /text HTTP/1.1\r\nhost: localhost\r\n\r\n')
        await isAsked.promise
        socket.destroy()
        await isTold
        await sleep(5)
        const [event, ...others] = events
        assert.deepEqual(others, [])
        assert.deepEqual(
          [event?.outcome, event?.error?.message],
          ['failed', 'The client has left.'],
        )
      })
    })
  })

describe('Hono, with the adapter around one route', () => {
  test('HEAD, which Hono answers with the body of GET unread, ends the scope', async () => {
    for (const body of ['text', undefined]) {
      const { options, events, isTold } = listening()
      let later: Promise<string> | undefined
      const handler = withCredentials(
        (_request: Request) => {
          later = isTold.then(() => codeOf(getCredentials))
          return new Response(body ?? pulled())
        },
        source,
        options,
      )
      const app = new Hono().get('/', (context) => handler(context.req.raw))
      await serving(createServer(getRequestListener(app.fetch)), async (url) => {
        const headers = { 'x-mcp-cred-access-token': fakeToken() }
        const response = await fetch(url, { method: 'HEAD', headers })
        assert.equal(response.status, 200)
        assert.equal(await later, 'ERR_CREDENTIAL_ENDED')
        assert.deepEqual(
          events.map(({ method, outcome }) => `${method} ${outcome}`),
          ['HEAD ok'],
        )
      })
    }
  })
})
