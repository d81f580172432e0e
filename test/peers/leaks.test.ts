// Every way in which a tool hands its own secret to the model, tried for real on both SDKs.
import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { InMemoryTransport as InMemoryV1 } from '@modelcontextprotocol/sdk/inMemory.js'
import { InMemoryTaskStore } from '@modelcontextprotocol/sdk/experimental/tasks'
import { Server as ServerV1 } from '@modelcontextprotocol/sdk/server/index.js'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import {
  CallToolRequestSchema,
  CallToolResultSchema,
  CreateMessageRequestSchema,
  CreateTaskResultSchema,
  ElicitRequestSchema,
  GetTaskResultSchema,
} from '@modelcontextprotocol/sdk/types.js'
import {
  InMemoryTransport as InMemoryV2,
  McpServer as McpServerV2,
  Server as ServerV2,
} from '@modelcontextprotocol/server'
import { getCredentials, runWithCredentials, StaticCredential } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import type { CallEvent } from 'mcp-credentials'
import type { WithCredentialsOptions } from 'mcp-credentials/mcp'
import { z } from 'zod'
import {
  clientV1,
  clientV2,
  connectOverHttp,
  handlerV2,
  inMemory,
  listen,
  peerOf,
  statelessV1,
} from './wirings.js'
import type { AnyClient, AnyV1, AnyV2, Handle, Peer } from './wirings.js'

// Of at most 50 bytes, of which a Buffer prints no more.
const TOKEN = `FAKE+tok/en"q\\b&<l>'%$&-0123456789abcdef`
const PASSWORD = `FAKE-pässwörd-\u{1f511}"\\/&<'%$&-9876543210`
const source = () =>
  new StaticCredential({ token: TOKEN, password: PASSWORD, baseUrl: 'https://api.example/KEEP' })

const json = (text: string) => JSON.stringify(text).slice(1, -1)

/** Which piece of a secret is found in what was received, however it was rendered. */
function findLeak(received: string): string | undefined {
  for (const secret of [TOKEN, PASSWORD]) {
    const bytes = Buffer.from(secret)
    const forms = [
      secret,
      json(secret),
      json(json(secret)),
      json(json(json(secret))),
      json(json(json(json(secret)))),
      encodeURIComponent(secret),
      new URLSearchParams({ s: secret }).toString().slice(2),
      new URL(`http://h/?${secret}`).search.slice(1),
      ...[0, 1, 2].map((before) =>
        Buffer.concat([Buffer.alloc(before), bytes])
          .toString('base64')
          .slice(before === 0 ? 0 : before + 1, -4),
      ),
      bytes.toString('hex'),
      bytes.toString('hex').replace(/..(?=.)/g, '$& '),
      [...bytes].join(','),
    ]
    for (const form of forms) {
      if (received.includes(form)) return form
    }
    // However a list of bytes is broken into lines and indented, or its items numbered.
    const squeezed = received.replace(/\\+[nt]|\\*"\d+\\*":|\s/g, '')
    if (squeezed.includes([...bytes].join(','))) return 'a list of bytes'
    // And no eight characters in a row.
    for (const text of [secret, json(secret)]) {
      for (let start = 0; start + 8 <= text.length; start++)
        if (received.includes(text.slice(start, start + 8))) return text.slice(start, start + 8)
    }
  }
  return undefined
}

/** What the tools use of a context and a server, of either SDK. */
interface Surroundings {
  log(data: unknown): Promise<unknown>
  serverLog(data: unknown): Promise<unknown>
  progress(message: string): Promise<unknown>
  sample(text: string): Promise<unknown>
  elicit(message: string): Promise<unknown>
}

const text = (value: string) => ({ content: [{ type: 'text', text: value }] })
// What a tool has taken out of its scope, to leak it in another one.
const taken = new AsyncLocalStorage<StaticCredential>()
const own = () => taken.getStore() ?? getCredentials('static')
const secret = () => own().field('token')
const password = () => own().field('password')

type Leak = (around: Surroundings) => unknown

/** The scopes that a tool leaks in: what its call has, and what is around its leak. */
interface Scopes {
  readonly source: () => StaticCredential
  readonly enter: (leak: () => unknown) => unknown
}

