// Databases to be started and stopped, each on a port or in a folder of its own.
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@redis/client'
import pg from 'pg'

export interface Server {
  readonly url: string
  /** Where it keeps what it is given. */
  readonly folder: string
  /** Ends it as a loss of power would. */
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

export const newFolder = (name: string): string => mkdtempSync(join(tmpdir(), `accounts-${name}-`))

/** All that is in a folder. */
export function bytesOf(folder: string): Buffer {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const paths = files.map((file) => join(folder, file)).filter((path) => statSync(path).isFile())
  return Buffer.concat(paths.map((path) => readFileSync(path)))
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

interface Program {
  readonly url: string
  readonly folder: string
  run(): ChildProcess
  ping(): Promise<unknown>
}

async function serve({ url, folder, run, ping }: Program): Promise<Server> {
  let child = run()
  const hasEnded = () => child.exitCode !== null || child.signalCode !== null
  const start = async () => {
    if (hasEnded()) child = run()
    for (let tries = 0; ; tries++) {
      try {
        return void (await ping())
      } catch (error) {
        if (tries === 300) throw error
        await sleep(100)
        // What is left of the one that was killed may be in its way.
        if (child.exitCode !== null) child = run()
      }
    }
  }
  const end = async (signal: NodeJS.Signals) => {
    if (hasEnded()) return
    const gone = once(child, 'exit')
    child.kill(signal)
    const patience = setTimeout(() => child.kill('SIGKILL'), 10_000)
    await gone
    clearTimeout(patience)
  }
  process.once('exit', () => child.kill('SIGKILL'))
  await start()
  const stop = async () => {
    await end('SIGINT')
    rmSync(folder, { recursive: true, force: true })
  }
  return { url, folder, start, stop, kill: () => end('SIGKILL') }
}

/** PostgreSQL does not run as root. */
function postgresUser(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {}
  const idOf = (option: string) =>
    Number(spawnSync('id', [option, 'postgres'], { encoding: 'utf8' }).stdout)
  return { uid: idOf('-u'), gid: idOf('-g') }
}

/** Debian keeps them out of the path. */
export function postgresProgram(name: string): string {
  const folders = ['/usr/lib/postgresql', '/usr/local/pgsql']
  const found = folders.flatMap((folder) => {
    try {
      const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      return files.filter((file) => file.endsWith(`bin/${name}`)).map((file) => join(folder, file))
    } catch {
      return []
    }
  })
  return found.at(-1) ?? name
}

export async function startPostgres(more: readonly string[] = []): Promise<Server> {
  const folder = newFolder('postgres')
  const user = postgresUser()
  if (user.uid !== undefined && user.gid !== undefined) chownSync(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  const options = ['-D', data, '-U', 'test', '-A', 'trust', '-E', 'UTF8', '--no-sync']
  const made = spawnSync(postgresProgram('initdb'), options, { ...user, encoding: 'utf8' })
  if (made.status !== 0) throw new Error(made.stderr || String(made.error))
  const port = await freePort()
  const url = `postgres://test@127.0.0.1:${port}/postgres`
  const settings = ['-D', data, '-h', '127.0.0.1', '-p', `${port}`, '-k', folder, ...more]
  return serve({
    url,
    folder,
    run: () => spawn(postgresProgram('postgres'), settings, { ...user, stdio: 'ignore' }),
    async ping() {
      const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 })
      await client.connect()
      await client.end()
    },
  })
}

export async function startRedis(): Promise<Server> {
  const folder = newFolder('redis')
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  const options = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder]
  const durable = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '']
  return serve({
    url,
    folder,
    run: () => spawn('redis-server', [...options, ...durable], { stdio: 'ignore' }),
    async ping() {
      const client = createClient({ url, socket: { reconnectStrategy: false } })
      client.on('error', () => undefined)
      await client.connect()
      await client.close()
    },
  })
}

/** Without listeners a connection that is cut ends the process. */
export function openPool(url: string, max: number): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max, connectionTimeoutMillis: 20_000 })
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}
