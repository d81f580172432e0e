import { misuse } from '../errors.ts'

// Web Crypto and the Encoding API, as far as this needs them.
export type Bytes = Uint8Array
type Make<T> = (...from: readonly unknown[]) => Promise<T>
interface Crypto {
  readonly subtle: Readonly<Record<'digest' | 'encrypt' | 'decrypt', Make<ArrayBuffer>>> & {
    readonly importKey: Make<object>
  }
  getRandomValues(bytes: Bytes): Bytes
}
interface Runtime {
  readonly crypto?: Crypto
  readonly TextEncoder: new () => { encode(text: string): Bytes }
  readonly TextDecoder: new () => { decode(bytes: Bytes): string }
  atob(text: string): string
  btoa(text: string): string
}
const runtime = globalThis as unknown as Runtime

function webCrypto(): Crypto {
  if (runtime.crypto?.subtle) return runtime.crypto
  throw misuse('ERR_INVALID_ARG_VALUE', 'This runtime has no Web Crypto, which accounts need.')
}

export const encode = (text: string): Bytes => new runtime.TextEncoder().encode(text)
export const decode = (bytes: Bytes): string => new runtime.TextDecoder().decode(bytes)
export const random = (size: number): Bytes => webCrypto().getRandomValues(new Uint8Array(size))

/** RFC 4648 section 5, without padding. */
export function toBase64url(bytes: Iterable<number>): string {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return asBase64url(runtime.btoa(binary))
}

const asBase64url = (base64: string): string =>
  base64.replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')

// The last character has no bits that mean nothing, so that bytes have one spelling.
const BASE64URL = /^(?:[\w-]{4})*(?:[\w-][AQgw]|[\w-]{2}[AEIMQUYcgkosw048])?$/

/** The bytes; `undefined` for anything but base64url. */
export function fromBase64url(text: unknown): Bytes | undefined {
  if (typeof text !== 'string' || !BASE64URL.test(text)) return undefined
  const binary = runtime.atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  // By hand: Uint8Array.from takes twenty times as long.
  const bytes = new Uint8Array(binary.length)
  for (let index = 0; index < bytes.length; index++) bytes[index] = binary.charCodeAt(index)
  return bytes
}

/** Copies of the keys, as base64url: the caller may wipe its bytes, or change its list. */
export function copyKeys(keys: readonly (string | Uint8Array)[]): readonly string[] {
  if (!Array.isArray(keys) || keys.length === 0)
    throw misuse('ERR_INVALID_ARG_VALUE', 'Accounts need at least one key.')
  return keys.map((key: string | Uint8Array) => {
    const bytes = typeof key === 'string' ? fromBase64url(asBase64url(key)) : key
    if (bytes instanceof Uint8Array && bytes.length === 32) return toBase64url(bytes)
    const message = 'A key for accounts must have 32 bytes: openssl rand -base64 32 makes one.'
    throw misuse('ERR_INVALID_ARG_VALUE', message)
  })
}

/** A key as it is used, and its thumbprint, which names it and tells nothing of it. */
export interface ImportedKey {
  readonly kid: string
  readonly cipher: object
}

// Importing takes longer than sealing. Not promises: on Workers one must not be awaited by another request.
const imported = new Map<string, ImportedKey>()

export async function importKey(text = ''): Promise<ImportedKey> {
  const known = imported.get(text)
  if (known !== undefined) return known
  const { subtle } = webCrypto()
  // RFC 7638 section 3.2, for a key of RFC 7518 section 6.4
  const thumbprint = await subtle.digest('SHA-256', encode(`{"k":"${text}","kty":"oct"}`))
  const usages = ['encrypt', 'decrypt']
  const cipher = await subtle.importKey('raw', fromBase64url(text), 'AES-GCM', false, usages)
  const key = { kid: toBase64url(new Uint8Array(thumbprint)), cipher }
  if (imported.size >= 1000) imported.clear()
  imported.set(text, key)
  return key
}

/** AES-GCM: `bound` is authenticated too; the tag is the last 16 bytes of what is encrypted. */
export async function crypt(
  direction: 'encrypt' | 'decrypt',
  { cipher }: ImportedKey,
  iv: Bytes,
  bound: string,
  bytes: Bytes,
): Promise<Bytes> {
  const algorithm = { name: 'AES-GCM', iv, additionalData: encode(bound) }
  return new Uint8Array(await webCrypto().subtle[direction](algorithm, cipher, bytes))
}
