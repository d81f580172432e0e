// Requests with one JSON-RPC id on one server: no caller gets the result of another. Each case is also run without the adapter,
// where the SDKs do send it to the other, so that what is tested is known to happen.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { McpServer as McpServerV2 } from '@modelcontextprotocol/server'
import type {
  InMemoryTransport,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { OAuthCredential } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { z } from 'zod'
import { listen, statefulV1, statefulV2 } from './wirings.js'
import type { Handle } from './wirings.js'

// What the two SDKs have in common has the types of v2 here.
interface Sdk {
  readonly name: string
  readonly McpServer: typeof McpServerV2
  readonly HttpTransport: typeof WebStandardStreamableHTTPServerTransport
  readonly InMemoryTransport: typeof InMemoryTransport
}

async function importV1(name: string, specifier: string): Promise<Sdk> {
  return {
    name,
    McpServer: (await import(`${specifier}/server/mcp.js`)).McpServer,
    HttpTransport: (await import(`${specifier}/server/webStandardStreamableHttp.js`))
      .WebStandardStreamableHTTPServerTransport,
    InMemoryTransport: (await import(`${specifier}/inMemory.js`)).InMemoryTransport,
  }
}

async function importV2(name: string, specifier: string): Promise<Sdk> {
  const sdk = await import(specifier)
  const { McpServer, InMemoryTransport, WebStandardStreamableHTTPServerTransport } = sdk
  return {
    name,
    McpServer,
    InMemoryTransport,
    HttpTransport: WebStandardStreamableHTTPServerTransport,
  }
}

const SDKS = [
  await importV1('v1', '@modelcontextprotocol/sdk'),
  await importV1('v1 1.26.0', 'sdk-v1.26.0'),
  await importV2('v2', '@modelcontextprotocol/server'),
  await importV2('v2 2.0.0', 'server-v2.0.0'),
]

const INFO = { name: 'ids', version: '1.0.0' }
const source = () => new OAuthCredential({ accessToken: 'FAKE-ids-0123456789abcdef' })
const REFUSED = {
  code: -32600,
  message:
    /^Two requests with one id are in flight .* gives each session, or each request, a server of its own\.$/,
}

/** Where the tools and prompts wait, so that a test says which is ready when. */
class Desk {
  readonly started: string[] = []
  readonly #ready = new Map<string, () => void>()

  async wait(who: string): Promise<void> {
    this.started.push(who)
    await new Promise<void>((resolve) => this.#ready.set(who, resolve))
  }

  async until(who: string): Promise<void> {
    for (let wait = 0; wait < 1000 && !this.#ready.has(who); wait++) await sleep(1)
    assert(this.#ready.has(who), `${who} never started`)
  }

  ready(who: string): void {
    this.#ready.get(who)?.()
  }
}

interface Context {
  readonly sendNotification?: (notification: object) => Promise<void>
  readonly mcpReq?: { readonly notify: (notification: object) => Promise<void> }
}

/** What a tool got for a request of its own, by its caller. */
const sent = new Map<string, string>()

function makeServer({ McpServer }: Sdk, desk: Desk, isGuarded: boolean): McpServerV2 {
  const server = new McpServer(INFO, { capabilities: { logging: {} } })
  if (isGuarded) withCredentials(server, source)
  const argsSchema = z.object({ who: z.string() })
  // SDK v1 takes the shape alone.
  const inputSchema = server instanceof McpServerV2 ? argsSchema : (argsSchema.shape as never)
  server.registerTool('answer', { inputSchema }, async ({ who }) => {
    await desk.wait(who)
    return { content: [{ type: 'text', text: `the answer for ${who}` }] }
  })
  server.registerTool('talk', { inputSchema }, async ({ who }, context) => {
    await desk.wait(who)
    const { sendNotification, mcpReq } = context as Context
    await (mcpReq?.notify ?? sendNotification)?.({
      method: 'notifications/progress',
      params: { progressToken: who, progress: 1, message: `a message for ${who}` },
    })
    const asked = await server.server
      .request({ method: 'ping' }, z.object({}), { relatedRequestId: 7, timeout: 20 })
      .then(
        () => 'an answer',
        (error: unknown) => String(error),
      )
    sent.set(who, asked)
    return { content: [{ type: 'text', text: `the answer for ${who}` }] }
  })
  server.registerPrompt('ask', { argsSchema: inputSchema }, async ({ who }) => {
    const text = `the answer for ${who}`
    return { messages: [{ role: 'user', content: { type: 'text', text } }] }
  })
  return server
}

interface Message {
  readonly id?: unknown
  readonly method?: string
  readonly error?: { readonly code: number; readonly message: string }
}

const call = (id: unknown, who: string, name = 'answer') => ({
  jsonrpc: '2.0',
  id,
  method: 'tools/call',
  params: { name, arguments: { who } },
})
const prompt = (id: unknown, who: string) => ({
  jsonrpc: '2.0',
  id,
  method: 'prompts/get',
  params: { name: 'ask', arguments: { who } },
})
const cancel = (params: object) => ({ jsonrpc: '2.0', method: 'notifications/cancelled', params })
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 'initialize',
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: INFO },
}

/** All messages in the body of a response, of either kind. */
function messagesOf(body: string): Message[] {
  if (!/^(data|id|event|retry|:)/.test(body)) return body === '' ? [] : [JSON.parse(body)].flat()
  return [...body.matchAll(/^data: (.+)$/gm)].map(([, data = '']) => JSON.parse(data))
}

function assertRefused(body: string): void {
  const messages = messagesOf(body)
  assert.equal(messages.length, 1, body)
  assert.equal(messages[0]?.error?.code, REFUSED.code)
  assert.match(String(messages[0]?.error?.message), REFUSED.message)
}

const answerFor = (who: string) => new RegExp(`the answer for ${who}`)

interface Shared {
  readonly desk: Desk
  readonly server: McpServerV2
  /** Posts a message in the one session; the whole body, when it has come to its end. */
  post(message: object): Promise<string>
}

type Options = { enableJsonResponse?: boolean; eventStore?: EventStore }

interface EventStore {
  storeEvent(stream: string, message: object): Promise<string>
  replayEventsAfter(): Promise<string>
}

/** One server and one session for all callers. */
async function shared(
  sdk: Sdk,
  isGuarded: boolean,
  options: Options,
  use: (shared: Shared) => Promise<void>,
): Promise<void> {
  const desk = new Desk()
  const server = makeServer(sdk, desk, isGuarded)
  const transport = new sdk.HttpTransport({ sessionIdGenerator: () => 'session', ...options })
  await server.connect(transport)
  const post = async (message: object) => {
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2025-11-25',
      'mcp-session-id': 'session',
    }
    const request = new Request('http://127.0.0.1/mcp', {
      method: 'POST',
      headers,
      body: JSON.stringify(message),
    })
    return (await transport.handleRequest(request)).text()
  }
  try {
    await post(INITIALIZE)
    await use({ desk, server, post })
  } finally {
    await server.close()
  }
}

const MODES: [name: string, options: Options][] = [
  ['events', {}],
  ['JSON', { enableJsonResponse: true }],
]

for (const sdk of SDKS) {
  for (const [mode, options] of MODES) {
    describe(`${sdk.name}, a shared session, ${mode}`, () => {
      test('without the adapter, the second caller gets the result of the first', async () => {
        await shared(sdk, false, options, async ({ desk, post }) => {
          void post(call(1, 'anna'))
          await desk.until('anna')
          const bob = post(call(1, 'bob'))
          await desk.until('bob')
          desk.ready('anna')
          assert.match(await bob, answerFor('anna'))
        })
      })

      test('two calls with one id are both refused, and the second does not run', async () => {
        await shared(sdk, true, options, async ({ desk, post, server }) => {
          const errors: string[] = []
          server.server.onerror = (error) => {
            errors.push(error.message)
            throw error
          }
          const anna = post(call(1, 'anna'))
          await desk.until('anna')
          assertRefused(await post(call(1, 'bob')))
          assertRefused(await anna)
          assert.match(String(errors), REFUSED.message)
          // Of the first nothing may come yet: its id stays refused.
          assertRefused(await post(call(1, 'carol')))
          desk.ready('anna')
          await sleep(5)
          assert.deepEqual(desk.started, ['anna'])
          const dora = post(call(1, 'dora'))
          await desk.until('dora')
          desk.ready('dora')
          assert.match(await dora, answerFor('dora'))
        })
      })

      test('without the adapter, a prompt between two calls makes way for the first result', async () => {
        await shared(sdk, false, options, async ({ desk, post }) => {
          void post(call(1, 'anna'))
          await desk.until('anna')
          assert.match(await post(prompt(1, 'bob')), answerFor('bob'))
          const carol = post(call(1, 'carol'))
          await desk.until('carol')
          desk.ready('anna')
          assert.match(await carol, answerFor('anna'))
        })
      })

      test('requests of any method count', async () => {
        await shared(sdk, true, options, async ({ desk, post }) => {
          const anna = post(call(1, 'anna'))
          await desk.until('anna')
          assertRefused(await post(prompt(1, 'bob')))
          assertRefused(await anna)
          assertRefused(await post({ jsonrpc: '2.0', id: 1, method: 'ping' }))
          assertRefused(await post({ jsonrpc: '2.0', id: 1, method: 'there/is/none' }))
          const carol = post(call(1, 'carol'))
          desk.ready('anna')
          assertRefused(await carol)
        })
      })

      test('one id twice in a batch is refused, and the first gets no result either', async () => {
        await shared(sdk, true, options, async ({ desk, post }) => {
          assertRefused(await post([call(1, 'anna'), call(1, 'bob')]))
          await desk.until('anna')
          desk.ready('anna')
          await sleep(5)
          assert.deepEqual(desk.started, ['anna'])
          const carol = post(call(1, 'carol'))
          await desk.until('carol')
          desk.ready('carol')
          assert.match(await carol, answerFor('carol'))
        })
      })

      test('a batch that has the id is answered for the rest, and the first by the next refusal', async () => {
        await shared(sdk, true, options, async ({ desk, post }) => {
          const anna = post(call(1, 'anna'))
          await desk.until('anna')
          const batch = post([call(1, 'bob'), call(2, 'carol')])
          await desk.until('carol')
          await sleep(5)
          desk.ready('carol')
          const body = await batch
          assert.match(body, answerFor('carol'))
          assert.deepEqual(
            messagesOf(body)
              .map(({ id }) => id)
              .sort(),
            [1, 2],
          )
          assertRefused(await post(call(1, 'dora')))
          assertRefused(await anna)
        })
      })

      test('ids that differ, also 1 and "1", do not collide', async () => {
        await shared(sdk, true, options, async ({ desk, post }) => {
          const who = ['anna', 'bob', 'carol']
          const answers = [1, '1', 2].map((id, index) => post(call(id, `${who[index]}`)))
          for (const name of who) await desk.until(name)
          for (const name of who) desk.ready(name)
          for (const [index, answer] of answers.entries())
            assert.match(await answer, answerFor(`${who[index]}`))
        })
      })

      test('an id is free for the next request, and after an error', async () => {
        await shared(sdk, true, options, async ({ desk, post }) => {
          for (const who of ['anna', 'bob']) {
            const answer = post(call(1, who))
            await desk.until(who)
            desk.ready(who)
            assert.match(await answer, answerFor(who))
            assert.match(await post({ jsonrpc: '2.0', id: 1, method: 'there/is/none' }), /-32601/)
            assert.match(await post({ jsonrpc: '2.0', id: 1, method: 'tools/call' }), /"error"/)
          }
        })
      })

      test('a cancelled request leaves its id to the next; what is no cancellation does not', async () => {
        await shared(sdk, true, options, async ({ desk, post }) => {
          void post(call(1, 'anna'))
          await desk.until('anna')
          await post(cancel({ requestId: 1, reason: 'enough' }))
          const bob = post(call(1, 'bob'))
          await desk.until('bob')
          // The tool of a cancelled call may go on.
          desk.ready('anna')
          await sleep(5)
          desk.ready('bob')
          const body = await bob
          assert.match(body, answerFor('bob'))
          assert.doesNotMatch(body, answerFor('anna'))

          void post(call(2, 'carol'))
          await desk.until('carol')
          await post(cancel({ requestId: 2, reason: 1 }))
          assertRefused(await post(call(2, 'dora')))
        })
      })

      // Which SDK v1 does not cancel, so that it sends the result all the same.
      test("the id 0, cancelled, does not make the result anybody else's", async () => {
        await shared(sdk, true, options, async ({ desk, post }) => {
          void post(call(0, 'anna'))
          await desk.until('anna')
          await post(cancel({ requestId: 0 }))
          const bob = post(call(0, 'bob'))
          await sleep(5)
          desk.ready('anna')
          await sleep(5)
          desk.ready('bob')
          const body = await bob
          assert.doesNotMatch(body, answerFor('anna'))
          if (sdk.name === 'v2') assert.match(body, answerFor('bob'))
          else assertRefused(body)
        })
      })

      for (const isGuarded of [false, true]) {
        const name = isGuarded ? 'gets nothing of the first' : 'without the adapter, gets it'
        test(`a second request that comes just as the first settles: ${name}`, async () => {
          let mixedUp = 0
          for (let turns = -40; turns < 40; turns++) {
            await shared(sdk, isGuarded, options, async ({ desk, post }) => {
              const anna = post(call(1, 'anna'))
              await desk.until('anna')
              // Fewer than no turns after the second comes is so many before it.
              if (turns < 0) desk.ready('anna')
              for (let turn = turns; turn < 0; turn++) await undefined
              const bob = post(call(1, 'bob'))
              for (let turn = 0; turn < turns; turn++) await undefined
              desk.ready('anna')
              await sleep(2)
              desk.ready('bob')
              const body = await Promise.race([bob, sleep(50, '')])
              if (answerFor('anna').test(body)) mixedUp += 1
              if (!isGuarded) return
              // Each has an answer: its own result, or the refusal.
              if (!answerFor('bob').test(body)) assertRefused(body)
              const own = await anna
              if (!answerFor('anna').test(own)) assertRefused(own)
            })
          }
          console.log(`${sdk.name}, ${mode}, guarded: ${isGuarded}: ${mixedUp} of 80 mixed up`)
          assert.equal(mixedUp > 0, !isGuarded)
        })
      }
    })
  }

  describe(`${sdk.name}, a shared session`, () => {
    /** What it stores for a stream is sent again to who resumes that; the first event takes as long as the test wants. */
    function slowStore(): {
      eventStore: EventStore
      stored: Map<string, string>
      wait: () => () => void
    } {
      const stored = new Map<string, string>()
      let primed = Promise.resolve()
      return {
        stored,
        wait() {
          let done = () => {}
          primed = new Promise((resolve) => (done = resolve))
          return done
        },
        eventStore: {
          async storeEvent(stream, message) {
            stored.set(stream, (stored.get(stream) ?? '') + JSON.stringify(message))
            if (!('jsonrpc' in message)) await primed
            return 'event'
          },
          replayEventsAfter: async () => 'stream',
        },
      }
    }

    for (const isGuarded of [false, true]) {
      const ending = isGuarded ? 'gets nothing' : 'gets the result without the adapter'
      test(`a second request that the transport has, and the server has not yet, ${ending}`, async () => {
        const { eventStore, stored, wait } = slowStore()
        await shared(sdk, isGuarded, { eventStore }, async ({ desk, post }) => {
          const anna = post(call(1, 'anna'))
          await desk.until('anna')
          const done = wait()
          const bob = post(call(1, 'bob'))
          await sleep(5)
          desk.ready('anna')
          await sleep(5)
          done()
          const [, , streamOfBob = ''] = [...stored.values()]
          assert.equal(answerFor('anna').test(streamOfBob), !isGuarded)
          if (!isGuarded) return
          assertRefused(await bob)
          assertRefused(await anna)
          assert.deepEqual(desk.started, ['anna'])
          assert.doesNotMatch(String([...stored.values()]), answerFor('anna'))
          const carol = post(call(1, 'carol'))
          await desk.until('carol')
          desk.ready('carol')
          assert.match(await carol, answerFor('carol'))
        })
      })

      test(`who has the id of a cancelled call ${isGuarded ? 'gets nothing' : 'without the adapter gets'} of what its tool still sends`, async () => {
        await shared(sdk, isGuarded, {}, async ({ desk, post }) => {
          const [anna, bob] = ['anna', 'bob'].map((name) => `${name} ${sdk.name} ${isGuarded}`)
          assert(anna && bob)
          void post(call(7, anna, 'talk'))
          await desk.until(anna)
          await post(cancel({ requestId: 7, reason: 'enough' }))
          const body = post(call(7, bob, 'talk'))
          await desk.until(bob)
          desk.ready(anna)
          for (let wait = 0; wait < 1000 && !sent.has(anna); wait++) await sleep(1)
          assert.equal(/Two requests with one id/.test(String(sent.get(anna))), isGuarded)
          // Its own messages are not held up once that tool has come to its end.
          await sleep(2)
          desk.ready(bob)
          const received = await body
          assert.match(received, answerFor(bob))
          assert(received.includes(`a message for ${bob}`))
          // The question of one tool, or of both.
          assert.equal(received.split('"method":"ping"').length, isGuarded ? 2 : 3)
          if (isGuarded) assert(!received.includes(`a message for ${anna}`))
        })
      })

      test(`the client of a second request ${ending} of what the first sends while it runs`, async () => {
        await shared(sdk, isGuarded, {}, async ({ desk, post }) => {
          const who = `${sdk.name} ${isGuarded}`
          const first = post(call(7, who, 'talk'))
          await desk.until(who)
          const bob = post(call(7, 'bob'))
          if (isGuarded) assertRefused(await bob)
          else await desk.until('bob')
          desk.ready(who)
          const body = await (isGuarded ? first : bob)
          assert.equal(body.includes(`a message for ${who}`), !isGuarded)
          if (!isGuarded) return
          for (let wait = 0; wait < 1000 && !sent.has(who); wait++) await sleep(1)
          assert.match(String(sent.get(who)), /Two requests with one id are in flight/)
        })
      })
    }
  })

  describe(`${sdk.name}, in memory`, () => {
    const start = async (isGuarded: boolean) => {
      const desk = new Desk()
      const server = makeServer(sdk, desk, isGuarded)
      const received: Message[] = []
      let busy = Promise.resolve()
      const wait = () => {
        let done = () => {}
        busy = new Promise((resolve) => (done = resolve))
        return done
      }
      const connect = async () => {
        const [near, far] = sdk.InMemoryTransport.createLinkedPair()
        near.onmessage = (message) => void received.push(message as Message)
        await near.start()
        const send = far.send
        far.send = async (...args) => {
          await send.apply(far, args)
          // Somebody else may still be sent it, as by a transport that broadcasts.
          if (!('method' in args[0])) await busy
        }
        await server.connect(far)
        await near.send(INITIALIZE as never)
        await sleep(2)
        received.length = 0
        return near
      }
      return { desk, server, received, connect, wait }
    }

    test('an id is taken until the result has been sent', async () => {
      const { desk, server, received, connect, wait } = await start(true)
      const near = await connect()
      await near.send(call(1, 'anna') as never)
      await desk.until('anna')
      const done = wait()
      desk.ready('anna')
      await sleep(5)
      assert.match(JSON.stringify(received), answerFor('anna'))
      await near.send(call(1, 'bob') as never)
      await sleep(5)
      done()
      await sleep(5)
      // The first has its result, and no error as well.
      assert.deepEqual(
        received.map(({ error }) => error?.code),
        [undefined, REFUSED.code],
      )
      assert.deepEqual(desk.started, ['anna'])
      await near.send(call(1, 'carol') as never)
      await desk.until('carol')
      await server.close()
    })

    test('one that is cancelled while its result is sent takes nothing from the next', async () => {
      const { desk, server, received, connect, wait } = await start(true)
      const near = await connect()
      await near.send(call(1, 'anna') as never)
      await desk.until('anna')
      const done = wait()
      desk.ready('anna')
      await sleep(5)
      await near.send(cancel({ requestId: 1 }) as never)
      await sleep(5)
      await near.send(call(1, 'bob') as never)
      await desk.until('bob')
      done()
      await sleep(5)
      received.length = 0
      await near.send(call(1, 'carol') as never)
      await sleep(5)
      assert.equal(received[0]?.error?.code, REFUSED.code)
      await server.close()
    })

    test('the client of two requests with one id gets two errors, and no result', async () => {
      const { desk, server, received, connect } = await start(true)
      const near = await connect()
      await near.send(call(1, 'anna') as never)
      await desk.until('anna')
      await near.send(call(1, 'bob') as never)
      await sleep(2)
      desk.ready('anna')
      await sleep(5)
      assert.deepEqual(
        received.map(({ id, error }) => [id, error?.code]),
        [
          [1, REFUSED.code],
          [1, REFUSED.code],
        ],
      )
      await server.close()
    })

    const refusesTwo = sdk.name !== 'v2 2.0.0'
    test('a second connection, which most SDKs refuse, forgets no request', async () => {
      const { desk, server, received, connect } = await start(true)
      const near = await connect()
      await near.send(call(1, 'anna') as never)
      await desk.until('anna')
      const again = server.connect(sdk.InMemoryTransport.createLinkedPair()[1])
      if (refusesTwo) await assert.rejects(again)
      else await again
      await near.send(call(1, 'bob') as never)
      desk.ready('anna')
      await sleep(5)
      assert.deepEqual(desk.started, ['anna'])
      assert.doesNotMatch(JSON.stringify(received), answerFor('anna'))
      await server.close()
    })

    test('a connection that is closed leaves no id behind', async () => {
      const { desk, server, received, connect } = await start(true)
      const first = await connect()
      await first.send(call(1, 'anna') as never)
      await desk.until('anna')
      await server.close()
      const second = await connect()
      await second.send(call(1, 'bob') as never)
      await desk.until('bob')
      desk.ready('anna')
      desk.ready('bob')
      await sleep(5)
      assert.match(JSON.stringify(received), answerFor('bob'))
      assert.doesNotMatch(JSON.stringify(received), answerFor('anna'))
      await server.close()
    })
  })
}

// The other SDKs refuse to be connected twice.
for (const sdk of SDKS.filter(({ name }) => name === 'v2 2.0.0')) {
  test(`${sdk.name}: one server that each request connects to a transport of its own`, async () => {
    const desk = new Desk()
    const server = makeServer(sdk, desk, true)
    const open = async () => {
      const transport = new sdk.HttpTransport({ enableJsonResponse: true })
      await server.connect(transport)
      return async (message: object) => {
        const headers = {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2025-11-25',
        }
        const init = { method: 'POST', headers, body: JSON.stringify(message) }
        return (await transport.handleRequest(new Request('http://127.0.0.1/mcp', init))).text()
      }
    }
    const postAnna = await open()
    const anna = postAnna(call(1, 'anna'))
    await desk.until('anna')
    const other = await open()
    const bob = other(call(2, 'bob'))
    await desk.until('bob')
    const carol = await open()
    assertRefused(await carol(call(1, 'carol')))
    assertRefused(await anna)
    desk.ready('anna')
    desk.ready('bob')
    assert.match(await bob, answerFor('bob'))
    assert.deepEqual(desk.started, ['anna', 'bob'])
    await server.close()
  })
}

describe('over Node.js HTTP, with sessions', () => {
  const wirings: [name: string, handle: (desk: Desk) => Handle][] = [
    ['v1', (desk) => statefulV1(() => makeServer(SDKS[0]!, desk, true) as unknown as McpServerV1)],
    ['v2', (desk) => statefulV2(() => makeServer(SDKS[2]!, desk, true))],
  ]
  for (const [name, handle] of wirings) {
    test(`${name}: both callers of one id hear of it`, async () => {
      const desk = new Desk()
      const handler = handle(desk)
      const { url, close } = await listen((request, response) => void handler(request, response))
      const post = (message: object, session = {}) =>
        fetch(url, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            ...session,
          },
          body: JSON.stringify(message),
        })
      try {
        const opened = await post(INITIALIZE)
        const session = { 'mcp-session-id': String(opened.headers.get('mcp-session-id')) }
        await opened.text()
        const anna = post(call(1, 'anna'), session).then((response) => response.text())
        await desk.until('anna')
        assertRefused(await (await post(call(1, 'bob'), session)).text())
        assertRefused(await anna)
      } finally {
        await close()
      }
    })
  }
})

test('a server whose requests cannot be watched is refused', () => {
  const server = { server: { setRequestHandler() {} } }
  assert.throws(() => withCredentials(server, source), {
    name: 'TypeError',
    code: 'ERR_INVALID_ARG_TYPE',
    message: /of the MCP SDK, v1 \(>= 1\.26\) or v2/,
  })
})
