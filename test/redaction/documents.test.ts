// A case for each line of the tables in docs/scrubbing.md: directly, and through the adapter on each SDK.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import { Client as ClientV2, InMemoryTransport as InMemoryV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport as InMemoryV1 } from '@modelcontextprotocol/sdk/inMemory.js'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { McpServer as McpServerV2 } from '@modelcontextprotocol/server'
import axios from 'axios'
import escapeHtml from 'escape-html'
import he from 'he'
import jsesc from 'jsesc'
import { StaticCredential } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/mcp'
import { redactSecrets } from 'mcp-credentials/redact'
import serialize from 'serialize-javascript'
import shellQuote from 'shell-quote'
import Turndown from 'turndown'
import YAML from 'yaml'
import { SECRETS } from './renderings.js'

const { token, password, PEM } = SECRETS
const NON_ASCII = SECRETS['non-ASCII']

interface Case {
  readonly value: string
  /** What a tool sends, of which nothing may be left; or, where it is not found, everything. */
  readonly leaks: readonly unknown[]
}

const of = (value: string, ...leaks: unknown[]): Case => ({ value, leaks })
const bytes = (text: string) => Buffer.from(text)
const wrapped = (text: string) => (text.match(/.{1,40}/g) ?? []).join('\n  ')
const twice = (text: string) => JSON.stringify(JSON.stringify(text))

const SOUGHT: Record<string, Case> = {
  'The value': of(token, token),
  'The value without the white space around it': of(` ${password}\n`, password),
  'The value with its own escapes undone, such as a key whose line breaks are `\\n`': of(
    PEM.replaceAll('\n', '\\n'),
    PEM,
  ),
  'Its lines': of(PEM, PEM.split('\n')[2]),
  'What stands behind `Bearer `, `Basic `, `token ` or `ApiKey `, or the name of a header and any such scheme':
    of(`Authorization: Bearer ${token}`, token),
  'The password of a URL, or its user where there is no password, also percent-decoded': of(
    'postgres://user:FAKE%2Fpass0word1@db.example/main',
    'FAKE/pass0word1',
    'FAKE%2Fpass0word1',
  ),
  'The strings in a JSON value, such as the key of a service account': of(
    JSON.stringify({ type: 'service_account', private_key: PEM }),
    PEM,
    PEM.split('\n')[3],
  ),
}

const FOUND: Record<string, Case> = {
  'As it is': of(token, token),
  'In JSON, in JSON in JSON, and so on, up to four times': of(
    password,
    JSON.stringify({ password }),
    twice(password),
    twice(twice(password)),
  ),
  'With `\\/`, `\\uXXXX`, `\\u{X}` or `\\xXX`, in either case, of some characters or all, letters and digits as well':
    of(
      password,
      password.replace('FAKE9', '\\x46A\\u004bE\\u{39}'),
      JSON.stringify(password).replaceAll('/', '\\/'),
      serialize({ password }),
      jsesc(password, { escapeEverything: true }),
      jsesc(password, { escapeEverything: true, lowercaseHex: true, es6: true }),
    ),
  'Percent-encoded, of some characters or all, as UTF-8 or Latin-1, in either case, once or twice':
    of(
      `${password}é`,
      encodeURIComponent(`${password}é`),
      encodeURIComponent(encodeURIComponent(`${password}é`)),
      escape(`${password}é`).toLowerCase().replace('fake', 'FAKE').replace('az07', 'aZ07'),
      bytes(`${password}é`).toString('hex').replace(/../g, '%$&'),
      axios.getUri({ url: 'https://upstream.example', params: { key: `${password}é` } }),
    ),
  'In a form, with `+` for spaces': of(password, `${new URLSearchParams({ password })}`),
  "With HTML or XML entities: numbers, and the names of ASCII's signs": of(
    password,
    escapeHtml(password),
    he.encode(password, { useNamedReferences: true }),
    he.encode(password, { encodeEverything: true }),
  ),
  'With backslashes before punctuation': of(
    password,
    new Turndown().turndown(`<p>${escapeHtml(password)}</p>`),
    shellQuote.quote([password]),
  ),
  'With doubled quotes, and in the quotes of shells': of(
    password,
    YAML.stringify({ password }, { singleQuote: true, lineWidth: 0 }),
    `'${password.replaceAll("'", "''")}'`,
    `'${password.replaceAll("'", `'\\''`)}'`,
    `'${password.replaceAll("'", `'"'"'`)}'`,
  ),
  'Any of these within each other, up to four rounds': of(
    password,
    JSON.stringify({ html: escapeHtml(encodeURIComponent(JSON.stringify(password))) }),
  ),
  'In base64 or base64url, wherever in it the secret begins': of(
    token,
    ...['', '.', '..'].flatMap((before) => [
      bytes(before + token).toString('base64'),
      bytes(before + token).toString('base64url'),
    ]),
  ),
  'In base64 or hex in lines of 40 columns and more, also indented or quoted': of(
    token,
    wrapped(bytes(`lorem ipsum ${token}`).toString('base64')),
    wrapped(bytes(`lorem ipsum ${token}`).toString('hex')),
    JSON.stringify(wrapped(bytes(`lorem ${token}`).toString('base64')).split('\n  '), null, 2),
  ),
  'In hex in either case, also with `0x`, and with spaces or colons between one byte or two': of(
    token,
    ...['$&', '$& ', '$&:', '0x$&, '].flatMap((pair) => {
      const hex = bytes(token).toString('hex').replace(/../g, pair)
      return [hex, hex.toUpperCase().replaceAll('X', 'x')]
    }),
    bytes(token).toString('hex').replace(/..../g, '$& '),
    inspect(bytes(token)),
  ),
  'In lists of bytes, also indented, in columns, by index, padded with zeros, in JSON or HTML': of(
    token,
    JSON.stringify(bytes(token)),
    JSON.stringify(bytes(token), null, 2),
    JSON.stringify({ ...bytes(token) }),
    twice(JSON.stringify({ ...bytes(token) }, null, 2)),
    escapeHtml(JSON.stringify({ ...bytes(token) })),
    Array.from(bytes(token), (byte) => `${byte}`.padStart(3, '0')).join(' '),
    Array.from(bytes(token), (byte, at) => `${at}: ${byte}`).join(', '),
    inspect(new Uint8Array(bytes(token))),
  ),
  'As UTF-8 that was read as Latin-1': of(NON_ASCII, bytes(NON_ASCII).toString('latin1')),
  'In property names; in bytes, which become `*`; in a number that is a secret': of(
    '4938201756',
    { 4938201756: 1 },
    { bytes: [...bytes('4938201756')] },
    { number: 4938201756 },
  ),
  'In an error: its message, stack, cause, errors and other properties': of(
    token,
    new Error(token, { cause: new Error(token) }),
    Object.assign(new AggregateError([new Error(token)], token), { config: { token } }),
  ),
}

