// What the adapter does to a server, and to the context of a tool: no more than it has to.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Server as ServerV1 } from '@modelcontextprotocol/sdk/server/index.js'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { CallToolRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import {
  InMemoryTransport,
  McpServer as McpServerV2,
  Server as ServerV2,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server'
import {
  CredentialError,
  fromHeaders,
  getCredentials,
  MissingCredentialHeaderError,
  OAuthCredential,
} from 'mcp-credentials'
import type { CallDetails, CallEvent, CredentialRequest, CredentialSource } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import type { WithCredentialsOptions } from 'mcp-credentials/mcp'
import { fingerprint, makeV1, makeV2, waiting } from './servers.js'
import {
  clientV1,
  clientV2,
  handlerV2,
  inMemory,
  KINDS_V1,
  KINDS_V2,
  overHttp,
  statefulV1,
  statefulV2,
  overSse,
  statelessV1,
} from './wirings.js'
import type { AnyV1, AnyV2, HeadersFor, Peer, Result } from './wirings.js'

const INFO = { name: 'seam', version: '1.0.0' }
const TOKEN = 'FAKE-seam-0123456789abcdef-do-not-leak'
const KEY = 'FAKE-seam-key-fedcba9876543210-do-not-leak'
const capabilities = { tools: {} }
const give: CredentialSource = () => new OAuthCredential({ accessToken: TOKEN })
const KINDS = [...KINDS_V1, ...KINDS_V2]
const make = (
  kind: (typeof KINDS)[number],
  source: CredentialSource,
  options?: WithCredentialsOptions,
): AnyV1 | AnyV2 =>
  kind === 'v1 McpServer' || kind === 'v1 Server'
    ? makeV1(kind, source, options)
    : makeV2(kind, source, options)

const textOf = (result: unknown) => (result as Result).content?.[0]?.text
const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] })

async function withPeer(connected: Promise<Peer>, use: (peer: Peer) => Promise<unknown>) {
  const peer = await connected
  try {
    await use(peer)
  } finally {
    await peer.close()
  }
}

/** Nothing, where a getter does not like to be asked. */
function read(owner: object, key: string | symbol, receiver: object): unknown {
  try {
    return Reflect.get(owner, key, receiver)
  } catch {
    return undefined
  }
}

function itemsOf(value: object): unknown[] {
  const isCollection = value instanceof Headers || value instanceof Map || value instanceof Set
  try {
    return isCollection ? [...value] : []
  } catch {
    // Made like Headers, and none: what they are made of is looked at.
    return []
  }
}

/** All texts that can be reached from a value: through properties, getters, headers, maps, and what is hidden from loops. */
function textsIn(value: unknown, seen = new Set<unknown>(), texts: string[] = []): string[] {
  if (typeof value === 'string') texts.push(value)
  if (typeof value !== 'object' || value === null || seen.has(value)) return texts
  seen.add(value)
  for (const item of itemsOf(value)) textsIn(item, seen, texts)
  for (let owner: object | null = value; owner; owner = Object.getPrototypeOf(owner)) {
    for (const key of Reflect.ownKeys(owner)) {
      const isGetter = Object.getOwnPropertyDescriptor(owner, key)?.get !== undefined
      if (key === '__proto__' || (owner !== value && !isGetter)) continue
      texts.push(String(key))
      textsIn(read(owner, key, value), seen, texts)
    }
  }
  return texts
}

