import { CredentialError } from '../errors.ts'
import { isPlainObject } from '../grammar.ts'
import { decode, encode, fromBase64url, importKey, random, toBase64url, webCrypto } from './keys.ts'
import type { Bytes } from './keys.ts'

/** JSON that is sealed. */
export type Claims = Readonly<Record<string, unknown>>

/** What a sealed text, or a ticket, is bound to. */
export interface Binding {
  readonly owner: string
  readonly provider: string
  /** Of copyKeys: the first one seals, all open. */
  readonly keys: readonly string[]
}

/** The `typ` of a header: what is sealed. */
export type Kind = 'mcp-credential' | 'mcp-account'

/** A compact JWE (RFC 7516 section 7.1) of claims (RFC 7519), with `dir` and `A256GCM` (RFC 7518 sections 4.5 and 5.3). */
export async function seal(claims: Claims, typ: Kind, binding: Binding): Promise<string> {
  const { owner, provider, keys } = binding
  const { kid, cipher } = await importKey(keys[0])
  const header = toBase64url(encode(JSON.stringify({ alg: 'dir', enc: 'A256GCM', kid, typ })))
  const text = encode(JSON.stringify({ ...claims, sub: owner, aud: provider }))
  const iv = random(12)
  const sealed = await webCrypto().subtle.encrypt(gcm(iv, header), cipher, text)
  const body = new Uint8Array(sealed, 0, text.length)
  const tag = new Uint8Array(sealed, text.length)
  return [header, '', ...[iv, body, tag].map(toBase64url)].join('.')
}

const gcm = (iv: Bytes, header: string): object => ({
  name: 'AES-GCM',
  iv,
  additionalData: encode(header),
})

/** What `read` makes of the claims of a text that was sealed for this, and not changed since. */
export async function open<T>(
  text: string,
  typ: Kind,
  binding: Binding,
  read: (claims: Claims) => T,
): Promise<T> {
  try {
    const claims = await openClaims(text, typ, binding.keys)
    if (claims['sub'] !== binding.owner) throw new Error('It was sealed for another owner.')
    if (claims['aud'] !== binding.provider) throw new Error('It was sealed for another provider.')
    return read(claims)
  } catch (cause) {
    // A key that was forgotten must not disconnect everybody: this is not "not connected".
    const message = 'The stored account cannot be opened.'
    throw new CredentialError('ERR_CREDENTIAL_UNAVAILABLE', message, { cause })
  }
}

// Header, no encrypted key, 12 bytes of nonce, what is sealed, 16 bytes of tag.
const COMPACT = /^([\w-]+)\.\.([\w-]{16})\.([\w-]+)\.([\w-]{22})$/

async function openClaims(text: string, typ: Kind, keys: readonly string[]): Promise<Claims> {
  const [, header = '', ...parts] = COMPACT.exec(text) ?? []
  const [iv, body, tag] = parts.map(fromBase64url)
  if (!iv || !body || !tag) throw new Error('It is no JWE, or was cut.')
  const kid = keyIdOf(header, typ)
  const known = await Promise.all(keys.map((key) => importKey(key)))
  const key = known.find((one) => one.kid === kid)
  if (key === undefined) throw new Error(`Its key is not among the keys: the kid is ${kid}.`)
  const sealed = new Uint8Array(body.length + tag.length)
  sealed.set(body)
  sealed.set(tag, body.length)
  const { subtle } = webCrypto()
  const opened = await subtle.decrypt(gcm(iv, header), key.cipher, sealed).catch(() => undefined)
  if (opened === undefined) throw new Error('It was changed.')
  const claims: unknown = JSON.parse(decode(opened))
  if (isPlainObject(claims)) return claims
  throw new Error('It holds no JSON object.')
}

function keyIdOf(header: string, expected: Kind): string {
  const parsed: unknown = JSON.parse(decode(fromBase64url(header) ?? encode('')))
  const { alg, enc, typ, kid, zip, crit }: Claims = isPlainObject(parsed) ? parsed : {}
  if (alg !== 'dir' || enc !== 'A256GCM') throw new Error('It is not of "dir" and "A256GCM".')
  if (typ !== expected) throw new Error(`Its typ is not "${expected}".`)
  // RFC 7516 sections 4.1.3 and 4.1.13
  if (zip !== undefined || crit !== undefined) throw new Error('Its header asks for more.')
  return String(kid)
}
