import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  formatHeaders,
  OAuthCredential,
  parseHeaders,
  StaticCredential,
  stripCredentialHeaders,
} from 'mcp-credentials'
import type { HeaderRecord, ResolvedCredential } from 'mcp-credentials'
import { assertRefused, fakeSecret } from './helper.ts'

const TOKEN = 'X-MCP-Cred-Access-Token'
const FIELDS = 'X-MCP-Cred-Fields'
const SCOPES = 'X-MCP-Cred-Scopes'
const EXTRA = 'X-MCP-Cred-Extra'
const EXPIRES = 'X-MCP-Cred-Expires-At'

function plain(credential: ResolvedCredential): object {
  const { type, fields, accessToken, scopes, expiresAt, extra } = credential
  return { type, fields: { ...fields }, accessToken, scopes, expiresAt, extra }
}

describe('parseHeaders reads', () => {
  const accessToken = fakeSecret('access')
  const record = {
    [TOKEN]: accessToken,
    'x-mcp-cred-SCOPES': ['repo user'],
    'x-mcp-cred-extra': '{"tenant":{"id":7,"names":["caf\\u00e9",null,true,1.5]}}',
    [EXPIRES.toUpperCase()]: '2026-05-04T12:00:00Z',
    [FIELDS]: '',
    host: 'localhost',
    absent: undefined,
  }

  test('every OAuth header of a record, in any case', () => {
    const credential = parseHeaders(record)
    assert(credential instanceof OAuthCredential)
    assert.equal(credential.accessToken, accessToken)
    assert.deepEqual(credential.scopes, ['repo', 'user'])
    assert.equal(credential.expiresAt?.getTime(), Date.UTC(2026, 4, 4, 12))
    assert.equal(
      JSON.stringify(credential.extra),
      '{"tenant":{"id":7,"names":["café",null,true,1.5]}}',
    )
    assert.equal(Object.getPrototypeOf(credential.extra['tenant']), null)
    assert.equal(credential.refreshToken, undefined)
  })

  test('the same from Web Headers, and from anything with a get of its own', () => {
    const headers = new Headers()
    for (const [name, value] of Object.entries(record))
      if (value !== undefined) headers.set(name, String(value))
    assert.deepEqual(plain(parseHeaders(headers, 'oauth')), plain(parseHeaders(record, 'oauth')))
    const map = new Map([['x-mcp-cred-access-token', accessToken]])
    assert.equal(parseHeaders(map, 'oauth').accessToken, accessToken)
  })

  test('fields, integers to their last digit and null as absent', () => {
    const json =
      '{ "apiKey" : "a\\"\\\\}, b", "account":12345678901234567890, "zero":0, "debt":-7, "gone":null, "1":"one", "empty":"" }'
    const credential = parseHeaders({ [FIELDS]: json })
    assert(credential instanceof StaticCredential)
    const fields = {
      apiKey: 'a"\\}, b',
      account: '12345678901234567890',
      zero: '0',
      debt: '-7',
      '1': 'one',
      empty: '',
    }
    assert.deepEqual({ ...credential.fields }, fields)
  })

  test('scopes as a JSON array, and none of either form as unknown', () => {
    const scopesOf = (value: string) =>
      parseHeaders({ [TOKEN]: 'token', [SCOPES]: value }, 'oauth').scopes
    assert.deepEqual(scopesOf(' ["a","b:c"]'), ['a', 'b:c'])
    for (const none of ['', '  ', '[]']) assert.equal(scopesOf(none), undefined)
  })

  test('no header of the other type', () => {
    const both = { [TOKEN]: 'token', [FIELDS]: '{"a":"b"}', [EXTRA]: 'not JSON' }
    assert.equal(parseHeaders(both, 'static').field('a'), 'b')
    assert.equal(
      parseHeaders({ ...both, [EXTRA]: '', [FIELDS]: 'not JSON' }, 'oauth').accessToken,
      'token',
    )
  })
})

