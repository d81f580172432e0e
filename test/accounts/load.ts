// Three replicas behind nginx, with PostgreSQL, a thousand accounts, and a third party that rotates refresh tokens and
// revokes an account where one is used twice. A replica is killed, and the database is restarted.
import { fork, spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { createAccounts } from 'mcp-credentials/accounts'
import { createPostgresStore } from '../../examples/connect/stores/postgres.ts'
import { startAuthorizationServer, TOKEN_MARK } from './authorization-server.ts'
import type { AuthorizationServer } from './authorization-server.ts'
import { freePort, newFolder, openPool, postgresProgram, startPostgres } from './databases.ts'
import type { Server } from './databases.ts'
import { CLIENT_ID } from './replica.ts'
import type { ReplicaOrders } from './replica.ts'

const REPLICAS = 3
const AT_A_TIME = 100
const TOKEN_SECONDS = 30
const USER = 'user-'

export interface LoadPlan {
  readonly calls: number
  readonly accounts: number
  /** Whether the accounts are keyed by the id of the client; then nothing is killed. */
  readonly isControl?: boolean
}

type Place = 'responses' | 'logs' | 'database' | 'dump'

/** What is counted; the last four should be 0. */
export interface LoadReport {
  calls: number
  answered: number
  refreshes: number
  /** Calls that could not be answered while a replica, or the database, was gone. */
  disturbed: number
  /** Calls that were refused, or failed, for any other reason. */
  failed: number
  othersAccount: number
  refreshedTwice: number
  accountsLost: number
}

const countIn = (text: string | Buffer, mark: string): number => {
  let count = 0
  for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + 1)) count += 1
  return count
}

/** Counts the tokens in a place; and, to show that it would see them, the names of the users. */
class Search {
  tokens = 0
  users = 0

  add(text: string | Buffer): void {
    this.tokens += countIn(text, TOKEN_MARK)
    this.users += countIn(text, USER)
  }

  addFolder(folder: string): void {
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    const paths = files.map((file) => join(folder, file))
    for (const path of paths) if (statSync(path).isFile()) this.add(readFileSync(path))
  }

  /** By lines, in which no token is broken. */
  addStream(stream: Readable | null): void {
    if (stream) createInterface({ input: stream }).on('line', (line) => this.add(line))
  }
}

class Replica {
  readonly child: ChildProcess
  readonly #orders: ReplicaOrders

  constructor(orders: ReplicaOrders, logs: Search) {
    this.#orders = orders
    const stdio = ['ignore', 'pipe', 'pipe', 'ipc'] as const
    this.child = fork(fileURLToPath(new URL('./replica.js', import.meta.url)), {
      stdio: [...stdio],
    })
    logs.addStream(this.child.stdout)
    logs.addStream(this.child.stderr)
  }

  async listen(): Promise<number> {
    this.child.send(this.#orders)
    const [port] = (await once(this.child, 'message')) as [number]
    return port
  }

  async kill(): Promise<void> {
    const exit = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await exit
  }
}

async function startNginx(replicas: readonly number[]) {
  const folder = newFolder('nginx')
  const port = await freePort()
  const servers = replicas.map((replica) => `server 127.0.0.1:${replica} fail_timeout=1;`)
  const configuration = `
    worker_processes 1; daemon off; pid nginx.pid; error_log error.log info; events {}
    http {
      access_log access.log; client_body_temp_path body; proxy_temp_path proxy;
      upstream replicas { ${servers.join(' ')} keepalive 64; }
      server {
        listen 127.0.0.1:${port};
        location / {
          proxy_pass http://replicas;
          proxy_http_version 1.1;
          proxy_set_header Connection '';
          proxy_buffering off;
        }
      }
    }`
  writeFileSync(join(folder, 'nginx.conf'), configuration)
  const nginx = spawn('nginx', ['-p', folder, '-c', 'nginx.conf', '-e', 'error.log'], {
    stdio: 'ignore',
  })
  process.once('exit', () => nginx.kill())
  const url = new URL(`http://127.0.0.1:${port}/mcp`)
  for (let tries = 0; tries < 200; tries++) {
    if (await fetch(url).catch(() => undefined)) break
    await sleep(50)
  }
  const stop = async () => {
    const exit = once(nginx, 'exit')
    nginx.kill('SIGTERM')
    await exit
  }
  return { url, folder, stop }
}

/** The name that the API has told, where it has. */
const nameIn = (text: string) => /^200 (\S+) /.exec(text)?.[1]

class Load {
  readonly report: LoadReport = {
    ...{ calls: 0, answered: 0, refreshes: 0, disturbed: 0, failed: 0, othersAccount: 0 },
    ...{ refreshedTwice: 0, accountsLost: 0 },
  }
  /** What has been searched for tokens. */
  readonly places: Record<Place, Search> = {
    responses: new Search(),
    logs: new Search(),
    database: new Search(),
    dump: new Search(),
  }
  /** What went wrong, by its message. */
  readonly problems = new Map<string, number>()
  readonly #owners: readonly string[]
  readonly #clients = new Map<string, Client>()
  readonly #url: URL
  /** Whether something has just been killed. */
  isDisturbed = false

  constructor(owners: readonly string[], url: URL, logs: Search) {
    this.#owners = owners
    this.#url = url
    this.places.logs = logs
  }

  readonly #fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
    const response = await fetch(url, init)
    const text = await response.text()
    this.places.responses.add(text)
    this.places.responses.add(JSON.stringify([...response.headers]))
    return new Response([204, 202].includes(response.status) ? null : text, response)
  }

