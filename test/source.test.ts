import assert from 'node:assert/strict'
import process from 'node:process'
import { describe, test } from 'node:test'
import { fromEnv, fromHeaders, fromMode, getCredentialMode, OAuthCredential } from 'mcp-credentials'
import type { CredentialRequest, Environment } from 'mcp-credentials'
import { assertRefused, fakeSecret } from './helper.ts'

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

  test('lists the names of the environment only when something has changed or is missing', () => {
    let listings = 0
    const values: Record<string, string> = { SVC_ACCESS_TOKEN: 'a' }
    const env = new Proxy<Environment>(values, {
      ownKeys(target) {
        listings += 1
        return Reflect.ownKeys(target)
      },
    })
    const source = fromEnv('SVC_', { env, type: 'oauth' })
    assert.equal(listings, 0)
    source(onStdio)
    const once = listings
    for (const _ of [1, 2, 3]) source(onStdio)
    assert.equal(listings, once)
    values['SVC_ACCESS_TOKEN'] = 'b'
    values['SVC_EXTRA_tenant'] = 'acme'
    assert.equal((source(onStdio) as OAuthCredential).extra['tenant'], 'acme')
    assert(listings > once)
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

  test('refuses a type that there is not, and a runtime without an environment', { skip }, () => {
    assert.throws(() => fromEnv('SVC_', { type: 'apikey' as never }), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_VALUE',
    })
    const env = process.env
    try {
      Object.defineProperty(process, 'env', {
        value: undefined,
        configurable: true,
        writable: true,
      })
      assert.throws(() => fromEnv('SVC_'), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
        message: /no process\.env/,
      })
      assert.equal(getCredentialMode(), 'oss')
    } finally {
      Object.defineProperty(process, 'env', { value: env, configurable: true, writable: true })
    }
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

  test('wants its type declared', () => {
    for (const options of [{}, { type: 'apikey' }]) {
      assert.throws(() => fromHeaders(options as never), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
      })
      assert.throws(() => fromMode('SVC_', options as never), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
      })
    }
  })
})

describe('the mode', () => {
  test('is oss unless FASTMCP_CREDENTIAL_MODE says hosted', () => {
    const modeOf = (value: string | undefined) =>
      getCredentialMode({ FASTMCP_CREDENTIAL_MODE: value })
    for (const value of [undefined, '', ' OSS\n', 'oss']) assert.equal(modeOf(value), 'oss')
    for (const value of ['hosted', ' Hosted ']) assert.equal(modeOf(value), 'hosted')
    for (const blank of [' ', '\t\n'])
      assert.throws(() => modeOf(blank), { code: 'ERR_CREDENTIAL_INVALID' })
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

  test('checks the options for hosted at the start, where it is', () => {
    const verify = { keys: ['short'] } as never
    const env = { FASTMCP_CREDENTIAL_MODE: 'hosted' }
    assert.throws(() => fromMode('SVC_', { type: 'oauth', env, verify }), TypeError)
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
