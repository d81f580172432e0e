import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CredentialError, OAuthCredential, parseEnv, StaticCredential } from 'mcp-credentials'
import type { Environment } from 'mcp-credentials'
import { assertNoLeak, assertRefused, fakeSecret } from './helper.ts'

describe('parseEnv reads', () => {
  test('every OAuth variable', () => {
    const [accessToken, refreshToken, clientSecret] = [
      fakeSecret('access'),
      fakeSecret('refresh'),
      fakeSecret('client'),
    ]
    const credential = parseEnv('svc_', {
      SVC_ACCESS_TOKEN: accessToken,
      SVC_REFRESH_TOKEN: refreshToken,
      SVC_CLIENT_ID: 'client-é',
      SVC_CLIENT_SECRET: clientSecret,
      SVC_TOKEN_URI: 'https://auth.example/token',
      SVC_SCOPES: ' repo  read:user\tuser:email ',
      SVC_EXPIRES_AT: '2026-05-04T12:00:00Z',
      SVC_EXTRA_Tenant_ID: 'acme',
      OTHER_ACCESS_TOKEN: 'ignored',
    })
    assert(credential instanceof OAuthCredential)
    assert.equal(credential.type, 'oauth')
    assert.equal(credential.accessToken, accessToken)
    assert.equal(credential.refreshToken, refreshToken)
    assert.equal(credential.clientId, 'client-é')
    assert.equal(credential.clientSecret, clientSecret)
    assert.equal(credential.tokenUri, 'https://auth.example/token')
    assert.deepEqual(credential.scopes, ['repo', 'read:user', 'user:email'])
    assert.equal(credential.expiresAt?.toISOString(), '2026-05-04T12:00:00.000Z')
    assert.deepEqual({ ...credential.extra }, { tenant_id: 'acme' })
  })

  test('single fields, their case kept', () => {
    const apiKey = fakeSecret('api-key')
    const credential = parseEnv('SVC_', {
      SVC_FIELD_apiKey: apiKey,
      SVC_FIELD_Region: 'eu',
      SVC_FIELD_none: '',
    })
    assert(credential instanceof StaticCredential)
    assert.deepEqual({ ...credential.fields }, { apiKey, Region: 'eu' })
  })

  test('FIELDS alone when it is set, and FIELD_* when it is empty', () => {
    const env = {
      SVC_FIELDS: '{"apiKey":"json"}',
      SVC_FIELD_apiKey: 'single',
      SVC_FIELD_: 'not looked at',
    }
    assert.equal(parseEnv('SVC_', env, 'static').field('apiKey'), 'json')
    assert.equal(
      parseEnv('SVC_', { ...env, SVC_FIELDS: '', SVC_FIELD_: '' }, 'static').field('apiKey'),
      'single',
    )
  })

  test('an empty prefix', () => {
    assert.equal(parseEnv('', { ACCESS_TOKEN: 'token' }).accessToken, 'token')
  })

  test('only the type that is asked for or declared', () => {
    const both = {
      SVC_ACCESS_TOKEN: 'token',
      SVC_FIELD_apiKey: 'key',
      SVC_FIELDS: '',
      SVC_SCOPES: '',
    }
    assert.equal(parseEnv('SVC_', both, 'oauth').accessToken, 'token')
    assert.equal(parseEnv('SVC_', both, 'static').field('apiKey'), 'key')
    assert.equal(parseEnv('SVC_', { ...both, SVC_CRED_TYPE: 'static' }).type, 'static')
    assert.equal(parseEnv('SVC_', { ...both, SVC_CRED_TYPE: 'oauth' }, 'oauth').scopes, undefined)
    assert.equal(
      parseEnv('SVC_', { SVC_ACCESS_TOKEN: 'token', SVC_FIELDS: '{broken' }, 'oauth').accessToken,
      'token',
    )
  })
})

