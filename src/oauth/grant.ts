import { OAuthCredential } from '../credential.ts'
import type { RefreshGrant } from '../env.ts'
import { misuse } from '../errors.ts'

/** What a refresher is given. */
export type Refreshable = OAuthCredential | RefreshGrant

const NEEDED = ['refreshToken', 'clientId', 'tokenUri'] as const

/** The properties that a credential lacks to be refreshed. */
export function missingForRefresh(credential: Refreshable): readonly string[] {
  return NEEDED.filter((property) => credential[property] === undefined)
}

/** What it takes to refresh a credential; `undefined` where it lacks a part of that. */
export function grantOf(given: Refreshable): RefreshGrant | undefined {
  if (!(given instanceof OAuthCredential)) {
    assertGrant(given)
    return given
  }
  const { refreshToken, clientId, clientSecret, tokenUri, scopes, extra } = given
  if (refreshToken === undefined || clientId === undefined || tokenUri === undefined)
    return undefined
  return { refreshToken, clientId, clientSecret, tokenUri, scopes, extra }
}

function assertGrant(grant: Readonly<Record<(typeof NEEDED)[number], unknown>>): void {
  // A credential of a second copy of the package has everything that a grant has, and an access token.
  const isGrant = typeof grant === 'object' && grant !== null && !('accessToken' in grant)
  if (isGrant && NEEDED.every((name) => typeof grant[name] === 'string' && grant[name] !== ''))
    return
  throw misuse(
    'ERR_INVALID_ARG_TYPE',
    `A refresher takes an OAuthCredential, or a grant with ${NEEDED.join(', ')}.`,
  )
}

// Web Crypto and the Encoding API, as far as this needs them.
interface Runtime {
  readonly crypto?: {
    readonly subtle?: { digest(algorithm: 'SHA-256', data: Uint8Array): Promise<ArrayBuffer> }
  }
  readonly TextEncoder: new () => { encode(text: string): Uint8Array }
}
const runtime = globalThis as unknown as Runtime

/** A digest of a JSON value, as 32 characters. */
export async function digest(value: unknown): Promise<string> {
  const subtle = runtime.crypto?.subtle
  if (subtle === undefined)
    throw misuse('ERR_INVALID_ARG_VALUE', 'This runtime has no Web Crypto, which refreshing needs.')
  const bytes = new runtime.TextEncoder().encode(JSON.stringify(value))
  return String.fromCharCode(...new Uint8Array(await subtle.digest('SHA-256', bytes)))
}

// By what was given, which an environment gives again and again. Never by what could be changed in place.
const keys = new WeakMap<Refreshable, string>()

/** What is remembered is found by all that a request would be made of. It tells nothing of it. */
export async function keyOf(grant: RefreshGrant): Promise<string> {
  const { tokenUri, clientId, clientSecret, refreshToken } = grant
  return digest([tokenUri, clientId, clientSecret ?? null, refreshToken])
}

/** As keyOf, remembered for what was given. */
export async function keyOfGiven(given: Refreshable, grant: RefreshGrant): Promise<string> {
  const known = keys.get(given)
  if (known !== undefined) return known
  const key = await keyOf(grant)
  if (Object.isFrozen(given)) keys.set(given, key)
  return key
}
