// Runs the demo's servers in processes of their own, on free ports of 127.0.0.1.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'

/** In a child: listens, and tells the parent where. Ends with the parent. */
export function announce(server: Server): void {
  server.listen(0, '127.0.0.1', () =>
    process.send?.({ port: (server.address() as AddressInfo).port }),
  )
  process.on('disconnect', () => process.exit())
}

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
