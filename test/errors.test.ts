import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  ConnectRequiredError,
  CredentialError,
  CredentialNotFoundError,
  MissingCredentialHeaderError,
} from 'mcp-credentials'
import type { CredentialErrorCode } from 'mcp-credentials'
import { assertNoLeak, fakeSecret } from './helper.ts'

describe('a CredentialError', () => {
  const faults: [code: CredentialErrorCode, isServerFault: boolean][] = [
    ['ERR_CREDENTIAL_MISSING', false],
    ['ERR_CREDENTIAL_INVALID', false],
    ['ERR_CREDENTIAL_TYPE', true],
    ['ERR_CREDENTIAL_EXPIRED', false],
    ['ERR_CREDENTIAL_NO_SCOPE', true],
    ['ERR_CREDENTIAL_ENDED', true],
    ['ERR_CREDENTIAL_NOT_FOUND', false],
    ['ERR_CREDENTIAL_CONNECT', false],
    ['ERR_CREDENTIAL_SCOPE', false],
    ['ERR_CREDENTIAL_UNTRUSTED', false],
    ['ERR_CREDENTIAL_REFRESH', true],
    ['ERR_CREDENTIAL_UNAVAILABLE', true],
  ]
  for (const [code, isServerFault] of faults) {
    test(`${code} is the fault of the ${isServerFault ? 'server' : 'request'}, unless it says otherwise`, () => {
      const error = new CredentialError(code, 'message')
      assert.equal(error.isServerFault, isServerFault)
      assert.equal(error.name, 'CredentialError')
      assert.equal(error.code, code)
      for (const other of [true, false]) {
        const told = new CredentialError(code, 'message', { isServerFault: other })
        assert.equal(told.isServerFault, other)
      }
    })
  }

  test('keeps its cause out of sight', () => {
    const secret = fakeSecret('cause')
    for (const cause of [new Error(secret), secret, { secret }, null]) {
      const error = new CredentialError('ERR_CREDENTIAL_REFRESH', 'message', { cause })
      assert.equal(error.cause, undefined)
      assert.equal('cause' in error, false)
      assertNoLeak(error, secret)
    }
  })
})

describe('ConnectRequiredError', () => {
  const url = 'https://mcp.example.com/connect/github?ticket=FAKE'

  test('has the URL, in its text too, and what is asked for', () => {
    const error = new ConnectRequiredError(url, { message: 'Connect GitHub.', scopes: ['repo'] })
    assert.equal(error.name, 'ConnectRequiredError')
    assert.equal(error.code, 'ERR_CREDENTIAL_CONNECT')
    assert.equal(error.message, `Connect GitHub. Open ${url}`)
    assert.equal(error.url, url)
    assert.deepEqual(error.scopes, ['repo'])
    assert(Object.isFrozen(error.scopes))
    assert.equal(error.isServerFault, false)
    assert.equal(error.isConnected, undefined)
  })

  test('says what to do where it is told nothing more', () => {
    const error = new ConnectRequiredError('http://127.0.0.1:3000/')
    assert.equal(
      error.message,
      'The account has to be connected first. Open http://127.0.0.1:3000/',
    )
    assert.deepEqual(error.scopes, [])
  })

  test('has a check that adapters may poll', async () => {
    let isConnected = false
    const error = new ConnectRequiredError(url, { isConnected: async () => isConnected })
    assert.equal(await error.isConnected?.(), false)
    isConnected = true
    assert.equal(await error.isConnected?.(), true)
  })

  test('takes nothing but a URL of the Web, and options as they should be', () => {
    const NO_URL =
      'ConnectRequiredError takes the URL of a page, such as https://mcp.example.com/connect.'
    const cases: [args: unknown[], message: string, code?: string][] = [
      [[], NO_URL],
      [[new URL(url)], NO_URL],
      [['/connect'], NO_URL],
      [['javascript:alert(1)'], NO_URL],
      [['https://'], NO_URL],
      [[`${url} and more`], NO_URL],
      [[`${url}\n`], NO_URL],
      [
        [url, { scopes: 'repo' }],
        'The option scopes of ConnectRequiredError must be a list of strings.',
      ],
      [
        [url, { isConnected: true }],
        'The option isConnected of ConnectRequiredError must be a function.',
      ],
      [[url, { message: 7 }], 'The option message of ConnectRequiredError must be a string.'],
      [
        [url, { scope: ['repo'] }],
        '"scope" is not an option of ConnectRequiredError: use message, scopes, isConnected.',
      ],
      [
        [url, 'Connect GitHub.'],
        'The options of ConnectRequiredError must be given as an object, such as { message, scopes, isConnected }.',
        'ERR_INVALID_ARG_TYPE',
      ],
    ]
    for (const [args, message, code = 'ERR_INVALID_ARG_VALUE'] of cases) {
      const make = () => Reflect.construct(ConnectRequiredError, args)
      assert.throws(make, { name: 'TypeError', code, message })
    }
  })
})

describe('CredentialNotFoundError', () => {
  test('says what is true with a gateway and without one', () => {
    assert.equal(
      new CredentialNotFoundError('id').message,
      'No credential is stored for this caller. Connect the account with this server first; never paste the secret into the chat.',
    )
  })

  test('keeps its id, which may be a key, out of every rendering', () => {
    const id = fakeSecret('id')
    const error = new CredentialNotFoundError(id)
    assert.equal(error.credentialId, id)
    assert.equal(error.code, 'ERR_CREDENTIAL_NOT_FOUND')
    assert.equal(error.name, 'CredentialNotFoundError')
    assert.deepEqual(Object.keys(error).sort(), ['code', 'isServerFault', 'name'])
  })
})

describe('MissingCredentialHeaderError', () => {
  test('names the headers, or says what its source has to say', () => {
    const error = new MissingCredentialHeaderError(['X-API-Key', 'X-Tenant'])
    assert.deepEqual(error.missingHeaders, ['X-API-Key', 'X-Tenant'])
    assert.match(error.message, /^The request carries no X-API-Key or X-Tenant header\. Connect/)
    const other = new MissingCredentialHeaderError(['X-API-Key'], 'It is empty.')
    assert.match(other.message, /^It is empty\. Connect the account in the gateway/)
  })

  test('takes names in a list alone', () => {
    for (const names of [undefined, 'X-API-Key', { 0: 'X-API-Key' }]) {
      assert.throws(() => new MissingCredentialHeaderError(names as never), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_TYPE',
        message:
          "MissingCredentialHeaderError takes a list of header names, such as ['X-API-Key'].",
      })
    }
  })
})