const other = () => new StaticCredential({ apiKey: 'FAKE-other-credential-0123456789' })
const IN_CALL: Scopes = { source, enter: (leak) => leak() }
const SCOPES: Record<string, Scopes> = {
  'in the scope of its call': IN_CALL,
  'of a nested scope, in it': {
    source: other,
    enter: (leak) => runWithCredentials(source(), leak),
  },
  'of its call, in a nested scope': {
    source,
    enter: (leak) => taken.run(own(), () => runWithCredentials(other(), leak)),
  },
}

const leaks: Record<string, Leak> = {
  'an exception': () => {
    throw new Error(`KEEP ${secret()}`)
  },
  'an exception with data': () => {
    throw Object.assign(new Error('KEEP'), { data: { authorization: secret() } })
  },
  'a thrown string': () => {
    throw `KEEP ${secret()}`
  },
  'a bad header': () => {
    new Headers({ authorization: `KEEP ${secret()}\nX: y` })
  },
  'an error with the URL': () => {
    throw new TypeError(
      `KEEP fetch failed: ${new URL(`http://upstream.example/?key=${secret()}&p=${password()}`)}`,
    )
  },
  'an echo of the request': () =>
    text(
      JSON.stringify({
        keep: 'KEEP',
        headers: { authorization: `Bearer ${secret()}`, password: password() },
      }),
    ),
  'the environment': () => {
    process.env['LEAKED'] = secret()
    try {
      return text(`KEEP ${JSON.stringify(process.env)}`)
    } finally {
      delete process.env['LEAKED']
    }
  },
  ...Object.fromEntries(
    [0, 1, 2, 3, 4, 5].map((length): [string, Leak] => [
      `a Basic header with a user name of ${length}`,
      () =>
        text(`KEEP Basic ${Buffer.from(`${'u'.repeat(length)}:${secret()}`).toString('base64')}`),
    ]),
  ),
  'a query string': () =>
    text(`KEEP ${new URLSearchParams({ secret: secret(), password: password() })}`),
  'the error of fetch, which quotes a password in the URL': async () => {
    const url = new URL('http://upstream.example/KEEP')
    url.username = password()
    url.password = secret()
    await fetch(url)
  },
  'bytes in indented JSON': () =>
    text(`KEEP ${JSON.stringify(Buffer.from(secret()), null, 2)}
      ${JSON.stringify(new Uint8Array(Buffer.from(secret())), null, '\t')}`),
  'bytes as inspect shows them': () => {
    const bytes = new Uint8Array(Buffer.from(secret()))
    return text(
      `KEEP ${inspect(bytes)} ${inspect([...bytes])} ${inspect(bytes, { compact: false })}`,
    )
  },
  'a dump of a Buffer': () => text(`KEEP ${inspect(Buffer.from(secret()))}`),
  'a Buffer in JSON': () => text(`KEEP ${JSON.stringify(Buffer.from(secret()))}`),
  'JSON in JSON in JSON': () =>
    text(
      `KEEP ${JSON.stringify(JSON.stringify(JSON.stringify({ secret: secret(), password: password() })))}`,
    ),
  'structured content': () => ({ ...text('KEEP'), structuredContent: { token: secret() } }),
  'a list of bytes in structured content': () => ({
    ...text('KEEP'),
    structuredContent: { data: [...Buffer.from(secret())] },
  }),
  'a resource link': () => ({
    content: [
      {
        type: 'resource_link',
        name: 'KEEP',
        uri: `https://upstream.example/${encodeURIComponent(secret())}`,
      },
    ],
  }),
  'an embedded resource': () => ({
    content: [{ type: 'resource', resource: { uri: 'test://KEEP', text: secret() } }],
  }),
  'an image': () => ({
    content: [
      {
        type: 'image',
        mimeType: 'image/KEEP',
        data: Buffer.from(`GIF ${secret()}`).toString('base64'),
      },
    ],
  }),
  'a property name': () => ({ ...text('KEEP'), _meta: { [secret()]: 1 } }),
  'a log message of the context': async ({ log }) => {
    await log({ keep: 'KEEP', secret: secret() })
    return text('done')
  },
  'a log message of the server': async ({ serverLog }) => {
    await serverLog(`KEEP ${password()}`)
    return text('done')
  },
  'a log message after the call': ({ serverLog }) => {
    const late = secret()
    setTimeout(() => void serverLog(`KEEP ${late}`), 20)
    return text('done')
  },
  'a progress message': async ({ progress }) => {
    await progress(`KEEP ${secret()}`)
    return text('done')
  },
  'a sampling request': async ({ sample }) => {
    await sample(`KEEP ${secret()}`)
    return text('done')
  },
  'an elicitation': async ({ elicit }) => {
    await elicit(`KEEP ${secret()}`)
    return text('done')
  },
}

