import type { RedactedSecret } from '../adapter.ts'
import { scopedCredentials } from '../context.ts'
import { assertCredential, memoryOf, relatedSecrets } from '../credential.ts'
import type { ResolvedCredential, Search } from '../credential.ts'
import { assertOptions } from '../errors.ts'
import { REDACTED } from '../grammar.ts'
import { createSearch } from './search.ts'
import { secretsOf } from './secrets.ts'
import { Redaction } from './values.ts'

/** Options of {@link redactSecrets}. */
export interface RedactSecretsOptions {
  /** Names of fields that are no secrets, such as `baseUrl` and `region`. */
  readonly except?: readonly string[] | undefined
  /**
   * Told of each place where a secret was, once for each secret, at most 100 times: the name of the secret and a path,
   * never a value. Names in the path are cut to 64 characters, and of a long path the last 16 are given.
   */
  readonly onRedact?: ((found: RedactedSecret) => void) | undefined
}

/**
 * Replaces every occurrence of credentials' secrets by `[redacted]`, however they are escaped, encoded or dumped: in
 * strings, in JSON values as `JSON.stringify` writes them, in errors and their causes; and in bytes by stars.
 *
 * @param value - anything; it is not changed
 * @param credentials - whose secrets, of one or a list; by default of the current scope and of the scopes around it
 * @param options - `except` names fields that are no secrets, `onRedact` is told of each place
 * @returns a copy where something was found, else `value` itself; `'[redacted]'` in a scope that ended too long ago to
 *   tell what must not leave it
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for anything but credentials, `ERR_INVALID_ARG_VALUE` for a bad option
 * @example
 * console.error(redactSecrets(format(...values), credential))
 */
export function redactSecrets<T>(
  value: T,
  credentials: ResolvedCredential | readonly ResolvedCredential[] | undefined = scopedCredentials(),
  options: RedactSecretsOptions = {},
): T {
  assertOptions(options, 'redactSecrets', { except: ['strings'], onRedact: ['function'] })
  // Nobody knows any more whose secrets those are.
  if (credentials === undefined) return REDACTED as T
  const search = searchOf([credentials].flat(), options.except ?? [])
  const redaction = new Redaction(search)
  const result = redaction.run(value)
  for (const place of redaction.places.values()) options.onRedact?.(place)
  return result as T
}

function searchOf(credentials: readonly ResolvedCredential[], except: readonly string[]): Search {
  for (const credential of credentials) assertCredential(credential, 'redactSecrets takes')
  const memory = credentials[0] && memoryOf(credentials[0])
  // What a credential is related to may change.
  const parts = [...credentials, ...except, ...credentials.flatMap(relatedSecrets)]
  const last = memory?.search
  const isSame =
    last?.parts.length === parts.length && parts.every((part, index) => part === last.parts[index])
  if (isSame) return last.run
  const run = createSearch(credentials.flatMap((credential) => secretsOf(credential, except)))
  if (memory) memory.search = { run, parts }
  return run
}
