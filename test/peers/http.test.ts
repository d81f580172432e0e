import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import express from 'express'
import multer from 'multer'
import {
  ConnectRequiredError,
  CredentialError,
  CredentialNotFoundError,
  fromEnv,
  fromHeaders,
  getCredentials,
  OAuthCredential,
  tryGetCredentials,
} from 'mcp-credentials'
import { createSignatureVerifier, signHeaders } from 'mcp-credentials/signature'
import type { AdapterOptions, CallDetails, CallEvent, CredentialSource } from 'mcp-credentials'
import { credentials } from 'mcp-credentials/express'
import { withCredentials } from 'mcp-credentials/node-http'
import { fingerprint, makeV1, makeV2 } from './servers.js'
import {
  clientV1,
  clientV2,
  connectOverHttp,
  handlerV2,
  listen,
  peerOf,
  statelessV1,
} from './wirings.js'
import type { Handle, Result } from './wirings.js'

// The middleware is typed against Express 5, and runs on both.
const express4: typeof express = createRequire(import.meta.url)('express-4')

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown

interface Front {
  name: string
  /** Whether the front knows when a handler is done. */
  awaitsHandler: boolean
  listener(handler: Handler, source: CredentialSource, options?: AdapterOptions): RequestListener
}

const inExpress =
  (framework: typeof express) =>
  (handler: Handler, source: CredentialSource, options?: AdapterOptions) => {
    const app = framework()
    app.use(credentials(source, options))
    app.use(
      (request, response, next) => void Promise.resolve(handler(request, response)).catch(next),
    )
    return app as RequestListener
  }

const FRONTS: Front[] = [
  { name: 'Express 4', awaitsHandler: false, listener: inExpress(express4) },
  { name: 'Express 5', awaitsHandler: false, listener: inExpress(express) },
  {
    name: 'node:http',
    awaitsHandler: true,
    listener: (handler, source, options) => {
      const wrapped = withCredentials(handler, source, options)
      return (request, response) =>
        void wrapped(request, response).catch((error: Error) => response.destroy(error))
    },
  },
]

/** What `onCall` was told, and a promise of the first time. */
function listening(more: AdapterOptions = {}) {
  const events: CallEvent[] = []
  const details: CallDetails[] = []
  const { promise: isTold, resolve } = defer()
  const onCall: AdapterOptions['onCall'] = (event, detail) => {
    events.push(event)
    details.push(detail)
    resolve()
  }
  return { options: { ...more, onCall }, events, details, isTold }
}

function defer() {
  let resolve = () => {}
  const promise = new Promise<void>((set) => {
    resolve = set
  })
  return { promise, resolve }
}

const HAS_LEFT = { name: 'AbortError', code: undefined, message: 'The client has left.' }

let serial = 0
const fakeToken = () => `FAKE-http-${++serial}-0123456789abcdef-do-not-leak`
const headersWith = (token: string) => ({ 'X-MCP-Cred-Access-Token': token })
const source = fromHeaders({ type: 'oauth' })
const codeOf = (fn: () => unknown) => {
  try {
    return fn() ? 'a credential' : 'nothing'
  } catch (error) {
    return String(Reflect.get(error as object, 'code'))
  }
}
const own: Handler = async (_request, response) => {
  await sleep(1)
  response.end(fingerprint(getCredentials('oauth').accessToken))
}

async function serving(listener: RequestListener, use: (url: URL) => Promise<void>): Promise<void> {
  const server = await listen(listener)
  try {
    await use(server.url)
  } finally {
    await server.close()
  }
}

