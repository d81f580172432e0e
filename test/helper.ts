import assert from 'node:assert/strict'
import { format, inspect } from 'node:util'
import { CredentialError, OAuthCredential } from 'mcp-credentials'

let serial = 0

/** An obvious fake, different each time, so that a leak of it can be searched for byte by byte. */
export function fakeSecret(purpose: string): string {
  serial += 1
  return `FAKE-${purpose}-${serial}-0123456789abcdef-do-not-leak`
}

export function fakeToken(): OAuthCredential {
  return new OAuthCredential({ accessToken: fakeSecret('token') })
}

/** What asking for a credential comes to. */
export function codeOf(ask: () => unknown): string {
  try {
    return ask() === undefined ? 'nothing' : 'a credential'
  } catch (error) {
    return String(Reflect.get(error as object, 'code'))
  }
}

/** Runs `fn` on a clock that stands still but for what `advance` adds. */
export function onStoppedClock(fn: (advance: (milliseconds: number) => void) => void): void {
  const { now } = Date
  let time = now()
  Date.now = () => time
  try {
    fn((milliseconds) => {
      time += milliseconds
    })
  } finally {
    Date.now = now
  }
}

/** Every way of looking at a value that a log, a person or a model may be shown. */
export function renderings(value: unknown): string[] {
  const texts = [
    String(value),
    `${JSON.stringify(value)}`,
    inspect(value, { showHidden: true, getters: true, depth: Infinity }),
    inspect(value, { customInspect: false, showHidden: true, depth: Infinity }),
    format('%o %O %s %j', value, value, value, value),
  ]
  if (!(value instanceof Error)) return texts
  return [
    ...texts,
    value.message,
    `${value.stack}`,
    inspect(value.cause),
    inspect(Object.getOwnPropertyDescriptors(value)),
  ]
}

/** What of a secret is found in the texts: the whole, or any eight characters of it in a row. */
export function findLeak(texts: readonly string[], secret: string): string | undefined {
  for (let start = 0; start + 8 <= secret.length; start++) {
    const piece = secret.slice(start, start + 8)
    if (texts.some((text) => text.includes(piece))) return piece
  }
  return secret.length < 8 && texts.some((text) => text.includes(secret)) ? secret : undefined
}

export function assertNoLeak(value: unknown, ...secrets: string[]): void {
  for (const secret of secrets) assert.equal(findLeak(renderings(value), secret), undefined)
}

/** Asserts that `fn` throws a CredentialError of this code, whose message matches and which holds none of the secrets. */
export function assertRefused(
  fn: () => unknown,
  code: string,
  message: RegExp,
  ...secrets: string[]
): void {
  assert.throws(fn, (error: unknown) => {
    assert(error instanceof CredentialError, inspect(error))
    assert.equal(error.code, code)
    assert.match(error.message, message)
    assert.equal(error.cause, undefined)
    assertNoLeak(error, ...secrets)
    return true
  })
}
