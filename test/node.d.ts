// The few names that the tests use of Node.js, Bun and Deno, so that they need no package of types.

declare module 'node:test' {
  export function test(name: string, fn: () => unknown): void
  export function after(fn: () => unknown): void
  /** `skip` says why, where a runtime lacks what the test is about. */
  export function test(name: string, options: { skip: string | false }, fn: () => unknown): void
  export function describe(name: string, fn: () => void): void
}

declare module 'node:assert/strict' {
  type Matcher = RegExp | object | ((error: unknown) => boolean)
  interface Assert {
    (value: unknown, message?: string): asserts value
    ok(value: unknown, message?: string): asserts value
    equal(actual: unknown, expected: unknown, message?: string): void
    notEqual(actual: unknown, expected: unknown, message?: string): void
    deepEqual(actual: unknown, expected: unknown, message?: string): void
    throws(fn: () => unknown, matcher?: Matcher, message?: string): void
    doesNotThrow(fn: () => unknown, message?: string): void
    rejects(promise: Promise<unknown> | (() => Promise<unknown>), matcher?: Matcher): Promise<void>
    match(text: string, pattern: RegExp, message?: string): void
    doesNotMatch(text: string, pattern: RegExp, message?: string): void
    fail(message?: string): never
  }
  const assert: Assert
  export default assert
}

declare module 'node:util' {
  export function inspect(value: unknown, options?: object): string
  export function format(...args: unknown[]): string
}

declare module 'node:v8' {
  export function serialize(value: unknown): Uint8Array
}

declare module 'node:process' {
  const process: {
    env: Record<string, string | undefined>
    argv: string[]
    execPath: string
    getBuiltinModule?: unknown
  }
  export default process
}

declare module 'node:timers/promises' {
  export function setTimeout<T>(milliseconds?: number, value?: T): Promise<T>
  export function setImmediate<T>(value?: T): Promise<T>
}

declare module 'node:fs' {
  export function cpSync(from: string, to: string, options: { recursive: boolean }): void
  export function readdirSync(path: string, options?: { recursive: boolean }): string[]
  export function readFileSync(path: string, encoding: 'utf8'): string
  export function mkdtempSync(prefix: string): string
  export function writeFileSync(path: string, content: string | Uint8Array): void
  export function rmSync(path: string, options: { recursive: boolean }): void
  export function mkdirSync(path: string, options: { recursive: boolean }): void
  export function renameSync(from: string, to: string): void
  export function statSync(path: string): { ctimeMs: number }
  export function symlinkSync(target: string, path: string): void
  export function truncateSync(path: string, size: number): void
}

declare module 'node:os' {
  export function tmpdir(): string
}

declare module 'node:url' {
  export function fileURLToPath(url: URL): string
  export function pathToFileURL(path: string): URL
}

declare module 'node:child_process' {
  export function spawnSync(
    command: string,
    args: string[],
    options: { encoding: 'utf8'; input?: string },
  ): { stdout: string }
}

declare module 'node:async_hooks' {
  export class AsyncLocalStorage {}
}
