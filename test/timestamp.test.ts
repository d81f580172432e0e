import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'
import { parseEnv } from 'mcp-credentials'
import { assertRefused } from './helper.ts'

// A time without an offset must not be taken for a local one.
if (process) process.env['TZ'] = 'America/New_York'
const offset = new Date(2026, 4, 4).getTimezoneOffset()

const parse = (time: string) =>
  parseEnv('', { ACCESS_TOKEN: 'token', EXPIRES_AT: time }, 'oauth').expiresAt?.toISOString()

const accepted: [text: string, instant: string][] = [
  ['2026-05-04T12:00:00Z', '2026-05-04T12:00:00.000Z'],
  ['2026-05-04t12:00:00z', '2026-05-04T12:00:00.000Z'],
  ['2026-05-04 12:00:00', '2026-05-04T12:00:00.000Z'],
  ['2026-05-04T12:00:00', '2026-05-04T12:00:00.000Z'],
  ['2026-05-04T12:00', '2026-05-04T12:00:00.000Z'],
  ['2026-05-04', '2026-05-04T00:00:00.000Z'],
  ['2026-05-04T12:00:00+02:30', '2026-05-04T09:30:00.000Z'],
  ['2026-05-04T12:00:00-0230', '2026-05-04T14:30:00.000Z'],
  ['2026-05-04T23:30-01', '2026-05-05T00:30:00.000Z'],
  ['2026-05-04T12:00:00-00:00', '2026-05-04T12:00:00.000Z'],
  ['2026-05-04T12:00:00.1Z', '2026-05-04T12:00:00.100Z'],
  ['2026-05-04T12:00:00.9999999999Z', '2026-05-04T12:00:00.999Z'],
  ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
  ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
  ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ['0099-12-31T23:59:59Z', '0099-12-31T23:59:59.000Z'],
  ['9999-12-31T23:59:59Z', '9999-12-31T23:59:59.000Z'],
]

for (const [text, instant] of accepted) {
  test(`${text} is ${instant}`, () => assert.equal(parse(text), instant))
}

const refused = [
  '0',
  '12',
  '1777896000',
  '1777896000000',
  'soon',
  ' ',
  'null',
  '2026',
  '2026-05',
  '20260504',
  '2026-5-4',
  '2026-W19-1',
  '2026-02-30',
  '2026-02-30T00:00:00Z',
  '2025-02-29',
  '1900-02-29',
  '2026-04-31',
  '2026-00-10',
  '2026-13-01',
  '2026-01-00',
  '2026-05-04T24:00:00Z',
  '2026-05-04T12:60:00Z',
  '2026-05-04T12:00:60Z',
  // A leap second, as RFC 3339 has it: a Date has none.
  '2016-12-31T23:59:60Z',
  '2016-12-31T18:59:60-05:00',
  '20260504T120000Z',
  '2026-05-04T12',
  '2026-05-04T12Z',
  '2026-05-04T12:00:00.Z',
  '2026-05-04T12:00:00,5Z',
  '2026-05-04T12:00:00+24:00',
  '2026-05-04T12:00:00+05:60',
  '2026-05-04T12:00:00+5',
  '2026-05-04T12:00:00 Z',
  '2026-05-04T12:00:00Z\n',
  '2026-05-04T12:00:00Z ',
  '\u0660026-05-04',
  '2026-05-04X12:00:00Z',
  '2026-05-04Z',
  '+02026-05-04',
  '-2026-05-04',
  '2026-05-04T12:00:00+05:30:15',
  "' OR '1'='1",
]

for (const text of refused) {
  test(`${JSON.stringify(text)} is no time`, () => {
    assertRefused(
      () => parse(text),
      'ERR_CREDENTIAL_INVALID',
      /^EXPIRES_AT must be a time as in RFC 3339/,
    )
  })
}

for (const text of ['9999-12-31T23:59:59-01:00', '0000-01-01T00:00:00+01:00']) {
  test(`${text} is in no year from 0 to 9999`, () => {
    assertRefused(
      () => parse(text),
      'ERR_CREDENTIAL_INVALID',
      /^EXPIRES_AT must be a valid Date in the years 0 to 9999\.$/,
    )
  })
}

test(
  'and all this holds in a time zone that is not UTC',
  { skip: offset === 0 && 'the time zone cannot be set' },
  () => {
    assert.equal(offset, 240)
  },
)
