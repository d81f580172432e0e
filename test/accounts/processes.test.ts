import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createClient } from '@redis/client'
import { OAuthCredential } from 'mcp-credentials'
import { createAccounts, openCredential, sealCredential } from 'mcp-credentials/accounts'
import type { AccountStore } from 'mcp-credentials/accounts'
import { createPostgresStore } from '../../examples/connect/stores/postgres.ts'
import { createRedisStore } from '../../examples/connect/stores/redis.ts'
import { startAuthorizationServer } from './authorization-server.ts'
import type { AuthorizationServer, Sent } from './authorization-server.ts'
import { openPool, startPostgres, startRedis } from './databases.ts'
import type { Orders, Report } from './worker.ts'

const PROCESSES = 4
const key = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64')
const postgres = await startPostgres()
const redis = await startRedis()
const pool = openPool(postgres.url, 10)
const client = createClient({ url: redis.url })
await client.connect()
const stores: Record<Orders['store'], AccountStore> = {
  PostgreSQL: await createPostgresStore(pool),
  Redis: createRedisStore(client),
}
const urls = { PostgreSQL: postgres.url, Redis: redis.url }
const rows: Record<string, unknown>[] = []

after(async () => {
  console.table(rows)
  client.destroy()
  await pool.end()
  await postgres.stop()
  await redis.stop()
})

interface Worker {
  readonly child: ChildProcess
  /** `undefined` where it was killed. */
  readonly report: Promise<Report | undefined>
}

function startWorker(orders: Orders): Worker {
  const child = fork(fileURLToPath(new URL('./worker.js', import.meta.url)))
  const report = new Promise<Report | undefined>((resolve) => {
    child.once('message', (message) => resolve(message as Report))
    child.once('exit', () => resolve(undefined))
  })
  child.send(orders)
  return { child, report }
}

/** Pauses the first process that refreshes after three seconds, and kills the first one that does after ten. */
function disturb(server: AuthorizationServer, workers: readonly Worker[]) {
  const start = Date.now()
  const seen: { paused?: Sent; killed?: Sent } = {}
  const childOf = ({ by }: Sent) => workers.find(({ child }) => child.pid === by)?.child
  server.decide = (sent) => {
    const seconds = (Date.now() - start) / 1000
    if (seen.paused === undefined && seconds > 3) {
      seen.paused = sent
      const child = childOf(sent)
      child?.kill('SIGSTOP')
      setTimeout(() => child?.kill('SIGCONT'), 5000)
    } else if (seen.killed === undefined && seconds > 10) {
      seen.killed = sent
      childOf(sent)?.kill('SIGKILL')
      return 'drop'
    }
    return 'pass'
  }
  return seen
}

async function run(store: Orders['store'], milliseconds: number, isControl = false) {
  const server = await startAuthorizationServer(3)
  const owner = `alice-${store}-${isControl}`
  const credential = await server.credentialFor(owner)
  const accounts = createAccounts('github', { store: stores[store], keys: [key] })
  if (isControl) {
    const text = await sealCredential(credential, { owner, provider: 'control', keys: [key] })
    await stores[store].swap(owner, 'control', undefined, text)
  } else await accounts.save(owner, credential)
  const { origin } = server
  const orders: Orders = { store, url: urls[store], key, origin, owner, milliseconds, isControl }
  const workers = Array.from({ length: PROCESSES }, () => startWorker(orders))
  const seen = isControl ? {} : disturb(server, workers)
  const reports = await Promise.all(workers.map(({ report }) => report))
  await server.close()
  const counts = new Map<string, number>()
  for (const { token } of server.sent) counts.set(token, (counts.get(token) ?? 0) + 1)
  const twice = [...counts].filter(([token, count]) => count > 1 && token !== seen.killed?.token)
  const ended = reports.filter((report) => report !== undefined)
  const failed = ended.flatMap((report) => Object.entries(report.failed))
  const row = {
    'who refreshes': isControl ? 'createRefresher, onRefresh: save' : `accounts, ${store}`,
    refreshes: server.sent.length,
    'sent twice': twice.length,
    refused: server.refused(),
    'calls ok': ended.reduce((sum, { ok }) => sum + ok, 0),
    'calls failed': failed.reduce((sum, [, count]) => sum + count, 0),
    'longest call, ms': Math.max(...ended.map((report) => report.longestMilliseconds)),
  }
  rows.push(row)
  return { row, seen, ended, failed, owner, accounts, server }
}

