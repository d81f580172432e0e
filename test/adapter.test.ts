import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  ConnectRequiredError,
  createAdapter,
  CredentialError,
  CredentialNotFoundError,
  followResponse,
  fromEnv,
  fromHeaders,
  MissingCredentialHeaderError,
  OAuthCredential,
  StaticCredential,
  toHttpRefusal,
} from 'mcp-credentials'
import type {
  AdapterOptions,
  CallDetails,
  CallEvent,
  CredentialRequest,
  CredentialSource,
} from 'mcp-credentials'
import { assertNoLeak, fakeSecret, fakeToken, findLeak, renderings } from './helper.ts'

const token = fakeSecret('adapter')
const withToken: CredentialSource = () => new OAuthCredential({ accessToken: token })
const missing: CredentialSource = () => {
  throw new MissingCredentialHeaderError(['X-API-Key'])
}
const expiringAt = (milliseconds: number): CredentialSource => {
  const expiresAt = new Date(milliseconds)
  return () => new OAuthCredential({ accessToken: token, expiresAt })
}

/** What an operator is told, and how often. */
function listen(): { onCall: NonNullable<AdapterOptions['onCall']>; told: Told[] } {
  const told: Told[] = []
  return { told, onCall: (event, details) => told.push({ event, details }) }
}

interface Told {
  readonly event: CallEvent
  readonly details: CallDetails
}

const eventOf = ({ told }: { told: readonly Told[] }): Told => {
  assert.equal(told.length, 1)
  return told[0] ?? assert.fail()
}

describe('asking a source', () => {
  test('gives what it returns, at once or later, and is told all of the call', async () => {
    let seen: CredentialRequest | undefined
    const source: CredentialSource = async (request) => {
      seen = request
      return withToken(request)
    }
    const signal = { aborted: false } as AbortSignal
    const more = { tool: 'tool', method: 'tools/call', authInfo: { a: 1 }, sessionId: 's', signal }
    const headers = { 'x-one': 'one', 'x-two': ['two', 'three'], 'x-none': undefined }
    const call = await createAdapter(source)({ ...more, headers, scopes: ['a'] })
    assert.equal((call.credential as OAuthCredential).accessToken, token)
    assert.equal(call.refusal, undefined)
    assert.equal(call.request, seen)
    const { headers: given, ...rest } = seen ?? assert.fail()
    assert.deepEqual(rest, { ...more, scopes: ['a'] })
    assert.deepEqual([...(given?.keys() ?? [])], ['x-one', 'x-two', 'x-none'])
    assert.equal(given?.get('X-One'), 'one')
    assert.equal(given?.get('x-two'), 'two, three')
    assert.equal(given?.get('x-none'), null)
    assert.equal(given?.get('constructor'), null)
  })

  test('passes Web Headers on as they are, and none as none', async () => {
    const headers = new Headers({ 'x-one': 'one' })
    assert.equal((await createAdapter(withToken)({ headers })).request.headers, headers)
    const onStdio = await createAdapter(withToken)({ headers: undefined })
    assert.equal(onStdio.request.headers, undefined)
  })

  const failing: [name: string, source: CredentialSource, code: string, message: RegExp][] = [
    [
      'throws a CredentialError',
      missing,
      'ERR_CREDENTIAL_MISSING',
      /^The request carries no X-API-Key header/,
    ],
    [
      'rejects with one',
      () => Promise.reject(new CredentialNotFoundError('id')),
      'ERR_CREDENTIAL_NOT_FOUND',
      /^No credential is stored for this caller\. Connect the account with this server first/,
    ],
    [
      'throws another error',
      () => {
        throw new Error(`vault: ${token}`)
      },
      'ERR_CREDENTIAL_UNAVAILABLE',
      /^The server could not load the credential for this call\.$/,
    ],
    [
      'rejects with what is not an error',
      () => Promise.reject(token),
      'ERR_CREDENTIAL_UNAVAILABLE',
      /could not load/,
    ],
    ['returns a token', () => token as never, 'ERR_CREDENTIAL_UNAVAILABLE', /could not load/],
    [
      'returns a plain object',
      () => ({ type: 'oauth', accessToken: token }) as never,
      'ERR_CREDENTIAL_UNAVAILABLE',
      /could not load/,
    ],
    ['returns nothing', () => undefined as never, 'ERR_CREDENTIAL_UNAVAILABLE', /could not load/],
  ]
  for (const [name, source, code, message] of failing) {
    test(`never rejects: one that ${name}`, async () => {
      const call = await createAdapter(source)({ headers: {} })
      assert(call.refusal instanceof CredentialError)
      assert.equal(call.credential, call.refusal)
      assert.equal(call.refusal.code, code)
      assert.match(call.refusal.message, message)
      assertNoLeak(call.refusal, token)
      // Nobody listens.
      call.end()
    })
  }

  test('writes nothing to an error that may be shared, or frozen', async () => {
    for (const make of [
      () => new MissingCredentialHeaderError(['X-API-Key']),
      () => new ConnectRequiredError('https://mcp.example/connect'),
    ]) {
      const shared = Object.freeze(make())
      const source: CredentialSource = () => {
        throw shared
      }
      const { onCall, told } = listen()
      const call = await createAdapter(source, { onCall })({ headers: {} })
      assert.equal(call.refusal, shared)
      toHttpRefusal(shared)
      call.end()
      assert.equal(eventOf({ told }).event.error?.message, shared.message)
    }
  })
})

