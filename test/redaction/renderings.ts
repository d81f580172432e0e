// How a secret gets rendered before it leaves, by encoders that are not ours.
import querystring from 'node:querystring'
import { format, inspect } from 'node:util'
import axios from 'axios'
import { stringify as csv } from 'csv-stringify/sync'
import * as devalue from 'devalue'
import ejs from 'ejs'
import { encodeHTML, encodeXML } from 'entities'
import escapeHtml from 'escape-html'
import Handlebars from 'handlebars'
import he from 'he'
import { hexy } from 'hexy'
import { encode as htmlEntities } from 'html-entities'
import * as jsYaml from 'js-yaml'
import jsesc from 'jsesc'
import libqp from 'libqp'
import MarkdownIt from 'markdown-it'
import Mustache from 'mustache'
import { pino } from 'pino'
import qs from 'qs'
import queryString from 'query-string'
import serialize from 'serialize-javascript'
import shellQuote from 'shell-quote'
import sqlstring from 'sqlstring'
import Turndown from 'turndown'
import validator from 'validator'
import { create } from 'xmlbuilder2'
import YAML from 'yaml'

const pemLine = (line: number) =>
  Buffer.from(Array.from({ length: 48 }, (_, at) => (line * 59 + at * 37 + line * at) & 255))

const noise = (length: number, factor: number) =>
  Buffer.from(Array.from({ length }, (_, at) => (at * factor + 7 * (at >> 3)) & 255))

/** Obvious fakes of the shapes that secrets have. */
export const SECRETS = {
  token: 'ghp_FAKE16C7e42F292c6912E7710c838347Ae178B4a',
  base64: 'FAKEwJalrXUtnFEMI/K7MDENG+bPxRfiCYzEXAMPLEKEY==',
  password: 'FAKE9 !"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~aZ07',
  'non-ASCII': 'FAKEpäßwörd7-ключ-\u{1f511}-ñ4',
  PEM: [
    '-----BEGIN FAKE KEY-----',
    ...[1, 2, 3, 4, 5, 6].map((line) => pemLine(line).toString('base64')),
    'AbCdEfGh1234==',
    '-----END FAKE KEY-----',
  ].join('\n'),
  JWT: [
    Buffer.from('{"alg":"RS256","typ":"FAKE"}').toString('base64url'),
    noise(380, 131).toString('base64url'),
    noise(256, 89).toString('base64url'),
  ].join('.'),
  '8 characters': 'Xq7Kp2Zw',
} as const

export type SecretName = keyof typeof SECRETS

export interface Rendering {
  readonly name: string
  render(secret: string): string
  /** Secrets that are not found in it, and the line of docs/scrubbing.md that says so. */
  readonly missed?: { readonly secrets: readonly SecretName[]; readonly because: string }
}

const rendering = (
  name: string,
  render: (secret: string) => string,
  because = '',
  ...secrets: SecretName[]
): Rendering => (because ? { name, render, missed: { secrets, because } } : { name, render })

const EVERY = Object.keys(SECRETS) as SecretName[]

const bytes = (secret: string) => Buffer.from(secret)
const plain = (secret: string) => new Uint8Array(bytes(secret))
const hex = (secret: string) => bytes(secret).toString('hex')
const pairs = (secret: string) => hex(secret).match(/../g) ?? []
const wrapped = (text: string, columns: number, by: string) =>
  (text.match(new RegExp(`.{1,${columns}}`, 'g')) ?? []).join(by)
// What stands before and behind it in a file, say.
const within = (secret: string) =>
  `lorem ipsum dolor sit amet ${secret} consectetur adipiscing elit`
const base64 = (secret: string) => bytes(within(secret)).toString('base64')
const asUrl = (change: (url: URL) => void): string => {
  const url = new URL('https://user@upstream.example/path?query=1')
  change(url)
  return url.href
}

function logged(secret: string): string {
  const lines: string[] = []
  pino({ base: null }, { write: (line) => lines.push(line) }).info({ headers: { secret } }, 'sent')
  return lines.join('')
}

const BEYOND_ASCII = 'Named HTML entities for letters'
const QUOTED_PRINTABLE = 'Quoted-printable and uuencode'
const CUT = 'Dumps that are cut, or show text beside the bytes'

