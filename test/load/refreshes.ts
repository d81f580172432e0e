// What a refresher keeps. Run by hand: npm run build && tsc -p test/load && node --expose-gc test/load/dist/refreshes.js
import { OAuthCredential } from 'mcp-credentials'
import { createRefresher } from 'mcp-credentials/oauth'
import type { Refresher } from 'mcp-credentials'

const flag = (name: string, fallback: number) =>
  Number(process.argv[process.argv.indexOf(`--${name}`) + 1 || Infinity] ?? fallback)
const ACCOUNTS = flag('accounts', 100_000)
const REFRESHES = flag('refreshes', 10)
const ROTATIONS = flag('rotations', 100_000)
const TOKEN_LENGTH = 1500
const CONCURRENT = 100
const TOKEN_URI = 'https://auth.example/token'

const { gc } = globalThis
if (gc === undefined) throw new Error('node --expose-gc is needed.')

function heapInMegabytes(): number {
  gc?.()
  return process.memoryUsage().heapUsed / 2 ** 20
}

const tokenOf = (kind: string, run: string, account: number, generation: number): string =>
  `FAKE-${kind}-${run}-${account}-${generation}-`.padEnd(TOKEN_LENGTH, 'x')

/** Refresh tokens that were sent though they had been replaced. */
let reused = 0

/** Rotates each time. What it knows of an account is a number, so that its memory does not count. */
function createEndpoint(run: string, generations: Uint32Array) {
  const fetch = async (_url: unknown, { body }: RequestInit = {}) => {
    const sent = new URLSearchParams(String(body)).get('refresh_token') ?? ''
    const [account = 0, generation = 0] = sent.split('-').slice(3, 5).map(Number)
    if (generation !== generations[account]) {
      reused += 1
      return Response.json({ error: 'invalid_grant' }, { status: 400 })
    }
    const next = generation + 1
    generations[account] = next
    return Response.json({
      access_token: tokenOf('access', run, account, next),
      refresh_token: tokenOf('refresh', run, account, next),
      token_type: 'Bearer',
      // Less than the leeway: each call refreshes.
      expires_in: 30,
    })
  }
  return fetch as typeof globalThis.fetch
}

/** What a database would give for an account that was saved. */
function load(run: string, account: number, generation: number): OAuthCredential {
  return new OAuthCredential({
    accessToken: tokenOf('access', run, account, generation),
    refreshToken: tokenOf('refresh', run, account, generation),
    clientId: 'client',
    clientSecret: 'FAKE-client-secret',
    tokenUri: TOKEN_URI,
    expiresAt: new Date(0),
    extra: { account },
  })
}

async function forEachAccount(count: number, fn: (account: number) => Promise<unknown>) {
  let next = 0
  const work = async () => {
    while (next < count) await fn(next++)
  }
  await Promise.all(Array.from({ length: CONCURRENT }, work))
}

const report = (name: string, megabytes: number) =>
  console.log(`${name}: ${megabytes.toFixed(1)} MB, ${reused} used twice`)

async function savedAccounts(): Promise<void> {
  const generations = new Uint32Array(ACCOUNTS)
  const saved = new Uint32Array(ACCOUNTS)
  const onRefresh = (credential: OAuthCredential) => {
    const account = Number(credential.extra['account'])
    saved[account] = Number(credential.refreshToken?.split('-')[4])
  }
  const refresh = createRefresher({ fetch: createEndpoint('saved', generations), onRefresh })
  const before = heapInMegabytes()
  for (let time = 0; time < REFRESHES; time++)
    await forEachAccount(ACCOUNTS, (account) =>
      refresh(load('saved', account, saved[account] ?? 0)),
    )
  const name = `${ACCOUNTS} accounts, refreshed ${REFRESHES} times each, and saved`
  report(name, heapInMegabytes() - before)
}

async function oneAccount(): Promise<void> {
  const refresh = createRefresher({ fetch: createEndpoint('one', new Uint32Array(1)) })
  const environment = load('one', 0, 0)
  const rotate = async (times: number) => {
    for (let time = 0; time < times; time++) await refresh(environment)
  }
  await rotate(100)
  const before = heapInMegabytes()
  await rotate(ROTATIONS)
  report(`one account that was rotated ${ROTATIONS} times, unsaved`, heapInMegabytes() - before)
}

async function unsavedAccounts(): Promise<void> {
  const count = ACCOUNTS / 10
  const refresh: Refresher = createRefresher({
    fetch: createEndpoint('unsaved', new Uint32Array(count)),
  })
  const before = heapInMegabytes()
  for (let time = 0; time < 2; time++)
    await forEachAccount(count, (account) => refresh(load('unsaved', account, 0)))
  report(`${count} accounts that nobody saves`, heapInMegabytes() - before)
}

await oneAccount()
await savedAccounts()
await unsavedAccounts()
process.exitCode = reused === 0 ? 0 : 1
