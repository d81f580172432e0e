// node test/bench/redact.js: what redactSecrets costs, by the length of the text, the secrets, and the depth.
import { redactSecrets, StaticCredential } from '../../dist/src/index.js'

const ROUNDS = 15
function median(run) {
  const times = Array.from({ length: ROUNDS }, () => {
    const start = performance.now()
    run()
    return performance.now() - start
  })
  return times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]
}

// Seeded, so that runs can be compared.
let state = 1
const random = () => (state = (state * 48271) % 2147483647) / 2147483647
const word = (length) => Array.from({ length }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join('')
const textOf = (length) => {
  const words = Array.from({ length: length / 4 }, () => word(3 + Math.floor(random() * 6)))
  return words.join(' ').slice(0, length)
}
const fieldsOf = (count, length) => new StaticCredential(Object.fromEntries(Array.from({ length: count }, (_, index) => [`f${index}`, word(length)])))

function row(label, units, run) {
  run()
  const time = median(run)
  console.log(`${label.padEnd(40)} ${time.toFixed(3).padStart(9)} ms ${((time * 1e6) / units).toFixed(2).padStart(9)} ns a unit`)
}

const three = fieldsOf(3, 40)
console.log('Text of some length, three secrets of 40 characters; the unit is a character')
for (const length of [1e3, 1e4, 1e5, 1e6, 1e7]) {
  const text = textOf(length)
  row(`${length} characters, no secret`, length, () => redactSecrets(text, three))
  const leaky = text.slice(0, length / 2) + three.field('f1') + text.slice(length / 2)
  row(`${length} characters, one secret`, length, () => redactSecrets(leaky, three))
}

console.log('\nFresh credentials of some secrets, 1 MB of text; the unit is a secret')
const megabyte = textOf(1e6)
for (const [count, length] of [[1, 40], [10, 40], [50, 40], [100, 40], [1, 4096], [10, 4096], [100, 4096]]) {
  const given = fieldsOf(count, length).fields
  row(`${count} secrets of ${length} characters`, count, () => redactSecrets(megabyte, new StaticCredential({ ...given })))
}

console.log('\nNested objects and arrays around a secret; the unit is a level')
for (const depth of [1e3, 1e4, 1e5]) {
  let deep = three.field('f0')
  for (let level = 0; level < depth; level++) deep = level % 2 ? [deep] : { deep }
  row(`${depth} levels`, depth, () => redactSecrets(deep, three))
}

console.log('\nAgainst one String.includes over the same 1 MB, in this process')
const [includes, control, redaction] = [() => megabyte.includes(word(40)), () => megabyte.includes(word(40)), () => redactSecrets(megabyte, three)]
const [base, again, cost] = [includes, control, redaction].map((run) => median(() => { for (let turn = 0; turn < 20; turn++) run() }))
console.log(`redactSecrets / includes ${(cost / base).toFixed(1)}, A/A ${(again / base).toFixed(2)}`)