describe('the context of a tool, walked in depth', () => {
  const HEADERS = {
    'X-MCP-Cred-Access-Token': TOKEN,
    'X-API-Key': KEY,
    'X-Other': 'the other header',
  }
  const seen: string[][] = []
  const look = (context: unknown) => {
    seen.push(textsIn(context))
    return text('looked')
  }
  // The two registries have the same shape, which TypeScript cannot see through their overloads.
  type Wrap = (server: McpServerV2) => McpServerV2
  const makeV1Server = (wrap: Wrap) => () => {
    const server = wrap(new McpServerV1(INFO) as unknown as McpServerV2)
    server.registerTool('look', {}, look)
    return server as unknown as AnyV1
  }
  const makeLowV1 = (wrap: Wrap) => (): AnyV1 => {
    const server = wrap(new ServerV1(INFO, { capabilities }) as never) as unknown as ServerV1
    server.setRequestHandler(CallToolRequestSchema, (_request, extra) => look(extra))
    return server
  }
  const makeV2Server = (wrap: Wrap) => (): AnyV2 => {
    const server = wrap(new McpServerV2(INFO))
    server.registerTool('look', {}, look)
    return server
  }
  const makeLowV2 = (wrap: Wrap) => (): AnyV2 => {
    const server = wrap(new ServerV2(INFO, { capabilities }) as never) as unknown as ServerV2
    server.setRequestHandler('tools/call', (_request, ctx) => look(ctx))
    return server
  }
  const WIRINGS: [name: string, connect: (wrap: Wrap, headers: HeadersFor) => Promise<Peer>][] = [
    ['v1 McpServer, stateless', (w, h) => overHttp(statelessV1(makeV1Server(w)), clientV1(), h)],
    ['v1 McpServer, sessions', (w, h) => overHttp(statefulV1(makeV1Server(w)), clientV1(), h)],
    ['v1 Server, stateless', (w, h) => overHttp(statelessV1(makeLowV1(w)), clientV1(), h)],
    ['v1 Server, sessions', (w, h) => overHttp(statefulV1(makeLowV1(w)), clientV1(), h)],
    ['v1 McpServer, legacy SSE', (w, h) => overSse(makeV1Server(w), h)],
    ['v1 Server, legacy SSE', (w, h) => overSse(makeLowV1(w), h)],
    ['v2 McpServer, 2025', (w, h) => overHttp(handlerV2(makeV2Server(w)), clientV2('of 2025'), h)],
    ['v2 McpServer, 2026', (w, h) => overHttp(handlerV2(makeV2Server(w)), clientV2('of 2026'), h)],
    [
      'v2 McpServer, sessions',
      (w, h) => overHttp(statefulV2(makeV2Server(w)), clientV2('of 2025'), h),
    ],
    ['v2 Server, 2025', (w, h) => overHttp(handlerV2(makeLowV2(w)), clientV2('of 2025'), h)],
    ['v2 Server, 2026', (w, h) => overHttp(handlerV2(makeLowV2(w)), clientV2('of 2026'), h)],
    ['v2 Server, sessions', (w, h) => overHttp(statefulV2(makeLowV2(w)), clientV2('of 2025'), h)],
  ]
  const source = fromHeaders({ type: 'oauth' })
  for (const [name, connect] of WIRINGS) {
    const walk = async (wrap: Wrap, headers: HeadersFor = () => HEADERS) => {
      seen.length = 0
      await withPeer(connect(wrap, headers), async ({ call }) => {
        assert.equal(textOf(await call('look')), 'looked')
      })
      assert.equal(seen.length, 1)
      return seen[0]?.join('\n') ?? ''
    }

    test(`${name}: neither credential headers nor stripped ones, and all others`, async () => {
      const stripHeaders = ['X-API-Key']
      const found = await walk((server) => withCredentials(server, source, { stripHeaders }))
      assert(!found.includes(TOKEN) && !found.includes(KEY))
      assert.doesNotMatch(found, /x-mcp-cred|x-api-key/i)
      assert.match(found, /the other header/)
    })

    test(`${name}: a stripped header where there is no credential header`, async () => {
      const wrap: Wrap = (server) => withCredentials(server, give, { stripHeaders: ['x-api-KEY'] })
      const found = await walk(wrap, () => ({ 'X-API-Key': KEY, 'X-Other': 'the other header' }))
      assert(!found.includes(KEY))
      assert.match(found, /the other header/)
    })

    test(`${name}: a header that is not stripped is found (negative control)`, async () => {
      const found = await walk((server) => withCredentials(server, source))
      assert(!found.includes(TOKEN) && found.includes(KEY))
      const open = await walk((server) => server)
      assert(open.includes(TOKEN) && open.includes(KEY))
    })
  }

  test('nor do resources and prompts, which get no credential, see the headers of one', async () => {
    const register: Wrap = (server) => {
      server.registerResource('look', 'look://here', {}, (uri, context) => {
        look(context)
        return { contents: [{ uri: uri.href, text: 'looked' }] }
      })
      server.registerPrompt('look', {}, (context) => {
        look(context)
        return { messages: [] }
      })
      return withCredentials(server, source, { stripHeaders: ['x-api-key'] })
    }
    const v1 = () => register(new McpServerV1(INFO) as unknown as McpServerV2) as unknown as AnyV1
    const v2 = () => register(new McpServerV2(INFO))
    const peers = [
      overHttp(statelessV1(v1), clientV1(), () => HEADERS),
      overHttp(handlerV2(v2), clientV2('of 2025'), () => HEADERS),
      overHttp(handlerV2(v2), clientV2('of 2026'), () => HEADERS),
    ]
    for (const peer of peers) {
      seen.length = 0
      await withPeer(peer, async ({ client }) => {
        await client.readResource({ uri: 'look://here' })
        await client.getPrompt({ name: 'look' })
      })
      assert.equal(seen.length, 2)
      for (const found of seen.map((texts) => texts.join('\n'))) {
        assert(!found.includes(TOKEN) && !found.includes(KEY))
        assert.match(found, /the other header/)
      }
    }
  })

  test('the source reads the header that is stripped', async () => {
    const fromKey: CredentialSource = ({ headers }) =>
      new OAuthCredential({ accessToken: String(headers?.get('x-api-key')) })
    const wrap = (server: McpServerV2) =>
      withCredentials(server, fromKey, { stripHeaders: ['x-api-key'] })
    const handle = handlerV2(() => {
      const server = wrap(new McpServerV2(INFO))
      server.registerTool('look', {}, () => text(fingerprint(getCredentials('oauth').accessToken)))
      return server
    })
    const connected = overHttp(handle, clientV2('of 2026'), () => ({ 'X-API-Key': KEY }))
    await withPeer(connected, async ({ call }) => {
      assert.equal(textOf(await call('look')), fingerprint(KEY))
    })
  })
})

