import { createSignatureVerifier } from 'mcp-credentials/signature'
// Compiled, not run: what must compile, and, below each @ts-expect-error, what must not.
import {
  formatHeaders,
  fromEnv,
  fromHeaders,
  fromMode,
  getCredentials,
  OAuthCredential,
  parseEnv,
  parseHeaders,
  runWithCredentials,
  StaticCredential,
  stripCredentialHeaders,
  tryGetCredentials,
} from 'mcp-credentials'
import { createRefresher } from 'mcp-credentials/oauth'
import type { CredentialRequest, CredentialSource, ResolvedCredential } from 'mcp-credentials'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_: Same<A, B>): void {}

declare const credential: ResolvedCredential
declare const type: 'static' | 'oauth' | undefined

// Without narrowing, and narrowed by `type` or by the argument.
same<typeof credential.accessToken, string | undefined>(true)
same<typeof credential.fields, Readonly<Record<string, string>>>(true)
if (credential.type === 'oauth') {
  same<typeof credential, OAuthCredential>(true)
  same<typeof credential.accessToken, string>(true)
} else {
  same<typeof credential, StaticCredential>(true)
  same<typeof credential.accessToken, undefined>(true)
}
same<ReturnType<OAuthCredential['field']>, never>(true)
const oauth = getCredentials('oauth')
const fixed = getCredentials('static')
const either = getCredentials()
const chosen = getCredentials(type)
const perhaps = tryGetCredentials('oauth')
same<typeof oauth, OAuthCredential>(true)
same<typeof fixed, StaticCredential>(true)
same<typeof either, ResolvedCredential>(true)
same<typeof chosen, ResolvedCredential>(true)
same<typeof perhaps, OAuthCredential | undefined>(true)
same<string, ReturnType<typeof fixed.field>>(true)
const [fromVariables, fromHeader] = [
  parseEnv('A_', {}, 'static'),
  parseHeaders(new Headers(), 'oauth'),
]
same<typeof fromVariables, StaticCredential>(true)
same<typeof fromHeader, OAuthCredential>(true)

// The result of fn, and of the promises and thenables that it returns.
const value = runWithCredentials(oauth, (argument) => argument.accessToken)
const promise = runWithCredentials(fixed, async () => 7)
same<typeof value, string>(true)
same<typeof promise, Promise<number>>(true)

// Every shape of headers there is.
parseHeaders(new Headers())
parseHeaders({ 'x-mcp-cred-fields': '{}', other: ['a', 'b'], absent: undefined })
parseHeaders(new Map<string, string>())
same<ReturnType<typeof stripHeaders>, Headers>(true)
function stripHeaders() {
  return stripCredentialHeaders(new Headers())
}
const record: Record<string, string | string[] | undefined> = stripCredentialHeaders({
  a: 'b',
  c: ['d'],
  e: undefined,
} as Record<string, string | string[] | undefined>)
void fetch('http://127.0.0.1', {
  headers: { ...stripCredentialHeaders({ a: 'b' }), ...formatHeaders(credential) },
})

const sources: CredentialSource[] = [
  fromEnv('A_'),
  fromEnv('A_', { type: undefined, env: {} }),
  fromHeaders({ type: 'oauth' }),
  fromMode('A_', { type: 'static' }),
  () => oauth,
  async () => fixed,
  async ({ headers, signal, tool }) => {
    const key = headers?.get('x-api-key') ?? tool ?? ''
    await fetch('http://127.0.0.1', { signal: signal ?? null })
    return new StaticCredential({ key })
  },
]
same<NonNullable<CredentialRequest['signal']>, AbortSignal>(true)

// @ts-expect-error A plain object is no credential.
runWithCredentials({ type: 'oauth', accessToken: 'a' }, () => 1)
// @ts-expect-error The type is one of two.
getCredentials('apikey')
// @ts-expect-error A type argument alone would promise what nothing checks.
getCredentials<'oauth'>()
// @ts-expect-error Without a type, the token may be undefined.
same<string, string>(getCredentials().accessToken.length > 0)
// @ts-expect-error A static credential has no token.
fixed.accessToken.length
// @ts-expect-error Credentials are read-only.
oauth.accessToken = 'b'
// @ts-expect-error So are their fields.
fixed.fields['a'] = 'b'
// @ts-expect-error And their scopes.
oauth.scopes?.push('admin')
// @ts-expect-error A token is required.
new OAuthCredential({ refreshToken: 'a' })
// @ts-expect-error A time is a Date.
new OAuthCredential({ accessToken: 'a', expiresAt: '2026-05-04' })
// @ts-expect-error Extra holds JSON.
new OAuthCredential({ accessToken: 'a', extra: { a: undefined } })
// @ts-expect-error A field may be missing from the environment: say what then.
new StaticCredential({ apiKey: record['API_KEY'] })
// @ts-expect-error A server declares the type of its headers.
fromHeaders({})
// @ts-expect-error To verify takes keys.
createSignatureVerifier({ audience: 'a' })
fromHeaders({ type: 'oauth', verify: async (headers) => headers.get('a') === 'b' })
// @ts-expect-error A refresher is a function.
fromEnv('A_', { type: 'oauth', refresh: true })
fromMode('A_', {
  type: 'oauth',
  refresh: createRefresher({ fetch, onRefresh: async ({ refreshToken }) => void refreshToken }),
})
// @ts-expect-error It refreshes OAuth credentials.
createRefresher()(fixed)
// @ts-expect-error In every mode.
fromMode('A_', {})
// @ts-expect-error A source returns a credential.
const bad: CredentialSource = () => ({ accessToken: 'a' })

export { bad, sources }
