// Cases of withFiles that changes of the code have shown to be missing elsewhere.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import process from 'node:process'
import { after, describe, test } from 'node:test'
import { CredentialError } from 'mcp-credentials'
import type { Environment } from 'mcp-credentials'
import { withFiles } from 'mcp-credentials/files'
import { assertNoLeak, fakeSecret, onStoppedClock } from './helper.ts'

const folder = mkdtempSync(`${tmpdir()}/survivors-`)
after(() => rmSync(folder, { recursive: true }))

let serial = 0
function file(content: string): string {
  serial += 1
  const path = `${folder}/${serial}`
  writeFileSync(path, content)
  return path
}

interface FileSystem {
  statSync(path: string, options: object): { readonly ctimeNs: bigint }
}
const files = (process.getBuiltinModule as (id: string) => FileSystem)('node:fs')

/** Runs `fn` where every look at a file says the same, or fails. */
function whereLooking(look: () => { readonly ctimeNs: bigint }, fn: () => void): void {
  const { statSync } = files
  files.statSync = look
  try {
    fn()
  } finally {
    files.statSync = statSync
  }
}

function errorOf(fn: () => unknown): CredentialError {
  try {
    fn()
  } catch (error) {
    assert(error instanceof CredentialError, String(error))
    return error
  }
  assert.fail('Nothing was thrown.')
}

describe('withFiles', () => {
  for (const [age, isReadAgain] of [
    [0, true],
    [1000, true],
    [1001, false],
    [60_000, false],
  ] as const) {
    const what = isReadAgain ? 'is read again: it may have changed' : 'is not read again'
    test(`a file that looks as it did, and was ${age} ms old when it was read, ${what}`, () => {
      const [one, two] = [fakeSecret('one'), fakeSecret('two')]
      const path = file(one)
      const stats = files.statSync(path, { bigint: true })
      const changedAt = Number(stats.ctimeNs / 1_000_000n)
      onStoppedClock((advance) => {
        advance(changedAt + age - Date.now())
        const env = withFiles('X_', { X_FIELD_a_FILE: path })
        whereLooking(
          () => stats,
          () => {
            assert.equal(env['X_FIELD_a'], one)
            writeFileSync(path, two)
            advance(999)
            assert.equal(env['X_FIELD_a'], one)
            advance(1)
            assert.equal(env['X_FIELD_a'], isReadAgain ? two : one)
          },
        )
      })
    })
  }

  test('keeps the line breaks in what a file holds, but for the last', () => {
    const env = withFiles('X_', { X_FIELD_a_FILE: file('FAKE-one\nFAKE-two\r\nFAKE-three\r\n') })
    assert.equal(env['X_FIELD_a'], 'FAKE-one\nFAKE-two\r\nFAKE-three')
  })

  test('has no variable that is neither set nor in a file', () => {
    const env = withFiles('X_', { X_FIELD_a_FILE: '/none', X_FIELD_b: 'FAKE-b', OTHER_FILE: 'x' })
    const has = (name: string) => name in env
    const names = ['X_FIELD_a', 'X_FIELD_b', 'X_FIELD_c', 'OTHER', 'OTHER_FILE', 'X_FIELD_a_FILE']
    assert.deepEqual(names.map(has), [true, true, false, false, true, false])
  })

  test('tells the system’s reason by its name, and no other code', () => {
    const env = withFiles('X_', { X_FIELD_a_FILE: file(fakeSecret('unread')) })
    for (const [code, reason] of [
      ['EACCES', 'cannot be read (EACCES)'],
      ['ERR_ACCESS_DENIED', 'cannot be read'],
      ['EIO with more', 'cannot be read'],
      [undefined, 'cannot be read'],
    ]) {
      const fail = () => {
        throw Object.assign(new Error('no'), { code })
      }
      whereLooking(fail, () => {
        const error = errorOf(() => env['X_FIELD_a'])
        assert.equal(error.message, `X_FIELD_a_FILE: the file ${reason}.`)
        assert.equal(error.code, 'ERR_CREDENTIAL_INVALID')
        assert.equal(error.isServerFault, true)
      })
    }
  })

  test('is itself the fault of the server, whoever reads a variable', () => {
    const secret = fakeSecret('twice')
    const both = withFiles('X_', { X_FIELD_a: secret, X_FIELD_a_FILE: file(secret) })
    const error = errorOf(() => both['X_FIELD_a'])
    assert.deepEqual([error.code, error.isServerFault], ['ERR_CREDENTIAL_INVALID', true])
    assertNoLeak(error, secret)
  })

  test('is unavailable where the runtime has no process, or no modules', () => {
    const env = withFiles('X_', { X_FIELD_a_FILE: file('FAKE-a') })
    const descriptor = Object.getOwnPropertyDescriptor(globalThis, 'process')
    assert(descriptor)
    for (const value of [undefined, {}]) {
      Object.defineProperty(globalThis, 'process', { value, configurable: true, writable: true })
      try {
        const { code, isServerFault } = errorOf(() => env['X_FIELD_a'])
        assert.deepEqual([code, isServerFault], ['ERR_CREDENTIAL_UNAVAILABLE', true])
      } finally {
        Object.defineProperty(globalThis, 'process', descriptor)
      }
    }
  })

  test('says what it takes', () => {
    const code = 'ERR_INVALID_ARG_TYPE'
    const prefix = 'The prefix of the variables must be a string.'
    const noText = undefined as unknown as string
    assert.throws(() => withFiles(noText, {}), { code, message: prefix })
    const env = 'The environment must be given as an object, such as process.env.'
    const noObject = 'x' as unknown as Environment
    assert.throws(() => withFiles('X_', noObject), { code, message: env })
  })
})