describe('parseHeaders takes for missing', () => {
  const cases: [
    name: string,
    headers: HeaderRecord,
    missing: string[],
    type?: 'static' | 'oauth',
  ][] = [
    ['no headers at all', {}, [TOKEN, FIELDS]],
    ['an empty token', { [TOKEN]: '' }, [TOKEN], 'oauth'],
    ['an empty array', { [TOKEN]: [] }, [TOKEN], 'oauth'],
    ['an undefined token', { [TOKEN]: undefined }, [TOKEN], 'oauth'],
    ['fields where a token is asked for', { [FIELDS]: '{"a":"b"}' }, [TOKEN], 'oauth'],
    ['a token where fields are asked for', { [TOKEN]: 'token' }, [FIELDS], 'static'],
    ['no field in the object', { [FIELDS]: '{"a":null}' }, [FIELDS], 'static'],
    ['an alias with underscores', { x_mcp_cred_access_token: 'token' }, [TOKEN], 'oauth'],
  ]
  for (const [name, headers, missingHeaders, type] of cases) {
    test(name, () => {
      assert.throws(() => parseHeaders(headers, type), {
        name: 'MissingCredentialHeaderError',
        code: 'ERR_CREDENTIAL_MISSING',
        missingHeaders,
        message: /Connect the account in the gateway .*; never paste the secret into the chat\.$/,
      })
    })
  }
})

