// The tools that each framework serves.
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { bindToScope, getCredentials } from 'mcp-credentials'
import { z } from 'zod'

export const schema = z.object({ milliseconds: z.number() })
type Args = z.infer<typeof schema>

export interface TextResult {
  [key: string]: unknown
  content: { type: 'text'; text: string }[]
}

const left: (() => string)[] = []

function codeInScope(): string {
  try {
    getCredentials('oauth')
    return 'a credential'
  } catch (error) {
    return String(Reflect.get(Object(error), 'code'))
  }
}

/** What identifies a token without showing it. */
export function fingerprint(token: string): string {
  return createHash('sha256').update(token).digest('hex').slice(0, 16)
}

const token = (): string => getCredentials('oauth').accessToken

const tools: Record<string, (args: Args, context?: unknown) => string | Promise<string>> = {
  /** Whose credential the call has, at its start and after other calls had their turns. */
  async whoami({ milliseconds }) {
    left.push(bindToScope(codeInScope))
    const first = fingerprint(token())
    await sleep(milliseconds)
    const second = fingerprint(token())
    return first === second ? first : 'the credential changed'
  },
  leak: () => `Authorization: Bearer ${token()}`,
  fail() {
    throw new Error(`401 for ${token()}`)
  },
  /** Whether the token is in sight of a tool that looks at what it is given. */
  look(_args, context) {
    const options = { depth: 12, getters: true, maxArrayLength: null, maxStringLength: null }
    return inspect(context, options).includes(token()) ? 'in sight' : 'hidden'
  },
  /** What the work of earlier calls finds now. */
  left: () => JSON.stringify(left.splice(0).map((find) => find())),
}

export const TOOLS: readonly string[] = Object.keys(tools)

export async function answer(name: string, args: Args, context?: unknown): Promise<string> {
  const tool = tools[name]
  if (!tool) throw new Error(`There is no tool ${name}.`)
  return tool(args, context)
}

export async function callTool(name: string, args: Args, context?: unknown): Promise<TextResult> {
  return { content: [{ type: 'text', text: await answer(name, args, context) }] }
}

/** Registers them with an `McpServer` of either SDK. */
export function registerTools(server: { registerTool(...args: never[]): unknown }): void {
  const register = server.registerTool.bind(server) as unknown as (
    name: string,
    config: { description: string; inputSchema: typeof schema },
    tool: (args: Args, context: unknown) => Promise<TextResult>,
  ) => unknown
  for (const name of TOOLS) {
    const config = { description: name, inputSchema: schema }
    register(name, config, (args, context) => callTool(name, args, context))
  }
}

interface FastMcpTool {
  readonly name: string
  readonly description: string
  readonly parameters: typeof schema
  execute(args: Args, context: unknown): Promise<string>
}

/** Adds them to a `FastMCP`. */
export function addTools(server: { addTool(tool: FastMcpTool): void }): void {
  for (const name of TOOLS) {
    const execute = (args: Args, context: unknown) => answer(name, args, context)
    server.addTool({ name, description: name, parameters: schema, execute })
  }
}
