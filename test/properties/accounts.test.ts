import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as tick } from 'node:timers/promises'
import fc from 'fast-check'
import { ConnectRequiredError, CredentialError, OAuthCredential } from 'mcp-credentials'
import type { CredentialSource, ResolvedCredential } from 'mcp-credentials'
import { createAccounts } from 'mcp-credentials/accounts'
import type { Accounts, AccountStore } from 'mcp-credentials/accounts'
import { memoryStore, ownerOf } from '../account-store.ts'
import { randomNumbers } from '../interleaving.ts'
import { checkNoLeak, holdsLater } from './check.ts'
import { Grant, TokenServer } from './token-server.ts'
import type { Answer } from './token-server.ts'

const OWNERS = ['alice', 'bob'] as const
const PROCESSES = 3
const SECOND = 1000
const tokenUri = 'https://auth.example/token'
const KEYS = ['A', 'B', 'C'].map((letter) => letter.repeat(42) + 'A')

/** What the row of an owner must hold. */
interface Account {
  grant: Grant | undefined
  /** The access token that was saved last, and when it expires. */
  token: { readonly accessToken: string; readonly expiresAt: number | undefined } | undefined
  isRefused: boolean
  /** All that it has ever been connected to. */
  readonly grants: Set<Grant>
  readonly spent: string[]
  /** Of each process, until when it must not ask, and from when it has to. */
  readonly pauses: Map<number, { readonly not: number; readonly must: number }>
  /** Which process may have left a lease, and until when others wait for it. */
  lease: { readonly by: number; readonly until: number }
}

interface Clock {
  time: number
  /** How fast it goes while somebody waits: not at all, where others are at work meanwhile. */
  pace: 0 | 1
}

type Failure = 'load' | 'before' | 'after' | undefined

/** A process; once it has `onLost`, what it sends is lost, and that is told. */
interface Life {
  readonly accounts: Accounts
  onLost?: () => void
}

class World {
  readonly clock: Clock
  readonly server = new TokenServer()
  readonly memory = memoryStore()
  readonly accounts = new Map<string, Account>()
  /** What a process is started with: each has all keys, but they seal with different ones. */
  keys: readonly string[] = KEYS
  random: () => number = () => 0
  failures: Failure[] = []
  readonly lives: Life[] = []

  constructor(clock: Clock) {
    this.clock = clock
    for (let index = 0; index < PROCESSES; index++) this.restart(index)
    for (const owner of OWNERS)
      this.accounts.set(owner, {
        grant: undefined,
        token: undefined,
        isRefused: false,
        grants: new Set(),
        spent: [],
        pauses: new Map(),
        lease: { by: -1, until: 0 },
      })
    this.server.pause = () => this.#wait()
  }

  /** Has both owners connected, with tokens that have to be refreshed. */
  async begin(): Promise<this> {
    for (const owner of OWNERS) {
      const [grant, credential] = this.grant(30, true)
      await this.process(0).save(owner, credential)
      connected(this.account(owner), grant, credential)
    }
    return this
  }

  restart(index: number): void {
    const fetch: typeof globalThis.fetch = (url, init) => {
      if (life.onLost === undefined) return this.server.fetch(url, init)
      life.onLost()
      return new Promise(() => undefined)
    }
    const options = { store: this.#store(), keys: this.keys, refresh: { fetch } }
    const life: Life = { accounts: createAccounts('github', options) }
    this.lives[index] = life
    for (const account of this.accounts.values()) {
      account.pauses.delete(index)
      // It has another name now.
      if (account.lease.by === index) account.lease = { ...account.lease, by: -1 }
    }
  }

  async #wait(): Promise<void> {
    for (let ticks = Math.floor(this.random() * 4); ticks > 0; ticks--) await tick()
  }

