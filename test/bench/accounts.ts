// What accounts cost, beside the least code that does the same with a key that was imported once. Prints a line of JSON.
import { OAuthCredential } from 'mcp-credentials'
import { createAccounts, openCredential, sealCredential } from 'mcp-credentials/accounts'
import { measure, repeatAsync } from './measure.ts'
import type { Options, Ratio, Work } from './measure.ts'

const owner = 'alice'
const provider = 'github'
const bytes = crypto.getRandomValues(new Uint8Array(32))
const keys = [bytes]
const properties = {
  accessToken: `gho_FAKE${'a'.repeat(40)}`,
  refreshToken: `ghr_FAKE${'a'.repeat(80)}`,
  clientId: 'Iv1.FAKE',
  clientSecret: `FAKE${'a'.repeat(36)}`,
  tokenUri: 'https://auth.example/token',
  scopes: ['repo', 'read:user'],
}
const lasting = { ...properties, expiresAt: new Date(Date.now() + 86_400_000) }
const credential = new OAuthCredential(lasting)

// The least code: JSON, AES-GCM, base64url.
const name = 'AES-GCM'
const key = await crypto.subtle.importKey('raw', bytes, name, false, ['encrypt', 'decrypt'])
async function seal(given: object): Promise<string> {
  const iv = crypto.getRandomValues(new Uint8Array(12))
  const text = new TextEncoder().encode(JSON.stringify(given))
  const sealed = await crypto.subtle.encrypt({ name, iv }, key, text)
  return Buffer.concat([iv, Buffer.from(sealed)]).toString('base64url')
}
async function open(text: string): Promise<typeof properties> {
  const sealed = Buffer.from(text, 'base64url')
  const algorithm = { name, iv: sealed.subarray(0, 12) }
  const opened = await crypto.subtle.decrypt(algorithm, key, sealed.subarray(12))
  return JSON.parse(new TextDecoder().decode(opened))
}

/** A token endpoint without a network, whose tokens have to be refreshed at each call. */
const answer = async () =>
  Response.json({
    access_token: properties.accessToken,
    refresh_token: properties.refreshToken,
    token_type: 'Bearer',
    expires_in: 30,
  })

const rows = new Map<string, string>()
const store = {
  load: async (user: string, at: string) => rows.get(`${at} ${user}`),
  async swap(user: string, at: string, before: string | undefined, after: string | undefined) {
    if (rows.get(`${at} ${user}`) !== before) return false
    rows.set(`${at} ${user}`, after ?? '')
    return true
  },
}
const accounts = createAccounts(provider, { store, keys, refresh: { fetch: answer } })
const source = accounts.source({
  owner: ({ tool }) => tool,
  connect: 'https://mcp.example.com/connect',
})
await accounts.save('fresh', credential)
await accounts.save('due', new OAuthCredential({ ...properties, expiresAt: new Date(0) }))
rows.set('by hand', await seal(lasting))

async function refreshByHand(): Promise<unknown> {
  const { refreshToken, ...others } = await open(rows.get('by hand') ?? '')
  const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken })
  const response = await answer.call(body)
  const given: Record<string, string> = JSON.parse(await response.text())
  const { access_token: accessToken, refresh_token: next } = given
  rows.set('by hand', await seal({ ...others, accessToken, refreshToken: next }))
  return accessToken
}

const sealed = await sealCredential(credential, { owner, provider, keys })
const least = await seal(lasting)
const CASES: [name: string, work: Work, base: Work][] = [
  [
    'sealCredential to JSON and AES-GCM',
    repeatAsync(() => sealCredential(credential, { owner, provider, keys })),
    repeatAsync(() => seal(lasting)),
  ],
  [
    'openCredential to AES-GCM and JSON',
    repeatAsync(() => openCredential(sealed, { owner, provider, keys })),
    repeatAsync(() => open(least)),
  ],
  [
    'accounts.source to opening the row by hand, a store in memory',
    repeatAsync(() => source({ headers: undefined, tool: 'fresh' })),
    repeatAsync(async () => open(rows.get('by hand') ?? '')),
  ],
  [
    'the same, with a refresh, to one without a lease',
    repeatAsync(() => source({ headers: undefined, tool: 'due' })),
    repeatAsync(refreshByHand),
  ],
]

const options: Options = JSON.parse(process.argv[2] ?? '{}')
const results: Record<string, Ratio> = {}
for (const [label, work, base] of CASES) results[label] = await measure(work, base, options)
console.log(JSON.stringify(results))
