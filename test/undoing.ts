// A differential fuzz of scrubbing: a random secret through at most one encoder of bytes and then up to three escapers.
import { inspect } from 'node:util'
import { StaticCredential } from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'

type Random = () => number
type Encoder = (text: string, random: Random) => string

const below = (random: Random, limit: number) => Math.floor(random() * limit)
const pick = <T>(random: Random, items: readonly T[]): T => items[below(random, items.length)] as T
const word = (random: Random, length: number, characters: readonly string[]) =>
  Array.from({ length }, () => pick(random, characters)).join('')

const ASCII = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at))
const ALPHABETS = [
  [...'abcdefghijklmnopqrstuvwxyz0123456789'],
  [...'ABCDEFabcdef0123456789+/='],
  ASCII,
  [...ASCII, '\n', '\t', '\r\n'],
  [...'aé ßñ\u{1f511}ключ09!"\'\\&<%'],
  [...'!$%&/()=?*+#'],
  [...'ab'],
]
const NEUTRAL = [...'abcdefghij klmnop']

const bytesOf = (text: string) => new TextEncoder().encode(text)
const hexOf = (text: string) =>
  Array.from(bytesOf(text), (byte) => byte.toString(16).padStart(2, '0'))
const base64 = (text: string) => btoa(String.fromCharCode(...bytesOf(text)))
const unicode = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`

function wrapped(text: string, random: Random): string {
  const columns = 40 + below(random, 40)
  const by = pick(random, ['\n', '\r\n', '\n    '])
  const lines = text.match(new RegExp(`.{1,${columns}}`, 'g')) ?? []
  // In a form, the pluses of an indentation cannot be told from those of base64: that is named.
  return lines.join(text.includes('+') ? '\n' : by)
}
const within = (text: string, random: Random) =>
  word(random, below(random, 200), NEUTRAL) + text + word(random, below(random, 200), NEUTRAL)

const ENCODERS: Record<string, Encoder> = {
  base64,
  'base64 after one': (text) => base64(`.${text}.`),
  'base64 after two': (text) => base64(`..${text}`),
  base64url: (text) => base64(text).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, ''),
  'base64, wrapped': (text, random) => wrapped(base64(within(text, random)), random),
  hex: (text) => hexOf(text).join(''),
  HEX: (text) => hexOf(text).join('').toUpperCase(),
  'hex, wrapped': (text, random) => wrapped(hexOf(within(text, random)).join(''), random),
  'hex, spaced': (text) => hexOf(text).join(' '),
  'hex, colons': (text) => hexOf(text).join(':'),
  'hex, 0x': (text) =>
    hexOf(text)
      .map((pair) => `0x${pair}`)
      .join(', '),
  list: (text) => JSON.stringify([...bytesOf(text)]),
  'list, indented': (text) => JSON.stringify([...bytesOf(text)], null, 2),
  index: (text) => JSON.stringify(bytesOf(text)),
  'index, indented': (text) => JSON.stringify(bytesOf(text), null, '\t'),
  inspect: (text) => inspect(bytesOf(text), { maxArrayLength: null }),
  'Latin-1': (text) => String.fromCharCode(...bytesOf(text)),
}

const ESCAPERS: Record<string, Encoder> = {
  JSON: (text) => JSON.stringify({ text }),
  'JSON, indented': (text) => JSON.stringify([{ text }], null, 2),
  'JSON, ASCII': (text) => JSON.stringify(text).replace(/[\x7f-\uffff]/g, unicode),
  'JSON, slashes': (text) => JSON.stringify(text).replace(/\//g, '\\/'),
  'JSON for HTML': (text) => JSON.stringify(text).replace(/[<>&'/]/g, unicode),
  component: encodeURIComponent,
  'component, lower case': (text) =>
    encodeURIComponent(text).replace(/%../g, (escape) => escape.toLowerCase()),
  form: (text) => `${new URLSearchParams({ text })}`,
  userinfo: (text) => Object.assign(new URL('https://h/'), { password: text }).href,
  HTML: (text) =>
    text
      .replace(/&/g, '&amp;')
      .replace(/</g, '&lt;')
      .replace(/>/g, '&gt;')
      .replace(/"/g, '&quot;')
      .replace(/'/g, '&#39;'),
  'HTML, hex': (text) =>
    text.replace(/[&<>"'`=/]/g, (sign) => `&#x${sign.charCodeAt(0).toString(16).toUpperCase()};`),
  'HTML of everything': (text) =>
    Array.from(text, (character) => `&#${character.codePointAt(0)};`).join(''),
  '\\u of everything': (text) => text.replace(/[^]/g, unicode),
  '% of everything': (text) =>
    hexOf(text)
      .map((pair) => `%${pair}`)
      .join(''),
  Markdown: (text) => text.replace(/[\\*_`[\]#+.!-]/g, '\\$&'),
  YAML: (text) => `'${text.replace(/'/g, "''")}'`,
  shell: (text) => `'${text.replace(/'/g, `'\\''`)}'`,
}

const OWN_ESCAPE = /%[\da-f]{2}|%u|\\[!-/:-@[-`{-~0bfnrtvux]|&#?\w+;|''|""/i
// What docs/scrubbing.md names: a backslash at the end, or before an escape; escapes in a value that is short without them.
// Doubled quotes, in the quotes of a shell, in HTML, are more than four rounds.
const isNamed = (secret: string): boolean =>
  /\\$|\\[%&\\'"]|''|""/.test(secret) || (secret.length < 40 && OWN_ESCAPE.test(secret))

function secretOf(random: Random): string {
  for (;;) {
    const length = 8 + below(random, pick(random, [4, 40, 200]))
    const secret = word(random, length, pick(random, ALPHABETS))
    if (!isNamed(secret)) return secret
  }
}

/** Throws where a secret is not found, more than its rendering is replaced, or something is found that is not there. */
export function fuzzUndoing(random: Random): void {
  const secret = secretOf(random)
  const credential = new StaticCredential({ secret })
  const steps: string[] = []
  let rendered = secret
  const take = (encoders: Record<string, Encoder>) => {
    const name = pick(random, Object.keys(encoders))
    steps.push(name)
    rendered = encoders[name]?.(rendered, random) ?? ''
  }
  if (random() < 0.4) take(ENCODERS)
  for (let count = below(random, 4); count > 0 && rendered.length < 10_000; count--) take(ESCAPERS)

  const before = `${word(random, below(random, 3000), NEUTRAL)}. `
  const behind = ` .${word(random, below(random, 3000), NEUTRAL)}`
  const clean = redactSecrets(before + rendered + behind, credential)
  const how = `${JSON.stringify(secret)} as ${steps.join(', ') || 'it is'}`
  if (clean === before + rendered + behind) throw new Error(`It is not found: ${how}`)
  if (!clean.startsWith(before) || !clean.endsWith(behind))
    throw new Error(`More than it is replaced: ${how}`)
  if (!clean.includes('[redacted]')) throw new Error(`It is not replaced: ${how}`)
  if (redactSecrets(clean, credential) !== clean) throw new Error(`Some of it is left: ${how}`)

  const other = word(random, 8 + below(random, 40), pick(random, ALPHABETS.slice(0, 5)))
  const holder = attempt(() => new StaticCredential({ other: `${other}\u2603` }))
  const text = before + rendered + behind
  if (holder && redactSecrets(text, holder) !== text)
    throw new Error(`Found, but not there: ${how}`)
}

function attempt<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}
