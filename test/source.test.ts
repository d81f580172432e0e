import assert from 'node:assert/strict'
import process from 'node:process'
import { describe, test } from 'node:test'
import { fromEnv, fromHeaders, fromMode, getCredentialMode, OAuthCredential } from 'mcp-credentials'
import type {
  CredentialRequest,
  Environment,
  RefreshGrant,
  Refresher,
  ResolvedCredential,
} from 'mcp-credentials'
import { assertNoLeak, assertRefused, fakeSecret, onStoppedClock } from './helper.ts'

const onStdio: CredentialRequest = { tool: 'any', headers: undefined }
const overHttp = (headers: Record<string, string>): CredentialRequest => ({
  headers: new Headers(headers),
})
// Browsers and old Workers have no process.
const skip = process === undefined && 'there is no process.env'

describe('fromEnv', () => {
  test('reads process.env, also what a .env loader sets after the import', { skip }, () => {
    const source = fromEnv('LATE_', { type: 'oauth' })
    assertRefused(() => source(onStdio), 'ERR_CREDENTIAL_MISSING', /^Set LATE_ACCESS_TOKEN/)
    const token = fakeSecret('late')
    process.env['LATE_ACCESS_TOKEN'] = token
    process.env['LATE_EXTRA_TENANT'] = 'acme'
    const credential = source(onStdio)
    assert(credential instanceof OAuthCredential)
    assert.equal(credential.accessToken, token)
    assert.equal(credential.extra['tenant'], 'acme')
    delete process.env['LATE_ACCESS_TOKEN']
    assertRefused(() => source(onStdio), 'ERR_CREDENTIAL_MISSING', /^Set LATE_ACCESS_TOKEN/, token)
  })

  test('follows a variable that changes, and returns the same credential while none does', () => {
    const env: Record<string, string> = { SVC_FIELD_apiKey: 'one' }
    const source = fromEnv('svc_', { env })
    const first = source(onStdio)
    assert.equal(source(onStdio), first)
    env['SVC_FIELD_apiKey'] = 'two'
    assert.equal(fieldOf(source(onStdio), 'apiKey'), 'two')
    env['SVC_FIELDS'] = '{"apiKey":"three"}'
    assert.equal(fieldOf(source(onStdio), 'apiKey'), 'three')
    delete env['SVC_FIELDS']
    delete env['SVC_FIELD_apiKey']
    env['SVC_FIELD_newKey'] = 'four'
    assert.equal(fieldOf(source(onStdio), 'newKey'), 'four')
  })

  test('never returns what it had once a variable has gone bad', () => {
    const env: Record<string, string> = { SVC_ACCESS_TOKEN: 'good' }
    const source = fromEnv('SVC_', { env, type: 'oauth' })
    const good = source(onStdio)
    env['SVC_EXPIRES_AT'] = 'soon'
    for (const _ of [1, 2])
      assertRefused(() => source(onStdio), 'ERR_CREDENTIAL_INVALID', /^SVC_EXPIRES_AT/)
    env['SVC_EXPIRES_AT'] = ''
    assert.notEqual(source(onStdio), good)
  })

  const laterOnes: [
    name: string,
    before: Record<string, string>,
    after: Record<string, string>,
    read: (credential: ResolvedCredential) => string | undefined,
    type?: 'static' | 'oauth',
  ][] = [
    [
      'a field',
      { SVC_FIELD_apiKey: 'one' },
      { SVC_FIELD_baseUrl: 'two' },
      (credential) => credential.fields['baseUrl'],
    ],
    [
      'a field, of a declared type',
      { SVC_FIELD_apiKey: 'one' },
      { SVC_FIELD_baseUrl: 'two' },
      (credential) => credential.fields['baseUrl'],
      'static',
    ],
    [
      'an extra',
      { SVC_ACCESS_TOKEN: 'one' },
      { SVC_EXTRA_TENANT: 'two' },
      (credential) => credential.extra['tenant'] as string | undefined,
      'oauth',
    ],
  ]
  for (const [name, before, after, read, type] of laterOnes) {
    test(`finds ${name} that appears later within a second, and not at once`, () => {
      onStoppedClock((advance) => {
        const env = { ...before }
        const source = fromEnv('SVC_', { env, type })
        const first = source(onStdio) as ResolvedCredential
        Object.assign(env, after)
        advance(999)
        assert.equal(source(onStdio), first)
        advance(1)
        const second = source(onStdio) as ResolvedCredential
        assert.equal(read(first), undefined)
        assert.equal(read(second), 'two')
        // It has been looked for now, and is one of those that are followed.
        Object.assign(env, { [Object.keys(after)[0] ?? '']: 'three' })
        assert.equal(read(source(onStdio) as ResolvedCredential), 'three')
      })
    })
  }

  test('finds one also when the clock is set back', () => {
    onStoppedClock((advance) => {
      const env: Record<string, string> = { SVC_FIELD_a: 'one' }
      const source = fromEnv('SVC_', { env })
      source(onStdio)
      env['SVC_FIELD_b'] = 'two'
      advance(-3_600_000)
      assert.equal(fieldOf(source(onStdio), 'b'), 'two')
    })
  })

  test('lists the names of the environment when something has changed or is missing, else once a second', () => {
    onStoppedClock((advance) => {
      let listings = 0
      const values: Record<string, string> = { SVC_ACCESS_TOKEN: 'a' }
      const env = new Proxy<Environment>(values, {
        ownKeys(target) {
          listings += 1
          return Reflect.ownKeys(target)
        },
      })
      const source = fromEnv('SVC_', { env, type: 'oauth' })
      const listingsOf = (calls: number) => {
        const before = listings
        for (let call = 0; call < calls; call++) source(onStdio)
        return listings - before
      }
      assert.equal(listings, 0)
      assert(listingsOf(1) > 0)
      assert.equal(listingsOf(100), 0)
      advance(1000)
      assert.equal(listingsOf(1), 1)
      assert.equal(listingsOf(100), 0)
      values['SVC_ACCESS_TOKEN'] = 'b'
      values['SVC_EXTRA_tenant'] = 'acme'
      assert.equal((source(onStdio) as OAuthCredential).extra['tenant'], 'acme')
      delete values['SVC_ACCESS_TOKEN']
      for (const _ of [1, 2]) {
        const before = listings
        assertRefused(() => source(onStdio), 'ERR_CREDENTIAL_MISSING', /^Set SVC_ACCESS_TOKEN/)
        assert(listings > before)
      }
    })
  })

  test('does without a list of the variables where that is not allowed, as in Deno', () => {
    for (const values of [
      { SVC_ACCESS_TOKEN: 'a', SVC_CRED_TYPE: 'oauth' },
      { SVC_FIELDS: '{"a":"b"}', SVC_CRED_TYPE: 'static' },
    ]) {
      const env = new Proxy<Environment>(values, {
        ownKeys() {
          throw new Error('NotCapable')
        },
      })
      const source = fromEnv('SVC_', { env })
      assert.equal(source(onStdio), source(onStdio))
    }
  })

  test('hints at the underscore that the prefix lacks', () => {
    const source = fromEnv('SVC', { env: { SVC_ACCESS_TOKEN: 'a' } })
    assertRefused(
      () => source(onStdio),
      'ERR_CREDENTIAL_MISSING',
      /variables that start with SVC_: is that the prefix\?/,
    )
  })

  test('takes the fields that a server declares, which make its type static', () => {
    const env: Record<string, string> = { SVC_FIELD_apiKey: 'key', SVC_ACCESS_TOKEN: 'token' }
    const source = fromEnv('SVC_', { env, fields: ['apiKey', 'baseUrl'] })
    const missing = /^Set SVC_FIELD_baseUrl\.$/
    assertRefused(() => source(onStdio), 'ERR_CREDENTIAL_INVALID', missing)
    env['SVC_FIELD_baseUrl'] = 'url'
    assert.equal(fieldOf(source(onStdio), 'baseUrl'), 'url')
    delete env['SVC_FIELD_baseUrl']
    assertRefused(() => source(onStdio), 'ERR_CREDENTIAL_INVALID', missing)
  })

  test('refuses a runtime without an environment', { skip }, () => {
    const env = process.env
    try {
      Object.defineProperty(process, 'env', {
        value: undefined,
        configurable: true,
        writable: true,
      })
      for (const make of [() => fromEnv('SVC_'), () => fromMode('SVC_', { type: 'oauth' })]) {
        assert.throws(make, {
          name: 'TypeError',
          code: 'ERR_INVALID_ARG_VALUE',
          message: /no process\.env: pass the variables as the option env/,
        })
      }
      assert.equal(getCredentialMode(), 'oss')
    } finally {
      Object.defineProperty(process, 'env', { value: env, configurable: true, writable: true })
    }
  })
})

