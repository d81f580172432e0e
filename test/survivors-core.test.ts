// Cases of the core that changes of the code have shown to be missing elsewhere.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  ConnectRequiredError,
  createAdapter,
  CredentialError,
  formatHeaders,
  fromEnv,
  fromHeaders,
  getCredentialMode,
  MissingCredentialHeaderError,
  OAuthCredential,
  parseEnv,
  parseHeaders,
  runWithCredentials,
  StaticCredential,
  stripCredentialHeaders,
} from 'mcp-credentials'
import type { CallEvent, CallResult } from 'mcp-credentials'
import { captureScope } from '../src/context.ts'
import { isVariable } from '../src/env.ts'
import { assertOptions } from '../src/errors.ts'
import type { OptionKind } from '../src/errors.ts'
import { formEncode } from '../src/grammar.ts'
import { assertRefused, fakeSecret, fakeToken } from './helper.ts'

const CONNECT =
  'Connect the account in the gateway that calls this server; never paste the secret into the chat.'

describe('messages', () => {
  const secret = fakeSecret('of-messages')
  const token = { 'x-mcp-cred-access-token': 'FAKE-token' }
  const quotes = 'X-MCP-Cred-Fields is not valid JSON: its strings need double quotes.'
  const example = 'X-MCP-Cred-Fields is not valid JSON, such as {"apiKey":"…"}.'
  const cases: [headers: Record<string, string>, message: string][] = [
    [
      { 'x-mcp-cred-access-token': `FAKE bearer ${secret}` },
      'X-MCP-Cred-Access-Token contains white space, which no token does (was it wrapped?).',
    ],
    [{ 'x-mcp-cred-fields': '{}' }, `X-MCP-Cred-Fields holds no field. ${CONNECT}`],
    [
      { ...token, 'x-mcp-cred-extra': `{${secret}}` },
      'X-MCP-Cred-Extra is not valid JSON, such as {"tenant":"…"}.',
    ],
    [
      { ...token, 'x-mcp-cred-scopes': `[${secret}]` },
      'X-MCP-Cred-Scopes is not valid JSON, such as ["repo"].',
    ],
    [{ 'x-mcp-cred-fields': ` {'a': '${secret}'}` }, quotes],
    [{ 'x-mcp-cred-fields': `{ 'a': '${secret}'}` }, quotes],
    [{ 'x-mcp-cred-fields': `a{'a': '${secret}'}` }, example],
  ]
  for (const [headers, message] of cases) {
    test(message, () => {
      const code = message.includes('no field')
        ? 'ERR_CREDENTIAL_MISSING'
        : 'ERR_CREDENTIAL_INVALID'
      const pattern = new RegExp(`^${message.replace(/[^\w ]/g, '\\$&')}$`)
      assertRefused(() => parseHeaders(headers), code, pattern, secret)
    })
  }
})

describe('headers', () => {
  test('are a record, where one is called get', () => {
    const headers = { get: 'FAKE', 'x-mcp-cred-access-token': 'FAKE-token' }
    assert.equal(parseHeaders(headers).accessToken, 'FAKE-token')
    assert.deepEqual(stripCredentialHeaders(headers), { get: 'FAKE' })
  })

  test('carry scopes as RFC 6749 writes them, wherever that can be read back', () => {
    const scopesOf = (...scopes: string[]) =>
      formatHeaders(new OAuthCredential({ accessToken: 'FAKE-token', scopes }))['X-MCP-Cred-Scopes']
    assert.equal(scopesOf('read', 'a[b]'), 'read a[b]')
    assert.equal(scopesOf('[a]', 'read'), '["[a]","read"]')
    assert.equal(scopesOf('a,b'), '["a,b"]')
  })

  test('whose names only look like Connection keep their values', () => {
    const headers = {
      'proxy-connection': 'x-mcp-cred-fields',
      'connection-id': 'x-mcp-cred-fields',
    }
    assert.deepEqual(stripCredentialHeaders(headers), headers)
  })
})