describe('parseEnv refuses', () => {
  const secret = fakeSecret('env')
  const token = { SVC_ACCESS_TOKEN: secret }
  const cases: [
    name: string,
    env: Environment,
    code: string,
    message: RegExp,
    type?: 'static' | 'oauth',
  ][] = [
    [
      'nothing set',
      {},
      'ERR_CREDENTIAL_MISSING',
      /^Set SVC_ACCESS_TOKEN for OAuth, or SVC_FIELDS or SVC_FIELD_<name>/,
    ],
    ['no token', {}, 'ERR_CREDENTIAL_MISSING', /^Set SVC_ACCESS_TOKEN/, 'oauth'],
    [
      'an empty token',
      { SVC_ACCESS_TOKEN: '' },
      'ERR_CREDENTIAL_MISSING',
      /^Set SVC_ACCESS_TOKEN/,
      'oauth',
    ],
    [
      'a refresh token alone',
      { SVC_REFRESH_TOKEN: secret },
      'ERR_CREDENTIAL_MISSING',
      /^Set SVC_ACCESS_TOKEN/,
    ],
    [
      'no field',
      {},
      'ERR_CREDENTIAL_MISSING',
      /^Set SVC_FIELDS to a JSON object.*SVC_FIELD_<name>/,
      'static',
    ],
    [
      'FIELDS without a field',
      { SVC_FIELDS: '{"a":null}' },
      'ERR_CREDENTIAL_MISSING',
      /SVC_FIELDS/,
    ],
    [
      'both kinds',
      { ...token, SVC_FIELD_a: secret },
      'ERR_CREDENTIAL_INVALID',
      /set SVC_CRED_TYPE to oauth or static/,
    ],
    [
      'an unknown CRED_TYPE',
      { ...token, SVC_CRED_TYPE: secret },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_CRED_TYPE must be/,
    ],
    [
      'an unknown CRED_TYPE beside a type',
      { ...token, SVC_CRED_TYPE: secret },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_CRED/,
      'oauth',
    ],
    [
      'a contradicting CRED_TYPE',
      { ...token, SVC_CRED_TYPE: 'static' },
      'ERR_CREDENTIAL_TYPE',
      /^SVC_CRED_TYPE says static, but this server asks for oauth: set it to oauth, or remove it\.$/,
      'oauth',
    ],
    [
      'a field without a name',
      { SVC_FIELD_: secret },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_FIELD_\*: field 1 has an empty name/,
    ],
    [
      'a field called toJSON',
      { SVC_FIELD_toJSON: secret },
      'ERR_CREDENTIAL_INVALID',
      /field "toJSON" must not be called/,
    ],
    [
      'a field called __proto__',
      { SVC_FIELD___proto__: secret },
      'ERR_CREDENTIAL_INVALID',
      /field "__proto__" must not/,
    ],
    [
      'an extra without a name',
      { ...token, SVC_EXTRA_: secret },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_EXTRA_\*: field 1 has an empty/,
    ],
    [
      'an extra called __proto__',
      { ...token, SVC_EXTRA___PROTO__: secret },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_EXTRA_\*: .*__proto__/,
    ],
    [
      'an object for FIELDS, as Workers bind JSON',
      { SVC_FIELDS: { a: secret } as never },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_FIELDS must be a string/,
    ],
    [
      'extras that fold to one',
      { ...token, SVC_EXTRA_DC: 'a', SVC_EXTRA_dc: secret },
      'ERR_CREDENTIAL_INVALID',
      /field "dc" is set twice/,
    ],
    [
      'JSON in single quotes',
      { SVC_FIELDS: `'{"a":"${secret}"}'` },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_FIELDS has quotes around it, which nothing removes: omit them\.$/,
    ],
    [
      'JSON with single quotes, as Python prints it',
      { SVC_FIELDS: `{'a': '${secret}'}` },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_FIELDS is not valid JSON: its strings need double quotes\.$/,
    ],
    [
      'a token in literal quotes',
      { SVC_ACCESS_TOKEN: `"${secret}"` },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_ACCESS_TOKEN has quotes around it/,
    ],
    [
      'a field of several lines in literal quotes',
      { SVC_FIELD_a: `'${secret}\n'` },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_FIELD_a has quotes around it/,
    ],
    [
      'a variable that nothing has expanded',
      { SVC_ACCESS_TOKEN: '${TOKEN}' },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_ACCESS_TOKEN refers to a variable, which nothing has expanded: write the value itself\.$/,
    ],
    [
      'one of an editor',
      { SVC_FIELD_a: '${env:SVC_KEY}' },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_FIELD_a refers to a variable/,
    ],
    [
      'a time beyond the year 9999 when its offset is added',
      { ...token, SVC_EXPIRES_AT: '9999-12-31T23:59:59-01:00' },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_EXPIRES_AT must be a valid Date in the years 0 to 9999\.$/,
    ],
    [
      'a lone surrogate',
      { ...token, SVC_CLIENT_SECRET: `${secret}\ud800` },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_CLIENT_SECRET holds half/,
    ],
    [
      'a JSON array for scopes',
      { ...token, SVC_SCOPES: `["${secret}", "b"]` },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_SCOPES must be separated by spaces, without commas or quotes\.$/,
    ],
    [
      'a JSON array of one scope',
      { ...token, SVC_SCOPES: `["${secret}"]` },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_SCOPES must be separated by spaces, without commas or quotes\.$/,
    ],
    [
      'scopes outside ASCII',
      { ...token, SVC_SCOPES: `${secret}é` },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_SCOPES/,
    ],
    [
      'a bad time',
      { ...token, SVC_EXPIRES_AT: secret },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_EXPIRES_AT must be a time/,
    ],
    [
      'a time before the year 0',
      { ...token, SVC_EXPIRES_AT: '0000-01-01T00:00+01' },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_EXPIRES_AT/,
    ],
    [
      'a token with a line break',
      { SVC_ACCESS_TOKEN: `${secret}\n` },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_ACCESS_TOKEN ends with a line/,
    ],
  ]
  for (const [name, env, code, message, type] of cases) {
    test(name, () => assertRefused(() => parseEnv('SVC_', env, type), code, message, secret))
  }

  test('a prefix that lacks its underscore, and says so', () => {
    const env = { SVC_ACCESS_TOKEN: secret }
    assertRefused(
      () => parseEnv('svc', env),
      'ERR_CREDENTIAL_MISSING',
      /variables that start with SVC_: is that the prefix\?/,
      secret,
    )
    assertRefused(
      () => parseEnv('', env),
      'ERR_CREDENTIAL_MISSING',
      /^Set ACCESS_TOKEN[^:]*$/,
      secret,
    )
  })

  describe('variables that Deno does not allow to be read', () => {
    // As its process.env does: reading others, and listing them, throws.
    const refusal = new Error(
      'NotCapable: Requires env access, run again with the --allow-env flag',
    )
    const allowing = (env: Environment) =>
      new Proxy(env, {
        get(_, name) {
          if (name in env) return env[String(name)]
          throw refusal
        },
        ownKeys() {
          throw refusal
        },
      })
    const named = {
      SVC_CRED_TYPE: '',
      SVC_REFRESH_TOKEN: '',
      SVC_CLIENT_ID: '',
      SVC_CLIENT_SECRET: '',
      SVC_TOKEN_URI: '',
      SVC_SCOPES: 'a',
      SVC_EXPIRES_AT: '',
    }

    test('OAuth variables do without listing', () => {
      assert.deepEqual(parseEnv('SVC_', allowing({ ...token, ...named }), 'oauth').scopes, ['a'])
      assert.deepEqual(
        parseEnv('svc_', allowing({ ...token, ...named, SVC_CRED_TYPE: 'oauth' })).scopes,
        ['a'],
      )
      assertRefused(
        () => parseEnv('SVC_', allowing({ ...named, SVC_ACCESS_TOKEN: '' }), 'oauth'),
        'ERR_CREDENTIAL_MISSING',
        /^Set SVC_ACCESS_TOKEN/,
      )
      assert.equal(
        parseEnv('SVC_', allowing({ SVC_CRED_TYPE: '', SVC_FIELDS: '{"a":"b"}' }), 'static').field(
          'a',
        ),
        'b',
      )
    })

    const denied: [name: string, env: Environment, type?: 'static' | 'oauth', prefix?: string][] = [
      ['one of them', token, 'oauth'],
      ['another', { ...token, SVC_CRED_TYPE: 'oauth' }],
      ['one without a prefix', { ACCESS_TOKEN: secret }, 'oauth', ''],
      ['FIELD_*', { ...named, SVC_FIELDS: '' }, 'static'],
      ['FIELD_*, while the type is not known', { ...named, ...token, SVC_FIELDS: '' }],
    ]
    for (const [name, env, type, prefix = 'SVC_'] of denied) {
      test(`${name}: its own error, which names the permission, is passed on`, () => {
        const parse = () => parseEnv(prefix, allowing(env), type)
        assert.throws(parse, (thrown) => thrown === refusal)
      })
    }
  })

  describe('misuse, with a TypeError:', () => {
    const cases: [name: string, args: unknown[], code: string, message: string][] = [
      [
        'no arguments',
        [],
        'ERR_INVALID_ARG_TYPE',
        'The environment must be given as an object, such as process.env.',
      ],
      [
        'no environment',
        ['SVC_'],
        'ERR_INVALID_ARG_TYPE',
        'The environment must be given as an object, such as process.env.',
      ],
      [
        'no prefix',
        [undefined, {}],
        'ERR_INVALID_ARG_TYPE',
        'The prefix of the variables must be a string, such as "WEATHER_".',
      ],
      [
        'a number for a prefix',
        [7, {}],
        'ERR_INVALID_ARG_TYPE',
        'The prefix of the variables must be a string, such as "WEATHER_".',
      ],
      [
        'a type that does not exist',
        ['SVC_', {}, 'apikey'],
        'ERR_INVALID_ARG_VALUE',
        'The type of a credential is either "static" or "oauth".',
      ],
      [
        'options in place of the type',
        ['SVC_', {}, { type: 'oauth' }],
        'ERR_INVALID_ARG_VALUE',
        'The type of a credential is either "static" or "oauth".',
      ],
      [
        'fields that are no list',
        ['SVC_', {}, 'static', { fields: 'apiKey' }],
        'ERR_INVALID_ARG_VALUE',
        'The option fields of parseEnv must be a list of strings.',
      ],
      [
        'fields of an OAuth credential',
        ['SVC_', {}, 'oauth', { fields: ['apiKey'] }],
        'ERR_INVALID_ARG_VALUE',
        'The option fields is for { type: "static" }.',
      ],
      [
        'an option that is misspelt',
        ['SVC_', {}, 'static', { field: ['apiKey'] }],
        'ERR_INVALID_ARG_VALUE',
        '"field" is not an option of parseEnv: use fields.',
      ],
    ]
    for (const [name, args, code, message] of cases) {
      test(name, () => {
        const parse = () => Reflect.apply(parseEnv, undefined, args)
        assert.throws(parse, { name: 'TypeError', code, message })
      })
    }
  })
})

