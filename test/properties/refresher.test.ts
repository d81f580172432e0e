import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { OAuthCredential } from 'mcp-credentials'
import type { RefreshGrant, Refresher } from 'mcp-credentials'
import { createRefresher, CredentialRefreshError } from 'mcp-credentials/oauth'
import { checkNoLeak, holdsLater } from './check.ts'
import { Grant, TokenServer } from './token-server.ts'
import type { Answer, Token } from './token-server.ts'

const tokenUri = 'https://auth.example/token'
const SECOND = 1000
const LEEWAY = 60
const HOUR = 3600

type Given = OAuthCredential | RefreshGrant

/** What a correct refresher knows of an account, and what its callers hold. */
class Account {
  readonly grant = new Grant()
  readonly holders: Given[] = []
  /** Whether it has been asked to refresh it before. */
  isKnown = false
  /** The token of the last answer. */
  current: Token | undefined
  /** What callers were refused with. */
  readonly rejected = new Set<string>()
  /** Of the last failure: when it was, how long nobody may ask again, and when somebody has to. */
  failure: { readonly at: number; readonly atLeast: number; readonly atMost: number } | undefined
  /** A clock that is set back may end a pause, or have one go on. */
  isClockSetBack = false
  /** Since when a second successor by force may be refused. */
  forcedAt = -Infinity
  hasUnsaved = false

  constructor(seconds: number | null | undefined, extra: string) {
    const { clientId, refreshToken } = this.grant
    const properties = { refreshToken, clientId, tokenUri, extra: { account: extra } }
    if (seconds === undefined) this.holders.push(Object.freeze(properties))
    else this.holders.push(credentialOf(this.grant.issue(seconds), properties))
  }

  /** Whether somebody was refused with what could be served. */
  isInDoubt(given: Given): boolean {
    const tokens = [tokenOf(given), this.current]
    return tokens.some((token) => token !== undefined && this.rejected.has(token.accessToken))
  }

  /** The initial one, and the newest ones: older ones may have been forgotten. */
  holder(pick: number): Given {
    const held = [...this.holders.slice(0, 1), ...this.holders.slice(1).slice(-6)]
    const given = held[pick % held.length]
    assert(given)
    return given
  }
}

const credentialOf = (token: Token, more: Omit<RefreshGrant, 'scopes'>): OAuthCredential =>
  new OAuthCredential({
    ...more,
    accessToken: token.accessToken,
    expiresAt: token.expiresAt === undefined ? undefined : new Date(token.expiresAt),
  })

const tokenOf = (given: Given): Token | undefined =>
  given instanceof OAuthCredential
    ? { accessToken: given.accessToken, expiresAt: given.expiresAt?.getTime() }
    : undefined

/** Whether it outlasts so many seconds. */
const outlasts = (token: Token | undefined, seconds: number): token is Token =>
  token !== undefined &&
  (token.expiresAt === undefined || token.expiresAt > Date.now() + seconds * SECOND)

/** Which token a caller is best served with. */
function best(given: Given, { current }: Account, rejected: string | undefined): Token | undefined {
  const offered = tokenOf(given)
  const usable = [offered, current?.expiresAt === undefined ? undefined : current].filter(
    (token) => token !== undefined && token.accessToken !== rejected,
  )
  const [one, other] = usable
  if (one === undefined || other === undefined) return one
  return Number(one.expiresAt) >= Number(other.expiresAt) ? one : other
}

interface Model {
  readonly accounts: Account[]
}

class Real {
  readonly server = new TokenServer()
  readonly refresh: Refresher
  readonly saved = new Map<string, OAuthCredential>()
  failingSaves = 0

