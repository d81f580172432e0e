// What a million calls leave behind, with a credential that is new each time. Prints a line of JSON; needs --expose-gc.
import { connectInMemory } from './servers.ts'
import { median } from './measure.ts'

const { calls = 1_000_000 } = JSON.parse(process.argv[2] ?? '{}') as { calls?: number }
const collect = (globalThis as { gc?: () => void }).gc

function heap(): number {
  for (let turn = 0; turn < 3; turn++) collect?.()
  return process.memoryUsage().heapUsed / 1e6
}

const { call, close } = await connectInMemory('v2', 2000, 'redaction')
const timeOfCalls = async (count: number) => {
  const times: number[] = []
  for (let turn = 0; turn < count; turn++) {
    const start = performance.now()
    await call()
    times.push((performance.now() - start) * 1000)
  }
  return median(times)
}

export interface Point {
  readonly calls: number
  /** Megabytes, after a collection. */
  readonly heap: number
  /** Microseconds for a call, the median of the 1,000 around this one. */
  readonly call: number
}

const points: Point[] = []
let done = 0
for (const target of [1000, calls / 100, calls / 10, calls].map(Math.round)) {
  for (; done < target - 1000; done++) await call()
  const time = await timeOfCalls(1000)
  done += 1000
  points.push({ calls: done, heap: heap(), call: time })
}
await close()
console.log(JSON.stringify(points))
process.exit()
