import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  ConnectRequiredError,
  CredentialError,
  getCredentials,
  MissingCredentialHeaderError,
  OAuthCredential,
  runWithCredentials,
  StaticCredential,
  tryGetCredentials,
} from 'mcp-credentials'
import type { CallDetails, CallEvent, CredentialRequest } from 'mcp-credentials'
import { createToolRunner } from 'mcp-credentials/tool'
import type { CreateToolRunnerOptions, ToolCall } from 'mcp-credentials/tool'
import { assertNoLeak, codeOf, fakeSecret } from './helper.ts'

const request = { tool: 'whoami', headers: undefined }

/** A runner whose events are kept, and the secret of its calls. */
function setUp(options: CreateToolRunnerOptions = {}) {
  const secret = fakeSecret('tool')
  const credential = new OAuthCredential({ accessToken: secret })
  const events: CallEvent[] = []
  const details: CallDetails[] = []
  const onCall = (event: CallEvent, detail: CallDetails) => {
    events.push(event)
    details.push(detail)
  }
  const runTool = createToolRunner(() => credential, { onCall, ...options })
  return { secret, credential, events, details, runTool, onCall }
}

const text = (value: string) => ({ content: [{ type: 'text', text: value }] })

describe('a tool that runs', () => {
  test('has the credential of its call, until it is over', async () => {
    const { runTool, credential, events } = setUp()
    let left = Promise.resolve('not yet')
    const result = await runTool(request, (call) => {
      assert.equal(call.credential, credential)
      assert.equal(getCredentials(), credential)
      left = Promise.resolve().then(async () => {
        for (let turn = 0; turn < 50; turn++) await undefined
        return codeOf(getCredentials)
      })
      return text('done')
    })
    assert.deepEqual(result, text('done'))
    assert.equal(await left, 'ERR_CREDENTIAL_ENDED')
    assert.equal(tryGetCredentials(), undefined)
    assert.equal(events.length, 1)
    const [event] = events
    assert(event)
    assert.equal(event.outcome, 'ok')
    assert.equal(event.tool, 'whoami')
    assert.equal(event.type, 'oauth')
    assert.equal(event.error, undefined)
    assert.deepEqual(event.redacted, [])
    assert(event.milliseconds >= event.sourceMilliseconds && event.sourceMilliseconds >= 0)
  })

  const SAME: [name: string, result: unknown][] = [
    ['undefined', undefined],
    ['null', null],
    ['a number', 7],
    ['a string', 'text'],
    ['an object', { a: 1 }],
    ['a list', [1, 2]],
    ['a result without a secret', text('harmless')],
    ['content that is no list', { content: 'text', contents: 7, messages: { a: 1 } }],
    ['blocks that are none', { content: [null, 1, 'x'], contents: [undefined] }],
    ['messages of another kind', { messages: [null, { id: 1 }, 'hello'] }],
    ['base64 without a secret', { content: [{ type: 'image', data: 'R0lGODlhAQABAAAAACw=' }] }],
    ['a failure without content', { isError: true }],
    ['structured content without a secret', { content: [], structuredContent: { a: 1 } }],
  ]
  for (const [name, result] of SAME) {
    test(`returns ${name}: the very same value`, async () => {
      const { runTool } = setUp()
      assert.equal(await runTool(request, () => result), result)
    })
  }

  const LEAKS: [name: string, leak: (secret: string) => unknown, expected: unknown][] = [
    ['a text', (s) => text(`Bearer ${s}`), text('Bearer [redacted]')],
    ['a plain string', (s) => s, '[redacted]'],
    [
      'a resource link',
      (s) => ({ content: [{ uri: `a:${s}` }] }),
      { content: [{ uri: 'a:[redacted]' }] },
    ],
    [
      'a list of messages',
      (s) => ({ messages: [{ id: s }] }),
      { messages: [{ id: '[redacted]' }] },
    ],
  ]
  for (const [name, leak, expected] of LEAKS) {
    test(`returns its secret in ${name}: it is taken out`, async () => {
      const { runTool, secret, events } = setUp()
      const result = await runTool(request, () => leak(secret))
      assert.deepEqual(result, expected)
      assert.equal(events[0]?.redacted.length, 1)
      assert.equal(events[0]?.redacted[0]?.name, 'accessToken')
      assertNoLeak(events, secret)
      const open = setUp({ redact: false })
      const raw = await open.runTool(request, () => leak(open.secret))
      assert.throws(() => assertNoLeak(raw, open.secret))
      assertNoLeak(open.events, open.secret)
    })
  }

  const NOTICE = 'The content of the tool was withheld, because it held a secret (accessToken).'
  const encode = (s: string) => btoa(`GIF89a ${s}`)
  const notice = { type: 'text', text: NOTICE }
  const BASE64: [name: string, leak: (secret: string) => unknown, expected: unknown][] = [
    [
      'an image of a tool',
      (s) => ({
        content: [
          { type: 'image', data: encode(s) },
          { type: 'text', text: 'kept' },
        ],
      }),
      { content: [notice, { type: 'text', text: 'kept' }] },
    ],
    [
      'an embedded resource of a tool',
      (s) => ({ content: [{ type: 'resource', resource: { uri: 'a:b', blob: encode(s) } }] }),
      { content: [{ type: 'resource', resource: { uri: 'a:b', text: NOTICE } }] },
    ],
    [
      'the blob of a resource',
      (s) => ({ contents: [{ uri: 'a:b', blob: encode(s) }] }),
      { contents: [{ uri: 'a:b', text: NOTICE }] },
    ],
    [
      'an image in a prompt',
      (s) => ({ messages: [{ role: 'user', content: { type: 'image', data: encode(s) } }] }),
      { messages: [{ role: 'user', content: notice }] },
    ],
    [
      'an embedded resource in a prompt',
      (s) => ({
        messages: [{ role: 'user', content: { resource: { uri: 'a:b', blob: encode(s) } } }],
      }),
      { messages: [{ role: 'user', content: { resource: { uri: 'a:b', text: NOTICE } } }] },
    ],
    [
      'structured content',
      (s) => ({ ...text('a'), structuredContent: { token: s } }),
      {
        ...text(
          'The structured result of the tool was withheld, because it held a secret (accessToken).',
        ),
        isError: true,
      },
    ],
  ]
  for (const [name, leak, expected] of BASE64) {
    test(`returns its secret in ${name}: that is withheld`, async () => {
      const { runTool, secret } = setUp()
      assert.deepEqual(await runTool(request, () => leak(secret)), expected)
      const open = setUp({ redact: false })
      const raw = leak(open.secret)
      assert.equal(await open.runTool(request, () => raw), raw)
    })
  }

  test('is withheld without the name of the secret where an event names a hundred already', async () => {
    const { runTool, secret, events } = setUp()
    const blocks = Array.from({ length: 120 }, () => text(secret).content)
    const result = await runTool(request, ({ redact }) => {
      assert.deepEqual(redact(blocks)[119], text('[redacted]').content)
      return { content: [{ type: 'image', data: encode(secret) }] }
    })
    assert.deepEqual(result, { content: [{ type: 'text', text: NOTICE.replace(/ \(.*\)/, '') }] })
    assert.equal(events[0]?.redacted.length, 100)
  })

  test('leaves fields that are named as no secrets', async () => {
    const secret = fakeSecret('field')
    const source = () => new StaticCredential({ apiKey: secret, baseUrl: 'https://api.example/' })
    const runTool = createToolRunner(source, { redact: { except: ['baseUrl'] } })
    const result = await runTool(request, () => `https://api.example/ ${secret}`)
    assert.equal(result, 'https://api.example/ [redacted]')
    assert.equal(
      await createToolRunner(source)(request, () => `https://api.example/ ${secret}`),
      '[redacted] [redacted]',
    )
  })

  test('is searched for the secrets of the scopes inside of it and around it', async () => {
    const inner = new OAuthCredential({ accessToken: fakeSecret('inner') })
    const outer = new OAuthCredential({ accessToken: fakeSecret('outer') })
    const { runTool, secret } = setUp()
    const leak = () => [inner.accessToken, outer.accessToken, secret].join(' ')
    const result = await runWithCredentials(outer, () =>
      runTool(request, () => runWithCredentials(inner, () => leak())),
    )
    assert.equal(result, '[redacted] [redacted] [redacted]')
    // Neither of them is known to a call that has nothing to do with them.
    assert.equal(await runTool(request, () => inner.accessToken), inner.accessToken)
  })

  test('is searched for what it holds, and not for what is read of it later, as the documents say', async () => {
    const { runTool, secret } = setUp()
    async function* read() {
      yield secret
    }
    const later = (await runTool(request, read)) as AsyncIterable<string>
    const texts: string[] = []
    for await (const one of later) texts.push(one)
    assert.deepEqual(texts, [secret])
    const within = await runTool(request, async () => {
      const all: string[] = []
      for await (const one of read()) all.push(one)
      return all
    })
    assert.deepEqual(within, ['[redacted]'])
  })
})