describe('environment variables', () => {
  test('may hold quotes and braces, if not around all of it', () => {
    for (const token of [
      'FAKE"quoted"',
      "FAKE'quoted'",
      'FAKE${NAME}',
      '${NAME}FAKE',
      '${a b}'.replace(' ', '/'),
    ])
      assert.equal(parseEnv('SVC_', { SVC_ACCESS_TOKEN: token }).accessToken, token)
  })

  test('that are not those of a prefix change nothing of its credential, nor does time', () => {
    const { now } = Date
    const env: Record<string, string> = { SVC_FIELD_a: 'FAKE' }
    const source = fromEnv('SVC_', { env, type: 'static' })
    const first = source({ headers: undefined })
    try {
      Date.now = () => now() + 1500
      assert.equal(source({ headers: undefined }), first)
      env['ABC_FIELD_b'] = 'FAKE'
      Date.now = () => now() + 3000
      assert.equal(source({ headers: undefined }), first)
      env['SVC_FIELD_b'] = 'FAKE'
      Date.now = () => now() + 4500
      assert.notEqual(source({ headers: undefined }), first)
    } finally {
      Date.now = now
    }
  })

  test('that make a grant give a refresher one that it knows again', async () => {
    const env = {
      SVC_REFRESH_TOKEN: 'FAKE-r',
      SVC_CLIENT_ID: 'FAKE-c',
      SVC_TOKEN_URI: 'https://a.example',
    }
    const given: unknown[] = []
    const refresh = async (grant: unknown) => {
      given.push(grant)
      return new OAuthCredential({ accessToken: 'FAKE' })
    }
    const source = fromEnv('SVC_', { env, type: 'oauth', refresh })
    await source({ headers: undefined })
    await source({ headers: undefined })
    assert(Object.isFrozen(given[0]))
    assert.equal(given[0], given[1])
    const other = fromEnv('SVC_', {
      env: { ...env, SVC_CRED_TYPE: 'static' },
      type: 'oauth',
      refresh,
    })
    await assert.rejects(async () => other({ headers: undefined }), { code: 'ERR_CREDENTIAL_TYPE' })
  })

  test('are known by what stands behind their prefix', () => {
    for (const name of ['FIELDS', 'FIELD_ab', 'EXTRA_\n', 'CRED_TYPE', 'TOKEN_URI'])
      assert.equal(isVariable(name), true, name)
    for (const name of [
      'MY_FIELDS',
      'FIELDSX',
      'FIELD_',
      'MY_FIELD_ab',
      'EXTRA',
      'CRED_TYPES',
      'TOKEN',
    ])
      assert.equal(isVariable(name), false, name)
  })

  test('are asked for where the runtime has none', () => {
    const process: unknown = Reflect.get(globalThis, 'process')
    Object.defineProperty(globalThis, 'process', {
      value: undefined,
      configurable: true,
      writable: true,
    })
    try {
      assert.equal(getCredentialMode(), 'oss')
      assert.throws(() => fromEnv('SVC_'), {
        message: 'This runtime has no process.env: pass the variables as the option env.',
      })
    } finally {
      Object.defineProperty(globalThis, 'process', {
        value: process,
        configurable: true,
        writable: true,
      })
    }
  })

  type Case = [
    what: string,
    names: string[],
    type: 'static' | 'oauth' | undefined,
    message: string | RegExp,
    prefix?: string,
    fields?: string[],
  ]
  const hint = / did you mean | is that the prefix/
  const none = new RegExp(`^(?![^]*(?:${hint.source}))`)
  const cases: Case[] = [
    [
      'a refresh token without its access token',
      ['SVC_REFRESH_TOKEN'],
      undefined,
      'Set SVC_ACCESS_TOKEN to the access token.',
    ],
    [
      'a field that is missing',
      ['SVC_FIELD_a', 'SVC_ACCESSTOKEN'],
      'static',
      'Set SVC_FIELD_b.',
      'SVC_',
      ['a', 'b'],
    ],
    ['two underscores', ['SVC__X'], 'static', none],
    [
      'a prefix without its underscore',
      ['SVC_A', 'SVCB'],
      'static',
      /start with SVC_: is that the prefix\?$/,
      'SVC',
    ],
    ['a prefix that is right', ['SVCX'], 'static', none, 'SVC'],
    ['what only ends like FIELDS', ['SVC_MY_FIELDS'], 'oauth', none],
    ['what only begins like FIELDS', ['SVC_FIELDSX'], 'oauth', none],
    ['what only ends like a field', ['SVC_MY_FIELD_a'], 'oauth', none],
    [
      'a token of a static credential',
      ['SVC_MY_TOKEN'],
      'static',
      / did you mean SVC_FIELD_myToken\?$/,
    ],
    ['the URL of a token endpoint, of a static credential', ['SVC_MY_TOKEN_URL'], 'static', none],
    ['what only begins like the URL of a token endpoint', ['SVC_TOKEN_URL_OLD'], 'oauth', none],
    ['a key', ['SVC_KEY'], 'static', / did you mean SVC_FIELD_key\?$/],
    ['a key with two underscores', ['SVC_API__KEY'], 'static', / did you mean SVC_FIELD_apiKey\?$/],
    ['what has a field in its name', ['SVC_MYFIELD_A'], 'static', none, 'SVC_', ['mya']],
    ['what only begins like a key', ['SVC_KEY_NAME'], 'static', none],
  ]
  for (const [what, names, type, message, prefix = 'SVC_', fields] of cases) {
    test(`are told of as they are set: ${what}`, () => {
      const env = Object.fromEntries(names.map((name) => [name, 'FAKE']))
      const expected = typeof message === 'string' ? { message } : message
      assert.throws(() => parseEnv(prefix, env, type as 'static', { fields }), expected)
    })
  }
})