for (const front of FRONTS) {
  describe(front.name, () => {
    test('a handler has the credential of its request', async () => {
      const token = fakeToken()
      await serving(front.listener(own, source), async (url) => {
        assert.equal(
          await (await fetch(url, { headers: headersWith(token) })).text(),
          fingerprint(token),
        )
      })
    })

    test('the source gets the headers by any case, and what was verified of the caller', async () => {
      const token = fakeToken()
      const custom: CredentialSource = ({ headers, authInfo, tool }) => {
        assert.equal(headers?.get('X-Tenant'), 'acme')
        assert.equal(headers?.get('x-absent'), null)
        assert.equal(headers?.get('constructor'), null)
        assert.equal(headers?.get('set-cookie'), 'a=1, b=2')
        assert.deepEqual(authInfo, { clientId: 'client' })
        assert.equal(tool, undefined)
        return new OAuthCredential({ accessToken: token })
      }
      const inner = front.listener(own, custom)
      const listener: RequestListener = (request, response) =>
        inner(Object.assign(request, { auth: { clientId: 'client' } }), response)
      await serving(listener, async (url) => {
        const headers: [string, string][] = [
          ['x-tenant', 'acme'],
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
        ]
        assert.equal(await (await fetch(url, { headers })).text(), fingerprint(token))
      })
    })

    test('signed headers are believed, unsigned and altered ones refused with 403', async () => {
      const [token, key] = [fakeToken(), fakeToken()]
      const signed = await signHeaders(headersWith(token), key)
      await serving(
        front.listener(
          own,
          fromHeaders({ type: 'oauth', verify: createSignatureVerifier({ keys: [key] }) }),
        ),
        async (url) => {
          assert.equal(await (await fetch(url, { headers: signed })).text(), fingerprint(token))
          for (const headers of [headersWith(token), { ...signed, 'x-mcp-cred-extra': '{}' }])
            assert.equal((await fetch(url, { headers })).status, 403)
        },
      )
    })

    const refusals: [
      name: string,
      status: number,
      source: CredentialSource,
      headers: Record<string, string>,
      body: RegExp,
    ][] = [
      [
        'a missing credential',
        403,
        source,
        {},
        /carries no X-MCP-Cred-Access-Token header\. Connect the account/,
      ],
      [
        'a malformed one',
        403,
        source,
        headersWith('two, FAKE-tokens'),
        /X-MCP-Cred-Access-Token has a comma in it/,
      ],
      [
        'an unknown one',
        403,
        () => {
          throw new CredentialNotFoundError('FAKE-id')
        },
        {},
        /No credential is stored for this caller/,
      ],
      [
        'an environment that lacks it',
        500,
        fromEnv('HTTP_', { env: {} }),
        {},
        /could not load the credential/,
      ],
      [
        'an environment that is malformed',
        500,
        fromEnv('HTTP_', { env: { HTTP_ACCESS_TOKEN: 'FAKE é' } }),
        {},
        /could not load the credential/,
      ],
      [
        'another type than declared',
        500,
        fromEnv('HTTP_', { type: 'oauth', env: { HTTP_CRED_TYPE: 'static' } }),
        {},
        /could not load the credential/,
      ],
      [
        'a source that throws',
        500,
        () => {
          throw new Error('vault: FAKE-secret')
        },
        {},
        /could not load the credential/,
      ],
      [
        'a source that returns no credential',
        500,
        () => ({ accessToken: 'FAKE-secret' }) as never,
        {},
        /could not load the credential/,
      ],
    ]
    for (const [name, status, bad, headers, body] of refusals) {
      test(`${name} is answered with ${status}, and the handler does not run`, async () => {
        const { options, events, details } = listening()
        const handler: Handler = () => assert.fail('The handler ran.')
        await serving(front.listener(handler, bad, options), async (url) => {
          const response = await fetch(url, { headers })
          const text = await response.text()
          assert.equal(response.status, status)
          assert.match(text, body)
          assert(!text.includes('FAKE'))
          assert.deepEqual(
            events.map(({ outcome, method }) => `${method} ${outcome}`),
            ['GET refused'],
          )
          assert.match(String(events[0]?.error?.code), /^ERR_CREDENTIAL_/)
          assert(!JSON.stringify(events).includes('FAKE'))
          assert(details[0]?.cause instanceof Error)
          if (front.name !== 'node:http') return
          assert.equal(response.headers.get('content-type'), 'application/json')
          assert.deepEqual(Object.keys(JSON.parse(text).error), ['code', 'message'])
        })
      })
    }

    test('without onCall, and with one that throws or rejects, the answer is the same', async () => {
      for (const options of [
        undefined,
        {
          onCall: () => {
            throw new Error('FAKE')
          },
        },
        { onCall: () => Promise.reject(new Error('FAKE')) },
      ]) {
        await serving(
          front.listener(
            own,
            () => {
              throw new Error('FAKE')
            },
            options,
          ),
          async (url) => {
            const response = await fetch(url)
            assert.equal(response.status, 500)
            assert(!(await response.text()).includes('FAKE'))
          },
        )
      }
      await serving(front.listener(own, fromEnv('HTTP_', { env: {} })), async (url) =>
        assert.equal((await fetch(url)).status, 500),
      )
    })

    test('anything but a source is a TypeError at once', () => {
      assert.throws(() => front.listener(own, {} as never), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_TYPE',
      })
    })

    test('an optional credential may be missing, but not malformed', async () => {
      const handler: Handler = (_request, response) =>
        response.end(`${codeOf(getCredentials)}, ${codeOf(tryGetCredentials)}`)
      await serving(front.listener(handler, source, { optional: true }), async (url) => {
        assert.equal(await (await fetch(url)).text(), 'ERR_CREDENTIAL_MISSING, nothing')
        assert.equal(
          await (await fetch(url, { headers: headersWith(fakeToken()) })).text(),
          'a credential, a credential',
        )
        assert.equal((await fetch(url, { headers: headersWith('two, tokens') })).status, 403)
      })
    })

    test('a body that is read with for await has the credential, one read by listeners has none', async () => {
      const handler: Handler = async (request, response) => {
        if (request.url === '/await') {
          let size = 0
          for await (const chunk of request) size += chunk.length
          response.end(`${size} ${codeOf(getCredentials)}`)
          return
        }
        let size = 0
        request.on('data', (chunk) => {
          size += chunk.length
        })
        request.on('end', () => response.end(`${size} ${codeOf(getCredentials)}`))
      }
      await serving(front.listener(handler, source), async (url) => {
        const post = async (path: string) =>
          (
            await fetch(new URL(path, url), {
              method: 'POST',
              headers: headersWith(fakeToken()),
              body: 'x'.repeat(100_000),
            })
          ).text()
        assert.equal(await post('/await'), '100000 a credential')
        assert.equal(await post('/listeners'), '100000 ERR_CREDENTIAL_NO_SCOPE')
      })
    })

    test('a streamed response keeps it until its end', async () => {
      const seen: string[] = []
      const handler: Handler = async (_request, response) => {
        for (let chunk = 0; chunk < 3; chunk++) {
          await sleep(5)
          seen.push(codeOf(getCredentials))
          response.write(`${chunk}`)
        }
        response.end()
      }
      await serving(front.listener(handler, source), async (url) => {
        assert.equal(await (await fetch(url, { headers: headersWith(fakeToken()) })).text(), '012')
        assert.deepEqual(seen, ['a credential', 'a credential', 'a credential'])
      })
    })

    test('a handler that goes on after the response', async () => {
      const seen: string[] = []
      let settled: () => void
      const isSettled = new Promise<void>((resolve) => {
        settled = resolve
      })
      const handler: Handler = async (_request, response) => {
        void sleep(80).then(() => {
          seen.push(`later ${codeOf(getCredentials)}`)
          settled()
        })
        response.end('done')
        await sleep(30)
        seen.push(codeOf(getCredentials))
      }
      await serving(front.listener(handler, source), async (url) => {
        await (await fetch(url, { headers: headersWith(fakeToken()) })).text()
        await isSettled
        const after = front.awaitsHandler ? 'a credential' : 'ERR_CREDENTIAL_ENDED'
        assert.deepEqual(seen, [after, 'later ERR_CREDENTIAL_ENDED'])
      })
    })

    test('a client that disconnects half-way', async () => {
      const seen: string[] = []
      let settled: () => void
      const isSettled = new Promise<void>((resolve) => {
        settled = resolve
      })
      const handler: Handler = async (_request, response) => {
        response.write('half')
        await new Promise((resolve) => response.once('close', resolve))
        await sleep(10)
        seen.push(codeOf(getCredentials))
        setTimeout(() => {
          seen.push(`later ${codeOf(getCredentials)}`)
          settled()
        }, 10)
      }
      await serving(front.listener(handler, source), async (url) => {
        const controller = new AbortController()
        const response = await fetch(url, {
          headers: headersWith(fakeToken()),
          signal: controller.signal,
        })
        controller.abort()
        await response.text().catch(() => undefined)
        await isSettled
        const after = front.awaitsHandler ? 'a credential' : 'ERR_CREDENTIAL_ENDED'
        assert.deepEqual(seen, [after, 'later ERR_CREDENTIAL_ENDED'])
      })
    })

    for (const [name, isMissing] of [
      ['the handler does not run', false],
      ['nobody is answered either', true],
    ] as const)
      test(`a client that leaves while the source is busy: ${name}, and onCall is told once`, async () => {
        const { options, events, isTold } = listening()
        const isAsked = defer()
        const hasLeft = defer()
        const slow: CredentialSource = async (request) => {
          isAsked.resolve()
          await hasLeft.promise
          if (isMissing) return source(request)
          return new OAuthCredential({ accessToken: fakeToken() })
        }
        const handler: Handler = () => assert.fail('The handler ran.')
        const inner = front.listener(handler, slow, options)
        const listener: RequestListener = (request, response) => {
          response.once('close', hasLeft.resolve)
          inner(request, response)
        }
        await serving(listener, async (url) => {
          const socket = connect(Number(url.port), url.hostname)
          socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
          await isAsked.promise
          socket.destroy()
          await isTold
          await sleep(20)
          const [event, ...others] = events
          assert.deepEqual(others, [])
          assert.equal(event?.outcome, isMissing ? 'refused' : 'failed')
          if (!isMissing) assert.deepEqual(event?.error, HAS_LEFT)
        })
      })

    test('a client that has left before the source is asked: the handler does not run', async () => {
      const { options, events, isTold } = listening()
      const isAsked = defer()
      const handler: Handler = () => assert.fail('The handler ran.')
      const inner = front.listener(
        handler,
        () => new OAuthCredential({ accessToken: fakeToken() }),
        options,
      )
      const listener: RequestListener = (request, response) => {
        isAsked.resolve()
        response.once('close', () => inner(request, response))
      }
      await serving(listener, async (url) => {
        const socket = connect(Number(url.port), url.hostname)
        socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
        await isAsked.promise
        socket.destroy()
        await isTold
        assert.deepEqual(
          events.map(({ outcome, error }) => [outcome, error]),
          [['failed', HAS_LEFT]],
        )
      })
    })

    test('onCall is told of each request once it is over', async () => {
      for (const [path, handler, outcome] of [
        ['/ok', own, 'ok'],
        ['/missing', (_request, response) => response.writeHead(404).end(), 'ok'],
        ['/failed', (_request, response) => response.writeHead(503).end(), 'failed'],
      ] as [string, Handler, string][]) {
        const token = fakeToken()
        const { options, events, details, isTold } = listening({ label: () => 'acme' })
        const seen: number[] = []
        const watched: Handler = (request, response) => {
          seen.push(events.length)
          return handler(request, response)
        }
        await serving(front.listener(watched, source, options), async (url) => {
          await (await fetch(new URL(path, url), { headers: headersWith(token) })).text()
          await isTold
          const [event, ...others] = events
          assert.deepEqual([seen, others], [[0], []])
          assert.deepEqual(
            [event?.method, event?.outcome, event?.type, event?.label, event?.error],
            ['GET', outcome, 'oauth', 'acme', undefined],
          )
          assert(!JSON.stringify(events).includes(token))
          assert.equal(details[0]?.credential?.accessToken, token)
        })
      }
    })

    test('an answer to HEAD ends the scope', async () => {
      const { options, events, isTold } = listening()
      const seen: string[] = []
      const isOver = defer()
      const handler: Handler = (_request, response) => {
        response.setHeader('content-length', 4)
        response.end('body')
        seen.push(codeOf(getCredentials))
        void isTold.then(() => {
          seen.push(codeOf(getCredentials))
          isOver.resolve()
        })
      }
      await serving(front.listener(handler, source, options), async (url) => {
        const headers = headersWith(fakeToken())
        const response = await fetch(url, { method: 'HEAD', headers })
        assert.equal(response.headers.get('content-length'), '4')
        await isOver.promise
        assert.deepEqual(seen, ['a credential', 'ERR_CREDENTIAL_ENDED'])
        assert.deepEqual(
          events.map(({ method, outcome }) => `${method} ${outcome}`),
          ['HEAD ok'],
        )
      })
    })

    test('an account that has to be connected is answered with 403 and the URL', async () => {
      const address = 'https://server.example/connect?ticket=abc'
      const connecting: CredentialSource = () => {
        throw new ConnectRequiredError(address)
      }
      await serving(front.listener(own, connecting), async (url) => {
        const response = await fetch(url)
        assert.equal(response.status, 403)
        const text = await response.text()
        assert(text.includes(address))
        if (front.name !== 'node:http') return
        const { error } = JSON.parse(text)
        assert.deepEqual([error.code, error.url], ['ERR_CREDENTIAL_CONNECT', address])
      })
    })

    test('an error in a handler stays its own', async () => {
      const token = fakeToken()
      const { options, events, details, isTold } = listening()
      const handler: Handler = async () => {
        await sleep(1)
        throw new Error(`upstream failed: ${codeOf(getCredentials)}`)
      }
      await serving(front.listener(handler, source, options), async (url) => {
        const response = await fetch(url, { headers: headersWith(token) }).catch(() => undefined)
        if (front.name === 'node:http') assert.equal(response, undefined)
        else assert.match(String(await response?.text()), /upstream failed: a credential/)
        await isTold
        assert.deepEqual(
          events.map(({ outcome }) => outcome),
          ['failed'],
        )
        const { cause } = details[0] ?? {}
        if (front.name === 'node:http') assert.match(String(cause), /upstream failed/)
        // Express keeps what its handlers throw to itself, and answers with 500.
        else assert.equal(cause, undefined)
      })
    })

    test('1,000 concurrent requests with as many credentials: none mixed up', async () => {
      const tokens = Array.from({ length: 1000 }, fakeToken)
      const ended: string[] = []
      const handler: Handler = async (_request, response) => {
        const first = getCredentials('oauth').accessToken
        void (async () => {
          while (!response.writableFinished) await sleep(20)
          await sleep(20)
          ended.push(codeOf(getCredentials))
        })()
        await sleep(Math.random() * 20)
        response.end(fingerprint(first === getCredentials('oauth').accessToken ? first : 'changed'))
      }
      await serving(front.listener(handler, source), async (url) => {
        const answers = await Promise.all(
          tokens.map(async (token) => (await fetch(url, { headers: headersWith(token) })).text()),
        )
        assert.deepEqual(answers, tokens.map(fingerprint))
        while (ended.length < 1000) await sleep(20)
        assert.deepEqual(new Set(ended), new Set(['ERR_CREDENTIAL_ENDED']))
      })
    })
  })
}