describe('a call without a credential', () => {
  const optionalFor = async (optional: AdapterOptions['optional'], source = missing) => {
    const listener = listen()
    const ask = createAdapter(source, { optional, onCall: listener.onCall })
    const call = await ask({ tool: 'tool', headers: {} })
    call.end()
    return { call, ...eventOf(listener) }
  }

  test('is refused, unless it is optional', async () => {
    for (const optional of [undefined, false, () => false]) {
      const { call, event } = await optionalFor(optional)
      assert.equal(call.refusal, call.credential)
      assert.equal(event.outcome, 'refused')
    }
    for (const optional of [true, ({ tool }: CredentialRequest) => tool === 'tool']) {
      const { call, event, details } = await optionalFor(optional)
      assert.equal(call.refusal, undefined)
      assert(call.credential instanceof MissingCredentialHeaderError)
      assert.equal(event.outcome, 'ok')
      assert.equal(event.error, undefined)
      assert.equal(event.type, undefined)
      assert.equal(details.credential, undefined)
      assert.equal(details.cause, call.credential)
    }
  })

  test('is refused by a function that throws, or says anything but true', async () => {
    for (const optional of [
      () => {
        throw new Error('optional')
      },
      () => 'yes',
      () => 1,
      () => undefined,
      async () => true,
    ]) {
      const { call } = await optionalFor(optional as never)
      assert.equal(call.refusal?.code, 'ERR_CREDENTIAL_MISSING')
    }
  })

  test('is refused for any other reason than that it is missing', async () => {
    const sources: CredentialSource[] = [
      fromHeaders({ type: 'oauth' }),
      expiringAt(0),
      () => Promise.reject(new CredentialNotFoundError('id')),
      () => Promise.reject(new Error('vault')),
      () => Promise.reject(new ConnectRequiredError('https://mcp.example/connect')),
    ]
    for (const source of sources) {
      const ask = createAdapter(source, { optional: true, rejectExpired: true })
      const { refusal } = await ask({ headers: { 'x-mcp-cred-access-token': 'two, tokens' } })
      assert(refusal instanceof CredentialError)
      assert(refusal.code !== 'ERR_CREDENTIAL_MISSING')
    }
  })
})

describe('rejectExpired', () => {
  const refusalOf = async (source: CredentialSource, rejectExpired?: boolean) =>
    (await createAdapter(source, { rejectExpired })({ headers: {} })).refusal

  test('refuses a token that has expired, and says what to do', async () => {
    const refusal = await refusalOf(expiringAt(Date.now() - 1), true)
    assert(refusal)
    assert.equal(refusal.code, 'ERR_CREDENTIAL_EXPIRED')
    assert.equal(
      refusal.message,
      'The access token of this call has expired: it must be renewed, or the account connected again.',
    )
    assert.equal(refusal.isServerFault, false)
    assert.equal(toHttpRefusal(refusal).status, 403)
  })

  test('has no leeway, and takes a token whose expiry is not known, and fields', async () => {
    assert.equal(await refusalOf(expiringAt(Date.now() + 30_000), true), undefined)
    assert.equal(await refusalOf(withToken, true), undefined)
    assert.equal(await refusalOf(() => new StaticCredential({ a: 'b' }), true), undefined)
  })

  test('is off unless it is asked for', async () => {
    for (const off of [undefined, false])
      assert.equal(await refusalOf(expiringAt(0), off), undefined)
  })
})

