import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import fc from 'fast-check'
import { CredentialError, OAuthCredential, runWithCredentials } from 'mcp-credentials'
import { getCredentials, tryGetCredentials } from 'mcp-credentials'
import { holdsLater, runs } from './check.ts'

const NAMES = ['a', 'b', 'c', 'd'] as const
const credentials = NAMES.map((name) => new OAuthCredential({ accessToken: `FAKE-token-${name}` }))
const REFUSED = new CredentialError('ERR_CREDENTIAL_NOT_FOUND', 'Nothing is stored.')

/** What a task does, one step after the other. */
type Step =
  | { readonly kind: 'await' | 'timer' | 'microtask' | 'thenable' | 'caught' }
  | { readonly kind: 'scope' | 'refused'; readonly who: number; readonly steps: readonly Step[] }
  | { readonly kind: 'spawn' | 'all' | 'sync' | 'throwing'; readonly steps: readonly Step[] }

const { steps } = fc.letrec<{ step: Step; steps: readonly Step[] }>((tie) => ({
  step: fc.oneof(
    { depthSize: 'small', maxDepth: 4 },
    fc.record({ kind: fc.constantFrom('await', 'timer', 'microtask', 'thenable', 'caught') }),
    fc.record({
      kind: fc.constantFrom('scope', 'scope', 'refused'),
      who: fc.nat(NAMES.length - 1),
      steps: tie('steps'),
    }),
    fc.record({ kind: fc.constantFrom('spawn', 'all', 'sync', 'throwing'), steps: tie('steps') }),
  ),
  steps: fc.array(tie('step'), { maxLength: 4 }),
}))

/** A scope as the model sees it. */
interface Scope {
  readonly credential: OAuthCredential | undefined
  /** Its function has returned: it may end at any moment. */
  isLeaving: boolean
  hasEnded: boolean
}

/** How a context hands out a credential; a naive global is one that must fail. */
interface Context {
  run<R>(credential: OAuthCredential | CredentialError, fn: () => R): unknown
  get(): unknown
}
const ours: Context = {
  run: runWithCredentials,
  get: () => {
    try {
      return getCredentials()
    } catch (error) {
      return (error as CredentialError).code
    }
  },
}

/** What a read may find. */
function expected(scope: Scope | undefined): readonly unknown[] {
  if (scope === undefined) return ['ERR_CREDENTIAL_NO_SCOPE']
  const { credential = REFUSED.code, isLeaving, hasEnded } = scope
  if (hasEnded) return ['ERR_CREDENTIAL_ENDED']
  return isLeaving ? [credential, 'ERR_CREDENTIAL_ENDED'] : [credential]
}

class Play {
  reads = 0
  wrong = 0
  readonly #context: Context
  readonly #scheduler: fc.Scheduler
  readonly #spawned: Promise<unknown>[] = []

  constructor(context: Context, scheduler: fc.Scheduler) {
    this.#context = context
    this.#scheduler = scheduler
  }

  async all(tasks: readonly (readonly Step[])[]): Promise<void> {
    await this.#scheduler.waitFor(
      Promise.all(tasks.map((task, index) => this.#open(index % NAMES.length, task))),
    )
    // What was left behind runs on, and may leave more.
    for (let left = this.#spawned.splice(0); left.length > 0; left = this.#spawned.splice(0))
      await this.#scheduler.waitFor(Promise.all(left))
    this.#read(undefined)
  }

  #read(scope: Scope | undefined): void {
    this.reads += 1
    if (!expected(scope).includes(this.#context.get())) this.wrong += 1
  }

  /** Runs steps in a scope of their own, whose end is seen from outside of it. */
  async #open(who: number, task: readonly Step[], isRefused = false): Promise<void> {
    const credential = isRefused ? undefined : credentials[who]
    const scope: Scope = { credential, isLeaving: false, hasEnded: false }
    const run = async () => {
      try {
        await this.#steps(task, scope)
      } finally {
        scope.isLeaving = true
      }
    }
    await this.#context.run(credential ?? REFUSED, run)
    scope.hasEnded = true
  }

  async #steps(task: readonly Step[], scope: Scope): Promise<void> {
    this.#read(scope)
    for (const step of task) {
      await this.#step(step, scope)
      this.#read(scope)
    }
  }

  async #step(step: Step, scope: Scope): Promise<void> {
    switch (step.kind) {
      case 'await':
        return this.#scheduler.schedule(Promise.resolve())
      case 'timer':
        await setImmediate()
        return
      case 'microtask':
        return new Promise((resolve) =>
          queueMicrotask(() => {
            this.#read(scope)
            resolve()
          }),
        )
      case 'thenable':
        await { then: (resolve: () => void) => (this.#read(scope), resolve()) }
        return
      case 'caught':
        await this.#scheduler.schedule(Promise.reject(new Error('step'))).catch(() => undefined)
        return
      case 'scope':
      case 'refused':
        return this.#open(step.who, step.steps, step.kind === 'refused')
      case 'spawn':
        this.#spawned.push(this.#steps(step.steps, scope))
        return
      case 'all':
        await Promise.all([this.#steps(step.steps, scope), this.#steps(step.steps, scope)])
        return
      case 'sync':
        return this.#sync(scope)
      case 'throwing':
        return this.#throwing(step.steps, scope)
    }
  }

  #sync(scope: Scope): void {
    const inner: Scope = { credential: credentials[0], isLeaving: false, hasEnded: false }
    const [credential = REFUSED] = credentials
    const later: (() => void)[] = []
    this.#context.run(credential, () => {
      this.#read(inner)
      later.push(() => this.#read(scope))
    })
    for (const run of later) run()
  }

  async #throwing(task: readonly Step[], scope: Scope): Promise<void> {
    const inner: Scope = { credential: credentials[1], isLeaving: false, hasEnded: false }
    const run = async () => {
      await this.#steps(task, inner)
      inner.isLeaving = true
      throw new Error('step')
    }
    await Promise.resolve(this.#context.run(credentials[1] ?? REFUSED, run)).catch(() => undefined)
    this.#read(scope)
  }
}

const tasks = fc.array(steps, { minLength: 2, maxLength: 6 })

describe('scopes', () => {
  test('hold for every task, in whatever order the tasks run', async () => {
    let reads = 0
    await holdsLater(
      fc.asyncProperty(fc.scheduler(), tasks, async (scheduler, given) => {
        const play = new Play(ours, scheduler)
        await play.all(given)
        reads += play.reads
        assert.equal(play.wrong, 0)
      }),
      300,
    )
    assert(reads > 3000, String(reads))
    assert.equal(tryGetCredentials(), undefined)
  })

  test('of a naive global do not, which the same tasks find', async () => {
    let current: unknown = 'ERR_CREDENTIAL_NO_SCOPE'
    const naive: Context = {
      async run(credential, fn) {
        current = credential instanceof CredentialError ? credential.code : credential
        try {
          return await fn()
        } finally {
          current = 'ERR_CREDENTIAL_ENDED'
        }
      },
      get: () => current,
    }
    const property = fc.asyncProperty(fc.scheduler(), tasks, async (scheduler, given) => {
      const play = new Play(naive, scheduler)
      await play.all(given)
      assert.equal(play.wrong, 0)
    })
    const { failed } = await fc.check(property, { ...runs(50), endOnFailure: true })
    assert.equal(failed, true)
  })
})
