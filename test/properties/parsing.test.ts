import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  CredentialError,
  formatHeaders,
  fromEnv,
  isCredentialHeader,
  OAuthCredential,
  parseEnv,
  parseHeaders,
  StaticCredential,
  stripCredentialHeaders,
} from 'mcp-credentials'
import type { HeaderRecord, ResolvedCredential } from 'mcp-credentials'
import { onStoppedClock } from '../helper.ts'
import {
  around,
  date,
  extra,
  fields,
  nonsense,
  oauthCredential,
  secret,
  staticCredential,
  text,
  visible,
} from './arbitraries.ts'
import { checkNoLeak, holds, outcomeOf, toPlain } from './check.ts'

const credential: fc.Arbitrary<ResolvedCredential> = fc.oneof(staticCredential, oauthCredential)
const type = fc.constantFrom(undefined, 'static' as const, 'oauth' as const)

/** A name in random case: of each letter whether it is a capital. */
const inAnyCase = (name: string): fc.Arbitrary<string> =>
  fc.mixedCase(fc.constant(name), { toggleCase: (letter) => letter.toUpperCase() })

describe('parseHeaders reads what formatHeaders wrote', () => {
  test('from a record, and from Web Headers', () => {
    holds(
      fc.property(credential, type, (given, asked) => {
        const headers = formatHeaders(given)
        const read = asked === given.type ? asked : undefined
        for (const form of [headers, new Headers(headers)])
          assert.deepEqual(toPlain(parseHeaders(form, read)), toPlain(given))
      }),
      400,
    )
  })

  test('in any case, as a list of one, and among headers that are not ours', () => {
    const others = fc.dictionary(
      fc.stringMatching(/^[A-Za-z][\w-]{0,20}$/).filter((name) => !isCredentialHeader(name)),
      fc.oneof(text, fc.array(text), fc.constant(undefined)),
    )
    holds(
      fc.property(credential, others, fc.boolean(), fc.gen(), (given, more, isList, gen) => {
        const headers: Record<string, string | readonly string[] | undefined> = { ...more }
        for (const [name, value] of Object.entries(formatHeaders(given)))
          headers[gen(inAnyCase, name)] = isList ? [value] : value
        assert.deepEqual(toPlain(parseHeaders(headers, given.type)), toPlain(given))
      }),
      200,
    )
  })

  test('what it writes are headers: names that it strips again, values of visible ASCII and blanks', () => {
    holds(
      fc.property(credential, (given) => {
        const headers = formatHeaders(given)
        for (const value of Object.values(headers)) assert.match(value, /^[\x20-\x7e]+$/)
        assert.deepEqual(stripCredentialHeaders(headers), {})
        assert.deepEqual([...stripCredentialHeaders(new Headers(headers)).keys()], [])
      }),
      200,
    )
  })
})

describe('parseEnv reads what was written', () => {
  // Of a value that looks like a mistake of a shell the hints are tested elsewhere.
  const value = text.map((end) => `v${end}`)

  test('of an OAuth credential', () => {
    const properties = fc.record({
      accessToken: visible().map((end) => `v${end}`),
      refreshToken: value,
      clientId: value,
      clientSecret: value,
      tokenUri: value,
      scopes: fc.array(visible(`,"'`), { minLength: 1, maxLength: 4 }),
      expiresAt: date,
      extra: fc.dictionary(fc.stringMatching(/^[a-z][a-z0-9_]{0,10}$/), value, { maxKeys: 3 }),
    })
    holds(
      fc.property(properties, fc.constantFrom('', 'svc_', 'SVC_'), (given, prefix) => {
        const entries: [name: string, value: string][] = [
          ['ACCESS_TOKEN', given.accessToken],
          ['REFRESH_TOKEN', given.refreshToken],
          ['CLIENT_ID', given.clientId],
          ['CLIENT_SECRET', given.clientSecret],
          ['TOKEN_URI', given.tokenUri],
          ['SCOPES', given.scopes.join(' ')],
          ['EXPIRES_AT', given.expiresAt.toISOString()],
        ]
        for (const [name, part] of Object.entries(given.extra))
          entries.push([`EXTRA_${name.toUpperCase()}`, part])
        const named = entries.map(([name, part]) => [prefix.toUpperCase() + name, part])
        const read = parseEnv(prefix, Object.fromEntries(named), 'oauth')
        assert.deepEqual(toPlain(read), toPlain(new OAuthCredential(given)))
      }),
      200,
    )
  })

  test('of fields, as one JSON object or as a variable each', () => {
    holds(
      fc.property(fields, (given) => {
        const read = parseEnv('SVC_', { SVC_FIELDS: JSON.stringify(given) })
        assert.deepEqual(toPlain(read), toPlain(new StaticCredential(given)))
        const values = Object.entries(given).map(([name, part]) => [name, `v${part}`])
        const single = values.map(([name, part]) => [`SVC_FIELD_${name}`, part])
        const readSingly = parseEnv('SVC_', Object.fromEntries(single), 'static')
        const expected = new StaticCredential(Object.fromEntries(values))
        assert.deepEqual(toPlain(readSingly), toPlain(expected))
      }),
      200,
    )
  })
})