  /** The store that all processes share, as it is reached over a network. */
  #store(): AccountStore {
    return {
      load: async (...row) => {
        await this.#wait()
        this.#fail('load')
        const text = await this.memory.load(...row)
        await this.#wait()
        return text
      },
      swap: async (...row) => {
        await this.#wait()
        this.#fail('before')
        const isDone = await this.memory.swap(...row)
        await this.#wait()
        this.#fail('after')
        return isDone
      },
    }
  }

  #fail(where: Failure): void {
    if (this.failures[0] !== where) return
    this.failures.shift()
    throw new Error('The connection was lost.')
  }

  account(owner: string): Account {
    const account = this.accounts.get(owner)
    assert(account)
    return account
  }

  life(index: number): Life {
    const life = this.lives[index]
    assert(life)
    return life
  }

  process(index: number): Accounts {
    return this.life(index).accounts
  }

  /** A new grant, and its credential. */
  grant(seconds: number | null, isRefreshable: boolean): [Grant, OAuthCredential] {
    const grant = new Grant()
    this.server.grants.push(grant)
    const { accessToken, expiresAt } = grant.issue(seconds)
    const client = { refreshToken: grant.refreshToken, clientId: grant.clientId, tokenUri }
    const credential = new OAuthCredential({
      accessToken,
      expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt),
      ...(isRefreshable && client),
    })
    if (!isRefreshable) grant.isRevoked = true
    return [grant, credential]
  }

  /** What every answer has taught, and that nothing was sent that must not be. */
  learn(process: number | undefined): void {
    for (const { grant, answer, token } of this.server.events.splice(0)) {
      const account = [...this.accounts.values()].find((one) => one.grants.has(grant))
      assert(account)
      if (token !== undefined && account.grant === grant) account.token = token
      if (answer.kind === 'refused' && account.grant === grant) account.isRefused = true
      // What was refused for good needs no pause: it is not asked for again.
      if (process === undefined || answer.kind === 'refused') continue
      const asked = answer.kind === 'busy' ? answer.retryAfter : undefined
      const least = (asked ?? 1) * SECOND
      const now = Date.now()
      if (answer.kind === 'token') account.pauses.delete(process)
      else account.pauses.set(process, { not: now + least, must: now + Math.max(least, 60_000) })
    }
    for (const grant of this.server.grants) assert.deepEqual(grant.misuses, [])
    for (const text of this.memory.rows.values()) assert(!text.includes('FAKE-access-'))
  }
}

const connected = (account: Account, grant: Grant, credential: OAuthCredential): void => {
  account.grant = grant
  account.grants.add(grant)
  account.isRefused = false
  const expiresAt = credential.expiresAt?.getTime()
  account.token = { accessToken: credential.accessToken, expiresAt }
}

type Result = { readonly credential: ResolvedCredential | undefined } | { readonly error: unknown }

const settle = (promise: Promise<ResolvedCredential | undefined>): Promise<Result> =>
  promise.then(
    (credential) => ({ credential }),
    (error: unknown) => ({ error }),
  )

const sourceOf = (accounts: Accounts): CredentialSource =>
  accounts.source({ owner: ownerOf, connect: 'https://mcp.example.com/connect' })

/** What a tool call gets; `undefined` where it is asked to connect the account. */
async function call(accounts: Accounts, owner: string): Promise<ResolvedCredential | undefined> {
  try {
    return await sourceOf(accounts)({ headers: undefined, authInfo: { sub: owner } })
  } catch (error) {
    if (!(error instanceof ConnectRequiredError)) throw error
    assert.equal(typeof (await error.isConnected?.()), 'boolean')
    return undefined
  }
}

function checkResult({ grants }: Account, result: Result): void {
  if ('error' in result) {
    const { error } = result
    assert(error instanceof CredentialError, String(error))
    assert(['ERR_CREDENTIAL_REFRESH', 'ERR_CREDENTIAL_UNAVAILABLE'].includes(error.code))
    const secrets = [...grants].flatMap((grant) => [grant.refreshToken, ...grant.issued.keys()])
    checkNoLeak(error, secrets)
    return
  }
  const token = result.credential?.accessToken
  const isOwn = [...grants].some(({ issued }) => issued.has(String(token)))
  assert(token === undefined || isOwn, "another's credential")
}

abstract class Command implements fc.AsyncCommand<World, World> {
  check(): boolean {
    return true
  }
  abstract run(model: World, world: World): Promise<void>
  abstract toString(): string
}

/** Connects an account by a ticket, or saves it; nobody else can use the ticket, and nobody twice. */
class Connect extends Command {
  readonly who: number
  readonly process: number
  readonly seconds: number | null
  readonly isRefreshable: boolean
  readonly hasTicket: boolean

  constructor(given: readonly [number, number, number | null, boolean, boolean]) {
    super()
    ;[this.who, this.process, this.seconds, this.isRefreshable, this.hasTicket] = given
  }