describe('fromEnv with refresh', () => {
  const refreshable = {
    SVC_REFRESH_TOKEN: 'refresh',
    SVC_CLIENT_ID: 'client',
    SVC_TOKEN_URI: 'https://auth.example/token',
  }
  const expired = { SVC_ACCESS_TOKEN: 'old', SVC_EXPIRES_AT: '2020-01-01T00:00:00Z' }
  const successor = new OAuthCredential({ accessToken: 'new' })

  test('gives the refresher the credential, and its caller what comes back', async () => {
    const given: unknown[] = []
    const refresh: Refresher = async (credential) => {
      given.push(credential)
      return successor
    }
    const env = { ...refreshable, ...expired }
    const source = fromEnv('SVC_', { type: 'oauth', env, refresh })
    assert.equal(await source(onStdio), successor)
    assert.equal(await source(onStdio), successor)
    assert(given[0] instanceof OAuthCredential)
    assert.equal(given[0].accessToken, 'old')
    assert.equal(given[0].refreshToken, 'refresh')
    // The same, so that the refresher may know it again.
    assert.equal(given[1], given[0])
  })

  test('gives it what a token is had with, where there is no token yet', async () => {
    const given: unknown[] = []
    const refresh: Refresher = async (grant) => {
      given.push(grant)
      return successor
    }
    const env = {
      ...refreshable,
      SVC_CLIENT_SECRET: 'secret',
      SVC_SCOPES: 'a b',
      SVC_EXTRA_TENANT: 'acme',
      SVC_EXPIRES_AT: '2020-01-01T00:00:00Z',
    }
    assert.equal(await fromEnv('SVC_', { type: 'oauth', env, refresh })(onStdio), successor)
    const { extra, ...grant } = given[0] as RefreshGrant
    assert.deepEqual(grant, {
      refreshToken: 'refresh',
      clientId: 'client',
      clientSecret: 'secret',
      tokenUri: 'https://auth.example/token',
      scopes: ['a', 'b'],
    })
    assert.deepEqual({ ...extra }, { tenant: 'acme' })
    await fromEnv('SVC_', { type: 'oauth', env: refreshable, refresh })(onStdio)
    assert.equal((given[1] as RefreshGrant).scopes, undefined)
  })

  const never: Refresher = () => assert.fail('It was asked.')
  const incomplete: [name: string, env: Record<string, string>, code: string, message: RegExp][] = [
    [
      'an expired token and no way to get another',
      expired,
      'ERR_CREDENTIAL_EXPIRED',
      /^The access token has expired\. Set SVC_REFRESH_TOKEN, SVC_CLIENT_ID and SVC_TOKEN_URI so that it can be refreshed\.$/,
    ],
    [
      'an expired token and no token URI',
      { ...refreshable, ...expired, SVC_TOKEN_URI: '' },
      'ERR_CREDENTIAL_EXPIRED',
      /^The access token has expired\. Set SVC_TOKEN_URI so that it can be refreshed\.$/,
    ],
    [
      'no token and no client id',
      { ...refreshable, SVC_CLIENT_ID: '' },
      'ERR_CREDENTIAL_MISSING',
      /^Set SVC_ACCESS_TOKEN to the access token, or SVC_REFRESH_TOKEN, SVC_CLIENT_ID and SVC_TOKEN_URI to get one\.$/,
    ],
    [
      'fields in place of a token',
      { SVC_FIELD_a: 'b' },
      'ERR_CREDENTIAL_MISSING',
      /did you mean \{ type: "static" \}\?$/,
    ],
    [
      'a bad time beside what it takes to refresh',
      { ...refreshable, SVC_EXPIRES_AT: 'soon' },
      'ERR_CREDENTIAL_INVALID',
      /^SVC_EXPIRES_AT must be a time/,
    ],
  ]
  for (const [name, env, code, message] of incomplete) {
    test(`refuses ${name}, and names what to set`, async () => {
      const source = fromEnv('SVC_', { type: 'oauth', env, refresh: never })
      await assert.rejects(async () => source(onStdio), {
        name: 'CredentialError',
        code,
        message,
        isServerFault: true,
      })
    })
  }

  test('has the refresher decide on a token that has not expired, or whose expiry is not known', async () => {
    const refresh: Refresher = async (credential) => credential as OAuthCredential
    for (const env of [
      { SVC_ACCESS_TOKEN: 'one' },
      { SVC_ACCESS_TOKEN: 'one', SVC_EXPIRES_AT: '2999-01-01T00:00:00Z' },
    ]) {
      const credential = await fromEnv('SVC_', { type: 'oauth', env, refresh })(onStdio)
      assert.equal(credential.accessToken, 'one')
    }
  })

  test('takes nothing but a credential from the refresher', async () => {
    const refresh = async () => ({ accessToken: 'new' }) as never
    const source = fromEnv('SVC_', { type: 'oauth', env: refreshable, refresh })
    await assert.rejects(async () => source(onStdio), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
      message: /^A refresher returns a StaticCredential or an OAuthCredential/,
    })
  })
})