describe('the scopes that a call needs', () => {
  const refusalFor = async (granted: string[] | undefined, needed: string[] | undefined) => {
    const source = () => new OAuthCredential({ accessToken: token, scopes: granted })
    return (await createAdapter(source)({ headers: {}, scopes: needed })).refusal
  }

  test('are refused where some are known to lack, which are named', async () => {
    const refusal = await refusalFor(['repo'], ['repo', 'user', 'gist'])
    assert.equal(refusal?.code, 'ERR_CREDENTIAL_SCOPE')
    assert.match(String(refusal?.message), /\(user, gist\)\.$/)
    assert.equal(refusal?.isServerFault, false)
  })

  test('are not where they are there, or where nobody knows', async () => {
    assert.equal(await refusalFor(['repo', 'user'], ['user']), undefined)
    assert.equal(await refusalFor(['repo'], []), undefined)
    assert.equal(await refusalFor(['repo'], undefined), undefined)
    assert.equal(await refusalFor(undefined, ['user']), undefined)
  })
})

describe('onCall', () => {
  const call = async (source: CredentialSource, options: AdapterOptions = {}) => {
    const listener = listen()
    const ask = createAdapter(source, { ...options, onCall: listener.onCall })
    const asked = await ask({ tool: 'tool', method: 'tools/call', headers: { 'x-own': token } })
    return { asked, listener }
  }

  test('is told of a call that went well, once, when it is over', async () => {
    const { asked, listener } = await call(withToken)
    assert.equal(listener.told.length, 0)
    asked.end()
    asked.end({ outcome: 'failed' })
    const { event, details } = eventOf(listener)
    const { sourceMilliseconds, milliseconds, ...rest } = event
    assert.deepEqual(rest, {
      tool: 'tool',
      method: 'tools/call',
      outcome: 'ok',
      error: undefined,
      type: 'oauth',
      label: undefined,
      redacted: [],
    })
    assert(sourceMilliseconds >= 0 && milliseconds >= sourceMilliseconds)
    assert.equal(details.request, asked.request)
    assert.equal(details.request.headers?.get('x-own'), token)
    assert.equal(details.credential, asked.credential)
    assert.equal(details.cause, undefined)
    assertNoLeak(event, token)
    // The control: the details do hold it.
    assert.equal(findLeak(renderings(details.request.headers?.get('x-own')), token), 'FAKE-ada')
  })

  test('measures by the clock where the runtime has nothing better', async () => {
    const { performance } = globalThis
    Reflect.set(globalThis, 'performance', undefined)
    try {
      const { asked, listener } = await call(withToken)
      asked.end()
      const { sourceMilliseconds, milliseconds } = eventOf(listener).event
      assert(Number.isInteger(sourceMilliseconds) && Number.isInteger(milliseconds))
    } finally {
      Reflect.set(globalThis, 'performance', performance)
    }
  })

  test('is told of one that failed, of why, and of what was taken out', async () => {
    const { asked, listener } = await call(withToken)
    const error = { name: 'ToolError', code: undefined, message: 'The city is not known.' }
    const cause = new Error(token)
    const redacted = [{ name: 'accessToken', where: 'content.0.text' }]
    asked.end({ outcome: 'failed', error, cause, redacted })
    const { event, details } = eventOf(listener)
    assert.equal(event.outcome, 'failed')
    assert.deepEqual(event.error, error)
    assert.deepEqual(event.redacted, redacted)
    assert.equal(details.cause, cause)
    assertNoLeak(event, token)
  })

  const refused: [name: string, source: CredentialSource, error: object, cause: RegExp][] = [
    [
      'a missing header',
      missing,
      { name: 'MissingCredentialHeaderError', code: 'ERR_CREDENTIAL_MISSING' },
      /^MissingCredentialHeaderError: The request carries/,
    ],
    [
      'a missing variable',
      fromEnv('SVC_', { env: { SVC_API_KEY: token } }),
      { name: 'CredentialError', code: 'ERR_CREDENTIAL_MISSING' },
      /^CredentialError: Set SVC_ACCESS_TOKEN .* SVC_API_KEY is set: did you mean/,
    ],
    [
      'a signature that was refused',
      () => Promise.reject(new CredentialError('ERR_CREDENTIAL_UNTRUSTED', 'No signature.')),
      { name: 'CredentialError', code: 'ERR_CREDENTIAL_UNTRUSTED' },
      /^CredentialError: No signature\.$/,
    ],
    [
      'an expired token',
      expiringAt(0),
      { name: 'CredentialError', code: 'ERR_CREDENTIAL_EXPIRED' },
      /has expired/,
    ],
    [
      'an account that is not connected',
      () => Promise.reject(new ConnectRequiredError('https://mcp.example/connect')),
      { name: 'ConnectRequiredError', code: 'ERR_CREDENTIAL_CONNECT' },
      /^ConnectRequiredError: .* Open https:\/\/mcp\.example\/connect$/,
    ],
    [
      'a vault that fails, whose own error the details have',
      () => Promise.reject(new Error(`vault: ${token}`)),
      { name: 'CredentialError', code: 'ERR_CREDENTIAL_UNAVAILABLE' },
      /^Error: vault: FAKE/,
    ],
    [
      'a CredentialError with a cause, which no rendering of it shows',
      () =>
        Promise.reject(
          new CredentialError('ERR_CREDENTIAL_REFRESH', 'It could not be refreshed.', {
            cause: new Error(`socket: ${token}`),
          }),
        ),
      { name: 'CredentialError', code: 'ERR_CREDENTIAL_REFRESH' },
      /^Error: socket: FAKE/,
    ],
  ]
  for (const [name, source, error, cause] of refused) {
    test(`is told of a refusal: ${name}`, async () => {
      const { asked, listener } = await call(source, { rejectExpired: true })
      const { refusal } = asked
      assert(refusal)
      asked.end({ outcome: 'failed' })
      const { event, details } = eventOf(listener)
      assert.equal(event.outcome, 'refused')
      assert.deepEqual(event.error, { ...error, message: refusal.message })
      assert.equal(event.type, undefined)
      assert.equal(details.credential, undefined)
      assert.match(String(details.cause), cause)
      assertNoLeak(event, token)
      assertNoLeak(refusal, token)
    })
  }

  test('is told what the account is called', async () => {
    const labels: [label: AdapterOptions['label'], expected: string | undefined][] = [
      [undefined, undefined],
      [({ tool }) => `account of ${tool}`, 'account of tool'],
      [() => undefined, undefined],
      [() => 'x'.repeat(1000), 'x'.repeat(128)],
      [() => 7 as never, undefined],
      [
        () => {
          throw new Error(token)
        },
        undefined,
      ],
    ]
    for (const [label, expected] of labels) {
      const { asked, listener } = await call(withToken, { label })
      asked.end()
      assert.equal(eventOf(listener).event.label, expected)
    }
  })

  test('has the name of the tool cut, which anybody can send', async () => {
    const listener = listen()
    const ask = createAdapter(withToken, { onCall: listener.onCall })
    const asked = await ask({ tool: 'x'.repeat(100_000), headers: {} })
    asked.end()
    const { event, details } = eventOf(listener)
    assert.equal(event.tool, 'x'.repeat(128))
    assert.equal(details.request.tool?.length, 100_000)
  })

  test('may throw or reject: nobody sees it', async () => {
    for (const onCall of [
      () => {
        throw new Error(token)
      },
      () => Promise.reject(new Error(token)),
      async () => {
        throw token
      },
    ]) {
      const asked = await createAdapter(withToken, { onCall })({ headers: {} })
      assert.equal(asked.end(), undefined)
    }
    // A rejection that nobody handles would fail the test by now.
    await new Promise((resolve) => setTimeout(resolve, 1))
  })
})