describe('parseHeaders refuses', () => {
  const secret = fakeSecret('header')
  const oauth = { [TOKEN]: 'token' }
  const cases: [name: string, headers: HeaderRecord | Headers, message: RegExp][] = [
    [
      'both required headers',
      { [TOKEN]: secret, [FIELDS]: '{"a":"b"}' },
      /^Both X-MCP-Cred-Access-Token and X-MCP-Cred-Fields were sent: send one of them\.$/,
    ],
    [
      'a token sent twice',
      new Headers([
        [TOKEN, secret],
        [TOKEN, secret],
      ]),
      /^X-MCP-Cred-Access-Token has a comma.*sent twice/,
    ],
    [
      'an array of several',
      { [TOKEN]: [secret, secret] },
      /^X-MCP-Cred-Access-Token was sent more than once/,
    ],
    [
      'one header in two spellings',
      { [TOKEN]: secret, [TOKEN.toLowerCase()]: secret },
      /^X-MCP-Cred-Access-Token .* two spellings/,
    ],
    [
      'a value that is no string',
      { [TOKEN]: 7 } as never,
      /^X-MCP-Cred-Access-Token must be a string/,
    ],
    ['a Bearer prefix', { [TOKEN]: `Bearer ${secret}` }, /without "Bearer " before it/],
    [
      'a bearer prefix in lower case',
      { [TOKEN]: `bearer\t${secret}` },
      /without "Bearer " before it/,
    ],
    ['a line break at the end', { [TOKEN]: `${secret}\r\n` }, /ends with a line break/],
    ['a line break inside', { [TOKEN]: `${secret}\n${secret}` }, /contains white space/],
    ['a space', { [TOKEN]: `${secret} ${secret}` }, /contains white space/],
    ['a NUL', { [TOKEN]: `${secret}\0` }, /contains a control character/],
    ['an escape', { [TOKEN]: `\x1b[31m${secret}` }, /contains a control character/],
    ['DEL', { [TOKEN]: `${secret}\x7f` }, /contains a control character/],
    ['bytes outside ASCII', { [TOKEN]: `${secret}Ã©` }, /outside ASCII/],

    [
      'broken JSON',
      { [FIELDS]: `{"a":"${secret}` },
      /^X-MCP-Cred-Fields is not valid JSON, such as {"apiKey":"…"}\.$/,
    ],
    [
      'bare text',
      { [FIELDS]: secret },
      /^X-MCP-Cred-Fields is not valid JSON, such as {"apiKey":"…"}\.$/,
    ],
    ['an array', { [FIELDS]: `["${secret}"]` }, /^X-MCP-Cred-Fields must be a JSON object/],
    ['a JSON string', { [FIELDS]: `"${secret}"` }, /^X-MCP-Cred-Fields must be a JSON object/],
    ['JSON null', { [FIELDS]: 'null' }, /^X-MCP-Cred-Fields must be a JSON object/],
    [
      'a nested object',
      { [FIELDS]: `{"a":"b","c":{"d":"${secret}"}}` },
      /^X-MCP-Cred-Fields: field "c" must be a string/,
    ],
    [
      'a nested array',
      { [FIELDS]: `{"c":["${secret}"]}` },
      /field "c" must be a string, not an object or a list\.$/,
    ],
    ['a fraction', { [FIELDS]: '{"c":1.10}' }, /field "c" must be a string/],
    ['an exponent', { [FIELDS]: '{"c":1e3}' }, /field "c" must be a string/],
    ['minus zero', { [FIELDS]: '{"c":-0}' }, /field "c" is -0.*put it in quotes/],
    ['true', { [FIELDS]: '{"c":true}' }, /field "c" must be a string/],
    ['a key twice', { [FIELDS]: `{"c":"${secret}","c":"x"}` }, /field "c" appears twice/],
    [
      'a key twice, once null',
      { [FIELDS]: `{"c":null,"c":"${secret}"}` },
      /field "c" appears twice/,
    ],
    [
      'a key twice by escape',
      { [FIELDS]: `{"c":"${secret}","\\u0063":"x"}` },
      /field "c" appears twice/,
    ],
    [
      '__proto__',
      { [FIELDS]: `{"__proto__":"${secret}"}` },
      /field "__proto__" must not be called __proto__/,
    ],
    [
      '__proto__ by escape',
      { [FIELDS]: `{"\\u005f_proto__":"${secret}"}` },
      /must not be called __proto__/,
    ],
    ['toJSON', { [FIELDS]: `{"toJSON":"${secret}"}` }, /must not be called toJSON/],
    ['an empty key', { [FIELDS]: `{"":"${secret}"}` }, /field 1 has an empty name/],
    [
      'a lone surrogate in a value',
      { [FIELDS]: `{"c":"${secret}\\ud800"}` },
      /field "c" holds half of a surrogate pair/,
    ],
    [
      'a lone surrogate in a key',
      { [FIELDS]: `{"a":"b","${secret}\\udc00":"x"}` },
      /field 2 holds half of a surrogate pair/,
    ],
    [
      'a secret as a key',
      { [FIELDS]: `{"a":"b","sk/${secret}":true}` },
      /^X-MCP-Cred-Fields: field 2 must be a string/,
    ],
    [
      'fields outside ASCII',
      { [FIELDS]: `{"c":"${secret}é"}` },
      /^X-MCP-Cred-Fields must be ASCII/,
    ],
    [
      'fields with a line break',
      { [FIELDS]: `{"c":\n"${secret}"}` },
      /^X-MCP-Cred-Fields must be on one line\.$/,
    ],
    [
      'fields with single quotes',
      { [FIELDS]: `{'c': '${secret}'}` },
      /^X-MCP-Cred-Fields is not valid JSON: its strings need double quotes\.$/,
    ],
    [
      'scopes with single quotes',
      { ...oauth, [SCOPES]: `['${secret}']` },
      /^X-MCP-Cred-Scopes is not valid JSON: its strings need double quotes\.$/,
    ],
    [
      'scopes in double quotes',
      { ...oauth, [SCOPES]: `"${secret}"` },
      /^X-MCP-Cred-Scopes must be separated by spaces, without commas or quotes\.$/,
    ],
    [
      'an extra with a line break',
      { ...oauth, [EXTRA]: `{"a":\r"${secret}"}` },
      /^X-MCP-Cred-Extra must be on one line\.$/,
    ],
    [
      'an extra integer whose digits would be lost',
      { ...oauth, [EXTRA]: `{"a":"${secret}","b":9007199254740993}` },
      /^X-MCP-Cred-Extra holds an integer beyond 2\^53, whose last digits are lost: put it in quotes\.$/,
    ],
    [
      'the same, far out, in a list and as an exponent',
      { ...oauth, [EXTRA]: `{"a":"${secret}","b":[-1e21]}` },
      /^X-MCP-Cred-Extra holds an integer beyond 2\^53/,
    ],

    [
      'broken extra',
      { ...oauth, [EXTRA]: `{"a":${secret}}` },
      /^X-MCP-Cred-Extra is not valid JSON/,
    ],
    ['an extra null', { ...oauth, [EXTRA]: 'null' }, /^X-MCP-Cred-Extra must be a JSON object/],
    [
      'an extra key twice, the colons of its values aside',
      { ...oauth, [EXTRA]: `{"a":"b:c","a":"${secret}"}` },
      /^X-MCP-Cred-Extra: field "a" appears twice/,
    ],
    ['an extra number', { ...oauth, [EXTRA]: '7' }, /^X-MCP-Cred-Extra must be a JSON object/],
    [
      'an extra array',
      { ...oauth, [EXTRA]: `["${secret}"]` },
      /^X-MCP-Cred-Extra must be a JSON object/,
    ],
    [
      'an extra number that overflows',
      { ...oauth, [EXTRA]: `{"a":"${secret}","b":[1e400]}` },
      /^X-MCP-Cred-Extra holds a number/,
    ],
    [
      'an extra key twice, deep down',
      { ...oauth, [EXTRA]: `{"a":[{"b":{"x":"${secret}"}, "\\u0062" :1}]}` },
      /^X-MCP-Cred-Extra: field "b" appears twice/,
    ],
    [
      'an extra __proto__, deep down',
      { ...oauth, [EXTRA]: `{"a":[{"__proto__":"${secret}"}]}` },
      /^X-MCP-Cred-Extra: a key .*__proto__/,
    ],
    [
      'an extra lone surrogate',
      { ...oauth, [EXTRA]: `{"a":"${secret}\\udc00"}` },
      /^X-MCP-Cred-Extra holds half/,
    ],
    [
      'an extra key with a lone surrogate',
      { ...oauth, [EXTRA]: `{"${secret}\\udc00":1}` },
      /^X-MCP-Cred-Extra: a key in it holds/,
    ],
    [
      'an extra 17 levels deep',
      { ...oauth, [EXTRA]: `{"a":${'['.repeat(16)}"${secret}"${']'.repeat(16)}}` },
      /^X-MCP-Cred-Extra is nested more than 16/,
    ],
    // The JSON.parse of a small engine gives up on it.
    [
      'an extra a million levels deep',
      { ...oauth, [EXTRA]: `{"a":${'['.repeat(1e6)}${']'.repeat(1e6)}}` },
      /^X-MCP-Cred-Extra is (nested more than 16|not valid JSON)/,
    ],
    [
      'an extra outside ASCII',
      { ...oauth, [EXTRA]: `{"a":"${secret}é"}` },
      /^X-MCP-Cred-Extra must be ASCII/,
    ],
    ['a scope outside ASCII', { ...oauth, [SCOPES]: `${secret}é` }, /^X-MCP-Cred-Scopes must hold/],
    [
      'scopes sent twice',
      new Headers([
        [TOKEN, 'token'],
        [SCOPES, secret],
        [SCOPES, 'b'],
      ]),
      /^X-MCP-Cred-Scopes must be separated by spaces/,
    ],
    [
      'broken JSON for scopes',
      { ...oauth, [SCOPES]: `["${secret}` },
      /^X-MCP-Cred-Scopes is not valid JSON/,
    ],
    [
      'a number among the scopes',
      { ...oauth, [SCOPES]: `["${secret}",1]` },
      /^X-MCP-Cred-Scopes must hold/,
    ],
    [
      'a space in a scope',
      { ...oauth, [SCOPES]: `["${secret} b"]` },
      /^X-MCP-Cred-Scopes must hold/,
    ],
    [
      'an expiry sent twice',
      { ...oauth, [EXPIRES]: '2026-05-04T12:00:00Z, 2026-05-04T12:00:00Z' },
      /^X-MCP-Cred-Expires-At must be a time/,
    ],
  ]
  for (const [name, headers, message] of cases) {
    test(name, () =>
      assertRefused(() => parseHeaders(headers), 'ERR_CREDENTIAL_INVALID', message, secret),
    )
  }

  test('no extra that is 16 levels deep, nor the same key in two objects', () => {
    const json = `{"a":${'['.repeat(15)}${']'.repeat(15)},"b":[{"a":1},{"a":1}],"c":"a\\":","d":{"e":"b"}}`
    assert.equal(JSON.stringify(parseHeaders({ ...oauth, [EXTRA]: json }).extra), json)
  })

  test('no integer of extra within 2^53, and no fraction', () => {
    const json = '{"a":9007199254740991,"b":-9007199254740991,"c":1.5,"d":1e-7}'
    assert.equal(JSON.stringify(parseHeaders({ ...oauth, [EXTRA]: json }).extra), json)
  })

  test('misuse, with a TypeError', () => {
    const NO_HEADERS = 'Headers must be given as an object, such as request.headers.'
    const cases: [args: unknown[], code: string, message: string][] = [
      [[undefined], 'ERR_INVALID_ARG_TYPE', NO_HEADERS],
      [[null], 'ERR_INVALID_ARG_TYPE', NO_HEADERS],
      [
        [{}, 'apikey'],
        'ERR_INVALID_ARG_VALUE',
        'The type of a credential is either "static" or "oauth".',
      ],
      [
        [{}, 'static', ['apiKey']],
        'ERR_INVALID_ARG_VALUE',
        'One of the names is not an option of parseHeaders: use fields.',
      ],
      [
        [{}, 'static', { fields: [7] }],
        'ERR_INVALID_ARG_VALUE',
        'The option fields of parseHeaders must be a list of strings.',
      ],
      [
        [{}, 'oauth', { fields: ['apiKey'] }],
        'ERR_INVALID_ARG_VALUE',
        'The option fields is for { type: "static" }.',
      ],
    ]
    for (const [args, code, message] of cases) {
      const parse = () => Reflect.apply(parseHeaders, undefined, args)
      assert.throws(parse, { name: 'TypeError', code, message })
    }
  })
})

