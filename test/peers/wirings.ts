// Every class of server, over every transport, called by the real client of its SDK.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import {
  Client as ClientV2,
  InMemoryTransport as InMemoryV2,
  StreamableHTTPClientTransport as HttpClientV2,
} from '@modelcontextprotocol/client'
import { StdioClientTransport as StdioClientV2 } from '@modelcontextprotocol/client/stdio'
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js'
import { StdioClientTransport as StdioClientV1 } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as HttpClientV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { InMemoryTransport as InMemoryV1 } from '@modelcontextprotocol/sdk/inMemory.js'
import { Server as ServerV1 } from '@modelcontextprotocol/sdk/server/index.js'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { createMcpHandler } from '@modelcontextprotocol/server'
import type { McpServer as McpServerV2, Server as ServerV2 } from '@modelcontextprotocol/server'
import type { CredentialSource } from 'mcp-credentials'
import type { WithCredentialsOptions } from 'mcp-credentials/mcp'
import { makeV1, makeV2 } from './servers.js'
import type { Kind } from './servers.js'

export interface Result {
  isError?: boolean | undefined
  content?: { type: string; text?: string }[]
}

/** A connected client, and what it was wired to. */
export interface Peer {
  call(
    tool: string,
    args?: Record<string, unknown>,
    options?: { signal?: AbortSignal },
  ): Promise<Result>
  client: ClientV1 | ClientV2
  close(): Promise<unknown>
}

export type AnyV1 = McpServerV1 | ServerV1
export type AnyV2 = McpServerV2 | ServerV2
export type AnyClient = ClientV1 | ClientV2

/** The headers of one HTTP request, by what the client is about to send in it. */
export type HeadersFor = (args: Record<string, unknown>) => Record<string, string>

export interface Setup {
  source: CredentialSource
  options?: WithCredentialsOptions
  headers?: HeadersFor
}

export interface Wiring {
  name: string
  overHttp: boolean
  connect(setup: Setup): Promise<Peer>
}

const CLIENT = { name: 'peer-client', version: '1.0.0' }

// The client of SDK v2 speaks the protocol of 2025 unless it is told to speak that of 2026-07-28.
const ERAS = { 'of 2025': 'legacy', 'of 2026': { pin: '2026-07-28' } } as const
type Era = keyof typeof ERAS

export function clientV1(capabilities = {}): ClientV1 {
  return new ClientV1(CLIENT, { capabilities })
}

export function clientV2(era: Era, capabilities = {}): ClientV2 {
  return new ClientV2(CLIENT, { capabilities, versionNegotiation: { mode: ERAS[era] } })
}

export function peerOf(client: ClientV1 | ClientV2, close = () => client.close()): Peer {
  return {
    client,
    close,
    async call(tool, args = {}, options = {}) {
      const params = { name: tool, arguments: args }
      if (client instanceof ClientV1)
        return (await client.callTool(params, undefined, options)) as Result
      return (await client.callTool(params, options)) as Result
    },
  }
}

/** Uses a peer, and closes it however that went. */
export async function using(
  connect: Promise<Peer>,
  use: (peer: Peer) => Promise<void>,
): Promise<void> {
  const peer = await connect
  try {
    await use(peer)
  } finally {
    await peer.close()
  }
}

/** Serves on a free port of 127.0.0.1 until it is closed. */
export async function listen(
  listener: RequestListener,
): Promise<{ url: URL; close: () => Promise<void> }> {
  // A thousand connect at once: on a busy machine more wait than the usual 511, and who is dropped hangs for five minutes.
  const server = createServer(listener).listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
  // On such a machine a client may take a connection up after the usual five seconds, as it is closed: ECONNRESET.
  server.keepAliveTimeout = 120_000
  await once(server, 'listening')
  return {
    url: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A fetch that gives each request its own headers. */
function fetchWith(headersFor: HeadersFor, inner: typeof fetch): typeof fetch {
  return (url, init) => {
    const headers = new Headers(init?.headers)
    const body = typeof init?.body === 'string' ? JSON.parse(init.body) : undefined
    for (const [name, value] of Object.entries(headersFor(body?.params?.arguments ?? {})))
      headers.append(name, value)
    return inner(url, { ...init, headers })
  }
}

export type Handle = (request: IncomingMessage, response: ServerResponse) => Promise<unknown>

/** One transport and server for each request. */
export function statelessV1(make: () => AnyV1): Handle {
  return async (request, response) => {
    const transport = new StreamableHTTPServerTransport({})
    await make().connect(transport as never)
    await transport.handleRequest(request, response)
  }
}

/** One transport and server for each session. */
function stateful<T extends { handleRequest: Handle }>(
  open: (onOpen: (id: string, transport: T) => void) => Promise<T>,
): Handle {
  const sessions = new Map<string, T>()
  return async (request, response) => {
    const id = request.headers['mcp-session-id']
    const transport =
      sessions.get(String(id)) ??
      (await open((opened, transport) => sessions.set(opened, transport)))
    await transport.handleRequest(request, response)
  }
}

export function statefulV1(make: () => AnyV1): Handle {
  return stateful<StreamableHTTPServerTransport>(async (onOpen) => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => onOpen(id, transport),
    })
    await make().connect(transport as never)
    return transport
  })
}