  constructor() {
    const { fetch } = this.server
    this.refresh = createRefresher({ fetch, onRefresh: (credential) => this.#save(credential) })
  }

  #save(credential: OAuthCredential): void {
    if (this.failingSaves > 0) {
      this.failingSaves -= 1
      throw new Error('The database is down.')
    }
    this.saved.set(String(credential.clientId), credential)
  }
}

/** What an answer teaches. */
function learn(account: Account, answer: Answer, token: Token | undefined): void {
  const at = Date.now()
  const { kind } = answer
  if (token !== undefined) account.current = token
  if (kind === 'token' || kind === 'unusable') account.hasUnsaved = true
  if (kind === 'token') {
    account.failure = undefined
    return
  }
  if (kind === 'refused') {
    account.failure = { at, atLeast: Infinity, atMost: Infinity }
    account.hasUnsaved = false
    return
  }
  const asked = answer.kind === 'busy' ? answer.retryAfter : undefined
  const atLeast = (asked ?? 1) * SECOND
  account.failure = { at, atLeast, atMost: Math.max(atLeast, 60 * SECOND) }
}

/** After a save that failed there may be a pause, too. */
function learnOfSave(account: Account): void {
  if (duty(account) === 'must')
    account.failure = { at: Date.now(), atLeast: 0, atMost: 60 * SECOND }
}

type Duty = 'must not' | 'may' | 'must'

/** Whether somebody has to ask the token endpoint. */
function duty({ failure, isClockSetBack }: Account): Duty {
  if (failure?.atLeast === Infinity) return 'must not'
  if (isClockSetBack) return 'may'
  if (failure === undefined) return 'must'
  const since = Date.now() - failure.at
  if (since < failure.atLeast) return 'must not'
  return since > failure.atMost ? 'must' : 'may'
}

type Outcome = { readonly credential: OAuthCredential } | { readonly error: unknown }

const settle = (promise: Promise<OAuthCredential>): Promise<Outcome> =>
  promise.then(
    (credential) => ({ credential }),
    (error: unknown) => ({ error }),
  )

/** `refreshTokens` are those that there have been since the call began. */
function checkOutcome(
  account: Account,
  given: Given,
  outcome: Outcome,
  refreshTokens: readonly string[],
): void {
  const { grant } = account
  assert.deepEqual(grant.misuses, [])
  if ('error' in outcome) {
    const { error } = outcome
    const isOurs = error instanceof CredentialRefreshError
    assert(isOurs || String(error).includes('database'), String(error))
    checkNoLeak(error, [grant.refreshToken, ...grant.replaced, ...grant.issued.keys()])
    return
  }
  const { credential } = outcome
  // Nobody gets another's, and each gets what it gave besides.
  assert(grant.issued.has(credential.accessToken))
  assert.deepEqual({ ...credential.extra }, { ...given.extra })
  assert.equal(credential.clientId, grant.clientId)
  if (credential !== given) {
    assert(refreshTokens.includes(String(credential.refreshToken)))
    account.holders.push(credential)
  }
}

class Call implements fc.AsyncCommand<Model, Real> {
  readonly who: number
  readonly pick: number
  readonly force: boolean

  constructor(who: number, pick: number, force: boolean) {
    this.who = who
    this.pick = pick
    this.force = force
  }

  check(): boolean {
    return true
  }

  async run({ accounts }: Model, real: Real): Promise<void> {
    const account = accounts[this.who % accounts.length]
    assert(account)
    const given = account.holder(this.pick)
    const wasKnown = account.isKnown
    const { requests } = account.grant
    const rejected = this.#reject(account, given)
    const newest = best(given, account, rejected)
    const served = outlasts(newest, LEEWAY) ? newest : undefined
    // By force there is one successor in a while; and what somebody was refused with is served, or not.
    const isForcedLately = Date.now() - account.forcedAt < 60 * SECOND
    const isOpen = this.force ? isForcedLately : account.isInDoubt(given)
    const [obligation, saves] = [duty(account), real.failingSaves]
    const outcome = await settle(real.refresh(given, { force: this.force }))
    for (const { answer, token } of real.server.events.splice(0)) {
      learn(account, answer, token)
      if (answer.kind === 'token' && this.force) account.forcedAt = Date.now()
    }
    const hasSaveFailed = real.failingSaves < saves
    if (hasSaveFailed) learnOfSave(account)
    const asked = account.grant.requests - requests
    checkOutcome(account, given, outcome, [account.grant.refreshToken])
    assert(asked <= 1)
    if (obligation === 'must not') assert.equal(asked, 0, 'It asked in a pause.')
    const found = 'credential' in outcome ? outcome.credential.accessToken : undefined
    account.isKnown ||= this.force || !outlasts(tokenOf(given), LEEWAY)
    if (!wasKnown && !account.isKnown) {
      assert('credential' in outcome && outcome.credential === given)
      assert.equal(asked, 0)
    } else if (!isOpen && served !== undefined && !hasSaveFailed) {
      assert.equal(asked, 0, 'There was a fresh token.')
      assert.equal(found, served.accessToken)
    } else if (!isOpen) {
      if (obligation === 'must' && !hasSaveFailed) assert.equal(asked, 1, 'Nobody has asked.')
      this.#checkServed(account, best(given, account, rejected), asked, found)
    }
    this.#checkSaved(account, real)
  }

  #reject(account: Account, given: Given): string | undefined {
    if (!this.force) return undefined
    const rejected = tokenOf(given)?.accessToken ?? account.current?.accessToken
    if (rejected !== undefined) account.rejected.add(rejected)
    return rejected
  }

  #checkServed(
    account: Account,
    valid: Token | undefined,
    asked: number,
    found: string | undefined,
  ): void {
    // What has just been answered is good for those who have waited for it, however soon it expires.
    const isAnswer = asked === 1 && found !== undefined && found === account.current?.accessToken
    if (!isAnswer) assert.equal(found, outlasts(valid, 0) ? valid.accessToken : undefined)
  }

  #checkSaved(account: Account, { saved, failingSaves }: Real): void {
    if (!account.hasUnsaved || failingSaves > 0 || duty(account) !== 'must') return
    const row = saved.get(account.grant.clientId)
    // A grant without an access token waits for one.
    if (row === undefined && account.current === undefined) return
    assert.equal(row?.refreshToken, account.grant.refreshToken)
  }

  toString(): string {
    return `call(${this.who}, ${this.pick}${this.force ? ', force' : ''})`
  }
}

