// An account that has to be connected first: what each kind of client is told, by real servers to real clients.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { Server as ServerV1 } from '@modelcontextprotocol/sdk/server/index.js'
import { CallToolRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { McpServer as McpServerV2, Server as ServerV2 } from '@modelcontextprotocol/server'
import type { Client as ClientV2 } from '@modelcontextprotocol/client'
import { ConnectRequiredError, getCredentials, OAuthCredential } from 'mcp-credentials'
import type { CallEvent, CredentialRequest, CredentialSource } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import type { WithCredentialsOptions } from 'mcp-credentials/mcp'
import { fingerprint } from './servers.js'
import {
  clientV1,
  clientV2,
  handlerV2,
  inMemory,
  overHttp,
  statefulV1,
  statefulV2,
  statelessV1,
} from './wirings.js'
import type { AnyV1, AnyV2, Peer } from './wirings.js'

const INFO = { name: 'connect', version: '1.0.0' }
const PAGE = 'https://mcp.example/connect/github'
const MESSAGE = `The account has to be connected first. Open ${PAGE}`
const TOKEN = 'FAKE-connect-0123456789abcdef-do-not-leak'
const CAPABILITIES = { capabilities: { tools: {}, resources: {}, prompts: {} } }

/** One user's account: who throws for want of it, and how often it was looked at. */
class Account {
  isConnected = false
  checks = 0
  runs = 0
  readonly events: CallEvent[] = []
  readonly #thrower: 'source' | 'tool'
  readonly #canBeChecked: boolean

  constructor(thrower: 'source' | 'tool' = 'source', canBeChecked = true) {
    this.#thrower = thrower
    this.#canBeChecked = canBeChecked
  }

  #assertConnected(): void {
    if (this.isConnected) return
    const isConnected = () => {
      this.checks += 1
      return this.isConnected
    }
    throw new ConnectRequiredError(PAGE, this.#canBeChecked ? { isConnected } : {})
  }

  readonly source: CredentialSource = () => {
    if (this.#thrower === 'source') this.#assertConnected()
    return new OAuthCredential({ accessToken: TOKEN })
  }

  options(more: WithCredentialsOptions = {}): WithCredentialsOptions {
    const methods = ['resources/read', 'prompts/get', 'completion/complete']
    const onCall = (event: CallEvent) => void this.events.push(event)
    return { methods, onCall, connectTimeoutSeconds: 10, ...more }
  }

  readonly #tool = () => {
    this.runs += 1
    this.#assertConnected()
    const text = fingerprint(getCredentials('oauth').accessToken)
    return { content: [{ type: 'text' as const, text }] }
  }

  #register(server: McpServerV2): McpServerV2 {
    server.registerTool('whoami', {}, this.#tool)
    server.registerResource('file', 'test://file', {}, (uri) => {
      const [block] = this.#tool().content
      return { contents: [{ uri: uri.href, text: block?.text ?? '' }] }
    })
    server.registerPrompt('ask', {}, () => {
      const [content] = this.#tool().content
      return { messages: content ? [{ role: 'user', content }] : [] }
    })
    return withCredentials(server, this.source, this.options())
  }

  // The two registries have the same shape, which TypeScript cannot see through their overloads.
  readonly v1 = () =>
    this.#register(new McpServerV1(INFO) as unknown as McpServerV2) as unknown as AnyV1
  readonly v2 = (): AnyV2 => this.#register(new McpServerV2(INFO))

  readonly lowV1 = (): AnyV1 => {
    const server = withCredentials(new ServerV1(INFO, CAPABILITIES), this.source, this.options())
    server.setRequestHandler(CallToolRequestSchema, this.#tool)
    return server
  }

  readonly lowV2 = (): AnyV2 => {
    const server = withCredentials(new ServerV2(INFO, CAPABILITIES), this.source, this.options())
    server.setRequestHandler('tools/call', this.#tool)
    return server
  }
}

const URL_MODE = { elicitation: { url: {} } }
const BOTH_MODES = { elicitation: { form: {}, url: {} } }
const FORM_MODE = { elicitation: { form: {} } }
const EMPTY = { elicitation: {} }

/** A client of 2026 that does with the page what the test says. */
function person(
  account: Account,
  answer: 'accept' | 'decline' | 'cancel',
  connectsAfter?: number,
  capabilities: object = URL_MODE,
) {
  const client = clientV2('of 2026', capabilities)
  const pages: unknown[] = []
  if ('elicitation' in capabilities)
    client.setRequestHandler('elicitation/create', async ({ params }) => {
      pages.push(params)
      if (connectsAfter === 0) account.isConnected = true
      else if (connectsAfter) setTimeout(() => (account.isConnected = true), connectsAfter)
      return { action: answer }
    })
  return { client, pages }
}

async function withPeer(connected: Promise<Peer>, use: (peer: Peer) => Promise<void>) {
  const peer = await connected
  try {
    await use(peer)
  } finally {
    await peer.close()
  }
}

const refused = { content: [{ type: 'text', text: MESSAGE }], isError: true }

const THROWERS = ['source', 'tool'] as const

for (const thrower of THROWERS) {
  describe(`a client of 2025, the ${thrower} asks for a connection`, () => {
    type Connect = (account: Account) => Promise<Peer>
    const TOLD_BY_ERROR: [name: string, connect: Connect][] = [
      ['v1 McpServer in memory, url declared', (a) => inMemory(a.v1(), URL_MODE)],
      ['v1 McpServer in memory, url and form declared', (a) => inMemory(a.v1(), BOTH_MODES)],
      ['v1 Server in memory, url declared', (a) => inMemory(a.lowV1(), URL_MODE)],
      ['v2 McpServer in memory, url declared', (a) => inMemory(a.v2(), URL_MODE)],
      ['v2 Server in memory, url declared', (a) => inMemory(a.lowV2(), URL_MODE)],
      [
        'v1 over HTTP with sessions, url declared',
        (a) => overHttp(statefulV1(a.v1), clientV1(URL_MODE)),
      ],
      [
        'v2 over HTTP with sessions, url declared',
        (a) => overHttp(statefulV2(a.v2), clientV2('of 2025', URL_MODE)),
      ],
      [
        'v1 over HTTP without sessions, so that nobody knows',
        (a) => overHttp(statelessV1(a.v1), clientV1()),
      ],
      [
        'v2 over HTTP without sessions, so that nobody knows',
        (a) => overHttp(handlerV2(a.v2), clientV2('of 2025')),
      ],
    ]
    for (const [name, connect] of TOLD_BY_ERROR) {
      test(`${name}: the error -32042 with the URL in its data and in its message`, async () => {
        const account = new Account(thrower)
        await withPeer(connect(account), async ({ call }) => {
          await assert.rejects(
            call('whoami'),
            (error: Error & { code?: number; data?: unknown }) => {
              assert.equal(error.code, -32042)
              assert(error.message.includes(MESSAGE), error.message)
              const elicitations = [
                { mode: 'url', elicitationId: PAGE, url: PAGE, message: MESSAGE },
              ]
              assert.deepEqual(error.data, { elicitations })
              // Of the class that the SDK has for it.
              assert.deepEqual(Reflect.get(error, 'elicitations'), elicitations)
              return true
            },
          )
          account.isConnected = true
          assert.equal((await call('whoami')).content?.[0]?.text, fingerprint(TOKEN))
        })
        const code = 'ERR_CREDENTIAL_CONNECT'
        assert.deepEqual(
          account.events.map(({ outcome, error }) => [outcome, error?.code]),
          [
            [thrower === 'source' ? 'refused' : 'failed', code],
            ['ok', undefined],
          ],
        )
        assert.equal(account.checks, 0)
      })
    }

    const TOLD_BY_TEXT: [name: string, connect: Connect][] = [
      ['v1 McpServer in memory, form declared', (a) => inMemory(a.v1(), FORM_MODE)],
      ['v1 McpServer in memory, elicitation without a mode', (a) => inMemory(a.v1(), EMPTY)],
      ['v1 McpServer in memory, nothing declared', (a) => inMemory(a.v1())],
      ['v1 Server in memory, form declared', (a) => inMemory(a.lowV1(), FORM_MODE)],
      ['v2 McpServer in memory, form declared', (a) => inMemory(a.v2(), FORM_MODE)],
      ['v2 Server in memory, nothing declared', (a) => inMemory(a.lowV2())],
      [
        'v1 over HTTP with sessions, nothing declared',
        (a) => overHttp(statefulV1(a.v1), clientV1()),
      ],
      [
        'v2 over HTTP with sessions, form declared',
        (a) => overHttp(statefulV2(a.v2), clientV2('of 2025', FORM_MODE)),
      ],
    ]
    for (const [name, connect] of TOLD_BY_TEXT) {
      test(`${name}: a result with isError, message and URL`, async () => {
        const account = new Account(thrower)
        await withPeer(connect(account), async ({ call }) => {
          assert.deepEqual(await call('whoami'), refused)
        })
      })
    }
  })

  describe(`a client of 2026, the ${thrower} asks for a connection`, () => {
    const SERVERS = [
      ['McpServer', (account: Account) => handlerV2(account.v2)],
      ['Server', (account: Account) => handlerV2(account.lowV2)],
    ] as const
    for (const [server, handle] of SERVERS) {
      test(`${server}: accepts, and has connected: the tool runs`, async () => {
        const account = new Account(thrower)
        const { client, pages } = person(account, 'accept', 0)
        await withPeer(overHttp(handle(account), client), async ({ call }) => {
          assert.equal((await call('whoami')).content?.[0]?.text, fingerprint(TOKEN))
        })
        assert.deepEqual(pages, [{ mode: 'url', url: PAGE, message: MESSAGE }])
        assert.equal(account.checks, 0)
      })

      test(`${server}: accepts, and connects a second later: the tool runs`, async () => {
        const account = new Account(thrower)
        const { client, pages } = person(account, 'accept', 1000)
        await withPeer(overHttp(handle(account), client), async ({ call }) => {
          assert.equal((await call('whoami')).content?.[0]?.text, fingerprint(TOKEN))
        })
        assert.equal(pages.length, 1)
        assert(account.checks >= 1 && account.checks <= 5, `${account.checks} checks`)
        assert.deepEqual(
          account.events.map(({ outcome }) => outcome),
          [thrower === 'source' ? 'refused' : 'failed', 'ok'],
        )
      })

      test(`${server}: accepts, and never connects: asked once, and told the URL`, async () => {
        const account = new Account(thrower)
        account.options = (more) =>
          Account.prototype.options.call(account, { ...more, connectTimeoutSeconds: 0.4 })
        const { client, pages } = person(account, 'accept')
        await withPeer(overHttp(handle(account), client), async ({ call }) => {
          const { content, isError } = await call('whoami')
          assert.deepEqual({ content, isError }, refused)
        })
        assert.equal(pages.length, 1)
        assert(account.checks >= 1)
      })

      for (const answer of ['decline', 'cancel'] as const) {
        test(`${server}: answers ${answer}: told the URL`, async () => {
          const account = new Account(thrower)
          const { client, pages } = person(account, answer)
          await withPeer(overHttp(handle(account), client), async ({ call }) => {
            const { content, isError } = await call('whoami')
            assert.deepEqual({ content, isError }, refused)
          })
          assert.equal(pages.length, 1)
          assert.equal(account.checks, 0)
        })
      }

      for (const [name, capabilities] of [
        ['form', FORM_MODE],
        ['elicitation without a mode', EMPTY],
        ['nothing', {}],
      ] as const) {
        test(`${server}: declares ${name}: told the URL`, async () => {
          const account = new Account(thrower)
          const { client, pages } = person(account, 'accept', 0, capabilities)
          await withPeer(overHttp(handle(account), client), async ({ call }) => {
            const { content, isError } = await call('whoami')
            assert.deepEqual({ content, isError }, refused)
          })
          assert.deepEqual(pages, [])
        })
      }
    }
  })
}

describe('a page for an account that nobody can check', () => {
  test('a client of 2026 is asked, and after it accepts is told the URL unless it has connected', async () => {
    for (const connectsAfter of [undefined, 0]) {
      const account = new Account('source', false)
      const { client, pages } = person(account, 'accept', connectsAfter)
      await withPeer(overHttp(handlerV2(account.v2), client), async ({ call }) => {
        const { content } = await call('whoami')
        const expected = connectsAfter === 0 ? fingerprint(TOKEN) : MESSAGE
        assert.equal(content?.[0]?.text, expected)
      })
      assert.equal(pages.length, 1)
    }
  })
})

describe('resources and prompts', () => {
  const read = (client: Peer['client']) => client.readResource({ uri: 'test://file' })
  const prompt = (client: Peer['client']) => client.getPrompt({ name: 'ask' })
  for (const [name, request] of [
    ['a resource', read],
    ['a prompt', prompt],
  ] as const) {
    test(`${name}: a client of 2026 is asked`, async () => {
      const account = new Account()
      const { client, pages } = person(account, 'accept', 300)
      await withPeer(overHttp(handlerV2(account.v2), client), async () => {
        assert.match(JSON.stringify(await request(client)), new RegExp(fingerprint(TOKEN)))
      })
      assert.equal(pages.length, 1)
    })

    test(`${name}: who cannot be asked gets a JSON-RPC error with the URL`, async () => {
      const expected = {
        code: -32603,
        message: new RegExp(`Open ${PAGE}`),
        data: { code: 'ERR_CREDENTIAL_CONNECT' },
      }
      const account = new Account()
      const { client } = person(account, 'decline')
      const none = person(account, 'accept', 0, {})
      for (const connected of [
        overHttp(handlerV2(account.v2), client),
        overHttp(handlerV2(account.v2), none.client),
        inMemory(account.v1()),
        inMemory(account.v2()),
      ])
        await withPeer(connected, async (peer) => {
          await assert.rejects(async () => request(peer.client), expected)
        })
      await withPeer(inMemory(account.v1(), URL_MODE), async (peer) => {
        await assert.rejects(async () => request(peer.client), { code: -32042 })
      })
    })
  }

  test('other methods may not ask', async () => {
    const account = new Account()
    const make = () => {
      const server = new ServerV2(INFO, { capabilities: { completions: {} } })
      server.setRequestHandler('completion/complete', () => ({ completion: { values: ['a'] } }))
      return withCredentials(server, account.source, account.options())
    }
    const { client, pages } = person(account, 'accept', 0)
    const params = {
      ref: { type: 'ref/prompt' as const, name: 'ask' },
      argument: { name: 'a', value: 'b' },
    }
    await withPeer(overHttp(handlerV2(make), client), async () => {
      await assert.rejects(client.complete(params), { message: new RegExp(`Open ${PAGE}`) })
    })
    assert.deepEqual(pages, [])
  })
})

describe('many calls of one owner at once', () => {
  /** A server of 2026 for the accounts of several owners, whom a header names. */
  function shared(owners: Record<string, Account>) {
    const ownerOf = ({ headers }: CredentialRequest) => String(headers?.get('x-owner'))
    const source: CredentialSource = (request) => {
      const account = owners[ownerOf(request)]
      assert(account)
      return account.source(request)
    }
    const make = () => {
      const server = new McpServerV2(INFO)
      server.registerTool('whoami', {}, () => ({
        content: [{ type: 'text', text: fingerprint(getCredentials('oauth').accessToken) }],
      }))
      return withCredentials(server, source, { label: ownerOf, connectTimeoutSeconds: 10 })
    }
    return handlerV2(make)
  }

  test('100 calls make one page and one poll, and all of them run', async () => {
    const [anna, bob] = [new Account(), new Account()]
    const handle = shared({ anna, bob })
    const { client, pages } = person(anna, 'accept', 800)
    await withPeer(
      overHttp(handle, client, () => ({ 'X-Owner': 'anna' })),
      async ({ call }) => {
        const results = await Promise.all(Array.from({ length: 100 }, () => call('whoami')))
        const texts = new Set(results.map(({ content }) => content?.[0]?.text))
        assert.deepEqual([...texts], [fingerprint(TOKEN)])
      },
    )
    assert.equal(pages.length, 1)
    assert(anna.checks >= 1 && anna.checks <= 5, `${anna.checks} checks`)
    // Another owner is asked for himself.
    assert.equal(bob.checks, 0)
    const other = person(bob, 'accept', 0)
    await withPeer(
      overHttp(handle, other.client, () => ({ 'X-Owner': 'bob' })),
      async ({ call }) => {
        assert.equal((await call('whoami')).content?.[0]?.text, fingerprint(TOKEN))
      },
    )
    assert.equal(other.pages.length, 1)
  })

  test('without a label nobody knows whose they are: as many pages (negative control)', async () => {
    const account = new Account()
    const { client, pages } = person(account, 'accept', 300)
    await withPeer(overHttp(handlerV2(account.v2), client), async ({ call }) => {
      await Promise.all(Array.from({ length: 5 }, () => call('whoami')))
    })
    assert.equal(pages.length, 5)
  })
})

test('who goes away while the account is waited for has no tool run', async () => {
  const account = new Account()
  const { client, pages } = person(account, 'accept')
  await withPeer(overHttp(handlerV2(account.v2), client), async ({ call }) => {
    const controller = new AbortController()
    const called = call('whoami', {}, { signal: controller.signal })
    while (account.checks === 0) await sleep(5)
    controller.abort()
    await assert.rejects(called)
    account.isConnected = true
    for (let wait = 0; wait < 500 && account.events.length < 2; wait++) await sleep(10)
  })
  assert.equal(pages.length, 1)
  assert.equal(account.runs, 0)
  assert.deepEqual(
    account.events.map(({ outcome, error }) => [outcome, error?.name]),
    [
      ['refused', 'ConnectRequiredError'],
      ['failed', 'AbortError'],
    ],
  )
})

test('a client that accepts what it was never asked waits like any other, and for no longer', async () => {
  const account = new Account()
  account.options = (more) =>
    Account.prototype.options.call(account, { ...more, connectTimeoutSeconds: 0.3 })
  const { client } = person(account, 'accept')
  await withPeer(overHttp(handlerV2(account.v2), client), async () => {
    const forged = {
      name: 'whoami',
      inputResponses: { 'mcp-credentials.connect': { action: 'accept' } },
    }
    const result = await (client as ClientV2).callTool(forged as never)
    assert.deepEqual(result.content, refused.content)
  })
  assert.equal(account.runs, 0)
})
