import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { format, inspect } from 'node:util'
import { serialize } from 'node:v8'
import {
  CredentialNotFoundError,
  MissingCredentialHeaderError,
  OAuthCredential,
  StaticCredential,
} from 'mcp-credentials'
import type { ResolvedCredential } from 'mcp-credentials'
import { assertNoLeak, assertRefused, codeOf, fakeSecret, findLeak, renderings } from './helper.ts'

const isNodeAssert = 'AssertionError' in assert

const apiKey = fakeSecret('api-key')
const accessToken = fakeSecret('access')
const refreshToken = fakeSecret('refresh')
const clientSecret = fakeSecret('client-secret')
const secrets = [apiKey, accessToken, refreshToken, clientSecret]

const makeStatic = () => new StaticCredential({ apiKey, baseUrl: 'https://api.example' })
const makeOAuth = () =>
  new OAuthCredential({
    accessToken,
    refreshToken,
    clientId: 'client',
    clientSecret,
    tokenUri: 'https://auth.example/token',
    scopes: ['repo'],
    expiresAt: new Date('2026-05-04T12:00:00Z'),
    extra: { tenant: { ids: [1, 2] } },
  })

/** What comes of it: some of what stands in for structuredClone refuses whatever has a tag. */
function outcomeOf(make: () => unknown): unknown {
  try {
    return make()
  } catch (error) {
    return error
  }
}

function bytesOf(value: unknown): string {
  return String.fromCharCode(...serialize(value))
}

describe('a credential shows no secret', () => {
  const sinks: [name: string, render: (credential: ResolvedCredential) => unknown][] = [
    ['String', (credential) => String(credential)],
    ['a template', (credential) => `Bearer ${credential}`],
    ['JSON', (credential) => JSON.stringify({ credential })],
    [
      'inspect with showHidden and getters',
      (credential) => inspect(credential, { showHidden: true, getters: true }),
    ],
    [
      'inspect without customInspect',
      (credential) =>
        inspect(credential, { customInspect: false, showHidden: true, getters: false }),
    ],
    [
      '%o',
      (credential) =>
        format('%o %O %s %j %d', credential, credential, credential, credential, credential),
    ],
    [
      'structuredClone',
      (credential) =>
        inspect(
          outcomeOf(() => structuredClone(credential)),
          { showHidden: true },
        ),
    ],
    ['v8.serialize', (credential) => inspect(outcomeOf(() => bytesOf(credential)))],
    ['spread', (credential) => inspect({ ...credential }, { showHidden: true })],
    ['Object.assign', (credential) => inspect(Object.assign({}, credential), { showHidden: true })],
    ['Object.entries', (credential) => inspect(Object.entries(credential))],
    ['Reflect.ownKeys', (credential) => inspect(Reflect.ownKeys(credential))],
    [
      'property descriptors',
      (credential) => inspect(Object.getOwnPropertyDescriptors(credential), { showHidden: true }),
    ],
    [
      'the cause of an error',
      (credential) => inspect(new Error('failed', { cause: credential }), { showHidden: true }),
    ],
    [
      'a property of an error',
      (credential) => renderings(Object.assign(new Error('failed'), { credential })).join(),
    ],
    ['its tag', (credential) => Object.prototype.toString.call(credential)],
    [
      'a failed assertion',
      (credential) => {
        const texts: string[] = []
        assert.throws(
          () => assert.equal(credential, 1),
          (error: unknown) => texts.push(inspect(error)) > 0,
        )
        return texts.join()
      },
    ],
  ]
  for (const [name, render] of sinks) {
    test(name, () => {
      for (const credential of [makeStatic(), makeOAuth()]) {
        const text = String(render(credential))
        for (const secret of secrets) assert.equal(findLeak([text], secret), undefined)
      }
    })
  }

  test('and the search would find one', () => {
    assert.equal(findLeak(renderings({ nested: [{ apiKey }] }), apiKey), apiKey.slice(0, 8))
    assert.equal(findLeak(['a short key'], 'short'), 'short')
    assert.equal(findLeak([`…${apiKey.slice(11, 19)}…`], apiKey), apiKey.slice(11, 19))
  })

  test('nor a string of extra, nor a name that does not look like one', () => {
    const [key, value, deep] = [fakeSecret('key'), fakeSecret('value'), fakeSecret('deep')]
    const extra = {
      [`${key}/`]: 1,
      note: value,
      list: [deep, 7, true, null, { [deep + ' ']: deep }],
    }
    const credential = new OAuthCredential({ accessToken, extra })
    assertNoLeak(credential, key, value, deep)
    assert.equal(
      String(credential),
      'OAuthCredential {"type":"oauth","accessToken":"[redacted]","extra":{"field 1":1,"note":"[redacted]",' +
        '"list":["[redacted]",7,true,null,{"field 1":"[redacted]"}]}}',
    )
    assert.equal(credential.extra['note'], value)
    const fixed = new StaticCredential({ [`${key}/`]: 'a', b: 'b', [`${deep} `]: 'c' })
    assertNoLeak(fixed, key, deep)
    assertNoLeak(`${fixed.fields}`, key, deep)
    assert.equal(
      JSON.stringify(fixed.fields),
      '{"field 1":"[redacted]","b":"[redacted]","field 3":"[redacted]"}',
    )
  })

  test('but its type, field names, scopes, expiry and the shape of extra', () => {
    assert.equal(
      String(makeStatic()),
      'StaticCredential {"type":"static","fields":{"apiKey":"[redacted]","baseUrl":"[redacted]"}}',
    )
    assert.equal(
      inspect(makeOAuth()),
      'OAuthCredential {"type":"oauth","accessToken":"[redacted]","refreshToken":"[redacted]",' +
        '"clientSecret":"[redacted]","scopes":["repo"],"expiresAt":"2026-05-04T12:00:00.000Z","extra":{"tenant":{"ids":[1,2]}}}',
    )
    assert.equal(
      JSON.stringify(new OAuthCredential({ accessToken })),
      '{"type":"oauth","accessToken":"[redacted]","extra":{}}',
    )
  })
})