describe('an option that is not as it should be is a TypeError, at once', () => {
  const refresh: Refresher = () => assert.fail('It was asked.')
  const env = {}
  const cases: [make: () => unknown, message: string, code?: string][] = [
    [
      () => fromEnv('X_', 'static' as never),
      'The options of fromEnv must be given as an object, such as { type, env, fields, refresh }.',
      'ERR_INVALID_ARG_TYPE',
    ],
    [
      () => fromEnv({ type: 'oauth' } as never),
      'The prefix of the variables must be a string, such as "WEATHER_".',
      'ERR_INVALID_ARG_TYPE',
    ],
    [
      () => fromEnv('X_', null as never),
      'The options of fromEnv must be given as an object, such as { type, env, fields, refresh }.',
      'ERR_INVALID_ARG_TYPE',
    ],
    [
      () => fromEnv('X_', { type: 'apikey' as never, env }),
      'The option type of fromEnv must be "static" or "oauth".',
    ],
    [
      () => fromEnv('X_', { type: 'oauth', env, refresh: 'yes' as never }),
      'The option refresh of fromEnv must be a function, such as createRefresher() returns.',
    ],
    [
      () => fromEnv('X_', { type: 'oauth', env, refresh: true as never }),
      'The option refresh of fromEnv must be a function, such as createRefresher() returns.',
    ],
    [() => fromEnv('X_', { env, refresh }), 'The option refresh is for { type: "oauth" }.'],
    [
      () => fromEnv('X_', { type: 'static', env, refresh }),
      'The option refresh is for { type: "oauth" }.',
    ],
    [
      () => fromEnv('X_', { env, fields: 'apiKey' as never }),
      'The option fields of fromEnv must be a list of strings.',
    ],
    [
      () => fromEnv('X_', { type: 'oauth', env, fields: ['apiKey'] }),
      'The option fields is for { type: "static" }.',
    ],
    [() => fromEnv('X_', { env: 'X_' as never }), 'The option env of fromEnv must be an object.'],
    [
      () => fromEnv('X_', { env, filds: [] } as never),
      '"filds" is not an option of fromEnv: use type, env, fields, refresh.',
    ],
    [
      () => fromHeaders('oauth' as never),
      'The options of fromHeaders must be given as an object, such as { type, fields, verify }.',
      'ERR_INVALID_ARG_TYPE',
    ],
    [
      () => fromHeaders(undefined as never),
      'The options of fromHeaders must be given as an object, such as { type, fields, verify }.',
      'ERR_INVALID_ARG_TYPE',
    ],
    [
      () => fromHeaders({} as never),
      'Declare the type of the credential: { type: "static" } or { type: "oauth" }.',
    ],
    [
      () => fromHeaders({ type: 'apikey' as never }),
      'The option type of fromHeaders must be "static" or "oauth".',
    ],
    [
      () => fromHeaders({ type: 'oauth', verify: true as never }),
      'The option verify of fromHeaders must be a function, such as createSignatureVerifier({ keys }) returns.',
    ],
    [
      () => fromHeaders({ type: 'oauth', fields: ['apiKey'] }),
      'The option fields is for { type: "static" }.',
    ],
    [
      () => fromHeaders({ type: 'oauth', env } as never),
      '"env" is not an option of fromHeaders: use type, fields, verify.',
    ],
    [
      () => fromMode('X_', { env } as never),
      'Declare the type of the credential: { type: "static" } or { type: "oauth" }.',
    ],
    [
      () => fromMode('X_', { type: 'apikey' as never, env }),
      'The option type of fromMode must be "static" or "oauth".',
    ],
    [
      () => fromMode('X_', { type: 'oauth', env, verify: { keys: [] } as never }),
      'The option verify of fromMode must be a function, such as createSignatureVerifier({ keys }) returns.',
    ],
    [
      () => fromMode({ type: 'oauth' } as never, {} as never),
      'Declare the type of the credential: { type: "static" } or { type: "oauth" }.',
    ],
    [
      () => fromMode('X_', { type: 'oauth', mode: 'hosted' } as never),
      '"mode" is not an option of fromMode: use type, env, fields, refresh, verify.',
    ],
    [
      () => fromMode('X_', { type: 'oauth', env, fields: ['apiKey'] }),
      'The option fields is for { type: "static" }.',
    ],
    [
      () => getCredentialMode(null as never),
      'The environment must be given as an object, such as process.env.',
      'ERR_INVALID_ARG_TYPE',
    ],
  ]
  for (const [make, message, code = 'ERR_INVALID_ARG_VALUE'] of cases) {
    test(String(make).slice(6), () => assert.throws(make, { name: 'TypeError', code, message }))
  }

  test('and no name that may be a secret is repeated', () => {
    const secret = fakeSecret('option')
    assert.throws(
      () => fromEnv('X_', { [secret]: 1 } as never),
      (error: unknown) => {
        assert(error instanceof TypeError)
        assert.match(error.message, /^One of the names is not an option of fromEnv: use/)
        assertNoLeak(error, secret)
        return true
      },
    )
  })
})