describe('the context is the very same object where nothing has to be taken out', () => {
  const CONTEXTS: [name: string, kind: 'v1 Server' | 'v2 Server', context: object][] = [
    ['v1, over a pipe', 'v1 Server', { requestId: 'apart', signal: {} }],
    [
      'v1, over HTTP',
      'v1 Server',
      { requestId: 'apart', requestInfo: { headers: { 'x-other': 'a' } } },
    ],
    ['v2, over a pipe', 'v2 Server', { mcpReq: { id: 'apart' } }],
    [
      'v2, over HTTP',
      'v2 Server',
      { mcpReq: { id: 'apart' }, http: { req: new Request('http://a/') } },
    ],
    [
      'v2, authenticated over a pipe',
      'v2 Server',
      { mcpReq: { id: 'apart' }, http: { authInfo: {} } },
    ],
  ]
  for (const [name, kind, context] of CONTEXTS) {
    test(name, async () => {
      const given: unknown[] = []
      const server =
        kind === 'v1 Server'
          ? new ServerV1(INFO, { capabilities })
          : new ServerV2(INFO, { capabilities })
      withCredentials(server as ServerV2, give, { stripHeaders: ['x-api-key'] })
      server.fallbackRequestHandler = async (...args: unknown[]) => {
        given.push(args[1])
        return text('done')
      }
      await withPeer(inMemory(server), ({ call }) => call('any'))
      // What the SDK would call, with a context of the test's own.
      const handler = server.fallbackRequestHandler as (...args: unknown[]) => Promise<unknown>
      await handler({ method: 'tools/call', params: { name: 'any' } }, context)
      assert.equal(given[1], context)
      assert.notEqual(given[0], context)
    })
  }

  for (const headers of [{}, { 'x-mcp-cred-access-token': TOKEN }]) {
    const isSame = Object.keys(headers).length === 0
    test(`v2: a request ${isSame ? 'without' : 'with'} credential headers is ${isSame ? 'the one that came' : 'another'}`, async () => {
      const given: unknown[] = []
      const server = withCredentials(new McpServerV2(INFO), give)
      server.registerTool('any', {}, ({ http }) => {
        given.push(http?.req, http?.req)
        return text('done')
      })
      const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true })
      await server.connect(transport)
      // As mcp-handler does, which keeps what it knows of a request by that.
      const outcomes = new WeakMap<Request, string>()
      const request = new Request('http://127.0.0.1/mcp', {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2025-11-25',
          ...headers,
        },
        body: JSON.stringify({
          jsonrpc: '2.0',
          id: 1,
          method: 'tools/call',
          params: { name: 'any', arguments: {} },
        }),
      })
      outcomes.set(request, 'known')
      const response = await transport.handleRequest(request)
      assert.match(await response.text(), /done/)
      assert.equal(given.length, 2)
      assert.equal(given[0] === request, isSame)
      assert.equal(given[0], given[1])
      assert.equal(outcomes.get(given[0] as Request), isSame ? 'known' : undefined)
    })
  }
})