describe('how a call is refused over HTTP', () => {
  const cases: [error: CredentialError, status: number, body: object][] = [
    [
      new CredentialError('ERR_CREDENTIAL_INVALID', 'X is malformed.'),
      403,
      { code: 'ERR_CREDENTIAL_INVALID', message: 'X is malformed.' },
    ],
    [
      new CredentialError('ERR_CREDENTIAL_INVALID', 'SVC_X is malformed.', { isServerFault: true }),
      500,
      {
        code: 'ERR_CREDENTIAL_UNAVAILABLE',
        message: 'The server could not load the credential for this call.',
      },
    ],
    [
      new CredentialError('ERR_CREDENTIAL_TYPE', 'Another type.'),
      500,
      {
        code: 'ERR_CREDENTIAL_UNAVAILABLE',
        message: 'The server could not load the credential for this call.',
      },
    ],
    [
      new ConnectRequiredError('https://mcp.example/connect', { message: 'Connect it.' }),
      403,
      {
        code: 'ERR_CREDENTIAL_CONNECT',
        message: 'Connect it. Open https://mcp.example/connect',
        url: 'https://mcp.example/connect',
      },
    ],
  ]
  for (const [error, status, body] of cases) {
    test(`${error.code}, ${error.isServerFault ? 'of the server' : 'of the request'}: ${status}`, () =>
      assert.deepEqual(toHttpRefusal(error), { status, error: body }))
  }
})

