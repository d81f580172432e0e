// What the core's tests use of node:assert/strict, where there is none.

class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

type Matcher = RegExp | Readonly<Record<string, unknown>> | ((error: unknown) => boolean)
const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

function show(value: unknown): string {
  try {
    return String(value)
  } catch {
    return 'an object without text'
  }
}

function assert(value: unknown, message?: string, ...values: unknown[]): asserts value {
  if (!value) throw new AssertionError([message ?? 'not true', ...values.map(show)].join(': '))
}

function isDeepEqual(actual: unknown, expected: unknown): boolean {
  if (Object.is(actual, expected)) return true
  if (!isObject(actual) || !isObject(expected)) return false
  if (Object.getPrototypeOf(actual) !== Object.getPrototypeOf(expected)) return false
  if (actual instanceof Date && expected instanceof Date)
    return actual.getTime() === expected.getTime()
  if (actual instanceof Map || actual instanceof Set)
    return isDeepEqual([...actual], [...(expected as Set<unknown>)])
  const [names, others] = [Object.keys(actual), Object.keys(expected)]
  return (
    names.length === others.length &&
    names.every(
      (name) =>
        name in expected && isDeepEqual(Reflect.get(actual, name), Reflect.get(expected, name)),
    )
  )
}

function assertMatches(error: unknown, matcher: Matcher | undefined): void {
  if (matcher === undefined) return
  if (matcher instanceof RegExp)
    assert(matcher.test(String(error)), `does not match ${matcher}`, error)
  else if (typeof matcher === 'function') {
    // As of Node.js, a class is one that the error must be an instance of.
    const isClass = matcher.prototype instanceof Error || matcher === (TypeError as unknown)
    assert(
      isClass ? error instanceof (matcher as unknown as ErrorConstructor) : matcher(error),
      'another error',
      error,
    )
  } else {
    assert(isObject(error), 'no error', error)
    for (const [name, expected] of Object.entries(matcher)) {
      const actual: unknown = Reflect.get(error, name)
      const matches =
        expected instanceof RegExp ? expected.test(String(actual)) : isDeepEqual(actual, expected)
      assert(matches, `the ${name} of the error`, actual, expected)
    }
  }
}

export default Object.assign(assert, {
  ok: assert,
  equal(actual: unknown, expected: unknown): void {
    assert(Object.is(actual, expected), 'not equal', actual, expected)
  },
  notEqual(actual: unknown, expected: unknown): void {
    assert(!Object.is(actual, expected), 'the same', actual)
  },
  deepEqual(actual: unknown, expected: unknown): void {
    assert(
      isDeepEqual(actual, expected),
      'not equal',
      JSON.stringify(actual),
      JSON.stringify(expected),
    )
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
  async rejects(
    promise: Promise<unknown> | (() => Promise<unknown>),
    matcher?: Matcher,
  ): Promise<void> {
    try {
      await (typeof promise === 'function' ? promise() : promise)
    } catch (error) {
      return assertMatches(error, matcher)
    }
    throw new AssertionError('nothing was rejected')
  },
  match(text: string, pattern: RegExp): void {
    assert(pattern.test(text), `does not match ${pattern}`, text)
  },
  doesNotMatch(text: string, pattern: RegExp): void {
    assert(!pattern.test(text), `matches ${pattern}`, text)
  },
  fail(message = 'failed'): never {
    throw new AssertionError(message)
  },
})
