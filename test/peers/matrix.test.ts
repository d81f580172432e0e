// Every supported version of the SDKs, over every transport, in every way that a server is put together.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { CallToolResultSchema, CreateTaskResultSchema } from '@modelcontextprotocol/sdk/types.js'
import {
  fromHeaders,
  getCredentials,
  MissingCredentialHeaderError,
  OAuthCredential,
} from 'mcp-credentials'
import type { CredentialSource } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import type { WithCredentialsOptions } from 'mcp-credentials/mcp'
import { z } from 'zod'
import { fingerprint } from './servers.js'
import { clientV1, clientV2, connectOverHttp, listen, peerOf, using } from './wirings.js'
import type { Handle, HeadersFor, Peer, Result } from './wirings.js'

const INFO = { name: 'matrix', version: '1.0.0' }
const CAPABILITIES = { tools: {}, resources: {}, prompts: {} }

type V1 = Awaited<ReturnType<typeof importV1>>
type V2 = typeof import('@modelcontextprotocol/server')
type ServerV1 = InstanceType<V1['McpServer' | 'Server']>
type ServerV2 = InstanceType<V2['McpServer' | 'Server']>

// The versions are typed as the newest one, which is the one that the tests are compiled against.
async function importV1(name: string) {
  const load = (path: string) => import(`${name}/${path}`)
  const { McpServer } = (await load(
    'server/mcp.js',
  )) as typeof import('@modelcontextprotocol/sdk/server/mcp.js')
  const { Server } = (await load(
    'server/index.js',
  )) as typeof import('@modelcontextprotocol/sdk/server/index.js')
  const { InMemoryTransport } = (await load(
    'inMemory.js',
  )) as typeof import('@modelcontextprotocol/sdk/inMemory.js')
  const { SSEServerTransport } = (await load(
    'server/sse.js',
  )) as typeof import('@modelcontextprotocol/sdk/server/sse.js')
  const { StreamableHTTPServerTransport } = (await load(
    'server/streamableHttp.js',
  )) as typeof import('@modelcontextprotocol/sdk/server/streamableHttp.js')
  const { CallToolRequestSchema } = (await load(
    'types.js',
  )) as typeof import('@modelcontextprotocol/sdk/types.js')
  const { InMemoryTaskStore } = (await load(
    'experimental/tasks/stores/in-memory.js',
  )) as typeof import('@modelcontextprotocol/sdk/experimental/tasks')
  return {
    McpServer,
    Server,
    InMemoryTransport,
    SSEServerTransport,
    StreamableHTTPServerTransport,
    CallToolRequestSchema,
    InMemoryTaskStore,
  }
}

/** What differs between the SDKs in how a server is made. */
interface Sdk {
  readonly major: 1 | 2
  mcpServer(options?: object): ServerV1 | ServerV2
  lowLevel(options?: object): ServerV1 | ServerV2
  /** A handler for every tool, on a low-level server. */
  handleCalls(server: ServerV1 | ServerV2, handler: () => unknown): void
  readonly v1?: V1
  readonly v2?: V2
}

interface Connection {
  readonly make: () => ServerV1 | ServerV2
  readonly headers?: HeadersFor
  readonly capabilities?: object
}

interface Row {
  readonly name: string
  readonly sdk: Sdk
  readonly overHttp: boolean
  /** Whether a server can ask its client something in the middle of a call. */
  readonly canAsk: boolean
  /** Whether a client can tell a server that it cancels a call. */
  readonly canCancel: boolean
  connect(connection: Connection): Promise<Peer>
}

const sdkV1 = (v1: V1): Sdk => ({
  major: 1,
  v1,
  mcpServer: (options) => new v1.McpServer(INFO, options),
  lowLevel: (options) => new v1.Server(INFO, options),
  handleCalls: (server, handler) =>
    (server as InstanceType<V1['Server']>).setRequestHandler(
      v1.CallToolRequestSchema,
      handler as never,
    ),
})

const sdkV2 = (v2: V2): Sdk => ({
  major: 2,
  v2,
  mcpServer: (options) => new v2.McpServer(INFO, options),
  lowLevel: (options) => new v2.Server(INFO, options),
  handleCalls: (server, handler) =>
    (server as InstanceType<V2['Server']>).setRequestHandler('tools/call', handler as never),
})