  async run(_: World, world: World): Promise<void> {
    const owner = OWNERS[this.who] ?? 'alice'
    const accounts = world.process(this.process)
    const account = world.account(owner)
    const [grant, credential] = world.grant(this.seconds, this.isRefreshable)
    account.grants.add(grant)
    if (this.hasTicket) {
      const ticket = await accounts.connect(owner, ['repo'])
      const other = OWNERS[1 - this.who] ?? 'bob'
      const refused = { code: 'ERR_CREDENTIAL_UNTRUSTED' }
      for (const given of [ticket, ...account.spent].slice(-3)) {
        await assert.rejects(accounts.redeem(given, { owner: other, credential }), refused)
        if (given !== ticket)
          await assert.rejects(accounts.redeem(given, { owner, credential }), refused)
      }
      assert.deepEqual(await accounts.check(ticket, { owner }), { scopes: ['repo'] })
      await accounts.redeem(ticket, { owner, credential })
      account.spent.push(ticket)
    } else await accounts.save(owner, credential)
    connected(account, grant, credential)
    world.learn(undefined)
  }

  toString(): string {
    const { who, process, seconds, isRefreshable, hasTicket } = this
    return `connect(${JSON.stringify([who, process, seconds, isRefreshable, hasTicket])})`
  }
}

class Remove extends Command {
  readonly who: number
  readonly process: number

  constructor([who, process]: readonly [number, number]) {
    super()
    this.who = who
    this.process = process
  }

  async run(_: World, world: World): Promise<void> {
    const owner = OWNERS[this.who] ?? 'alice'
    const account = world.account(owner)
    const removed = await world.process(this.process).remove(owner)
    assert.equal(removed?.accessToken, account.grant && account.token?.accessToken)
    account.grant = undefined
    account.token = undefined
    account.isRefused = false
  }

  toString(): string {
    return `remove(${this.who}, ${this.process})`
  }
}

/** Asks for an account, while the store fails now and then. */
class Get extends Command {
  readonly who: number
  readonly process: number
  readonly isCall: boolean
  readonly failures: readonly Failure[]

  constructor([who, process, isCall, failures]: readonly [
    number,
    number,
    boolean,
    readonly Failure[],
  ]) {
    super()
    this.who = who
    this.process = process
    this.isCall = isCall
    this.failures = failures
  }

  async run(_: World, world: World): Promise<void> {
    await this.#ask(world, this.failures)
    // What could not be refreshed is in a pause now.
    await this.#ask(world, [])
  }

  async #ask(world: World, failures: readonly Failure[]): Promise<void> {
    const owner = OWNERS[this.who] ?? 'alice'
    const account = world.account(owner)
    const accounts = world.process(this.process)
    const { grant, token, isRefused, lease } = account
    const requests = grant?.requests ?? 0
    const pause = account.pauses.get(this.process)
    const now = Date.now()
    world.failures = [...failures]
    const result = await settle(this.isCall ? call(accounts, owner) : accounts.get(owner))
    const haveFailed = world.failures.length < failures.length
    world.failures = []
    world.learn(this.process)
    checkResult(account, result)
    const asked = (grant?.requests ?? 0) - requests
    const left = token?.expiresAt === undefined ? Infinity : token.expiresAt - now
    // A grant that can be refreshed has not been given up.
    const isRefreshable = grant !== undefined && !grant.isRevoked
    const isDue = grant !== undefined && !isRefused && left <= 60 * SECOND && isRefreshable
    if (asked > 0) assert(isDue || account.isRefused, 'It asked without a need.')
    if (pause !== undefined && now < pause.not) assert.equal(asked, 0, 'It asked in a pause.')
    if (haveFailed) {
      account.lease = { by: this.process, until: now + 15 * SECOND }
      return
    }
    const isLeased = lease.by !== this.process && now < lease.until
    if (isLeased) return
    const mustAsk = isDue && (pause === undefined || now >= pause.must)
    if (mustAsk) assert.equal(asked, 1, 'Nobody has asked.')
    const found = 'credential' in result ? result.credential?.accessToken : 'error'
    assert.equal(found, this.#expected(account, asked, left))
  }

  #expected(account: Account, asked: number, left: number): string | undefined {
    const { grant, token, isRefused } = account
    if (grant === undefined || isRefused) return undefined
    const isNew = asked === 1 && token?.accessToken === [...grant.issued.keys()].at(-1)
    if (isNew && grant.issued.size > 1 && this.#isAnswered(grant, asked)) return token?.accessToken
    if (grant.isRevoked) return left > 0 ? token?.accessToken : undefined
    if (left > 60 * SECOND) return token?.accessToken
    // One that has less than a second left may not get to its destination.
    return left > SECOND ? token?.accessToken : 'error'
  }