describe('four processes with twenty loops each, tokens of three seconds, rotation with reuse detection', () => {
  for (const store of ['PostgreSQL', 'Redis'] as const) {
    test(`send no refresh token twice, and fail no call, while one is paused and one is killed: ${store}`, async () => {
      const { row, seen, ended, failed, owner } = await run(store, 24_000)
      assert(seen.paused, 'a process was paused')
      assert(seen.killed, 'a process was killed')
      assert.equal(ended.length, PROCESSES - 1)
      assert.deepEqual(failed, [])
      assert.deepEqual([row['sent twice'], row.refused], [0, 0])
      assert(row.refreshes > 5)
      assert(row['calls ok'] > 500)
      const text = String(await stores[store].load(owner, 'github'))
      assert.match(text, /^[\w-]+\.\.[\w-]{16}\.[\w-]+\.[\w-]{22}$/)
    })
  }

  test('the control: with createRefresher({ onRefresh: save }) the account is lost', async () => {
    const { row, failed, owner } = await run('PostgreSQL', 10_000, true)
    assert(row.refused > 0)
    assert(failed.length > 0)
    const text = (await stores.PostgreSQL.load(owner, 'control')) ?? ''
    const options = { owner, provider: 'control', keys: [key] }
    assert((await openCredential(text, options)) instanceof OAuthCredential)
  })
})

test('what cannot be mended: an answer that is lost after rotation. The account has to be connected again', async () => {
  const server = await startAuthorizationServer(3)
  const owner = 'lost'
  const store = stores.PostgreSQL
  const refresh = { timeoutSeconds: 0.5, allowInsecureLoopback: true }
  const accounts = createAccounts('github', { store, keys: [key], refresh })
  await accounts.save(owner, await server.credentialFor(owner))
  const orders: Orders = {
    ...{ store: 'PostgreSQL', url: urls.PostgreSQL, key, origin: server.origin, owner },
    ...{ milliseconds: 60_000, isControl: false },
  }
  const worker = startWorker(orders)
  let lost: Sent | undefined
  server.decide = (sent) => {
    if (lost !== undefined) return 'pass'
    lost = sent
    setTimeout(() => worker.child.kill('SIGKILL'), 200)
    return 'swallow'
  }
  assert.equal(await worker.report, undefined)
  const source = accounts.source({ owner: () => owner, connect: 'https://mcp.example.com/connect' })
  const error: unknown = await Promise.resolve(source({ headers: undefined })).catch(
    (error) => error,
  )
  assert.match(String(error), /The account has to be connected again/)
  assert.deepEqual([server.sent.length, server.refused()], [2, 1])
  await server.close()
})

test('who needs no refresh waits for nobody: forty refreshes of a second each, a pool of ten', async () => {
  const waiting: ServerResponse[] = []
  const server = createServer((_request, response) => waiting.push(response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const ten = openPool(postgres.url, 10)
  const store = await createPostgresStore(ten)
  const refresh = { allowInsecureLoopback: true, timeoutSeconds: 60 }
  const accounts = createAccounts('waits', { store, keys: [key], refresh })
  const client = { clientId: 'client', tokenUri: `http://127.0.0.1:${port}/token` }
  const expired = {
    accessToken: 'FAKE-old',
    expiresAt: new Date(0),
    refreshToken: 'FAKE',
    ...client,
  }
  const owners = Array.from({ length: 40 }, (_, index) => `expired-${index}`)
  for (const owner of owners) await accounts.save(owner, new OAuthCredential(expired))
  await accounts.save('fresh', new OAuthCredential({ accessToken: 'FAKE-fresh' }))
  const refreshed = Promise.all(owners.map((owner) => accounts.get(owner)))
  // Each of them is under way, although there are ten connections.
  for (let tries = 0; tries < 3000 && waiting.length < owners.length; tries++) await sleep(10)
  assert.equal(waiting.length, owners.length)
  const times: number[] = []
  for (let count = 0; count < 20; count++) {
    const start = performance.now()
    assert.equal((await accounts.get('fresh'))?.accessToken, 'FAKE-fresh')
    times.push(performance.now() - start)
  }
  await sleep(1000)
  const answer = { access_token: 'FAKE-new', token_type: 'Bearer', expires_in: 3600 }
  for (const response of waiting) response.end(JSON.stringify(answer))
  const all = await refreshed
  assert.deepEqual(new Set(all.map((one) => one?.accessToken)), new Set(['FAKE-new']))
  assert.equal(waiting.length, 40)
  const [median] = times.sort((a, b) => a - b).slice(10)
  console.log(
    `Served while forty refreshes were under way: ${median?.toFixed(1)} ms (median of 20)`,
  )
  await ten.end()
  await new Promise((resolve) => server.close(resolve))
})
