// What is asked of a server, whatever framework serves it: 200 calls, 20 at a time, each with a credential of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { fingerprint } from './tools.js'

const CALLERS = 20
const CALLS = 10
const TIMEOUT = { timeout: 15_000 }

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** A process that serves /mcp on a port of this machine. */
export interface Serving {
  readonly url: URL
  /** What it has printed. */
  output(): string
  stop(): Promise<void>
}

/** Starts one, and waits until it answers. Nobody of it may send anything home. */
export async function serve(
  command: string,
  args: readonly string[],
  port: number,
  cwd?: string,
): Promise<Serving> {
  const env = { ...process.env, DO_NOT_TRACK: '1', PORT: `${port}`, NO_COLOR: '1', ...QUIET }
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(child, 'exit')
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data))
  const url = new URL(`http://127.0.0.1:${port}/mcp`)
  for (let wait = 0; wait < 300; wait++) {
    if (child.exitCode !== null) throw new Error(`It has left:\n${output.slice(-2000)}`)
    if (await fetch(url).then(drain, () => false)) break
    await sleep(100)
  }
  const stop = async () => {
    child.kill('SIGKILL')
    await exited
  }
  return { url, output: () => output, stop }
}

async function drain(response: Response): Promise<boolean> {
  await response.body?.cancel()
  return true
}

const QUIET = {
  MASTRA_TELEMETRY_DISABLED: '1',
  MCP_USE_ANONYMIZED_TELEMETRY: 'false',
  NEXT_TELEMETRY_DISABLED: '1',
  XMCP_TELEMETRY_DISABLED: '1',
}

/** What came of it. */
export interface Findings {
  /** Calls that had their own credential. */
  readonly right: number
  /** Calls that had another's. */
  readonly wrong: number
  /** Messages to clients with a token in them. */
  readonly leaked: number
  /** Calls whose scope had ended when its work asked for the credential later. */
  readonly ended: number
  /** Whether a tool that looks at what it is given sees the token. */
  readonly look: string
  /** Whether the server has printed a token. */
  readonly printed: boolean
}

class Caller {
  readonly client = new Client(
    { name: 'caller', version: '1.0.0' },
    { versionNegotiation: { mode: 'auto' } },
  )
  readonly name: string
  token: string

  constructor(name: string) {
    this.name = name
    this.token = `FAKE-framework-${name}-0123456789abcdef`
  }

  /** A new token for each call. */
  async call(tool: string, turn: number, milliseconds = 0): Promise<string> {
    this.token = `FAKE-framework-${this.name}-${turn}-0123456789abcdef`
    const params = { name: tool, arguments: { milliseconds } }
    try {
      return JSON.stringify(await this.client.callTool(params, TIMEOUT))
    } catch (error) {
      return String(error)
    }
  }

  async connect(url: URL): Promise<void> {
    const fetchWithToken = (input: string | URL, init?: RequestInit) => {
      const headers = new Headers(init?.headers)
      headers.set('X-MCP-Cred-Access-Token', this.token)
      return fetch(input, { ...init, headers })
    }
    await this.client.connect(
      new StreamableHTTPClientTransport(url, { fetch: fetchWithToken }),
      TIMEOUT,
    )
  }
}

const isToken = (text: string): boolean => text.includes('FAKE-framework-')

export async function exercise(serving: Serving): Promise<Findings> {
  const callers = [...Array(CALLERS).keys()].map((index) => new Caller(`${index}`))
  await Promise.all(callers.map((caller) => caller.connect(serving.url)))
  let right = 0
  let wrong = 0
  let leaked = 0
  const callAll = async (caller: Caller, index: number) => {
    for (let turn = 0; turn < CALLS; turn++) {
      const text = await caller.call('whoami', turn, (index * 7 + turn * 3) % 10)
      const [, seen] = /"text":"([0-9a-f]{16}|the credential changed)"/.exec(text) ?? []
      if (seen === undefined) throw new Error(`whoami answered ${text.slice(0, 300)}`)
      if (seen === fingerprint(caller.token)) right++
      else wrong++
    }
    for (const tool of ['leak', 'fail']) {
      const text = await caller.call(tool, CALLS)
      if (isToken(text)) leaked++
      else if (!/\[redacted\]|Internal/.test(text)) throw new Error(`${tool} answered ${text}`)
    }
  }
  await Promise.all(callers.map(callAll))
  const [first] = callers
  const look = (await first?.call('look', CALLS)) ?? ''
  const left = (await first?.call('left', CALLS)) ?? ''
  await Promise.all(callers.map(({ client }) => client.close().catch(() => undefined)))
  return {
    right,
    wrong,
    leaked,
    ended: left.split('ERR_CREDENTIAL_ENDED').length - 1,
    look: /in sight|hidden/.exec(look)?.[0] ?? look.slice(0, 200),
    printed: isToken(serving.output()),
  }
}

/** The table of docs/frameworks.md. */
export function tableOf(rows: ReadonlyMap<string, Findings>): string {
  const lines = [...rows].map(([name, { right, wrong, leaked, ended, look, printed }]) => {
    const cells = [name, right, wrong, leaked, ended, look, printed ? 'yes' : 'no']
    return `| ${cells.join(' | ')} |`
  })
  return [
    "| framework | its own | another's | leaked | scope ended | header to a tool | logs what a tool throws |",
    '|-|-|-|-|-|-|-|',
    ...lines,
  ].join('\n')
}