describe('the fields that a server declares', () => {
  const secret = fakeSecret('declared')
  const fields = ['apiKey', 'baseUrl']
  const parse = (env: Environment) => parseEnv('SVC_', env, undefined, { fields })

  test('are there, beside others, from either kind of variable', () => {
    const single = { SVC_FIELD_apiKey: secret, SVC_FIELD_baseUrl: 'url', SVC_FIELD_more: 'more' }
    assert.deepEqual({ ...parse(single).fields }, { apiKey: secret, baseUrl: 'url', more: 'more' })
    const json = `{"apiKey":"${secret}","baseUrl":"url"}`
    assert.equal(parse({ SVC_FIELDS: json }).field('apiKey'), secret)
    assert.equal(parseEnv('SVC_', single, 'static', { fields: [] }).field('apiKey'), secret)
  })

  test('make the type static, whatever else is set', () => {
    const env = { SVC_ACCESS_TOKEN: secret, SVC_FIELD_apiKey: secret, SVC_FIELD_baseUrl: 'url' }
    assert.equal(parse(env).type, 'static')
    assertRefused(
      () => parse({ ...env, SVC_CRED_TYPE: 'oauth' }),
      'ERR_CREDENTIAL_TYPE',
      /^SVC_CRED_TYPE says oauth, but this server asks for static/,
      secret,
    )
  })

  const refused: [name: string, env: Environment, code: string, message: RegExp][] = [
    [
      'all of them',
      {},
      'ERR_CREDENTIAL_MISSING',
      /^Set SVC_FIELDS to a JSON object with a field, or SVC_FIELD_apiKey and SVC_FIELD_baseUrl\.$/,
    ],
    [
      'one of them',
      { SVC_FIELD_apiKey: secret },
      'ERR_CREDENTIAL_INVALID',
      /^Set SVC_FIELD_baseUrl\.$/,
    ],
    [
      'two, with another there',
      { SVC_FIELD_other: secret },
      'ERR_CREDENTIAL_INVALID',
      /^Set SVC_FIELD_apiKey and SVC_FIELD_baseUrl\.$/,
    ],
    [
      'the value of one',
      { SVC_FIELD_apiKey: '', SVC_FIELD_baseUrl: secret },
      'ERR_CREDENTIAL_INVALID',
      /^Set SVC_FIELD_apiKey\.$/,
    ],
    [
      'one in JSON',
      { SVC_FIELDS: `{"apiKey":"","baseUrl":"${secret}"}` },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_FIELDS needs a value for "apiKey"\.$/,
    ],
    [
      'two in JSON',
      { SVC_FIELDS: `{"other":"${secret}"}` },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_FIELDS needs a value for "apiKey" and "baseUrl"\.$/,
    ],
  ]
  for (const [name, env, code, message] of refused) {
    test(`are missing: ${name}`, () => assertRefused(() => parse(env), code, message, secret))
  }

  test('are not found among what every object inherits', () => {
    for (const name of ['constructor', 'toString', '__proto__'])
      assertRefused(
        () => parseEnv('SVC_', { SVC_FIELD_a: secret }, 'static', { fields: [name] }),
        'ERR_CREDENTIAL_INVALID',
        /^Set SVC_FIELD_\w+\.$/,
        secret,
      )
  })
})