const INFO = { name: 'leaks', version: '1.0.0' }
const CAPABILITIES = { logging: {}, tools: {} }
const requestedSchema = { type: 'object' as const, properties: {} }
const messagesOf = (value: string) => ({
  messages: [{ role: 'user' as const, content: { type: 'text' as const, text: value } }],
  maxTokens: 1,
})

type Extra = {
  _meta?: { progressToken?: string | number }
  sendNotification(message: unknown): Promise<void>
}
type Ctx = {
  mcpReq: {
    _meta?: { progressToken?: string | number }
    notify(message: unknown): Promise<void>
    log(level: string, data: unknown): Promise<void>
    requestSampling(params: unknown): Promise<unknown>
    elicitInput(params: unknown): Promise<unknown>
  }
}

const aroundV1 = (server: ServerV1, { _meta, sendNotification }: Extra): Surroundings => ({
  log: (data) =>
    sendNotification({ method: 'notifications/message', params: { level: 'info', data } }),
  serverLog: (data) => server.sendLoggingMessage({ level: 'info', data }),
  progress: (message) =>
    sendNotification({
      method: 'notifications/progress',
      params: { progressToken: _meta?.progressToken, progress: 1, message },
    }),
  sample: (value) => server.createMessage(messagesOf(value)),
  elicit: (message) => server.elicitInput({ message, requestedSchema }),
})

const aroundV2 = (server: ServerV2, { mcpReq }: Ctx): Surroundings => ({
  log: (data) => mcpReq.log('info', data),
  serverLog: (data) => server.sendLoggingMessage({ level: 'info', data }),
  progress: (message) =>
    mcpReq.notify({
      method: 'notifications/progress',
      params: { progressToken: mcpReq._meta?.progressToken, progress: 1, message },
    }),
  sample: (value) => mcpReq.requestSampling(messagesOf(value)),
  elicit: (message) => mcpReq.elicitInput({ message, requestedSchema }),
})

const makers: Record<string, (options: WithCredentialsOptions, scopes?: Scopes) => AnyV1 | AnyV2> =
  {
    'v1 McpServer': (options, { source, enter } = IN_CALL) => {
      const server = withCredentials(
        new McpServerV1(INFO, { capabilities: CAPABILITIES }),
        source,
        options,
      )
      for (const [name, leak] of Object.entries(leaks)) {
        const outputSchema =
          name === 'structured content' ? { outputSchema: { token: z.string() } } : {}
        server.registerTool(name, outputSchema, ((extra: Extra) =>
          enter(() => leak(aroundV1(server.server, extra)))) as never)
      }
      return server
    },
    'v1 Server': (options, { source, enter } = IN_CALL) => {
      const server = withCredentials(
        new ServerV1(INFO, { capabilities: CAPABILITIES }),
        source,
        options,
      )
      server.setRequestHandler(CallToolRequestSchema, ((
        { params }: { params: { name: string } },
        extra: Extra,
      ) => enter(() => leaks[params.name]?.(aroundV1(server, extra)))) as never)
      return server
    },
    'v2 McpServer': (options, { source, enter } = IN_CALL) => {
      const server = withCredentials(
        new McpServerV2(INFO, { capabilities: CAPABILITIES }),
        source,
        options,
      )
      for (const [name, leak] of Object.entries(leaks)) {
        const outputSchema =
          name === 'structured content' ? { outputSchema: z.object({ token: z.string() }) } : {}
        server.registerTool(name, outputSchema, ((ctx: Ctx) =>
          enter(() => leak(aroundV2(server.server, ctx)))) as never)
      }
      return server
    },
    'v2 Server': (options, { source, enter } = IN_CALL) => {
      const server = withCredentials(
        new ServerV2(INFO, { capabilities: CAPABILITIES }),
        source,
        options,
      )
      server.setRequestHandler('tools/call', ((request: { params: { name: string } }, ctx: Ctx) =>
        enter(() => leaks[request.params.name]?.(aroundV2(server, ctx)))) as never)
      return server
    },
  }

