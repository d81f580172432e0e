import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { Server as ServerV1 } from '@modelcontextprotocol/sdk/server/index.js'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import { McpServer as McpServerV2, Server as ServerV2 } from '@modelcontextprotocol/server'
import {
  CredentialError,
  CredentialNotFoundError,
  fromEnv,
  getCredentials,
  OAuthCredential,
} from 'mcp-credentials'
import type { CallEvent, OnCall, CredentialRequest, CredentialSource } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { z } from 'zod'
import { afterwards, fingerprint, makeV1, makeV2 } from './servers.js'
import {
  clientV1,
  clientV2,
  handlerV2,
  inMemory,
  KINDS_V1,
  KINDS_V2,
  listen,
  overHttp,
  peerOf,
  statefulV2,
  statelessV1,
  using,
} from './wirings.js'
import type { AnyV1, AnyV2, Handle, Result } from './wirings.js'

const TOKEN = 'FAKE-options-0123456789abcdef-do-not-leak'
const INFO = { name: 'peer', version: '1.0.0' }
const give: CredentialSource = () => new OAuthCredential({ accessToken: TOKEN })
const miss = fromEnv('PEER_', { type: 'oauth', env: {} })
const reply = () => ({
  content: [{ type: 'text' as const, text: fingerprint(getCredentials('oauth').accessToken) }],
})
const textOf = (result: unknown) => (result as Result).content?.[0]?.text

const KINDS = [...KINDS_V1, ...KINDS_V2]
const make = (
  kind: (typeof KINDS)[number],
  ...rest: [CredentialSource, Parameters<typeof makeV1>[2]?]
): AnyV1 | AnyV2 =>
  kind === 'v1 McpServer' || kind === 'v1 Server' ? makeV1(kind, ...rest) : makeV2(kind, ...rest)

describe('a source that fails with anything else than a CredentialError', () => {
  const sources: [name: string, source: CredentialSource, message: RegExp][] = [
    [
      'throws',
      () => {
        throw new Error(`vault: ${TOKEN}`)
      },
      /^vault:/,
    ],
    ['rejects', () => Promise.reject(new Error(`vault: ${TOKEN}`)), /^vault:/],
    [
      'returns a plain object',
      () => ({ type: 'oauth', accessToken: TOKEN }) as never,
      /^A credential source returns a StaticCredential or/,
    ],
    [
      'returns nothing',
      () => undefined as never,
      /^A credential source returns a StaticCredential or/,
    ],
  ]
  for (const kind of KINDS) {
    for (const [name, source, message] of sources) {
      test(`${kind}: ${name}: the client gets a general message, onCall the error`, async () => {
        const errors: unknown[] = []
        const events: CallEvent[] = []
        const onCall: OnCall = (event, { cause }) => {
          events.push(event)
          errors.push(cause)
          throw cause
        }
        await using(inMemory(make(kind, source, { onCall })), async ({ call }) => {
          const result = await call('whoami')
          assert.equal(result.isError, true)
          assert.match(
            String(textOf(result)),
            /^The server could not load the credential for this call\./,
          )
          assert(!JSON.stringify(result).includes(TOKEN.slice(0, 12)))
        })
        assert.equal(errors.length, 1)
        assert.equal(events[0]?.outcome, 'refused')
        assert.equal(events[0]?.error?.code, 'ERR_CREDENTIAL_UNAVAILABLE')
        assert(!JSON.stringify(events).includes(TOKEN.slice(0, 12)))
        assert.match(String((errors[0] as Error).message), message)
      })
    }
  }

  for (const kind of KINDS) {
    test(`${kind}: a hook that rejects changes nothing, and ends nothing`, async () => {
      const told: string[] = []
      const onCall: OnCall = async ({ outcome }) => {
        told.push(outcome)
        throw new Error(TOKEN)
      }
      const options = { onCall }
      const failing: CredentialSource = () => Promise.reject(new Error(TOKEN))
      await using(inMemory(make(kind, failing, options)), async ({ call }) => {
        assert.match(String(textOf(await call('whoami'))), /^The server could not load/)
      })
      const named: CredentialSource = () => new OAuthCredential({ accessToken: 'leave0123456789' })
      await using(inMemory(make(kind, named, options)), async ({ call }) => {
        const result = await call('echo', { name: 'leave0123456789' })
        assert.equal(textOf(result), '[redacted]')
      })
      // An unhandled rejection fails the test.
      await sleep(5)
      assert.deepEqual(told, ['refused', 'ok'])
    })
  }

  test('without onCall the client still gets the general message', async () => {
    await using(
      inMemory(
        make('v2 Server', () => {
          throw TOKEN
        }),
      ),
      async ({ call }) => {
        assert.match(String(textOf(await call('whoami'))), /^The server could not load/)
      },
    )
  })
})

