// What the core's tests use of node:test, where there is none: it collects the cases, and runs them one after the other.

type Fn = () => unknown
interface Options {
  readonly skip: string | false
}

export interface Report {
  readonly passed: number
  /** The cases that this runtime lacks something for, and what. */
  readonly skipped: readonly string[]
  /** The cases that failed, and how. */
  readonly failed: readonly string[]
}

const cases: { readonly name: string; readonly skip: string | false; readonly fn: Fn }[] = []
const groups: string[] = []

export function describe(name: string, fn: Fn): void {
  groups.push(name)
  fn()
  groups.pop()
}

export function test(name: string, ...rest: [Fn] | [Options, Fn]): void {
  const [{ skip }, fn] = rest.length === 2 ? rest : [{ skip: false as const }, rest[0]]
  cases.push({ name: [...groups, name].join(': '), skip, fn })
}

export async function run(): Promise<Report> {
  const skipped: string[] = []
  const failed: string[] = []
  for (const { name, skip, fn } of cases) {
    if (skip !== false) skipped.push(`${name}: ${skip}`)
    else {
      try {
        await fn()
      } catch (error) {
        failed.push(`${name}: ${String(error)} ${error instanceof Error ? error.stack : ''}`)
      }
    }
  }
  return { passed: cases.length - skipped.length - failed.length, skipped, failed }
}
