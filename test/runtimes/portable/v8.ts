// What the core's tests use of node:v8, where there is none: the same algorithm, on which structuredClone is built too.

export const serialize = (value: unknown): Uint8Array =>
  new TextEncoder().encode(JSON.stringify(structuredClone(value)))