test('integers of fields keep their digits, and null counts as absent', () => {
  const value = fc.oneof(fc.bigInt(), fc.constant(null), text)
  holds(
    fc.property(fc.array(value, { minLength: 1, maxLength: 5 }), (values) => {
      const members = values.map((one, index) => {
        const json = typeof one === 'bigint' ? String(one) : JSON.stringify(one)
        return ` "f${index}" :${json}`
      })
      const expected = values.flatMap((one, index) =>
        one === null ? [] : [[`f${index}`, String(one)]],
      )
      const json = `{${members.join(',')}}`
      if (expected.length === 0)
        return assert.throws(() => parseEnv('S_', { S_FIELDS: json }), /S_FIELDS/)
      const read = parseEnv('S_', { S_FIELDS: json }, 'static')
      return assert.deepEqual(Object.entries(read.fields), expected)
    }),
    300,
  )
})

test('a time is read in every spelling of RFC 3339 that is allowed', () => {
  const two = (value: number) => String(value).padStart(2, '0')
  const parts = fc.record({
    day: date.map((time) => time.toISOString().slice(0, 10)),
    hours: fc.nat(23),
    minutes: fc.nat(59),
    seconds: fc.option(fc.nat(59), { nil: undefined }),
    fraction: fc.stringMatching(/^\d{0,12}$/),
    separator: fc.constantFrom('T', 't', ' '),
    offset: fc.option(fc.tuple(fc.constantFrom(1, -1), fc.nat(23), fc.nat(59)), { nil: undefined }),
    spelling: fc.constantFrom('Z', 'z', '', ':', 'none'),
  })
  holds(
    fc.property(parts, (given) => {
      const { day, hours, minutes, seconds, fraction, separator, offset, spelling } = given
      let time = `${two(hours)}:${two(minutes)}`
      if (seconds !== undefined) time += `:${two(seconds)}${fraction && `.${fraction}`}`
      let minutesAhead = 0
      let zone: string = spelling === 'none' ? '' : spelling
      if (offset !== undefined && (spelling === '' || spelling === ':')) {
        const [sign, ahead, more] = offset
        minutesAhead = sign * (60 * ahead + more)
        zone = `${sign < 0 ? '-' : '+'}${two(ahead)}${spelling}${two(more)}`
      } else if (spelling === ':') zone = ''
      const shown = seconds === undefined ? '' : fraction.slice(0, 3)
      const expected =
        Date.parse(`${day}T00:00:00Z`) +
        (60 * (60 * hours + minutes - minutesAhead) + (seconds ?? 0)) * 1000 +
        Number(shown.padEnd(3, '0'))
      const headers = {
        'x-mcp-cred-access-token': 'a',
        'x-mcp-cred-expires-at': `${day}${separator}${time}${zone}`,
      }
      const year = new Date(expected).getUTCFullYear()
      // Beyond what a text can say it is refused.
      if (year < 0 || year > 9999)
        return assert.throws(() => parseHeaders(headers), { code: 'ERR_CREDENTIAL_INVALID' })
      return assert.equal(parseHeaders(headers).expiresAt?.getTime(), expected)
    }),
    500,
  )
})