  #isAnswered({ last }: Grant, asked: number): boolean {
    return asked === 1 && last === 'token'
  }

  toString(): string {
    return `get(${JSON.stringify([this.who, this.process, this.isCall, this.failures])})`
  }
}

class Advance extends Command {
  readonly seconds: number

  constructor(seconds: number) {
    super()
    this.seconds = seconds
  }

  async run(_: World, { clock }: World): Promise<void> {
    clock.time += this.seconds * SECOND
  }

  toString(): string {
    return `advance(${this.seconds})`
  }
}

class Answers extends Command {
  readonly answers: readonly Answer[]

  constructor(answers: readonly Answer[]) {
    super()
    this.answers = answers
  }

  async run(_: World, { server }: World): Promise<void> {
    server.answers = [...this.answers]
  }

  toString(): string {
    return `answers(${JSON.stringify(this.answers)})`
  }
}

/** A process ends, perhaps in the middle of a request that gets lost, and is started anew, perhaps with other keys. */
class Restart extends Command {
  readonly process: number
  readonly who: number | undefined
  readonly keys: number

  constructor([process, who, keys]: readonly [number, number | undefined, number]) {
    super()
    this.process = process
    this.who = who
    this.keys = keys
  }

  async run(_: World, world: World): Promise<void> {
    if (this.who !== undefined) {
      const owner = OWNERS[this.who] ?? 'alice'
      const life = world.life(this.process)
      const isLost = new Promise<void>((resolve) => {
        life.onLost = resolve
      })
      await Promise.race([isLost, settle(life.accounts.get(owner))])
      // Until then others do not know that it is gone.
      world.clock.time += 16 * SECOND
    }
    // Each opens what any other one has sealed.
    const first = KEYS[this.keys % KEYS.length] ?? ''
    world.keys = [first, ...KEYS.filter((key) => key !== first)]
    for (let index = 0; index < PROCESSES; index++) if (index === this.process) world.restart(index)
  }

  toString(): string {
    return `restart(${JSON.stringify([this.process, this.who, this.keys])})`
  }
}

type Deed = readonly [kind: 'get' | 'call' | 'save' | 'remove', process: number, who: number]

/** What several processes do at a time. */
class Together extends Command {
  readonly deeds: readonly Deed[]
  readonly seed: number

  constructor([deeds, seed]: readonly [readonly Deed[], number]) {
    super()
    this.deeds = deeds
    this.seed = seed
  }

  async run(_: World, world: World): Promise<void> {
    world.random = randomNumbers(this.seed)
    world.clock.pace = 0
    // So that there is something to refresh.
    world.clock.time += 3601 * SECOND
    const before = new Map(OWNERS.map((owner) => [owner, world.account(owner).grant]))
    const writers = new Map<string, (Grant | undefined)[]>(OWNERS.map((owner) => [owner, []]))
    const done = this.deeds.map(async ([kind, process, who]) => {
      const owner = OWNERS[who] ?? 'alice'
      const accounts = world.process(process)
      const account = world.account(owner)
      if (kind === 'get' || kind === 'call')
        return checkResult(
          account,
          await settle(kind === 'get' ? accounts.get(owner) : call(accounts, owner)),
        )
      if (kind === 'remove') {
        writers.get(owner)?.push(undefined)
        await accounts.remove(owner)
        return
      }
      const [grant, credential] = world.grant(30, true)
      account.grants.add(grant)
      writers.get(owner)?.push(grant)
      await accounts.save(owner, credential)
    })
    await Promise.all(done)
    world.random = () => 0
    world.clock.pace = 1
    world.learn(undefined)
    for (const owner of OWNERS) {
      const written = writers.get(owner) ?? []
      const possible = written.length > 0 ? written : [before.get(owner)]
      await this.#settle(world, owner, possible)
    }
  }

