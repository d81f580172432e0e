// Many accounts, many calls at a time, and everything that can go wrong, against a real authorization server that rotates
// refresh tokens and revokes all of a grant when one is used twice. What each request held, and what became of it, is kept.
import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { OAuthCredential } from 'mcp-credentials'
import { createRefresher, CredentialRefreshError } from 'mcp-credentials/oauth'
import type { Refresher } from 'mcp-credentials'
import { startAuthorizationServer } from './authorization-server.js'
import type { AuthorizationServer } from './authorization-server.js'
import { listen } from './wirings.js'

const LIFETIME = 120
const HOUR = 3600

/** The same numbers each time. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** A clock that stands still but for its jumps. */
class Clock {
  readonly #now = Date.now
  #time = Date.now()
  /** How often it was set back. */
  setbacks = 0

  constructor() {
    Date.now = () => this.#time
  }

  jump(seconds: number): void {
    this.#time += Math.round(seconds * 1000)
    if (seconds < 0) this.setbacks += 1
  }

  stop(): void {
    Date.now = this.#now
  }
}

type Instead = (response: ServerResponse) => unknown

const retryAfter = (value: string): Instead => {
  return (response) => response.writeHead(429, { 'retry-after': value }).end()
}

/** Answers that are given without asking the authorization server, and for how many seconds nobody may ask again. */
const INSTEAD = new Map<string, readonly [Instead, seconds: number]>([
  ['503', [(response) => response.writeHead(503).end(), 1]],
  ['429', [(response) => response.writeHead(429).end(), 1]],
  ['429 for 30 seconds', [retryAfter('30'), 30]],
  ['429 for nonsense', [retryAfter('soon'), 1]],
  ['429 for a year', [retryAfter('31536000'), HOUR]],
  [
    '429 until a date',
    [(response) => retryAfter(new Date(Date.now() + 20_000).toUTCString())(response), 19],
  ],
  ['a redirect', [(response) => response.writeHead(307, { location: '/elsewhere' }).end(), 1]],
  ['an error page', [(response) => response.writeHead(200).end('<html>FAKE</html>'), 1]],
  ['an endless body', [pour, 1]],
  ['a reset', [(response) => response.socket?.resetAndDestroy(), 1]],
])

/** Those that are given up. */
const HANGING = new Map<string, Instead>([
  ['no answer', () => {}],
  ['a body without an end', (response) => response.writeHead(200).write('{')],
])

function pour(response: ServerResponse): void {
  const write = () => {
    while (response.write('x'.repeat(16_384)));
  }
  response.on('drain', write)
  write()
}

/** What is done to an answer so that it cannot be used, though it holds a new refresh token. */
const SPOILT = new Map<string, object>([
  ['another token type', { token_type: 'DPoP' }],
  ['no access token', { access_token: null }],
  ['a lifetime that is none', { expires_in: ['120'] }],
  ['scopes in a list', { scope: ['openid'] }],
])

const FAULTS = [...INSTEAD.keys(), ...SPOILT.keys()]
const HANGING_FAULTS = [...HANGING.keys()]

interface Sent {
  readonly account: string
  readonly token: string
  readonly at: number
  readonly setbacks: number
  readonly fault: string | undefined
  isGranted: boolean
}

/** What stands between the refresher and the authorization server. */
class Saboteur {
  readonly sent: Sent[] = []
  /** Whose a refresh token is. */
  readonly accounts = new Map<string, string>()
  /** Until when an account's newest access token that has arrived is valid. */
  readonly validUntil = new Map<string, number>()
  readonly #server: AuthorizationServer
  readonly #clock: Clock
  fault: () => string | undefined = () => undefined

  constructor(server: AuthorizationServer, clock: Clock) {
    this.#server = server
    this.#clock = clock
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks).toString()
    const token = new URLSearchParams(body).get('refresh_token') ?? ''
    const account = this.accounts.get(token) ?? 'nobody'
    const fault = this.fault()
    const { setbacks } = this.#clock
    const entry: Sent = { account, token, at: Date.now(), setbacks, fault, isGranted: false }
    this.sent.push(entry)
    const instead = INSTEAD.get(fault ?? '')?.[0] ?? HANGING.get(fault ?? '')
    if (instead) return instead(response)
    const answer = await fetch(`${this.#server.origin}/token`, {
      method: 'POST',
      headers: {
        authorization: String(request.headers.authorization),
        'content-type': String(request.headers['content-type']),
      },
      body,
    })
    const json = (await answer.json()) as Record<string, unknown>
    entry.isGranted = answer.status === 200
    if (entry.isGranted) this.accounts.set(String(json['refresh_token']), account)
    if (fault === 'lost') return response.socket?.resetAndDestroy()
    const spoilt = SPOILT.get(fault ?? '')
    if (entry.isGranted && !spoilt) this.validUntil.set(account, entry.at + LIFETIME * 1000)
    response.writeHead(answer.status, { 'content-type': 'application/json' })
    return response.end(JSON.stringify({ ...json, ...spoilt }))
  }
}