function fieldOf(credential: unknown, name: string): string {
  return (credential as { field(name: string): string }).field(name)
}

describe('fromHeaders', () => {
  test('reads the headers of the request, of the declared type alone', () => {
    const token = fakeSecret('header')
    const request = overHttp({
      'X-MCP-Cred-Access-Token': token,
      'X-MCP-Cred-Fields': '{"apiKey":"key"}',
    })
    assert.equal((fromHeaders({ type: 'oauth' })(request) as OAuthCredential).accessToken, token)
    assert.equal(fieldOf(fromHeaders({ type: 'static' })(request), 'apiKey'), 'key')
  })

  test('never falls back to the environment', { skip }, () => {
    process.env['X_ACCESS_TOKEN'] = process.env['ACCESS_TOKEN'] = fakeSecret('own')
    assert.throws(() => fromHeaders({ type: 'oauth' })(overHttp({})), {
      code: 'ERR_CREDENTIAL_MISSING',
      missingHeaders: ['X-MCP-Cred-Access-Token'],
    })
  })

  test('says that a call did not come over HTTP', () => {
    for (const [type, header] of [
      ['oauth', 'X-MCP-Cred-Access-Token'],
      ['static', 'X-MCP-Cred-Fields'],
    ] as const) {
      assert.throws(() => fromHeaders({ type })(onStdio), {
        name: 'MissingCredentialHeaderError',
        missingHeaders: [header],
        message: new RegExp(
          `^This call did not come over HTTP, so it has no ${header} header\\. Connect the account`,
        ),
      })
    }
  })

  test('takes the fields that a server declares', () => {
    const source = fromHeaders({ type: 'static', fields: ['apiKey', 'baseUrl'] })
    const key = fakeSecret('declared')
    const json = { apiKey: key, baseUrl: 'url' }
    const found = source(overHttp({ 'X-MCP-Cred-Fields': JSON.stringify(json) }))
    assert.equal(fieldOf(found, 'baseUrl'), 'url')
    assertRefused(
      () => source(overHttp({ 'X-MCP-Cred-Fields': `{"apiKey":"${key}"}` })),
      'ERR_CREDENTIAL_INVALID',
      /^X-MCP-Cred-Fields needs a value for "baseUrl"\.$/,
      key,
    )
  })
})

