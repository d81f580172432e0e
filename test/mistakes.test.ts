// Mistakes as people make them. Each gets a message that says what to write instead.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  ConnectRequiredError,
  createAdapter,
  formatHeaders,
  fromEnv,
  fromHeaders,
  fromMode,
  getCredentialMode,
  getCredentials,
  MissingCredentialHeaderError,
  OAuthCredential,
  parseEnv,
  parseHeaders,
  runWithCredentials,
  StaticCredential,
  stripCredentialHeaders,
} from 'mcp-credentials'
import { createSignatureVerifier, signHeaders } from 'mcp-credentials/signature'
import type { CredentialRequest } from 'mcp-credentials'
import { assertNoLeak, fakeSecret } from './helper.ts'

const secret = fakeSecret('mistake')
const key = fakeSecret('key-of-32-bytes')
const token = { WEATHER_ACCESS_TOKEN: secret }
const onStdio: CredentialRequest = { headers: undefined }
const oauth = new OAuthCredential({ accessToken: secret })
const fixed = new StaticCredential({ apiKey: secret })

type Mistake = [name: string, make: () => unknown, code: string, message: string]

const MISSING = 'ERR_CREDENTIAL_MISSING'
const INVALID = 'ERR_CREDENTIAL_INVALID'
const TYPE = 'ERR_CREDENTIAL_TYPE'
const ARG_TYPE = 'ERR_INVALID_ARG_TYPE'
const ARG_VALUE = 'ERR_INVALID_ARG_VALUE'
const CONNECT =
  'Connect the account in the gateway that calls this server; never paste the secret into the chat.'
const CLASSES =
  'a StaticCredential or an OAuthCredential, made with new: not a plain object, nor a credential of a second copy of the package.'
const NO_SOURCE =
  'The source must be a function, such as fromEnv("WEATHER_") or fromHeaders({ type: "oauth" }) returns.'

const readEnv = (env: object, ...more: unknown[]) =>
  Reflect.apply(parseEnv, undefined, ['WEATHER_', env, ...more])
const readHeaders = (headers: object, ...more: unknown[]) =>
  Reflect.apply(parseHeaders, undefined, [headers, ...more])
const call = (fn: (...args: never[]) => unknown, ...args: unknown[]) =>
  Reflect.apply(fn, undefined, args)