/** A client that answers what it is asked, and the text of all that it received. */
async function connect(server: AnyV1 | AnyV2): Promise<{ peer: Peer; received: () => string }> {
  const messages: unknown[] = []
  const record = <T extends { onmessage?: unknown }>(transport: T): T => {
    const { onmessage } = transport as {
      onmessage?: (message: unknown, ...rest: unknown[]) => void
    }
    Object.assign(transport, {
      onmessage: (message: unknown, ...rest: unknown[]) => {
        messages.push(message)
        onmessage?.(message, ...rest)
      },
    })
    return transport
  }
  const sampled = {
    model: 'none',
    role: 'assistant' as const,
    content: { type: 'text' as const, text: 'ok' },
  }
  const capabilities = { sampling: {}, elicitation: { form: {} } }
  const received = () => JSON.stringify(messages)
  if (server instanceof McpServerV1 || server instanceof ServerV1) {
    const [near, far] = InMemoryV1.createLinkedPair()
    const client = clientV1(capabilities)
    client.setRequestHandler(CreateMessageRequestSchema, async () => sampled)
    client.setRequestHandler(ElicitRequestSchema, async () => ({ action: 'decline' as const }))
    await Promise.all([server.connect(far), client.connect(near)])
    record(near)
    return { peer: peerOf(client), received }
  }
  const [near, far] = InMemoryV2.createLinkedPair()
  const client = clientV2('of 2025', capabilities)
  client.setRequestHandler('sampling/createMessage', async () => sampled)
  client.setRequestHandler('elicitation/create', async () => ({ action: 'decline' as const }))
  await Promise.all([server.connect(far), client.connect(near)])
  record(near)
  return { peer: peerOf(client), received }
}

async function receivedOf(server: AnyV1 | AnyV2, tool: string): Promise<string> {
  const { peer, received } = await connect(server)
  const params = { name: tool, arguments: {}, _meta: { progressToken: 7 } }
  await (peer.client as ReturnType<typeof clientV2>)
    .callTool(params)
    .catch((error: unknown) => error)
  await sleep(tool.includes('after the call') ? 40 : 0)
  await peer.close()
  return received()
}

for (const [kind, make] of Object.entries(makers)) {
  for (const [where, scopes] of Object.entries(SCOPES)) {
    describe(`${kind}: nothing of a secret ${where} reaches the client`, () => {
      for (const tool of Object.keys(leaks)) {
        // The high-level servers drop the data of an exception, the low-level ones what is no Error.
        if (tool === (kind.endsWith('McpServer') ? 'an exception with data' : 'a thrown string'))
          continue
        test(tool, async () => {
          const events: CallEvent[] = []
          const onCall = (event: CallEvent) => {
            events.push(event)
            throw new Error(TOKEN)
          }
          const received = await receivedOf(make({ onCall }, scopes), tool)
          assertClean(received, tool)
          assert.equal(events.length, 1)
          assert.equal(events[0]?.tool, tool)
          assert.equal(findLeak(JSON.stringify(events)), undefined)
          // What is sent after the call is not in the event, which was told at its end.
          if (!/after the call/.test(tool))
            assert.match(String(events[0]?.redacted[0]?.name), /^field "(token|password)"$/)
        })

        test(`${tool}: with redact: false the search finds it`, async () => {
          const events: CallEvent[] = []
          const onCall = (event: CallEvent) => void events.push(event)
          const received = await receivedOf(make({ redact: false, onCall }, scopes), tool)
          assert(findLeak(received), received)
          assert.deepEqual(events[0]?.redacted, [])
        })
      }
    })
  }
}

function assertClean(received: string, tool: string): void {
  assert.equal(findLeak(received), undefined)
  if (/structured/.test(tool)) assert.match(received, /"isError":true/)
  if (/structured|an image/.test(tool))
    assert.match(received, /withheld, because it held a secret \(field \\"token\\"\)/)
  else assert.match(received, /KEEP/)
}

