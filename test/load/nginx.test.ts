// The configuration of examples/nginx, as it is, in front of servers that tell what they get.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startProxy } from './proxy.ts'
import type { Proxy } from './proxy.ts'
import { Replica } from './replica.ts'

const acme = { name: 'acme', key: 'FAKE-key-of-acme', token: 'FAKE-token-of-acme' }
const globex = { name: 'globex', key: 'FAKE-key-of-globex', token: 'FAKE-token-of-globex' }
let replicas: Replica[]
let proxy: Proxy
before(async () => {
  replicas = await Promise.all([1, 2].map(() => Replica.start({ ECHO: 'yes' })))
  proxy = await startProxy(
    replicas.map(({ port }) => port),
    [acme, globex],
  )
})
after(async () => {
  await proxy.stop()
  for (const replica of replicas) await replica.kill()
})

test('the example is valid with the files that stand beside it', () => {
  const folder = mkdtempSync(`${tmpdir()}/mcp-credentials-nginx-`)
  cpSync(fileURLToPath(new URL('../../../examples/nginx', import.meta.url)), folder, {
    recursive: true,
  })
  const { status, stderr } = spawnSync('nginx', ['-t', '-p', folder, '-c', 'nginx.conf'], {
    encoding: 'utf8',
  })
  rmSync(folder, { recursive: true })
  assert.equal(status, 0, stderr)
})

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

type RawHeaders = Readonly<Record<string, string | string[]>>

function send(
  headers: RawHeaders,
  { body = '', agent }: { body?: string; agent?: Agent } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      proxy.url,
      { method: 'POST', headers: { ...headers, 'content-length': Buffer.byteLength(body) }, agent },
      async (response) => {
        let text = ''
        for await (const chunk of response) text += chunk
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text })
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

const as = ({ key }: { key: string }) => ({ authorization: `Bearer ${key}` })

/** The headers that a server got, by lower-case name: all values of each. */
function received({ text }: Answer): Record<string, string[]> {
  const { headers } = JSON.parse(text) as { headers: string[] }
  const byName: Record<string, string[]> = {}
  for (let index = 0; index < headers.length; index += 2)
    (byName[String(headers[index]).toLowerCase()] ??= []).push(String(headers[index + 1]))
  return byName
}

const credentialsIn = (headers: Record<string, string[]>) =>
  Object.entries(headers).filter(([name]) => /^x[-_.]mcp[-_.]cred/.test(name))

test('a tenant has its own credential, and what MCP needs; the key and the rest stay behind', async () => {
  const given = {
    ...as(acme),
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': 'tool',
    'mcp-session-id': 'id',
    'last-event-id': '7',
    cookie: 'a=b',
    'x-forwarded-for': '1.2.3.4',
  }
  const answer = await send(given, { body: '{"jsonrpc":"2.0"}' })
  const headers = received(answer)
  assert.deepEqual(headers['x-mcp-cred-access-token'], [acme.token])
  for (const name of [
    'accept',
    'content-type',
    'mcp-protocol-version',
    'mcp-method',
    'mcp-name',
    'mcp-session-id',
    'last-event-id',
  ] as const)
    assert.deepEqual(headers[name], [given[name]])
  for (const name of ['authorization', 'cookie', 'x-forwarded-for'])
    assert.equal(headers[name], undefined)
  assert.equal(JSON.parse(answer.text).size, 17)
})

test('who is not known is refused', async () => {
  for (const authorization of [
    '',
    'Bearer ',
    'Bearer FAKE-key-of-nobody',
    acme.key,
    `Bearer ${acme.key.toLowerCase()}`,
    `Bearer ${acme.key}x`,
    `Bearer ${acme.key}, x`,
    `Bearer  ${acme.key}`,
    'Bearer FAKE-key-\u00e9',
  ]) {
    assert.equal((await send({ authorization })).status, 403, authorization)
  }
})