describe('a hint names what was meant', () => {
  const secret = fakeSecret('hint')
  const fields = ['apiKey', 'baseUrl']
  const cases: [
    name: string,
    env: Environment,
    hint: string,
    type?: 'static' | 'oauth',
    options?: { fields: string[] } | undefined,
    prefix?: string,
  ][] = [
    [
      'a key without FIELD',
      { SVC_LOG_LEVEL: 'debug', SVC_API_KEY: secret },
      'SVC_API_KEY is set: did you mean SVC_FIELD_apiKey?',
      'static',
    ],
    [
      'a key of any type',
      { SVC_API_KEY: secret },
      'SVC_API_KEY is set: did you mean SVC_FIELD_apiKey?',
    ],
    [
      'a declared field without FIELD',
      { SVC_PORT: '80', SVC_BASE_URL: secret },
      'SVC_BASE_URL is set: did you mean SVC_FIELD_baseUrl?',
      'static',
      { fields },
    ],
    [
      'a declared field in another case',
      { SVC_FIELD_APIKEY: secret, SVC_FIELD_baseUrl: 'url' },
      'SVC_FIELD_APIKEY is set: did you mean SVC_FIELD_apiKey?',
      'static',
      { fields },
    ],
    [
      'a declared field without a prefix',
      { API_KEY: secret, FIELD_baseUrl: 'url' },
      'API_KEY is set: did you mean FIELD_apiKey?',
      'static',
      { fields },
      '',
    ],
    ['a token', { SVC_TOKEN: secret }, 'SVC_TOKEN is set: did you mean SVC_ACCESS_TOKEN?'],
    [
      'a personal access token',
      { SVC_PAT: secret },
      'SVC_PAT is set: did you mean SVC_ACCESS_TOKEN?',
      'oauth',
    ],
    [
      'a name without its underscore',
      { SVC_ACCESSTOKEN: secret },
      'SVC_ACCESSTOKEN is set: did you mean SVC_ACCESS_TOKEN?',
      'oauth',
    ],
    [
      'the URL of the token endpoint',
      { SVC_REFRESH_TOKEN: '', SVC_TOKEN_URL: secret },
      'SVC_TOKEN_URL is set: did you mean SVC_TOKEN_URI?',
      'oauth',
    ],
    [
      'fields where a token is wanted',
      { SVC_FIELD_apiKey: secret },
      'SVC_FIELD_apiKey is set: did you mean { type: "static" }?',
      'oauth',
    ],
    [
      'a token where fields are wanted',
      { SVC_ACCESS_TOKEN: secret },
      'SVC_ACCESS_TOKEN is set: did you mean { type: "oauth" }?',
      'static',
    ],
    [
      'fields without a prefix',
      { FIELDS: secret },
      'FIELDS is set: did you mean { type: "static" }?',
      'oauth',
      undefined,
      '',
    ],
  ]
  for (const [name, env, hint, type, options, prefix = 'SVC_'] of cases) {
    test(name, () => {
      const parse = () => parseEnv(prefix, env, type, options)
      assert.throws(parse, (error: unknown) => {
        assert(error instanceof CredentialError)
        assert(error.message.endsWith(`. ${hint}`), error.message)
        assertNoLeak(error, secret)
        return true
      })
    })
  }

  const none: [name: string, prefix: string, env: Environment, type?: 'static' | 'oauth'][] = [
    ['what else the server is configured by', 'SVC_', { SVC_LOG_LEVEL: 'x', SVC_BASE_URL: 'x' }],
    ['what a shell sets by itself', '', { _: '/usr/bin/env', HOME: '/', API_KEY: 'x' }],
    ['a variable that is empty', 'SVC_', { SVC_API_KEY: '', SVC_TOKEN: '' }],
    ['an extra, and the type', 'SVC_', { SVC_EXTRA_KEY: 'x', SVC_CRED_TYPE: 'oauth' }, 'oauth'],
    ['a field without a name', 'SVC_', { SVC_FIELD_: 'x' }, 'oauth'],
    ['a key where a token is wanted', 'SVC_', { SVC_API_KEY: 'x' }, 'oauth'],
  ]
  for (const [name, prefix, env, type] of none) {
    test(`but not ${name}`, () => {
      const message = /^Set \w*ACCESS_TOKEN (to the access token|for OAuth, or [^.]*)\.$/
      assertRefused(() => parseEnv(prefix, env, type), 'ERR_CREDENTIAL_MISSING', message)
    })
  }
})

test('an error of another kind is passed on as it is', () => {
  const error = new RangeError('elsewhere')
  const filter = () => {
    throw error
  }
  const fields = Object.assign(['apiKey'], { filter })
  assert.throws(
    () => parseEnv('SVC_', { SVC_FIELD_a: 'b' }, 'static', { fields }),
    (thrown) => thrown === error,
  )
})

test('what is wrong with the environment is the fault of the server', () => {
  for (const env of [{}, { SVC_ACCESS_TOKEN: ' ' }, { SVC_FIELD_a: 'a', SVC_ACCESS_TOKEN: 'a' }]) {
    assert.throws(() => parseEnv('SVC_', env), { name: 'CredentialError', isServerFault: true })
  }
})
