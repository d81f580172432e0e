import assert from 'node:assert/strict'
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { after, describe, test } from 'node:test'
import process from 'node:process'
import { tmpdir } from 'node:os'
import { CredentialError, fromEnv, parseEnv } from 'mcp-credentials'
import type { Environment } from 'mcp-credentials'
import { withFiles } from 'mcp-credentials/files'
import { assertNoLeak, fakeSecret } from './helper.ts'

const folder = mkdtempSync(`${tmpdir()}/mounted-`)
const folderName = folder.slice(-'mounted-'.length - 6)
after(() => rmSync(folder, { recursive: true }))

let serial = 0
/** A file with this content. */
function file(content: string | Uint8Array): string {
  serial += 1
  const path = `${folder}/secret-${serial}`
  writeFileSync(path, content)
  return path
}

/** The very module that the library finds. */
type FileSystem = Record<'statSync' | 'readFileSync', (...args: unknown[]) => object>
const builtinFiles = () => (process.getBuiltinModule as (id: string) => FileSystem)('node:fs')

const request = { headers: undefined }
const read = (env: Environment) => withFiles('X_', env)

/** Runs `fn` on a clock that stands still at this time. */
function at<T>(time: number, fn: () => T): T {
  const { now } = Date
  Date.now = () => time
  try {
    return fn()
  } finally {
    Date.now = now
  }
}