describe('a server that is wrapped', () => {
  for (const kind of KINDS) {
    test(`${kind}: has no accessor property that it had not before, also after a call`, async () => {
      const accessorsOf = (server: AnyV1 | AnyV2) => {
        const inner = 'server' in server ? server.server : server
        const all = Object.entries(Object.getOwnPropertyDescriptors(inner))
        return all.filter(([, { get, set }]) => get || set).map(([name]) => name)
      }
      const [bareV1, bareV2] = [new ServerV1(INFO), new ServerV2(INFO)]
      const bare = accessorsOf(kind.startsWith('v1') ? bareV1 : bareV2)
      const server = make(kind, give)
      assert.deepEqual(accessorsOf(server), bare)
      await withPeer(inMemory(server), async ({ call }) => {
        assert.equal(textOf(await call('whoami')), fingerprint(TOKEN))
        assert.deepEqual(accessorsOf(server), bare)
      })
    })
  }

  test('is watched once on a transport that it is connected to twice', async () => {
    const server = withCredentials(new ServerV2(INFO, { capabilities }), give)
    const [, far] = InMemoryTransport.createLinkedPair()
    const { send } = far
    await server.connect(far)
    const { send: watched } = far
    assert.notEqual(watched, send)
    await server.close()
    await server.connect(far)
    assert.equal(far.send, watched)
    await server.close()
  })

  const SERVERS = [
    ['v1', () => new ServerV1(INFO, { capabilities }) as unknown as ServerV2],
    ['v2', () => new ServerV2(INFO, { capabilities })],
  ] as const
  type Fallback = NonNullable<ServerV2['fallbackRequestHandler']>
  const reply = (who: string) => text(`${who} ${fingerprint(getCredentials('oauth').accessToken)}`)
  const fallback =
    (who: string): Fallback =>
    async () =>
      reply(who)

  for (const [sdk, create] of SERVERS) {
    /** A source that counts. */
    const counted = () => {
      const asked: unknown[] = []
      const source: CredentialSource = (request) => {
        asked.push(request.tool)
        return give(request)
      }
      return { asked, source }
    }

    const FALLBACKS: [name: string, setUp: (source: CredentialSource) => ServerV2][] = [
      [
        'set before',
        (source) => {
          const server = create()
          server.fallbackRequestHandler = fallback('first')
          return withCredentials(server, source)
        },
      ],
      [
        'set after',
        (source) => {
          const server = withCredentials(create(), source)
          server.fallbackRequestHandler = fallback('first')
          return server
        },
      ],
    ]
    for (const [name, setUp] of FALLBACKS) {
      test(`${sdk}: a fallback ${name}, replaced and chained: each call asks once`, async () => {
        const { asked, source } = counted()
        const server = setUp(source)
        await withPeer(inMemory(server as AnyV2), async ({ call }) => {
          assert.equal(textOf(await call('a')), `first ${fingerprint(TOKEN)}`)
          server.fallbackRequestHandler = fallback('second')
          assert.equal(textOf(await call('b')), `second ${fingerprint(TOKEN)}`)
          const { fallbackRequestHandler: before } = server
          assert(before)
          const chained: string[] = []
          server.fallbackRequestHandler = async (request, context) => {
            chained.push(reply('third').content[0]?.text ?? '')
            return before(request, context)
          }
          assert.equal(textOf(await call('c')), `second ${fingerprint(TOKEN)}`)
          assert.deepEqual(chained, [`third ${fingerprint(TOKEN)}`])
          server.fallbackRequestHandler = undefined as never
          await assert.rejects(call('d'), /Method not found/)
        })
        assert.deepEqual(asked, ['a', 'b', 'c'])
      })
    }

    test(`${sdk}: a fallback that answers other methods as well: those ask nobody`, async () => {
      const { asked, source } = counted()
      const server = withCredentials(create(), source)
      server.fallbackRequestHandler = async ({ method }) =>
        method === 'tools/call' ? reply('call') : { tools: [] }
      await withPeer(inMemory(server as AnyV2), async ({ call, client }) => {
        assert.equal(textOf(await call('a')), `call ${fingerprint(TOKEN)}`)
        assert.deepEqual((await client.listTools()).tools, [])
      })
      assert.deepEqual(asked, ['a'])
    })

    test(`${sdk}: handlers set and replaced after wrapping, between calls`, async () => {
      const { asked, source } = counted()
      const server = withCredentials(create(), source)
      const set = (who: string) =>
        sdk === 'v1'
          ? (server as unknown as ServerV1).setRequestHandler(CallToolRequestSchema, () =>
              reply(who),
            )
          : server.setRequestHandler('tools/call', () => reply(who))
      set('first')
      await withPeer(inMemory(server as AnyV2), async ({ call }) => {
        assert.equal(textOf(await call('a')), `first ${fingerprint(TOKEN)}`)
        assert.equal(textOf(await call('b')), `first ${fingerprint(TOKEN)}`)
        set('second')
        assert.equal(textOf(await call('c')), `second ${fingerprint(TOKEN)}`)
        server.removeRequestHandler('tools/call')
        server.fallbackRequestHandler = fallback('third')
        assert.equal(textOf(await call('d')), `third ${fingerprint(TOKEN)}`)
      })
      assert.deepEqual(asked, ['a', 'b', 'c', 'd'])
    })
  }
})