describe('what a tool sends while it runs', () => {
  test('is scrubbed by the call, wherever that is done, and also after it', async () => {
    const { runTool, secret, events } = setUp()
    let redact: ToolCall['redact'] = (value) => value
    await runTool(request, (call) => {
      ;({ redact } = call)
      assert.deepEqual(redact({ params: { data: secret } }), { params: { data: '[redacted]' } })
    })
    const other = setUp()
    const sent = await other.runTool(request, () => redact(['other', secret].join(' ')))
    assert.equal(sent, 'other [redacted]')
    const message = { harmless: true }
    assert.equal(redact(message), message)
    // What comes after an event does not change it.
    assert.deepEqual(
      events.map(({ redacted }) => redacted),
      [[{ name: 'accessToken', where: 'params.data' }]],
    )
  })

  test('is withheld once a thousand scopes and more have ended since, unless the call was kept', async () => {
    const { runTool, secret } = setUp()
    const calls: ToolCall[] = []
    for (const isKept of [false, true])
      await runTool(request, (call) => {
        calls.push(call)
        if (isKept) call.keep()
      })
    const [forgotten, kept] = calls
    assert.equal(forgotten?.redact(`a ${secret}`), 'a [redacted]')
    for (let count = 0; count < 2100; count++)
      runWithCredentials(new OAuthCredential({ accessToken: 'FAKE-other-credential-1' }), () => 1)
    assert.equal(forgotten?.redact(`a ${secret}`), '[redacted]')
    assert.equal(forgotten?.redact('harmless'), '[redacted]')
    assert.equal(kept?.redact(`a ${secret}`), 'a [redacted]')
    assert.equal(kept?.redact('harmless'), 'harmless')
  })
})