export function statefulV2(make: () => AnyV2): Handle {
  return stateful<NodeStreamableHTTPServerTransport>(async (onOpen) => {
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => onOpen(id, transport),
    })
    await make().connect(transport)
    return transport
  })
}

export function handlerV2(make: () => AnyV2): Handle {
  return toNodeHandler(createMcpHandler(make)) as Handle
}

export async function connectOverHttp(
  client: AnyClient,
  url: URL,
  headers: HeadersFor = () => ({}),
  inner = fetch,
): Promise<void> {
  const options = { fetch: fetchWith(headers, inner) }
  if (client instanceof ClientV1) await client.connect(new HttpClientV1(url, options) as never)
  else await client.connect(new HttpClientV2(url, options))
}

export async function overHttp(
  handle: Handle,
  client: ClientV1 | ClientV2,
  headers: HeadersFor = () => ({}),
): Promise<Peer> {
  const server = await listen((request, response) => void handle(request, response))
  await connectOverHttp(client, server.url, headers)
  return peerOf(client, async () => {
    await client.close()
    await server.close()
  })
}

/** The transport of SDK v1 before Streamable HTTP: a stream of events, and a POST for each message. */
export async function overSse(make: () => AnyV1, headers: HeadersFor): Promise<Peer> {
  const transports = new Map<string, SSEServerTransport>()
  const server = await listen(async (request, response) => {
    const id = new URL(String(request.url), 'http://127.0.0.1').searchParams.get('sessionId')
    if (request.method === 'POST')
      return void (await transports.get(String(id))?.handlePostMessage(request, response))
    const transport = new SSEServerTransport('/messages', response)
    transports.set(transport.sessionId, transport)
    await make().connect(transport)
  })
  const client = clientV1()
  const options = { fetch: fetchWith(headers, fetch) }
  await client.connect(new SSEClientTransport(server.url, options) as never)
  return peerOf(client, async () => {
    await client.close()
    await server.close()
  })
}

export const KINDS_V1 = ['v1 McpServer', 'v1 Server'] as const
export const KINDS_V2 = ['v2 McpServer', 'v2 Server'] as const
const ALL_ERAS = Object.keys(ERAS) as Era[]

export async function inMemory(server: AnyV1 | AnyV2, capabilities = {}): Promise<Peer> {
  if (server instanceof McpServerV1 || server instanceof ServerV1) {
    const [near, far] = InMemoryV1.createLinkedPair()
    await server.connect(far)
    const client = clientV1(capabilities)
    await client.connect(near)
    return peerOf(client)
  }
  const [near, far] = InMemoryV2.createLinkedPair()
  await server.connect(far)
  const client = clientV2('of 2025', capabilities)
  await client.connect(near)
  return peerOf(client)
}

/** A child process, with the variables of the test in its environment. */
export async function overStdio(
  kind: Kind,
  env: Record<string, string>,
  era: Era = 'of 2025',
): Promise<Peer> {
  const script = fileURLToPath(new URL('stdio-server.js', import.meta.url))
  // The variable tells Node.js to write down what the process covered.
  const coverage = process.env['NODE_V8_COVERAGE']
  const child = {
    command: process.execPath,
    args: [script, kind],
    env: { ...env, ...(coverage && { NODE_V8_COVERAGE: coverage }) },
  }
  const client = kind.startsWith('v1') ? clientV1() : clientV2(era)
  if (client instanceof ClientV1) await client.connect(new StdioClientV1(child))
  else await client.connect(new StdioClientV2(child))
  return peerOf(client)
}

export const WIRINGS: Wiring[] = [
  ...KINDS_V1.flatMap((kind) => {
    const make = (setup: Setup) => () => makeV1(kind, setup.source, setup.options)
    return [
      {
        name: `${kind}, in memory`,
        overHttp: false,
        connect: (setup: Setup) => inMemory(make(setup)()),
      },
      {
        name: `${kind}, HTTP without sessions`,
        overHttp: true,
        connect: (setup: Setup) => overHttp(statelessV1(make(setup)), clientV1(), setup.headers),
      },
      {
        name: `${kind}, HTTP with sessions`,
        overHttp: true,
        connect: (setup: Setup) => overHttp(statefulV1(make(setup)), clientV1(), setup.headers),
      },
    ]
  }),
  ...KINDS_V2.flatMap((kind) => {
    const make = (setup: Setup) => () => makeV2(kind, setup.source, setup.options)
    return [
      {
        name: `${kind}, in memory`,
        overHttp: false,
        connect: (setup: Setup) => inMemory(make(setup)()),
      },
      ...ALL_ERAS.map((era) => ({
        name: `${kind}, HTTP without sessions, client ${era}`,
        overHttp: true,
        connect: (setup: Setup) => overHttp(handlerV2(make(setup)), clientV2(era), setup.headers),
      })),
      {
        name: `${kind}, HTTP with sessions, client of 2025`,
        overHttp: true,
        connect: (setup: Setup) =>
          overHttp(statefulV2(make(setup)), clientV2('of 2025'), setup.headers),
      },
    ]
  }),
]