export const RENDERINGS: readonly Rendering[] = [
  rendering('as it is', (secret) => secret),
  rendering('JSON.stringify', (secret) => JSON.stringify({ secret })),
  rendering('JSON in JSON in JSON', (secret) =>
    JSON.stringify(JSON.stringify(JSON.stringify([secret]))),
  ),
  rendering('JSON, four times', (secret) =>
    [1, 2, 3, 4].reduce((text) => JSON.stringify(text), secret),
  ),
  rendering('serialize-javascript', (secret) => serialize({ secret })),
  rendering('serialize-javascript, in JSON', (secret) => JSON.stringify(serialize({ secret }))),
  rendering('jsesc', (secret) => jsesc(secret, { quotes: 'double', wrap: true })),
  rendering('jsesc, JSON', (secret) => jsesc({ secret }, { json: true })),
  rendering('jsesc, everything', (secret) => jsesc(secret, { escapeEverything: true })),
  rendering('jsesc, everything, ES6', (secret) =>
    jsesc(secret, { escapeEverything: true, es6: true }),
  ),
  rendering('devalue', (secret) => devalue.uneval({ secret })),
  rendering('util.inspect', (secret) => inspect({ secret })),
  rendering('util.inspect of that', (secret) => inspect([inspect({ secret })])),
  rendering('util.format %j', (secret) => format('%j', { secret })),
  rendering('pino', logged),

  rendering('Handlebars', (secret) =>
    Handlebars.compile('<b title="{{secret}}">x</b>')({ secret }),
  ),
  rendering('Mustache', (secret) => Mustache.render('<b>{{secret}}</b>', { secret })),
  rendering('EJS', (secret) => ejs.render('<b><%= secret %></b>', { secret })),
  rendering('escape-html', (secret) => escapeHtml(secret)),
  rendering('escape-html, twice', (secret) => escapeHtml(escapeHtml(secret))),
  rendering('escape-html, in JSON', (secret) => JSON.stringify({ html: escapeHtml(secret) })),
  rendering('validator.escape', (secret) => validator.escape(secret)),
  rendering('he.escape', (secret) => he.escape(secret)),
  rendering('he.encode', (secret) => he.encode(secret)),
  rendering(
    'he.encode, named',
    (secret) => he.encode(secret, { useNamedReferences: true }),
    BEYOND_ASCII,
    'non-ASCII',
  ),
  rendering('he.encode, everything', (secret) => he.encode(secret, { encodeEverything: true })),
  rendering('he.encode, everything, decimal', (secret) =>
    he.encode(secret, { encodeEverything: true, decimal: true }),
  ),
  rendering('html-entities', (secret) => htmlEntities(secret)),
  rendering(
    'html-entities, extensive',
    (secret) => htmlEntities(secret, { mode: 'extensive' }),
    BEYOND_ASCII,
    'non-ASCII',
  ),
  rendering('entities.encodeXML', (secret) => encodeXML(secret)),
  rendering('entities.encodeHTML', (secret) => encodeHTML(secret), BEYOND_ASCII, 'non-ASCII'),
  rendering('xmlbuilder2', (secret) => create().ele('secret').att('is', secret).txt(secret).end()),
  rendering('Turndown', (secret) =>
    new Turndown().turndown(`<p>${escapeHtml(secret).replace(/\n/g, '<br>')}</p>`),
  ),
  rendering('Turndown, of code', (secret) =>
    new Turndown().turndown(`<pre><code>${escapeHtml(secret)}</code></pre>`),
  ),
  rendering('markdown-it, a code block', (secret) =>
    new MarkdownIt().render(`\`\`\`\`\n${secret}\n\`\`\`\``),
  ),

  rendering('encodeURIComponent', (secret) => encodeURIComponent(secret)),
  rendering('encodeURIComponent, twice', (secret) =>
    encodeURIComponent(encodeURIComponent(secret)),
  ),
  rendering('encodeURI', (secret) => encodeURI(secret)),
  rendering('the old escape', (secret) => escape(secret)),
  rendering('URLSearchParams', (secret) => `${new URLSearchParams({ secret })}`),
  rendering(
    'a login redirect',
    (secret) => `${new URLSearchParams({ next: `/callback?token=${encodeURIComponent(secret)}` })}`,
  ),
  rendering('querystring', (secret) => querystring.stringify({ secret })),
  rendering('qs', (secret) => qs.stringify({ nested: { secret } })),
  rendering('qs, RFC 1738', (secret) => qs.stringify({ secret }, { format: 'RFC1738' })),
  rendering('query-string', (secret) => queryString.stringify({ secret })),
  rendering('axios params', (secret) =>
    axios.getUri({ url: 'https://upstream.example', params: { secret } }),
  ),
  rendering('URL.password', (secret) => asUrl((url) => (url.password = secret))),
  rendering('URL.username', (secret) => asUrl((url) => (url.username = secret))),
  rendering('URL.hash', (secret) => asUrl((url) => (url.hash = secret))),
  rendering(
    'URL.pathname',
    (secret) => asUrl((url) => (url.pathname = secret)),
    'A backslash in the path of a URL',
    'password',
  ),
  rendering('URL.search', (secret) => asUrl((url) => (url.search = secret))),
  rendering(
    'a component in a URL',
    (secret) => new URL(`https://upstream.example/?key=${encodeURIComponent(secret)}`).href,
  ),

  rendering('js-yaml', (secret) => jsYaml.dump({ nested: { secret } })),
  rendering('js-yaml, in JSON', (secret) => JSON.stringify(jsYaml.dump({ secret }))),
  rendering('yaml', (secret) => YAML.stringify({ nested: { secret } })),
  rendering('yaml, single quotes', (secret) =>
    YAML.stringify({ secret }, { singleQuote: true, lineWidth: 0 }),
  ),
  rendering('yaml, binary', (secret) =>
    YAML.stringify({ secret: plain(secret) }, { customTags: ['binary'] }),
  ),
  rendering('yaml, a list of bytes', (secret) => YAML.stringify([...bytes(secret)])),
  rendering('csv-stringify', (secret) => csv([[secret, 'a,b']])),
  rendering('sqlstring', (secret) => sqlstring.format('SELECT ?', [secret])),
  rendering('shell-quote', (secret) => shellQuote.quote(['curl', '-H', secret])),

  rendering('base64', (secret) => bytes(secret).toString('base64')),
  rendering('base64url', (secret) => bytes(secret).toString('base64url')),
  rendering('a Basic header', (secret) => `Basic ${bytes(`user:${secret}`).toString('base64')}`),
  rendering('base64, one byte on', (secret) => bytes(`.${secret}.`).toString('base64')),
  rendering('base64, two bytes on', (secret) => bytes(`..${secret}`).toString('base64')),
  rendering('base64, in a URL', (secret) => encodeURIComponent(base64(secret))),
  rendering('base64, 76 columns', (secret) => wrapped(base64(secret), 76, '\r\n')),
  rendering('base64, 64 columns, in JSON', (secret) =>
    JSON.stringify(`${wrapped(base64(secret), 64, '\n')}\n`),
  ),
  rendering('base64, 60 columns, in HTML', (secret) => wrapped(base64(secret), 60, '&#10;')),
  rendering('base64, 40 columns, indented', (secret) => wrapped(base64(secret), 40, '\n    ')),
  rendering(
    'base64 of UTF-16',
    (secret) => Buffer.from(secret, 'utf16le').toString('base64'),
    'UTF-16, in base64 or in bytes',
    ...EVERY,
  ),
  rendering(
    'base64 of base64',
    (secret) => bytes(bytes(secret).toString('base64')).toString('base64'),
    'An encoder before base64 or hex',
    ...EVERY,
  ),
  rendering('hex', hex),
  rendering('hex, in upper case', (secret) => hex(secret).toUpperCase()),
  rendering('hex with colons', (secret) => pairs(secret).join(':')),
  rendering('hex with 0x', (secret) =>
    wrapped(
      pairs(secret)
        .map((pair) => `0x${pair}`)
        .join(', '),
      72,
      '\n',
    ),
  ),
  rendering('xxd -p', (secret) => wrapped(hex(within(secret)), 60, '\n')),
  rendering('\\x of everything', (secret) =>
    pairs(secret)
      .map((pair) => `\\x${pair}`)
      .join(''),
  ),
  rendering('% of everything', (secret) =>
    pairs(secret)
      .map((pair) => `%${pair}`)
      .join(''),
  ),
  rendering(
    'hexy',
    (secret) => hexy(bytes(secret)),
    CUT,
    ...EVERY.filter((name) => name !== '8 characters'),
  ),
  rendering('util.inspect of a Buffer', (secret) => inspect(bytes(secret)), CUT, 'PEM', 'JWT'),
  rendering('util.inspect of bytes', (secret) => inspect(plain(secret), { maxArrayLength: null })),
  rendering('util.inspect of bytes by index', (secret) =>
    inspect({ ...plain(secret) }, { maxArrayLength: null }),
  ),
  rendering('JSON of a Buffer', (secret) => JSON.stringify(bytes(secret))),
  rendering('JSON of a Buffer, indented', (secret) => JSON.stringify(bytes(secret), null, 2)),
  rendering('JSON of bytes', (secret) => JSON.stringify(plain(secret))),
  rendering('JSON of bytes, with tabs', (secret) => JSON.stringify(plain(secret), null, '\t')),
  rendering('JSON of bytes, indented, in JSON', (secret) =>
    JSON.stringify(JSON.stringify(plain(secret), null, 2)),
  ),
  rendering('JSON of bytes, in HTML', (secret) => escapeHtml(JSON.stringify(plain(secret)))),
  rendering(
    'JSON of bytes, in a form',
    (secret) => `${new URLSearchParams({ bytes: JSON.stringify(plain(secret), null, 2) })}`,
  ),
  rendering('a list of bytes as text', (secret) => String([...bytes(secret)])),
  rendering(
    'a list of characters',
    (secret) => JSON.stringify([...secret]),
    'A secret in pieces',
    ...EVERY,
  ),
  rendering('UTF-8 read as Latin-1', (secret) => bytes(secret).toString('latin1')),
  rendering('that in ASCII JSON', (secret) =>
    jsesc(bytes(secret).toString('latin1'), { json: true }),
  ),
  rendering(
    'quoted-printable',
    (secret) => libqp.encode(bytes(secret)),
    QUOTED_PRINTABLE,
    'base64',
    'password',
    'non-ASCII',
    'PEM',
  ),
  rendering(
    'reversed',
    (secret) => [...secret].reverse().join(''),
    'Reversed, in another case, compressed or encrypted',
    ...EVERY,
  ),
  rendering(
    'in upper case',
    (secret) => secret.toUpperCase(),
    'Reversed, in another case, compressed or encrypted',
    ...EVERY,
  ),
]