async function serve(
  handle: Handle,
  client: ReturnType<typeof clientV1 | typeof clientV2>,
  headers?: HeadersFor,
): Promise<Peer> {
  const server = await listen((request, response) => void handle(request, response))
  await connectOverHttp(client, server.url, headers)
  return peerOf(client, async () => {
    await client.close()
    await server.close()
  })
}

interface HttpTransport {
  handleRequest(...args: never[]): Promise<unknown>
}

/** One transport for each session, opened by a request that names none. */
function bySession<T extends HttpTransport>(
  open: (onOpen: (id: string) => void) => Promise<T>,
  handle: (transport: T, ...args: Parameters<Handle>) => Promise<unknown>,
): Handle {
  const sessions = new Map<string, T>()
  return async (request, response) => {
    const known = sessions.get(String(request.headers['mcp-session-id']))
    if (known) return handle(known, request, response)
    let id = ''
    const transport = await open((opened) => {
      id = opened
      sessions.set(opened, transport)
    })
    await handle(transport, request, response)
    return id
  }
}

function rowsV1(name: string, v1: V1): Row[] {
  const sdk = sdkV1(v1)
  const over = (
    transport: string,
    canCancel: boolean,
    connect: Row['connect'],
    overHttp = true,
  ): Row => ({ name: `${name} ${transport}`, sdk, overHttp, canAsk: canCancel, canCancel, connect })
  const streamable = (isStateful: boolean, enableJsonResponse: boolean) =>
    over(
      `HTTP ${isStateful ? 'with' : 'without'} sessions, ${enableJsonResponse ? 'JSON' : 'SSE'}`,
      isStateful,
      ({ make, headers, capabilities }) => {
        const open = async (options: object) => {
          const transport = new v1.StreamableHTTPServerTransport({ enableJsonResponse, ...options })
          await make().connect(transport as never)
          return transport
        }
        const handle: Handle = isStateful
          ? bySession(
              (onsessioninitialized) =>
                open({ sessionIdGenerator: randomUUID, onsessioninitialized }),
              (transport, request, response) => transport.handleRequest(request, response),
            )
          : async (request, response) => (await open({})).handleRequest(request, response)
        return serve(handle, clientV1(capabilities), headers)
      },
    )
  return [
    over(
      'in memory',
      true,
      async ({ make, capabilities }) => {
        const [near, far] = v1.InMemoryTransport.createLinkedPair()
        await make().connect(far as never)
        const client = clientV1(capabilities)
        await client.connect(near as never)
        return peerOf(client)
      },
      false,
    ),
    ...[false, true].flatMap((isStateful) =>
      [false, true].map((json) => streamable(isStateful, json)),
    ),
    over('legacy SSE', true, async ({ make, headers, capabilities }) => {
      const transports = new Map<string, InstanceType<V1['SSEServerTransport']>>()
      const server = await listen(async (request, response) => {
        const id = new URL(String(request.url), 'http://127.0.0.1').searchParams.get('sessionId')
        if (request.method === 'POST')
          return void (await transports.get(String(id))?.handlePostMessage(request, response))
        const transport = new v1.SSEServerTransport('/messages', response)
        transports.set(transport.sessionId, transport)
        await make().connect(transport as never)
      })
      const client = clientV1(capabilities)
      const withHeaders: typeof fetch = (url, init) => {
        const all = new Headers(init?.headers)
        for (const [header, value] of Object.entries(headers?.({}) ?? {})) all.set(header, value)
        return fetch(url, { ...init, headers: all })
      }
      await client.connect(new SSEClientTransport(server.url, { fetch: withHeaders }) as never)
      return peerOf(client, async () => {
        await client.close()
        await server.close()
      })
    }),
  ]
}