/** Several calls at once, of all accounts. */
class Calls implements fc.AsyncCommand<Model, Real> {
  readonly calls: readonly (readonly [who: number, pick: number, force: boolean])[]

  constructor(calls: readonly (readonly [who: number, pick: number, force: boolean])[]) {
    this.calls = calls
  }

  check(): boolean {
    return true
  }

  async run({ accounts }: Model, real: Real): Promise<void> {
    const saves = real.failingSaves
    const started = this.calls.map(([who, pick, force]) => {
      const account = accounts[who % accounts.length]
      assert(account)
      const given = account.holder(pick)
      account.isKnown ||= force || !outlasts(tokenOf(given), LEEWAY)
      if (force) account.forcedAt = Date.now()
      return { account, given, force, outcome: settle(real.refresh(given, { force })) }
    })
    const settled = await Promise.all(
      started.map(async (call) => ({ ...call, outcome: await call.outcome })),
    )
    for (const { grant, answer, token } of real.server.events.splice(0)) {
      const account = accounts.find((one) => one.grant === grant)
      assert(account)
      learn(account, answer, token)
    }
    for (const { account, given, force, outcome } of settled) {
      // It may have come in after an answer to the others.
      if (force) for (const token of account.grant.issued.keys()) account.rejected.add(token)
      if (real.failingSaves < saves) learnOfSave(account)
      const refreshTokens = [account.grant.refreshToken, ...account.grant.replaced]
      checkOutcome(account, given, outcome, refreshTokens)
    }
  }

  toString(): string {
    return `calls(${JSON.stringify(this.calls)})`
  }
}

class Advance implements fc.AsyncCommand<Model, Real> {
  readonly seconds: number
  readonly clock: { time: number }

  constructor(seconds: number, clock: { time: number }) {
    this.seconds = seconds
    this.clock = clock
  }

  check(): boolean {
    return true
  }

  async run({ accounts }: Model): Promise<void> {
    this.clock.time += this.seconds * SECOND
    if (this.seconds < 0) for (const account of accounts) account.isClockSetBack = true
    // After so long all pauses are over.
    if (this.seconds > HOUR) for (const account of accounts) account.isClockSetBack = false
  }

  toString(): string {
    return `advance(${this.seconds})`
  }
}

class Answers implements fc.AsyncCommand<Model, Real> {
  readonly answers: readonly Answer[]
  readonly failingSaves: number

  constructor(answers: readonly Answer[], failingSaves: number) {
    this.answers = answers
    this.failingSaves = failingSaves
  }

  check(): boolean {
    return true
  }

  async run(_: Model, real: Real): Promise<void> {
    real.server.answers = [...this.answers]
    real.failingSaves = this.failingSaves
  }

  toString(): string {
    return `answers(${JSON.stringify(this.answers)}, ${this.failingSaves})`
  }
}

const lifetime = fc.constantFrom(0, 30, 90, 600, 3600, null)
const answer: fc.Arbitrary<Answer> = fc.oneof(
  fc.record({ kind: fc.constant('token'), rotates: fc.boolean(), seconds: lifetime }),
  fc.record({
    kind: fc.constant('busy'),
    status: fc.constantFrom(429, 500, 503),
    retryAfter: fc.constantFrom(undefined, 5, 120),
  }),
  fc.record({ kind: fc.constantFrom('unusable', 'rejected', 'malformed', 'unreachable') }),
  fc.record({ kind: fc.constant('refused') }),
)
const call = fc.tuple(fc.nat(1), fc.nat(6), fc.boolean())

const commandsOn = (clock: { time: number }) =>
  fc.commands(
    [
      call.map(([who, pick, force]) => new Call(who, pick, force)),
      call.map(([who, pick]) => new Call(who, pick, false)),
      fc.array(call, { minLength: 2, maxLength: 5 }).map((calls) => new Calls(calls)),
      fc.constantFrom(1, 5, 59, 61, 600, 3601, -30).map((seconds) => new Advance(seconds, clock)),
      fc
        .tuple(fc.array(answer, { maxLength: 3 }), fc.constantFrom(0, 0, 1))
        .map(([answers, saves]) => new Answers(answers, saves)),
    ],
    { size: '+1', maxCommands: 40 },
  )

describe('a refresher', () => {
  test('does what a correct one does, in whatever order callers, answers and clocks come', async () => {
    const { now } = Date
    const clock = { time: now() }
    Date.now = () => clock.time
    let requests = 0
    const initial = fc.constantFrom(-10, 30, 3600, null, undefined)
    try {
      await holdsLater(
        fc.asyncProperty(commandsOn(clock), initial, initial, async (commands, one, other) => {
          const real = new Real()
          await fc.asyncModelRun(() => {
            const accounts = [new Account(one, 'one'), new Account(other, 'other')]
            real.server.grants.push(...accounts.map(({ grant }) => grant))
            return { model: { accounts }, real }
          }, commands)
          for (const { requests: count } of real.server.grants) requests += count
        }),
        400,
      )
    } finally {
      Date.now = now
    }
    assert(requests > 400, String(requests))
  })
})
