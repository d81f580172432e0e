// Scrubbing follows the call, wherever and whenever something of it is sent. Each case also runs with redact: false, where the
// secrets do reach the client, so that what is tested is known to happen.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  InMemoryTaskMessageQueue,
  InMemoryTaskStore,
} from '@modelcontextprotocol/sdk/experimental/tasks'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import {
  CallToolResultSchema,
  CreateTaskResultSchema,
  ElicitRequestSchema,
  GetTaskResultSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { InMemoryTransport as InMemoryV1 } from '@modelcontextprotocol/sdk/inMemory.js'
import {
  InMemoryTransport as InMemoryV2,
  McpServer as McpServerV2,
} from '@modelcontextprotocol/server'
import {
  getCredentials,
  OAuthCredential,
  runWithCredentials,
  StaticCredential,
} from 'mcp-credentials'
import type { CredentialSource } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import type { WithCredentialsOptions } from 'mcp-credentials/mcp'
import { redactSecrets } from 'mcp-credentials/redact'
import { clientV1, clientV2 } from './wirings.js'

const INFO = { name: 'follow', version: '1.0.0' }
const ANNA = 'FAKE-anna-0123456789abcdef-do-not-leak'
const BOB = 'FAKE-bob-9876543210fedcba-do-not-leak'
const INNER = 'FAKE-inner-5555aaaa6666bbbb-do-not-leak'
const SECRETS = [ANNA, BOB, INNER]

/** The names of the tools are those of their callers. */
const source: CredentialSource = ({ tool }) => {
  if (tool === 'field') return new StaticCredential({ apiKey: ANNA })
  return new OAuthCredential({ accessToken: tool === 'bob' ? BOB : ANNA })
}

/** Eight characters in a row of a secret, or base64 of it. */
function findLeak(text: string): string | undefined {
  for (const secret of SECRETS) {
    if (text.includes(btoa(`GIF89a ${secret}`))) return 'base64'
    for (let start = 0; start + 8 <= secret.length; start++)
      if (text.includes(secret.slice(start, start + 8))) return secret.slice(start, start + 8)
  }
  return undefined
}

/** What a tool can send. */
interface Around {
  /** In the name of its own request. */
  send(data: string): Promise<void>
  /** In the name of no request. */
  broadcast(data: string): Promise<void>
  /** A request to the client, whose answer is waited for. */
  ask(message: string): Promise<unknown>
}

type Tool = (around: Around) => unknown

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] })
const requestedSchema = { type: 'object' as const, properties: {} }

interface Connected {
  call(name: string, signal?: AbortSignal): Promise<unknown>
  /** All that the client has received. */
  received(): string
  close(): Promise<void>
}

type Connect = (tools: Record<string, Tool>, options: WithCredentialsOptions) => Promise<Connected>

/** Keeps what arrives. */
function record(transport: { onmessage?: unknown }): () => string {
  const messages: unknown[] = []
  const { onmessage } = transport as { onmessage: (...args: unknown[]) => void }
  transport.onmessage = (...args: unknown[]) => {
    messages.push(args[0])
    onmessage(...args)
  }
  return () => JSON.stringify(messages)
}

const connectV1: Connect = async (tools, options) => {
  const server = withCredentials(
    new McpServerV1(INFO, { capabilities: { logging: {} } }),
    source,
    options,
  )
  const broadcast = (data: string) => server.server.sendLoggingMessage({ level: 'info', data })
  for (const [name, tool] of Object.entries(tools))
    server.registerTool(name, {}, async (extra) => {
      const params = { level: 'info' as const }
      const around: Around = {
        broadcast,
        send: (data) =>
          extra.sendNotification({ method: 'notifications/message', params: { ...params, data } }),
        ask: (message) => server.server.elicitInput({ message, requestedSchema }),
      }
      return (await tool(around)) as never
    })
  const [near, far] = InMemoryV1.createLinkedPair()
  const client = clientV1({ elicitation: { form: {} } })
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'decline' as const }))
  await Promise.all([server.connect(far), client.connect(near)])
  const received = record(near)
  return {
    received,
    call: (name, signal) => client.callTool({ name }, undefined, signal && { signal }),
    close: () => client.close(),
  }
}

