// Servers that run alone, on PORT, and in the demo, in processes of their own on free ports.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'

/**
 * Listens on 127.0.0.1. In a child of the demo on a free port, which the parent is told and with which it ends; alone on
 * PORT or `port`, and says what `help` gives.
 */
export function announce(
  server: Server,
  port: number,
  help: (url: string) => readonly string[],
): void {
  const isChild = process.send !== undefined
  server.listen(isChild ? 0 : Number(process.env['PORT'] ?? port), '127.0.0.1', () => {
    const address = server.address() as AddressInfo
    if (isChild) process.send?.({ port: address.port })
    else console.log(help(`http://127.0.0.1:${address.port}`).join('\n'))
  })
  if (isChild) process.on('disconnect', () => process.exit())
}

/** The command line that calls a tool. */
export const curlOf = (url: string, tool: string, header: string): string =>
  [
    `curl ${url}/mcp -H 'content-type: application/json'`,
    `-H 'accept: application/json, text/event-stream' -H '${header}'`,
    `-d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${tool}"}}'`,
  ].join(' \\\n  ')

export const scriptOf = (name: string) => fileURLToPath(new URL(`${name}.js`, import.meta.url))

/** In the parent: starts a script and waits until it listens. */
export async function start(
  name: string,
  env: Record<string, string>,
): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(scriptOf(name), { env })
  const port = await new Promise<number>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${name} ended with code ${code ?? 'none'}.`)))
    child.on('message', (message: { port?: number }) => message.port && resolve(message.port))
  })
  return { child, url: `http://127.0.0.1:${port}` }
}