const ofTheOperator: Mistake[] = [
  [
    'nothing is set',
    () => readEnv({}),
    MISSING,
    'Set WEATHER_ACCESS_TOKEN for OAuth, or WEATHER_FIELDS or WEATHER_FIELD_<name> for an API key.',
  ],
  [
    'the key is set as most servers want it',
    () => readEnv({ WEATHER_API_KEY: secret }, 'static'),
    MISSING,
    'Set WEATHER_FIELDS to a JSON object with a field, or WEATHER_FIELD_<name> for each. WEATHER_API_KEY is set: did you mean WEATHER_FIELD_apiKey?',
  ],
  [
    'the name of the field is in capitals, like all else in an environment',
    () => readEnv({ WEATHER_FIELD_APIKEY: secret }, 'static', { fields: ['apiKey'] }),
    INVALID,
    'Set WEATHER_FIELD_apiKey. WEATHER_FIELD_APIKEY is set: did you mean WEATHER_FIELD_apiKey?',
  ],
  [
    'one of the fields is forgotten',
    () => readEnv({ WEATHER_FIELD_apiKey: secret }, 'static', { fields: ['apiKey', 'baseUrl'] }),
    INVALID,
    'Set WEATHER_FIELD_baseUrl.',
  ],
  [
    'all of the fields are',
    () => readEnv({}, 'static', { fields: ['apiKey', 'baseUrl'] }),
    MISSING,
    'Set WEATHER_FIELDS to a JSON object with a field, or WEATHER_FIELD_apiKey and WEATHER_FIELD_baseUrl.',
  ],
  [
    'one of the fields is not in the JSON',
    () => readEnv({ WEATHER_FIELDS: '{"apiKey":"a"}' }, 'static', { fields: ['apiKey', 'url'] }),
    INVALID,
    'WEATHER_FIELDS needs a value for "url".',
  ],
  [
    'the token is set under a shorter name',
    () => readEnv({ WEATHER_TOKEN: secret }, 'oauth'),
    MISSING,
    'Set WEATHER_ACCESS_TOKEN to the access token. WEATHER_TOKEN is set: did you mean WEATHER_ACCESS_TOKEN?',
  ],
  [
    'a key is set where a token is wanted',
    () => readEnv({ WEATHER_FIELD_apiKey: secret }, 'oauth'),
    MISSING,
    'Set WEATHER_ACCESS_TOKEN to the access token. WEATHER_FIELD_apiKey is set: did you mean { type: "static" }?',
  ],
  [
    'a token is set where a key is wanted',
    () => readEnv(token, 'static'),
    MISSING,
    'Set WEATHER_FIELDS to a JSON object with a field, or WEATHER_FIELD_<name> for each. WEATHER_ACCESS_TOKEN is set: did you mean { type: "oauth" }?',
  ],
  [
    'both are set',
    () => readEnv({ ...token, WEATHER_FIELD_apiKey: secret }),
    INVALID,
    'Both a token and fields are set: set WEATHER_CRED_TYPE to oauth or static.',
  ],
  [
    'the token is pasted with the header that it was in',
    () => readEnv({ WEATHER_ACCESS_TOKEN: `Bearer ${secret}` }, 'oauth'),
    INVALID,
    'WEATHER_ACCESS_TOKEN must be the token alone, without "Bearer " before it.',
  ],
  [
    'the token is read from a file',
    () => readEnv({ WEATHER_ACCESS_TOKEN: `${secret}\n` }, 'oauth'),
    INVALID,
    'WEATHER_ACCESS_TOKEN ends with a line break: trim it (was it read from a file?).',
  ],
  [
    'the token is wrapped by a terminal',
    () => readEnv({ WEATHER_ACCESS_TOKEN: `${secret}\n${secret}` }, 'oauth'),
    INVALID,
    'WEATHER_ACCESS_TOKEN contains white space, which no token does (was it wrapped?).',
  ],
  [
    'the token is in quotes that nothing removes',
    () => readEnv({ WEATHER_ACCESS_TOKEN: `"${secret}"` }, 'oauth'),
    INVALID,
    'WEATHER_ACCESS_TOKEN has quotes around it, which nothing removes: omit them.',
  ],
  [
    'the variable refers to another',
    () => readEnv({ WEATHER_ACCESS_TOKEN: '${GITHUB_TOKEN}' }, 'oauth'),
    INVALID,
    'WEATHER_ACCESS_TOKEN refers to a variable, which nothing has expanded: write the value itself.',
  ],
  [
    'the JSON is in single quotes',
    () => readEnv({ WEATHER_FIELDS: `'{"apiKey":"${secret}"}'` }),
    INVALID,
    'WEATHER_FIELDS has quotes around it, which nothing removes: omit them.',
  ],
  [
    'the JSON is that of Python',
    () => readEnv({ WEATHER_FIELDS: `{'apiKey': '${secret}'}` }),
    INVALID,
    'WEATHER_FIELDS is not valid JSON: its strings need double quotes.',
  ],
  [
    'the key stands where JSON is wanted',
    () => readEnv({ WEATHER_FIELDS: secret }),
    INVALID,
    'WEATHER_FIELDS is not valid JSON, such as {"apiKey":"…"}.',
  ],
  [
    'a list stands there',
    () => readEnv({ WEATHER_FIELDS: `["${secret}"]` }),
    INVALID,
    'WEATHER_FIELDS must be a JSON object, such as {"apiKey":"…"}.',
  ],
  [
    'the JSON has a number with a fraction',
    () => readEnv({ WEATHER_FIELDS: '{"version":1.10}' }),
    INVALID,
    'WEATHER_FIELDS: field "version" must be a string: put it in quotes.',
  ],
  [
    'the JSON has fields in fields',
    () => readEnv({ WEATHER_FIELDS: `{"auth":{"apiKey":"${secret}"}}` }),
    INVALID,
    'WEATHER_FIELDS: field "auth" must be a string, not an object or a list.',
  ],
  [
    'a line of the JSON was copied',
    () => readEnv({ WEATHER_FIELDS: `{"apiKey":"a","apiKey":"${secret}"}` }),
    INVALID,
    'WEATHER_FIELDS: field "apiKey" appears twice: remove one.',
  ],
  [
    'an extra is set in two spellings',
    () => readEnv({ ...token, WEATHER_EXTRA_dc: 'eu', WEATHER_EXTRA_DC: 'us' }, 'oauth'),
    INVALID,
    'WEATHER_EXTRA_*: field "dc" is set twice, in different case: remove one.',
  ],
  [
    'the scopes are separated by commas',
    () => readEnv({ ...token, WEATHER_SCOPES: 'repo,user' }, 'oauth'),
    INVALID,
    'WEATHER_SCOPES must be separated by spaces, without commas or quotes.',
  ],
  [
    'the expiry is in seconds since 1970',
    () => readEnv({ ...token, WEATHER_EXPIRES_AT: '1777896000' }, 'oauth'),
    INVALID,
    'WEATHER_EXPIRES_AT must be a time as in RFC 3339, such as 2026-05-04T12:00:00Z.',
  ],
  [
    'the expiry is in words',
    () => readEnv({ ...token, WEATHER_EXPIRES_AT: 'in an hour' }, 'oauth'),
    INVALID,
    'WEATHER_EXPIRES_AT must be a time as in RFC 3339, such as 2026-05-04T12:00:00Z.',
  ],
  [
    'the type is in capitals',
    () => readEnv({ ...token, WEATHER_CRED_TYPE: 'OAuth' }),
    INVALID,
    'WEATHER_CRED_TYPE must be static or oauth, in lower case.',
  ],
  [
    'the type is another than that of the server',
    () => readEnv({ ...token, WEATHER_CRED_TYPE: 'static' }, 'oauth'),
    TYPE,
    'WEATHER_CRED_TYPE says static, but this server asks for oauth: set it to oauth, or remove it.',
  ],
  [
    'the mode is what other software calls it',
    () => getCredentialMode({ FASTMCP_CREDENTIAL_MODE: 'production' }),
    INVALID,
    'FASTMCP_CREDENTIAL_MODE must be oss or hosted.',
  ],
  [
    'a gateway calls a server that has a credential of its own',
    () =>
      fromMode('WEATHER_', { type: 'oauth', env: token })({
        headers: new Headers({ 'X-MCP-Cred-Access-Token': secret }),
      }),
    'ERR_CREDENTIAL_UNTRUSTED',
    'This server has a credential of its own, and takes none from headers. If a gateway is to send them, its operator sets FASTMCP_CREDENTIAL_MODE to hosted.',
  ],
]

