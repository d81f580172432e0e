import { CredentialError } from '../errors.ts'
import { assertNo, scopesProblem } from '../grammar.ts'
import type { Binding } from './jwe.ts'
import { crypt, decode, encode, fromBase64url, importKey, random, toBase64url } from './keys.ts'

/** What a ticket says. */
export interface Ticket {
  readonly scopes: readonly string[]
  readonly nonce: string
  /** In milliseconds since 1970. */
  readonly expiresAt: number
}

// It starts as no header of a JWE does: a ticket is good for nothing else.
const boundTo = ({ owner, provider }: Binding) => JSON.stringify(['ticket', provider, owner])

/** 12 bytes of nonce, and sealed by it: the time at which the ticket expires, in seconds since 1970, and the scopes. */
export async function createTicket(
  binding: Binding,
  scopes: readonly string[],
  lifetimeSeconds: number,
): Promise<string> {
  assertNo(scopesProblem(scopes), 'scopes')
  const expiry = Math.floor(Date.now() / 1000 + lifetimeSeconds)
  const text = [expiry.toString(36), ...scopes].join(' ')
  const nonce = random(12)
  const key = await importKey(binding.keys[0])
  const sealed = await crypt('encrypt', key, nonce, boundTo(binding), encode(text))
  return toBase64url([...nonce, ...sealed])
}

/** Reads a ticket of this owner; whatever is wrong with it, the error is the same. */
export async function readTicket(ticket: string, binding: Binding): Promise<Ticket> {
  const bytes = fromBase64url(ticket) ?? new Uint8Array()
  const nonce = bytes.subarray(0, 12)
  for (const text of binding.keys) {
    const key = await importKey(text)
    const opened = crypt('decrypt', key, nonce, boundTo(binding), bytes.subarray(12))
    const [expiry = '', ...scopes] = decode(await opened.catch(() => new Uint8Array())).split(' ')
    const expiresAt = Number.parseInt(expiry, 36) * 1000
    if (Date.now() < expiresAt) return { scopes, nonce: toBase64url(nonce), expiresAt }
  }
  throw notYours()
}

export function notYours(): CredentialError {
  const message = 'This link is not yours, or is not valid any more: ask for another one.'
  return new CredentialError('ERR_CREDENTIAL_UNTRUSTED', message)
}