const connectV2: Connect = async (tools, options) => {
  const server = withCredentials(
    new McpServerV2(INFO, { capabilities: { logging: {} } }),
    source,
    options,
  )
  const broadcast = (data: string) => server.server.sendLoggingMessage({ level: 'info', data })
  for (const [name, tool] of Object.entries(tools))
    server.registerTool(name, {}, async ({ mcpReq }) => {
      const around: Around = {
        broadcast,
        send: (data) =>
          mcpReq.notify({ method: 'notifications/message', params: { level: 'info', data } }),
        ask: (message) => mcpReq.elicitInput({ message, requestedSchema }),
      }
      return (await tool(around)) as never
    })
  const [near, far] = InMemoryV2.createLinkedPair()
  const client = clientV2('of 2025', { elicitation: { form: {} } })
  client.setRequestHandler('elicitation/create', () => ({ action: 'decline' as const }))
  await Promise.all([server.connect(far), client.connect(near)])
  const received = record(near)
  return {
    received,
    call: (name, signal) => client.callTool({ name }, signal && { signal }),
    close: () => client.close(),
  }
}

const SDKS = [
  ['v1', connectV1],
  ['v2', connectV2],
] as const

const own = () => getCredentials('oauth').accessToken

/** A promise, and how to keep it. */
function promise<T>() {
  let resolve: (value: T) => void = () => {}
  const kept = new Promise<T>((done) => (resolve = done))
  return { kept, resolve }
}

/** What happens between anna's call and bob's, who have a server in common. */
type Case = (connect: (tools: Record<string, Tool>) => Promise<Connected>) => Promise<Connected>

const cases: Record<string, Case> = {
  async 'a shared emitter whose listener was added by another call'(connect) {
    const emitter = new EventEmitter()
    const [listening, heard] = [promise<void>(), promise<void>()]
    const connected = await connect({
      async anna({ send }) {
        const secret = own()
        emitter.once('news', (news: string) => send(`KEEP ${news} ${secret}`).then(heard.resolve))
        listening.resolve()
        await heard.kept
        return text('done')
      },
      bob() {
        emitter.emit('news', own())
        return text('done')
      },
    })
    const anna = connected.call('anna')
    await listening.kept
    await connected.call('bob')
    await anna
    return connected
  },

  async 'a queue that is worked off by another call, while its own still runs'(connect) {
    const queue: (() => Promise<void>)[] = []
    const [queued, worked] = [promise<void>(), promise<void>()]
    const connected = await connect({
      async anna({ send }) {
        const secret = own()
        queue.push(() => send(`KEEP ${secret}`))
        queued.resolve()
        await worked.kept
        return text('done')
      },
      async bob() {
        for (const job of queue) await job()
        worked.resolve()
        return text('done')
      },
    })
    const anna = connected.call('anna')
    await queued.kept
    await connected.call('bob')
    await anna
    return connected
  },

  async 'a queue that is worked off by another call, after its own has ended'(connect) {
    const queue: (() => Promise<void>)[] = []
    const connected = await connect({
      anna({ send }) {
        const secret = own()
        queue.push(() => send(`KEEP ${secret}`))
        return text('done')
      },
      async bob() {
        for (const job of queue) await job()
        return text('done')
      },
    })
    await connected.call('anna')
    await connected.call('bob')
    return connected
  },

  async 'a message that names no request, sent from outside of every call'(connect) {
    const [ready, over] = [promise<() => Promise<void>>(), promise<void>()]
    const connected = await connect({
      async anna({ broadcast }) {
        const secret = own()
        ready.resolve(() => broadcast(`KEEP ${secret}`))
        await over.kept
        return text('done')
      },
    })
    const anna = connected.call('anna')
    const send = await ready.kept
    await send()
    over.resolve()
    await anna
    return connected
  },

  async 'the same, when its call has ended'(connect) {
    const ready = promise<() => Promise<void>>()
    const connected = await connect({
      anna({ broadcast }) {
        const secret = own()
        ready.resolve(() => broadcast(`KEEP ${secret}`))
        return text('done')
      },
    })
    await connected.call('anna')
    const send = await ready.kept
    await send()
    return connected
  },

  async 'the same, when its call was cancelled and its tool runs on'(connect) {
    const [ready, over] = [promise<() => Promise<void>>(), promise<void>()]
    const connected = await connect({
      async anna({ broadcast }) {
        const secret = own()
        ready.resolve(() => broadcast(`KEEP ${secret}`))
        await over.kept
        return text('done')
      },
    })
    const controller = new AbortController()
    const anna = connected.call('anna', controller.signal)
    const send = await ready.kept
    controller.abort()
    await assert.rejects(anna)
    await send()
    over.resolve()
    return connected
  },

  async 'nested scopes: the tokens of both, from the inner one'(connect) {
    const connected = await connect({
      anna: ({ send, broadcast }) => {
        const outer = own()
        return runWithCredentials(new OAuthCredential({ accessToken: INNER }), async () => {
          await send(`KEEP ${outer} ${own()}`)
          await broadcast(`KEEP ${outer} ${own()}`)
          return text(`KEEP ${outer} ${own()}`)
        })
      },
    })
    await connected.call('anna')
    return connected
  },

  async 'nested scopes: the inner token, from the outer one'(connect) {
    const connected = await connect({
      async anna({ send, broadcast }) {
        const inner = await runWithCredentials(
          new OAuthCredential({ accessToken: INNER }),
          async () => own(),
        )
        await send(`KEEP ${inner}`)
        await broadcast(`KEEP ${inner}`)
        return text(`KEEP ${inner}`)
      },
    })
    await connected.call('anna')
    return connected
  },

  async 'nested scopes: thrown by the inner one'(connect) {
    const connected = await connect({
      anna: () => {
        const outer = own()
        return runWithCredentials(new OAuthCredential({ accessToken: INNER }), () => {
          throw new Error(`KEEP ${outer} ${own()}`)
        })
      },
    })
    await connected.call('anna')
    return connected
  },

  async 'a message from a timer after the call'(connect) {
    const sent = promise<void>()
    const connected = await connect({
      anna({ send, broadcast }) {
        const secret = own()
        setTimeout(() => {
          void Promise.all([send(`KEEP ${secret}`), broadcast(`KEEP ${secret}`)]).then(() =>
            sent.resolve(),
          )
        }, 20)
        return text('done')
      },
    })
    await connected.call('anna')
    await sent.kept
    return connected
  },

  async 'a question to the client'(connect) {
    const connected = await connect({
      async anna({ ask }) {
        await ask(`KEEP ${own()}`)
        return text('done')
      },
    })
    await connected.call('anna')
    return connected
  },
}