  /** Whoever asks now gets the same, and it is what somebody has written. */
  async #settle(
    world: World,
    owner: string,
    possible: readonly (Grant | undefined)[],
  ): Promise<void> {
    const account = world.account(owner)
    world.server.answers = []
    world.clock.time += 3601 * SECOND
    account.pauses.clear()
    const found = await world.process(0).get(owner)
    const grant = [...account.grants].find(({ issued }) => issued.has(String(found?.accessToken)))
    account.grant = grant
    const isGone = found === undefined
    const isPossible = isGone
      ? possible.some((one) => one === undefined || one.isRevoked)
      : possible.includes(grant)
    assert(isPossible, 'What was written last is lost.')
    account.isRefused = isGone && possible.some((one) => one?.isRevoked)
    account.token = found && {
      accessToken: String(found.accessToken),
      expiresAt: found.expiresAt?.getTime(),
    }
    // A row that was refused holds a credential, which may be removed.
    if (account.isRefused) await world.process(0).remove(owner)
    account.isRefused = false
    world.learn(undefined)
    for (const { accounts } of world.lives)
      assert.equal((await accounts.get(owner))?.accessToken, found?.accessToken)
  }

  toString(): string {
    return `together(${JSON.stringify(this.deeds)}, ${this.seed})`
  }
}

const process = fc.nat(PROCESSES - 1)
const who = fc.nat(OWNERS.length - 1)
const lifetime = fc.constantFrom(0, 30, 30, 90, 3600, null)
const answer: fc.Arbitrary<Answer> = fc.oneof(
  fc.record({ kind: fc.constant('token'), rotates: fc.boolean(), seconds: lifetime }),
  fc.record({
    kind: fc.constant('busy'),
    status: fc.constantFrom(429, 500),
    retryAfter: fc.constantFrom(undefined, 5, 120),
  }),
  fc.record({ kind: fc.constantFrom('unusable', 'rejected', 'malformed', 'unreachable') }),
  fc.record({ kind: fc.constant('refused') }),
)
const get = (failures: readonly Failure[]) =>
  fc
    .tuple(
      who,
      process,
      fc.boolean(),
      fc.subarray([...failures], { maxLength: Math.min(2, failures.length) }),
    )
    .map((given) => new Get(given))
const deed = fc.tuple(
  fc.constantFrom('get', 'get', 'call', 'save', 'remove') satisfies fc.Arbitrary<Deed[0]>,
  process,
  who,
)
const commandsOf: readonly fc.Arbitrary<Command>[] = [
  fc.tuple(who, process, lifetime, fc.boolean(), fc.boolean()).map((given) => new Connect(given)),
  fc.tuple(who, process).map((given) => new Remove(given)),
  get([]),
  get([]),
  get(['load', 'before', 'after']),
  fc.constantFrom(1, 29, 61, 3601, 3601).map((seconds) => new Advance(seconds)),
  fc.array(answer, { minLength: 1, maxLength: 3 }).map((answers) => new Answers(answers)),
  fc
    .tuple(process, fc.option(who, { nil: undefined }), fc.nat(2))
    .map((given) => new Restart(given)),
  fc
    .tuple(fc.array(deed, { minLength: 2, maxLength: 6 }), fc.nat(1000))
    .map((given) => new Together(given)),
]

/** Timers that wait for nothing, but let others go first. */
async function withoutTimers(run: (clock: Clock) => Promise<void>): Promise<void> {
  const { now } = Date
  const { setTimeout } = globalThis
  const clock: Clock = { time: now(), pace: 1 }
  const timer = { unref: () => undefined }
  Date.now = () => clock.time
  const immediately = (fn: () => void, milliseconds: number) => {
    // Limits of time do not come: every answer does.
    if (milliseconds >= 5000) return timer
    clock.time += milliseconds * clock.pace
    setImmediate(fn)
    return timer
  }
  globalThis.setTimeout = immediately as unknown as typeof setTimeout
  try {
    await run(clock)
  } finally {
    Date.now = now
    globalThis.setTimeout = setTimeout
  }
}

describe('accounts in a store that several processes share', () => {
  test('are what was written last, fresh, and nobody else’s, in whatever order things happen', async () => {
    let requests = 0
    const commands = fc.commands([...commandsOf], { size: '+1', maxCommands: 25 })
    await withoutTimers((clock) =>
      holdsLater(
        fc.asyncProperty(commands, async (given) => {
          const world = new World(clock)
          await fc.asyncModelRun(async () => ({ model: await world.begin(), real: world }), given)
          for (const grant of world.server.grants) requests += grant.requests
        }),
        200,
      ),
    )
    assert(requests > 100, String(requests))
  })
})
