import { assertCredential, assertType } from './credential.ts'
import type {
  CredentialType,
  OAuthCredential,
  ResolvedCredential,
  StaticCredential,
} from './credential.ts'
import { CredentialError, misuse, observeConnectErrors } from './errors.ts'
import type { ConnectRequiredError } from './errors.ts'

/** Whose secrets must not leave a scope: a list of its own, then those of the scopes that it was opened in. */
type Lists = readonly ResolvedCredential[][]

// Carried by the asynchronous context. Once the call is over it has neither a credential nor an error.
class Scope {
  credential: ResolvedCredential | undefined
  /** What getCredentials() throws where there is no credential. */
  error: CredentialError | undefined
  /** Made when they are first needed. */
  lists: Lists | undefined
  /** What remembers the lists, and where in it they are, once the call is over. */
  generation: readonly Lists[] | undefined
  index = 0
  /** Whether they are remembered for as long as anything runs that was started in the scope. */
  isKept = false
  /** The last error made in the scope that asks to connect an account. */
  connectError: ConnectRequiredError | undefined

  constructor(given?: ResolvedCredential | CredentialError, outer?: Scope) {
    if (given instanceof CredentialError) this.error = given
    else this.credential = given
    if (outer) this.lists = listsInside(outer, this.credential)
  }
}

type ContextStorage = Pick<SynchronousStorage, 'getStore' | 'run'>
type ContextStorageClass = new () => ContextStorage
interface Runtime {
  setTimeout?(fn: () => void, milliseconds: number): { unref?(): void }
  clearTimeout?(timer: object | undefined): void
  AsyncLocalStorage?: ContextStorageClass
  process?: { getBuiltinModule?(id: string): { AsyncLocalStorage?: ContextStorageClass } }
}

