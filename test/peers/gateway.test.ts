// The gateway of the examples, as it is, in front of a server that tells what it gets.
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { createServer, request } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
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
/** Tells of each call that the server does not answer, with a promise that nobody waits for it any more. */
const slow = new EventEmitter()

before(async () => {
  target = await listen((incoming, response) => {
    const { method, url: path, headers } = incoming
    if (path === '/broken') return void response.write('half', () => response.destroy())
    if (path === '/silent') return void response.destroy()
    if (path === '/odd') return void response.socket?.end('HTTP/1.1 099 Odd\r\n\r\n')
    if (path === '/slow') return void slow.emit('call', { closed: once(response, 'close') })
    return response.end(JSON.stringify(path === '/mcp' ? headers : `${method} ${path}`))
  })
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

/** Sends any header, and any target, which fetch does not. */
async function send(
  headers: Record<string, string>,
  path = '/mcp',
): Promise<{
  status: number | undefined
  headers: IncomingHttpHeaders
  body: string
}> {
  const outgoing = request(url, { method: 'POST', headers, path, agent: false }).end('{}')
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

const authorization = `Bearer ${KEY}`

test('a path goes to the server as it is, and to nobody else', async () => {
  for (const path of ['/', '/mcp/a?b=//c', '/a//b', '/@evil.example', '/a\\b']) {
    const { status, body } = await send({ authorization }, path)
    assert.deepEqual([status, JSON.parse(body)], [200, `POST ${path.replace('\\', '/')}`])
  }
})

test('the token goes to no other host, whatever the target of the request is', async () => {
  let asked = 0
  const evil = createServer((_, response) => {
    asked += 1
    response.end()
  }).listen(0, '127.0.0.1')
  await once(evil, 'listening')
  const { port } = evil.address() as AddressInfo
  const host = `127.0.0.1:${port}`
  await fetch(`http://${host}/`)
  assert.equal(asked, 1)
  for (const path of [
    `//${host}/mcp`,
    `/\\${host}/mcp`,
    `http://${host}/mcp`,
    `HTTP://a@${host}/mcp`,
    `///${host}/mcp`,
    `http://FAKE:FAKE@${target.url.host}/mcp`,
    '//',
    '/\\',
    'http://',
    '*',
  ]) {
    const { status, body } = await send({ authorization }, path)
    assert.equal(status, 400, path)
    assert.deepEqual(JSON.parse(body), { error: 'The gateway takes a path.' })
  }
  assert.equal(asked, 1)
  evil.closeAllConnections()
  evil.close()
})

test('what goes wrong with a request or its answer does not end the gateway', async () => {
  assert.equal((await send({ authorization }, '//')).status, 400)
  assert.equal((await send({ authorization: 'Bearer FAKE-unknown' }, '//')).status, 403)
  const { status, body } = await send({ authorization }, '/silent')
  assert.deepEqual([status, JSON.parse(body)], [502, { error: 'The server does not answer.' }])
  assert.equal((await send({ authorization }, '/odd')).status, 502)
  await assert.rejects(send({ authorization }, '/broken'), { code: 'ECONNRESET' })
  const leaving = request(url, { method: 'POST', headers: { authorization }, path: '/slow' }).end()
  const [{ closed }] = (await once(slow, 'call')) as [{ closed: Promise<unknown> }]
  leaving.on('error', () => undefined).destroy()
  await closed
  assert.equal((await send({ authorization })).status, 200)
  assert.equal(gateway.exitCode, null)
})
