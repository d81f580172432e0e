import { isVariable } from './env.ts'
import type { Environment } from './env.ts'
import { assertObject, CredentialError, misuse } from './errors.ts'

// node:fs, as far as this needs it. Bun and Deno have it, too.
interface Stats extends Readonly<Record<'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs', bigint>> {
  isFile(): boolean
}
interface FileSystem {
  statSync(path: string, options: { readonly bigint: true }): Stats
  readFileSync(path: string): Uint8Array
}
interface Runtime {
  readonly process?: { getBuiltinModule?(id: 'node:fs'): FileSystem | undefined }
  readonly TextDecoder: new (name: string, options: object) => { decode(bytes: Uint8Array): string }
}
const runtime = globalThis as unknown as Runtime

const SUFFIX = '_FILE'

/**
 * The same variables, and for each `{PREFIX}X_FILE` that is set the variable `{PREFIX}X` with what that file holds, as Docker,
 * Kubernetes and systemd mount secrets. One line break at the end is cut. A file that changes is followed: it is looked at
 * once a second at most, and read where its inode, size or times have changed.
 *
 * @param prefix - what the names of the variables start with, upper-cased; all that {@link parseEnv} reads may be in files
 * @param env - the variables, such as `process.env`
 * @returns variables for `fromEnv` and `parseEnv`. To read one throws `CredentialError`: `ERR_CREDENTIAL_INVALID` where it is
 *   set as well, and for a file that is missing, unreadable, empty, larger than 64 KiB, not UTF-8, or no file;
 *   `ERR_CREDENTIAL_UNAVAILABLE` where the runtime has no files
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for arguments of another kind
 * @example
 * const source = fromEnv('WEATHER_', { env: withFiles('WEATHER_', process.env) })
 */
export function withFiles(prefix: string, env: Environment): Environment {
  if (typeof prefix !== 'string')
    throw misuse('ERR_INVALID_ARG_TYPE', 'The prefix of the variables must be a string.')
  assertObject(env, 'The environment', 'process.env')
  const start = prefix.toUpperCase()
  const files = new Map<string, SecretFile>()
  const isOurs = (name: string) => name.startsWith(start) && isVariable(name.slice(start.length))
  const isPointer = (name: string) => name.endsWith(SUFFIX) && isOurs(withoutSuffix(name))

  function get(name: string): string | undefined {
    if (isPointer(name)) return undefined
    const pointer = name + SUFFIX
    const path = env[pointer]
    if (!path || !isOurs(name)) return env[name]
    if (env[name]) throw invalid(`${name} and ${pointer} are both set: remove one.`)
    const known = files.get(pointer)
    const file = known?.path === path ? known : new SecretFile(pointer, path)
    files.set(pointer, file)
    return file.read()
  }

  const has = (name: string) =>
    !isPointer(name) && (name in env || (isOurs(name) && name + SUFFIX in env))
  const list = () => Object.keys(env).map((name) => (isPointer(name) ? withoutSuffix(name) : name))
  return new Proxy<Record<string, string | undefined>>(
    {},
    {
      get: (_, name) => get(String(name)),
      has: (_, name) => has(String(name)),
      ownKeys: () => [...new Set(list())],
      // Without the value: to list the names reads no file.
      getOwnPropertyDescriptor: (_, name) => (has(String(name)) ? LISTED : undefined),
    },
  )
}

const LISTED: PropertyDescriptor = { enumerable: true, configurable: true }
const withoutSuffix = (name: string): string => name.slice(0, -SUFFIX.length)

const SECOND = 1000
const MAX_BYTES = 65_536

/** A file that a variable names. What it holds is kept until it changes. */
class SecretFile {
  readonly path: string
  readonly #variable: string
  #value = ''
  #version = ''
  #checkedAt = -Infinity

  constructor(variable: string, path: string) {
    this.path = path
    this.#variable = variable
  }

  read(): string {
    const now = Date.now()
    if (Math.abs(now - this.#checkedAt) < SECOND) return this.#value
    const { version, changedAt } = this.#look()
    if (version !== this.#version) {
      this.#value = this.#load(version)
      // Within the time that a file system counts in, a file may change again, and look as if it had not.
      this.#version = now - changedAt > SECOND ? version : ''
    }
    this.#checkedAt = now
    return this.#value
  }

  #look(): { readonly version: string; readonly changedAt: number } {
    const stats = this.#ask((files) => files.statSync(this.path, { bigint: true }))
    const { dev, ino, size, mtimeNs, ctimeNs } = stats
    if (!stats.isFile()) throw this.#problem('is none, but a folder or a device')
    if (size === 0n) throw this.#problem('is empty')
    if (size > MAX_BYTES) throw this.#problem('is larger than 64 KiB')
    const version = [dev, ino, size, mtimeNs, ctimeNs].join()
    return { version, changedAt: Number(ctimeNs / 1_000_000n) }
  }

  #load(version: string): string {
    const bytes = this.#ask((files) => files.readFileSync(this.path))
    if (this.#look().version !== version) throw this.#problem('changed while it was read')
    const text = this.#decode(bytes).replace(/\r?\n$/, '')
    if (text === '') throw this.#problem('is empty')
    return text
  }

  #decode(bytes: Uint8Array): string {
    try {
      return new runtime.TextDecoder('utf-8', { fatal: true }).decode(bytes)
    } catch {
      throw this.#problem('is not UTF-8')
    }
  }

  #ask<T>(question: (files: FileSystem) => T): T {
    const files = runtime.process?.getBuiltinModule?.('node:fs')
    if (!files) throw unavailable(`${this.#variable} is set, but this runtime has no files.`)
    try {
      return question(files)
    } catch (error) {
      const { code }: { code?: unknown } = Object(error)
      const shown = /^E[A-Z]+$/.exec(String(code))
      if (code === 'ENOENT') throw this.#problem('does not exist')
      throw this.#problem(shown ? `cannot be read (${shown[0]})` : 'cannot be read')
    }
  }

  // Neither the content nor the path, which people mistake for it.
  #problem(reason: string): CredentialError {
    return invalid(`${this.#variable}: the file ${reason}.`)
  }
}

const invalid = (message: string): CredentialError =>
  new CredentialError('ERR_CREDENTIAL_INVALID', message, { isServerFault: true })

const unavailable = (message: string): CredentialError =>
  new CredentialError('ERR_CREDENTIAL_UNAVAILABLE', message)