function rowsV2(name: string, v2: V2): Row[] {
  const sdk = sdkV2(v2)
  const handler = (era: 'of 2025' | 'of 2026', responseMode: 'auto' | 'sse'): Row => ({
    name: `${name} HTTP without sessions, client ${era}${responseMode === 'sse' ? ', SSE' : ', JSON'}`,
    sdk,
    overHttp: true,
    canAsk: era === 'of 2026',
    canCancel: era === 'of 2026',
    connect: ({ make, headers, capabilities }) =>
      serve(
        toNodeHandler(v2.createMcpHandler(make as () => ServerV2, { responseMode })) as Handle,
        clientV2(era, capabilities),
        headers,
      ),
  })
  const sessions = (enableJsonResponse: boolean): Row => ({
    name: `${name} HTTP with sessions, client of 2025, ${enableJsonResponse ? 'JSON' : 'SSE'}`,
    sdk,
    overHttp: true,
    canAsk: !enableJsonResponse,
    canCancel: true,
    connect: ({ make, headers, capabilities }) => {
      const open = async (onsessioninitialized: (id: string) => void) => {
        const transport = new v2.WebStandardStreamableHTTPServerTransport({
          sessionIdGenerator: randomUUID,
          onsessioninitialized,
          enableJsonResponse,
        })
        await (make() as ServerV2).connect(transport)
        return transport
      }
      const handle = bySession(open, (transport, request, response) =>
        (toNodeHandler({ fetch: (webRequest) => transport.handleRequest(webRequest) }) as Handle)(
          request,
          response,
        ),
      )
      return serve(handle, clientV2('of 2025', capabilities), headers)
    },
  })
  return [
    {
      name: `${name} in memory`,
      sdk,
      overHttp: false,
      canAsk: true,
      canCancel: true,
      async connect({ make, capabilities }) {
        const [near, far] = v2.InMemoryTransport.createLinkedPair()
        await (make() as ServerV2).connect(far)
        const client = clientV2('of 2025', capabilities)
        await client.connect(near)
        return peerOf(client)
      },
    },
    handler('of 2025', 'auto'),
    handler('of 2026', 'auto'),
    handler('of 2026', 'sse'),
    sessions(false),
    sessions(true),
  ]
}

const rows: Row[] = [
  ...rowsV1('v1 1.26.0', await importV1('sdk-v1.26.0')),
  ...rowsV1('v1 1.32.1', await importV1('sdk-v1.32.1')),
  ...rowsV1('v1 1.32.2', await importV1('@modelcontextprotocol/sdk')),
  ...rowsV2('v2 2.0.0', (await import('server-v2.0.0' as string)) as V2),
  ...rowsV2('v2 2.4.0', await import('@modelcontextprotocol/server')),
]

// What the columns need.

const TOKEN = 'FAKE-matrix-0123456789abcdef-do-not-leak'
const HEADERS: HeadersFor = () => ({ 'X-MCP-Cred-Access-Token': TOKEN })
const present = (row: Row): CredentialSource =>
  row.overHttp ? fromHeaders({ type: 'oauth' }) : () => new OAuthCredential({ accessToken: TOKEN })
const missing: CredentialSource = () => {
  throw new MissingCredentialHeaderError(['X-MCP-Cred-Access-Token'])
}
const answer = () => ({
  content: [{ type: 'text' as const, text: fingerprint(getCredentials('oauth').accessToken) }],
})
const codeOf = () => {
  try {
    return getCredentials().type
  } catch (error) {
    return String(Reflect.get(error as object, 'code'))
  }
}
const textOf = (result: unknown) => String((result as Result).content?.[0]?.text)

interface Registered {
  update(updates: object): void
  remove(): void
}

/** registerTool has the same shape in both SDKs, which TypeScript cannot see through their overloads. */
function register(
  server: ServerV1 | ServerV2,
  name: string,
  handler: (...args: never[]) => unknown,
  inputSchema?: object,
): Registered {
  const { registerTool } = server as unknown as {
    registerTool(name: string, config: object, handler: unknown): Registered
  }
  return registerTool.call(server, name, inputSchema ? { inputSchema } : {}, handler)
}

const schemaOf = ({ sdk }: Row) =>
  sdk.major === 1 ? { word: z.string().optional() } : z.object({ word: z.string().optional() })

/** The one call that most columns make. */
const expectAnswer = (row: Row, make: () => ServerV1 | ServerV2) =>
  using(row.connect({ make, headers: HEADERS }), async ({ call }) =>
    assert.equal(textOf(await call('tool')), fingerprint(TOKEN)),
  )

const expectRefusal = (row: Row, make: () => ServerV1 | ServerV2, message: RegExp) =>
  using(row.connect({ make, headers: HEADERS }), async ({ call }) => {
    const result = await call('tool')
    assert.equal(result.isError, true)
    assert.match(textOf(result), message)
    assert(!JSON.stringify(result).includes('FAKE'))
  })