for (const [name, framework] of [
  ['Express 4', express4],
  ['Express 5', express],
] as const) {
  describe(`${name}, a real POST`, () => {
    const answer: express.RequestHandler = (request, response) => {
      response.end(`${JSON.stringify(request.body)} ${codeOf(getCredentials)}`)
    }
    const json = {
      method: 'POST',
      headers: { ...headersWith(fakeToken()), 'content-type': 'application/json' },
      body: '{"a":1}',
    }

    test('express.json() before the middleware, and after', async () => {
      for (const chain of [
        [express.json(), credentials(source)],
        [credentials(source), express.json()],
      ]) {
        const app = framework()
        app.post('/mcp', ...(chain as express.RequestHandler[]), answer)
        await serving(app, async (url) =>
          assert.equal(await (await fetch(url, json)).text(), '{"a":1} a credential'),
        )
      }
    })

    test('multer, whose files arrive through streams', async () => {
      const app = framework()
      app.post(
        '/mcp',
        credentials(source),
        multer().single('file') as express.RequestHandler,
        answer,
      )
      const body = new FormData()
      body.set('name', 'x')
      body.set('file', new Blob(['y'.repeat(200_000)]), 'file.txt')
      await serving(app, async (url) => {
        assert.equal(
          await (
            await fetch(url, { method: 'POST', headers: headersWith(fakeToken()), body })
          ).text(),
          '{"name":"x"} a credential',
        )
      })
    })

    const describeIt: express.ErrorRequestHandler = (error, _request, response, _next) => {
      const { code, message, url } = error
      response
        .status(error.status)
        .json({ code, message, url, own: error instanceof CredentialError })
    }

    for (const [error, status, code, url] of [
      [new CredentialError('ERR_CREDENTIAL_MISSING', 'Log in.'), 403, 'ERR_CREDENTIAL_MISSING'],
      [
        new ConnectRequiredError('https://server.example/c'),
        403,
        'ERR_CREDENTIAL_CONNECT',
        'https://server.example/c',
      ],
      [
        new CredentialError('ERR_CREDENTIAL_TYPE', 'The FAKE type.'),
        500,
        'ERR_CREDENTIAL_UNAVAILABLE',
      ],
    ] as [CredentialError, number, string, string | undefined][])
      test(`an error handler finds status ${status}, the code and the URL: ${code}`, async () => {
        const app = framework()
        app.use(
          credentials(() => {
            throw error
          }),
        )
        app.use(describeIt)
        await serving(app, async (address) => {
          const response = await fetch(address)
          assert.equal(response.status, status)
          const told = (await response.json()) as Record<string, unknown>
          assert.deepEqual([told['code'], told['url'], told['own']], [code, url, true])
          assert.equal(told['message'] === error.message, status === 403)
        })
      })

    test("a source's error is never written to: neither one that is frozen nor one of two requests", async () => {
      const shared = new CredentialError('ERR_CREDENTIAL_NOT_FOUND', 'Connect it.')
      const frozen = Object.freeze(new CredentialError('ERR_CREDENTIAL_NOT_FOUND', 'Connect it.'))
      for (const error of [shared, frozen]) {
        const before = Object.getOwnPropertyDescriptors(error)
        const passedOn: unknown[] = []
        const app = framework()
        app.use(
          credentials(() => {
            throw error
          }),
        )
        const handle: express.ErrorRequestHandler = (given, request, response, next) => {
          passedOn.push(given)
          given.seenBy = passedOn.length
          describeIt(given, request, response, next)
        }
        app.use(handle)
        await serving(app, async (url) => {
          const answers = await Promise.all([fetch(url), fetch(url)])
          assert.deepEqual(
            answers.map(({ status }) => status),
            [403, 403],
          )
        })
        assert.notEqual(passedOn[0], passedOn[1])
        assert(!passedOn.includes(error))
        assert.deepEqual(Object.getOwnPropertyDescriptors(error), before)
      }
    })
  })
}