describe('an optional credential', () => {
  for (const kind of KINDS) {
    test(`${kind}: a tool that can do without runs, and its getCredentials() throws what the source threw`, async () => {
      for (const optional of [true, ({ tool }: CredentialRequest) => tool === 'optional']) {
        await using(inMemory(make(kind, miss, { optional })), async ({ call }) => {
          assert.equal(textOf(await call('optional')), 'ERR_CREDENTIAL_MISSING')
        })
      }
      await using(
        inMemory(make(kind, miss, { optional: ({ tool }) => tool !== 'optional' })),
        async ({ call }) => {
          assert.equal((await call('optional')).isError, true)
        },
      )
    })

    test(`${kind}: is still refused when it is malformed or unknown`, async () => {
      const invalid = fromEnv('PEER_', { type: 'oauth', env: { PEER_ACCESS_TOKEN: 'é' } })
      const unknown: CredentialSource = () => {
        throw new CredentialNotFoundError('tenant')
      }
      for (const source of [invalid, unknown]) {
        await using(inMemory(make(kind, source, { optional: true })), async ({ call }) =>
          assert.equal((await call('optional')).isError, true),
        )
      }
    })
  }
})

describe('a call that is cancelled while the source is busy', () => {
  for (const kind of KINDS) {
    test(`${kind}: its tool does not run`, async () => {
      const name = `${kind} cancelled early`
      let signal: CredentialRequest['signal']
      const slow: CredentialSource = async (request) => {
        signal = request.signal
        await sleep(60)
        return new OAuthCredential({ accessToken: TOKEN })
      }
      await using(inMemory(make(kind, slow)), async ({ call }) => {
        const controller = new AbortController()
        setTimeout(() => controller.abort(), 20)
        await assert.rejects(
          call('leave', { name, milliseconds: 0 }, { signal: controller.signal }),
        )
        await sleep(80)
        assert.equal(signal?.aborted, true)
        assert.equal(afterwards.has(name), false)
      })
    })
  }
})

