// npm run fuzz -- [--seconds N] [--seed N]: rounds of seeds one after the other; a seed by itself repeats its round.
import process from 'node:process'
import { fuzz } from './fuzzing.ts'

const numberOf = (flag: string): number | undefined => {
  const index = process.argv.indexOf(flag)
  return index < 0 ? undefined : Number(process.argv[index + 1])
}

const only = numberOf('--seed')
const first = only ?? Math.floor(Date.now() % 1e9)
const end = Date.now() + (only === undefined ? (numberOf('--seconds') ?? 60) * 1000 : 0)
let seed = first
do {
  await fuzz(seed)
  seed += 1
} while (Date.now() < end)
console.log(`${seed - first} rounds from seed ${first} on: nothing found.`)
