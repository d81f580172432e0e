import { OAuthCredential } from '../credential.ts'
import type { RefreshGrant } from '../env.ts'
import { misuse } from '../errors.ts'
import { isPlainObject } from '../grammar.ts'

/** What can be refreshed. */
export type Refreshable = OAuthCredential | RefreshGrant

/** What it takes to refresh a credential; `undefined` where a part of that is missing. */
export function grantOf(given: Refreshable): RefreshGrant | undefined {
  // A credential of a second copy of the package is no plain object.
  if (!(given instanceof OAuthCredential || isPlainObject(given)))
    throw misuse('ERR_INVALID_ARG_TYPE', 'A refresher takes an OAuthCredential or a RefreshGrant.')
  const { refreshToken, clientId, clientSecret, tokenUri, scopes, extra } = given
  if (!refreshToken || !clientId || !tokenUri) return undefined
  return { refreshToken, clientId, clientSecret, tokenUri, scopes, extra }
}

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

/** Nobody gets what was had with another client secret, or from another endpoint. */
export const keyOf = (grant: RefreshGrant): Promise<string> =>
  digest([grant.tokenUri, grant.clientId, grant.clientSecret, grant.refreshToken])
