import { escapeUnicode, formEncode } from '../grammar.ts'

const jsonContent = (text: string) => JSON.stringify(text).slice(1, -1)
const lowerHex = (text: string) => text.replace(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase())
const percent = (text: string, characters: RegExp) =>
  text.replace(characters, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

// How JSON writers differ: a slash with a backslash (PHP), ASCII only (Python), safe inside HTML (Go).
const JSON_STYLES: ((json: string) => string)[] = [
  (json) => json,
  (json) => json.replace(/\//g, '\\/'),
  (json) => json.replace(/[\x7f-\uffff]/g, escapeUnicode),
  (json) => json.replace(/\//g, '\\/').replace(/[\x7f-\uffff]/g, escapeUnicode),
  (json) =>
    json.replace(
      /[\x7f-\uffff]/g,
      (character) => `\\u${escapeUnicode(character).slice(2).toUpperCase()}`,
    ),
  (json) => json.replace(/[<>&'\u2028\u2029]/g, escapeUnicode),
]

function jsonForms(secret: string): string[] {
  let level = [secret]
  const forms = [secret]
  for (let depth = 1; depth <= 3; depth++) {
    level = [
      ...new Set(level.flatMap((text) => JSON_STYLES.map((style) => style(jsonContent(text))))),
    ]
    forms.push(...level)
  }
  return forms
}

function percentForms(secret: string): string[] {
  const component = encodeURIComponent(secret)
  const strict = percent(component, /[!'()*]/g)
  // What the URL parser does to a query.
  const query = percent(secret.replace(/[^\x21-\x7e]|["#<>]/gu, encodeURIComponent), /'/g)
  // And to the password of one, which fetch quotes when it refuses such a URL.
  const userinfo = secret.replace(/[^\x21-\x7e]|["#<>?`{}/:;=@[\\\]^|]/gu, encodeURIComponent)
  return [component, strict, formEncode(secret), query, userinfo].flatMap((text) => [
    text,
    lowerHex(text),
  ])
}

function htmlForms(secret: string): string[] {
  const named = secret.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;')
  const quotes = [
    ['"', "'"],
    ['&quot;', "'"],
    ['&quot;', '&#39;'],
    ['&quot;', '&#x27;'],
    ['&quot;', '&apos;'],
    ['&#34;', '&#39;'],
  ]
  return quotes.map(([double = '', single = '']) =>
    named.replace(/"/g, double).replace(/'/g, single),
  )
}

/** The bytes of the text in UTF-8, a character each: the core runs where there is no TextEncoder. */
const utf8 = (text: string) =>
  encodeURIComponent(text).replace(/%(..)/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** What base64 makes of the bytes wherever they start, without the characters at both ends that others have a part in. */
function base64Forms(bytes: string): string[] {
  return [0, 1, 2].flatMap((before) => {
    const padded = `${'\0'.repeat(before)}${bytes}`
    let text = ''
    for (let index = 0; index < padded.length; index += 3) {
      const [first, second, third] = [0, 1, 2].map(
        (offset) => padded.charCodeAt(index + offset) || 0,
      ) as [number, number, number]
      const group = (first << 16) | (second << 8) | third
      for (const shift of [18, 12, 6, 0]) text += ALPHABET[(group >> shift) & 63]
    }
    const whole = text.slice(Math.ceil((before * 8) / 6), Math.floor((padded.length * 8) / 6))
    return [whole, whole.replace(/\+/g, '-').replace(/\//g, '_')]
  })
}

function byteForms(bytes: string): string[] {
  const codes = Array.from(bytes, (byte) => byte.charCodeAt(0))
  const hex = codes.map((code) => code.toString(16).padStart(2, '0'))
  const [joined, spaced] = [hex.join(''), hex.join(' ')]
  return [bytes, joined, joined.toUpperCase(), spaced, spaced.toUpperCase(), codes.join(',')]
}

/** How a secret may be rendered, and so how it may leave: as text, escaped, encoded or dumped. */
export function formsOf(secret: string): string[] {
  const bytes = utf8(secret)
  return [
    ...jsonForms(secret),
    ...percentForms(secret),
    ...htmlForms(secret),
    ...base64Forms(bytes),
    ...byteForms(bytes),
  ]
}