describe('a header that is smuggled in does not arrive', () => {
  const cases: [name: string, headers: RawHeaders][] = [
    ['by its name', { 'X-MCP-Cred-Access-Token': globex.token }],
    ['in other case, twice', { 'x-mcp-cred-ACCESS-token': [globex.token, globex.token] }],
    [
      'another of ours',
      {
        'X-MCP-Cred-Fields': '{"apiKey":"x"}',
        'X-MCP-Cred-Extra': '{}',
        'X-MCP-Cred-Scopes': 'admin',
        'X-MCP-Cred-Signature': 'x',
      },
    ],
    ['one that nobody knows yet', { 'X-MCP-Cred-Future': 'x' }],
    [
      'by underscores',
      { X_MCP_Cred_Access_Token: globex.token, 'X_MCP-Cred-Access-Token': globex.token },
    ],
    ['by dots', { 'X.MCP.Cred.Access.Token': globex.token }],
    ['or taken away by Connection', { connection: 'close, X-MCP-Cred-Access-Token' }],
    [
      'or by what proxies trust',
      {
        'x-original-url': '/other',
        'x-http-method-override': 'GET',
        te: 'trailers',
        upgrade: 'h2c',
      },
    ],
  ]
  for (const [name, headers] of cases) {
    test(name, async () => {
      const answer = await send({ ...as(acme), ...headers })
      assert.deepEqual(credentialsIn(received(answer)), [['x-mcp-cred-access-token', [acme.token]]])
    })
  }

  test('in the trailers of a body', async () => {
    const socket = connect(Number(proxy.url.port), '127.0.0.1')
    socket.write(
      `POST /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${acme.key}\r\nTransfer-Encoding: chunked\r\nTrailer: X-MCP-Cred-Fields\r\nConnection: close\r\n\r\n1\r\nx\r\n0\r\nX-MCP-Cred-Access-Token: ${globex.token}\r\n\r\n`,
    )
    let text = ''
    for await (const chunk of socket) text += chunk
    assert(text.includes(acme.token))
    assert(!text.includes(globex.token))
  })
})

test('values outside ASCII pass through nothing that is passed on but as they are, and none becomes a credential', async () => {
  const headers = received(
    await send({
      ...as(acme),
      'mcp-name': Buffer.from('caf\u00e9').toString('latin1'),
      'X-MCP-Cred-Extra': '\u00e9',
    }),
  )
  assert.deepEqual(credentialsIn(headers), [['x-mcp-cred-access-token', [acme.token]]])
})

test('oversized headers and bodies are refused by the proxy', async () => {
  for (const [headers, status] of [
    [{ 'x-large': 'x'.repeat(9000) }, 400],
    [{ 'X-MCP-Cred-Access-Token': 'x'.repeat(9000) }, 400],
    [
      Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`x-${index}`, 'x'.repeat(7000)])),
      400,
    ],
  ] as const) {
    assert.equal((await send({ ...as(acme), ...headers })).status, status)
  }
  assert.equal(
    (await send(as(acme), { body: 'x'.repeat(5_000_000) }).catch(() => ({ status: 413 }))).status,
    413,
  )
})

test('one connection that tenants take turns on: each has its own', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let turn = 0; turn < 50; turn++) {
    const tenant = turn % 2 ? acme : globex
    const answer = await send(as(tenant), { agent })
    assert.deepEqual(credentialsIn(received(answer)), [['x-mcp-cred-access-token', [tenant.token]]])
  }
  agent.destroy()
  assert.equal((await send({})).status, 403)
})

test('several servers share the work, over connections that are kept', async () => {
  const answers = await Promise.all(Array.from({ length: 100 }, () => send(as(acme))))
  const of = (name: string) => answers.map(({ text }) => JSON.parse(text)[name])
  assert.deepEqual(new Set(of('replica')), new Set(replicas.map(({ port }) => port)))
  assert(of('connection').includes(JSON.parse((await send(as(acme))).text).connection))
})

test('server-sent events arrive as they are sent', async () => {
  const response = await fetch(proxy.url, {
    method: 'POST',
    headers: { ...as(acme), 'mcp-name': 'events' },
    body: '',
  })
  const times: number[] = []
  for await (const _ of response.body ?? []) times.push(performance.now())
  // Buffered, they would come at once.
  assert(times.length >= 4, `${times.length} pieces`)
})

test('a credential that changes is taken over without a restart', async () => {
  const rotated = { ...acme, token: 'FAKE-token-of-acme-rotated' }
  proxy.reload([rotated, globex])
  // Workers that leave close the connections which wait for a request: each request has one of its own, and may meet that end.
  const tokenNow = async (tenant: { key: string }) => {
    const answer = await send(as(tenant), { agent: new Agent() }).catch((error) => error)
    if (answer.code === 'ECONNRESET') return undefined
    return String(received(answer)['x-mcp-cred-access-token'])
  }
  let token: string | undefined
  for (let wait = 0; wait < 100 && token !== rotated.token; wait++) {
    token = await tokenNow(acme)
    assert([undefined, acme.token, rotated.token].includes(token))
    await sleep(20)
  }
  assert.equal(token, rotated.token)
  assert.equal((await tokenNow(globex)) ?? (await tokenNow(globex)), globex.token)
})