describe('following a response', () => {
  const responseWith = (more: object) => {
    const listeners: Record<string, () => void> = {}
    const once = (event: string, listener: () => void) => {
      listeners[event] = listener
    }
    return {
      emit: (event: string) => listeners[event]?.(),
      response: { statusCode: 200, once, ...more },
    }
  }

  for (const event of ['finish', 'close']) {
    test(`until ${event}`, async () => {
      const { emit, response } = responseWith({ destroyed: false })
      const { isOver, whenOver } = followResponse(response)
      let isResolved = false
      void whenOver.then(() => {
        isResolved = true
      })
      await undefined
      assert.deepEqual([isOver(), isResolved], [false, false])
      emit(event)
      assert.equal(isOver(), true)
      await whenOver
    })
  }

  test('whose client has left already, over HTTP/1 and HTTP/2', async () => {
    for (const more of [{ destroyed: true }, { stream: { destroyed: true } }]) {
      const { isOver, whenOver } = followResponse(responseWith(more).response)
      assert.equal(isOver(), true)
      await whenOver
    }
    assert.equal(followResponse(responseWith({}).response).isOver(), false)
  })
})

describe('misuse is a TypeError, at once', () => {
  const cases: [name: string, args: unknown[], code: string, message: string][] = [
    [
      'no source',
      [],
      'ERR_INVALID_ARG_TYPE',
      'The source must be a function, such as fromEnv("WEATHER_") or fromHeaders({ type: "oauth" }) returns.',
    ],
    [
      'a credential for a source',
      [fakeToken()],
      'ERR_INVALID_ARG_TYPE',
      'The source must be a function, such as fromEnv("WEATHER_") or fromHeaders({ type: "oauth" }) returns.',
    ],
    [
      'options in one string',
      [withToken, 'optional'],
      'ERR_INVALID_ARG_TYPE',
      'The options of the adapter must be given as an object, such as { optional, rejectExpired, label, onCall }.',
    ],
    [
      'an option of former times',
      [withToken, { onError: () => undefined }],
      'ERR_INVALID_ARG_VALUE',
      '"onError" is not an option of the adapter: use optional, rejectExpired, label, onCall.',
    ],
    [
      'a list of what is optional',
      [withToken, { optional: ['tool'] }],
      'ERR_INVALID_ARG_VALUE',
      'The option optional of the adapter must be true or false or a function.',
    ],
    [
      'a word for true',
      [withToken, { rejectExpired: 'yes' }],
      'ERR_INVALID_ARG_VALUE',
      'The option rejectExpired of the adapter must be true or false.',
    ],
    [
      'a text for a label',
      [withToken, { label: 'account' }],
      'ERR_INVALID_ARG_VALUE',
      'The option label of the adapter must be a function.',
    ],
    [
      'an option of this adapter, of another kind',
      [withToken, { methods: 'resources/read' }, { methods: ['strings'] }],
      'ERR_INVALID_ARG_VALUE',
      'The option methods of the adapter must be a list of strings.',
    ],
    [
      'an option that this adapter does not have',
      [withToken, { redact: false }, { methods: ['strings'] }],
      'ERR_INVALID_ARG_VALUE',
      '"redact" is not an option of the adapter: use optional, rejectExpired, label, onCall, methods.',
    ],
  ]
  for (const [name, args, code, message] of cases) {
    test(name, () => {
      const make = () => Reflect.apply(createAdapter, undefined, args)
      assert.throws(make, { name: 'TypeError', code, message })
    })
  }
})
