// The gateway of the examples, as it is, in front of a server that tells what it gets.
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { listen } from './wirings.js'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const KEY = 'FAKE-gateway-key-0123456789'
const TOKEN = 'FAKE-gateway-token-0123456789'

let target: Awaited<ReturnType<typeof listen>>
let gateway: ReturnType<typeof fork>
let url = ''

before(async () => {
  target = await listen((incoming, response) => response.end(JSON.stringify(incoming.headers)))
  const outfile = here('gateway.js')
  await build({
    entryPoints: [here('../../../examples/gateway.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['mcp-credentials'],
  })
  const tenants = JSON.stringify([{ key: KEY, accessToken: TOKEN }])
  gateway = fork(outfile, { env: { MCP_SERVER: target.url.origin, TENANTS: tenants } })
  const [{ port }] = (await once(gateway, 'message')) as [{ port: number }]
  url = `http://127.0.0.1:${port}/mcp`
})

after(async () => {
  gateway.disconnect()
  await once(gateway, 'exit')
  await target.close()
})

/** Sends any header, which fetch does not. */
async function send(headers: Record<string, string>): Promise<{
  status: number | undefined
  headers: IncomingHttpHeaders
  body: string
}> {
  const outgoing = request(url, { method: 'POST', headers }).end('{}')
  const [response] = (await once(outgoing, 'response')) as [
    AsyncIterable<Buffer> & { statusCode?: number; headers: IncomingHttpHeaders },
  ]
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return { status: response.statusCode, headers: response.headers, body }
}

test('an unknown key is answered with 403 and a cause in JSON', async () => {
  for (const headers of [{}, { authorization: 'Bearer FAKE-unknown' }]) {
    const answer = await send(headers as Record<string, string>)
    assert.equal(answer.status, 403)
    assert.equal(answer.headers['content-type'], 'application/json')
    assert.deepEqual(JSON.parse(answer.body), { error: 'This key is unknown to the gateway.' })
  }
})

test("the server gets what MCP needs and the tenant's token, and nothing else of the caller", async () => {
  const answer = await send({
    authorization: `Bearer ${KEY}`,
    accept: 'application/json',
    'content-type': 'application/json',
    'mcp-session-id': 'session',
    'mcp-protocol-version': '2025-11-25',
    host: 'gateway.example',
    cookie: 'FAKE-cookie',
    'x-api-key': 'FAKE-key',
    'x-mcp-cred-access-token': 'FAKE-forged',
    'x-mcp-cred-scopes': 'admin',
  })
  assert.equal(answer.status, 200)
  const { host, connection, 'transfer-encoding': encoding, ...received } = JSON.parse(answer.body)
  assert.deepEqual(received, {
    accept: 'application/json',
    'content-type': 'application/json',
    'mcp-session-id': 'session',
    'mcp-protocol-version': '2025-11-25',
    'x-mcp-cred-access-token': TOKEN,
  })
  assert.equal(host, target.url.host)
  assert.deepEqual([connection, encoding], ['keep-alive', 'chunked'])
})