describe('the map of fields', () => {
  test('shows no secret as JSON, text or in a log, before and after it was read', () => {
    const { fields } = makeStatic()
    const texts = [
      JSON.stringify({ fields }),
      `${fields}`,
      inspect(fields, { showHidden: true }),
      format('%o %s', fields, fields),
    ]
    assert.equal(findLeak(texts, apiKey), undefined)
    assert.equal(texts[1], '{"apiKey":"[redacted]","baseUrl":"[redacted]"}')
    const credential = makeStatic()
    assert.equal(credential.fields, credential.fields)
    assertNoLeak(credential, apiKey)
  })

  test('gives the secrets out on purpose', () => {
    assert.deepEqual({ ...makeStatic().fields }, { apiKey, baseUrl: 'https://api.example' })
    assert.equal(makeStatic().fields['apiKey'], apiKey)
  })

  test('inherits nothing to be confused by', () => {
    const { fields } = new StaticCredential({ a: 'b' })
    for (const name of ['constructor', 'toString', 'hasOwnProperty', '__proto__'])
      assert.equal(fields[name], undefined)
    const names: string[] = []
    for (const name in fields) names.push(name)
    assert.deepEqual(names, ['a'])
  })
})

describe('a credential cannot be changed', () => {
  test('by its properties', () => {
    for (const credential of [makeStatic(), makeOAuth()]) {
      assert(Object.isFrozen(credential))
      for (const property of ['accessToken', 'fields', 'type', 'other']) {
        assert.throws(() => Object.assign(credential, { [property]: 'changed' }), TypeError)
      }
    }
  })

  test('by what a caller got from it', () => {
    const credential = makeOAuth()
    credential.expiresAt?.setFullYear(1999)
    assert.equal(credential.expiresAt?.getUTCFullYear(), 2026)
    assert.throws(() => (credential.scopes as string[]).push('admin'), TypeError)
    assert.throws(() => Object.assign(credential.extra, { a: 1 }), TypeError)
    assert.throws(() => Object.assign(credential.extra['tenant'] as object, { a: 1 }), TypeError)
    assert.throws(() => Object.assign(makeStatic().fields, { apiKey: 'x' }), TypeError)
  })

  test('by what a caller made it of', () => {
    const input = { accessToken, scopes: ['a'], expiresAt: new Date(0), extra: { list: [1] } }
    const fields = { apiKey }
    const [oauth, fixed] = [new OAuthCredential(input), new StaticCredential(fields)]
    input.scopes.push('admin')
    input.expiresAt.setFullYear(2099)
    input.extra.list.push(2)
    fields.apiKey = 'changed'
    assert.deepEqual(oauth.scopes, ['a'])
    assert.equal(oauth.expiresAt?.getTime(), 0)
    assert.equal(JSON.stringify(oauth.extra), '{"list":[1]}')
    assert.equal(fixed.field('apiKey'), apiKey)
  })
})