const PARSE_CODES = ['ERR_CREDENTIAL_MISSING', 'ERR_CREDENTIAL_INVALID']
const ENV_CODES = [...PARSE_CODES, 'ERR_CREDENTIAL_TYPE']

/** Of what is printed on purpose, only scopes could hold a secret. */
function checkPrinted(credential: ResolvedCredential, secrets: readonly string[]): void {
  const shown = credential.scopes?.join(' ') ?? ''
  checkNoLeak(
    credential,
    secrets.filter((value) => !shown.includes(value)),
  )
}

describe('whatever comes in: a credential or a documented error, and nothing of a value in it', () => {
  const suffix = fc.oneof(
    fc.constantFrom(
      ...['ACCESS_TOKEN', 'REFRESH_TOKEN', 'CLIENT_ID', 'CLIENT_SECRET', 'TOKEN_URI', 'SCOPES'],
      ...['EXPIRES_AT', 'CRED_TYPE', 'FIELDS', 'FIELD_apiKey', 'FIELD_', 'EXTRA_A', 'EXTRA_a'],
      ...['API_KEY', 'TOKEN', 'PAT', 'access_token', 'FIELD_toJSON', 'FIELD___proto__', 'EXTRA_'],
    ),
    nonsense,
  )
  const start = fc.constantFrom('SVC_', 'SVC_', 'SVC_', 'SVC', '', 'OTHER_')
  const name = fc.tuple(start, suffix).map((parts) => parts.join(''))
  const valueOf = (given: string) => fc.oneof(around(given), fc.constant(given), nonsense)
  const environment = secret.chain((given) =>
    fc.record({
      secret: fc.constant(given),
      entries: fc.array(fc.tuple(name, valueOf(given)), { maxLength: 6 }),
    }),
  )
  const required = fc.constantFrom(undefined, [], ['apiKey'], ['constructor', 'b'])

  test('of an environment', () => {
    const prefix = fc.constantFrom('SVC_', 'svc_', 'SVC', '')
    holds(
      fc.property(environment, type, prefix, required, (given, asked, start, names) => {
        const env = Object.fromEntries(given.entries)
        const fields = asked === 'oauth' ? undefined : names
        const parse = () => parseEnv(start, env, asked, { fields })
        const outcome = outcomeOf(parse, ENV_CODES, [given.secret])
        if (typeof outcome === 'string') return
        checkPrinted(outcome, [given.secret])
        if (asked !== undefined) assert.equal(outcome.type, asked)
        for (const field of fields ?? []) assert.notEqual(outcome.field(field), '')
      }),
      600,
    )
  })

  test('of an environment that holds other things than strings', () => {
    const binding = fc.oneof(fc.constantFrom(null, 0, 1, false, {}, []), fc.anything())
    const entries = fc.array(fc.tuple(name, binding), { maxLength: 4 })
    holds(
      fc.property(entries, type, (given, asked) => {
        const env = Object.fromEntries(given) as Record<string, string>
        outcomeOf(() => parseEnv('SVC_', env, asked), ENV_CODES, [])
      }),
      300,
    )
  })

  const header = fc.oneof(
    fc
      .constantFrom(
        ...['access-token', 'fields', 'scopes', 'extra', 'expires-at', 'signature', 'future'],
      )
      .map((end) => `x-mcp-cred-${end}`),
    fc.constantFrom('X-MCP-Cred-Fields', 'X_MCP_CRED_FIELDS', '__proto__', 'get', 'keys'),
    nonsense,
  )
  const headers = secret.chain((given) =>
    fc.record({
      secret: fc.constant(given),
      entries: fc.array(
        fc.tuple(
          header,
          fc.oneof(
            { weight: 4, arbitrary: valueOf(given) },
            { weight: 1, arbitrary: fc.array(valueOf(given), { maxLength: 2 }) },
          ),
        ),
        { maxLength: 5 },
      ),
    }),
  )

  test('of a record of headers', () => {
    holds(
      fc.property(headers, type, required, (given, asked, names) => {
        const record: HeaderRecord = Object.fromEntries(given.entries)
        const fields = asked === 'oauth' ? undefined : names
        const parse = () => parseHeaders(record, asked, { fields })
        const outcome = outcomeOf(parse, PARSE_CODES, [given.secret])
        if (typeof outcome === 'string') return
        checkPrinted(outcome, [given.secret])
        // What was read once can be passed on.
        const again = parseHeaders(formatHeaders(outcome), outcome.type)
        assert.deepEqual(toPlain(again), toPlain(outcome))
      }),
      600,
    )
  })

  test('of Web Headers', () => {
    holds(
      fc.property(headers, type, (given, asked) => {
        const web = new Headers()
        for (const [named, value] of given.entries) {
          // What no header can be does not arrive.
          const isHeader = /^[\w-]+$/.test(named) && /^[^\0\r\n\u0100-\uffff]*$/.test(String(value))
          if (isHeader) web.append(named, String(value))
        }
        outcomeOf(() => parseHeaders(web, asked), PARSE_CODES, [given.secret])
      }),
      300,
    )
  })

  test('and once they are stripped nothing of ours is left, and all else is', () => {
    holds(
      fc.property(headers, (given) => {
        const record: HeaderRecord = Object.fromEntries(given.entries)
        const left = stripCredentialHeaders(record)
        assert.deepEqual(
          Object.keys(left),
          Object.keys(record).filter((named) => !isCredentialHeader(named)),
        )
        assert.throws(() => parseHeaders(left as HeaderRecord), { code: 'ERR_CREDENTIAL_MISSING' })
      }),
      200,
    )
  })
})