const ofTheGateway: Mistake[] = [
  [
    'it sends no credential',
    () => readHeaders({}, 'oauth'),
    MISSING,
    `The request carries no X-MCP-Cred-Access-Token header. ${CONNECT}`,
  ],
  [
    'it sends Authorization',
    () => readHeaders({ authorization: `Bearer ${secret}` }, 'oauth'),
    MISSING,
    `The request carries no X-MCP-Cred-Access-Token header. ${CONNECT}`,
  ],
  [
    'it sends the token as Authorization has it',
    () => readHeaders({ 'X-MCP-Cred-Access-Token': `Bearer ${secret}` }, 'oauth'),
    INVALID,
    'X-MCP-Cred-Access-Token must be the token alone, without "Bearer " before it.',
  ],
  [
    'it sends fields where a token is wanted, and a token too',
    () => readHeaders({ 'X-MCP-Cred-Access-Token': secret, 'X-MCP-Cred-Fields': '{"apiKey":"a"}' }),
    INVALID,
    'Both X-MCP-Cred-Access-Token and X-MCP-Cred-Fields were sent: send one of them.',
  ],
  [
    'it appends a header to what the client sent',
    () => {
      const headers = new Headers({ 'X-MCP-Cred-Access-Token': 'smuggled' })
      headers.append('X-MCP-Cred-Access-Token', secret)
      return readHeaders(headers, 'oauth')
    },
    INVALID,
    'X-MCP-Cred-Access-Token has a comma in it, as if it was sent twice: send it once.',
  ],
  [
    'it sends JSON that is not ASCII',
    () => readHeaders({ 'X-MCP-Cred-Fields': `{"apiKey":"${secret}é"}` }, 'static'),
    INVALID,
    'X-MCP-Cred-Fields must be ASCII: write other characters as \\uXXXX.',
  ],
  [
    'it sends JSON of several lines',
    () => readHeaders({ 'X-MCP-Cred-Fields': `{\n"apiKey":"${secret}"}` }, 'static'),
    INVALID,
    'X-MCP-Cred-Fields must be on one line.',
  ],
  [
    'it sends fields without the one that is wanted',
    () =>
      readHeaders({ 'X-MCP-Cred-Fields': `{"key":"${secret}"}` }, 'static', { fields: ['apiKey'] }),
    INVALID,
    'X-MCP-Cred-Fields needs a value for "apiKey".',
  ],
  [
    'it sends an id of twenty digits as a number',
    () =>
      readHeaders(
        { 'X-MCP-Cred-Access-Token': secret, 'X-MCP-Cred-Extra': '{"id":12345678901234567890}' },
        'oauth',
      ),
    INVALID,
    'X-MCP-Cred-Extra holds an integer beyond 2^53, whose last digits are lost: put it in quotes.',
  ],
  [
    'it sends a token that no header can carry',
    () => formatHeaders(new OAuthCredential({ accessToken: `${secret},b` })),
    INVALID,
    'accessToken has a comma in it, which no header can carry.',
  ],
  [
    'it passes properties in place of a credential',
    () => call(formatHeaders, { accessToken: secret }),
    ARG_TYPE,
    `formatHeaders takes ${CLASSES}`,
  ],
  [
    'it names one header to strip',
    () => call(stripCredentialHeaders, {}, 'x-api-key'),
    ARG_TYPE,
    'Further names for stripCredentialHeaders are given as a list, such as ["x-api-key"].',
  ],
]

