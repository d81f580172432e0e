// Serves what the scenarios ask for: `node server.js v1|v2 bare|wrapped|refused`, on the port of the environment.
import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  NodeStreamableHTTPServerTransport,
  toNodeHandler,
  toWebRequest,
} from '@modelcontextprotocol/node'
import { Server as ServerV1 } from '@modelcontextprotocol/sdk/server/index.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import * as types from '@modelcontextprotocol/sdk/types.js'
import { createMcpHandler, isLegacyRequest, Server as ServerV2 } from '@modelcontextprotocol/server'
import { CredentialNotFoundError, OAuthCredential } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import type { McpServerLike } from 'mcp-credentials/mcp'
import { z } from 'zod'
import { CAPABILITIES, HANDLERS } from './everything.js'
import type { Params, Peer } from './everything.js'

const [sdk, variant] = process.argv.slice(2)
const INFO = { name: 'conformance', version: '1.0.0' }

function wrap<S extends McpServerLike>(server: S): S {
  const methods = ['resources/read', 'prompts/get', 'completion/complete']
  const source = () => {
    if (variant === 'refused') throw new CredentialNotFoundError('')
    return new OAuthCredential({ accessToken: 'FAKE-conformance-0123456789abcdef' })
  }
  return variant === 'bare' ? server : withCredentials(server, source, { methods })
}

type Handler = (params: Params, peer: Peer) => unknown
const handlers = Object.entries(HANDLERS) as [keyof typeof HANDLERS, Handler][]

const SCHEMAS_V1 = {
  'tools/list': types.ListToolsRequestSchema,
  'tools/call': types.CallToolRequestSchema,
  'resources/list': types.ListResourcesRequestSchema,
  'resources/templates/list': types.ListResourceTemplatesRequestSchema,
  'resources/read': types.ReadResourceRequestSchema,
  'resources/subscribe': types.SubscribeRequestSchema,
  'resources/unsubscribe': types.UnsubscribeRequestSchema,
  'prompts/list': types.ListPromptsRequestSchema,
  'prompts/get': types.GetPromptRequestSchema,
  'completion/complete': types.CompleteRequestSchema,
  'logging/setLevel': types.SetLevelRequestSchema,
}

function createV1() {
  const server = wrap(new ServerV1(INFO, { capabilities: CAPABILITIES }))
  for (const [method, handle] of handlers) {
    server.setRequestHandler(SCHEMAS_V1[method], (request, extra) => {
      const peer: Peer = {
        progressToken: extra._meta?.progressToken,
        inputResponses: undefined,
        requestState: undefined,
        capabilities: undefined,
        notify: (name, params) => extra.sendNotification({ method: name, params } as never),
        request: (name, params) =>
          extra.sendRequest({ method: name, params } as never, z.looseObject({})),
        closeStream: () => extra.closeSSEStream?.(),
      }
      return handle((request.params ?? {}) as Params, peer) as never
    })
  }
  return server
}

function createV2() {
  const server = wrap(new ServerV2(INFO, { capabilities: CAPABILITIES }))
  for (const [method, handle] of handlers) {
    server.setRequestHandler(method, (request, ctx) => {
      const { mcpReq } = ctx
      const peer: Peer = {
        progressToken: mcpReq._meta?.progressToken,
        inputResponses: mcpReq.inputResponses as Peer['inputResponses'],
        requestState: mcpReq.requestState?.(),
        capabilities: Reflect.get(Object(mcpReq.envelope), CAPABILITIES_OF_CLIENT),
        notify: (name, params) => mcpReq.notify({ method: name, params } as never),
        request: (name, params) =>
          mcpReq.send({ method: name, params } as never, z.looseObject({}) as never),
        closeStream: () => ctx.http?.closeSSE?.(),
      }
      return handle((request.params ?? {}) as Params, peer) as never
    })
  }
  return server
}

const CAPABILITIES_OF_CLIENT = 'io.modelcontextprotocol/clientCapabilities'

type Transport = StreamableHTTPServerTransport | NodeStreamableHTTPServerTransport
const sessions = new Map<string, Transport>()

/** For clients of 2025, which have sessions. */
async function handleSession(request: IncomingMessage, response: ServerResponse, body: unknown) {
  const id = request.headers['mcp-session-id']
  const known = typeof id === 'string' ? sessions.get(id) : undefined
  if (id !== undefined && !known) return void response.writeHead(404).end()
  if (known) return known.handleRequest(request, response, body)
  const options = {
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (name: string) => void sessions.set(name, transport),
    onsessionclosed: (name: string) => void sessions.delete(name),
    retryInterval: 500,
  }
  const transport: Transport =
    sdk === 'v1'
      ? new StreamableHTTPServerTransport(options)
      : new NodeStreamableHTTPServerTransport(options)
  await (sdk === 'v1' ? createV1() : createV2()).connect(transport as never)
  return transport.handleRequest(request, response, body)
}

const handleModern = toNodeHandler(createMcpHandler(createV2, { legacy: 'reject' }))

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { host = '', origin = `http://${host}` } = request.headers
  const isLocal = [`http://${host}`, origin].every((url) => LOCAL.test(url))
  if (!isLocal) return void response.writeHead(403).end()
  let text = ''
  for await (const chunk of request) text += chunk
  const body: unknown = text === '' ? undefined : JSON.parse(text)
  const isLegacy =
    sdk === 'v1' || (await isLegacyRequest(await toWebRequest(request as never, body), body))
  if (isLegacy) await handleSession(request, response, body)
  else await handleModern(request as never, response, body)
}

const LOCAL = /^http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/

createServer((request, response) => {
  handle(request, response).catch((error: unknown) => {
    console.error(error)
    response.destroy()
  })
}).listen(Number(process.env['PORT']), '127.0.0.1')
