// What the core's tests use of node:assert/strict, where there is none.

class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

type Matcher = RegExp | Readonly<Record<string, unknown>> | ((error: unknown) => boolean)
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

function assert(value: unknown, message = `${value} is not true`): asserts value {
  if (!value) throw new AssertionError(message)
}

function isDeepEqual(actual: unknown, expected: unknown): boolean {
  if (Object.is(actual, expected)) return true
  if (!isObject(actual) || !isObject(expected)) return false
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) return false
  if (actual instanceof Date && expected instanceof Date) return actual.getTime() === expected.getTime()
  if (actual instanceof Map || actual instanceof Set) return isDeepEqual([...actual], [...(expected as Set<unknown>)])
  const [names, others] = [Object.keys(actual), Object.keys(expected)]
  return names.length === others.length && names.every((name) => name in expected && isDeepEqual(Reflect.get(actual, name), Reflect.get(expected, name)))
}

function assertMatches(error: unknown, matcher: Matcher | undefined): void {
  if (matcher === undefined) return
  if (matcher instanceof RegExp) assert(matcher.test(String(error)), `${error} does not match ${matcher}`)
  else if (typeof matcher === 'function') {
    // As of Node.js, a class is one that the error must be an instance of.
    const isClass = matcher.prototype instanceof Error || matcher === (TypeError as unknown)
    assert(isClass ? error instanceof (matcher as unknown as ErrorConstructor) : matcher(error), `${error} is another`)
  } else {
    assert(isObject(error), `${error} is no error`)
    for (const [name, expected] of Object.entries(matcher)) {
      const actual: unknown = Reflect.get(error, name)
      const matches = expected instanceof RegExp ? expected.test(String(actual)) : isDeepEqual(actual, expected)
      assert(matches, `${name} of the error is ${actual}, not ${expected}`)
    }
  }
}

export default Object.assign(assert, {
  ok: assert,
  equal(actual: unknown, expected: unknown): void {
    assert(Object.is(actual, expected), `${String(actual)} is not ${String(expected)}`)
  },
  notEqual(actual: unknown, expected: unknown): void {
    assert(!Object.is(actual, expected), `${String(actual)} is the same`)
  },
  deepEqual(actual: unknown, expected: unknown): void {
    assert(isDeepEqual(actual, expected), `${JSON.stringify(actual)} is not ${JSON.stringify(expected)}`)
  },
  throws(fn: () => unknown, matcher?: Matcher): void {
    try {
      fn()
    } catch (error) {
      return assertMatches(error, matcher)
    }
    throw new AssertionError('nothing was thrown')
  },
  doesNotThrow(fn: () => unknown): void {
    fn()
  },
  async rejects(promise: Promise<unknown> | (() => Promise<unknown>), matcher?: Matcher): Promise<void> {
    try {
      await (typeof promise === 'function' ? promise() : promise)
    } catch (error) {
      return assertMatches(error, matcher)
    }
    throw new AssertionError('nothing was rejected')
  },
  match(text: string, pattern: RegExp): void {
    assert(pattern.test(text), `${text} does not match ${pattern}`)
  },
  doesNotMatch(text: string, pattern: RegExp): void {
    assert(!pattern.test(text), `${text} matches ${pattern}`)
  },
  fail(message = 'failed'): never {
    throw new AssertionError(message)
  },
})
