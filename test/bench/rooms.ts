// What the rooms cost beside the same work without them. Prints a line of JSON.
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { fromEnv, OAuthCredential, runWithCredentials, StaticCredential } from 'mcp-credentials'
import { cached } from 'mcp-credentials/cache'
import { withFiles } from 'mcp-credentials/files'
import { createFetch } from 'mcp-credentials/upstream'
import { measure, repeatAsync } from './measure.ts'
import type { Options, Ratio, Work } from './measure.ts'

const token = `ya29.FAKE${'a'.repeat(180)}`
const credential = new OAuthCredential({ accessToken: token })
/** In one scope, which the tool has anyway. */
const inCall =
  (fn: () => Promise<unknown>): Work =>
  (times) =>
    runWithCredentials(credential, async () => repeatAsync(fn)(times))

const server = createServer((_, response) => response.end('{"ok":true}'))
// Longer than any other case takes.
server.keepAliveTimeout = 600_000
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const upstream = createFetch({ baseUrl: `${origin}/v1`, allowInsecureLoopback: true })
const answer = new Response('{"ok":true}')
const atOnce = async () => answer
const inMemory = createFetch({ baseUrl: 'https://api.example/v1', fetch: atOnce })
const headers = { accept: 'application/json' }
const own = { ...headers, authorization: `Bearer ${token}` }

const vault = async (key: string) => {
  const response = await fetch(`${origin}/v1/secret/data/${key}`)
  await response.text()
  return new StaticCredential({ apiKey: token })
}
const request = { headers: undefined, tool: 'acme' }
const source = cached({ key: ({ tool }) => tool ?? '', load: vault, ttlSeconds: 3600 })

const path = `${tmpdir()}/mcp-credentials-bench-${process.pid}`
writeFileSync(path, token)
process.env['PLAIN_ACCESS_TOKEN'] = token
process.env['FILE_ACCESS_TOKEN_FILE'] = path
const plain = fromEnv('PLAIN_', { type: 'oauth' })
const inFile = fromEnv('FILE_', { type: 'oauth', env: withFiles('FILE_', process.env) })

const CASES: [name: string, work: Work, base: Work][] = [
  [
    'createFetch to fetch, on loopback',
    inCall(async () => (await upstream('/issues', { headers })).text()),
    inCall(async () => (await fetch(`${origin}/v1/issues`, { headers: own })).text()),
  ],
  [
    'createFetch to nothing but a new Request, without sending it',
    inCall(() => inMemory('/issues', { headers })),
    inCall(async () => atOnce.call(new Request('https://api.example/v1/issues', { headers: own }))),
  ],
  [
    'a cached source to one that asks over HTTP on loopback',
    repeatAsync(() => source(request)),
    repeatAsync(() => vault('acme')),
  ],
  [
    'a cached source to one that has the credential at hand',
    repeatAsync(() => source(request)),
    repeatAsync(async () => credential),
  ],
  [
    'fromEnv with a secret in a file to one in the environment, unchanged',
    repeatAsync(() => inFile(request)),
    repeatAsync(() => plain(request)),
  ],
]

const options: Options = JSON.parse(process.argv[2] ?? '{}')
const results: Record<string, Ratio> = {}
for (const [name, work, base] of CASES) results[name] = await measure(work, base, options)
console.log(JSON.stringify(results))
server.closeAllConnections()
server.close()
rmSync(path)