describe('what an MCP client makes of a missing credential', () => {
  const clients = {
    v1: { make: () => clientV1(), handle: statelessV1(() => makeV1('v1 McpServer', source)) },
    'v2 of 2025': {
      make: () => clientV2('of 2025'),
      handle: handlerV2(() => makeV2('v2 McpServer', source)),
    },
    'v2 of 2026': {
      make: () => clientV2('of 2026'),
      handle: handlerV2(() => makeV2('v2 McpServer', source)),
    },
  }
  const mounts: [name: string, mount: (handle: Handle, optional: boolean) => RequestListener][] = [
    [
      'Express',
      (handle, optional) => {
        const app = express()
        app.use(
          '/mcp',
          credentials(source, { optional }),
          (request, response) => void handle(request, response),
        )
        return app as RequestListener
      },
    ],
    ['node:http', (handle, optional) => withCredentials(handle, source, { optional })],
  ]
  for (const [name, { make, handle }] of Object.entries(clients)) {
    test(`${name}: through the MCP adapter, a result that a person can act on`, async () => {
      await serving(
        (request, response) => void handle(request, response),
        async (url) => {
          const client = make()
          await connectOverHttp(client, url)
          const result: Result = await peerOf(client).call('whoami')
          await client.close()
          assert.equal(result.isError, true)
          assert.match(String(result.content?.[0]?.text), /Connect the account in the gateway/)
        },
      )
    })

    for (const [front, mount] of mounts) {
      test(`${name}: through ${front} in front of the endpoint it cannot connect, and says 403`, async () => {
        let requests = 0
        const listener = mount(handle, false)
        await serving(
          (request, response) => {
            requests += 1
            listener(request, response)
          },
          async (url) => {
            const client = make()
            await assert.rejects(connectOverHttp(client, url), /403|Connect the account/)
            // It stopped there: no log-in, no older protocol.
            assert(requests <= 2)
          },
        )
      })

      test(`${name}: through ${front} with optional: true it connects, and the MCP adapter answers`, async () => {
        await serving(mount(handle, true), async (url) => {
          const client = make()
          await connectOverHttp(client, url)
          const result = await peerOf(client).call('whoami')
          await client.close()
          assert.equal(result.isError, true)
        })
      })
    }
  }
})
