// Escapes undone in place: what an encoder has escaped is read back, whichever encoder it was.

/** A part of a text: where it begins, and where what is behind it begins. */
export type Range = [start: number, end: number]

/** A text as it is, or with something undone in it; and which part of the original a part of it was. */
export interface Layer {
  readonly text: string
  readonly toOriginal: (part: Range) => Range
}

const X = '[\\dA-Fa-f]'
const NEXT = `%[89ABab]${X}`
// RFC 3986 section 2.1: bytes of ASCII, characters of UTF-8.
const PERCENT = `(?:%[0-7]${X})+|%[CDcd]${X}${NEXT}|%[Ee]${X}(?:${NEXT}){2}|%[Ff][0-4](?:${NEXT}){3}`
// A byte of Latin-1, JSON (RFC 8259 section 7), JavaScript and its old `escape`, HTML.
const HEX = String.raw`%${X}{2}|[%\\]u${X}{4}|\\x${X}{2}|\\u\{${X}{1,6}\}|&#[Xx]${X}{1,6};`
const DECIMAL = String.raw`&#\d{1,7};`
const NAMED = String.raw`&[A-Za-z]{2,8};|\\[0bfnrtv]`
// A quote in quotes of a shell; punctuation behind a backslash, as in Markdown; a quote that is doubled: YAML, SQL, CSV.
const SIGN = String.raw`'\\''|'"'"'|\\[!-/:-@[-\x60{-~]|''|""`

const ESCAPE = new RegExp(`(${PERCENT})|(${HEX})|(${DECIMAL})|(${NAMED})|${SIGN}`, 'g')

// The names that HTML has for the signs of ASCII, and those of JSON for control characters.
const NAMES = new Map(
  `&amp;& &lt;< &gt;> &quot;" &apos;' &excl;! &num;# &dollar;$ &percnt;% &lpar;( &rpar;) &ast;* &midast;* &plus;+ &comma;, &period;.
  &sol;/ &colon;: &semi;; &equals;= &quest;? &commat;@ &lsqb;[ &lbrack;[ &bsol;\\ &rsqb;] &rbrack;] &Hat;^ &lowbar;_
  &grave;\` &lcub;{ &lbrace;{ &verbar;| &vert;| &rcub;} &rbrace;} &Tab;\t &NewLine;\n \\0\0 \\b\b \\f\f \\n\n \\r\r \\t\t \\v\v`
    .split(/ |\n {2}/)
    .map((entry) => [entry.slice(0, -1), entry.slice(-1)]),
)

function decode([escape, percent, hex, decimal, name]: RegExpMatchArray): string {
  if (percent !== undefined) return decodePercent(percent)
  if (hex !== undefined)
    return codePoint(Number.parseInt(hex.replace(/(?:%u?|\\[ux]\{?|&#x)/i, ''), 16))
  if (decimal !== undefined) return codePoint(Number(decimal.slice(2, -1)))
  return name === undefined ? escape.slice(-1) : (NAMES.get(name) ?? escape)
}

const codePoint = (code: number): string => String.fromCodePoint(Math.min(code, 0x10ffff))

function decodePercent(bytes: string): string {
  try {
    return decodeURIComponent(bytes)
  } catch {
    return bytes.replace(/%(..)/g, (_, hex: string) => codePoint(Number.parseInt(hex, 16)))
  }
}

type Replace = (match: RegExpMatchArray) => string

/** A layer in which something is replaced; `undefined` where there is nothing of it. */
function rewrite(layer: Layer, pattern: RegExp, replace: Replace): Layer | undefined {
  const { text } = layer
  // Says much faster than what follows that there is nothing to replace.
  if (text.search(pattern) < 0) return undefined
  // Where pieces begin: in the result, and in the text.
  const [starts, origins]: [number[], number[]] = [[], []]
  let result = ''
  const put = (piece: string, origin: number) => {
    starts.push(result.length)
    origins.push(origin)
    result += piece
  }
  let from = 0
  for (const match of text.matchAll(pattern)) {
    if (match.index > from) put(text.slice(from, match.index), from)
    put(replace(match), match.index)
    from = match.index + match[0].length
  }
  put(text.slice(from), from)
  put('', text.length)
  if (result.length === text.length) return undefined
  const originOf = originIn(starts, origins)
  const toOriginal = ([start, end]: Range) =>
    layer.toOriginal([originOf(start, 0), originOf(end - 1, 1)])
  return { text: result, toOriginal }
}

/** Where characters were before, or what follows on them; to be asked from left to right. */
function originIn(starts: readonly number[], origins: readonly number[]) {
  let piece = 0
  return (at: number, offset: 0 | 1): number => {
    if (at < Number(starts[piece])) piece = 0
    while (Number(starts[piece + 1]) <= at) piece += 1
    const [start = 0, nextStart = 0] = starts.slice(piece, piece + 2)
    const [origin = 0, nextOrigin = 0] = origins.slice(piece, piece + 2)
    const width = (nextOrigin - origin) / (nextStart - start)
    return origin + Math.floor((at + offset - start) * width)
  }
}

// Within and between encoded lines and dumped bytes: the index before a byte, `0x`, the dash of a list, white space, quotes.
const BETWEEN =
  /(["'])\d+\1\s*:\s*(?=\d)|\b0x(?=[\da-f]{2}(?![\da-z]))|(?<!\S)-(?=\s)|[\s`,:;|]+|["']/gi

/** A text without escapes as what is encoded in it reads without separators, in the alphabet of RFC 4648 section 4. */
export function squeezedOf(layer: Layer): Layer[] {
  // In a form, the spaces between bytes are pluses.
  const texts = new Set([layer.text, layer.text.replace(/\+/g, ' ')])
  return Array.from(texts, (text) => {
    const spaced = { ...layer, text }
    const squeezed = rewrite(spaced, BETWEEN, () => '') ?? spaced
    return { ...squeezed, text: squeezed.text.replace(/-/g, '+').replace(/_/g, '/') }
  })
}

/** How many rounds of escapes are undone: four, and one for the JSON value that a text is in. */
const MAX_ROUNDS = 5

/** The part of a text as it is, and with its escapes undone once, and again. */
export function undoneOf(text: string, [from, to]: Range): Layer[] {
  const toOriginal = ([start, end]: Range): Range => [from + start, from + end]
  const layers: Layer[] = [{ text: text.slice(from, to), toOriginal }]
  // Goes on with what it adds.
  for (const layer of layers) {
    const undone = layers.length > MAX_ROUNDS ? undefined : rewrite(layer, ESCAPE, decode)
    if (undone !== undefined) layers.push(undone)
  }
  return layers
}

export const undoText = (text: string): string[] =>
  Array.from(undoneOf(text, [0, text.length]).slice(1), (layer) => layer.text)
