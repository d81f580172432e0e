// What credentials, variables and headers can hold.
import fc from 'fast-check'
import { OAuthCredential, StaticCredential } from 'mcp-credentials'
import type { JsonObject, JsonValue } from 'mcp-credentials'

const VISIBLE = Array.from({ length: 0x7e - 0x20 }, (_, index) => String.fromCharCode(0x21 + index))

/** Visible ASCII, without some of it. */
export const visible = (without = ''): fc.Arbitrary<string> =>
  fc.string({
    unit: fc.constantFrom(...VISIBLE.filter((character) => !without.includes(character))),
    minLength: 1,
    maxLength: 40,
  })

/** Any text of Unicode, without lone surrogates. */
export const text: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('"', '\\', '\u2028', '\0', '\x7f', ' ', '{"a":1}', '123', 'null', '\u{1f511}'),
)

export const fieldName: fc.Arbitrary<string> = fc
  .oneof(text, fc.constantFrom('constructor', 'toString', 'hasOwnProperty', 'valueOf', '0', '-1'))
  .filter((name) => name !== '' && name !== '__proto__' && name !== 'toJSON')

export const fields: fc.Arbitrary<Record<string, string>> = fc.dictionary(fieldName, text, {
  minKeys: 1,
  maxKeys: 6,
  noNullPrototype: false,
})

export const staticCredential: fc.Arbitrary<StaticCredential> = fields.map(
  (values) => new StaticCredential(values),
)

const key = text.filter((name) => name !== '__proto__')
// Of a number with a point, and of those that are integers nevertheless.
const number = fc.oneof(
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e9, max: 1e9 }),
)
const json = fc.letrec<{ value: JsonValue; object: JsonObject }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 6 },
    fc.constantFrom(null, true, false),
    number,
    text,
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(key, tie('value'), { maxKeys: 3 }),
}))

export const extra: fc.Arbitrary<JsonObject> = json.object

export const date: fc.Arbitrary<Date> = fc.date({
  min: new Date('0000-01-01T00:00:00.000Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
})

const option = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })

/** What a header can carry of an OAuth credential. */
export const oauthCredential: fc.Arbitrary<OAuthCredential> = fc
  .record({
    accessToken: visible(','),
    scopes: option(fc.array(visible(), { maxLength: 4 })),
    expiresAt: option(date),
    extra: option(extra),
  })
  .map((properties) => new OAuthCredential(properties))

/** A secret that no name looks like, so that it may stand nowhere in an error. */
export const secret: fc.Arbitrary<string> = fc
  .tuple(fc.stringMatching(/^[A-Za-z0-9]{10}$/), fc.stringMatching(/^[A-Za-z0-9]{10}$/))
  .map(([one, other]) => `${one}/+/${other}`)

/** What breaks parsers. */
const hostile = fc.oneof(
  fc.constantFrom(
    ...['', ' ', ',', ':', '"', "'", '\\', '{', '}', '[', ']', '\0', '\t', '\r\n', '\x7f', 'é'],
    ...['\u2028', '\u{1f511}', '\ud800', '\\ud800', '-0', '1e400', '12345678901234567890'],
    ...['null', '__proto__', 'toJSON', '"a":1,"a":2', '2026-02-30', 'T24:00', 'Bearer ', '${A}'],
    ...['{"a":"', '"}', '{"', '":"x"}', '[{"a":"', '"}]', '["', '"]', "{'a': '", "'}", 'static'],
  ),
  fc.string({ unit: 'binary', maxLength: 6 }),
)

/** A secret, with what breaks parsers around it. */
export const around = (value: string): fc.Arbitrary<string> =>
  fc
    .tuple(fc.array(hostile, { maxLength: 3 }), fc.array(hostile, { maxLength: 3 }))
    .map(([before, after]) => before.join('') + value + after.join(''))

/** Something that breaks parsers, without a secret. */
export const nonsense: fc.Arbitrary<string> = fc
  .array(hostile, { maxLength: 4 })
  .map((pieces) => pieces.join(''))