class Unreadable {
  toString(): string {
    throw new Error('unreadable')
  }
}

const hostile = (secret: string) =>
  new Proxy(
    {},
    {
      get() {
        throw new Error(secret)
      },
      getPrototypeOf() {
        throw new Error(secret)
      },
    },
  )

const classless = (secret: string) =>
  new Proxy(
    {},
    {
      getPrototypeOf() {
        throw new Error(secret)
      },
    },
  )

describe('a tool that throws', () => {
  const THROWN: [name: string, thrown: (secret: string) => unknown, message: RegExp][] = [
    ['an Error', (s) => new Error(`failed: ${s}`), /^failed: \[redacted\]$/],
    ['an Error with data', (s) => Object.assign(new Error('data'), { data: { s } }), /^data$/],
    ['an Error with a cause', (s) => new Error('caused', { cause: new Error(s) }), /^caused$/],
    ['a TypeError', (s) => new TypeError(s), /^\[redacted\]$/],
    [
      'an error whose name is none',
      (s) => Object.assign(new Error(s), { name: { s } }),
      /^\[redacted\]$/,
    ],
    ['an error with a name', (s) => Object.assign(new Error('named'), { name: s }), /^named$/],
    ['a frozen error', (s) => Object.freeze(new Error(`frozen ${s}`)), /^frozen \[redacted\]$/],
    ['a string', (s) => `thrown ${s}`, /^thrown \[redacted\]$/],
    ['a list', (s) => [s], /^\[redacted\]$/],
    ['a plain object', (s) => ({ s }), /^\[object Object\]$/],
    ['undefined', () => undefined, /^undefined$/],
    ['null', () => null, /^null$/],
    ['a symbol', () => Symbol('thrown'), /^Symbol\(thrown\)$/],
    ['a bigint', () => 7n, /^7$/],
    ['an object without a prototype', () => Object.create(null), /cannot be shown/],
    ['what has no text', () => new Unreadable(), /cannot be shown/],
    ['what cannot be looked at', hostile, /cannot be shown/],
    ['what has no class', classless, /cannot be shown/],
    ['a long text', (s) => new Error(`${s}${'x'.repeat(5000)}`), /^\[redacted\]x{490}$/],
  ]
  for (const [name, thrown, message] of THROWN) {
    test(`${name}: without the secret, to the caller and in the event`, async () => {
      const { runTool, secret, events, details } = setUp()
      const original = thrown(secret)
      const caught = await runTool(request, () => {
        throw original
      }).then(
        () => assert.fail('did not throw'),
        (error: unknown) => error,
      )
      if (typeof caught === 'bigint') assert.equal(caught, original)
      else assertNoLeak(caught, secret)
      assert.equal(events.length, 1)
      assert.equal(events[0]?.outcome, 'failed')
      assert.match(String(events[0]?.error?.message), message)
      assertNoLeak(events, secret)
      assert.equal(details[0]?.cause, original ?? undefined)
      const isReplaced = message.source.includes('cannot be shown')
      assert.equal(caught instanceof Error, isReplaced || original instanceof Error)
    })
  }

  test('with redact: false the caller gets the very error, and the event still has no secret', async () => {
    const { runTool, secret, events } = setUp({ redact: false })
    const error = new Error(`raw ${secret}`)
    await assert.rejects(
      runTool(request, () => Promise.reject(error)),
      (caught) => caught === error,
    )
    assert.equal(events[0]?.error?.message, 'raw [redacted]')
  })

  test('a CredentialError keeps its code, and what a tool put into it is taken out', async () => {
    const { runTool, secret, events } = setUp()
    const error = new CredentialError('ERR_CREDENTIAL_REFRESH', `refused: ${secret}`)
    await assert.rejects(
      runTool(request, () => {
        throw error
      }),
      { code: 'ERR_CREDENTIAL_REFRESH', message: 'refused: [redacted]' },
    )
    assert.deepEqual(events[0]?.error, {
      name: 'CredentialError',
      code: 'ERR_CREDENTIAL_REFRESH',
      message: 'refused: [redacted]',
    })
  })

  test('a result that says isError is a failure, described by its text', async () => {
    const { runTool, secret, events } = setUp()
    await runTool(request, () => ({ ...text(`failed with ${secret}`), isError: true }))
    await runTool(request, () => ({ content: [{ type: 'image' }], isError: true }))
    assert.deepEqual(
      events.map(({ outcome, error }) => [outcome, error?.name, error?.message]),
      [
        ['failed', 'ToolError', 'failed with [redacted]'],
        ['failed', 'ToolError', 'The tool returned an error.'],
      ],
    )
  })
})

