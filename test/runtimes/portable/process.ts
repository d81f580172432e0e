// What the core's tests use of node:process: the one that this runtime has as a global, if any.

export default (globalThis as { process?: unknown }).process
