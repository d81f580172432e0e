import { assertOptions, CredentialError, invalidCredential, misuse } from './errors.ts'
import { isCredentialHeader, isWebHeaders } from './headers.ts'
import type { WebHeaders } from './headers.ts'

const SIGNATURE = 'X-MCP-Cred-Signature'

// Web Crypto and the Encoding API, as far as this needs them.
type Bytes = Uint8Array
interface Subtle {
  importKey(
    format: 'raw',
    key: Bytes,
    algorithm: object,
    extractable: false,
    usages: readonly string[],
  ): Promise<object>
  sign(algorithm: 'HMAC', key: object, data: Bytes): Promise<ArrayBuffer>
  verify(algorithm: 'HMAC', key: object, signature: Bytes, data: Bytes): Promise<boolean>
}
interface Runtime {
  readonly crypto?: { readonly subtle?: Subtle }
  readonly TextEncoder: new () => { encode(text: string): Bytes }
}

function subtleCrypto(): Subtle {
  const subtle = (globalThis as unknown as Runtime).crypto?.subtle
  if (subtle === undefined)
    throw misuse('ERR_INVALID_ARG_VALUE', 'This runtime has no Web Crypto, which signatures need.')
  return subtle
}

const encode = (text: string): Bytes =>
  new (globalThis as unknown as Runtime).TextEncoder().encode(text)

/** A secret that the gateway and the server share: at least 32 bytes; of a string, its bytes in UTF-8. */
export type SigningKey = string | Uint8Array

function importKey(key: SigningKey): Promise<object> {
  return subtleCrypto().importKey('raw', bytesOf(key), { name: 'HMAC', hash: 'SHA-256' }, false, [
    'sign',
    'verify',
  ])
}

function bytesOf(key: SigningKey): Bytes {
  const bytes = typeof key === 'string' ? encode(key) : key
  if (bytes instanceof Uint8Array && bytes.length >= 32) return bytes
  throw misuse(
    'ERR_INVALID_ARG_VALUE',
    'A key for signatures must be a string or bytes, of at least 32 bytes: openssl rand -hex 32 makes one.',
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
    throw misuse(
      'ERR_INVALID_ARG_TYPE',
      'signHeaders takes a record: Object.fromEntries(headers) makes one of Headers.',
    )
  const { audience, time = new Date() } = options
  const unsigned = Object.entries(headers).filter(
    ([name]) => name.toLowerCase() !== SIGNATURE.toLowerCase(),
  )
  const signed = unsigned.filter(([name]) => isSigned(name))
  const bad = signed.find(([, value]) => !isAscii(value))
  if (bad) throw invalidCredential(`${bad[0]} must be printable ASCII on one line.`)
  const seconds = Math.floor(time.getTime() / 1000)
  if (!(seconds >= 0))
    throw misuse('ERR_INVALID_ARG_VALUE', 'time must be a valid Date, from 1970 on.')
  const signature = await subtleCrypto().sign(
    'HMAC',
    await importKey(key),
    encode(textToSign(seconds, audience, signed)),
  )
  const hex = Array.from(new Uint8Array(signature), (byte) =>
    byte.toString(16).padStart(2, '0'),
  ).join('')
  return { ...Object.fromEntries(unsigned), [SIGNATURE]: `t=${seconds},v1=${hex}` }
}

const isSigned = (name: string): boolean =>
  isCredentialHeader(name) && name.toLowerCase() !== SIGNATURE.toLowerCase()
const isAscii = (value: string): boolean => /^[\t\x20-\x7e]*$/.test(value)

/** A line each for the version, the time, the audience, and the headers by their names in lower case, sorted. */
function textToSign(
  seconds: number,
  audience = '',
  headers: readonly (readonly [name: string, value: string])[],
): string {
  // Nothing else in the text could be taken for the end of a line: HTTP has none in names and values.
  if (/[\r\n]/.test(audience))
    throw misuse('ERR_INVALID_ARG_VALUE', 'audience must not contain a line break.')
  // HTTP takes white space off the ends of values. Not by a regular expression: these values come from anybody, and one with
  // many spaces in its middle would take the square of its length.
  const byName = headers.map(([name, value]): [string, string] => [
    name.toLowerCase(),
    value.trim(),
  ])
  const lines = byName
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${value}`)
  return ['v1', seconds, audience, ...lines].join('\n')
}

/** Options of {@link createSignatureVerifier}. */
export interface SignatureVerifierOptions {
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
  options: SignatureVerifierOptions,
): (headers: WebHeaders) => Promise<true> {
  assertOptions(options, 'createSignatureVerifier', {
    keys: ['array'],
    audience: ['string'],
    toleranceSeconds: ['seconds'],
  })
  const { keys = [], audience, toleranceSeconds = 60 } = options
  // An empty variable counts as not set.
  const given = keys.filter((key): key is SigningKey => key !== undefined && key !== '')
  if (given.length === 0) throw misuse('ERR_INVALID_ARG_VALUE', NO_KEY)
  // Copies: the caller may wipe its bytes, or change its list, before the first request comes.
  const secrets = given.map((key) => Uint8Array.from(bytesOf(key)))
  textToSign(0, audience, [])
  let imported: readonly object[] | undefined

  return async (headers) => {
    const { seconds, signature } = parseSignature(headers.get(SIGNATURE.toLowerCase()))
    if (Math.abs(Date.now() / 1000 - seconds) > toleranceSeconds) {
      throw untrusted(
        `${SIGNATURE} is too old, or from the future: is the clock of the gateway right, and that of the server?`,
      )
    }
    const signed = [...headers.keys()]
      .filter(isSigned)
      .map((name): [string, string] => [name, String(headers.get(name))])
    if (!signed.every(([, value]) => isAscii(value)))
      throw untrusted('A credential header of this request is not ASCII on one line.')
    const data = encode(textToSign(seconds, audience, signed))
    // Not the promise: on Workers one must not be awaited by another request.
    imported ??= await Promise.all(secrets.map(importKey))
    for (const key of imported) {
      // Compares in constant time, whatever the runtime.
      if (await subtleCrypto().verify('HMAC', key, signature, data)) return true
    }
    throw untrusted(
      `${SIGNATURE} does not match: the headers were changed, or signed with another key or for another audience.`,
    )
  }
}

const NO_KEY =
  'createSignatureVerifier needs a key, such as { keys: [process.env.GATEWAY_KEY] }: is that variable set?'

function parseSignature(value: string | null | undefined): {
  readonly seconds: number
  readonly signature: Bytes
} {
  if (!value)
    throw untrusted(
      `The request carries credentials, but no ${SIGNATURE} header: it did not come from the gateway.`,
    )
  const [, seconds, hex = ''] = /^t=(\d{1,12}),v1=([\da-f]{64})$/.exec(value) ?? []
  if (seconds === undefined)
    throw untrusted(`${SIGNATURE} must be t=<unix seconds>,v1=<64 hex digits>.`)
  return {
    seconds: Number(seconds),
    signature: Uint8Array.from({ length: 32 }, (_, index) =>
      Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16),
    ),
  }
}

const untrusted = (message: string): CredentialError =>
  new CredentialError('ERR_CREDENTIAL_UNTRUSTED', message)