describe('every property exists on both types', () => {
  test('and is undefined or empty on the other', () => {
    const fixed: ResolvedCredential = makeStatic()
    assert.equal(fixed.accessToken, undefined)
    assert.equal(fixed.refreshToken, undefined)
    assert.equal(fixed.scopes, undefined)
    assert.equal(fixed.expiresAt, undefined)
    assert.deepEqual({ ...fixed.extra }, {})
    assert.equal(fixed.isExpired(), false)
    const oauth: ResolvedCredential = makeOAuth()
    assert.deepEqual({ ...oauth.fields }, {})
    assertRefused(() => oauth.field('apiKey'), 'ERR_CREDENTIAL_TYPE', /is of type "oauth"/)
  })
})

describe('field', () => {
  test('names the field and the fields there are when it is absent or empty', () => {
    const credential = new StaticCredential({ apiKey, 'not/a name': apiKey, empty: '' })
    assertRefused(
      () => credential.field('api_key'),
      'ERR_CREDENTIAL_MISSING',
      /no value for field "api_key"; it has field "apiKey", field 2, field "empty"\.$/,
      apiKey,
    )
    assertRefused(
      () => credential.field('empty'),
      'ERR_CREDENTIAL_MISSING',
      /field "empty"/,
      apiKey,
    )
    assertRefused(
      () => credential.field(`${apiKey}/`),
      'ERR_CREDENTIAL_MISSING',
      /that field/,
      apiKey,
    )
  })

  test('does not take the hooks of the map for fields', () => {
    const credential = makeStatic()
    assert(credential.fields)
    assertRefused(() => credential.field('toJSON'), 'ERR_CREDENTIAL_MISSING', /toJSON/)
  })
})

describe('to test runners, which compare tags, credentials are', () => {
  const oauth = (accessToken: string, more: object = {}) =>
    new OAuthCredential({ accessToken, scopes: ['a'], expiresAt: new Date(0), ...more })
  const tagOf = (credential: ResolvedCredential) => Object.prototype.toString.call(credential)

  const equal: [name: string, one: ResolvedCredential, other: ResolvedCredential][] = [
    ['the same fields', makeStatic(), makeStatic()],
    [
      'the same fields in another order',
      new StaticCredential({ a: '1', b: '2' }),
      new StaticCredential({ b: '2', a: '1' }),
    ],
    ['the same properties', makeOAuth(), makeOAuth()],
  ]
  for (const [name, one, other] of equal) {
    test(`equal with ${name}`, () => {
      assert.equal(tagOf(one), tagOf(other))
      assert.deepEqual({ one }, { one: other })
    })
  }

  type Pair = [one: ResolvedCredential, other: ResolvedCredential]
  const different: [name: string, make: (value: string) => Pair][] = [
    ['another value', (a) => [new StaticCredential({ a }), new StaticCredential({ a: `${a}2` })]],
    [
      'a value that differs outside of the BMP',
      (a) => [
        new StaticCredential({ a: `${a}\u{1f511}` }),
        new StaticCredential({ a: `${a}\u{1f512}` }),
      ],
    ],
    ['another name', (a) => [new StaticCredential({ a }), new StaticCredential({ b: a })]],
    ['another class', (accessToken) => [new StaticCredential({ accessToken }), oauth(accessToken)]],
    ...[
      { accessToken: 'two' },
      { refreshToken: 'two' },
      { clientId: 'two' },
      { clientSecret: 'two' },
      { tokenUri: 'two' },
      { scopes: ['a', 'b'] },
      { expiresAt: new Date(1) },
      { extra: { a: [2] } },
    ].map((more): [string, (value: string) => Pair] => [
      `another ${Object.keys(more)}`,
      (value) => [oauth(value), oauth(value, more)],
    ]),
  ]
  for (const [name, make] of different) {
    test(`different with ${name}`, () => {
      // One in 65,536 has the same tag by chance.
      const pairs = ['one', 'three', 'five'].map(make)
      assert(pairs.some(([one, other]) => tagOf(one) !== tagOf(other)))
      // What stands in for node:assert elsewhere does not compare tags.
      const isEqual = ([one, other]: Pair) => codeOf(() => assert.deepEqual([one], [other]))
      if (isNodeAssert) assert(pairs.map(isEqual).includes('ERR_ASSERTION'))
    })
  }

  test('and the classes themselves have a tag', () => {
    for (const { prototype, name } of [StaticCredential, OAuthCredential])
      assert.equal(Object.prototype.toString.call(prototype), `[object ${name}]`)
  })
})