describe('the fields that a server declares', () => {
  const secret = fakeSecret('declared')
  const parse = (json: string, options = { fields: ['apiKey', 'baseUrl'] }) =>
    parseHeaders({ [FIELDS]: json, [TOKEN]: 'token' }, undefined, options)

  test('are there, beside others, and make the type static', () => {
    const fields = { apiKey: secret, baseUrl: 'url', more: '1' }
    assert.deepEqual({ ...parse(JSON.stringify(fields)).fields }, fields)
    assert.equal(parse('{"a":"b"}', { fields: [] }).field('a'), 'b')
  })

  for (const [json, missing] of [
    [`{"apiKey":"${secret}"}`, '"baseUrl"'],
    [`{"apiKey":"","baseUrl":"${secret}"}`, '"apiKey"'],
    [`{"apiKey":null,"other":"${secret}"}`, '"apiKey" and "baseUrl"'],
  ] as const) {
    test(`are missing: ${missing}`, () => {
      const message = new RegExp(`^X-MCP-Cred-Fields needs a value for ${missing}\\.$`)
      assertRefused(() => parse(json), 'ERR_CREDENTIAL_INVALID', message, secret)
    })
  }
})

describe('formatHeaders', () => {
  const credentials: [name: string, credential: ResolvedCredential][] = [
    [
      'fields',
      new StaticCredential({ apiKey: 'a"\\/\u0000\u007fé\u{1f511}', empty: '', '1': 'x' }),
    ],
    ['a token alone', new OAuthCredential({ accessToken: '!~' })],
    [
      'everything that a header may carry',
      new OAuthCredential({
        accessToken: fakeSecret('format'),
        scopes: ['[a]', 'b"c'],
        expiresAt: new Date(-62167219200000),
        extra: { 'k\u0080': ['\u2028', -0, 1.5e-300, { deep: null }] },
      }),
    ],
    [
      'the last moment',
      new OAuthCredential({
        accessToken: 'x',
        scopes: ['a', '[b', 'c,d', 'e,'],
        expiresAt: new Date('9999-12-31T23:59:59.999Z'),
      }),
    ],
    ['a scope with a quote', new OAuthCredential({ accessToken: 'x', scopes: ['a', 'b"c'] })],
  ]
  for (const [name, credential] of credentials) {
    test(`writes what parseHeaders reads back: ${name}`, () => {
      const headers = formatHeaders(credential)
      for (const value of Object.values(headers)) assert.match(value, /^[\x20-\x7e]*$/)
      assert.deepEqual(plain(parseHeaders(headers)), plain(credential))
      assert.deepEqual(
        plain(parseHeaders(new Headers(headers), credential.type)),
        plain(credential),
      )
    })
  }

  test('keeps back what only the gateway needs', () => {
    const [accessToken, refreshToken, clientSecret] = [
      fakeSecret('a'),
      fakeSecret('r'),
      fakeSecret('s'),
    ]
    const all = {
      accessToken,
      refreshToken,
      clientSecret,
      clientId: 'client',
      tokenUri: 'https://auth.example/',
    }
    assert.deepEqual(formatHeaders(new OAuthCredential(all)), { [TOKEN]: accessToken })
  })

  test('refuses a token that a header cannot carry, and anything but a credential', () => {
    const accessToken = `${fakeSecret('comma')},x`
    assertRefused(
      () => formatHeaders(new OAuthCredential({ accessToken })),
      'ERR_CREDENTIAL_INVALID',
      /^accessToken has a comma/,
      accessToken,
    )
    assert.throws(() => formatHeaders({ type: 'oauth', accessToken } as never), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
    })
  })
})