const NOT_FOUND: Record<string, Case> = {
  'A part of a secret, such as its first characters': of(token, token.slice(0, 12)),
  'A secret in pieces, over several strings, items or content blocks': of(
    token,
    { a: token.slice(0, 20), b: token.slice(20) },
    JSON.stringify([...token]),
  ),
  'Reversed, in another case, compressed or encrypted': of(
    token,
    [...token].reverse().join(''),
    token.toUpperCase(),
  ),
  'An encoder before base64 or hex, such as base64 of base64 or of JSON with escapes': of(
    password,
    bytes(bytes(password).toString('base64')).toString('base64'),
    bytes(JSON.stringify(password)).toString('base64'),
  ),
  'UTF-16, in base64 or in bytes': of(token, Buffer.from(token, 'utf16le').toString('base64')),
  'More than four rounds of escapes': of(
    password,
    [1, 2, 3, 4, 5, 6].reduce((text) => encodeURIComponent(text), `${password}`),
  ),
  'Quoted-printable and uuencode': of(password, password.replaceAll('=', '=3D')),
  'Octal numbers (`\\057`), the escapes of LDAP (`\\2f`) and of CSS (`\\2f `)': of(
    'FAKE-octal/0123456789',
    'FAKE-octal\\0570123456789',
    'FAKE-octal\\2f0123456789',
    'FAKE-octal\\2f 0123456789',
  ),
  'The secret with something inside of it: a line break, codes of colours, spaces of no width': of(
    token,
    token.replace('FAKE', 'FAKE\n'),
    token.replace('FAKE', 'FAKE\x1b[1m'),
    [...token].join('\u200b'),
  ),
  'Letters with their accents as characters of their own (NFD)': of(
    NON_ASCII,
    NON_ASCII.normalize('NFD'),
  ),
  'The password in a list of settings (`Server=x;Password=y`) without the rest': of(
    `Server=db.example;Password=${token};`,
    token,
  ),
  'Hex with something between groups of more than two bytes, lists of bytes with slashes': of(
    token,
    bytes(token)
      .toString('hex')
      .replace(/.{8}(?=.)/g, '$& '),
    bytes(token).join('/'),
  ),
  'Named HTML entities for letters, such as `&auml;`': of(
    NON_ASCII,
    he.encode(NON_ASCII, { useNamedReferences: true }),
  ),
  'A backslash in the path of a URL, which turns it into a slash': of(
    password,
    new URL(encodeURI(password.replace(/[?#]/g, '')), 'https://upstream.example').href,
    password.replace('\\', '/'),
  ),
  'Dumps that are cut, or show text beside the bytes': of(PEM, inspect(bytes(PEM))),
  'Numbers of characters beyond 255': of(
    NON_ASCII,
    JSON.stringify(Array.from(NON_ASCII, (character) => character.codePointAt(0))),
  ),
  'Where undoing is ambiguous: `100%` right before a secret that begins with `ab`, and is escaped':
    of('abcdef/0123456789', '100%abcdef%2F0123456789'),
  'A value that ends in a backslash, where it is escaped, and a quote or another sign is behind it':
    of("FAKE-don't-0123\\", "'FAKE-don''t-0123\\'"),
  'A value with an escape behind a backslash, such as `\\%41`, where it is escaped': of(
    'FAKE-\\%41-0123_4567',
    'FAKE-\\\\%41-0123\\_4567',
  ),
  'A value with escapes, where it is escaped, that has fewer than 8 characters without them': of(
    '%46_%41_%4B',
    '%46\\_%41\\_%4B',
  ),
  'Base64 with a `+` in it, in indented lines, in a form': of(
    'FAKE-12345c€6789-abcdef',
    `${new URLSearchParams({
      text: wrapped(bytes('.lorem ipsum dolor sFAKE-12345c€6789-abcdef').toString('base64')),
    })}`,
  ),
  'What JSON does not show, as in a Map, a Set, behind a symbol': of(token, new Map([[token, 1]])),
}

const documents = readFileSync(new URL('../../../docs/scrubbing.md', import.meta.url), 'utf8')

/** The first cells of the table in a section. */
function linesOf(section: string): string[] {
  const text = documents.split(`## ${section}\n`)[1]?.split('\n## ')[0] ?? ''
  const rows = [...text.matchAll(/^\| (.*?) \|/gm)].map(([, cell = '']) => cell)
  return rows.slice(1)
}

/** What a client receives of a tool that leaks. */
type Wiring = (credential: StaticCredential, leak: unknown) => Promise<string>

function answer(leak: unknown) {
  if (leak instanceof Error) throw leak
  const text = typeof leak === 'string' ? leak : JSON.stringify(leak)
  const _meta = typeof leak === 'string' ? {} : { leak }
  return { content: [{ type: 'text' as const, text: `KEEP ${text}` }], _meta }
}

const INFO = { name: 'documents', version: '1.0.0' }
const WIRINGS: Record<string, Wiring> = {
  'SDK v1': async (credential, leak) => {
    const server = withCredentials(new McpServerV1(INFO), () => credential)
    server.registerTool('leak', {}, () => answer(leak))
    const [near, far] = InMemoryV1.createLinkedPair()
    const client = new ClientV1(INFO)
    await Promise.all([server.connect(far), client.connect(near)])
    const result = await client.callTool({ name: 'leak', arguments: {} })
    await client.close()
    return JSON.stringify(result)
  },
  'SDK v2': async (credential, leak) => {
    const server = withCredentials(new McpServerV2(INFO), () => credential)
    server.registerTool('leak', {}, () => answer(leak))
    const [near, far] = InMemoryV2.createLinkedPair()
    const client = new ClientV2(INFO)
    await Promise.all([server.connect(far), client.connect(near)])
    const result = await client.callTool({ name: 'leak', arguments: {} })
    await client.close()
    return JSON.stringify(result)
  },
}

const textOf = (leak: unknown) =>
  leak instanceof Error ? inspect(leak, { depth: 9, showHidden: true }) : JSON.stringify(leak)
const inJson = (text: string) => JSON.stringify(text).slice(1, -1)

/** What a text has of a value, or of a leak as text. */
const holds = (text: string, leak: unknown) =>
  typeof leak === 'string' ? text.includes(inJson(leak)) : text.includes(textOf(leak).slice(1, -1))

for (const [section, cases, isFound] of [
  ['What counts as a secret', SOUGHT, true],
  ['What is found', FOUND, true],
  ['What is not found', NOT_FOUND, false],
] as const) {
  describe(section, () => {
    test('has a case for each line', () => assert.deepEqual(Object.keys(cases), linesOf(section)))

    for (const [line, { value, leaks }] of Object.entries(cases)) {
      test(`${line}: directly`, () => {
        const credential = new StaticCredential({ value })
        for (const leak of leaks) {
          const clean = redactSecrets(leak, credential)
          if (!isFound) assert.equal(clean, leak)
          else {
            assert.notEqual(clean, leak)
            assert(!holds(textOf(clean), leak instanceof Error ? token : leak), textOf(clean))
            assert.match(textOf(clean), /\[redacted\]|42,42,42/)
          }
        }
      })

      for (const [sdk, call] of Object.entries(WIRINGS)) {
        test(`${line}: ${sdk}`, async () => {
          for (const leak of leaks) {
            const received = await call(new StaticCredential({ value }), leak)
            assert.equal(received.includes('[redacted]') || received.includes('42,42,42'), isFound)
            const left = leak instanceof Error ? token : leak
            if (!(leak instanceof Map)) assert.equal(holds(received, left), !isFound, received)
          }
        })
      }
    }
  })
}
