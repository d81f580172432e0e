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
import { OAuthCredential } from 'mcp-credentials'
import { createAccounts } from 'mcp-credentials/accounts'
import { createPostgresStore } from '../../examples/connect/stores/postgres.ts'
import type { ApiEnd, ApiStart } from './api.ts'
import { TOKEN_MARK } from './authorization-server.ts'
import { freePort, newFolder, openPool, postgresProgram, startPostgres } from './databases.ts'
import type { Server } from './databases.ts'
import { CLIENT_ID, LEASE_SECONDS } from './replica.ts'
import type { ReplicaOrders } from './replica.ts'

const REPLICAS = 3
const AT_A_TIME = 100
const USER = 'user-'

export interface LoadPlan {
  readonly calls: number
  readonly accounts: number
  /** Whether the accounts are keyed by the id of the client; then nothing is killed. */
  readonly isControl?: boolean
}

type Place = 'responses' | 'logs' | 'database' | 'dump'

/** What is counted; the last five should be 0. */
export interface LoadReport {
  calls: number
  answered: number
  refreshes: number
  /** Calls that could not be answered while a replica, or the database, was gone. */
  disturbed: number
  /** Calls that were refused, or failed, for any other reason. */
  failed: number
  othersAccount: number
  /** At the third party. */
  refused: number
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

/** A process of its own; what it logs is searched. */
function start(name: string, logs: Search): ChildProcess {
  const path = fileURLToPath(new URL(`./${name}.js`, import.meta.url))
  const child = fork(path, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] })
  logs.addStream(child.stdout)
  logs.addStream(child.stderr)
  return child
}

/** What it answers; an error once it has ended. */
async function tell<T>(child: ChildProcess, orders: object | string): Promise<T> {
  const signal = AbortSignal.timeout(60_000)
  const answer = once(child, 'message', { signal })
  const exit = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`it has ended with ${String(code)}`)
  })
  child.send(orders)
  const [message] = await Promise.race([answer, exit])
  return message as T
}

async function kill(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit')
  child.kill('SIGKILL')
  await exit
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

// A call of a client of 2026.
const REVISION = '2026-07-28'
const HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': REVISION,
  'mcp-method': 'tools/call',
  'mcp-name': 'who_am_i',
}
const META = {
  'io.modelcontextprotocol/protocolVersion': REVISION,
  'io.modelcontextprotocol/clientInfo': { name: 'load', version: '1.0.0' },
  'io.modelcontextprotocol/clientCapabilities': {},
}
const CALL = JSON.stringify({
  ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
  params: { name: 'who_am_i', arguments: {}, _meta: META },
})

class Load {
  readonly report: LoadReport = {
    ...{ calls: 0, answered: 0, refreshes: 0, disturbed: 0, failed: 0, othersAccount: 0 },
    ...{ refused: 0, refreshedTwice: 0, accountsLost: 0 },
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
  readonly #url: URL
  /** How many things have just been killed. */
  #disturbances = 0

  constructor(owners: readonly string[], url: URL, logs: Search) {
    this.#owners = owners
    this.#url = url
    this.places.logs = logs
  }

  /** The name of the account that a call of this user has, or what went wrong. */
  async ask(owner: string): Promise<string> {
    try {
      const headers = { ...HEADERS, authorization: `Bearer FAKE-inbound-${owner}` }
      const signal = AbortSignal.timeout(60_000)
      const response = await fetch(this.#url, { method: 'POST', headers, body: CALL, signal })
      const answer = await response.text()
      this.places.responses.add(answer)
      this.places.responses.add(JSON.stringify([...response.headers]))
      const [, text = answer] = /"text":"([^"]*)"/.exec(answer) ?? []
      const [, name] = /^200 (\S+) /.exec(text) ?? []
      return (
        name ?? `failed: ${response.status} ${text.replace(/ticket=\S+/, 'ticket=…').slice(0, 120)}`
      )
    } catch (error) {
      return `failed: ${String(error)}`
    }
  }

  async #callOnce(): Promise<void> {
    const { report } = this
    const owner = this.#owners[Math.floor(Math.random() * this.#owners.length)] ?? ''
    const wasDisturbed = this.#disturbances > 0
    const name = await this.ask(owner)
    if (name === owner) report.answered += 1
    else if (!name.startsWith('failed: ')) report.othersAccount += 1
    else {
      if (wasDisturbed || this.#disturbances > 0) report.disturbed += 1
      else report.failed += 1
      this.problems.set(name, (this.problems.get(name) ?? 0) + 1)
    }
  }

