import { assertCredential, assertType, isCredential } from './credential.ts'
import type {
  CredentialType,
  OAuthCredential,
  ResolvedCredential,
  StaticCredential,
} from './credential.ts'
import { CredentialError, misuse, observeConnectErrors } from './errors.ts'
import type { ConnectRequiredError } from './errors.ts'

// Carried by the asynchronous context. Holds the credential of a call, or the error to throw in its place, and neither
// once the call is over.
interface Scope {
  credential: ResolvedCredential | undefined
  error: CredentialError | undefined
  /** Whose secrets must not leave the scope. It outlasts the end of the scope for a while. */
  secrets: Secrets
  /** Whether it outlasts it for as long as anything runs that was started in the scope. */
  isKept?: boolean
  /** The last error made in the scope that asks to connect an account. */
  connectError?: ConnectRequiredError
}

interface Secrets {
  /** A list of its own, then those of the scopes that it was opened in; `undefined` once they are forgotten. */
  lists: readonly ResolvedCredential[][] | undefined
  /** Whether all scopes with one credential have this, and nothing may be added to it. */
  readonly isShared: boolean
  /** In which period a scope with this has ended last. */
  period: number
}

interface ContextStorage {
  getStore(): Scope | undefined
  run<A extends unknown[], R>(scope: Scope | undefined, fn: (...args: A) => R, ...args: A): R
}

type ContextStorageClass = new () => ContextStorage
interface Runtime {
  setTimeout?(fn: () => void, milliseconds: number): { unref?(): void }
  clearTimeout?(timer: object | undefined): void
  AsyncLocalStorage?: ContextStorageClass
  process?: {
    getBuiltinModule?(id: string): { AsyncLocalStorage?: ContextStorageClass } | undefined
  }
}

// Counts the copies of this package in the process. It holds no store: those stay out of reach of each other.
const COPIES = Symbol.for('mcp-credentials.copies')

// Found at run time: a static import of node:async_hooks fails in browsers and in bundles for them.
function findAsyncLocalStorage(): ContextStorageClass | undefined {
  const runtime = globalThis as Runtime
  return (
    runtime.AsyncLocalStorage ??
    runtime.process?.getBuiltinModule?.('node:async_hooks')?.AsyncLocalStorage
  )
}

// Where there is none, the scope holds for as long as fn runs synchronously, and is gone after its first await:
// no other caller can come to see it.
class SynchronousStorage implements ContextStorage {
  #scope: Scope | undefined

  getStore(): Scope | undefined {
    return this.#scope
  }

  run<A extends unknown[], R>(scope: Scope | undefined, fn: (...args: A) => R, ...args: A): R {
    const outer = this.#scope
    this.#scope = scope
    try {
      return fn(...args)
    } finally {
      this.#scope = outer
    }
  }
}

function createStorage(): ContextStorage {
  const copies: number = Reflect.get(globalThis, COPIES) || 0
  Reflect.set(globalThis, COPIES, copies + 1)
  observeConnectErrors((error) => {
    const scope = storage.getStore()
    if (scope) scope.connectError = error
  })
  return new (findAsyncLocalStorage() ?? SynchronousStorage)()
}

const storage: ContextStorage = /* @__PURE__ */ createStorage()

/** What a function that returns `R` gives in a scope: for a promise or another thenable, a plain promise. */
export type ScopedResult<R> = R extends PromiseLike<infer T> ? Promise<T> : R

/**
 * Runs `fn` in a scope: in it, and in everything asynchronous that it starts, `getCredentials()` returns the credential,
 * until `fn` returns, throws, or its promise settles.
 *
 * @param credential - the credential of this call; or the error that `getCredentials()` is to throw for want of one
 * @param fn - what to run; it gets the credential as its argument too
 * @returns what `fn` returned; for a promise, one that settles alike
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for anything but a credential and a function; and whatever `fn` throws
 * @example
 * await runWithCredentials(credential, () => callTool())
 */
export function runWithCredentials<C extends ResolvedCredential, R>(
  credential: C,
  fn: (credential: C) => R,
): ScopedResult<R>
export function runWithCredentials<R>(
  credential: ResolvedCredential | CredentialError,
  fn: MaybeScoped<R>,
): ScopedResult<R>
export function runWithCredentials<R>(
  credential: ResolvedCredential | CredentialError,
  fn: MaybeScoped<R>,
): unknown {
  const given = isCredential(credential) ? credential : undefined
  const error = credential instanceof CredentialError ? credential : undefined
  if (!given && !error) assertCredential(credential, 'runWithCredentials takes')
  if (typeof fn !== 'function') throw misuse('ERR_INVALID_ARG_TYPE', NO_FUNCTION)
  const scope: Scope = { credential: given, error, secrets: secretsIn(storage.getStore(), given) }
  return storage.run(scope, runInScope, scope, fn)
}

