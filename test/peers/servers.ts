// The same tools on every class of server that the SDKs have.
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { Server as ServerV1 } from '@modelcontextprotocol/sdk/server/index.js'
import { CallToolRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import { McpServer as McpServerV2, Server as ServerV2 } from '@modelcontextprotocol/server'
import { getCredentials } from 'mcp-credentials'
import type { CredentialSource } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import type { WithCredentialsOptions } from 'mcp-credentials/mcp'
import { z } from 'zod'

/** What identifies a token without showing it. */
export function fingerprint(token: string): string {
  return createHash('sha256').update(token).digest('hex').slice(0, 16)
}

interface TextResult {
  [key: string]: unknown
  content: { type: 'text'; text: string }[]
}

const text = (value: string): TextResult => ({ content: [{ type: 'text', text: value }] })

type Tool = (args: Record<string, unknown>, context: Context) => TextResult | Promise<TextResult>

/** What the tools look at in `extra` of v1 and `ctx` of v2. */
export interface Context {
  sessionId?: string | undefined
  signal?: AbortSignal
  requestInfo?: { headers: Record<string, string | string[] | undefined> } | undefined
  mcpReq?: { signal: AbortSignal }
  http?: { req?: Request | undefined } | undefined
}

/** What a tool left running after its call found when it asked for the credential: an error's code by the name of the call. */
export const afterwards = new Map<string, Promise<string>>()

/** The calls whose tool has started to wait for being cancelled. */
export const waiting = new Set<string>()

function codeOf(fn: () => unknown): string {
  try {
    return fn() ? 'a credential' : 'nothing'
  } catch (error) {
    return String(Reflect.get(error as object, 'code'))
  }
}

export const tools: Record<string, Tool> = {
  /** Whose credential this call has, at its start and after other calls had their turns. */
  async whoami({ milliseconds }) {
    const first = getCredentials('oauth').accessToken
    await sleep(Number(milliseconds ?? 0))
    const second = getCredentials('oauth').accessToken
    return text(first === second ? fingerprint(first) : 'the credential changed')
  },
  /** What the context still says of the request. */
  context(_args, context) {
    const { requestInfo, http } = context
    const headers = requestInfo
      ? requestInfo.headers
      : http?.req
        ? Object.fromEntries(http.req.headers)
        : undefined
    const again = http?.req
    return text(
      JSON.stringify({
        headers,
        url: again?.url,
        method: again?.method,
        isSame: again === http?.req,
      }),
    )
  },
  /** Sends back what it was given. */
  echo: ({ name }) => text(String(name)),
  /** Leaves work behind, then returns or throws. */
  leave({ name, milliseconds, throws }) {
    afterwards.set(
      String(name),
      sleep(Number(milliseconds)).then(() => codeOf(getCredentials)),
    )
    if (throws) throw new Error('The tool failed.')
    return text('left')
  },
  /** Works on for a while after the call has been cancelled. */
  async cancelled({ name }, context) {
    const signal = context.mcpReq?.signal ?? context.signal
    const isAborted = new Promise((resolve) => signal?.addEventListener('abort', resolve))
    waiting.add(String(name))
    await isAborted
    const whileAborted = codeOf(getCredentials)
    afterwards.set(
      String(name),
      sleep(10).then(() => `${whileAborted}, then ${codeOf(getCredentials)}`),
    )
    return text('nobody hears this')
  },
  /** Runs whether or not there is a credential. */
  optional() {
    return text(codeOf(getCredentials))
  },
}

const argumentsShape = {
  name: z.string().optional(),
  milliseconds: z.number().optional(),
  throws: z.boolean().optional(),
}

function callTool(name: string, args: Record<string, unknown> | undefined, context: unknown) {
  const tool = tools[name]
  if (!tool) throw new Error(`There is no tool ${name}.`)
  return tool(args ?? {}, context as Context)
}

const INFO = { name: 'peer', version: '1.0.0' }
const CAPABILITIES = { capabilities: { tools: {}, resources: {}, prompts: {} } }

export type Kind = 'v1 McpServer' | 'v1 Server' | 'v2 McpServer' | 'v2 Server'

export function makeV1(
  kind: Kind,
  source: CredentialSource,
  options?: WithCredentialsOptions,
): McpServerV1 | ServerV1 {
  if (kind === 'v1 McpServer') {
    const server = withCredentials(new McpServerV1(INFO), source, options)
    for (const name of Object.keys(tools)) {
      server.registerTool(name, { inputSchema: argumentsShape }, (args, extra) =>
        callTool(name, args, extra),
      )
    }
    return server
  }
  const server = withCredentials(new ServerV1(INFO, CAPABILITIES), source, options)
  server.setRequestHandler(CallToolRequestSchema, ({ params }, extra) =>
    callTool(params.name, params.arguments, extra),
  )
  return server
}

export function makeV2(
  kind: Kind,
  source: CredentialSource,
  options?: WithCredentialsOptions,
): McpServerV2 | ServerV2 {
  if (kind === 'v2 McpServer') {
    const server = withCredentials(new McpServerV2(INFO), source, options)
    for (const name of Object.keys(tools)) {
      server.registerTool(name, { inputSchema: z.object(argumentsShape) }, (args, ctx) =>
        callTool(name, args, ctx),
      )
    }
    return server
  }
  const server = withCredentials(new ServerV2(INFO, CAPABILITIES), source, options)
  server.setRequestHandler('tools/call', ({ params }, ctx) =>
    callTool(params.name, params.arguments, ctx),
  )
  return server
}