const ofTheProgrammer: Mistake[] = [
  [
    'the type is given without its name',
    () => call(fromEnv, 'WEATHER_', 'static'),
    ARG_TYPE,
    'The options of fromEnv must be given as an object, such as { type, env, fields, refresh }.',
  ],
  [
    'the prefix is forgotten',
    () => call(fromEnv, { type: 'oauth' }),
    ARG_TYPE,
    'The prefix of the variables must be a string, such as "WEATHER_".',
  ],
  [
    'the prefix lacks its underscore',
    () => parseEnv('WEATHER', token, 'oauth'),
    MISSING,
    'Set WEATHERACCESS_TOKEN to the access token. There are variables that start with WEATHER_: is that the prefix?',
  ],
  [
    'the environment comes first',
    () => call(parseEnv, token, 'WEATHER_'),
    ARG_TYPE,
    'The environment must be given as an object, such as process.env.',
  ],
  [
    'an option is misspelt',
    () => call(fromEnv, 'WEATHER_', { tpye: 'oauth' }),
    ARG_VALUE,
    '"tpye" is not an option of fromEnv: use type, env, fields, refresh.',
  ],
  [
    'one field is given, and no list',
    () => call(fromEnv, 'WEATHER_', { fields: 'apiKey' }),
    ARG_VALUE,
    'The option fields of fromEnv must be a list of strings.',
  ],
  [
    'fields are wanted of a token',
    () => call(fromEnv, 'WEATHER_', { type: 'oauth', fields: ['apiKey'] }),
    ARG_VALUE,
    'The option fields is for { type: "static" }.',
  ],
  [
    'refreshing is switched on',
    () => call(fromEnv, 'WEATHER_', { type: 'oauth', refresh: true }),
    ARG_VALUE,
    'The option refresh of fromEnv must be a function, such as createRefresher() returns.',
  ],
  [
    'refreshing comes without a type',
    () => fromEnv('WEATHER_', { env: token, refresh: async () => oauth }),
    ARG_VALUE,
    'The option refresh is for { type: "oauth" }.',
  ],
  [
    'refreshing comes without what it takes',
    () =>
      fromEnv('WEATHER_', {
        type: 'oauth',
        env: { ...token, WEATHER_EXPIRES_AT: '2020-01-01', WEATHER_REFRESH_TOKEN: secret },
        refresh: async () => oauth,
      })(onStdio),
    'ERR_CREDENTIAL_EXPIRED',
    'The access token has expired. Set WEATHER_CLIENT_ID and WEATHER_TOKEN_URI so that it can be refreshed.',
  ],
  [
    'the headers have no type',
    () => call(fromHeaders, {}),
    ARG_VALUE,
    'Declare the type of the credential: { type: "static" } or { type: "oauth" }.',
  ],
  [
    'the keys of the signature are given as they are',
    () => call(fromHeaders, { type: 'oauth', verify: { keys: [key] } }),
    ARG_VALUE,
    'The option verify of fromHeaders must be a function, such as createSignatureVerifier({ keys }) returns.',
  ],
  [
    'the key of the signature is not set',
    () => createSignatureVerifier({ keys: [undefined] }),
    ARG_VALUE,
    'createSignatureVerifier needs a key, such as { keys: [process.env.GATEWAY_KEY] }: is that variable set?',
  ],
  [
    'the key of the signature is a password',
    () => createSignatureVerifier({ keys: ['correct horse'] }),
    ARG_VALUE,
    'A key has at least 32 bytes: openssl rand -hex 32 makes one.',
  ],
  [
    'the key of the signature is in no list',
    () => call(createSignatureVerifier, { keys: key }),
    ARG_VALUE,
    'The option keys of createSignatureVerifier must be a list.',
  ],
  [
    'signatures are to be good for ever',
    () => createSignatureVerifier({ keys: [key], toleranceSeconds: Infinity }),
    ARG_VALUE,
    'The option toleranceSeconds of createSignatureVerifier must be a finite number of seconds, 0 or more.',
  ],
  [
    'a hosted server is run on stdio',
    () => fromHeaders({ type: 'oauth' })(onStdio),
    MISSING,
    `This call did not come over HTTP, so it has no X-MCP-Cred-Access-Token header. ${CONNECT}`,
  ],
  [
    'a credential stands where a source is wanted',
    () => call(createAdapter, fixed),
    ARG_TYPE,
    NO_SOURCE,
  ],
  [
    'the source is called',
    () => call(createAdapter, fromEnv('WEATHER_', { env: token })(onStdio)),
    ARG_TYPE,
    NO_SOURCE,
  ],
  [
    'an option is of an older version',
    () => call(createAdapter, fromHeaders({ type: 'oauth' }), { onError: () => undefined }),
    ARG_VALUE,
    '"onError" is not an option of the adapter: use optional, rejectExpired, label, onCall.',
  ],
  [
    'a key is asked for where there is a token',
    () => runWithCredentials(oauth, () => getCredentials('static')),
    TYPE,
    'The credential is of type "oauth", not "static": ask for "oauth", or have the source read { type: "static" }.',
  ],
  [
    'the type is asked for in an object',
    () => runWithCredentials(oauth, () => call(getCredentials, { type: 'oauth' })),
    ARG_VALUE,
    'The type of a credential is either "static" or "oauth".',
  ],
  [
    'a field of a token is asked for',
    () => oauth.field('apiKey'),
    TYPE,
    'The credential is of type "oauth", which has no fields: use accessToken.',
  ],
  [
    'the name of the field is misspelt',
    () => fixed.field('api_key'),
    MISSING,
    'The credential has no value for field "api_key"; it has field "apiKey".',
  ],
  [
    'a scope is opened with properties',
    () => call(runWithCredentials, { accessToken: secret }, () => undefined),
    ARG_TYPE,
    `runWithCredentials takes ${CLASSES}`,
  ],
  [
    'a scope is opened with nothing to run',
    () => call(runWithCredentials, oauth),
    ARG_TYPE,
    'runWithCredentials takes the function to run as its second argument, such as () => callTool().',
  ],
  [
    'the answer of a token endpoint is taken for properties',
    () => Reflect.construct(OAuthCredential, [{ access_token: secret, expires_in: 3600 }]),
    ARG_VALUE,
    '"access_token" is not a property of an OAuth credential: use accessToken, refreshToken, clientId, clientSecret, tokenUri, scopes, extra, expiresAt.',
  ],
  [
    'a database gives the expiry by another name',
    () => Reflect.construct(OAuthCredential, [{ accessToken: secret, expires_at: new Date() }]),
    ARG_VALUE,
    '"expires_at" is not a property of an OAuth credential: use accessToken, refreshToken, clientId, clientSecret, tokenUri, scopes, extra, expiresAt.',
  ],
  [
    'fields are given as a list',
    () => Reflect.construct(StaticCredential, [[secret]]),
    ARG_TYPE,
    "The fields of a credential must be given as an object, such as { apiKey: '…' }.",
  ],
  [
    'a token is given as it is',
    () => Reflect.construct(OAuthCredential, [secret]),
    ARG_TYPE,
    "The properties of a credential must be given as an object, such as { accessToken: '…' }.",
  ],
  [
    'an expiry is given in milliseconds',
    () => Reflect.construct(OAuthCredential, [{ accessToken: secret, expiresAt: 1777896000000 }]),
    INVALID,
    'expiresAt must be a Date, such as new Date("2026-05-04T12:00:00Z").',
  ],
  [
    'an expiry is of a text that is no time',
    () => new OAuthCredential({ accessToken: secret, expiresAt: new Date('soon') }),
    INVALID,
    'expiresAt must be a valid Date in the years 0 to 9999.',
  ],
  [
    'scopes are given in one string',
    () => Reflect.construct(OAuthCredential, [{ accessToken: secret, scopes: 'repo user' }]),
    INVALID,
    'scopes must be a list of strings, such as ["repo"].',
  ],
  [
    'scopes are given in one string of a list',
    () => new OAuthCredential({ accessToken: secret, scopes: ['repo user'] }),
    INVALID,
    'scopes must hold scopes of visible ASCII characters, without spaces.',
  ],
  [
    'extra has what JSON has not',
    () => Reflect.construct(OAuthCredential, [{ accessToken: secret, extra: { at: new Date(0) } }]),
    INVALID,
    'extra must be a JSON object, and hold nothing but JSON: leave out what is undefined, and write dates as strings.',
  ],
  [
    'a field is made of a variable that is not set',
    () => Reflect.construct(StaticCredential, [{ apiKey: undefined }]),
    INVALID,
    'A static credential: field "apiKey" must be a string, and is undefined: set its variable.',
  ],
  [
    'a key is given as it is',
    () => Reflect.construct(StaticCredential, [secret]),
    ARG_TYPE,
    "The fields of a credential must be given as an object, such as { apiKey: '…' }.",
  ],
  [
    'a credential has no field',
    () => new StaticCredential({}),
    MISSING,
    'A static credential needs at least one field.',
  ],
  [
    'the name of a header is in no list',
    () => Reflect.construct(MissingCredentialHeaderError, ['X-API-Key']),
    ARG_TYPE,
    "MissingCredentialHeaderError takes a list of header names, such as ['X-API-Key'].",
  ],
  [
    'a page is given by its path',
    () => new ConnectRequiredError('/connect'),
    ARG_VALUE,
    'ConnectRequiredError takes the URL of a page, such as https://mcp.example.com/connect.',
  ],
]