describe('v1 tasks: nothing of a secret reaches the client', () => {
  /** Each tool leaks after its call, in the task that this has made. */
  function makeTasks(options: WithCredentialsOptions) {
    const taskStore = new InMemoryTaskStore()
    const server = new McpServerV1(INFO, {
      taskStore,
      capabilities: { ...CAPABILITIES, tasks: { requests: { tools: { call: {} } } } },
    })
    withCredentials(server, source, options)
    for (const [name, leak] of Object.entries(leaks))
      server.experimental.tasks.registerToolTask(
        name,
        { inputSchema: {}, execution: { taskSupport: 'required' } },
        {
          async createTask(_args, extra) {
            const { taskStore: store } = extra
            const task = await store.createTask({ ttl: 60_000 })
            const work = async () => {
              try {
                const result = await leak(aroundV1(server.server, extra as never))
                await store.storeTaskResult(task.taskId, 'completed', result as never)
              } catch (error) {
                await store.updateTaskStatus(task.taskId, 'failed', inspect(error))
              }
            }
            taken.run(own(), () => setTimeout(() => void work(), 2))
            return { task }
          },
          getTask: (_args, { taskId, taskStore: store }) => store.getTask(taskId),
          getTaskResult: async (_args, { taskId, taskStore: store }) =>
            (await store.getTaskResult(taskId)) as never,
        },
      )
    return { server, taskStore }
  }

  async function receivedFrom(options: WithCredentialsOptions, tool: string): Promise<string> {
    const { server, taskStore } = makeTasks(options)
    const { peer, received } = await connect(server)
    const client = peer.client as ReturnType<typeof clientV1>
    const _meta = { progressToken: 7 }
    const params = { name: tool, arguments: {}, task: { ttl: 60_000 }, _meta }
    const { task } = await client.request({ method: 'tools/call', params }, CreateTaskResultSchema)
    const about = { taskId: task.taskId }
    for (let turn = 0; turn < 500; turn++) {
      const get = { method: 'tasks/get' as const, params: about }
      if ((await client.request(get, GetTaskResultSchema)).status !== 'working') break
      await sleep(1)
    }
    await client
      .request({ method: 'tasks/result', params: about }, CallToolResultSchema)
      .catch((error: unknown) => error)
    await sleep(tool.includes('after the call') ? 40 : 0)
    await peer.close()
    taskStore.cleanup()
    return received()
  }

  for (const tool of Object.keys(leaks)) {
    test(tool, async () => assertClean(await receivedFrom({}, tool), tool))

    test(`${tool}: with redact: false the search finds it`, async () => {
      const received = await receivedFrom({ redact: false }, tool)
      assert(findLeak(received), received)
    })
  }
})

describe('over HTTP, every byte that the client received', () => {
  const bytes: string[] = []
  const recordingFetch: typeof fetch = async (url, init) => {
    const response = await fetch(url, init)
    for (const header of response.headers) bytes.push(header.join(': '))
    const decoder = new TextDecoder()
    const tap = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, out) {
        bytes.push(decoder.decode(chunk, { stream: true }))
        out.enqueue(chunk)
      },
    })
    return new Response(response.body?.pipeThrough(tap) ?? null, response)
  }
  const connections: Record<string, (options: WithCredentialsOptions) => [Handle, AnyClient]> = {
    v1: (options) => [statelessV1(() => makers['v1 McpServer']!(options) as AnyV1), clientV1()],
    'v2 of 2025': (options) => [
      handlerV2(() => makers['v2 McpServer']!(options) as AnyV2),
      clientV2('of 2025'),
    ],
    'v2 of 2026': (options) => [
      handlerV2(() => makers['v2 McpServer']!(options) as AnyV2),
      clientV2('of 2026'),
    ],
  }
  const tried = [
    'an exception',
    'an echo of the request',
    'structured content',
    'a property name',
    'a progress message',
  ]
  for (const [name, make] of Object.entries(connections)) {
    for (const redact of [undefined, false] as const) {
      test(`${name}${redact === false ? ': with redact: false the search finds each' : ''}`, async () => {
        const [handle, client] = make({ ...(redact === false && { redact }) })
        const server = await listen((request, response) => void handle(request, response))
        await connectOverHttp(client, server.url, undefined, recordingFetch)
        for (const tool of tried) {
          bytes.length = 0
          await (client as ReturnType<typeof clientV2>)
            .callTool({ name: tool, arguments: {}, _meta: { progressToken: 7 } })
            .catch((error: unknown) => error)
          const leak = findLeak(bytes.join(''))
          assert(bytes.join('').length > 100)
          if (redact === false) assert(leak, tool)
          else assert.equal(leak, undefined, tool)
        }
        await client.close()
        await server.close()
      })
    }
  }
})