describe('stripCredentialHeaders', () => {
  const ours = [
    'X-MCP-Cred-Access-Token',
    'x-mcp-cred-fields',
    'X_MCP_Cred.Extra',
    'x.mcp.cred.future',
    'x-mcp-cred-',
  ]
  const theirs = { Accept: '*/*', 'x-mcp-credential': '1', 'my-x-mcp-cred-fields': '2' }

  test('leaves none of ours in a copy of a record, and its input alone', () => {
    const record = { ...theirs, ...Object.fromEntries(ours.map((name) => [name, 'smuggled'])) }
    const before = JSON.stringify(record)
    assert.deepEqual(stripCredentialHeaders(record), theirs)
    assert.equal(JSON.stringify(record), before)
  })

  test('leaves none of ours in a copy of Web Headers, and its input alone', () => {
    const headers = new Headers(theirs)
    for (const name of ours) headers.append(name, 'smuggled')
    const clean = stripCredentialHeaders(headers)
    assert(clean instanceof Headers)
    assert.deepEqual([...clean], [...new Headers(theirs)])
    assert.equal(headers.get('x-mcp-cred-fields'), 'smuggled')
  })

  describe('takes ours out of Connection, whose options the next proxy removes', () => {
    const cases: [given: string, kept: string][] = [
      ['close', 'close'],
      ['keep-alive, Upgrade', 'keep-alive, Upgrade'],
      ['X-MCP-Cred-Access-Token', ''],
      ['close,X-MCP-CRED-Fields', 'close'],
      ['x_mcp_cred_extra, keep-alive , x.mcp.cred.scopes,\tx-mcp-cred-signature', 'keep-alive'],
      ['x-mcp-credential', 'x-mcp-credential'],
      ['', ''],
    ]
    for (const [given, kept] of cases) {
      test(JSON.stringify(given), () => {
        assert.deepEqual(
          stripCredentialHeaders({ Connection: given, connection: [given, 'te'], other: given }),
          {
            ...(kept && { Connection: kept }),
            connection: kept ? [kept, 'te'] : ['te'],
            other: given,
          },
        )
        assert.deepEqual(
          stripCredentialHeaders({ connection: [given] }),
          kept ? { connection: [kept] } : {},
        )
        assert.deepEqual(stripCredentialHeaders({ connection: undefined, CONNECTION: 7 }), {
          connection: undefined,
          CONNECTION: 7,
        })
        // A browser's Request would drop this header; Headers by themselves keep it.
        assert.equal(
          stripCredentialHeaders(new Headers({ connection: given })).get('connection'),
          kept || null,
        )
      })
    }
  })

  describe('leaves out further names too, in any case', () => {
    const also = ['X-Api-Key', 'cookie']
    const given = { 'x-API-key': 'key', Cookie: 'a=b', 'x-api-key-2': 'kept', te: 'trailers' }
    const kept = { 'x-api-key-2': 'kept', te: 'trailers' }

    test('of a record', () => {
      const connection = 'x-api-key, te'
      const record = { ...given, connection, 'X-MCP-Cred-Fields': '{}' }
      assert.deepEqual(stripCredentialHeaders(record, also), { ...kept, connection: 'te' })
    })

    test('of Web Headers', () => {
      const headers = new Headers({ accept: '*/*', 'X-API-Key': 'key', 'x-mcp-cred-fields': '{}' })
      assert.deepEqual(
        [...stripCredentialHeaders(headers, also)],
        [...new Headers({ accept: '*/*' })],
      )
    })
  })

  test('misuse is a TypeError', () => {
    const cases: [args: unknown[], message: string][] = [
      [[undefined], 'Headers must be given as an object, such as request.headers.'],
      [
        [{}, 'x-api-key'],
        'Further names for stripCredentialHeaders are given as a list, such as ["x-api-key"].',
      ],
    ]
    for (const [args, message] of cases) {
      const strip = () => Reflect.apply(stripCredentialHeaders, undefined, args)
      assert.throws(strip, { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE', message })
    }
  })
})
