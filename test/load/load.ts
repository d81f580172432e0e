// Three replicas of an MCP server behind nginx, many tenants at a time, and all that goes wrong in a day. Prints a report;
// ends with an error if a call had the credential of another, a secret reached a client, or a scope stayed open.
import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { startProxy } from './proxy.ts'
import type { Tenant } from './proxy.ts'
import { Replica } from './replica.ts'

const flag = (name: string, fallback: number) =>
  Number(process.argv[process.argv.indexOf(`--${name}`) + 1 || Infinity] ?? fallback)
const CALLS = flag('calls', 50_000)
const TENANTS = 200
const CONCURRENT = 100
const MINUTES = 10

const SECRET = 'FAKE-load-'
const fingerprint = (token: string) => createHash('sha256').update(token).digest('hex').slice(0, 16)

/** An upstream API that answers slowly, or resets the connection. */
const upstream = createServer(async (request, response) => {
  await sleep(20 + Math.random() * 80)
  if (request.url === '/reset') response.destroy()
  else response.end('the answer of the upstream')
}).listen(0, '127.0.0.1')

interface Report {
  calls: number
  wrong: number
  leaked: number
  open: number
  readonly outcomes: Map<string, number>
  readonly heaps: { readonly start: number; readonly end: number }[]
}

// Of 100 calls.
const TOOLS: [name: string, share: number][] = [
  ['sleep', 45],
  ['progress', 20],
  ['throw', 10],
  ['leak', 14],
  ['slow', 5],
  ['reset', 3],
  ['flood', 0.1],
]
const SHARES = TOOLS.reduce((sum, [, share]) => sum + share, 0)

function pickTool(): string {
  let left = Math.random() * SHARES
  return TOOLS.find(([, share]) => (left -= share) < 0)?.[0] ?? 'sleep'
}

const newTenants = (): Tenant[] =>
  Array.from({ length: TENANTS }, (_, index) => ({
    name: `tenant${index}`,
    key: `FAKE-key-${randomUUID()}`,
    token: `${SECRET}${index}-${randomUUID()}`,
  }))
const rotated = (tenants: readonly Tenant[]): Tenant[] =>
  tenants.map((tenant) => ({ ...tenant, token: `${SECRET}rotated-${randomUUID()}` }))

interface Plan {
  readonly calls: number
  readonly replicas: number
  readonly env: Readonly<Record<string, string>>
  /** Whether a replica dies, and the credentials change, in mid-run. */
  readonly hasFaults: boolean
}

