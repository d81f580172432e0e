import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, describe, test } from 'node:test'
import { PGlite } from '@electric-sql/pglite'
import { createClient } from '@redis/client'
import { CredentialError, OAuthCredential } from 'mcp-credentials'
import { createAccounts } from 'mcp-credentials/accounts'
import type { AccountStore } from 'mcp-credentials/accounts'
import pg from 'pg'
import { createPostgresStore } from '../../examples/connect/stores/postgres.ts'
import { createRedisStore } from '../../examples/connect/stores/redis.ts'
import { testStore } from '../../examples/connect/stores/suite.ts'
import { bytesOf, newFolder, openPool, startPostgres, startRedis } from './databases.ts'
import type { Server } from './databases.ts'

const postgres = await startPostgres()
const redis = await startRedis()
const embedded = newFolder('pglite')
const pglite = await PGlite.create(embedded)
const closers: (() => Promise<unknown>)[] = []

async function openPostgres(): Promise<AccountStore> {
  const pool = openPool(postgres.url, 4)
  closers.push(() => pool.end())
  return createPostgresStore(pool)
}

async function openRedis(): Promise<AccountStore> {
  const client = createClient({ url: redis.url })
  client.on('error', () => undefined)
  closers.push(async () => client.destroy())
  await client.connect()
  return createRedisStore(client)
}

const openEmbedded = () => createPostgresStore(pglite)

after(async () => {
  for (const close of closers) await close().catch(() => undefined)
  await pglite.close()
  await postgres.stop()
  await redis.stop()
})

testStore('PostgreSQL', openPostgres)
testStore('PGlite', openEmbedded)
testStore('Redis', openRedis)

const key = crypto.getRandomValues(new Uint8Array(32))
const newAccounts = (store: AccountStore) => createAccounts('github', { store, keys: [key] })
let serial = 0
const newToken = () =>
  new OAuthCredential({ accessToken: `FAKE-token-${serial++}-do-not-leak`, scopes: ['FAKE-scope'] })

const BACKENDS: [name: string, open: () => Promise<AccountStore>, folder: string][] = [
  ['PostgreSQL', openPostgres, postgres.folder],
  ['PGlite', openEmbedded, embedded],
  ['Redis', openRedis, redis.folder],
]

describe('the bytes of a database', () => {
  for (const [name, open, folder] of BACKENDS) {
    test(`show no token in ${name}`, async () => {
      const store = await open()
      const accounts = newAccounts(store)
      const credential = newToken()
      await accounts.save('alice', credential)
      assert.equal((await accounts.get('alice'))?.accessToken, credential.accessToken)
      // The control: what was written is found.
      await store.swap('control', 'p', undefined, 'FAKE-control-in-the-clear')
      const bytes = bytesOf(folder)
      assert(bytes.includes('FAKE-control-in-the-clear'))
      for (const secret of [credential.accessToken, 'FAKE-scope', 'do-not-leak'])
        assert(!bytes.includes(secret))
    })
  }
})

const SERVERS: [name: string, open: () => Promise<AccountStore>, server: Server][] = [
  ['PostgreSQL', openPostgres, postgres],
  ['Redis', openRedis, redis],
]

describe('a process that is killed in the middle', () => {
  for (const [name, open, server] of SERVERS) {
    test(`leaves whole rows in ${name}`, async () => {
      const store = await open()
      const owner = `killed-${name}`
      const path = new URL('./writer.js', import.meta.url)
      for (let round = 0; round < 3; round++) {
        const writer = spawn(process.execPath, [path.pathname, name, server.url, owner], {
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        await once(writer.stdout, 'data')
        writer.kill('SIGKILL')
        await once(writer, 'exit')
        // The server may still be at what it was sent last.
        for (let isDone = false; !isDone;) {
          const text = String(await store.load(owner, 'p'))
          const [, length = '', body = ''] = /^(\d+):(x+)$/.exec(text) ?? []
          assert.equal(body.length, Number(length))
          isDone = await store.swap(owner, 'p', text, '10:xxxxxxxxxx')
        }
      }
    })
  }
})

describe('a server that is gone', () => {
  for (const [name, open, server] of SERVERS) {
    test(`disconnects nobody, and has all once it is back: ${name}`, async () => {
      const store = await open()
      const accounts = newAccounts(store)
      const credential = newToken()
      const owner = `gone-${name}`
      await accounts.save(owner, credential)
      await server.kill()
      const source = accounts.source({ owner: () => owner, connect: 'https://a.example/' })
      const ask = () =>
        Promise.resolve(source({ headers: undefined })).then(
          ({ accessToken }) => accessToken,
          (error: unknown) => (error instanceof CredentialError ? error.code : String(error)),
        )
      let answer = ask()
      // What the server leaves behind may answer for a moment. A client of Redis waits until it is back.
      while (name === 'PostgreSQL' && (await answer) === credential.accessToken) answer = ask()
      if (name === 'PostgreSQL') assert.equal(await answer, 'ERR_CREDENTIAL_UNAVAILABLE')
      await server.start()
      if (name === 'Redis') assert.equal(await answer, credential.accessToken)
      assert.equal((await accounts.get(owner))?.accessToken, credential.accessToken)
      const next = newToken()
      await accounts.save(owner, next)
      assert.equal((await accounts.get(owner))?.accessToken, next.accessToken)
    })
  }

  test('by a connection that drops, and others go on: PostgreSQL', async () => {
    const accounts = newAccounts(await openPostgres())
    const credential = newToken()
    await accounts.save('dropped', credential)
    const admin = new pg.Client(postgres.url)
    await admin.connect()
    for (let round = 0; round < 5; round++) {
      const calls = Promise.allSettled(Array.from({ length: 20 }, () => accounts.get('dropped')))
      await admin.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()',
      )
      for (const call of await calls) {
        if (call.status === 'fulfilled') {
          assert.equal(call.value?.accessToken, credential.accessToken)
          continue
        }
        assert(call.reason instanceof CredentialError)
        assert.equal(call.reason.code, 'ERR_CREDENTIAL_UNAVAILABLE')
      }
    }
    await admin.end()
    // Each connection of the pool that was cut fails once.
    const fails: unknown[] = []
    for (let isBack = false; !isBack;) {
      assert(fails.length < 10)
      const found = await accounts.get('dropped').catch((error: unknown) => void fails.push(error))
      isBack = found?.accessToken === credential.accessToken
    }
  })
})

test('PGlite has all after it was closed and opened again', async () => {
  const folder = newFolder('reopened')
  const first = await PGlite.create(folder)
  const credential = newToken()
  await newAccounts(await createPostgresStore(first)).save('alice', credential)
  await first.close()
  const second = await PGlite.create(folder)
  const accounts = newAccounts(await createPostgresStore(second))
  assert.equal((await accounts.get('alice'))?.accessToken, credential.accessToken)
  await second.close()
})