describe('what a source is told of the call', () => {
  const authInfo = { token: 'caller', clientId: 'client', scopes: [] }
  const authenticated =
    (handle: Handle): Handle =>
    (request, response) =>
      handle(Object.assign(request, { auth: authInfo }), response)
  const serve = {
    v1: (source: CredentialSource) =>
      [statelessV1(() => makeV1('v1 McpServer', source)), clientV1()] as const,
    v2: (source: CredentialSource) =>
      [handlerV2(() => makeV2('v2 McpServer', source)), clientV2('of 2026')] as const,
    'v2 with sessions': (source: CredentialSource) =>
      [statefulV2(() => makeV2('v2 Server', source)), clientV2('of 2025')] as const,
  }
  for (const [name, wire] of Object.entries(serve)) {
    test(`${name}: the tool, the headers, who calls, the session and the signal`, async () => {
      const requests: (CredentialRequest & { wasAborted: unknown })[] = []
      const source: CredentialSource = (request) => {
        requests.push({ ...request, wasAborted: request.signal?.aborted })
        return give(request)
      }
      const [handle, client] = wire(source)
      const connected = overHttp(authenticated(handle), client, () => ({ 'X-Tenant': 'acme' }))
      await using(connected, async ({ call }) => {
        await call('whoami')
      })
      const [request] = requests
      assert.equal(request?.tool, 'whoami')
      assert.equal(request?.headers?.get('X-Tenant'), 'acme')
      assert.equal(request?.headers?.get('x-absent'), null)
      assert.equal(request?.headers?.get('constructor'), null)
      assert.deepEqual(request?.authInfo, authInfo)
      assert.equal(request?.wasAborted, false)
      assert.equal(typeof request?.sessionId, name === 'v2 with sessions' ? 'string' : 'undefined')
    })
  }

  test('v1 over legacy SSE: each header of a POST, those that Node.js keeps in a list too', async () => {
    const transports = new Map<string, SSEServerTransport>()
    let cookies: unknown
    const source: CredentialSource = (request) => {
      cookies = request.headers?.get('set-cookie')
      return give(request)
    }
    const server = await listen((request, response) => {
      const { searchParams } = new URL(String(request.url), 'http://127.0.0.1')
      if (request.method === 'POST')
        return void transports
          .get(String(searchParams.get('sessionId')))
          ?.handlePostMessage(request, response)
      const transport = new SSEServerTransport('/messages', response)
      transports.set(transport.sessionId, transport)
      void makeV1('v1 McpServer', source).connect(transport)
    })
    const client = clientV1()
    const headers: [string, string][] = [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ]
    await client.connect(
      new SSEClientTransport(server.url, {
        fetch: (url, init) => {
          const all = new Headers(init?.headers)
          for (const [name, value] of headers) all.append(name, value)
          return fetch(url, { ...init, headers: all })
        },
      }) as never,
    )
    await using(
      Promise.resolve(
        peerOf(client, async () => {
          await client.close()
          await server.close()
        }),
      ),
      async ({ call }) => {
        assert.equal(textOf(await call('whoami')), fingerprint(TOKEN))
        assert.equal(cookies, 'a=1, b=2')
      },
    )
  })
})

describe('options.methods', () => {
  const methods = ['resources/read', 'prompts/get']
  const read = (uri: URL) => ({ contents: [{ uri: uri.href, text: textOf(reply()) ?? '' }] })
  const prompt = () => ({ messages: [{ role: 'user' as const, content: reply().content[0]! }] })
  // The two registries have the same shape, which TypeScript cannot see through their overloads.
  const createV1 = () => new McpServerV1(INFO) as unknown as McpServerV2
  const register = <S extends McpServerV2>(server: S) => {
    server.registerResource('file', 'test://file', {}, read)
    server.registerPrompt('ask', {}, prompt)
    return server
  }
  for (const [name, create] of [
    ['v1', createV1],
    ['v2', () => new McpServerV2(INFO)],
  ] as const) {
    test(`${name}: reading a resource and getting a prompt have the credential`, async () => {
      await using(
        inMemory(register(withCredentials(create(), give, { methods }))),
        async ({ client }) => {
          const resource = await client.readResource({ uri: 'test://file' })
          assert.match(JSON.stringify(resource), new RegExp(fingerprint(TOKEN)))
          assert.match(
            JSON.stringify(await client.getPrompt({ name: 'ask' })),
            new RegExp(fingerprint(TOKEN)),
          )
        },
      )
    })

    test(`${name}: a missing credential is an error, with the message and the code`, async () => {
      for (const optional of [false, ({ tool }: CredentialRequest) => tool !== undefined]) {
        await using(
          inMemory(register(withCredentials(create(), miss, { methods, optional }))),
          async ({ client }) => {
            const refused = {
              message: /Set PEER_ACCESS_TOKEN/,
              data: { code: 'ERR_CREDENTIAL_MISSING' },
            }
            await assert.rejects(client.readResource({ uri: 'test://file' }), refused)
            await assert.rejects(client.getPrompt({ name: 'ask' }), refused)
          },
        )
      }
      await using(
        inMemory(
          register(
            withCredentials(
              create(),
              () => {
                throw TOKEN
              },
              { methods },
            ),
          ),
        ),
        async ({ client }) => {
          await assert.rejects(client.getPrompt({ name: 'ask' }), {
            message: /The server could not load/,
            data: { code: 'ERR_CREDENTIAL_UNAVAILABLE' },
          })
        },
      )
    })

    test(`${name}: other methods need none unless they are listed`, async () => {
      const server = withCredentials(create(), miss)
      server.registerResource('file', 'test://file', {}, (uri) => ({
        contents: [{ uri: uri.href, text: 'public' }],
      }))
      await using(inMemory(server), async ({ client }) => {
        assert.match(JSON.stringify(await client.readResource({ uri: 'test://file' })), /public/)
      })
    })
  }
})