describe('options', () => {
  for (const kind of KINDS) {
    test(`${kind}: scopes(tool)`, async () => {
      const asked: unknown[] = []
      const source: CredentialSource = ({ tool, scopes }) => {
        asked.push([tool, scopes])
        return new OAuthCredential({ accessToken: TOKEN, scopes: ['read'] })
      }
      const scopes = (tool: string) => (tool === 'whoami' ? ['read', 'write'] : undefined)
      await withPeer(inMemory(make(kind, source, { scopes })), async ({ call }) => {
        const { content, isError } = await call('whoami')
        assert.deepEqual(
          { content, isError },
          {
            ...text('The account must be connected with more permissions (write).'),
            isError: true,
          },
        )
        assert.equal(textOf(await call('optional')), 'a credential')
      })
      assert.deepEqual(asked, [
        ['whoami', ['read', 'write']],
        ['optional', undefined],
      ])
    })

    test(`${kind}: rejectExpired`, async () => {
      const expiresAt = new Date(Date.now() - 1000)
      const source = () => new OAuthCredential({ accessToken: TOKEN, expiresAt })
      await withPeer(inMemory(make(kind, source)), async ({ call }) => {
        assert.equal(textOf(await call('whoami')), fingerprint(TOKEN))
      })
      await withPeer(inMemory(make(kind, source, { rejectExpired: true })), async ({ call }) => {
        const result = await call('whoami')
        assert.equal(result.isError, true)
        assert.match(String(textOf(result)), /^The access token of this call has expired/)
      })
    })

    for (const redact of [undefined, false] as const) {
      test(`${kind}: onCall, ${redact === false ? 'redact: false' : 'redacting'}: each outcome, and never a secret`, async () => {
        const events: CallEvent[] = []
        const details: CallDetails[] = []
        const onCall = (event: CallEvent, detail: CallDetails) => {
          events.push(event)
          details.push(detail)
        }
        const source: CredentialSource = (request) => {
          if (request.tool === 'optional') throw new MissingCredentialHeaderError(['X-API-Key'])
          if (request.tool === 'context') throw new Error(`vault: ${TOKEN}`)
          return give(request)
        }
        const label = ({ tool }: CredentialRequest) => `owner of ${tool}`
        const options = { onCall, label, ...(redact === false && { redact }) }
        await withPeer(inMemory(make(kind, source, options)), async ({ call }) => {
          await call('whoami')
          await call('echo', { name: `a ${TOKEN}` })
          await call('leave', { name: kind, milliseconds: 0, throws: true }).catch(() => undefined)
          await call('optional')
          await call('context')
          const controller = new AbortController()
          const cancelled = call(
            'cancelled',
            { name: `${kind} ${redact}` },
            { signal: controller.signal },
          )
          while (!waiting.has(`${kind} ${redact}`)) await sleep(2)
          controller.abort()
          await assert.rejects(cancelled)
          for (let wait = 0; wait < 100 && events.length < 6; wait++) await sleep(5)
        })
        const NONE = undefined
        assert.deepEqual(
          events.map(({ tool, method, outcome, error, type }) => [
            tool,
            method,
            outcome,
            error?.code ?? error?.message,
            type,
          ]),
          [
            ['whoami', 'tools/call', 'ok', NONE, 'oauth'],
            ['echo', 'tools/call', 'ok', NONE, 'oauth'],
            ['leave', 'tools/call', 'failed', 'The tool failed.', 'oauth'],
            ['optional', 'tools/call', 'refused', 'ERR_CREDENTIAL_MISSING', NONE],
            ['context', 'tools/call', 'refused', 'ERR_CREDENTIAL_UNAVAILABLE', NONE],
            // The tool came to its end, though nobody heard of it.
            ['cancelled', 'tools/call', 'ok', NONE, 'oauth'],
          ],
        )
        assert.deepEqual(
          events.map((event) => event.label),
          events.map(({ tool }) => `owner of ${tool}`),
        )
        const names = events.map(({ redacted }) => redacted.map(({ name }) => name))
        assert.deepEqual(names[1], redact === false ? [] : ['accessToken'])
        assert(!JSON.stringify(events).includes(TOKEN.slice(5, 20)))
        // The details are for the operator's own code.
        assert.equal(details[0]?.credential?.type, 'oauth')
        assert.match(String(details[4]?.cause), /vault: FAKE/)
        assert(details[3]?.cause instanceof CredentialError)
      })
    }
  }
})