async function run({ calls, replicas: count, env, hasFaults }: Plan): Promise<Report> {
  const { port } = upstream.address() as AddressInfo
  const replicas = await Promise.all(
    Array.from({ length: count }, () =>
      Replica.start({ ...env, UPSTREAM: `http://127.0.0.1:${port}` }),
    ),
  )
  const before = newTenants()
  const after = rotated(before)
  const proxy = await startProxy(
    replicas.map((replica) => replica.port),
    before,
  )
  const report: Report = { calls: 0, wrong: 0, leaked: 0, open: 0, outcomes: new Map(), heaps: [] }
  const noteOutcome = (outcome: string) =>
    void report.outcomes.set(outcome, (report.outcomes.get(outcome) ?? 0) + 1)

  /** Every byte of every response is searched, over the borders of its pieces. */
  async function recordingFetch(url: string | URL, init?: RequestInit): Promise<Response> {
    const response = await fetch(url, init)
    const decoder = new TextDecoder()
    let tail = ''
    const search = (chunk: Uint8Array, out: TransformStreamDefaultController<Uint8Array>) => {
      const text = tail + decoder.decode(chunk, { stream: true })
      report.leaked += text.split(SECRET).length - 1
      tail = text.slice(-(SECRET.length - 1))
      out.enqueue(chunk)
    }
    return new Response(
      response.body?.pipeThrough(new TransformStream({ transform: search })) ?? null,
      response,
    )
  }

  async function connect({ key }: Tenant): Promise<Client> {
    const client = new Client(
      { name: 'load', version: '1.0.0' },
      { versionNegotiation: { mode: { pin: '2026-07-28' } } },
    )
    await client.connect(
      new StreamableHTTPClientTransport(proxy.url, {
        fetch: recordingFetch,
        requestInit: { headers: { authorization: `Bearer ${key}` } },
      }),
    )
    return client
  }
  const clients = await Promise.all(before.map(connect))
  const owners = before.map(({ token }, index) => [
    fingerprint(token),
    fingerprint(after[index]?.token ?? ''),
  ])
  const heaps = await Promise.all(replicas.map((replica) => replica.counts()))

  async function callOnce(): Promise<void> {
    const tenant = Math.floor(Math.random() * TENANTS)
    const tool = pickTool()
    const isAbandoned = Math.random() < 0.03
    const signal = isAbandoned ? AbortSignal.timeout(Math.ceil(Math.random() * 30)) : undefined
    const onprogress = tool === 'progress' ? () => noteOutcome('progress message') : undefined
    try {
      const result = await clients[tenant]?.callTool(
        { name: tool, arguments: { milliseconds: Math.random() * 20 } },
        { timeout: 10_000, ...(signal && { signal }), ...(onprogress && { onprogress }) },
      )
      const text =
        result?.content.map((block) => (block.type === 'text' ? block.text : '')).join() ?? ''
      const [, said] = /^([\da-f]{16})/.exec(text) ?? []
      if (said !== undefined && !owners[tenant]?.includes(said)) report.wrong += 1
      if (text === 'it changed') report.wrong += 1
      // Of a reset the tool makes an error of its own, without a credential in it.
      noteOutcome(
        `${tool}: ${said ? 'own credential' : result?.isError ? 'error of the tool' : 'another answer'}`,
      )
    } catch (error) {
      const status: unknown =
        Reflect.get(error as object, 'status') ??
        Reflect.get(Reflect.get(error as object, 'data') ?? {}, 'status')
      const kind = signal?.aborted
        ? 'client left'
        : typeof status === 'number'
          ? `HTTP ${status}`
          : /terminated|fetch failed|socket/.test(String(error))
            ? 'connection lost'
            : String(error).slice(0, 60)
      noteOutcome(kind)
    }
  }

  const restarts: Promise<void>[] = []
  async function replaceReplica(): Promise<void> {
    await replicas[1]?.kill()
    await sleep(1000)
    const next = await replicas[1]?.restart()
    if (next) replicas[1] = next
  }

  /** Reads what a tool floods it with a piece at a time. */
  async function consumeSlowly(): Promise<void> {
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: {
        name: 'flood',
        arguments: {},
        _meta: {
          'io.modelcontextprotocol/protocolVersion': '2026-07-28',
          'io.modelcontextprotocol/clientInfo': { name: 'slow', version: '1.0.0' },
          'io.modelcontextprotocol/clientCapabilities': {},
        },
      },
    })
    const headers = {
      authorization: `Bearer ${before[0]?.key}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'flood',
    }
    const response = await recordingFetch(proxy.url, { method: 'POST', headers, body })
    let size = 0
    let text = ''
    for await (const chunk of response.body ?? []) {
      if (size < 500_000) await sleep(20)
      size += chunk.length
      if (text.length < 2000) text += new TextDecoder().decode(chunk)
    }
    const [, said = ''] = /"text":"([\da-f]{16})/.exec(text) ?? []
    if (!owners[0]?.includes(said)) report.wrong += 1
    noteOutcome(
      `slow consumer: ${size > 2_000_000 ? 'all of it' : `${size} bytes, HTTP ${response.status} ${text.slice(0, 100)}`}`,
    )
  }

  const slow = consumeSlowly()
  await Promise.all(
    Array.from({ length: CONCURRENT }, async () => {
      while (report.calls < calls) {
        report.calls += 1
        if (hasFaults && report.calls === Math.floor(calls * 0.4)) restarts.push(replaceReplica())
        if (hasFaults && report.calls === Math.floor(calls * 0.6)) proxy.reload(after)
        await callOnce()
      }
    }),
  )
  await Promise.all([slow, ...restarts])
  // What tools have left running asks for the credential 50 ms after its call.
  await sleep(300)
  for (const [index, replica] of replicas.entries()) {
    const { open, heap } = await replica.counts()
    report.open += open
    report.heaps.push({ start: heaps[index]?.heap ?? NaN, end: heap })
  }
  await Promise.all(clients.map((client) => client.close()))
  await proxy.stop()
  await Promise.all(replicas.map((replica) => replica.kill()))
  return report
}

function print(title: string, { calls, wrong, leaked, open, outcomes, heaps }: Report): void {
  console.log(`\n${title}`)
  const line = (label: string, value: number | string) =>
    console.log(`  ${label.padEnd(44)} ${value}`)
  line('calls', calls)
  line('wrong credential', wrong)
  line('secrets found in responses', leaked)
  line('scopes open after their call', open)
  heaps.forEach(({ start, end }, index) =>
    line(
      `heap of replica ${index + 1}, start and end`,
      `${(start / 1e6).toFixed(1)} MB, ${(end / 1e6).toFixed(1)} MB`,
    ),
  )
  for (const [outcome, times] of [...outcomes].sort(([a], [b]) => a.localeCompare(b)))
    line(outcome, times)
}

await once(upstream, 'listening')
setTimeout(() => {
  throw new Error(`It took more than ${MINUTES} minutes.`)
}, MINUTES * 60_000).unref()

const start = performance.now()
const report = await run({ calls: CALLS, replicas: 3, env: {}, hasFaults: true })
print(
  `${CALLS} calls of ${TENANTS} tenants, ${CONCURRENT} at a time, 3 replicas behind nginx, in ${Math.round((performance.now() - start) / 1000)} s`,
  report,
)

const control = await run({ calls: 2000, replicas: 1, env: { CONTROL: 'yes' }, hasFaults: false })
print('The control: a naive global, without redaction', control)
upstream.close()

const isSeen = control.wrong > 0 && control.leaked > 0 && control.open > 0
if (!isSeen) console.log('\nThe control shows that these checks see nothing.')
const answered = [...report.outcomes]
  .filter(([outcome]) => outcome.endsWith('own credential'))
  .reduce((sum, [, times]) => sum + times, 0)
if (answered < CALLS * 0.8) console.log(`\nOnly ${answered} calls were answered.`)
if (report.wrong + report.leaked + report.open > 0 || !isSeen || answered < CALLS * 0.8)
  process.exitCode = 1