function secretsIn(outer: Scope | undefined, given: ResolvedCredential | undefined): Secrets {
  const lists = outer && ownLists(outer)
  if (lists === undefined) return given ? sharedSecrets(given) : newSecrets([[]])
  // Of a scope that is over its own alone: they would pile up where each scope is opened in the one before.
  const around = isOver(outer) ? lists.slice(0, 1) : lists
  // What an inner scope knows may leave through an outer one.
  if (given) addTo(around, given)
  return newSecrets([given ? [given] : [], ...around])
}

const isOver = (scope: Scope | undefined): boolean =>
  scope?.credential === undefined && scope?.error === undefined

const newSecrets = (lists: readonly ResolvedCredential[][], isShared = false): Secrets => ({
  lists,
  isShared,
  period: 0,
})

// That of the last credential, so that a scope like the one before has nothing to make, and nothing to forget.
let lastShared: Secrets | undefined

function sharedSecrets(credential: ResolvedCredential): Secrets {
  if (lastShared?.lists?.[0]?.[0] !== credential) lastShared = newSecrets([[credential]], true)
  return lastShared
}

function listsOf(scope: Scope): readonly ResolvedCredential[][] | undefined {
  // Forgotten after the end of another scope that shared it.
  if (scope.secrets.lists === undefined && scope.credential)
    scope.secrets = sharedSecrets(scope.credential)
  return scope.secrets.lists
}

/** Lists that the scope shares with none that is not in it, so that they can be added to. */
function ownLists(scope: Scope): readonly ResolvedCredential[][] | undefined {
  const lists = listsOf(scope)
  if (lists === undefined || !scope.secrets.isShared) return lists
  scope.secrets = newSecrets(lists.map((list) => [...list]))
  if (isOver(scope)) forgetLater(scope.secrets)
  return scope.secrets.lists
}

// No call needs more, and a loop of nested scopes must not make the search for secrets ever slower.
const MAX_REDACTED = 100

function addTo(lists: readonly ResolvedCredential[][], credential: ResolvedCredential): void {
  for (const list of lists) {
    if (list.includes(credential)) continue
    list.push(credential)
    if (list.length > MAX_REDACTED) list.splice(1, 1)
  }
}

type MaybeScoped<R> = (credential: ResolvedCredential | undefined) => R

function runInScope(scope: Scope, fn: MaybeScoped<unknown>): unknown {
  let isPending = false
  try {
    const result = fn(scope.credential)
    const promise = toPromise(result)
    if (promise === undefined) return result
    isPending = true
    return promise.then(
      (value) => {
        endScope(scope)
        return value
      },
      (reason: unknown) => {
        endScope(scope)
        throw reason
      },
    )
  } finally {
    if (!isPending) endScope(scope)
  }
}

function endScope(scope: Scope): void {
  listsOf(scope)
  scope.credential = undefined
  scope.error = undefined
  if (!scope.isKept) forgetLater(scope.secrets)
}

// What an ended scope sends is still searched for its secrets, but a timer that it left behind must not keep a token alive
// for ever: they are forgotten after one to two minutes, or sooner where scopes with a thousand others have ended since.
const GENERATION = 1000
const MINUTE = 60_000
let younger: Secrets[] = []
let older: Secrets[] = []
let period = 1
let isTimed = false

function forgetLater(secrets: Secrets): void {
  if (secrets.period === period) return
  secrets.period = period
  younger.push(secrets)
  if (younger.length >= GENERATION) forgetOlder()
  if (!isTimed) startTimer()
}

function forgetOlder(): void {
  for (const secrets of older) if (secrets.period !== period) secrets.lists = undefined
  older = younger
  younger = []
  period += 1
  if (older.length === 0) lastShared = undefined
}

function startTimer(): void {
  isTimed = true
  const { setTimeout, clearTimeout } = globalThis as Runtime
  const timer = setTimeout?.(() => {
    isTimed = false
    forgetOlder()
    if (older.length > 0) startTimer()
  }, MINUTE)
  if (typeof timer?.unref === 'function') timer.unref()
  // It would keep the process alive: there the thousand have to do.
  else clearTimeout?.(timer)
}