for (const [sdk, connect] of SDKS) {
  describe(`${sdk}: nothing of a secret leaves`, () => {
    for (const [name, run] of Object.entries(cases)) {
      for (const redact of [undefined, false] as const) {
        test(`${name}${redact === false ? ': with redact: false it does' : ''}`, async () => {
          const connected = await run((tools) =>
            connect(tools, { ...(redact === false && { redact }) }),
          )
          const received = connected.received()
          assert.match(received, /KEEP/)
          assert.equal(findLeak(received) === undefined, redact !== false, received)
          await connected.close()
        })
      }
    }

    for (const redact of [undefined, false] as const) {
      const ending = redact === false ? 'goes out with redact: false' : 'is withheld'
      test(`what is sent when a thousand calls and more have ended since ${ending}`, async () => {
        const later = promise<(use: (around: Around) => Promise<unknown>) => Promise<unknown>>()
        const tools: Record<string, Tool> = {
          anna(around) {
            const done = promise<unknown>()
            const start = promise<(around: Around) => Promise<unknown>>()
            // Goes on in the scope of the call.
            void start.kept.then(async (use) => done.resolve(await use(around)))
            later.resolve((use) => {
              start.resolve(use)
              return done.kept
            })
            return text('done')
          },
        }
        const connected = await connect(tools, { ...(redact === false && { redact }) })
        await connected.call('anna')
        for (let count = 0; count < 2100; count++)
          runWithCredentials(new OAuthCredential({ accessToken: 'FAKE-other-credential' }), () => 1)
        const use = await later.kept
        const asked = await use(async ({ send, broadcast, ask }) => {
          await send(`LATE ${ANNA}`)
          await broadcast(`LATE ${ANNA}`)
          return ask(`LATE ${ANNA}`).then(
            () => 'an answer',
            (error: unknown) => String(error),
          )
        })
        const received = connected.received()
        assert.equal(/LATE/.test(received), redact === false)
        assert.equal(findLeak(received) === undefined, redact !== false)
        if (redact === false) assert.equal(asked, 'an answer')
        else assert.match(String(asked), /ended too long ago to tell its secrets/)
        await connected.close()
      })
    }
  })
}

