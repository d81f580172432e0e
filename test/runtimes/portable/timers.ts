// What the core's tests use of node:timers/promises, where there is none.

const { setTimeout: later, setImmediate: next } = globalThis as {
  setTimeout: (fn: () => void, ms: number) => unknown
  setImmediate?: (fn: () => void) => unknown
}

// Sleepers of one duration share a timer: Workers allow 10,000 at a time.
const sleepers = new Map<number, (() => void)[]>()

function wake(duration: number): void {
  const woken = sleepers.get(duration) ?? []
  sleepers.delete(duration)
  for (const resolve of woken) resolve()
}

function sleep(milliseconds = 0): Promise<void> {
  const duration = Math.ceil(milliseconds)
  if (!sleepers.has(duration)) later(() => wake(duration), duration)
  return new Promise((resolve) => {
    const waiting = sleepers.get(duration) ?? []
    sleepers.set(duration, waiting)
    waiting.push(resolve)
  })
}

const turn = () =>
  next
    ? new Promise<void>((resolve) => {
        next(resolve)
      })
    : sleep(0)

export { sleep as setTimeout, turn as setImmediate }