describe('a credential', () => {
  const secret = fakeSecret('printed')
  for (const credential of [
    new StaticCredential({ secret }),
    new OAuthCredential({ accessToken: secret }),
  ]) {
    test(`prints itself the same in Node.js and in Deno: ${credential.type}`, () => {
      for (const name of ['nodejs.util.inspect.custom', 'Deno.customInspect']) {
        const inspect: unknown = Reflect.get(credential, Symbol.for(name))
        assert(typeof inspect === 'function')
        assert.equal(Reflect.apply(inspect, credential, []), String(credential))
      }
    })
  }

  test('has expired at the very moment that it names', () => {
    const { now } = Date
    const credential = new OAuthCredential({ accessToken: 'FAKE', expiresAt: new Date(60_000) })
    try {
      for (const [time, leeway, isExpired] of [
        [60_000, 0, true],
        [59_999, 0, false],
        [0, 60, true],
        [0, 59, false],
      ] as const) {
        Date.now = () => time
        assert.equal(credential.isExpired(leeway), isExpired)
      }
    } finally {
      Date.now = now
    }
    assert.throws(() => credential.isExpired(-1), {
      message: 'leewaySeconds must be a number, 0 or more.',
    })
  })
})

describe('headers that have to be verified', () => {
  const headers = new Headers({ 'x-mcp-cred-access-token': 'FAKE-token' })
  const ask = async (answer: unknown, given = headers) => {
    const verify = (() => answer) as () => boolean
    return fromHeaders({ type: 'oauth', verify })({ headers: given })
  }

  test('are believed where the verifier says true, at once or later', async () => {
    for (const answer of [true, Promise.resolve(true)])
      assert.equal((await ask(answer)).accessToken, 'FAKE-token')
  })

  test('are refused for anything else', async () => {
    for (const answer of [false, undefined, 1, 'true', {}, Promise.resolve(false)])
      await assert.rejects(ask(answer), {
        code: 'ERR_CREDENTIAL_UNTRUSTED',
        message: 'The credential headers of this request could not be verified.',
      })
  })

  test('are said to be missing where there is none', async () => {
    const missing = { code: 'ERR_CREDENTIAL_MISSING' }
    await assert.rejects(ask(false, new Headers({ other: 'FAKE' })), missing)
  })
})

describe('a call', () => {
  const credential = fakeToken()
  const request = { headers: undefined }

  test('is cancelled where that happened while its source was busy', async () => {
    for (const [isAborted, isSlow, isCancelled] of [
      [true, true, true],
      [true, false, false],
      [false, true, false],
      [false, false, false],
      [undefined, true, false],
    ]) {
      const ask = createAdapter(() => (isSlow ? Promise.resolve(credential) : credential))
      const signal = isAborted === undefined ? undefined : AbortSignal.abort()
      const given = isAborted === false ? new AbortController().signal : signal
      assert.equal(
        (await ask({ headers: undefined, signal: given as never })).isCancelled,
        isCancelled,
      )
    }
  })

  const refusal = new CredentialError('ERR_CREDENTIAL_SCOPE', 'FAKE message')
  const described = {
    name: 'CredentialError',
    code: 'ERR_CREDENTIAL_SCOPE',
    message: 'FAKE message',
  }
  const own = { name: 'Error', code: undefined, message: 'FAKE' }
  const left = { name: 'AbortError', code: undefined, message: 'The client has left.' }
  const results: [
    what: string,
    result: CallResult,
    outcome: CallEvent['outcome'],
    error: unknown,
  ][] = [
    ['is over', {}, 'ok', undefined],
    ['ended in 403', { status: 403 }, 'ok', undefined],
    ['lost its client', { status: 499 }, 'failed', left],
    ['ended in 500', { status: 500 }, 'failed', undefined],
    ['threw one of our errors', { outcome: 'failed', cause: refusal }, 'failed', described],
    ['has an error of its own', { outcome: 'failed', cause: refusal, error: own }, 'failed', own],
    ['threw something else', { outcome: 'failed', cause: new Error('FAKE') }, 'failed', undefined],
  ]
  for (const [what, result, outcome, error] of results) {
    test(`that ${what} is told to the operator`, async () => {
      const events: CallEvent[] = []
      const start = performance.now()
      const onCall = (event: CallEvent) => events.push(event)
      const call = await createAdapter(() => credential, { onCall })(request)
      call.end(result)
      const [event] = events
      assert(event)
      assert.equal(event.outcome, outcome)
      assert.deepEqual(event.error, error)
      assert(event.sourceMilliseconds <= event.milliseconds)
      assert(event.milliseconds <= performance.now() - start)
    })
  }

  test('is shown to its source as it is, where its headers are', async () => {
    for (const headers of [undefined, new Headers()]) {
      const given = { headers }
      const ask = createAdapter((asked) => {
        assert.equal(asked, given)
        return credential
      })
      assert.equal((await ask(given)).credential, credential)
    }
  })
})

