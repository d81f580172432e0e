// What each step of a tool call costs, and a whole call without sockets, where each request has a server of its own. Prints a
// line of JSON.
import { createAdapter, OAuthCredential, parseHeaders, runWithCredentials } from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'
import { createToolRunner } from 'mcp-credentials/tool'
import { measure, repeat, repeatAsync } from './measure.ts'
import type { Options, Ratio, Work } from './measure.ts'
import { createFetchCaller, createServer, freshHeaders, SDKS, textOf, VARIANTS } from './servers.ts'

const credential = new OAuthCredential({ accessToken: 'FAKE-bench-0123456789abcdef' })
let serial = 0
const freshCredential = () =>
  new OAuthCredential({ accessToken: `FAKE-${++serial}-${'a'.repeat(120)}` })

const request = { tool: 'tool', method: 'tools/call', headers: undefined }
const result = { content: [{ type: 'text', text: textOf(2000) }] }
const tool = async () => result
const source = () => credential
const ask = createAdapter(source)
const runTool = createToolRunner(source, { redact: false })

/** To the least that has to be done without: nothing, where it is left out. */
const STEPS: readonly [name: string, work: Work, base: Work][] = [
  ...SDKS.map((sdk): [string, Work, Work] => [
    `wrapping a server of ${sdk}`,
    repeat(() => createServer(sdk, 2000, 'redaction')),
    repeat(() => createServer(sdk, 2000, 'raw')),
  ]),
  ['parsing headers', repeat(() => parseHeaders(freshHeaders(), 'oauth')), repeat(freshHeaders)],
  ['asking a source', repeatAsync(() => ask(request)), repeatAsync(async () => credential)],
  ['a scope', repeatAsync(() => runWithCredentials(credential, tool)), repeatAsync(tool)],
  [
    'scrubbing 2,000 bytes of the secrets of a new credential',
    repeat(() => redactSecrets(result, [freshCredential()])),
    repeat(freshCredential),
  ],
  [
    'a call of a runner, without scrubbing',
    repeatAsync(() => runTool(request, tool)),
    repeatAsync(tool),
  ],
]

const options: Options = JSON.parse(process.argv[2] ?? '{}')
const steps: Record<string, Ratio> = {}
for (const [name, work, base] of STEPS) steps[name] = await measure(work, base, options)

const withoutSockets: Record<string, Ratio> = {}
const raw = await createFetchCaller('raw')
for (const variant of VARIANTS) {
  const { call } = await createFetchCaller(variant)
  const work = repeatAsync(call)
  withoutSockets[variant] = await measure(work, repeatAsync(raw.call), options)
}
console.log(JSON.stringify({ steps, withoutSockets }))
