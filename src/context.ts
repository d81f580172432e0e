import { assertCredential } from './credential.ts'
import type { CredentialType, OAuthCredential, ResolvedCredential, StaticCredential } from './credential.ts'
import { CredentialError } from './errors.ts'

// Carried by the asynchronous context. Holds the credential of a call, or the error to throw in its place, and neither
// once the call is over.
interface Scope {
  credential: ResolvedCredential | undefined
  error: CredentialError | undefined
}

interface ContextStorage {
  getStore(): Scope | undefined
  run<A extends unknown[], R>(scope: Scope, fn: (...args: A) => R, ...args: A): R
}

interface Runtime {
  readonly AsyncLocalStorage?: new () => ContextStorage
  readonly process?: {
    getBuiltinModule?(id: 'node:async_hooks'): { readonly AsyncLocalStorage?: new () => ContextStorage } | undefined
  }
}

// Counts the copies of this package in the process. It holds no store: those stay out of reach of each other.
const COPIES = Symbol.for('mcp-credentials.copies')

// Found at run time: a static import of node:async_hooks fails in browsers and in bundles for them.
function findAsyncLocalStorage(): (new () => ContextStorage) | undefined {
  const runtime = globalThis as Runtime
  return runtime.AsyncLocalStorage ?? runtime.process?.getBuiltinModule?.('node:async_hooks')?.AsyncLocalStorage
}

// Where there is none, the scope holds for as long as fn runs synchronously, and is gone after its first await:
// no other caller can come to see it.
class SynchronousStorage implements ContextStorage {
  #scope: Scope | undefined

  getStore(): Scope | undefined {
    return this.#scope
  }

  run<A extends unknown[], R>(scope: Scope, fn: (...args: A) => R, ...args: A): R {
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
  const copies: unknown = Reflect.get(globalThis, COPIES)
  Reflect.set(globalThis, COPIES, typeof copies === 'number' ? copies + 1 : 1)
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
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for anything that is no credential; and whatever `fn` throws
 * @example
 * await runWithCredentials(credential, () => callTool())
 */
export function runWithCredentials<C extends ResolvedCredential, R>(
  credential: C,
  fn: (credential: C) => R,
): ScopedResult<R>
export function runWithCredentials<R>(
  credential: ResolvedCredential | CredentialError,
  fn: (credential: ResolvedCredential | undefined) => R,
): ScopedResult<R>
export function runWithCredentials<R>(
  credential: ResolvedCredential | CredentialError,
  fn: (credential: ResolvedCredential | undefined) => R,
): unknown {
  const scope = createScope(credential)
  return storage.run(scope, runInScope, scope, fn)
}

function createScope(credential: ResolvedCredential | CredentialError): Scope {
  if (credential instanceof CredentialError) return { credential: undefined, error: credential }
  assertCredential(credential, 'runWithCredentials')
  return { credential, error: undefined }
}

function runInScope(scope: Scope, fn: (credential: ResolvedCredential | undefined) => unknown): unknown {
  let isPending = false
  try {
    const result = fn(scope.credential)
    const then = thenOf(result)
    if (then === undefined) return result
    const promise = toPlainPromise(result, then)
    isPending = true
    return promise.then(
      (value) => {
        endScope(scope)
        return value
      },
      (reason) => {
        endScope(scope)
        throw reason
      },
    )
  } finally {
    if (!isPending) endScope(scope)
  }
}

function endScope(scope: Scope): void {
  scope.credential = undefined
  scope.error = undefined
}

type Then = (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => unknown

/** Reads `then` once: of a lazy thenable, such as a query builder, every further look may have an effect. */
function thenOf(result: unknown): Then | undefined {
  if ((typeof result !== 'object' || result === null) && typeof result !== 'function') return undefined
  const { then } = result as { then?: unknown }
  return typeof then === 'function' ? (then as Then) : undefined
}

function toPlainPromise(result: unknown, then: Then): Promise<unknown> {
  const isPlain = result instanceof Promise && then === Promise.prototype.then && result.constructor === Promise
  return isPlain ? result : new Promise((resolve, reject) => then.call(result, resolve, reject))
}

/**
 * The credential of the current call.
 *
 * @param type - the type that the caller needs; it makes the result that type
 * @throws CredentialError `ERR_CREDENTIAL_NO_SCOPE` outside of any call, `ERR_CREDENTIAL_ENDED` after the call,
 *   `ERR_CREDENTIAL_TYPE` when the credential is of another type; and what the source threw, where it is optional
 * @example
 * const { accessToken } = getCredentials('oauth')
 */
export function getCredentials(): ResolvedCredential
export function getCredentials(type: 'static'): StaticCredential
export function getCredentials(type: 'oauth'): OAuthCredential
export function getCredentials(type?: CredentialType): ResolvedCredential
export function getCredentials(type?: CredentialType): ResolvedCredential {
  const scope = storage.getStore()
  const credential = scope?.credential
  if (credential === undefined) throw whyThereIsNone(scope)
  if (type !== undefined && credential.type !== type) throw otherType(credential.type, type)
  return credential
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
export function tryGetCredentials(): ResolvedCredential | undefined
export function tryGetCredentials(type: 'static'): StaticCredential | undefined
export function tryGetCredentials(type: 'oauth'): OAuthCredential | undefined
export function tryGetCredentials(type?: CredentialType): ResolvedCredential | undefined
export function tryGetCredentials(type?: CredentialType): ResolvedCredential | undefined {
  const scope = storage.getStore()
  if (scope === undefined || scope.error !== undefined) return undefined
  return getCredentials(type)
}

function whyThereIsNone(scope: Scope | undefined): CredentialError {
  if (scope === undefined) return noScope()
  return (
    scope.error ??
    new CredentialError(
      'ERR_CREDENTIAL_ENDED',
      'The call that this credential was for is over. Work that outlives its call takes the credential along, ' +
        'or opens a scope of its own with runWithCredentials().',
    )
  )
}

function otherType(actual: CredentialType, wanted: CredentialType): CredentialError {
  return new CredentialError('ERR_CREDENTIAL_TYPE', `The credential of this call is of type "${actual}", not "${wanted}".`)
}

function noScope(): CredentialError {
  const hints = [
    'There is no credential in this context. Is the adapter installed, and does this run inside a call: ' +
      'not at import, nor in an event listener, nor in a generator that is consumed elsewhere?',
  ]
  if (storage instanceof SynchronousStorage) {
    hints.push(
      'This runtime has no AsyncLocalStorage, so that the credential is gone after the first await: ' +
        'on Cloudflare Workers set the compatibility flag nodejs_compat; ' +
        'elsewhere use the argument that runWithCredentials() passes to its function.',
    )
  }
  const copies = Number(Reflect.get(globalThis, COPIES))
  if (copies > 1) hints.push(`There are ${copies} copies of mcp-credentials in this process, which share no scope: keep one.`)
  return new CredentialError('ERR_CREDENTIAL_NO_SCOPE', hints.join(' '))
}