describe('an account to be connected', () => {
  test('is connected on a page, and by nothing that only holds the URL of one', () => {
    for (const url of [
      'javascript:https://a.example',
      ' https://a.example',
      'data:,http://a.example',
    ])
      assert.throws(() => new ConnectRequiredError(url), {
        code: 'ERR_INVALID_ARG_VALUE',
        message:
          'ConnectRequiredError takes the URL of a page, such as https://mcp.example.com/connect.',
      })
  })

  test('is known to the scope in which that was said, the last of several', () => {
    const scopes = [fakeToken(), fakeToken()].map((credential) =>
      runWithCredentials(credential, () => captureScope()),
    )
    const errors = runWithCredentials(fakeToken(), () => {
      const made = ['a', 'b'].map((path) => new ConnectRequiredError(`https://a.example/${path}`))
      assert.equal(captureScope().connectError(), made[1])
      return made
    })
    assert.equal(errors.length, 2)
    for (const scope of scopes) assert.equal(scope.connectError(), undefined)
  })
})

test('errors keep lists of their own, and leave those that they are given as they are', () => {
  const names = ['a', 'b']
  const missing = new MissingCredentialHeaderError(names)
  const connect = new ConnectRequiredError('https://a.example', { scopes: names })
  names.push('c')
  for (const list of [missing.missingHeaders, connect.scopes]) {
    assert.deepEqual(list, ['a', 'b'])
    assert(Object.isFrozen(list))
  }
})

test('a form is encoded as the URL standard has it', () => {
  const text = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('')
  assert.equal(formEncode(text), new URLSearchParams({ text }).toString().slice('text='.length))
})

describe('an option', () => {
  const run = () => undefined
  const kinds: [kind: OptionKind, description: string, good: unknown[], bad: unknown[]][] = [
    ['array', 'a list', [[], [1]], [{}, 'a']],
    ['boolean', 'true or false', [true, false], [0, 'true']],
    ['date', 'a Date', [new Date(0)], [0, '2026-05-04']],
    ['function', 'a function', [run], [{}, 'run']],
    ['object', 'an object', [{}, []], ['a', run]],
    ['refresher', 'a function, such as createRefresher() returns', [run], [{}, true]],
    [
      'seconds',
      'a finite number of seconds, 0 or more',
      [0, 0.5, Number.MAX_VALUE],
      [-1, NaN, Infinity, '1', 1n, new Date(1)],
    ],
    ['string', 'a string', ['', 'a'], [1, ['a']]],
    ['strings', 'a list of strings', [[], ['a']], ['a', [1], ['a', 1]]],
    ['type', '"static" or "oauth"', ['static', 'oauth'], ['', 'OAuth', ['oauth']]],
    ['verifier', 'a function, such as createSignatureVerifier({ keys }) returns', [run], [true]],
  ]
  for (const [kind, description, good, bad] of kinds) {
    test(`may be ${description}`, () => {
      const check = (value: unknown) => assertOptions({ value }, 'FAKE', { value: [kind] })
      for (const value of [...good, undefined]) check(value)
      for (const value of [...bad, null]) {
        const message = `The option value of FAKE must be ${description}.`
        assert.throws(() => check(value), {
          name: 'TypeError',
          code: 'ERR_INVALID_ARG_VALUE',
          message,
        })
      }
    })
  }

  test('of several kinds is refused with all of them', () => {
    assert.throws(
      () => assertOptions({ a: 1 }, 'FAKE', { a: ['boolean', 'function'], b: ['date'] }),
      {
        message: 'The option a of FAKE must be true or false or a function.',
      },
    )
    assert.throws(
      () => assertOptions({ c: 1 }, 'FAKE', { a: ['boolean', 'function'], b: ['date'] } as never),
      {
        message: '"c" is not an option of FAKE: use a, b.',
      },
    )
  })
})
