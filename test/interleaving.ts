import { setImmediate, setTimeout as sleep } from 'node:timers/promises'

/** How a context hands out the value of the current task; a naive global is one that must fail. */
export interface Context<T> {
  run<R>(value: T, fn: () => R): unknown
  get(): T | undefined
}

/** Seeded, so that a failure can be repeated; mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Runs tasks of random asynchronous steps side by side, and counts the reads that did not find the task's own value. */
export async function interleave<T>(
  context: Context<T>,
  values: readonly T[],
  seed = 1,
): Promise<{ reads: number; wrong: number }> {
  const random = randomNumbers(seed)
  const count = { reads: 0, wrong: 0 }
  const check = (value: T) => {
    count.reads += 1
    if (context.get() !== value) count.wrong += 1
  }
  const steps: ((value: T) => unknown)[] = [
    async () => undefined,
    () => sleep(random() * 5),
    () => setImmediate(),
    (value) =>
      new Promise<void>((resolve) =>
        queueMicrotask(() => {
          check(value)
          resolve()
        }),
      ),
    (value) =>
      new Promise<void>((resolve) =>
        setTimeout(() => {
          check(value)
          resolve()
        }, random() * 5),
      ),
    (value) =>
      Promise.all(
        [1, 2].map(async () => {
          await sleep(random() * 2)
          check(value)
        }),
      ),
    async (value) => {
      for await (const _ of stream(random)) check(value)
    },
    async (value) => {
      const other = values[Math.floor(random() * values.length)] as T
      await context.run(other, async () => {
        check(other)
        await setImmediate()
        check(other)
      })
      check(value)
    },
    (value) => ({
      then(resolve: () => void) {
        check(value)
        void setImmediate().then(resolve)
      },
    }),
    async (value) => {
      try {
        await sleep(random())
        throw new Error('step')
      } catch {
        check(value)
      } finally {
        check(value)
      }
    },
  ]
  await Promise.all(
    values.map((value) =>
      context.run(value, async () => {
        check(value)
        for (let left = 3 + Math.floor(random() * 4); left > 0; left--) {
          await steps[Math.floor(random() * steps.length)]?.(value)
          check(value)
        }
      }),
    ),
  )
  return count
}

function stream(random: () => number): AsyncIterable<number> {
  // A bare engine has none.
  if (typeof ReadableStream === 'undefined') return generate(random)
  return new ReadableStream<number>({
    async start(controller) {
      for (let chunk = 0; chunk < 2; chunk++) {
        await sleep(random())
        controller.enqueue(chunk)
      }
      controller.close()
    },
  }) as unknown as AsyncIterable<number>
}

async function* generate(random: () => number): AsyncGenerator<number> {
  for (let chunk = 0; chunk < 2; chunk++) {
    await sleep(random())
    yield chunk
  }
}
