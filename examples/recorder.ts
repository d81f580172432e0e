// Clients that keep every byte they receive, and the search through those bytes.
import type { ChildProcess } from 'node:child_process'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { scriptOf } from './processes.ts'

const received: Uint8Array[] = []

const keep = (chunk: Uint8Array) => void received.push(chunk)

async function recordingFetch(url: string | URL, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, init)
  for (const header of response.headers) keep(Buffer.from(header.join(': ')))
  const body = response.body?.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, out) {
        keep(chunk)
        out.enqueue(chunk)
      },
    }),
  )
  return new Response(body ?? null, response)
}

const newClient = () =>
  new Client(
    { name: 'demo', version: '1.0.0' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  )

export async function connectHttp(url: string, headers: Record<string, string>): Promise<Client> {
  const client = newClient()
  await client.connect(
    new StreamableHTTPClientTransport(new URL('/mcp', url), {
      fetch: recordingFetch,
      requestInit: { headers },
    }),
  )
  return client
}

export async function connectStdio(server: string, env: Record<string, string>): Promise<Client> {
  const client = newClient()
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [scriptOf(server)],
    env,
    stderr: 'pipe',
  })
  transport.stderr?.on('data', keep)
  await client.connect(transport)
  // The transport hands out messages, and keeps the process that sends their bytes to itself.
  const child: ChildProcess = Reflect.get(transport, '_process')
  child.stdout?.on('data', keep)
  return client
}

export interface Answer {
  readonly text: string
  readonly isError: boolean
}

export async function call(
  client: Client,
  name: string,
  args: Record<string, unknown> = {},
): Promise<Answer> {
  const { content, isError } = await client.callTool({ name, arguments: args })
  return {
    text: content.map((block) => ('text' in block ? block.text : '')).join('\n'),
    isError: isError === true,
  }
}

/** How many bytes were received, and which of the secrets are among them: as they are, in base64 or in hex. */
export function search(
  secrets: readonly string[],
  planted = '',
): { bytes: number; found: string[] } {
  const all = Buffer.concat([...received, Buffer.from(planted)])
  const formsOf = (secret: string) => [
    secret,
    ...(['base64', 'base64url', 'hex'] as const).map((form) =>
      Buffer.from(secret).toString(form).replace(/=+$/, '').slice(0, -2),
    ),
  ]
  return {
    bytes: all.length,
    found: secrets.filter((secret) => formsOf(secret).some((form) => all.includes(form))),
  }
}
