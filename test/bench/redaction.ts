// What redactSecrets costs, by the length of the text, the secrets and the depth. Prints a line of JSON.
import { StaticCredential } from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'
import { measure, median } from './measure.ts'
import type { Options, Ratio } from './measure.ts'

const options: Options = JSON.parse(process.argv[2] ?? '{}')
const ROUNDS = options.rounds ?? 15

function millisecondsOf(run: () => unknown): number {
  run()
  return median(
    Array.from({ length: ROUNDS }, () => {
      const start = performance.now()
      run()
      return performance.now() - start
    }),
  )
}

// Seeded, so that runs can be compared.
let state = 1
const random = () => (state = (state * 48271) % 2147483647) / 2147483647
const word = (length: number) =>
  Array.from({ length }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join('')
const textOf = (length: number) =>
  Array.from({ length: length / 4 }, () => word(3 + Math.floor(random() * 6)))
    .join(' ')
    .slice(0, length)
const fieldsOf = (count: number, length: number) =>
  new StaticCredential(
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, word(length)])),
  )

export interface Row {
  readonly name: string
  readonly milliseconds: number
  /** Nanoseconds for each character, secret or level. */
  readonly each: number
}

const row = (name: string, units: number, run: () => unknown): Row => {
  const milliseconds = millisecondsOf(run)
  return { name, milliseconds, each: (milliseconds * 1e6) / units }
}

const lengths: Row[] = []
for (const count of [1, 10, 50]) {
  const credential = fieldsOf(count, 40)
  for (const length of [1e3, 1e4, 1e5, 1e6, 1e7]) {
    const text = textOf(length)
    const leaky = text.slice(0, length / 2) + credential.field('f0') + text.slice(length / 2)
    const label = `${length.toLocaleString('en')} characters, ${count} secret${count > 1 ? 's' : ''}`
    lengths.push(row(`${label}, miss`, length, () => redactSecrets(text, credential)))
    lengths.push(row(`${label}, hit`, length, () => redactSecrets(leaky, credential)))
  }
}

const megabyte = textOf(1e6)
const secrets = [
  [1, 40],
  [10, 40],
  [50, 40],
  [1, 4096],
  [10, 4096],
  [50, 4096],
].map(([count = 0, length = 0]) => {
  const given = { ...fieldsOf(count, length).fields }
  return row(
    `${count} new secret${count > 1 ? 's' : ''} of ${length} characters, 1 MB`,
    count,
    () => redactSecrets(megabyte, new StaticCredential(given)),
  )
})

const three = fieldsOf(3, 40)
const levels = [1e3, 1e4, 1e5].map((depth) => {
  let deep: unknown = three.field('f0')
  for (let level = 0; level < depth; level++) deep = level % 2 ? [deep] : { deep }
  return row(`${depth.toLocaleString('en')} levels`, depth, () => redactSecrets(deep, three))
})

const absent = word(40)
const again = (run: () => unknown) => (times: number) => {
  for (let turn = 0; turn < times; turn++) run()
}
const ratio: Ratio = await measure(
  again(() => redactSecrets(megabyte, three)),
  again(() => megabyte.includes(absent)),
  options,
)

console.log(JSON.stringify({ lengths, secrets, levels, ratio }))
