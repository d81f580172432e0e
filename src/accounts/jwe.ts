import { CredentialError } from '../errors.ts'
import { isPlainObject } from '../grammar.ts'
import { crypt, decode, encode, fromBase64url, importKey, random, toBase64url } from './keys.ts'
import type { Bytes } from './keys.ts'

/** JSON that is sealed. */
export type Claims = Readonly<Record<string, unknown>>

/** What a sealed text, or a ticket, is bound to. */
export interface Binding {
  readonly typ: 'mcp-credential' | 'mcp-account'
  readonly owner: string
  readonly provider: string
  /** Of copyKeys: the first one seals, all open. */
  readonly keys: readonly string[]
}

/** A compact JWE (RFC 7516 section 7.1) of claims (RFC 7519), with `dir` and `A256GCM` (RFC 7518 sections 4.5 and 5.3). */
export async function seal(claims: Claims, binding: Binding): Promise<string> {
  const { typ, owner, provider, keys } = binding
  const key = await importKey(keys[0])
  const { kid } = key
  const header = toBase64url(encode(JSON.stringify({ alg: 'dir', enc: 'A256GCM', kid, typ })))
  const text = encode(JSON.stringify({ ...claims, sub: owner, aud: provider }))
  const iv = random(12)
  const sealed = await crypt('encrypt', key, iv, header, text)
  const parts = [iv, sealed.subarray(0, text.length), sealed.subarray(text.length)]
  return [header, '', ...parts.map(toBase64url)].join('.')
}

/** What `read` makes of the claims of a text that was sealed for this, and not changed since. */
export async function open<T>(
  text: string,
  binding: Binding,
  read: (claims: Claims) => T,
): Promise<T> {
  try {
    const claims = await openClaims(text, binding)
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

async function openClaims(text: string, { typ, keys }: Binding): Promise<Claims> {
  const [header, iv, body, tag] = (COMPACT.exec(text) ?? []).slice(1).map(fromBase64url)
  if (!header || !iv || !body || !tag) throw new Error('It is no JWE, or was cut.')
  const kid = keyIdOf(parseObject(header), typ)
  const known = await Promise.all(keys.map((key) => importKey(key)))
  const key = known.find((one) => one.kid === kid)
  if (key === undefined) throw new Error(`Its key is not among the keys: the kid is ${kid}.`)
  const sealed = new Uint8Array(body.length + tag.length)
  sealed.set(body)
  sealed.set(tag, body.length)
  const opened = crypt('decrypt', key, iv, toBase64url(header), sealed)
  return parseObject(await opened.catch(() => Promise.reject(new Error('It was changed.'))))
}

function parseObject(bytes: Bytes): Claims {
  const parsed: unknown = JSON.parse(decode(bytes))
  return isPlainObject(parsed) ? parsed : {}
}

function keyIdOf({ alg, enc, typ, kid, zip, crit }: Claims, expected: string): string {
  if (alg !== 'dir' || enc !== 'A256GCM') throw new Error('It is not of "dir" and "A256GCM".')
  if (typ !== expected) throw new Error(`Its typ is not "${expected}".`)
  // RFC 7516 sections 4.1.3 and 4.1.13
  if (zip !== undefined || crit !== undefined) throw new Error('Its header asks for more.')
  return String(kid)
}
