// Servers on this machine alone: an API, and one that answers for every other host.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Agent, buildConnector, fetch as undiciFetch } from 'undici'

export interface Listening {
  readonly port: number
  readonly origin: string
  close(): Promise<void>
}

async function open(server: Server): Promise<Listening> {
  // A thousand clients may come at once, and be busy for a while.
  server.keepAliveTimeout = 120_000
  server.listen({ port: 0, host: '127.0.0.1', backlog: 2048 })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    origin: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Serves on a free port of 127.0.0.1 until it is closed. */
export const listen = (listener: RequestListener): Promise<Listening> =>
  open(createServer(listener))

// TLS by a key that both sides have, so that there is no certificate to make.
const psk = Buffer.from('0123456789abcdef')
const TLS = { ciphers: 'PSK', maxVersion: 'TLSv1.2' } as const

const listenTls = (listener: RequestListener): Promise<Listening> =>
  open(createTlsServer({ ...TLS, pskCallback: () => psk }, listener))

/** A network in which one origin is an API, and every other host and port one that nobody should send anything to. */
export async function network(origin: string, api: RequestListener, elsewhere: RequestListener) {
  const servers = await Promise.all([listenTls(api), listenTls(elsewhere), listen(elsewhere)])
  const [own, secure, plain] = servers
  const connect = buildConnector({
    ...TLS,
    pskCallback: () => ({ psk, identity: 'test' }),
    checkServerIdentity: () => undefined,
  })
  const dispatcher = new Agent({
    connect(options, callback) {
      const { protocol, hostname, port } = options
      const host = hostname.includes(':') && !hostname.startsWith('[') ? `[${hostname}]` : hostname
      const url = new URL(`${protocol}//${host}:${port}`)
      const other = protocol === 'https:' ? secure : plain
      const { port: target } = url.origin === origin ? own : other
      connect({ ...options, hostname: '127.0.0.1', host: '127.0.0.1', port: `${target}` }, callback)
    },
  })
  const fetch = (url: Parameters<typeof undiciFetch>[0], init?: object) =>
    undiciFetch(url, { ...init, dispatcher })
  return {
    fetch: fetch as unknown as typeof globalThis.fetch,
    async close() {
      await dispatcher.destroy()
      for (const server of servers) await server.close()
    },
  }
}