interface World {
  readonly server: AuthorizationServer
  readonly clock: Clock
  readonly saboteur: Saboteur
  /** What each account's environment holds for ever. */
  readonly environment: Map<string, OAuthCredential>
}

async function withWorld(accounts: number, fn: (world: World) => Promise<void>): Promise<void> {
  const server = await startAuthorizationServer(LIFETIME)
  const clock = new Clock()
  const saboteur = new Saboteur(server, clock)
  const proxy = await listen((request, response) => void saboteur.handle(request, response))
  const environment = new Map<string, OAuthCredential>()
  for (let index = 0; index < accounts; index++) {
    const account = `account-${index}`
    const refreshToken = await server.refreshTokenFor('client_secret_basic', account)
    const more = { refreshToken, tokenUri: `${proxy.url.origin}/token`, extra: { account } }
    environment.set(account, await server.expiredFor('client_secret_basic', more))
    saboteur.accounts.set(refreshToken, account)
  }
  try {
    await fn({ server, clock, saboteur, environment })
  } finally {
    clock.stop()
    await proxy.close()
    await server.close()
  }
}

/** No refresh token is sent again once it was exchanged, unless the answer was lost. */
function usedTwice(sent: readonly Sent[]): Sent[] {
  return sent.filter((entry, index) => {
    const earlier = sent.slice(0, index).filter(({ token }) => token === entry.token)
    return earlier.some(({ isGranted, fault }) => isGranted && fault !== 'lost')
  })
}

/** Requests that were made in the pause after a failure, where the clock was not set back in between. */
function madeInAPause(sent: readonly Sent[]): Sent[] {
  return sent.filter((entry, index) => {
    const before = sent
      .slice(0, index)
      .filter(({ account }) => account === entry.account)
      .at(-1)
    if (before?.fault === undefined || before.setbacks !== entry.setbacks) return false
    const seconds = INSTEAD.get(before.fault)?.[1] ?? 1
    return entry.at - before.at < seconds * 1000
  })
}

class DiskIsFull extends Error {}

/** Where accounts are saved, unless that fails, hangs, or calls the refresher. */
class Store {
  readonly rows: Map<string, OAuthCredential>
  readonly #random: () => number
  readonly #hung: ((reason: Error) => void)[] = []
  #running = 0
  refresh: Refresher | undefined
  isReliable = false
  /** Whether what does not fail hangs. */
  isHanging = false
  counts = { saved: 0, failed: 0, slow: 0, nested: 0 }

  constructor(environment: Map<string, OAuthCredential>, random: () => number) {
    this.rows = new Map(environment)
    this.#random = random
  }

