import { misuse } from '../errors.ts'

// Web Crypto and the Encoding API, as far as this needs them.
export type Bytes = Uint8Array
type Transform = (algorithm: string | object, key: object, data: Bytes) => Promise<ArrayBuffer>
interface Crypto {
  readonly subtle: Readonly<Record<'encrypt' | 'decrypt' | 'sign', Transform>> & {
    digest(algorithm: string, data: Bytes): Promise<ArrayBuffer>
    importKey(format: 'raw', key: Bytes | ArrayBuffer, ...rest: unknown[]): Promise<object>
    deriveBits(algorithm: object, key: object, length: number): Promise<ArrayBuffer>
  }
  getRandomValues(bytes: Bytes): Bytes
}
interface Runtime {
  readonly crypto?: Crypto
  readonly TextEncoder: new () => { encode(text: string): Bytes }
  readonly TextDecoder: new () => { decode(bytes: Bytes | ArrayBuffer): string }
  atob(text: string): string
  btoa(text: string): string
}
const runtime = globalThis as unknown as Runtime

export function webCrypto(): Crypto {
  if (runtime.crypto?.subtle) return runtime.crypto
  throw misuse('ERR_INVALID_ARG_VALUE', 'This runtime has no Web Crypto, which accounts need.')
}

export const encode = (text: string): Bytes => new runtime.TextEncoder().encode(text)
export const decode = (bytes: Bytes | ArrayBuffer): string =>
  new runtime.TextDecoder().decode(bytes)
export const random = (size: number): Bytes => webCrypto().getRandomValues(new Uint8Array(size))

/** RFC 4648 section 5, without padding. */
export function toBase64url(bytes: Bytes): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return asBase64url(runtime.btoa(binary))
}

const asBase64url = (base64: string): string =>
  base64
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replace(/=$|==$/, '')

// The last character has no bits that mean nothing, so that bytes have one spelling.
const BASE64URL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/

/** The bytes; `undefined` for anything but base64url. */
export const fromBase64url = (text = ''): Bytes | undefined =>
  BASE64URL.test(text) ? bytesOf(text) : undefined

function bytesOf(base64url: string): Bytes {
  const binary = runtime.atob(base64url.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = new Uint8Array(binary.length)
  for (let index = 0; index < bytes.length; index++) bytes[index] = binary.charCodeAt(index)
  return bytes
}

/** A key of 32 random bytes, or a text of them: base64 (`openssl rand -base64 32`), base64url, or 64 hexadecimal digits. */
export type AccountKey = string | Uint8Array

/** Copies of the keys, as base64url: the caller may wipe its bytes, or change its list. */
export function copyKeys(keys: readonly AccountKey[]): readonly string[] {
  if (!Array.isArray(keys) || keys.length === 0)
    throw misuse('ERR_INVALID_ARG_VALUE', 'Accounts need at least one key.')
  return keys.map((key: AccountKey) => {
    const bytes = typeof key === 'string' ? parseKey(key) : key
    if (bytes instanceof Uint8Array && bytes.length === 32) return toBase64url(bytes)
    const message = 'A key for accounts must have 32 bytes, also as text: in base64 or hexadecimal.'
    throw misuse('ERR_INVALID_ARG_VALUE', message)
  })
}

function parseKey(text: string): Bytes | undefined {
  if (!/^[\da-f]{64}$/i.test(text)) return fromBase64url(asBase64url(text))
  const byteAt = (index: number) => Number.parseInt(text.slice(2 * index, 2 * index + 2), 16)
  return Uint8Array.from({ length: 32 }, (_, index) => byteAt(index))
}

/** A key as it is used. */
export interface ImportedKey {
  /** Its thumbprint, which names it and tells nothing of it. */
  readonly kid: string
  /** Seals and opens. */
  readonly cipher: object
  /** Signs tickets. */
  readonly mac: object
}

// Importing takes longer than sealing. Not promises: on Workers one must not be awaited by another request.
const imported = new Map<string, ImportedKey>()

export async function importKey(text = ''): Promise<ImportedKey> {
  const known = imported.get(text)
  if (known !== undefined) return known
  const { subtle } = webCrypto()
  const bytes = bytesOf(text)
  // RFC 7638 section 3.2, for a key of RFC 7518 section 6.4
  const thumbprint = await subtle.digest('SHA-256', encode(`{"k":"${text}","kty":"oct"}`))
  const info = encode('mcp-credentials ticket')
  const hkdf = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(), info }
  const source = await subtle.importKey('raw', bytes, 'HKDF', false, ['deriveBits'])
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  const secret = await subtle.deriveBits(hkdf, source, 256)
  const key: ImportedKey = {
    kid: toBase64url(new Uint8Array(thumbprint)),
    cipher: await subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']),
    mac: await subtle.importKey('raw', secret, hmac, false, ['sign']),
  }
  if (imported.size >= 1000) imported.clear()
  imported.set(text, key)
  return key
}