  /** Has so many calls made, and in the middle of them each of these things done. */
  async run(calls: number, disturbances: readonly (() => Promise<void>)[]): Promise<void> {
    const disturbed: Promise<void>[] = []
    const every = calls / (disturbances.length + 1)
    const work = async () => {
      while (this.report.calls < calls) {
        this.report.calls += 1
        const next = disturbances[disturbed.length]
        if (next && this.report.calls > every * (disturbed.length + 1))
          disturbed.push(this.#disturb(next))
        await this.#callOnce()
      }
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, work))
    await Promise.all(disturbed)
  }

  async #disturb(fn: () => Promise<void>): Promise<void> {
    this.#disturbances += 1
    await fn()
    // What waits for a lease of the one that was killed has waited for it by then.
    await sleep(LEASE_SECONDS * 1000)
    this.#disturbances -= 1
  }

  /** How many accounts are served no more, also when they are asked for again. */
  async countLost(): Promise<number> {
    let left = [...this.#owners]
    for (let round = 0; round < 5 && left.length > 0; round++) {
      if (round > 0) await sleep(1000)
      left = await this.#unanswered(left)
    }
    return left.length
  }

  async #unanswered(owners: readonly string[]): Promise<string[]> {
    const found: string[] = []
    const left = [...owners]
    const work = async () => {
      for (let owner = left.pop(); owner !== undefined; owner = left.pop())
        if ((await this.ask(owner)) !== owner) found.push(owner)
    }
    await Promise.all(Array.from({ length: AT_A_TIME }, work))
    return found
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
  const owners = Array.from({ length: plan.accounts }, (_, index) => `${USER}${index}`)
  const logs = new Search()
  const api = start('api', logs)
  const apiStart = await tell<ApiStart>(api, { owners })
  const logging = ['logging_collector=on', 'log_directory=log', 'log_statement=all']
  const postgres = await startPostgres(logging.flatMap((setting) => ['-c', setting]))
  const key = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
  await connectAll(owners, { api: apiStart, databaseUrl: postgres.url, key, isControl })

  const { origin } = apiStart
  const orders: ReplicaOrders = { databaseUrl: postgres.url, key, origin, port: 0, isControl }
  const replicas = Array.from({ length: REPLICAS }, () => start('replica', logs))
  const ports = await Promise.all(replicas.map((replica) => tell<number>(replica, orders)))
  const nginx = await startNginx(ports)
  const load = new Load(owners, nginx.url, logs)

  async function killReplica(): Promise<void> {
    const [victim] = replicas
    if (victim === undefined) return
    // Its requests of these seconds do not arrive: an answer that is lost with it is what nothing mends.
    api.send({ drop: victim.pid })
    await sleep(3000)
    await kill(victim)
    // Again and again, as what keeps processes running does: the database may be gone just now, or the port taken.
    let isRunning = false
    while (!isRunning) {
      replicas[0] = start('replica', logs)
      const answer = tell(replicas[0], { ...orders, port: ports[0] ?? 0 })
      isRunning = await answer.then(
        () => true,
        () => false,
      )
      if (!isRunning) await sleep(100)
    }
  }
  async function restartDatabase(): Promise<void> {
    await postgres.kill()
    await postgres.start()
  }
  await load.run(calls, isControl ? [] : [killReplica, restartDatabase])
  if (!isControl) load.report.accountsLost = await load.countLost()
  Object.assign(load.report, await tell<ApiEnd>(api, 'end'))

  await nginx.stop()
  for (const replica of replicas) await kill(replica)
  logs.addFolder(nginx.folder)
  load.places.dump.add(dumpOf(postgres))
  load.places.database.addFolder(postgres.folder)
  await postgres.stop()
  rmSync(nginx.folder, { recursive: true })
  return load
}

interface Parts {
  readonly api: ApiStart
  readonly databaseUrl: string
  readonly key: string
  readonly isControl: boolean
}

/** Each user has connected an account; in the control, under the id of the client that they share. */
async function connectAll(owners: readonly string[], parts: Parts): Promise<void> {
  const { refreshTokens, client, tokenUri } = parts.api
  const pool = openPool(parts.databaseUrl, 10)
  const store = await createPostgresStore(pool)
  const accounts = createAccounts('api', { store, keys: [parts.key] })
  for (const [index, refreshToken] of refreshTokens.entries()) {
    const token = { accessToken: 'FAKE-expired', expiresAt: new Date(0), refreshToken }
    const credential = new OAuthCredential({ ...token, ...client, tokenUri })
    await accounts.save(parts.isControl ? CLIENT_ID : (owners[index] ?? ''), credential)
  }
  await pool.end()
}
