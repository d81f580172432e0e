import { assertOptions, CredentialError, invalidCredential, misuse } from './errors.ts'
import { isCredentialHeader, isWebHeaders } from './headers.ts'
import type { WebHeaders } from './headers.ts'

const SIGNATURE = 'X-MCP-Cred-Signature'

/** A secret that the gateway and the server share: at least 32 bytes; of a string, its bytes in UTF-8. */
export type SigningKey = string | Uint8Array

// Web Crypto and the Encoding API, as far as this needs them.
type Bytes = Uint8Array
interface Subtle {
  importKey(format: 'raw', key: Bytes, ...more: unknown[]): Promise<object>
  sign(algorithm: 'HMAC', key: object, data: Bytes): Promise<ArrayBuffer>
  verify(algorithm: 'HMAC', key: object, signature: Bytes, data: Bytes): Promise<boolean>
}
interface Runtime {
  readonly crypto?: { readonly subtle?: Subtle }
  readonly TextEncoder: new () => { encode(text: string): Bytes }
}
const runtime = globalThis as unknown as Runtime

function subtleCrypto(): Subtle {
  const subtle = runtime.crypto?.subtle
  if (subtle) return subtle
  throw misuse('ERR_INVALID_ARG_VALUE', 'This runtime has no Web Crypto, which signatures need.')
}

const encode = (text: string): Bytes => new runtime.TextEncoder().encode(text)

const importKey = (key: Bytes): Promise<object> =>
  subtleCrypto().importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])

/** A copy: the caller may wipe its bytes before the first request comes. */
function bytesOf(key: SigningKey): Bytes {
  const bytes = typeof key === 'string' ? encode(key) : key
  if (bytes instanceof Uint8Array && bytes.length >= 32) return Uint8Array.from(bytes)
  throw misuse(
    'ERR_INVALID_ARG_VALUE',
    'A key has at least 32 bytes: openssl rand -hex 32 makes one.',
  )
}

/** Options of {@link signHeaders}. */
export interface SignHeadersOptions {
  /** The server that the headers are for, where several share a key: what it gives to its verifier. */
  readonly audience?: string | undefined
  /** When they were signed; by default now. */
  readonly time?: Date | undefined
}

/**
 * The headers with an `X-MCP-Cred-Signature`, which binds all `X-MCP-Cred-*` headers to each other, to the time, and to
 * the audience, so that {@link createSignatureVerifier} can tell that they come from the gateway.
 *
 * @param headers - what the gateway sends, of which only `X-MCP-Cred-*` is signed; usually of `formatHeaders`
 * @param key - a secret of at least 32 bytes that the server has too
 * @param options - `audience` and `time`
 * @throws CredentialError `ERR_CREDENTIAL_INVALID` for a value that is not ASCII, which no signature survives
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for Web `Headers`, `ERR_INVALID_ARG_VALUE` for a key that is too short, and for
 *   an option that is not as it should be
 * @example
 * const headers = await signHeaders(formatHeaders(credential), process.env.GATEWAY_KEY, { audience: 'issues' })
 */
export async function signHeaders(
  headers: Readonly<Record<string, string>>,
  key: SigningKey,
  options: SignHeadersOptions = {},
): Promise<Record<string, string>> {
  assertOptions(options, 'signHeaders', { audience: ['string'], time: ['date'] })
  if (isWebHeaders(headers))
    throw misuse('ERR_INVALID_ARG_TYPE', 'signHeaders takes a record: Object.fromEntries(headers).')
  const { audience, time = new Date() } = options
  const seconds = Math.floor(time.getTime() / 1000)
  if (!(seconds >= 0))
    throw misuse('ERR_INVALID_ARG_VALUE', 'time must be a valid Date, from 1970 on.')
  const given = Object.entries(headers).filter(([name]) => !isSignature(name))
  const signed = given.filter(([name]) => isCredentialHeader(name))
  const bad = signed.find(([, value]) => !isAscii(value))
  if (bad) throw invalidCredential(`${bad[0]} must be printable ASCII on one line.`)
  const text = encode(textToSign(seconds, audience, signed))
  const signature = await subtleCrypto().sign('HMAC', await importKey(bytesOf(key)), text)
  const hex = Array.from(new Uint8Array(signature), (byte) => byte.toString(16).padStart(2, '0'))
  return { ...Object.fromEntries(given), [SIGNATURE]: `t=${seconds},v1=${hex.join('')}` }
}

const isSignature = (name: string): boolean => name.toLowerCase() === SIGNATURE.toLowerCase()
const isAscii = (value: string): boolean => /^[\t\x20-\x7e]*$/.test(value)