for (const [sdk, connect] of SDKS) {
  test(`${sdk}: a field that is no secret is left in messages too`, async () => {
    const tools: Record<string, Tool> = {
      async field({ send, broadcast }) {
        await send(`KEEP ${ANNA}`)
        await broadcast(`KEEP ${ANNA}`)
        return text(`KEEP ${ANNA}`)
      },
    }
    const connected = await connect(tools, { redact: { except: ['apiKey'] } })
    await connected.call('field')
    assert.equal(connected.received().split(`KEEP ${ANNA}`).length, 4)
    await connected.close()
  })

  test(`${sdk}: of calls that have ended, what others send for them is withheld after two hundred more`, async () => {
    const jobs: (() => Promise<void>)[] = []
    const tools: Record<string, Tool> = {
      anna({ send }) {
        const name = `job ${jobs.length}.`
        jobs.push(() => send(`${name} ${ANNA}`))
        return text('done')
      },
      async bob() {
        for (const job of jobs) await job()
        return text('done')
      },
    }
    const connected = await connect(tools, {})
    for (let count = 0; count < 210; count++) await connected.call('anna')
    await connected.call('bob')
    const received = connected.received()
    const sent = [...received.matchAll(/job (\d+)\. \[redacted\]/g)].map(([, job]) => Number(job))
    assert.equal(findLeak(received), undefined)
    // Of the last hundred all, and of those before the last two hundred none.
    assert(sent.length >= 100 && sent.length <= 200)
    assert.deepEqual(
      sent,
      Array.from(sent, (_, index) => 210 - sent.length + index),
    )
    await connected.close()
  })
}

describe('base64 is withheld', () => {
  const methods = ['resources/read', 'prompts/get']
  const blob = () => btoa(`GIF89a ${own()}`)
  // The two registries have the same shape, which TypeScript cannot see through their overloads.
  const register = (server: McpServerV2) => {
    server.registerTool('image', {}, () => ({
      content: [{ type: 'image', mimeType: 'image/gif', data: blob() }],
    }))
    server.registerTool('audio', {}, () => ({
      content: [{ type: 'audio', mimeType: 'audio/wav', data: blob() }],
    }))
    server.registerTool('resource', {}, () => ({
      content: [{ type: 'resource', resource: { uri: 'test://blob', blob: blob() } }],
    }))
    server.registerResource('blob', 'test://blob', {}, (uri) => ({
      contents: [{ uri: uri.href, blob: blob() }],
    }))
    const prompt = (name: string, content: () => object) =>
      server.registerPrompt(name, {}, () => ({
        messages: [{ role: 'user', content: content() as never }],
      }))
    prompt('image', () => ({ type: 'image', mimeType: 'image/gif', data: blob() }))
    prompt('audio', () => ({ type: 'audio', mimeType: 'audio/wav', data: blob() }))
    prompt('resource', () => ({ type: 'resource', resource: { uri: 'test://blob', blob: blob() } }))
    return server
  }
  for (const [sdk] of SDKS) {
    for (const redact of [undefined, false] as const) {
      test(`${sdk}: in tools, resources and prompts${redact === false ? ': not with redact: false' : ''}`, async () => {
        const isV1 = sdk === 'v1'
        const McpServer = isV1 ? (McpServerV1 as unknown as typeof McpServerV2) : McpServerV2
        const options = { methods, ...(redact === false && { redact }) }
        const server = withCredentials(register(new McpServer(INFO)), source, options)
        const [near, far] = (isV1 ? InMemoryV1 : InMemoryV2).createLinkedPair()
        const client = isV1
          ? (clientV1() as never as ReturnType<typeof clientV2>)
          : clientV2('of 2025')
        await Promise.all([server.connect(far as never), client.connect(near as never)])
        const results = {
          'a tool, an image': await client.callTool({ name: 'image' }),
          'a tool, audio': await client.callTool({ name: 'audio' }),
          'a tool, a resource': await client.callTool({ name: 'resource' }),
          'a resource': await client.readResource({ uri: 'test://blob' }),
          'a prompt, an image': await client.getPrompt({ name: 'image' }),
          'a prompt, audio': await client.getPrompt({ name: 'audio' }),
          'a prompt, a resource': await client.getPrompt({ name: 'resource' }),
        }
        for (const [name, result] of Object.entries(results)) {
          const received = JSON.stringify(result)
          assert.equal(received.includes(btoa(`GIF89a ${ANNA}`)), redact === false, name)
          assert.equal(
            received.includes('The content of the tool was withheld, because it held a secret'),
            redact !== false,
            name,
          )
        }
        await client.close()
      })
    }
  }
})