describe('a call that is refused', () => {
  const missing = new MissingCredentialHeaderError(['X-API-Key'])
  const refuseAll = () => {
    throw missing
  }

  test('is a tool result with the message, or what the framework makes of it', async () => {
    const { onCall, events } = setUp()
    const runTool = createToolRunner(refuseAll, { onCall })
    const run = () => assert.fail('the tool ran')
    const expected = { ...text(missing.message), isError: true }
    assert.deepEqual(await runTool(request, run), expected)
    assert.deepEqual(await runTool(request, run, () => undefined), expected)
    assert.equal(await runTool(request, run, ({ code }) => code), 'ERR_CREDENTIAL_MISSING')
    await assert.rejects(
      runTool(request, run, (error) => {
        throw error
      }),
      (error) => error === missing,
    )
    assert.deepEqual(
      events.map(({ outcome, error, type }) => [outcome, error?.code, type]),
      Array.from({ length: 4 }, () => ['refused', 'ERR_CREDENTIAL_MISSING', undefined]),
    )
  })

  test('is not, where its credential is optional', async () => {
    const { onCall, events } = setUp()
    const optional = ({ tool }: CredentialRequest) => tool === 'public'
    const runTool = createToolRunner(refuseAll, { onCall, optional })
    const run = ({ credential }: ToolCall) => {
      assert.equal(credential, missing)
      return codeOf(getCredentials)
    }
    const headers = undefined
    assert.equal(await runTool({ tool: 'public', headers }, run), 'ERR_CREDENTIAL_MISSING')
    assert.deepEqual(await runTool({ tool: 'private', headers }, run), {
      ...text(missing.message),
      isError: true,
    })
    assert.deepEqual(
      events.map(({ outcome }) => outcome),
      ['ok', 'refused'],
    )
  })

  test('for want of a scope that its tool needs, which the source is told of', async () => {
    const asked: unknown[] = []
    const scopes = (tool: string) => (tool === 'push' ? ['repo', 'user'] : undefined)
    const runWith = (granted?: readonly string[]) =>
      createToolRunner(
        ({ tool, scopes: needed }) => {
          asked.push([tool, needed])
          return new OAuthCredential({ accessToken: 'FAKE-scoped-credential', scopes: granted })
        },
        { scopes },
      )
    const run = () => 'ran'
    const call = (tool: string | undefined, granted?: readonly string[]) =>
      runWith(granted)(
        { tool, headers: undefined },
        run,
        ({ code, message }) => `${code} ${message}`,
      )
    const refused =
      'ERR_CREDENTIAL_SCOPE The account must be connected with more permissions (user).'
    assert.equal(await call('push', ['repo']), refused)
    assert.equal(await call('push', ['user', 'repo']), 'ran')
    // What was granted is not known.
    assert.equal(await call('push'), 'ran')
    assert.equal(await call('push', []), 'ran')
    assert.equal(await call('pull', ['repo']), 'ran')
    assert.equal(await call(undefined, ['repo']), 'ran')
    assert.deepEqual(asked, [
      ...Array(4).fill(['push', ['repo', 'user']]),
      ['pull', undefined],
      [undefined, undefined],
    ])
  })

  const BAD_SCOPES: [name: string, scopes: (tool: string) => unknown, cause: RegExp][] = [
    ['throw', () => assert.fail('FAKE'), /FAKE/],
    ['throw one of our errors', () => getCredentials().fields, /no credential in this context/],
    ['are a text', () => 'repo', /must be a list of strings/],
    ['are null', () => null, /must be a list of strings/],
    ['are a promise', async () => ['repo'], /must be a list of strings/],
    ['hold what is no text', () => ['repo', 1], /must be a list of strings/],
  ]
  for (const [name, scopes, cause] of BAD_SCOPES) {
    test(`because the scopes that its tool needs ${name}, of which the operator is told`, async () => {
      const options = { scopes: scopes as () => string[], optional: true }
      const { runTool, events, details } = setUp(options)
      const run = () => assert.fail('the tool ran')
      const refused = await runTool(request, run, (error) => error)
      assert(refused instanceof CredentialError)
      assert.equal(refused.code, 'ERR_CREDENTIAL_UNAVAILABLE')
      assert.equal(refused.isServerFault, true)
      assert.equal(refused.message, 'The server could not tell which scopes this tool needs.')
      assert.deepEqual(
        events.map(({ outcome, error, tool }) => [outcome, error?.code, tool]),
        [['refused', 'ERR_CREDENTIAL_UNAVAILABLE', 'whoami']],
      )
      assert.match(String(details[0]?.cause), cause)
      // What is no tool needs none.
      assert.equal(await runTool({ headers: undefined }, () => 'ran'), 'ran')
    })
  }

  test('for a token that has expired, with rejectExpired', async () => {
    const expiresAt = new Date(Date.now() - 1000)
    const source = () => new OAuthCredential({ accessToken: 'FAKE-expired-credential', expiresAt })
    const run = () => 'ran'
    assert.equal(await createToolRunner(source)(request, run), 'ran')
    assert.equal(
      await createToolRunner(source, { rejectExpired: true })(request, run, ({ code }) => code),
      'ERR_CREDENTIAL_EXPIRED',
    )
  })

  test('because it was cancelled while the source was busy', async () => {
    const { runTool, events } = setUp()
    const signal = { aborted: false } as NonNullable<CredentialRequest['signal']>
    const given = { ...request, signal }
    assert.equal(await runTool(given, () => 'ran'), 'ran')
    Reflect.set(signal, 'aborted', true)
    await assert.rejects(
      runTool(given, () => assert.fail('the tool ran')),
      { message: 'The call was cancelled.' },
    )
    assert.deepEqual(
      events.map(({ outcome, error }) => [outcome, error?.name]),
      [
        ['ok', undefined],
        ['failed', 'AbortError'],
      ],
    )
  })
})

