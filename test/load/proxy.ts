// The nginx of examples/nginx, as it is, with what is its user's own: where it listens, the replicas, and who has what.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

export interface Tenant {
  readonly name: string
  readonly key: string
  readonly token: string
}

export interface Proxy {
  readonly url: URL
  /** Replaces who has what, while it runs. */
  reload(tenants: readonly Tenant[]): void
  stop(): Promise<void>
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

const configuration = fileURLToPath(new URL('../../../examples/nginx/nginx.conf', import.meta.url))

export async function startProxy(
  replicas: readonly number[],
  tenants: readonly Tenant[],
): Promise<Proxy> {
  const folder = mkdtempSync(`${tmpdir()}/mcp-credentials-nginx-`)
  const write = (name: string, lines: readonly string[]) =>
    writeFileSync(`${folder}/${name}`, lines.map((line) => `${line};\n`).join(''))
  const writeTenants = (given: readonly Tenant[]) => {
    write(
      'tenants.conf',
      given.map(({ name, key }) => `"~^Bearer ${key}$" ${name}`),
    )
    write(
      'credentials.conf',
      given.map(({ name, token }) => `${name} ${token}`),
    )
  }
  const port = await freePort()
  copyFileSync(configuration, `${folder}/nginx.conf`)
  write('listen.conf', [`listen 127.0.0.1:${port}`])
  write(
    'replicas.conf',
    replicas.map((replica) => `server 127.0.0.1:${replica}`),
  )
  writeTenants(tenants)
  const nginx = spawn('nginx', ['-p', folder, '-c', 'nginx.conf'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  nginx.on('error', () => {
    throw new Error('There is no nginx. On Debian: apt-get install nginx-light')
  })
  let log = ''
  nginx.stderr.on('data', (chunk) => {
    log += chunk
  })
  const exit = once(nginx, 'exit')
  const stopWithUs = () => nginx.kill()
  process.once('exit', stopWithUs)
  const url = new URL(`http://127.0.0.1:${port}/mcp`)
  for (let wait = 0; wait < 100 && !(await fetch(url).catch(() => undefined)); wait++) {
    if (nginx.exitCode !== null) throw new Error(`nginx ended: ${log}`)
    await sleep(20)
  }
  return {
    url,
    reload(given) {
      writeTenants(given)
      nginx.kill('SIGHUP')
    },
    async stop() {
      nginx.kill('SIGTERM')
      await exit
      process.off('exit', stopWithUs)
      rmSync(folder, { recursive: true })
    },
  }
}