describe('isExpired', () => {
  const inSeconds = (seconds: number) =>
    new OAuthCredential({ accessToken, expiresAt: new Date(Date.now() + seconds * 1000) })
  test('counts a leeway of 60 seconds unless told otherwise', () => {
    assert.equal(inSeconds(50).isExpired(), true)
    assert.equal(inSeconds(90).isExpired(), false)
    assert.equal(inSeconds(90).isExpired(120), true)
    assert.equal(inSeconds(5).isExpired(0), false)
    assert.equal(inSeconds(-5).isExpired(0), true)
  })
  test('is false when the expiry is unknown, and refuses a leeway that is no number', () => {
    assert.equal(new OAuthCredential({ accessToken }).isExpired(Infinity), false)
    for (const leeway of [NaN, -1])
      assert.throws(() => inSeconds(5).isExpired(leeway), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
      })
  })
})

describe('a constructor refuses', () => {
  class Custom {
    secret = accessToken
  }
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  const bad: [name: string, properties: object, code: string, message: RegExp][] = [
    ['no token', {}, 'ERR_CREDENTIAL_MISSING', /needs accessToken/],
    ['an empty token', { accessToken: '' }, 'ERR_CREDENTIAL_MISSING', /needs accessToken/],
    [
      'a token of another type',
      { accessToken: 7 },
      'ERR_CREDENTIAL_INVALID',
      /^accessToken must be a string/,
    ],
    [
      'an empty refresh token',
      { accessToken, refreshToken: '' },
      'ERR_CREDENTIAL_INVALID',
      /^refreshToken must not be empty/,
    ],
    [
      'a null client id',
      { accessToken, clientId: null },
      'ERR_CREDENTIAL_INVALID',
      /^clientId must be a string/,
    ],
    [
      'a broken client secret',
      { accessToken, clientSecret: '\udc00' },
      'ERR_CREDENTIAL_INVALID',
      /^clientSecret holds half/,
    ],
    [
      'scopes in one string',
      { accessToken, scopes: 'a b' },
      'ERR_CREDENTIAL_INVALID',
      /^scopes must be a list/,
    ],
    [
      'an empty scope',
      { accessToken, scopes: [''] },
      'ERR_CREDENTIAL_INVALID',
      /^scopes must hold/,
    ],
    [
      'a scope that is no string',
      { accessToken, scopes: [7] },
      'ERR_CREDENTIAL_INVALID',
      /^scopes must hold/,
    ],
    [
      'a time in a string',
      { accessToken, expiresAt: '2026-05-04' },
      'ERR_CREDENTIAL_INVALID',
      /^expiresAt must be a Date, such as new Date\("2026-05-04T12:00:00Z"\)\.$/,
    ],
    [
      'an invalid Date',
      { accessToken, expiresAt: new Date(NaN) },
      'ERR_CREDENTIAL_INVALID',
      /^expiresAt must be a valid Date/,
    ],
    [
      'a Date that no header can carry',
      { accessToken, expiresAt: new Date(8.64e15) },
      'ERR_CREDENTIAL_INVALID',
      /^expiresAt must be .* in the years 0 to 9999/,
    ],
    [
      'an extra that is no object',
      { accessToken, extra: [accessToken] },
      'ERR_CREDENTIAL_INVALID',
      /^extra must be a JSON object/,
    ],
    [
      'a class instance in extra',
      { accessToken, extra: { a: new Custom() } },
      'ERR_CREDENTIAL_INVALID',
      /^extra must be a JSON object/,
    ],
    [
      'undefined in extra',
      { accessToken, extra: { a: undefined } },
      'ERR_CREDENTIAL_INVALID',
      /^extra must be/,
    ],
    [
      'a hole in extra',
      { accessToken, extra: { a: [, 1] } },
      'ERR_CREDENTIAL_INVALID',
      /^extra must be/,
    ],
    [
      'a bigint in extra',
      { accessToken, extra: { a: 1n } },
      'ERR_CREDENTIAL_INVALID',
      /^extra must be/,
    ],
    [
      'NaN in extra',
      { accessToken, extra: { a: NaN } },
      'ERR_CREDENTIAL_INVALID',
      /^extra holds a number/,
    ],
    [
      'an integer of extra whose digits would be lost',
      { accessToken, extra: { a: [2 ** 53] } },
      'ERR_CREDENTIAL_INVALID',
      /^extra holds an integer beyond 2\^53, whose last digits are lost: put it in quotes\.$/,
    ],
    [
      'a negative one',
      { accessToken, extra: { a: -(2 ** 53) } },
      'ERR_CREDENTIAL_INVALID',
      /^extra holds an integer beyond 2\^53/,
    ],
    [
      'an extra that holds itself',
      { accessToken, extra: cyclic },
      'ERR_CREDENTIAL_INVALID',
      /^extra is nested more/,
    ],
  ]
  for (const [name, properties, code, message] of bad) {
    test(name, () =>
      assertRefused(
        () => Reflect.construct(OAuthCredential, [properties]),
        code,
        message,
        accessToken,
      ),
    )
  }

  test('fields that are not strings, or not there', () => {
    assertRefused(
      () => new StaticCredential({}),
      'ERR_CREDENTIAL_MISSING',
      /^A static credential needs at least one field\.$/,
    )
    for (const value of [7, null, undefined, {}]) {
      assertRefused(
        () => Reflect.construct(StaticCredential, [{ apiKey: value }]),
        'ERR_CREDENTIAL_INVALID',
        /field "apiKey" must be a string/,
      )
    }
  })

  test('anything but an object, with a TypeError', () => {
    for (const type of [StaticCredential, OAuthCredential]) {
      for (const value of [undefined, null, apiKey]) {
        assert.throws(
          () => Reflect.construct(type, [value]),
          (error: unknown) => {
            assert(error instanceof TypeError)
            assert.equal(Reflect.get(error, 'code'), 'ERR_INVALID_ARG_TYPE')
            assertNoLeak(error, apiKey)
            return true
          },
        )
      }
    }
  })

  test('and names where a value came from, when told', () => {
    assertRefused(
      () => new StaticCredential({}, 'vault/github'),
      'ERR_CREDENTIAL_MISSING',
      /^vault\/github needs at least one field/,
    )
    assertRefused(
      () => new OAuthCredential({ accessToken: ' ' }, { accessToken: 'vault/github' }),
      'ERR_CREDENTIAL_INVALID',
      /^vault\/github contains white space/,
    )
  })
})

describe('the errors for custom sources', () => {
  test('keep an id that may be a key out of every rendering', () => {
    const error = new CredentialNotFoundError(apiKey)
    assert.equal(error.credentialId, apiKey)
    assert.equal(error.code, 'ERR_CREDENTIAL_NOT_FOUND')
    assert.equal(error.name, 'CredentialNotFoundError')
    const texts = [
      String(error),
      JSON.stringify(error),
      inspect(error),
      inspect(error, { showHidden: true }),
      `${error.stack}`,
    ]
    assert.equal(findLeak(texts, apiKey), undefined)
  })

  test('name the headers that are missing', () => {
    const error = new MissingCredentialHeaderError(['X-API-Key'])
    assert.deepEqual(error.missingHeaders, ['X-API-Key'])
    assert.match(error.message, /^The request carries no X-API-Key header\. Connect the account/)
    assert(Object.isFrozen(error.missingHeaders))
  })
})