describe('tasks of v1', () => {
  type Extra = Parameters<
    Parameters<McpServerV1['experimental']['tasks']['registerToolTask']>[2]['createTask']
  >[1]
  type Work = (task: string, extra: Extra, server: McpServerV1) => Promise<unknown>

  const image = (secret: string) => ({
    content: [{ type: 'image' as const, mimeType: 'image/gif', data: btoa(`GIF89a ${secret}`) }],
  })

  /** Has a task do its work after its call, and gives all that the client received until its end. */
  async function receivedOf(work: Work, redact: false | undefined): Promise<string> {
    const taskStore = new InMemoryTaskStore()
    const server = withCredentials(
      new McpServerV1(INFO, {
        taskStore,
        taskMessageQueue: new InMemoryTaskMessageQueue(),
        defaultTaskPollInterval: 5,
        capabilities: { logging: {}, tasks: { requests: { tools: { call: {} } } } },
      }),
      source,
      { ...(redact === false && { redact }) },
    )
    server.experimental.tasks.registerToolTask(
      'anna',
      { inputSchema: {}, execution: { taskSupport: 'required' } },
      {
        async createTask(_args, extra) {
          const task = await extra.taskStore.createTask({ ttl: 60_000 })
          setTimeout(() => void work(task.taskId, extra, server), 10)
          return { task }
        },
        getTask: (_args, { taskId, taskStore: store }) => store.getTask(taskId),
        getTaskResult: async (_args, { taskId, taskStore: store }) =>
          (await store.getTaskResult(taskId)) as never,
      },
    )
    const [near, far] = InMemoryV1.createLinkedPair()
    const client = clientV1({ elicitation: { form: {} } })
    client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'decline' as const }))
    await Promise.all([server.connect(far), client.connect(near)])
    const received = record(near)
    const params = { name: 'anna', arguments: {}, task: { ttl: 60_000 } }
    const { task } = await client.request({ method: 'tools/call', params }, CreateTaskResultSchema)
    const get = { method: 'tasks/get' as const, params: { taskId: task.taskId } }
    for (let turn = 0; turn < 200; turn++) {
      const { status } = await client.request(get, GetTaskResultSchema)
      if (status !== 'working') break
      await sleep(5)
    }
    const result = { method: 'tasks/result' as const, params: get.params }
    await client.request(result, CallToolResultSchema).catch((error: unknown) => error)
    await client.close()
    taskStore.cleanup()
    return received()
  }

  const WORK: Record<string, Work> = {
    'the message of a state': async (task, { taskStore }) => {
      await taskStore.updateTaskStatus(task, 'failed', `KEEP ${ANNA}`)
    },
    'a result': async (task, { taskStore }) => {
      await taskStore.storeTaskResult(task, 'completed', text(`KEEP ${ANNA}`))
    },
    'base64 in a result': async (task, { taskStore }) => {
      await taskStore.storeTaskResult(task, 'completed', image(ANNA))
    },
    'a log message that waits for tasks/result': async (task, { taskStore }, { server }) => {
      const params = { level: 'info' as const, data: `KEEP ${ANNA}` }
      const relatedTask = { taskId: task }
      await server.notification({ method: 'notifications/message', params }, { relatedTask })
      await taskStore.storeTaskResult(task, 'completed', text('done'))
    },
    'an elicitation that waits for tasks/result': async (task, { taskStore }, { server }) => {
      const relatedTask = { taskId: task }
      const asked = server.elicitInput(
        { message: `KEEP ${ANNA}`, requestedSchema },
        { relatedTask },
      )
      await taskStore.updateTaskStatus(task, 'input_required')
      await asked
      await taskStore.storeTaskResult(task, 'completed', text('done'))
    },
    'a result when a thousand calls and more have ended since': async (task, { taskStore }) => {
      for (let count = 0; count < 2100; count++)
        runWithCredentials(new OAuthCredential({ accessToken: 'FAKE-other-credential' }), () => 1)
      await taskStore.storeTaskResult(task, 'completed', text(`KEEP ${ANNA}`))
    },
  }
  for (const [name, work] of Object.entries(WORK)) {
    for (const redact of [undefined, false] as const) {
      test(`${name}${redact === false ? ': leaks with redact: false' : ''}`, async () => {
        const received = await receivedOf(work, redact)
        assert.equal(findLeak(received) === undefined, redact !== false, received)
        const isWithheld = /base64/.test(name) && redact !== false
        if (isWithheld) assert.match(received, /was withheld, because it held a secret/)
        else if (!/base64/.test(name)) assert.match(received, /KEEP/)
      })
    }
  }

  test('a task store that a tool holds itself is not scrubbed, as docs/scrubbing.md says; redactSecrets does it', async () => {
    for (const isScrubbed of [false, true]) {
      const held = new InMemoryTaskStore()
      const server = withCredentials(new McpServerV1(INFO, { taskStore: held }), source)
      const stored: unknown[] = []
      server.registerTool('anna', {}, async () => {
        const task = await held.createTask({ ttl: 60_000 }, 1, { method: 'tools/call' })
        const result = text(`KEEP ${own()}`)
        const written = isScrubbed ? redactSecrets(result) : result
        await held.storeTaskResult(task.taskId, 'completed', written)
        stored.push(await held.getTaskResult(task.taskId))
        return text('done')
      })
      const [near, far] = InMemoryV1.createLinkedPair()
      const client = clientV1()
      await Promise.all([server.connect(far), client.connect(near)])
      await client.callTool({ name: 'anna' })
      await client.close()
      held.cleanup()
      assert.match(JSON.stringify(stored), /KEEP/)
      assert.equal(findLeak(JSON.stringify(stored)) === undefined, isScrubbed)
    }
  })

  for (const redact of [undefined, false] as const) {
    for (const when of ['while it runs', 'a thousand calls later']) {
      const ending = redact === false ? ': leaks with redact: false' : ''
      test(`what a client diverts from a plain call to a task of its own, ${when}${ending}`, async () => {
        const taskStore = new InMemoryTaskStore()
        const taskMessageQueue = new InMemoryTaskMessageQueue()
        const server = withCredentials(
          new McpServerV1(INFO, {
            taskStore,
            taskMessageQueue,
            capabilities: { logging: {}, tasks: { requests: { tools: { call: {} } } } },
          }),
          source,
          { ...(redact === false && { redact }) },
        )
        const sent = promise<unknown>()
        server.registerTool('anna', {}, (extra) => {
          const work = async () => {
            const isLate = when !== 'while it runs'
            for (let count = 0; isLate && count < 2100; count++)
              runWithCredentials(new OAuthCredential({ accessToken: 'FAKE-other' }), () => 1)
            const params = { level: 'info' as const, data: `KEEP ${ANNA}` }
            await extra.sendNotification({ method: 'notifications/message', params })
            const elicit = { message: `KEEP ${ANNA}`, requestedSchema }
            const asked = extra.sendRequest(
              { method: 'elicitation/create', params: elicit },
              CallToolResultSchema,
              { timeout: 100 },
            )
            sent.resolve(await asked.catch((error: unknown) => String(error)))
          }
          if (when === 'while it runs') void work()
          else setTimeout(() => void work(), 10)
          return text(`KEEP ${ANNA}`)
        })
        const [near, far] = InMemoryV1.createLinkedPair()
        const client = clientV1()
        await Promise.all([server.connect(far), client.connect(near)])
        const task = await taskStore.createTask({ ttl: 60_000 }, 1, { method: 'tools/call' })
        const _meta = { 'io.modelcontextprotocol/related-task': { taskId: task.taskId } }
        // The answer is queued as well, and never sent.
        void client.callTool({ name: 'anna', _meta }).catch(() => undefined)
        const asked = await sent.kept
        const messages: unknown[] = []
        let message: unknown
        while ((message = await taskMessageQueue.dequeue(task.taskId))) messages.push(message)
        await client.close()
        taskStore.cleanup()
        const queued = JSON.stringify(messages)
        assert.match(queued, /KEEP/)
        assert.equal(findLeak(queued) === undefined, redact !== false, queued)
        const isWithheld = redact !== false && when !== 'while it runs'
        assert.equal(/elicitation/.test(queued), !isWithheld)
        assert.equal(/notifications\/message/.test(queued), !isWithheld)
        assert.equal(/ended too long ago/.test(String(asked)), isWithheld, String(asked))
      })
    }
  }
})
