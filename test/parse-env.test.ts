import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { OAuthCredential, parseEnv, StaticCredential } from 'mcp-credentials'
import type { Environment } from 'mcp-credentials'
import { assertRefused, fakeSecret } from './helper.ts'

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
      /^SVC_CRED_TYPE says static/,
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
      'a lone surrogate',
      { ...token, SVC_CLIENT_SECRET: `${secret}\ud800` },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_CLIENT_SECRET holds half/,
    ],
    [
      'a JSON array for scopes',
      { ...token, SVC_SCOPES: `["${secret}", "b"]` },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_SCOPES must be separated by spaces/,
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
    const allowing = (env: Environment) =>
      new Proxy(env, {
        get(_, name) {
          if (name in env) return env[String(name)]
          throw new Error(`NotCapable ${secret}`)
        },
        ownKeys() {
          throw new Error(`NotCapable ${secret}`)
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

    const denied: [
      name: string,
      env: Environment,
      message: RegExp,
      type?: 'static' | 'oauth',
      prefix?: string,
    ][] = [
      [
        'one of them',
        token,
        /^SVC_CRED_TYPE cannot be read: Deno needs --allow-env=SVC_\* for it\.$/,
        'oauth',
      ],
      ['another', { ...token, SVC_CRED_TYPE: 'oauth' }, /^SVC_REFRESH_TOKEN cannot be read: Deno/],
      [
        'one without a prefix',
        { ACCESS_TOKEN: secret },
        /^CRED_TYPE cannot be read: Deno needs --allow-env=CRED_TYPE for it\.$/,
        'oauth',
        '',
      ],
      [
        'FIELD_*',
        { ...named, SVC_FIELDS: '' },
        /^SVC_FIELD_\* cannot be listed: Deno needs --allow-env, without names, for that\. Or set SVC_FIELDS/,
        'static',
      ],
      [
        'FIELD_*, while the type is not known',
        { ...named, ...token, SVC_FIELDS: '' },
        /^SVC_FIELD_\* cannot be listed.* or SVC_CRED_TYPE to oauth\.$/,
      ],
    ]
    for (const [name, env, message, type, prefix = 'SVC_'] of denied) {
      test(`${name}: the error names the permission`, () => {
        assertRefused(
          () => parseEnv(prefix, allowing(env), type),
          'ERR_CREDENTIAL_UNAVAILABLE',
          message,
          secret,
        )
      })
    }
  })

  test('misuse, with a TypeError', () => {
    for (const args of [
      ['SVC_', undefined],
      ['SVC_', {}, 'apikey'],
    ]) {
      assert.throws(() => Reflect.apply(parseEnv, undefined, args), {
        name: 'TypeError',
        code: /^ERR_INVALID_ARG_/,
      })
    }
    assert.throws(() => parseEnv(undefined as never, {}), TypeError)
  })
})