describe('options.redact', () => {
  test('except leaves fields that are no secrets', async () => {
    const tell = (options: WithCredentialsOptions) => {
      const server = withCredentials(new McpServerV2(INFO), source, options)
      server.registerTool('tell', {}, () => ({
        content: [
          { type: 'text', text: `${getCredentials('static').field('baseUrl')} ${secret()}` },
        ],
      }))
      return server
    }
    const textOf = async (options: WithCredentialsOptions) => {
      const peer = await inMemory(tell(options))
      const result = await peer.call('tell')
      await peer.close()
      return result.content?.[0]?.text
    }
    assert.equal(await textOf({}), '[redacted] [redacted]')
    assert.equal(
      await textOf({ redact: { except: ['baseUrl'] } }),
      'https://api.example/KEEP [redacted]',
    )
  })

  test('an event names 100 places', async () => {
    const events: CallEvent[] = []
    const onCall = (event: CallEvent) => void events.push(event)
    const server = withCredentials(new McpServerV2(INFO), source, { onCall })
    server.registerTool('often', {}, () => ({
      content: Array.from({ length: 130 }, () => ({ type: 'text' as const, text: secret() })),
    }))
    const peer = await inMemory(server)
    await peer.call('often')
    await peer.close()
    const [event] = events
    assert.equal(events.length, 1)
    assert.equal(event?.redacted.length, 100)
    assert.deepEqual(event?.redacted[99], { name: 'field "token"', where: 'content.99.text' })
  })

  test('a server that was connected before it was given its credentials', async () => {
    const server = new ServerV2(INFO, { capabilities: CAPABILITIES })
    const [near, far] = InMemoryV2.createLinkedPair()
    await server.connect(far)
    withCredentials(server, source)
    withCredentials(new ServerV2(INFO), source)
    server.setRequestHandler('tools/call', (async () => {
      await server.sendLoggingMessage({ level: 'info', data: secret() })
      return text('done')
    }) as never)
    const client = clientV2('of 2025')
    await client.connect(near)
    const messages: unknown[] = []
    const { onmessage } = near
    near.onmessage = (message) => {
      messages.push(message)
      onmessage?.(message)
    }
    await client.callTool({ name: 'any' })
    await client.close()
    assert.match(JSON.stringify(messages), /redacted/)
    assert.equal(findLeak(JSON.stringify(messages)), undefined)
  })

  test('what is not a result object passes', async () => {
    const server = withCredentials(new ServerV2(INFO, { capabilities: CAPABILITIES }), source)
    server.setRequestHandler('tools/call', (async () => undefined) as never)
    const peer = await inMemory(server)
    await assert.rejects(peer.call('any'))
    await peer.close()
  })
})

describe('v1 task results', () => {
  for (const [name, result] of [
    ['in the content', () => text(`KEEP ${secret()}`)],
    ['in structured content', () => ({ ...text('KEEP'), structuredContent: { token: secret() } })],
  ] as const) {
    for (const redact of [undefined, false] as const) {
      test(`${name}${redact === false ? ': with redact: false the search finds it' : ''}`, async () => {
        const taskStore = new InMemoryTaskStore()
        const server = withCredentials(
          new McpServerV1(INFO, {
            taskStore,
            capabilities: { tasks: { requests: { tools: { call: {} } } } },
          }),
          source,
          { ...(redact === false && { redact }) },
        )
        server.experimental.tasks.registerToolTask(
          'task',
          { inputSchema: {}, execution: { taskSupport: 'required' } },
          {
            async createTask(_args, { taskStore }) {
              const task = await taskStore.createTask({ ttl: 60_000 })
              const late = result()
              setTimeout(
                () => void taskStore.storeTaskResult(task.taskId, 'completed', late as never),
                10,
              )
              return { task }
            },
            getTask: (_args, { taskId, taskStore }) => taskStore.getTask(taskId),
            getTaskResult: async (_args, { taskId, taskStore }) =>
              (await taskStore.getTaskResult(taskId)) as never,
          },
        )
        const peer = await inMemory(server)
        const client = peer.client as ReturnType<typeof clientV1>
        const { task } = await client.request(
          { method: 'tools/call', params: { name: 'task', arguments: {}, task: { ttl: 60_000 } } },
          CreateTaskResultSchema,
        )
        await sleep(30)
        const stored = await client.request(
          { method: 'tasks/result', params: { taskId: task.taskId } },
          CallToolResultSchema,
        )
        await peer.close()
        taskStore.cleanup()
        const leak = findLeak(JSON.stringify(stored))
        if (redact === false) assert(leak)
        else assert.equal(leak, undefined)
      })
    }
  }
})
