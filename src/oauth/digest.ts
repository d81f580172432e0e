// Web Crypto and the Encoding API, as far as this needs them.
interface Runtime {
  readonly crypto: {
    readonly subtle: { digest(algorithm: 'SHA-256', data: Uint8Array): Promise<ArrayBuffer> }
  }
  readonly TextEncoder: new () => { encode(text: string): Uint8Array }
}
const runtime = globalThis as unknown as Runtime

/** The SHA-256 of a JSON value, as 32 characters: what is remembered is found by it, and it tells nothing. */
export async function digest(value: unknown): Promise<string> {
  const bytes = new runtime.TextEncoder().encode(JSON.stringify(value))
  const hash = await runtime.crypto.subtle.digest('SHA-256', bytes)
  return String.fromCharCode(...new Uint8Array(hash))
}
