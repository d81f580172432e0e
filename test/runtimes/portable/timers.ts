// What the core's tests use of node:timers/promises, where there is none.

const { setTimeout: later, setImmediate: next } = globalThis as { setTimeout: (fn: () => void, ms: number) => unknown; setImmediate?: (fn: () => void) => unknown }

const sleep = (milliseconds = 0) => new Promise<void>((resolve) => { later(resolve, milliseconds) })
const turn = () => new Promise<void>((resolve) => { if (next) next(resolve); else later(resolve, 0) })

export { sleep as setTimeout, turn as setImmediate }