describe('withFiles', () => {
  test('gives the content of the file that a variable names, without its line break', () => {
    const key = fakeSecret('key')
    for (const end of ['', '\n', '\r\n']) {
      const env = read({ X_FIELD_apiKey_FILE: file(key + end) })
      assert.deepEqual({ ...parseEnv('X_', env, 'static').fields }, { apiKey: key })
    }
    const lines = `${key}\n\n`
    const two = read({ X_FIELD_apiKey_FILE: file(lines) })
    assert.equal(parseEnv('X_', two, 'static').field('apiKey'), `${key}\n`)
    const marked = read({ X_FIELD_apiKey_FILE: file(`\uFEFF${key}`) })
    assert.equal(parseEnv('X_', marked, 'static').field('apiKey'), key)
  })

  test('does so for every variable that parseEnv reads, and for the prefix in any case', () => {
    const values = {
      CRED_TYPE: 'oauth',
      ACCESS_TOKEN: fakeSecret('access'),
      REFRESH_TOKEN: fakeSecret('refresh'),
      CLIENT_ID: 'client',
      CLIENT_SECRET: fakeSecret('client'),
      TOKEN_URI: 'https://auth.example/token',
      SCOPES: 'read write',
      EXPIRES_AT: '2036-05-04T00:00:00Z',
      EXTRA_TENANT: 'acme',
    }
    const named = Object.entries(values).map(([name, value]) => [`X_${name}_FILE`, file(value)])
    const credential = parseEnv('x_', withFiles('x_', Object.fromEntries(named)), 'oauth')
    assert.equal(credential.accessToken, values.ACCESS_TOKEN)
    assert.equal(credential.refreshToken, values.REFRESH_TOKEN)
    assert.equal(credential.clientSecret, values.CLIENT_SECRET)
    assert.equal(credential.tokenUri, values.TOKEN_URI)
    assert.deepEqual(credential.scopes, ['read', 'write'])
    assert.equal(credential.expiresAt?.getTime(), Date.parse(values.EXPIRES_AT))
    assert.deepEqual({ ...credential.extra }, { tenant: 'acme' })
    const json = read({ X_FIELDS_FILE: file('{"apiKey_FILE":"FAKE-key"}') })
    assert.deepEqual({ ...parseEnv('X_', json, 'static').fields }, { apiKey_FILE: 'FAKE-key' })
  })

  test('leaves every other variable as it is', () => {
    const path = `${folder}/absent`
    const env = { X_LOG_FILE: path, Y_FIELD_a_FILE: path, X_FIELD__FILE: 'a', HOME: '/', FILE: 'b' }
    const seen = read({ ...env, X_FIELD_b: 'FAKE-b', X_FIELD_c_FILE: '' })
    for (const [name, value] of Object.entries(env)) {
      assert.equal(seen[name], value)
      assert(name in seen)
    }
    assert.equal(seen['X_FIELD_b'], 'FAKE-b')
    assert.equal(seen['X_FIELD_c'], undefined)
    assert.equal(seen['absent'], undefined)
    assert.equal('absent' in seen, false)
    assert.equal(Reflect.get(seen, Symbol.iterator), undefined)
    assert.equal(Reflect.has(seen, Symbol.iterator), false)
    assert.equal(Reflect.getOwnPropertyDescriptor(seen, Symbol.iterator), undefined)
    assert.equal(Reflect.getOwnPropertyDescriptor(seen, 'absent'), undefined)
  })

  test('lists what is in files by its own name, and reads none for that', () => {
    const env = read({
      A: 'a',
      X_FIELD_b_FILE: `${folder}/absent`,
      X_FIELD_c_FILE: '',
      X_FIELD_c: 'c',
    })
    assert.deepEqual(Object.keys(env).sort(), ['A', 'X_FIELD_b', 'X_FIELD_c'])
    assert('X_FIELD_b' in env)
    assert.equal('X_FIELD_b_FILE' in env, false)
    assert.equal(env['X_FIELD_b_FILE'], undefined)
  })

  test('refuses arguments of another kind', () => {
    assert.throws(() => withFiles(undefined as unknown as string, {}), {
      code: 'ERR_INVALID_ARG_TYPE',
    })
    assert.throws(() => withFiles('X_', undefined as unknown as Environment), {
      code: 'ERR_INVALID_ARG_TYPE',
    })
  })

  const secret = fakeSecret('content')
  const NOT_UTF8 = new Uint8Array([...new TextEncoder().encode(secret), 0xff])
  for (const [what, make, reason] of [
    ['is missing', () => `${folder}/${secret}`, 'does not exist'],
    ['is a folder', () => folder, 'is none, but a folder or a device'],
    ['is a device', () => '/dev/zero', 'is none, but a folder or a device'],
    ['is a circle of symbolic links', () => circle(), 'cannot be read (ELOOP)'],
    ['cannot be named', () => `${folder}/\0${secret}`, 'cannot be read'],
    ['is empty', () => file(''), 'is empty'],
    ['holds a line break and nothing else', () => file('\r\n'), 'is empty'],
    ['is larger than 64 KiB', () => file(secret.padEnd(65_537, 'x')), 'is larger than 64 KiB'],
    ['is not UTF-8', () => file(NOT_UTF8), 'is not UTF-8'],
  ] as const) {
    test(`a file that ${what} is an error that names its variable alone`, () => {
      const path = make()
      const env = read({ X_FIELD_apiKey_FILE: path })
      assertFileError(
        () => parseEnv('X_', env, 'static'),
        `X_FIELD_apiKey_FILE: the file ${reason}.`,
        secret,
        folderName,
      )
      const source = fromEnv('X_', { type: 'static', env })
      assertFileError(
        () => source(request),
        `X_FIELD_apiKey_FILE: the file ${reason}.`,
        secret,
        folderName,
      )
    })
  }

  test('64 KiB is not too large', () => {
    const env = read({ X_FIELD_apiKey_FILE: file('x'.repeat(65_536)) })
    assert.equal(parseEnv('X_', env, 'static').field('apiKey').length, 65_536)
  })

  test('a variable that is set as well is an error that names both', () => {
    const env = read({ X_FIELD_apiKey_FILE: file(secret), X_FIELD_apiKey: secret })
    const message = 'X_FIELD_apiKey and X_FIELD_apiKey_FILE are both set: remove one.'
    assertFileError(() => parseEnv('X_', env, 'static'), message, secret)
    const empty = read({ X_FIELD_apiKey_FILE: file(secret), X_FIELD_apiKey: '' })
    assert.equal(parseEnv('X_', empty, 'static').field('apiKey'), secret)
  })

  test('where the runtime has no files, an error says so', () => {
    const env = read({ X_FIELD_apiKey_FILE: file(secret) })
    const { getBuiltinModule } = process
    try {
      process.getBuiltinModule = undefined
      const message = 'X_FIELD_apiKey_FILE is set, but this runtime has no files.'
      assertFileError(() => parseEnv('X_', env, 'static'), message, secret)
      assert.equal(parseEnv('X_', read({ X_FIELD_a: 'FAKE-a' }), 'static').field('a'), 'FAKE-a')
    } finally {
      process.getBuiltinModule = getBuiltinModule
    }
  })

  /** While a file is read, `fn` runs, as another process may. */
  function whileReading(fn: () => void, read: () => unknown): unknown {
    const fs = builtinFiles()
    const original = fs.readFileSync
    fs.readFileSync = (...args) => {
      const content = original(...args)
      fn()
      return content
    }
    try {
      return read()
    } finally {
      fs.readFileSync = original
    }
  }

  test('a file that changes while it is read is an error, and what it changed to is read next', () => {
    const path = file(secret)
    const source = fromEnv('X_', { type: 'static', env: read({ X_FIELD_apiKey_FILE: path }) })
    const other = fakeSecret('changed')
    assertFileError(
      () =>
        whileReading(
          () => writeFileSync(path, other),
          () => source(request),
        ),
      'X_FIELD_apiKey_FILE: the file changed while it was read.',
      secret,
      other,
    )
    assert.equal(fieldOf(source(request)), other)
  })
})