describe('an account that has to be connected', () => {
  const URL = 'https://mcp.example/connect/1'

  /** An account that is connected once its check has said so. */
  function account(options: CreateToolRunnerOptions = {}, answers: readonly unknown[] = []) {
    const state = { asked: 0, checked: 0, isConnected: false }
    const { events, onCall, credential } = setUp()
    const isConnected = () => {
      const answer = answers[state.checked++]
      if (answer instanceof Error) throw answer
      state.isConnected = answer === true
      return state.isConnected
    }
    const source = () => {
      state.asked += 1
      if (state.isConnected) return credential
      throw new ConnectRequiredError(URL, { isConnected })
    }
    const runTool = createToolRunner(source, { onCall, connectTimeoutSeconds: 10, ...options })
    const call = (answer?: string) =>
      runTool<string, string>(
        request,
        () => 'ran',
        ({ message }) => `refused: ${message}`,
        { ask: ({ url }) => `asked: ${url}`, answer },
      )
    return { state, events, call, runTool, source }
  }
  const REFUSED = `refused: The account has to be connected first. Open ${URL}`

  test('is asked for where the client can ask, and only there', async () => {
    const { call, runTool, events, state } = account()
    assert.equal(await call(), `asked: ${URL}`)
    assert.deepEqual(await runTool(request, () => 'ran'), {
      ...text(REFUSED.slice('refused: '.length)),
      isError: true,
    })
    assert.equal(state.checked, 0)
    assert.deepEqual(
      events.map(({ outcome, error }) => [outcome, error?.code]),
      [
        ['refused', 'ERR_CREDENTIAL_CONNECT'],
        ['refused', 'ERR_CREDENTIAL_CONNECT'],
      ],
    )
  })

  test('is waited for once the person accepts, and a check that fails is no answer', async () => {
    const { call, events, state } = account({}, [new Error('down'), true])
    assert.equal(await call('accept'), 'ran')
    assert.deepEqual(state, { asked: 2, checked: 2, isConnected: true })
    assert.deepEqual(
      events.map(({ outcome }) => outcome),
      ['ok'],
    )
  })

  for (const answer of ['decline', 'cancel', 'anything']) {
    test(`is not waited for where the person says ${answer}`, async () => {
      const { call, events } = account({ label: () => 'anna' })
      assert.equal(await call(), `asked: ${URL}`)
      assert.equal(await call(answer), REFUSED)
      assert.equal(events.length, 2)
    })
  }

  test('is not waited for for ever, nor asked for twice', async () => {
    const { call, state } = account({ connectTimeoutSeconds: 0.3 })
    assert.equal(await call('accept'), REFUSED)
    assert(state.checked >= 1)
    const none = account({ connectTimeoutSeconds: 0 }, [true])
    assert.equal(await none.call('accept'), REFUSED)
    assert.equal(none.state.checked, 0)
  })

  test('is not waited for any longer where the check hangs', async () => {
    const hangs = () => new Promise<boolean>(() => undefined)
    const runTool = createToolRunner(
      () => {
        throw new ConnectRequiredError(URL, { isConnected: hangs })
      },
      { connectTimeoutSeconds: 0.3 },
    )
    const refuse = ({ message }: Error) => `refused: ${message}`
    const client = { ask: () => 'asked', answer: 'accept' }
    assert.equal(await runTool(request, () => 'ran', refuse, client), REFUSED)
  })

  test('what a tool throws is searched, whatever it is', async () => {
    const { runTool, secret } = setUp()
    class Failure {
      get message() {
        return `failed with ${secret}`
      }
    }
    const hidden = Object.defineProperty({}, 'message', { value: secret })
    const refusing = new Proxy(new Error(secret), {
      getPrototypeOf() {
        throw new Error('no')
      },
    })
    const values: unknown[] = [
      new Failure(),
      hidden,
      Object.create({ message: secret }),
      Object.assign(() => undefined, { message: secret, code: secret }),
      refusing,
      secret,
    ]
    for (const value of values) {
      const run = () => {
        throw value as Error
      }
      const error: unknown = await runTool(request, run).catch((thrown: unknown) => thrown)
      const { message, code } = Object(error) as Record<'message' | 'code', unknown>
      assertNoLeak({ text: String(error), message, code, json: JSON.stringify(error) }, secret)
    }
  })

  test('that a tool asks for holds no secret of its call', async () => {
    const { runTool, secret } = setUp()
    const mistakes = [
      () => new ConnectRequiredError(URL, { message: `The API said: ${secret} is not known.` }),
      () => new ConnectRequiredError(`${URL}?login_hint=${secret}`),
    ]
    for (const mistake of mistakes) {
      const run = () => {
        throw mistake()
      }
      const shown = [
        await runTool(request, run),
        await runTool<string, object>(request, run, ({ message }) => ({ message })),
        await runTool<string, object>(request, run, undefined, {
          ask: ({ url, message, scopes }) => ({ url, message, scopes }),
          answer: undefined,
        }),
      ]
      for (const result of shown) {
        assert.match(JSON.stringify(result), /\[redacted\]/)
        assertNoLeak(result, secret)
      }
    }
  })

  test('a hundred calls of one owner make one page and one poll', async () => {
    const { call, state, events } = account({ label: () => 'anna' }, [false, true])
    const first = await call()
    assert.equal(first, `asked: ${URL}`)
    const others = Array.from({ length: 98 }, () => call())
    const accepted = call('accept')
    assert.equal(await accepted, 'ran')
    assert.deepEqual(new Set(await Promise.all(others)), new Set(['ran']))
    assert.equal(state.checked, 2)
    assert.equal(events.length, 100)
    // Of another owner's nothing is known: negative control.
    const apart = account({}, [false, true])
    const asked = await Promise.all(Array.from({ length: 100 }, () => apart.call()))
    assert.deepEqual(new Set(asked), new Set([`asked: ${URL}`]))
  })

  test('calls that wait for a page that is declined are told so', async () => {
    const { call } = account({ label: () => 'anna' })
    assert.equal(await call(), `asked: ${URL}`)
    const other = call()
    assert.equal(await call('decline'), REFUSED)
    assert.equal(await other, REFUSED)
    // Then the next may ask again.
    assert.equal(await call(), `asked: ${URL}`)
    assert.equal(await call('decline'), REFUSED)
  })

  test('that cannot be checked is refused after accept', async () => {
    const source = () => {
      throw new ConnectRequiredError(URL)
    }
    for (const label of [undefined, () => 'anna']) {
      const runTool = createToolRunner(source, { connectTimeoutSeconds: 0.1, label })
      const call = (answer?: string) =>
        runTool<string, string>(
          request,
          () => 'ran',
          ({ message }) => `refused: ${message}`,
          {
            ask: () => 'asked',
            answer,
          },
        )
      assert.equal(await call(), 'asked')
      assert.equal(await call('accept'), REFUSED)
    }
  })

  test('says the tool: thrown, or made a text of by an SDK', async () => {
    const { runTool, events } = setUp({ connectTimeoutSeconds: 10 })
    const THROWS: [name: string, run: (error: () => Error) => unknown][] = [
      [
        'thrown',
        (error) => {
          throw error()
        },
      ],
      ['a text', (error) => ({ ...text(error().message), isError: true })],
    ]
    for (const [name, run] of THROWS) {
      let isConnected = false
      let turns = 0
      const options = { isConnected: () => (isConnected = true) }
      const leak = () => {
        turns += 1
        return isConnected ? 'ran' : run(() => new ConnectRequiredError(URL, options))
      }
      const call = (answer?: string) =>
        runTool<unknown, string>(request, leak, ({ message }) => `refused: ${message}`, {
          ask: ({ url }) => `asked: ${url}`,
          answer,
        })
      assert.equal(await call(), `asked: ${URL}`, name)
      assert.equal(await call('accept'), 'ran', name)
      assert.equal(turns, 3)
    }
    assert.deepEqual(
      events.map(({ outcome, error }) => [outcome, error?.code]),
      [
        ['failed', 'ERR_CREDENTIAL_CONNECT'],
        ['ok', undefined],
        ['failed', 'ERR_CREDENTIAL_CONNECT'],
        ['ok', undefined],
      ],
    )
  })

  test('is not what a text says that comes from elsewhere', async () => {
    const { runTool } = setUp()
    const elsewhere = new ConnectRequiredError(URL)
    const client = { ask: () => 'asked', answer: undefined }
    const results = [
      { ...text(elsewhere.message), isError: true },
      { ...text('something else'), isError: true },
    ]
    for (const result of results) {
      const run = () => {
        void new ConnectRequiredError('https://mcp.example/connect/2')
        return result
      }
      assert.equal(await runTool<unknown, string>(request, () => result, undefined, client), result)
      assert.equal(await runTool<unknown, string>(request, run, undefined, client), result)
    }
    const harmless = text(elsewhere.message)
    const made = () => {
      void new ConnectRequiredError(URL)
      return harmless
    }
    assert.equal(await runTool<unknown, string>(request, made, undefined, client), harmless)
  })
})

describe('misuse', () => {
  const source = () => new OAuthCredential({ accessToken: 'FAKE-misuse-credential' })
  const BAD: [name: string, options: object, message: RegExp][] = [
    ['an option that there is not', { redacted: false }, /"redacted" is not an option/],
    ['scopes that are a list', { scopes: ['repo'] }, /The option scopes/],
    ['a text for redact', { redact: 'no' }, /The option redact/],
    ['exceptions that are no list', { redact: { except: 'a' } }, /The option except of redact/],
    ['a misspelt exception', { redact: { exept: ['a'] } }, /"exept" is not an option of redact/],
    ['a negative time', { connectTimeoutSeconds: -1 }, /The option connectTimeoutSeconds/],
    ['a time without end', { connectTimeoutSeconds: Infinity }, /connectTimeoutSeconds/],
  ]
  for (const [name, options, message] of BAD) {
    test(`${name} is a TypeError when it is given`, () => {
      assert.throws(() => createToolRunner(source, options), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
        message,
      })
    })
  }

  test('a source that is none is one as well', () => {
    assert.throws(() => createToolRunner({} as never), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
    })
  })
})
