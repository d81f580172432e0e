import { createSignatureVerifier } from 'mcp-credentials/signature'
// Compiled, not run: what must compile, and, below each @ts-expect-error, what must not.
import {
  ConnectRequiredError,
  createAdapter,
  CredentialError,
  CredentialNotFoundError,
  formatHeaders,
  fromEnv,
  fromHeaders,
  fromMode,
  getCredentials,
  MissingCredentialHeaderError,
  OAuthCredential,
  parseEnv,
  parseHeaders,
  runWithCredentials,
  StaticCredential,
  stripCredentialHeaders,
  toHttpRefusal,
  tryGetCredentials,
} from 'mcp-credentials'
import { cached } from 'mcp-credentials/cache'
import { withFiles } from 'mcp-credentials/files'
import { createRefresher, CredentialRefreshError } from 'mcp-credentials/oauth'
import { createFetch } from 'mcp-credentials/upstream'
import type {
  AdapterOptions,
  CallEvent,
  CredentialErrorCode,
  CredentialRequest,
  CredentialSource,
  HttpRefusal,
  RefreshGrant,
  Refresher,
  ResolvedCredential,
} from 'mcp-credentials'

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

// The code of an error tells its class, and the class its code.
declare const failure:
  | ConnectRequiredError
  | CredentialNotFoundError
  | CredentialRefreshError
  | MissingCredentialHeaderError
switch (failure.code) {
  case 'ERR_CREDENTIAL_CONNECT':
    same<typeof failure, ConnectRequiredError>(true)
    break
  case 'ERR_CREDENTIAL_NOT_FOUND':
    same<typeof failure, CredentialNotFoundError>(true)
    break
  case 'ERR_CREDENTIAL_REFRESH':
    same<typeof failure, CredentialRefreshError>(true)
    break
  default:
    same<typeof failure, MissingCredentialHeaderError>(true)
}
declare const thrown: unknown
declare const variable: string | undefined
if (thrown instanceof CredentialError) same<typeof thrown.code, CredentialErrorCode>(true)
if (thrown instanceof ConnectRequiredError) {
  same<typeof thrown.code, 'ERR_CREDENTIAL_CONNECT'>(true)
  same<typeof thrown.scopes, readonly string[]>(true)
}
new CredentialError('ERR_CREDENTIAL_INVALID', 'message', { isServerFault: true, cause: thrown })
new ConnectRequiredError('https://mcp.example/', { scopes: ['a'], isConnected: async () => true })

// What a server declares, and what an operator is told.
parseEnv('A_', {}, 'static', { fields: ['apiKey'] })
parseHeaders(new Headers(), 'static', { fields: ['apiKey'] })
fromEnv('A_', { type: 'static', fields: ['apiKey'] as const })
fromMode('A_', { type: 'static', fields: ['apiKey'], env: {}, verify: () => true })
createSignatureVerifier({ keys: [variable, new Uint8Array(32)], audience: 'a' })
stripCredentialHeaders(new Headers(), ['x-api-key'])
const options: AdapterOptions = {
  optional: ({ tool, method, headers }) => tool === 'a' && method === 'b' && headers !== undefined,
  rejectExpired: true,
  label: ({ sessionId }) => sessionId,
  onCall(event, { request, credential, cause }) {
    same<typeof event, CallEvent>(true)
    same<typeof event.outcome, 'ok' | 'failed' | 'refused'>(true)
    same<typeof credential, ResolvedCredential | undefined>(true)
    same<typeof request, CredentialRequest>(true)
    same<typeof cause, unknown>(true)
  },
}
void createAdapter(
  fromEnv('A_'),
  options,
)({ headers: { a: ['b'] } }).then((call) => {
  if (call.refusal) same<ReturnType<typeof toHttpRefusal>, HttpRefusal>(true)
  else if (call.credential instanceof CredentialError) call.end({ outcome: 'failed' })
  else same<typeof call.credential, ResolvedCredential>(true)
})
const refresher: Refresher = async (given, { force = false } = {}) => {
  if (!(given instanceof OAuthCredential)) same<typeof given, RefreshGrant>(true)
  return force ? oauth : new OAuthCredential({ accessToken: 'a', scopes: given.scopes })
}
fromEnv('A_', { type: 'oauth', refresh: refresher })

// The fetch of the runtime, and sources.
const upstream = createFetch({ baseUrl: 'https://api.example', refresh: createRefresher(), fetch })
const likeFetch: typeof fetch = upstream
same<ReturnType<typeof upstream>, Promise<Response>>(true)
createFetch({
  baseUrl: (given) => given.field('baseUrl'),
  authorize: (given) => ({ headers: { 'x-api-key': given.field('apiKey') } }),
})
createFetch({ baseUrl: 'https://api.example', authorize: () => ({ query: { key: 'a' } }) })
const remembering = cached({ key: ({ tool }) => tool ?? '', load: async () => oauth, max: 5 })
remembering.invalidate('a')
sources.push(remembering, fromEnv('A_', { env: withFiles('A_', {}) }))
// @ts-expect-error Headers and parameters are named as such.
createFetch({ baseUrl: 'https://api.example', authorize: () => ({ 'x-api-key': 'a' }) })
// @ts-expect-error The key is a string.
cached({ key: ({ tool }) => tool, load: () => oauth })
// @ts-expect-error What is loaded is a credential.
cached({ key: () => 'a', load: () => 'token' })
// @ts-expect-error load knows nothing of the call.
cached({ key: () => 'a', load: (key: string, request: CredentialRequest) => oauth })

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
// @ts-expect-error So is a verifier.
fromHeaders({ type: 'oauth', verify: { keys: ['a'] } })
// @ts-expect-error Fields are a list.
fromEnv('A_', { fields: 'apiKey' })
// @ts-expect-error The type is an option.
fromEnv('A_', 'oauth')
// @ts-expect-error Options are spelt as they are.
fromEnv('A_', { typ: 'oauth' })
// @ts-expect-error An error has one of the codes.
new CredentialError('ERR_OTHER', 'message')
// @ts-expect-error Whose fault it is has a name.
new CredentialError('ERR_CREDENTIAL_INVALID', 'message', true)
// @ts-expect-error A code is not changed.
failure.code = 'ERR_CREDENTIAL_CONNECT'
// @ts-expect-error Headers are named in a list.
new MissingCredentialHeaderError('X-API-Key')
// @ts-expect-error onError is gone: onCall is told.
createAdapter(fromEnv('A_'), { onError: () => undefined })
// @ts-expect-error Names are stripped in a list.
stripCredentialHeaders(new Headers(), 'x-api-key')
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

export { bad, likeFetch, sources }