  async #clientOf(owner: string): Promise<Client> {
    const known = this.#clients.get(owner)
    if (known !== undefined) return known
    const mode = { pin: '2026-07-28' } as const
    const client = new Client({ name: 'load', version: '1.0.0' }, { versionNegotiation: { mode } })
    const headers = { authorization: `Bearer FAKE-inbound-${owner}` }
    const options = { fetch: this.#fetch, requestInit: { headers } }
    await client.connect(new StreamableHTTPClientTransport(this.#url, options))
    this.#clients.set(owner, client)
    return client
  }

  /** The name of the account that a call of this user has, or what went wrong. */
  async ask(owner: string): Promise<string> {
    try {
      const client = await this.#clientOf(owner)
      const result = await client.callTool({ name: 'who_am_i' }, { timeout: 30_000 })
      const [block] = result.content
      const text = block?.type === 'text' ? block.text : ''
      return nameIn(text) ?? `failed: ${text.replace(/ticket=\S+/, 'ticket=…')}`
    } catch (error) {
      return `failed: ${String(error).slice(0, 100)}`
    }
  }

  async #callOnce(): Promise<void> {
    const { report } = this
    const owner = this.#owners[Math.floor(Math.random() * this.#owners.length)] ?? ''
    const wasDisturbed = this.isDisturbed
    const name = await this.ask(owner)
    if (name === owner) report.answered += 1
    else if (!name.startsWith('failed: ')) report.othersAccount += 1
    else {
      if (wasDisturbed || this.isDisturbed) report.disturbed += 1
      else report.failed += 1
      this.problems.set(name, (this.problems.get(name) ?? 0) + 1)
    }
  }

  async run(calls: number, events: Readonly<Record<number, () => void>>): Promise<void> {
    const work = async () => {
      while (this.report.calls < calls) {
        this.report.calls += 1
        events[this.report.calls]?.()
        await this.#callOnce()
      }
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, work))
  }

  /** Each account is asked for once more. */
  async countLost(): Promise<number> {
    let lost = 0
    const left = [...this.#owners]
    const work = async () => {
      for (let owner = left.pop(); owner !== undefined; owner = left.pop())
        if ((await this.ask(owner)) !== owner) lost += 1
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, work))
    return lost
  }

  async close(): Promise<void> {
    for (const client of this.#clients.values()) await client.close()
  }
}

function dumpOf({ url }: Server): string {
  const options = { encoding: 'utf8', maxBuffer: 2 ** 30 } as const
  const { stdout, status, stderr } = spawnSync(postgresProgram('pg_dump'), [url], options)
  if (status !== 0) throw new Error(stderr)
  return stdout
}

export async function runLoad(plan: LoadPlan): Promise<Load> {
  const { calls, isControl = false } = plan
  const api = await startAuthorizationServer(TOKEN_SECONDS)
  const logging = ['logging_collector=on', 'log_directory=log', 'log_statement=all']
  const postgres = await startPostgres(logging.flatMap((setting) => ['-c', setting]))
  const key = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
  const owners = Array.from({ length: plan.accounts }, (_, index) => `${USER}${index}`)
  await connectAll(owners, { api, postgres, key, isControl })

  const orders = { databaseUrl: postgres.url, key, origin: api.origin, isControl }
  const logs = new Search()
  const replicas = Array.from({ length: REPLICAS }, () => new Replica({ ...orders, port: 0 }, logs))
  const ports = await Promise.all(replicas.map((replica) => replica.listen()))
  const nginx = await startNginx(ports)
  const load = new Load(owners, nginx.url, logs)

  const disturbances: Promise<void>[] = []
  const disturb = (fn: () => Promise<void>) => () => {
    load.isDisturbed = true
    // What was waiting for a lease of the one that was killed has waited for ten seconds.
    const over = fn().then(() => sleep(12_000, undefined, { ref: false }))
    disturbances.push(over.then(() => void (load.isDisturbed = false)))
  }
  const killReplica = disturb(async () => {
    const [victim] = replicas
    if (victim === undefined) return
    // Its requests of this second do not arrive: an answer that is lost with it is what nothing mends.
    api.decide = ({ by }) => (by === victim.child.pid ? 'drop' : 'pass')
    await sleep(1000)
    await victim.kill()
    const next = new Replica({ ...orders, port: ports[0] ?? 0 }, logs)
    replicas.push(next)
    await next.listen()
  })
  const restartDatabase = disturb(async () => {
    await postgres.kill()
    await postgres.start()
  })
  const events = {
    [Math.floor(calls * 0.3)]: killReplica,
    [Math.floor(calls * 0.6)]: restartDatabase,
  }
  await load.run(calls, isControl ? {} : events)
  await Promise.all(disturbances)

  const { report } = load
  if (!isControl) report.accountsLost = await load.countLost()
  report.refreshes = api.sent.length
  const arrived = api.sent.filter(({ fate }) => fate === 'pass').map(({ token }) => token)
  report.refreshedTwice = arrived.length - new Set(arrived).size
  await load.close()
  await nginx.stop()
  for (const { child } of replicas) child.kill('SIGKILL')
  load.places.logs.addFolder(nginx.folder)
  load.places.dump.add(dumpOf(postgres))
  load.places.database.addFolder(postgres.folder)
  await postgres.stop()
  await api.close()
  rmSync(nginx.folder, { recursive: true })
  return load
}

interface Parts {
  readonly api: AuthorizationServer
  readonly postgres: Server
  readonly key: string
  readonly isControl: boolean
}

/** Each user has connected an account; in the control, under the id of the client that they share. */
async function connectAll(owners: readonly string[], parts: Parts): Promise<void> {
  const { api, postgres, key, isControl } = parts
  const pool = openPool(postgres.url, 10)
  const accounts = createAccounts('api', { store: await createPostgresStore(pool), keys: [key] })
  for (const owner of owners)
    await accounts.save(isControl ? CLIENT_ID : owner, await api.credentialFor(owner))
  await pool.end()
}