function withTool(
  row: Row,
  source: CredentialSource,
  options?: WithCredentialsOptions,
  handler: () => unknown = answer,
) {
  return () => {
    const server = withCredentials(row.sdk.mcpServer(), source, options)
    register(server, 'tool', handler)
    return server
  }
}

const columns: [name: string, run: (row: Row) => Promise<void> | undefined][] = [
  ['after', (row) => expectAnswer(row, withTool(row, present(row)))],
  [
    'before',
    (row) =>
      expectAnswer(row, () => {
        const server = row.sdk.mcpServer()
        register(server, 'tool', answer)
        return withCredentials(server, present(row))
      }),
  ],
  [
    'schema',
    (row) =>
      expectAnswer(row, () => {
        const server = withCredentials(row.sdk.mcpServer(), present(row))
        register(server, 'tool', answer, schemaOf(row))
        return server
      }),
  ],
  [
    'updated',
    (row) =>
      expectAnswer(row, () => {
        const server = withCredentials(row.sdk.mcpServer(), present(row))
        register(server, 'tool', () => assert.fail('The first callback ran.')).update({
          callback: answer,
        })
        return server
      }),
  ],
  [
    'removed',
    (row) =>
      expectAnswer(row, () => {
        const server = withCredentials(row.sdk.mcpServer(), present(row))
        const other = register(server, 'other', answer)
        register(server, 'tool', answer)
        other.remove()
        return server
      }),
  ],
  [
    'capability',
    (row) =>
      expectAnswer(row, () => {
        const server = withCredentials(
          row.sdk.mcpServer({ capabilities: CAPABILITIES }),
          present(row),
        )
        register(server, 'tool', answer)
        return server
      }),
  ],
  [
    'low-level',
    (row) =>
      expectAnswer(row, () => {
        const server = withCredentials(
          row.sdk.lowLevel({ capabilities: CAPABILITIES }),
          present(row),
        )
        row.sdk.handleCalls(server, answer)
        return server
      }),
  ],
  [
    'fallback',
    (row) =>
      expectAnswer(row, () => {
        const server = withCredentials(
          row.sdk.lowLevel({ capabilities: CAPABILITIES }),
          present(row),
        ) as InstanceType<V1['Server']>
        server.fallbackRequestHandler = async () => answer()
        return server
      }),
  ],
  [
    'twice',
    async (row) => {
      const server = withCredentials(row.sdk.mcpServer(), missing)
      assert.throws(() => withCredentials(server, missing), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
      })
    },
  ],
  [
    'missing',
    (row) => expectRefusal(row, withTool(row, missing), /Connect the account in the gateway/),
  ],
  [
    'throws',
    (row) =>
      expectRefusal(
        row,
        withTool(row, () => {
          throw new Error('FAKE')
        }),
        /^The server could not load/,
      ),
  ],
  [
    'garbage',
    (row) =>
      expectRefusal(
        row,
        withTool(row, () => 'FAKE' as never),
        /^The server could not load/,
      ),
  ],
  [
    'slow',
    (row) =>
      expectAnswer(
        row,
        withTool(row, async (request) => {
          await sleep(20)
          return present(row)(request)
        }),
      ),
  ],
  [
    'optional',
    (row) =>
      using(
        row.connect({
          make: () => {
            const server = withCredentials(row.sdk.mcpServer(), missing, {
              optional: ({ tool }) => tool === 'tool',
            })
            for (const name of ['tool', 'other'])
              register(server, name, () => ({ content: [{ type: 'text', text: codeOf() }] }))
            return server
          },
        }),
        async ({ call }) => {
          assert.equal(textOf(await call('tool')), 'ERR_CREDENTIAL_MISSING')
          assert.equal((await call('other')).isError, true)
        },
      ),
  ],
  [
    'methods',
    async (row) => {
      const make = (source: CredentialSource) => () => {
        const server = withCredentials(row.sdk.mcpServer(), source, {
          methods: ['resources/read', 'prompts/get'],
        }) as InstanceType<V2['McpServer']>
        server.registerResource('file', 'test://file', {}, (uri) => ({
          contents: [{ uri: uri.href, text: textOf(answer()) }],
        }))
        server.registerPrompt('ask', {}, () => ({
          messages: [{ role: 'user', content: answer().content[0]! }],
        }))
        return server
      }
      await using(
        row.connect({ make: make(present(row)), headers: HEADERS }),
        async ({ client }) => {
          assert.match(
            JSON.stringify(await client.readResource({ uri: 'test://file' })),
            new RegExp(fingerprint(TOKEN)),
          )
          assert.match(
            JSON.stringify(await client.getPrompt({ name: 'ask' })),
            new RegExp(fingerprint(TOKEN)),
          )
        },
      )
      await using(row.connect({ make: make(missing) }), async ({ client }) => {
        const refused = { message: /Connect the account/, data: { code: 'ERR_CREDENTIAL_MISSING' } }
        await assert.rejects(client.readResource({ uri: 'test://file' }), refused)
        await assert.rejects(client.getPrompt({ name: 'ask' }), refused)
      })
    },
  ],
  [
    'cancelled',
    (row) => {
      if (!row.canCancel) return undefined
      const seen: string[] = []
      let started: () => void
      let ended: () => void
      const isRunning = new Promise<void>((resolve) => {
        started = resolve
      })
      const isOver = new Promise<void>((resolve) => {
        ended = resolve
      })
      const handler = async (
        ...args: { signal?: AbortSignal; mcpReq?: { signal: AbortSignal } }[]
      ) => {
        const context = args.at(-1)
        const isAborted = new Promise((resolve) =>
          (context?.mcpReq?.signal ?? context?.signal)?.addEventListener('abort', resolve),
        )
        started()
        await isAborted
        seen.push(codeOf())
        setTimeout(() => {
          seen.push(codeOf())
          ended()
        }, 10)
        return answer()
      }
      return using(
        row.connect({ make: withTool(row, present(row), {}, handler as never), headers: HEADERS }),
        async ({ call }) => {
          const controller = new AbortController()
          const cancelled = assert.rejects(call('tool', {}, { signal: controller.signal }))
          await isRunning
          controller.abort()
          await cancelled
          await isOver
          assert.deepEqual(seen, ['oauth', 'ERR_CREDENTIAL_ENDED'])
        },
      )
    },
  ],
  [
    'disconnect',
    (row) => {
      const seen: string[] = []
      let started: () => void
      let ended: () => void
      const isRunning = new Promise<void>((resolve) => {
        started = resolve
      })
      const isOver = new Promise<void>((resolve) => {
        ended = resolve
      })
      const handler = async () => {
        started()
        await sleep(30)
        seen.push(codeOf())
        setTimeout(() => {
          seen.push(codeOf())
          ended()
        }, 10)
        return answer()
      }
      return using(
        row.connect({ make: withTool(row, present(row), {}, handler), headers: HEADERS }),
        async ({ call, client }) => {
          const lost = call('tool').catch((error: unknown) => error)
          await isRunning
          await client.close()
          assert(await lost)
          await isOver
          // The tool goes on, in its own scope, until it settles.
          assert.deepEqual(seen, ['oauth', 'ERR_CREDENTIAL_ENDED'])
        },
      )
    },
  ],
  [
    'context',
    (row) => {
      if (!row.overHttp) return undefined
      let names: string[] = []
      const handler = (context: {
        requestInfo?: { headers: object }
        http?: { req?: Request }
      }) => {
        names = [
          ...(context.http?.req?.headers.keys() ?? Object.keys(context.requestInfo?.headers ?? {})),
        ]
        return answer()
      }
      return expectAnswer(row, withTool(row, present(row), {}, handler as never)).then(() => {
        assert(names.includes('host'))
        assert.deepEqual(
          names.filter((name) => name.startsWith('x-mcp-cred')),
          [],
        )
      })
    },
  ],
  [
    'task',
    (row) => {
      const { v1 } = row.sdk
      // A task is looked up again by later requests, which a server without sessions cannot do.
      if (!v1 || row.name.includes('without sessions')) return undefined
      const stores: { cleanup(): void }[] = []
      const make = (source: CredentialSource) => () => {
        const taskStore = new v1.InMemoryTaskStore()
        stores.push(taskStore)
        const server = withCredentials(
          new v1.McpServer(INFO, {
            taskStore,
            capabilities: { tasks: { requests: { tools: { call: {} } } } },
          }),
          source,
        )
        server.experimental.tasks.registerToolTask(
          'tool',
          { inputSchema: {}, execution: { taskSupport: 'required' } },
          {
            async createTask(_args, { taskStore }) {
              const task = await taskStore.createTask({ ttl: 60_000 })
              await taskStore.storeTaskResult(task.taskId, 'completed', answer())
              return { task }
            },
            getTask: (_args, { taskId, taskStore }) => taskStore.getTask(taskId),
            getTaskResult: async (_args, { taskId, taskStore }) =>
              (await taskStore.getTaskResult(taskId)) as never,
          },
        )
        return server
      }
      const params = { name: 'tool', arguments: {}, task: { ttl: 60_000 } }
      const ask = (client: unknown) =>
        (client as ReturnType<typeof clientV1>).request(
          { method: 'tools/call', params },
          CreateTaskResultSchema,
        )
      return using(
        row.connect({ make: make(present(row)), headers: HEADERS }),
        async ({ client }) => {
          const { task } = await ask(client)
          const result = await (client as ReturnType<typeof clientV1>).request(
            { method: 'tasks/result', params: { taskId: task.taskId } },
            CallToolResultSchema,
          )
          assert.equal(textOf(result), fingerprint(TOKEN))
        },
      )
        .then(() =>
          using(row.connect({ make: make(missing) }), async ({ client }) => {
            await assert.rejects(ask(client), {
              message: /Connect the account/,
              data: { code: 'ERR_CREDENTIAL_MISSING' },
            })
          }),
        )
        .finally(() => {
          for (const store of stores) store.cleanup()
        })
    },
  ],
  [
    'rounds',
    (row) => {
      const { v2 } = row.sdk
      if (!v2 || !row.canAsk) return undefined
      const make = () => {
        const server = withCredentials(new v2.McpServer(INFO), present(row))
        server.registerTool('tool', {}, (ctx) => {
          const result = answer()
          if (ctx.mcpReq.inputResponses) return result
          const requestedSchema = {
            type: 'object' as const,
            properties: { sure: { type: 'boolean' as const } },
          }
          return v2.inputRequired({
            inputRequests: { sure: v2.inputRequired.elicit({ message: 'Sure?', requestedSchema }) },
          })
        })
        return server
      }
      return using(
        row.connect({ make, headers: HEADERS, capabilities: { elicitation: { form: {} } } }),
        async ({ client, call }) => {
          ;(client as ReturnType<typeof clientV2>).setRequestHandler(
            'elicitation/create',
            async () => ({ action: 'accept', content: { sure: true } }),
          )
          assert.equal(textOf(await call('tool')), fingerprint(TOKEN))
        },
      )
    },
  ],
  [
    'batch',
    (row) => {
      const { v1 } = row.sdk
      if (!v1 || !row.name.includes('without sessions')) return undefined
      return (async () => {
        const server = await listen(async (request, response) => {
          const transport = new v1.StreamableHTTPServerTransport({
            enableJsonResponse: row.name.endsWith('JSON'),
          })
          await withTool(row, present(row))().connect(transport as never)
          await transport.handleRequest(request, response)
        })
        const batch = [1, 2, 3].map((id) => ({
          jsonrpc: '2.0',
          id,
          method: 'tools/call',
          params: { name: 'tool', arguments: {} },
        }))
        const headers = {
          ...HEADERS({}),
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2025-03-26',
        }
        const body = await (
          await fetch(server.url, { method: 'POST', headers, body: JSON.stringify(batch) })
        ).text()
        await server.close()
        assert.equal(body.split(fingerprint(TOKEN)).length - 1, 3)
      })()
    },
  ],
]

// A letter a cell, so that the table fits a terminal.
const outcomes = new Map<Row, string[]>()
after(() => {
  const width = Math.max(...rows.map(({ name }) => name.length))
  console.log(
    `\nThe MCP adapter: + works, . does not apply\n\n${' '.repeat(width)}  ${columns.map(([name]) => name).join(' ')}`,
  )
  for (const [row, cells] of outcomes)
    console.log(
      `${row.name.padEnd(width)}  ${cells.map((cell, index) => cell.padEnd(columns[index]![0].length)).join(' ')}`,
    )
})

for (const row of rows) {
  describe(row.name, () => {
    const cells = columns.map(() => 'FAILED')
    outcomes.set(row, cells)
    for (const [index, [name, run]] of columns.entries()) {
      test(name, async () => {
        const result = run(row)
        await result
        cells[index] = result ? '+' : '.'
      })
    }
  })
}
