import { CredentialError } from '../errors.ts'
import { assertNo, scopesProblem } from '../grammar.ts'
import type { Binding } from './jwe.ts'
import { decode, encode, fromBase64url, importKey, random, toBase64url, webCrypto } from './keys.ts'
import type { Bytes } from './keys.ts'

/** What a ticket says. */
export interface Ticket {
  readonly scopes: readonly string[]
  readonly nonce: string
  /** In milliseconds since 1970. */
  readonly expiresAt: number
}

// 4 bytes of seconds since 1970, 12 of a nonce, 16 of an HMAC, and the scopes after a dot.
const TICKET = /^([\w-]{43})(?:\.([\w-]{1,4096}))?$/

export async function createTicket(
  binding: Binding,
  scopes: readonly string[],
  lifetimeSeconds: number,
): Promise<string> {
  assertNo(scopesProblem(scopes), 'scopes')
  const head = random(16)
  new DataView(head.buffer).setUint32(0, Date.now() / 1000 + lifetimeSeconds)
  const mac = await sign(head, scopes, binding, binding.keys[0])
  const ticket = toBase64url(Uint8Array.from([...head, ...mac]))
  return scopes.length === 0 ? ticket : `${ticket}.${toBase64url(encode(scopes.join(' ')))}`
}

async function sign(
  head: Bytes,
  scopes: readonly string[],
  { owner, provider }: Binding,
  key: string | undefined,
): Promise<Bytes> {
  const text = JSON.stringify([provider, owner, toBase64url(head), ...scopes])
  const { mac } = await importKey(key)
  return new Uint8Array(await webCrypto().subtle.sign('HMAC', mac, encode(text)), 0, 16)
}

/** Reads a ticket of this owner; whatever is wrong with it, the error is the same. */
export async function readTicket(text: string, binding: Binding): Promise<Ticket> {
  const [bytes, names] = (TICKET.exec(text) ?? []).slice(1).map(fromBase64url)
  if (!bytes || !names) throw notYours()
  const head = bytes.subarray(0, 16)
  const scopes = names.length === 0 ? [] : decode(names).split(' ')
  const macs = await Promise.all(binding.keys.map((key) => sign(head, scopes, binding, key)))
  const isOurs = macs.some((mac) => areEqual(mac, bytes.subarray(16)))
  const expiresAt = new DataView(bytes.buffer).getUint32(0) * 1000
  if (!isOurs || Date.now() >= expiresAt) throw notYours()
  return { scopes, nonce: toBase64url(head.subarray(4)), expiresAt }
}

/** Takes as long wherever they differ. */
const areEqual = (one: Bytes, other: Bytes): boolean =>
  one.reduce((difference, byte, index) => difference | (byte ^ Number(other[index])), 0) === 0

export function notYours(): CredentialError {
  const message = 'This link is not yours, or is not valid any more: ask for another one.'
  return new CredentialError('ERR_CREDENTIAL_UNTRUSTED', message)
}