/** Two symbolic links that lead to each other. */
function circle(): string {
  serial += 1
  symlinkSync(`${folder}/b-${serial}`, `${folder}/a-${serial}`)
  symlinkSync(`${folder}/a-${serial}`, `${folder}/b-${serial}`)
  return `${folder}/a-${serial}`
}

function assertFileError(fn: () => unknown, message: string, ...secrets: string[]): void {
  let error: unknown
  try {
    fn()
  } catch (thrown) {
    error = thrown
  }
  assert(error instanceof CredentialError)
  assert.equal(error.message, message)
  assert.equal(error.isServerFault, true)
  assert.notEqual(error.code, 'ERR_CREDENTIAL_MISSING')
  assertNoLeak(error, ...secrets)
}

const fieldOf = (credential: unknown): string =>
  (credential as { field(name: string): string }).field('apiKey')

describe('a file that changes', () => {
  /** A source, and how often a file was looked at and read since this was last asked. */
  function watched(path: string) {
    const env = read({ X_FIELD_apiKey_FILE: path })
    const source = fromEnv('X_', { type: 'static', env, fields: ['apiKey'] })
    // A busy machine takes as long as it likes between two questions.
    const start = Date.now()
    const ask = (milliseconds = 0) => at(start + milliseconds, () => source(request))
    return { ask, apiKey: (milliseconds = 0) => fieldOf(ask(milliseconds)) }
  }

  /** How often the file system is asked while `fn` runs. */
  function countingQuestions(fn: () => void): { readonly stat: number; readonly read: number } {
    const fs = builtinFiles()
    const originals = { ...fs }
    const counts = { stat: 0, read: 0 }
    fs.statSync = (...args) => {
      counts.stat += 1
      return originals.statSync(...args)
    }
    fs.readFileSync = (...args) => {
      counts.read += 1
      return originals.readFileSync(...args)
    }
    try {
      fn()
    } finally {
      fs.statSync = originals.statSync
      fs.readFileSync = originals.readFileSync
    }
    return counts
  }

  test('is looked at once a second at most, and not read again while it has not', () => {
    const { ask } = watched(file(fakeSecret('key')))
    ask()
    // By then it is no longer so young that it could change unnoticed.
    const first = ask(2000)
    const within = countingQuestions(() => {
      for (let index = 0; index < 1000; index++) assert.equal(ask(2000), first)
    })
    assert.deepEqual(within, { stat: 0, read: 0 })
    const after = countingQuestions(() => {
      for (let second = 4; second < 14; second++) assert.equal(ask(second * 1000), first)
    })
    assert.deepEqual(after, { stat: 10, read: 0 })
  })

  test('in place is noticed, of the same size too', () => {
    const [one, two] = [fakeSecret('key'), fakeSecret('key')]
    assert.equal(one.length, two.length)
    const path = file(one)
    const { apiKey } = watched(path)
    assert.equal(apiKey(), one)
    writeFileSync(path, two)
    assert.equal(apiKey(2000), two)
  })

  test('within the same tick of the clock as it was read is noticed', () => {
    const [one, two] = [fakeSecret('key'), fakeSecret('key')]
    const path = `${folder}/young`
    writeFileSync(path, one)
    const { apiKey } = watched(path)
    assert.equal(apiKey(), one)
    // As if both had been written in one tick: only what is in the file differs.
    const { ctimeMs } = statSync(path)
    writeFileSync(path, two)
    const fs = builtinFiles()
    const { statSync: original } = fs
    const frozen = original(path, { bigint: true })
    fs.statSync = () => frozen
    try {
      assert.equal(apiKey(900), one)
      assert.equal(apiKey(1100), two)
    } finally {
      fs.statSync = original
    }
    assert(ctimeMs > 0)
  })

  test('by a rename is noticed', () => {
    const [one, two] = [fakeSecret('key'), fakeSecret('key')]
    const path = file(one)
    const { apiKey } = watched(path)
    assert.equal(apiKey(), one)
    renameSync(file(two), path)
    assert.equal(apiKey(2000), two)
  })

  test('as Kubernetes swaps the symbolic link to its folder is noticed', () => {
    const [one, two] = [fakeSecret('key'), fakeSecret('key')]
    const mount = `${folder}/mount`
    for (const [name, key] of [
      ['..2026_01', one],
      ['..2026_02', two],
    ] as const) {
      mkdirSync(`${mount}/${name}`, { recursive: true })
      writeFileSync(`${mount}/${name}/api-key`, key)
    }
    symlinkSync('..2026_01', `${mount}/..data`)
    symlinkSync('..data/api-key', `${mount}/api-key`)
    const { apiKey } = watched(`${mount}/api-key`)
    assert.equal(apiKey(), one)
    symlinkSync('..2026_02', `${mount}/..data_tmp`)
    renameSync(`${mount}/..data_tmp`, `${mount}/..data`)
    rmSync(`${mount}/..2026_01`, { recursive: true })
    assert.equal(apiKey(2000), two)
  })

  test('to nothing is an error, until it is there again', () => {
    const [one, two] = [fakeSecret('key'), fakeSecret('key')]
    const path = file(one)
    const { apiKey } = watched(path)
    assert.equal(apiKey(), one)
    truncateSync(path, 0)
    assert.throws(() => apiKey(2000), /X_FIELD_apiKey_FILE: the file is empty\./)
    rmSync(path, { recursive: false })
    assert.throws(() => apiKey(4000), /X_FIELD_apiKey_FILE: the file does not exist\./)
    writeFileSync(path, two)
    assert.equal(apiKey(6000), two)
  })

  test('of a variable that comes to name another one is noticed at once', () => {
    const [one, two] = [fakeSecret('key'), fakeSecret('key')]
    const env: Record<string, string> = { X_FIELD_apiKey_FILE: file(one) }
    const source = fromEnv('X_', { type: 'static', env: read(env) })
    assert.equal(fieldOf(source(request)), one)
    env['X_FIELD_apiKey_FILE'] = file(two)
    assert.equal(fieldOf(source(request)), two)
  })

  test('that is named later is found within a second', () => {
    const env: Record<string, string> = { X_FIELD_a: 'FAKE-a' }
    const source = fromEnv('X_', { type: 'static', env: read(env) })
    const start = Date.now()
    const names = (milliseconds: number) =>
      Object.keys(
        at(start + milliseconds, () => source(request) as { fields: object }).fields,
      ).sort()
    assert.deepEqual(names(0), ['a'])
    env['X_FIELD_apiKey_FILE'] = file(fakeSecret('key'))
    assert.deepEqual(names(1100), ['a', 'apiKey'])
  })
})