type Then = (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => unknown

/** A plain promise for a thenable. Reads `then` once: of a lazy one, such as a query builder, a look may run it. */
function toPromise(result: unknown): Promise<unknown> | undefined {
  if (result === null || (typeof result !== 'object' && typeof result !== 'function'))
    return undefined
  const { then } = result as { then?: unknown }
  if (typeof then !== 'function') return undefined
  if (
    then === Promise.prototype.then &&
    result instanceof Promise &&
    result.constructor === Promise
  )
    return result
  return new Promise((resolve, reject) => (then as Then).call(result, resolve, reject))
}

/**
 * The credential of the current call.
 *
 * @param type - the type that the caller needs; it makes the result that type
 * @throws CredentialError `ERR_CREDENTIAL_NO_SCOPE` outside of any call, `ERR_CREDENTIAL_ENDED` after the call,
 *   `ERR_CREDENTIAL_TYPE` when the credential is of another type; and what the source threw, where it is optional
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for a type that does not exist
 * @example
 * const { accessToken } = getCredentials('oauth')
 */
export function getCredentials(type: 'static'): StaticCredential
export function getCredentials(type: 'oauth'): OAuthCredential
export function getCredentials(type?: CredentialType): ResolvedCredential
export function getCredentials(type?: CredentialType): ResolvedCredential {
  const scope = storage.getStore()
  const credential = scope?.credential
  if (credential === undefined) throw whyThereIsNone(scope)
  if (type === undefined || credential.type === type) return credential
  assertType(type)
  const difference = `The credential is of type "${credential.type}", not "${type}"`
  const advice = `ask for "${credential.type}", or have the source read { type: "${type}" }`
  throw new CredentialError('ERR_CREDENTIAL_TYPE', `${difference}: ${advice}.`)
}

/**
 * The credential of the current call, or `undefined` where there is none: outside of any call, and in one whose
 * optional credential is missing.
 *
 * @param type - the type that the caller needs; it makes the result that type
 * @throws CredentialError `ERR_CREDENTIAL_ENDED` after the call, `ERR_CREDENTIAL_TYPE` when it is of another type
 * @example
 * const token = tryGetCredentials('oauth')?.accessToken
 */
export function tryGetCredentials(type: 'static'): StaticCredential | undefined
export function tryGetCredentials(type: 'oauth'): OAuthCredential | undefined
export function tryGetCredentials(type?: CredentialType): ResolvedCredential | undefined
export function tryGetCredentials(type?: CredentialType): ResolvedCredential | undefined {
  const scope = storage.getStore()
  if (scope === undefined || scope.error !== undefined) return undefined
  return getCredentials(type)
}

/**
 * Whose secrets must not leave the current scope: its own credential's, and those of the scopes around it and inside of it.
 * `undefined` where it has ended too long ago to tell, so that nothing may leave.
 */
export const scopedCredentials = (): readonly ResolvedCredential[] | undefined =>
  captureScope().credentials()

/** A scope, as the one that runs tools in it needs it. */
export interface CapturedScope {
  /** What `scopedCredentials` gives in the scope, wherever and whenever it is called. */
  credentials(): readonly ResolvedCredential[] | undefined
  /** Has it know its secrets after its end as well, for work that outlives its call. */
  keep(): void
  /** The last error made in the scope that asks to connect an account. */
  connectError(): ConnectRequiredError | undefined
}

/** The current scope. */
export function captureScope(): CapturedScope {
  const scope = storage.getStore()
  return {
    credentials() {
      if (scope === undefined) return []
      const lists = listsOf(scope)
      return lists && [...new Set(lists.flat())]
    },
    keep() {
      if (scope === undefined) return
      ownLists(scope)
      scope.isKept = true
    },
    connectError: () => scope?.connectError,
  }
}

/** Has the current scope scrubbed of another credential's secrets too, such as those of a successor. */
export function joinScope(credential: ResolvedCredential): void {
  const scope = storage.getStore()
  const lists = scope && ownLists(scope)
  if (lists) addTo(lists, credential)
}

/**
 * Binds a function to the current scope, for callers from outside of it, such as emitters and streams. After the end of the
 * scope it finds no credential there.
 *
 * @param fn - what is to run in the scope
 * @returns a function that runs it there
 * @example
 * request.on('end', bindToScope(() => callTheApi(getCredentials('oauth'))))
 */
export function bindToScope<A extends unknown[], R>(fn: (...args: A) => R): (...args: A) => R {
  const scope = storage.getStore()
  return (...args) => storage.run(scope, fn, ...args)
}

/** Runs `fn`, and what it starts, in no scope at all. */
export const outsideOfScopes = <R>(fn: () => R): R => storage.run(undefined, fn)

function whyThereIsNone(scope: Scope | undefined): CredentialError {
  if (scope?.error) return scope.error
  if (scope) return new CredentialError('ERR_CREDENTIAL_ENDED', ENDED)
  const copies: number = Reflect.get(globalThis, COPIES)
  const hints = [
    NO_SCOPE,
    storage instanceof SynchronousStorage ? NO_ASYNC_LOCAL_STORAGE : '',
    copies > 1
      ? `There are ${copies} copies of mcp-credentials in this process, which share no scope: keep one.`
      : '',
  ]
  return new CredentialError(
    'ERR_CREDENTIAL_NO_SCOPE',
    hints.filter((hint) => hint !== '').join(' '),
  )
}

const NO_FUNCTION =
  'runWithCredentials takes the function to run as its second argument, such as () => callTool().'

const ENDED = `The call that this credential was for is over. Work that outlives its call takes the credential along, or \
opens a scope of its own with runWithCredentials().`

const NO_SCOPE = `There is no credential in this context. Is the adapter installed, and does this run inside a call: not at \
import, nor in an event listener, nor in a generator that is consumed elsewhere?`

const NO_ASYNC_LOCAL_STORAGE = `This runtime has no AsyncLocalStorage, so that the credential is gone after the first await: \
on Cloudflare Workers set the compatibility flag nodejs_compat; elsewhere use the argument of the function that \
runWithCredentials() runs.`
