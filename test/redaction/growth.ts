// How time and memory grow with what is scrubbed: ten times as much takes ten times as long, whatever it is. Prints a table.
import { StaticCredential } from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'

const SECRET = 'FAKE/growth+0123456789=abcdef'
const credential = new StaticCredential({ secret: SECRET })
const PROSE = 'Ut enim ad minim veniam, quis nostrud exercitation ullamco laboris nisi ut aliquip. '
const textOf = (length: number, piece = PROSE) =>
  piece.repeat(Math.ceil(length / piece.length)).slice(0, length)
const fieldsOf = (count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`field${at}`, `FAKE-${at}-${at * 7919}-growth`]),
  )

type Work = (size: number) => { value: unknown; of?: StaticCredential }

const SIZES: Record<string, Work> = {
  'characters of prose': (size) => ({ value: textOf(size) }),
  'characters of JSON in JSON': (size) => ({
    value: JSON.stringify(JSON.stringify(textOf(size * 0.7, '{"name":"value","list":[1,2,3]},\n'))),
  }),
  'characters of %XX': (size) => ({ value: textOf(size, '%41%62%43%64%45%20') }),
  'characters of \\uXXXX': (size) => ({ value: textOf(size, '\\u0041\\u0062') }),
  'characters of one letter, and a secret of it': (size) => ({
    value: 'a'.repeat(size),
    of: new StaticCredential({ secret: `${'a'.repeat(4000)}b` }),
  }),
  'characters of a secret again and again': (size) => ({ value: textOf(size, SECRET) }),
}
const COUNTS: Record<string, Work> = {
  'secrets in a text': (count) => ({ value: `${SECRET} and so on, `.repeat(count) }),
  'secrets in a list': (count) => ({ value: Array.from({ length: count }, () => SECRET) }),
  'names that all become the same': (count) => ({
    value: Object.fromEntries(
      Array.from({ length: count }, (_, at) => [
        `${SECRET}`.repeat(at + 1).slice(0, SECRET.length * (1 + (at % 9))) +
          ' '.repeat(at % 99) +
          at,
        at,
      ]),
    ),
  }),
  'fields, in 100 KB of prose': (count) => ({
    value: textOf(1e5),
    of: new StaticCredential(fieldsOf(count)),
  }),
  'fields, all of them in a text': (count) => ({
    value: Object.values(fieldsOf(count)).join(' '),
    of: new StaticCredential(fieldsOf(count)),
  }),
  'fields with signs alone, in 100 KB': (count) => ({
    value: textOf(1e5),
    of: new StaticCredential(
      Object.fromEntries(
        Array.from({ length: count }, (_, at) => [
          `f${at}`,
          '!"$%&/()'.slice(at % 8) + '=?*+#-.,;'.repeat(1 + (at % 3)),
        ]),
      ),
    ),
  }),
}

const collect = (globalThis as { gc?: () => void }).gc

/** The least of a few runs, each with a credential that is new where it brings its own; and what it leaves on the heap. */
function measure(work: Work, size: number): [milliseconds: number, megabytes: number] {
  let [milliseconds, megabytes] = [Infinity, 0]
  for (let run = 0; run < 5; run++) {
    const { value, of } = work(size)
    collect?.()
    const heap = process.memoryUsage().heapUsed
    const start = performance.now()
    redactSecrets(value, of ?? credential, { onRedact: () => undefined })
    milliseconds = Math.min(milliseconds, performance.now() - start)
    megabytes = Math.max(megabytes, (process.memoryUsage().heapUsed - heap) / 1e6)
  }
  return [milliseconds, megabytes]
}

const cell = (text: string) => text.padStart(16)
for (const [works, sizes] of [
  [SIZES, [1e4, 1e5, 1e6, 1e7]],
  [COUNTS, [1, 10, 100, 1000, 10_000]],
] as const) {
  console.log(''.padEnd(46) + sizes.map((size) => cell(size.toLocaleString('en'))).join(''))
  for (const [name, work] of Object.entries(works)) {
    const cells = sizes.map((size) => {
      const [milliseconds, megabytes] = measure(work, size)
      return cell(`${milliseconds.toPrecision(2)} ms ${megabytes.toFixed(0)} MB`)
    })
    console.log(name.padEnd(46) + cells.join(''))
  }
}