test('fromEnv gives what parseEnv gives, however the variables change', () => {
  const name = fc.constantFrom(
    ...['S_ACCESS_TOKEN', 'S_FIELDS', 'S_FIELD_a', 'S_FIELD_b', 'S_CRED_TYPE', 'S_EXTRA_A'],
    ...['S_SCOPES', 'S_EXPIRES_AT', 'OTHER'],
  )
  const value = fc.oneof(
    fc.constantFrom(undefined, '', 'oauth', 'static', '{"a":"1"}', '2026-05-04', 'a b', 'x,y'),
    visible(),
  )
  const step = fc.record({ name, value, isDelete: fc.boolean(), milliseconds: fc.nat(2500) })
  const outcome = (parse: () => ResolvedCredential): unknown => {
    try {
      return toPlain(parse())
    } catch (error) {
      if (!(error instanceof CredentialError)) throw error
      return [error.code, error.message]
    }
  }
  holds(
    fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), type, (steps, asked) => {
      const env: Record<string, string | undefined> = {}
      onStoppedClock((advance) => {
        const source = fromEnv('S_', { env, type: asked })
        for (const change of steps) {
          const isNew = !(change.name in env)
          if (change.isDelete) delete env[change.name]
          else env[change.name] = change.value
          advance(change.milliseconds)
          const read = () => source({ headers: undefined }) as ResolvedCredential
          const found = outcome(read)
          // A name that is new is found within a second.
          if (isNew && change.milliseconds < 1000) advance(1000)
          const expected = outcome(() => parseEnv('S_', env, asked))
          assert.deepEqual(isNew ? outcome(read) : found, expected)
        }
      })
    }),
    200,
  )
})

test('extra is copied and frozen throughout', () => {
  const isFrozen = (value: unknown): boolean =>
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(isFrozen))
  holds(
    fc.property(extra, (given) => {
      const before = JSON.stringify(given)
      const credential = new OAuthCredential({ accessToken: 'a', extra: given })
      assert(isFrozen(credential.extra))
      assert.equal(JSON.stringify(credential.extra), before)
      assert.equal(Object.isFrozen(given), false)
    }),
    200,
  )
})