describe('a server whose handler is there already', () => {
  const capabilities = { tools: {} }
  const early: [name: string, make: () => AnyV1 | AnyV2][] = [
    [
      'v1, a fallback set first',
      () => {
        const server = new ServerV1(INFO, { capabilities })
        server.fallbackRequestHandler = async () => reply()
        return withCredentials(server, give)
      },
    ],
    [
      'v2, a fallback set first',
      () => {
        const server = new ServerV2(INFO, { capabilities })
        server.fallbackRequestHandler = async () => reply()
        return withCredentials(server, give)
      },
    ],
    [
      'v1, a fallback set later',
      () => {
        const server = withCredentials(new ServerV1(INFO, { capabilities }), give)
        server.fallbackRequestHandler = async () => reply()
        return server
      },
    ],
    [
      'v2, a fallback set later',
      () => {
        const server = withCredentials(new ServerV2(INFO, { capabilities }), give)
        server.fallbackRequestHandler = async () => reply()
        assert(server.fallbackRequestHandler)
        return server
      },
    ],
  ]
  for (const [name, create] of early) {
    test(`${name}: is wrapped all the same`, async () => {
      await using(inMemory(create()), async ({ call }) =>
        assert.equal(textOf(await call('whoami')), fingerprint(TOKEN)),
      )
    })
  }

  test('v2: a handler with schemas of its own is called with the params, and its tool is known by name', async () => {
    const server = new ServerV2(INFO, { capabilities })
    const asked: unknown[] = []
    withCredentials(server, (request) => {
      asked.push(request.tool)
      return give(request)
    })
    const params = z.object({ name: z.string(), params: z.looseObject({}).optional() })
    server.setRequestHandler('tools/call', { params }, async ({ name }) => ({
      content: [{ type: 'text', text: `${name} ${textOf(reply())}` }],
    }))
    await using(inMemory(server), async ({ call }) => {
      assert.equal(textOf(await call('whoami')), `whoami ${fingerprint(TOKEN)}`)
    })
    assert.deepEqual(asked, ['whoami'])
  })
})

describe('misuse is a TypeError', () => {
  test('for a server that has its credentials already, also from another copy of the adapter', () => {
    for (const server of [new McpServerV1(INFO), new McpServerV2(INFO)]) {
      withCredentials(server, give)
      for (const again of [server, server.server]) {
        assert.throws(() => withCredentials(again, give), {
          name: 'TypeError',
          code: 'ERR_INVALID_ARG_VALUE',
          message: /given its credentials already/,
        })
      }
    }
  })

  test('for anything but a server, and but a source', () => {
    for (const server of [undefined, null, {}, { server: null }, 'server']) {
      assert.throws(() => withCredentials(server as never, give), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_TYPE',
        message: /takes an McpServer or a Server/,
      })
    }
    assert.throws(() => withCredentials(new McpServerV2(INFO), {} as never), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
      message: /source must be a function/,
    })
  })

  test('of the SDK stays its own', () => {
    const server = withCredentials(new ServerV2(INFO, { capabilities: { tools: {} } }), give)
    assert.throws(
      () => server.setRequestHandler('tools/call', undefined as never),
      /handler is required/,
    )
  })
})

test('a CredentialError of a custom source reaches the person with its message', async () => {
  const source: CredentialSource = () => {
    throw new CredentialError(
      'ERR_CREDENTIAL_NOT_FOUND',
      'Connect GitHub first: https://gateway.example/connect',
    )
  }
  for (const kind of KINDS) {
    await using(inMemory(make(kind, source)), async ({ call }) => {
      assert.deepEqual(await call('whoami'), {
        content: [{ type: 'text', text: 'Connect GitHub first: https://gateway.example/connect' }],
        isError: true,
      })
    })
  }
})