// Where there is no AsyncLocalStorage, the scope holds for as long as fn runs synchronously, and is gone after its first
// await: no other caller can come to see it.
class SynchronousStorage {
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

// Counts the copies of this package in the process. It holds no store: those stay out of reach of each other.
const COPIES = Symbol.for('mcp-credentials.copies')
const countCopies = (): number => Reflect.get(globalThis, COPIES) ?? 0

function createStorage(): ContextStorage {
  Reflect.set(globalThis, COPIES, countCopies() + 1)
  observeConnectErrors((error) => {
    const scope = storage.getStore()
    if (scope) scope.connectError = error
  })
  // Found at run time: a static import of node:async_hooks fails in browsers and in bundles for them.
  const { AsyncLocalStorage, process } = globalThis as Runtime
  const hooks = process?.getBuiltinModule?.('node:async_hooks')
  return new (AsyncLocalStorage ?? hooks?.AsyncLocalStorage ?? SynchronousStorage)()
}

const storage: ContextStorage = /* @__PURE__ */ createStorage()

/** What a function that returns `R` gives in a scope: for a promise or another thenable, a plain promise. */
export type ScopedResult<R> = R extends PromiseLike<infer T> ? Promise<T> : R

type InScope<C> = C extends CredentialError ? undefined : C

/**
 * Runs `fn` in a scope: in it, and in everything asynchronous that it starts, `getCredentials()` returns the credential,
 * until `fn` returns, throws, or its promise settles.
 *
 * @param given - the credential of this call; or the error that `getCredentials()` is to throw for want of one
 * @param fn - what to run; it gets the credential as its argument too
 * @returns what `fn` returned; for a promise, one that settles alike
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for anything but a credential and a function; and whatever `fn` throws
 * @example
 * await runWithCredentials(credential, () => callTool())
 */
export function runWithCredentials<C extends ResolvedCredential | CredentialError, R>(
  given: C,
  fn: (credential: InScope<C>) => R,
): ScopedResult<R>
export function runWithCredentials(
  given: ResolvedCredential | CredentialError,
  fn: (credential?: ResolvedCredential) => unknown,
): unknown {
  if (!(given instanceof CredentialError)) assertCredential(given, 'runWithCredentials takes')
  if (typeof fn !== 'function') throw misuse('ERR_INVALID_ARG_TYPE', NO_FUNCTION)
  const scope = new Scope(given, storage.getStore())
  return storage.run(scope, runInScope, scope, fn)
}

function listsInside(outer: Scope, credential: ResolvedCredential | undefined): Lists {
  const lists = listsOf(outer) ?? []
  // Of a scope that is over its own alone: they would pile up where each scope is opened in the one before.
  const around = outer.credential || outer.error ? lists : lists.slice(0, 1)
  // What an inner scope knows may leave through an outer one.
  if (credential) addTo(around, credential)
  return [...newLists(credential), ...around]
}

/** `undefined` once they are forgotten. */
function listsOf(scope: Scope): Lists | undefined {
  if (scope.generation) return scope.generation[scope.index]
  scope.lists ??= newLists(scope.credential)
  return scope.lists
}

const newLists = (credential: ResolvedCredential | undefined): Lists => [
  credential ? [credential] : [],
]

// No call needs more, and a loop of nested scopes must not make the search for secrets ever slower.
const MAX_REDACTED = 100

function addTo(lists: Lists, credential: ResolvedCredential): void {
  for (const list of lists) {
    if (list.includes(credential)) continue
    list.push(credential)
    if (list.length > MAX_REDACTED) list.splice(1, 1)
  }
}

function runInScope(scope: Scope, fn: (credential?: ResolvedCredential) => unknown): unknown {
  let promise: Promise<unknown> | undefined
  try {
    const result = fn(scope.credential)
    promise = toPromise(result)
    if (promise === undefined) return result
  } finally {
    if (promise === undefined) endScope(scope)
  }
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
}

// What an ended scope sends is still searched for its secrets, but a timer that it left behind must not keep a token alive
// for ever: they are forgotten after one to two minutes, or sooner where a thousand others have ended since.
const GENERATION = 1000
const MINUTE = 60_000
let younger: Lists[] = []
let older: Lists[] = []
let isTimed = false

function endScope(scope: Scope): void {
  const { credential, lists } = scope
  scope.credential = undefined
  scope.error = undefined
  if (scope.isKept) return
  // Of scopes with one credential, one after the other, the first remembers for all.
  const last = younger.at(-1)
  const isNew = lists !== undefined || last === undefined || last[0]?.[0] !== credential
  if (isNew) younger.push(lists ?? newLists(credential))
  scope.lists = undefined
  scope.generation = younger
  scope.index = younger.length - 1
  if (younger.length >= GENERATION) forgetOlder()
  if (!isTimed) startTimer()
}

function forgetOlder(): void {
  // Ended scopes have the list itself.
  older.length = 0
  older = younger
  younger = []
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

/** A plain promise for a thenable. Reads `then` once: of a lazy one, such as a query builder, a look may run it. */
function toPromise(result: unknown): Promise<unknown> | undefined {
  if (typeof result !== 'function' && (typeof result !== 'object' || result === null))
    return undefined
  const then: unknown = Reflect.get(result, 'then')
  if (typeof then !== 'function') return undefined
  const isPlain = result instanceof Promise && result.constructor === Promise
  if (isPlain && then === Promise.prototype.then) return result
  return new Promise((...settle) => Reflect.apply(then, result, settle))
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
  if (credential === undefined) throw scope?.error ?? whyThereIsNone(scope)
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
  if (scope === undefined || scope.error) return undefined
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
  const scope = storage.getStore() ?? new Scope()
  return {
    credentials() {
      const lists = listsOf(scope)
      // Most scopes are in no other.
      if (lists?.length === 1) return lists[0]
      return lists && [...new Set(lists.flat())]
    },
    keep() {
      scope.lists = listsOf(scope)
      scope.isKept = true
    },
    connectError: () => scope.connectError,
  }
}

/** Has the current scope scrubbed of another credential's secrets too, such as those of a successor. */
export function joinScope(credential: ResolvedCredential): void {
  const scope = storage.getStore()
  addTo((scope && listsOf(scope)) ?? [], credential)
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
  if (scope) return new CredentialError('ERR_CREDENTIAL_ENDED', ENDED)
  const copies = countCopies()
  let message = NO_SCOPE
  if (storage instanceof SynchronousStorage) message += NO_ASYNC_LOCAL_STORAGE
  if (copies > 1)
    message += ` There are ${copies} copies of mcp-credentials in this process, which share no scope: keep one.`
  return new CredentialError('ERR_CREDENTIAL_NO_SCOPE', message)
}

const NO_FUNCTION =
  'runWithCredentials takes the function to run as its second argument, such as () => callTool().'
const ENDED =
  'The call that this credential was for is over. Work that outlives its call takes the credential along, or opens a scope of its own with runWithCredentials().'
const NO_SCOPE =
  'There is no credential in this context. Is the adapter installed, and does this run inside a call: not at import, nor in an event listener, nor in a generator that is consumed elsewhere?'
const NO_ASYNC_LOCAL_STORAGE =
  ' This runtime has no AsyncLocalStorage, so that the credential is gone after the first await: on Cloudflare Workers set the compatibility flag nodejs_compat; elsewhere use the argument of the function.'
