// One of several processes that serve an account: twenty loops that ask for its credential and use it.
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from '@redis/client'
import { CredentialError } from 'mcp-credentials'
import type { CredentialSource, OAuthCredential, ResolvedCredential } from 'mcp-credentials'
import { createAccounts, openCredential, sealCredential } from 'mcp-credentials/accounts'
import type { AccountStore } from 'mcp-credentials/accounts'
import { createRefresher } from 'mcp-credentials/oauth'
import pg from 'pg'
import { createPostgresStore } from '../../examples/connect/stores/postgres.ts'
import { createRedisStore } from '../../examples/connect/stores/redis.ts'

/** What a process is told. */
export interface Orders {
  readonly store: 'PostgreSQL' | 'Redis'
  readonly url: string
  readonly key: string
  /** Where the resource is. */
  readonly origin: string
  readonly owner: string
  readonly milliseconds: number
  /** Whether it uses `createRefresher({ onRefresh: save })`. */
  readonly isControl: boolean
}

/** What it has seen. */
export interface Report {
  readonly ok: number
  /** How many failed, by what went wrong. */
  readonly failed: Record<string, number>
  readonly longestMilliseconds: number
}

const LOOPS = 20

async function openStore({ store, url }: Orders): Promise<AccountStore> {
  if (store === 'Redis') {
    const client = createClient({ url })
    await client.connect()
    return createRedisStore(client)
  }
  const pool = new pg.Pool({ connectionString: url, max: 5 })
  return createPostgresStore(pool)
}

const refresh = {
  timeoutSeconds: 6,
  leewaySeconds: 1.5,
  allowInsecureLoopback: true,
  fetch: (url: string | URL | Request, init: RequestInit = {}) => {
    const headers = new Headers(init.headers)
    headers.set('x-process', String(process.pid))
    return fetch(url, { ...init, headers })
  },
}

async function sourceOf(orders: Orders): Promise<CredentialSource> {
  const store = await openStore(orders)
  const { owner, key, isControl } = orders
  const keys = [key]
  if (!isControl) {
    const accounts = createAccounts('github', { store, keys, refresh })
    return accounts.source({ owner: () => owner, connect: 'https://mcp.example.com/connect' })
  }
  const options = { owner, provider: 'control', keys }
  const load = async (): Promise<ResolvedCredential> =>
    openCredential((await store.load(owner, 'control')) ?? '', options)
  const refresher = createRefresher({
    ...refresh,
    async onRefresh(credential) {
      const before = await store.load(owner, 'control')
      const after = await sealCredential(credential as OAuthCredential, options)
      await store.swap(owner, 'control', before, after)
    },
  })
  return async () => refresher((await load()) as OAuthCredential)
}

// Whoever has started it is gone.
process.once('disconnect', () => process.exit())
process.once('message', async (orders: Orders) => {
  const source = await sourceOf(orders)
  const { origin, owner, milliseconds } = orders
  let ok = 0
  let longestMilliseconds = 0
  const failed: Record<string, number> = {}
  const call = async (): Promise<string | undefined> => {
    try {
      const { accessToken } = await source({ headers: undefined })
      const headers = { authorization: `Bearer ${accessToken}` }
      const { status } = await fetch(`${origin}/resource/${owner}`, { headers })
      return status === 204 ? undefined : `HTTP ${status}`
    } catch (error) {
      return error instanceof CredentialError ? error.code : String(error)
    }
  }
  const end = Date.now() + milliseconds
  const loop = async () => {
    while (Date.now() < end) {
      const start = Date.now()
      const problem = await call()
      longestMilliseconds = Math.max(longestMilliseconds, Date.now() - start)
      if (problem === undefined) ok += 1
      else failed[problem] = (failed[problem] ?? 0) + 1
      await sleep(20)
    }
  }
  await Promise.all(Array.from({ length: LOOPS }, loop))
  const report: Report = { ok, failed, longestMilliseconds }
  process.send?.(report, () => process.exit())
})