/** A line each for the version, the time, the audience, and the headers by their names in lower case, sorted. */
function textToSign(seconds: number, audience = '', headers: readonly [string, string][]): string {
  // Nothing else in the text could be taken for the end of a line: HTTP has none in names and values.
  if (/[\r\n]/.test(audience))
    throw misuse('ERR_INVALID_ARG_VALUE', 'audience must not contain a line break.')
  // HTTP takes white space off the ends of values. Not by a regular expression: these values come from anybody, and one with
  // many spaces in its middle would take the square of its length.
  const byName = headers.map(([name, value]) => ({ name: name.toLowerCase(), value: value.trim() }))
  byName.sort((a, b) => (a.name < b.name ? -1 : 1))
  const lines = byName.map(({ name, value }) => `${name}:${value}`)
  return ['v1', seconds, audience, ...lines].join('\n')
}

/** Options of {@link createSignatureVerifier}. */
export interface CreateSignatureVerifierOptions {
  /** The secrets that a gateway may have signed with; several while they are changed. `undefined` and `''` are left out. */
  readonly keys: readonly (SigningKey | undefined)[]
  /** The audience that the gateway signs for; by default none. */
  readonly audience?: string | undefined
  /** How far the time of a signature may be from now, in seconds; by default 60. */
  readonly toleranceSeconds?: number | undefined
}

/**
 * What tells by the signature of `signHeaders` whether headers come from the gateway; for the option `verify` of
 * `fromHeaders`.
 *
 * @param options - `keys` of at least 32 bytes, `audience`, `toleranceSeconds`
 * @returns a function that resolves to `true`, or rejects with a CredentialError `ERR_CREDENTIAL_UNTRUSTED`
 * @throws TypeError `ERR_INVALID_ARG_VALUE` without a key, for one that is too short, and for a bad audience or tolerance
 * @example
 * fromHeaders({ type: 'oauth', verify: createSignatureVerifier({ keys: [key], audience: 'issues' }) })
 */
export function createSignatureVerifier(
  options: CreateSignatureVerifierOptions,
): (headers: WebHeaders) => Promise<true> {
  assertOptions(options, 'createSignatureVerifier', {
    keys: ['array'],
    audience: ['string'],
    toleranceSeconds: ['seconds'],
  })
  const { keys, audience, toleranceSeconds = 60 } = options
  // An empty variable counts as not set.
  const given = (keys ?? []).filter((key): key is SigningKey => key !== undefined && key !== '')
  if (given.length === 0) throw misuse('ERR_INVALID_ARG_VALUE', NO_KEY)
  const secrets = given.map(bytesOf)
  textToSign(0, audience, [])
  let imported: readonly object[] | undefined

  return async (headers) => {
    const { seconds, signature } = parseSignature(headers.get(SIGNATURE.toLowerCase()))
    if (Math.abs(Date.now() / 1000 - seconds) > toleranceSeconds) throw untrusted(WRONG_TIME)
    const signed = signedHeaders(headers)
    if (!signed.every(([, value]) => isAscii(value)))
      throw untrusted('A credential header of this request is not ASCII on one line.')
    const text = encode(textToSign(seconds, audience, signed))
    // Not the promise: on Workers one must not be awaited by another request.
    imported ??= await Promise.all(secrets.map(importKey))
    for (const key of imported) {
      // Compares in constant time, whatever the runtime.
      if (await subtleCrypto().verify('HMAC', key, signature, text)) return true
    }
    throw untrusted(NO_MATCH)
  }
}

function signedHeaders(headers: WebHeaders): [name: string, value: string][] {
  const names = [...headers.keys()].filter((name) => isCredentialHeader(name) && !isSignature(name))
  return names.map((name) => [name, String(headers.get(name))])
}

const NO_KEY =
  'createSignatureVerifier needs a key, such as { keys: [process.env.GATEWAY_KEY] }: is that variable set?'

const WRONG_TIME = `${SIGNATURE} is too old, or from the future: is the clock of the gateway right, and that of the server?`
const NO_MATCH = `${SIGNATURE} does not match: the headers were changed, or signed with another key or for another audience.`
const UNSIGNED = `The request carries credentials, but no ${SIGNATURE} header: it did not come from the gateway.`

function parseSignature(value: string | null | undefined): { seconds: number; signature: Bytes } {
  if (!value) throw untrusted(UNSIGNED)
  const [, seconds, hex = ''] = /^t=(\d{1,12}),v1=([\da-f]{64})$/.exec(value) ?? []
  if (seconds === undefined)
    throw untrusted(`${SIGNATURE} must be t=<unix seconds>,v1=<64 hex digits>.`)
  const bytes = Array.from(hex.matchAll(/../g), ([byte]) => Number.parseInt(byte, 16))
  return { seconds: Number(seconds), signature: Uint8Array.from(bytes) }
}

const untrusted = (message: string): CredentialError =>
  new CredentialError('ERR_CREDENTIAL_UNTRUSTED', message)
