// How the properties are run: with one seed, so that a failure is one everywhere. SEED=… tries another, RUNS=10 ten times as many.
import process from 'node:process'
import fc from 'fast-check'
import { CredentialError } from 'mcp-credentials'
import type { ResolvedCredential } from 'mcp-credentials'
import { findLeak, renderings } from '../helper.ts'

const seed = Number(process.env['SEED'] ?? 22)
const factor = Number(process.env['RUNS'] ?? 1)
console.log(`properties with SEED=${seed} RUNS=${factor}`)

export const runs = (numRuns: number): fc.Parameters<unknown> => ({
  seed,
  numRuns: numRuns * factor,
  includeErrorInReport: true,
})

/** Asserts a property; fast-check prints the smallest case that breaks it. */
export const holds = <T>(property: fc.IProperty<T>, numRuns: number): void =>
  fc.assert(property, runs(numRuns) as fc.Parameters<T>)

export const holdsLater = <T>(property: fc.IAsyncProperty<T>, numRuns: number): Promise<void> =>
  fc.assert(property, runs(numRuns) as fc.Parameters<T>)

/** All that a credential holds, as plain values. */
export const toPlain = (credential: ResolvedCredential): unknown => ({
  type: credential.type,
  fields: Object.entries(credential.fields),
  accessToken: credential.accessToken,
  refreshToken: credential.refreshToken,
  clientId: credential.clientId,
  clientSecret: credential.clientSecret,
  tokenUri: credential.tokenUri,
  scopes: credential.scopes,
  expiresAt: credential.expiresAt?.getTime(),
  extra: JSON.stringify(credential.extra),
})

/** What comes of it: a credential, or an error with one of these codes that tells nothing of the secrets. */
export function outcomeOf(
  parse: () => ResolvedCredential,
  codes: readonly string[],
  secrets: readonly string[],
): ResolvedCredential | string {
  try {
    return parse()
  } catch (error) {
    return checkError(error, codes, secrets)
  }
}

export function checkError(
  error: unknown,
  codes: readonly string[],
  secrets: readonly string[],
): string {
  if (!(error instanceof CredentialError)) throw new Error(`no CredentialError: ${String(error)}`)
  if (!codes.includes(error.code)) throw new Error(`not documented: ${error.code}`)
  checkNoLeak(error, secrets)
  return error.code
}

/** A cheap look first: most errors have nothing in common with a secret. */
export function checkNoLeak(value: unknown, secrets: readonly string[]): void {
  const texts = renderings(value)
  for (const secret of secrets) {
    const leak = findLeak(texts, secret)
    if (leak !== undefined) throw new Error(`"${leak}" is in: ${texts[0]}`)
  }
}
