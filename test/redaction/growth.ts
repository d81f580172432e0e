// How time and memory grow with what is scrubbed: ten times as much takes ten times as long, whatever it is. Prints a table.
import { randomBytes } from 'node:crypto'
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

const alikeOf = (count: number) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`f${at}`, `sk-FAKE-live-v1-${at}-${at * 7919}`]),
  )

/** As many secrets as are so many characters together, which nothing has in common. */
const longFieldsOf = (characters: number, length: number) =>
  Object.fromEntries(
    Array.from({ length: characters / length }, (_, at) => [
      `f${at}`,
      randomBytes((length * 3) / 4).toString('base64'),
    ]),
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
  'characters of the name of a property': (size) => ({
    value: { [textOf(size)]: `${SECRET} `.repeat(1000) },
  }),
  'characters in lists of bytes': (size) => ({ value: textOf(size, '70, 65, 75, 69, ') }),
}
const LONG: Record<string, Work> = {
  'characters of secrets of 4,096, one of them in 1 MB': (size) => {
    const fields = longFieldsOf(size, 4096)
    return { value: textOf(1e6) + fields['f0'], of: new StaticCredential(fields) }
  },
  'characters of secrets of 4,096, all of them in a text': (size) => {
    const fields = longFieldsOf(size, 4096)
    return { value: Object.values(fields).join(' '), of: new StaticCredential(fields) }
  },
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
  'fields, all of them in a text in base64': (count) => ({
    value: Object.values(fieldsOf(count)).map(btoa).join(' '),
    of: new StaticCredential(fieldsOf(count)),
  }),
  'fields that begin alike, all of them in a text': (count) => ({
    value: Object.values(alikeOf(count)).join(' '),
    of: new StaticCredential(alikeOf(count)),
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

/** The least processor time of a few runs, each with a credential that is new where it brings its own; and what it leaves on the heap. */
function measure(work: Work, size: number): [milliseconds: number, megabytes: number] {
  let [milliseconds, megabytes] = [Infinity, 0]
  // What takes long is measured well enough by one run.
  for (let run = 0; run < 5 && (run === 0 || milliseconds < 100); run++) {
    const { value, of } = work(size)
    collect?.()
    const heap = process.memoryUsage().heapUsed
    const start = process.cpuUsage()
    redactSecrets(value, of ?? credential, { onRedact: () => undefined })
    milliseconds = Math.min(milliseconds, process.cpuUsage(start).user / 1000)
    megabytes = Math.max(megabytes, (process.memoryUsage().heapUsed - heap) / 1e6)
  }
  return [milliseconds, megabytes]
}

const cell = (text: string) => text.padStart(18)
for (const [works, sizes] of [
  [SIZES, [1e4, 1e5, 1e6, 1e7]],
  [LONG, [4096, 40_960, 204_800, 409_600]],
  [COUNTS, [1, 10, 100, 1000, 10_000]],
] as const) {
  console.log(''.padEnd(56) + sizes.map((size) => cell(size.toLocaleString('en'))).join(''))
  for (const [name, work] of Object.entries(works)) {
    const cells = sizes.map((size) => {
      const [milliseconds, megabytes] = measure(work, size)
      return cell(
        `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms, ${megabytes.toFixed(0)} MB`,
      )
    })
    console.log(name.padEnd(56) + cells.join(''))
  }
}