for (const [who, mistakes] of [
  ['the operator', ofTheOperator],
  ['the gateway', ofTheGateway],
  ['the programmer', ofTheProgrammer],
] as const) {
  describe(`mistakes of ${who}:`, () => {
    for (const [name, make, code, message] of mistakes) {
      test(name, () =>
        assert.rejects(
          async () => make(),
          (error: unknown) => {
            assert(error instanceof Error)
            assert.equal(error.message, message)
            assert.equal(Reflect.get(error, 'code'), code)
            assertNoLeak(error, secret, key)
            return true
          },
        ),
      )
    }
  })
}

describe('mistakes that are found later:', () => {
  test('the credential is asked for at import', () => {
    assert.throws(() => getCredentials(), {
      code: 'ERR_CREDENTIAL_NO_SCOPE',
      // What follows depends on the runtime.
      message:
        /^There is no credential in this context\. Is the adapter installed, and does this run inside a call: not at import, nor in an event listener, nor in a generator that is consumed elsewhere\?/,
    })
  })

  test('Web Headers are signed, of which nothing would be', async () => {
    await assert.rejects(call(signHeaders, new Headers(), key) as Promise<unknown>, {
      name: 'TypeError',
      code: ARG_TYPE,
      message: 'signHeaders takes a record: Object.fromEntries(headers).',
    })
  })

  const causes: [name: string, source: unknown, message: string][] = [
    ['a source returns a token', () => secret, `A credential source returns ${CLASSES}`],
    ['a source returns nothing', () => undefined, `A credential source returns ${CLASSES}`],
    [
      'a refresher is not made',
      fromEnv('WEATHER_', {
        type: 'oauth',
        env: token,
        refresh: (() => async () => oauth) as never,
      }),
      `A refresher returns ${CLASSES}`,
    ],
  ]
  for (const [name, source, message] of causes) {
    test(`${name}: onCall is told`, async () => {
      const told: unknown[] = []
      const ask = createAdapter(source as never, { onCall: (_, { cause }) => told.push(cause) })
      const asked = await ask({ headers: undefined })
      asked.end()
      assert.equal(asked.refusal?.code, 'ERR_CREDENTIAL_UNAVAILABLE')
      assert.equal(told.length, 1)
      assert.equal((told[0] as Error).message, message)
      assertNoLeak(told[0], secret)
    })
  }
})