  /** Ends what hangs. */
  release(): void {
    for (const reject of this.#hung) reject(new DiskIsFull('the disk has gone'))
  }

  /** Until nothing is saved any more but what hangs. */
  async idle(): Promise<void> {
    for (let quiet = 0; quiet < 3; quiet++) {
      if (this.#running > 0) quiet = 0
      await sleep(2)
    }
  }

  async save(credential: OAuthCredential): Promise<void> {
    if (this.isHanging) return new Promise((_, reject) => this.#hung.push(reject))
    this.#running += 1
    try {
      await this.#save(credential)
    } finally {
      this.#running -= 1
    }
  }

  async #save(credential: OAuthCredential): Promise<void> {
    const chance = this.isReliable ? 1 : this.#random()
    if (chance < 0.1) {
      this.counts.failed += 1
      throw new DiskIsFull('the disk is full')
    }
    if (chance < 0.15) {
      this.counts.slow += 1
      await sleep(100)
    }
    this.counts.saved += 1
    this.rows.set(String(credential.extra['account']), credential)
    if (chance < 0.3) {
      this.counts.nested += 1
      await this.refresh?.(credential).catch(() => undefined)
      await this.refresh?.(credential, { force: true }).catch(() => undefined)
    }
  }
}

test('chaos: no refresh token is used twice, one request a pause, and nobody fails who could be served', async () => {
  await withWorld(6, async ({ server, clock, saboteur, environment }) => {
    const random = createRandom(16)
    const pick = <T>(items: readonly T[]): T | undefined =>
      items[Math.floor(random() * items.length)]
    const store = new Store(environment, random)
    const onRefresh = (credential: OAuthCredential) => store.save(credential)
    const options = { allowInsecureLoopback: true, onRefresh }
    const patient = createRefresher(options)
    // For the rounds in which nothing is answered, so that no answer comes too late.
    const impatient = createRefresher({ ...options, timeoutSeconds: 0.1 })
    let refresh = patient
    let turn = 0
    const outcomes = { served: 0, refused: 0, forced: 0 }

    async function call(account: string): Promise<void> {
      const [fromEnv, fromStore] = [environment.get(account), store.rows.get(account)]
      const given = random() < 0.5 ? fromEnv : fromStore
      const force = random() < 0.1
      assert(given)
      try {
        const credential = await refresh(given, { force })
        assert.equal(await server.ownerOf(credential), account)
        assert.equal(credential.extra['account'], account)
        assert(!credential.isExpired(0))
        outcomes.served += 1
      } catch (error) {
        const isKnown = error instanceof CredentialRefreshError || error instanceof DiskIsFull
        assert(isKnown, String(error))
        const couldBeServed = (saboteur.validUntil.get(account) ?? 0) > Date.now()
        // What was forced is not served with what it was refused with.
        assert(force || !couldBeServed, `${account} could have been served: ${error.message}`)
        if (force) outcomes.forced += 1
        else outcomes.refused += 1
      }
    }

    for (let round = 0; round < 96; round++) {
      const isHanging = round % 8 === 7
      const share = pick([0, 0.3, 0.8]) ?? 0
      const faults = isHanging ? HANGING_FAULTS : FAULTS
      const isFaulty = () => isHanging || random() < share
      // One after the other, so that each has its turn.
      saboteur.fault = () => (isFaulty() ? faults[turn++ % faults.length] : undefined)
      refresh = isHanging ? impatient : patient
      Object.assign(store, { isHanging, refresh })
      const calls: Promise<void>[] = []
      for (const account of environment.keys())
        for (let index = 0; index < 5; index++) calls.push(call(account))
      await Promise.all(calls)
      // What onRefresh has started goes on when the calls are over.
      await store.idle()
      clock.jump(pick([0, 0.5, 2, 30, 61, 90, 150, -20, -HOUR, HOUR, HOUR]) ?? 0)
    }

    saboteur.fault = () => undefined
    refresh = patient
    Object.assign(store, { isHanging: false, isReliable: true, refresh })
    store.release()
    await store.idle()
    clock.jump(24 * HOUR)
    for (const [account, given] of environment) {
      const credential = await refresh(given)
      assert.equal(await server.ownerOf(credential), account)
      assert.equal(store.rows.get(account)?.refreshToken, credential.refreshToken)
    }

    const { sent } = saboteur
    assert.deepEqual(usedTwice(sent), [])
    assert.deepEqual(madeInAPause(sent), [])
    assert.equal(server.seen.revoked, 0)
    assert.deepEqual(new Set(sent.map(({ account }) => account)), new Set(environment.keys()))
    // That there was chaos at all.
    const seen = new Set(sent.map(({ fault }) => fault))
    assert.deepEqual(
      [...FAULTS, ...HANGING_FAULTS].filter((fault) => !seen.has(fault)),
      [],
    )
    for (const count of [...Object.values(outcomes), ...Object.values(store.counts)])
      assert(count > 0, JSON.stringify({ outcomes, store: store.counts }))
  })
})

test('the control: who refreshes at each call is found out', async () => {
  await withWorld(1, async ({ server, saboteur, environment }) => {
    const [given] = environment.values()
    assert(given)
    const naive = () =>
      fetch(String(given.tokenUri), {
        method: 'POST',
        headers: {
          authorization: `Basic ${btoa([given.clientId, given.clientSecret].map((text) => encodeURIComponent(String(text))).join(':'))}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          refresh_token: String(given.refreshToken),
        }).toString(),
      })
    assert.equal((await naive()).status, 200)
    await naive()
    assert.equal(usedTwice(saboteur.sent).length, 1)
    assert.equal(server.seen.revoked, 1)
    const [first] = saboteur.sent
    assert(first)
    const failed = { ...first, fault: '503' }
    assert.deepEqual(madeInAPause([failed, first]), [first])
  })
})

test('an answer that is lost after rotation loses the account, which is said, and no more is sent', async () => {
  await withWorld(1, async ({ clock, saboteur, environment }) => {
    const [given] = environment.values()
    assert(given)
    const refresh = createRefresher({ allowInsecureLoopback: true })
    saboteur.fault = () => 'lost'
    await assert.rejects(refresh(given), /the token endpoint could not be reached\.$/)
    saboteur.fault = () => undefined
    for (let call = 0; call < 10; call++) {
      clock.jump(60)
      await assert.rejects(
        refresh(given),
        /\(invalid_grant\)\. The account must be connected again\.$/,
      )
    }
    assert.equal(saboteur.sent.length, 2)
  })
})

test('a slow answer is waited for, as long as the options allow', async () => {
  await withWorld(1, async ({ server, saboteur, environment }) => {
    server.intercept((next) => (request, response) => {
      void sleep(300).then(() => next(request, response))
    })
    const [given] = environment.values()
    assert(given)
    const credential = await createRefresher({ allowInsecureLoopback: true })(given)
    assert.equal(await server.ownerOf(credential), 'account-0')
    assert.equal(saboteur.sent.length, 1)
  })
})
