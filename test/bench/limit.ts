// The core against the least that any code can do, in whatever runtime runs this. Prints a line of JSON.
import { AsyncLocalStorage } from 'node:async_hooks'
import { setImmediate } from 'node:timers/promises'
import {
  fromEnv,
  getCredentials,
  OAuthCredential,
  parseEnv,
  parseHeaders,
  runWithCredentials,
} from 'mcp-credentials'
import { measure, repeat, repeatAsync } from './measure.ts'
import type { Options, Ratio, Work } from './measure.ts'
import { schema } from './schema.ts'

const credential = new OAuthCredential({ accessToken: 'FAKE' })
const storage = new AsyncLocalStorage<unknown>()

const values = {
  'x-mcp-cred-access-token': `ya29.FAKE${'a'.repeat(180)}`,
  'x-mcp-cred-scopes': 'repo read:user user:email',
  'x-mcp-cred-extra': '{"tenant":"acme","region":"eu","plan":"pro"}',
  'x-mcp-cred-expires-at': '2026-05-04T12:00:00Z',
}
const record: Record<string, string | undefined> = {
  host: 'localhost',
  'user-agent': 'bench',
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'content-length': '123',
  connection: 'keep-alive',
  'mcp-session-id': 'abc',
  ...values,
}
const web = new Headers(record as Record<string, string>)

/** Five reads, and what turns texts into values, without checking anything. */
function leastOf(read: (name: string) => string | null | undefined): object {
  return {
    accessToken: read('x-mcp-cred-access-token'),
    fields: read('x-mcp-cred-fields'),
    scopes: read('x-mcp-cred-scopes')?.split(' '),
    extra: JSON.parse(read('x-mcp-cred-extra') ?? '{}'),
    expiresAt: Date.parse(read('x-mcp-cred-expires-at') ?? ''),
  }
}

// As many variables as a process has, those of the credential among them.
for (let index = 0; index < 80; index++) process.env[`OTHER_VARIABLE_${index}`] = 'value'
Object.assign(process.env, {
  SVC_ACCESS_TOKEN: 'FAKE',
  SVC_SCOPES: 'a b',
  SVC_EXPIRES_AT: '2026-05-04T12:00:00Z',
})
const NAMES = [
  'CRED_TYPE',
  'ACCESS_TOKEN',
  'REFRESH_TOKEN',
  'CLIENT_ID',
  'CLIENT_SECRET',
  'TOKEN_URI',
  'SCOPES',
  'EXPIRES_AT',
].map((name) => `SVC_${name}`)
const variables = { ...process.env }
const source = fromEnv('SVC_', { type: 'oauth' })
const request = { headers: undefined }

async function awaits(count: number): Promise<number> {
  for (let turn = 0; turn < count; turn++) await undefined
  return count
}

const inBoth =
  (work: Work): Work =>
  (times) =>
    storage.run(credential, () => runWithCredentials(credential, () => work(times)))

const CASES: readonly [name: string, work: Work, base: Work][] = [
  [
    'runWithCredentials, sync',
    repeat(() => runWithCredentials(credential, () => 1)),
    repeat(() => storage.run(credential, () => 1)),
  ],
  ...[1, 5].map((count): [string, Work, Work] => [
    `runWithCredentials, ${count} await${count > 1 ? 's' : ''}`,
    repeatAsync(() => runWithCredentials(credential, () => awaits(count))),
    repeatAsync(() => storage.run(credential, () => awaits(count))),
  ]),
  [
    'runWithCredentials, a turn of I/O',
    repeatAsync(() => runWithCredentials(credential, () => setImmediate())),
    repeatAsync(() => storage.run(credential, () => setImmediate())),
  ],
  [
    'getCredentials',
    inBoth(repeat(() => getCredentials())),
    inBoth(repeat(() => storage.getStore())),
  ],
  [
    'parseHeaders, Web Headers',
    repeat(() => parseHeaders(web, 'oauth')),
    repeat(() => leastOf((name) => web.get(name))),
  ],
  [
    'parseHeaders, a record',
    repeat(() => parseHeaders(record, 'oauth')),
    repeat(() => leastOf((name) => record[name])),
  ],
  [
    'parseHeaders, a record, to zod',
    repeat(() => parseHeaders(record, 'oauth')),
    repeat(() => schema.parse(record)),
  ],
  [
    'parseEnv',
    repeat(() => parseEnv('SVC_', variables, 'oauth')),
    repeat(() => NAMES.map((name) => variables[name])),
  ],
  [
    'fromEnv, unchanged',
    repeat(() => source(request)),
    repeat(() => {
      let value: unknown
      for (const name of NAMES) value = process.env[name]
      return value
    }),
  ],
]

const options: Options = JSON.parse(process.argv[2] ?? '{}')
const results: Record<string, Ratio> = {}
for (const [name, work, base] of CASES) results[name] = await measure(work, base, options)
console.log(JSON.stringify(results))
