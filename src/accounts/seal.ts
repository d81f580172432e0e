import { assertCredential, OAuthCredential, StaticCredential } from '../credential.ts'
import type { Fields, OAuthProperties, ResolvedCredential } from '../credential.ts'
import { assertOptions, misuse } from '../errors.ts'
import { textProblem } from '../grammar.ts'
import { open, seal } from './jwe.ts'
import type { Binding, Claims } from './jwe.ts'
import { copyKeys } from './keys.ts'

/** A credential as JSON. */
export function toClaim(credential: ResolvedCredential): Claims {
  if (credential.type === 'static') return { fields: { ...credential.fields } }
  const { accessToken, refreshToken, clientId, clientSecret } = credential
  const { tokenUri, scopes, expiresAt, extra } = credential
  return { accessToken, refreshToken, clientId, clientSecret, tokenUri, scopes, expiresAt, extra }
}

/** Its reverse; the constructors check what they are given. */
export function fromClaim(claim: unknown): ResolvedCredential {
  const { fields, expiresAt, ...others } = claim as OAuthProperties & { readonly fields?: Fields }
  if (fields !== undefined) return new StaticCredential(fields)
  const date = expiresAt === undefined ? undefined : new Date(expiresAt)
  return new OAuthCredential({ ...others, expiresAt: date })
}

/** What {@link sealCredential} and {@link openCredential} need to know. */
export interface SealCredentialOptions {
  /** Whose credential it is: the user that was verified. */
  readonly owner: string
  /** What it is for, such as `github`. */
  readonly provider: string
  /** Keys of 32 random bytes: the first one seals, all open. */
  readonly keys: readonly (string | Uint8Array)[]
}

function bindingOf(options: SealCredentialOptions, caller: string): Binding {
  assertOptions(options, caller, { owner: ['string'], provider: ['string'], keys: ['array'] })
  assertName(options.owner, 'owner')
  assertName(options.provider, 'provider')
  return { ...options, typ: 'mcp-credential', keys: copyKeys(options.keys) }
}

export function assertName(value: unknown, name: 'owner' | 'provider'): void {
  // Half of a surrogate pair would become the same character as any other.
  if (value !== '' && textProblem(value) === undefined) return
  throw misuse('ERR_INVALID_ARG_TYPE', `The ${name} of an account must be a string, not empty.`)
}

/**
 * Seals a credential for a database: a compact JWE (RFC 7516), `dir` and `A256GCM`, whose claims hold the owner as `sub` and
 * the provider as `aud`, so that the text is worth nothing in another's row.
 *
 * @param credential - the credential
 * @param options - `owner`, `provider`, and `keys`, the first of which seals
 * @returns a text of ASCII, some 600 characters for usual tokens
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for anything but a credential; `ERR_INVALID_ARG_VALUE` without a key, and for one
 *   that has not 32 bytes
 * @example
 * const text = await sealCredential(credential, { owner: user.id, provider: 'github', keys: [process.env.ACCOUNT_KEY] })
 */
export async function sealCredential(
  credential: ResolvedCredential,
  options: SealCredentialOptions,
): Promise<string> {
  assertCredential(credential, 'sealCredential takes')
  const binding = bindingOf(options, 'sealCredential')
  return seal({ credential: toClaim(credential) }, binding)
}

/**
 * Opens what {@link sealCredential} has sealed. `jwtDecrypt(text, key, { subject, audience, typ: 'mcp-credential' })` of
 * `jose` does, too.
 *
 * @param text - the sealed credential
 * @param options - `owner` and `provider` that it must have been sealed for, and `keys`, any of which opens
 * @throws CredentialError `ERR_CREDENTIAL_UNAVAILABLE` for a text that was changed or cut, that is for another owner or
 *   provider, or whose key is not among the keys; `onCall` is told which
 * @throws TypeError `ERR_INVALID_ARG_VALUE` without a key, and for one that has not 32 bytes
 * @example
 * const credential = await openCredential(row.text, { owner: user.id, provider: 'github', keys: [newKey, oldKey] })
 */
export async function openCredential(
  text: string,
  options: SealCredentialOptions,
): Promise<ResolvedCredential> {
  const binding = bindingOf(options, 'openCredential')
  return open(text, binding, ({ credential }) => fromClaim(credential))
}