describe('the mode', () => {
  test('is oss unless FASTMCP_CREDENTIAL_MODE says hosted', () => {
    const modeOf = (value: string | undefined) =>
      getCredentialMode({ FASTMCP_CREDENTIAL_MODE: value })
    for (const value of [undefined, '', ' OSS\n', 'oss']) assert.equal(modeOf(value), 'oss')
    for (const value of ['hosted', ' Hosted ']) assert.equal(modeOf(value), 'hosted')
    for (const blank of [' ', '\t\n', 7 as never, {} as never])
      assert.throws(() => modeOf(blank), {
        code: 'ERR_CREDENTIAL_INVALID',
        message: 'FASTMCP_CREDENTIAL_MODE must be oss or hosted.',
        isServerFault: true,
      })
    const value = fakeSecret('mode')
    assertRefused(
      () => modeOf(value),
      'ERR_CREDENTIAL_INVALID',
      /^FASTMCP_CREDENTIAL_MODE must be oss or hosted\.$/,
      value,
    )
  })

  const fromHeader = overHttp({ 'x-mcp-cred-access-token': 'from-header' })
  const accessTokenOf = (credential: unknown) => (credential as OAuthCredential).accessToken

  test('is read at each call, so that a file of variables which is loaded late counts', () => {
    const env: Record<string, string> = { SVC_ACCESS_TOKEN: 'from-env' }
    const source = fromMode('SVC_', { type: 'oauth', env })
    assert.equal(accessTokenOf(source(overHttp({}))), 'from-env')
    env['FASTMCP_CREDENTIAL_MODE'] = 'hosted'
    assert.equal(accessTokenOf(source(fromHeader)), 'from-header')
    assert.throws(() => source(overHttp({})), { code: 'ERR_CREDENTIAL_MISSING' })
  })

  test('stays hosted once it was', () => {
    const env: Record<string, string> = {
      SVC_ACCESS_TOKEN: 'from-env',
      FASTMCP_CREDENTIAL_MODE: 'hosted',
    }
    const source = fromMode('SVC_', { type: 'oauth', env })
    for (const mode of ['oss', '', 'cloud']) {
      env['FASTMCP_CREDENTIAL_MODE'] = mode
      assert.equal(accessTokenOf(source(fromHeader)), 'from-header')
      assert.throws(() => source(overHttp({})), { code: 'ERR_CREDENTIAL_MISSING' })
    }
  })

  test('that is unknown is refused at the start, and when it becomes so', () => {
    const env: Record<string, string> = { SVC_ACCESS_TOKEN: 'from-env' }
    const source = fromMode('SVC_', { type: 'oauth', env })
    env['FASTMCP_CREDENTIAL_MODE'] = 'cloud'
    assert.throws(() => source(overHttp({})), { code: 'ERR_CREDENTIAL_INVALID' })
    assert.throws(() => fromMode('SVC_', { type: 'oauth', env }), {
      code: 'ERR_CREDENTIAL_INVALID',
    })
  })

  test('takes the fields that a server declares, in either', () => {
    const env: Record<string, string> = { SVC_FIELD_apiKey: 'key' }
    const source = fromMode('SVC_', { type: 'static', env, fields: ['apiKey', 'baseUrl'] })
    assertRefused(() => source(overHttp({})), 'ERR_CREDENTIAL_INVALID', /^Set SVC_FIELD_baseUrl\.$/)
    env['FASTMCP_CREDENTIAL_MODE'] = 'hosted'
    assertRefused(
      () => source(overHttp({ 'X-MCP-Cred-Fields': '{"apiKey":"key"}' })),
      'ERR_CREDENTIAL_INVALID',
      /^X-MCP-Cred-Fields needs a value for "baseUrl"\.$/,
    )
  })

  test('refreshes in oss, and never in hosted', async () => {
    const successor = new OAuthCredential({ accessToken: 'new' })
    const env: Record<string, string> = { SVC_ACCESS_TOKEN: 'old' }
    const refresh: Refresher = async () => successor
    const source = fromMode('SVC_', { type: 'oauth', env, refresh })
    assert.equal(await source(overHttp({})), successor)
    env['FASTMCP_CREDENTIAL_MODE'] = 'hosted'
    assert.equal(accessTokenOf(await source(fromHeader)), 'from-header')
  })

  test('oss takes no credential from headers: any of ours is refused', () => {
    const env = { SVC_ACCESS_TOKEN: 'from-env' }
    const source = fromMode('SVC_', { type: 'oauth', env })
    const secret = fakeSecret('header')
    for (const name of ['x-mcp-cred-access-token', 'X-MCP-Cred-Fields', 'x-mcp-cred-unknown']) {
      assertRefused(
        () => source(overHttp({ [name]: secret })),
        'ERR_CREDENTIAL_UNTRUSTED',
        /FASTMCP_CREDENTIAL_MODE to hosted\.$/,
        secret,
      )
    }
    assert.equal(accessTokenOf(source(overHttp({ 'x-mcp-credits': '1' }))), 'from-env')
    assert.equal(accessTokenOf(source({ headers: undefined })), 'from-env')
  })
})
