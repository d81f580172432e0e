// A gateway: knows its tenants, lets through what MCP needs of a caller's headers and nothing else, and adds the credential
// of the tenant that calls.
import { createServer, request as forward } from 'node:http'
import type { OutgoingHttpHeaders } from 'node:http'
import { formatHeaders, OAuthCredential } from 'mcp-credentials'
import { announce } from './processes.ts'

interface Tenant {
  readonly key: string
  readonly accessToken?: string
}

const target = process.env['MCP_SERVER'] ?? ''
const tenants: Tenant[] = JSON.parse(process.env['TENANTS'] ?? '[]')

// A list of what may pass: cookies and the caller's own authorization are not the server's to see.
const PASSED = [
  'accept',
  'content-type',
  'last-event-id',
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
]

const gateway = createServer((incoming, response) => {
  const { authorization } = incoming.headers
  const tenant = tenants.find(({ key }) => authorization === `Bearer ${key}`)
  if (!tenant) {
    // With a cause in its body: clients show it, and of an empty one nothing.
    response.writeHead(403, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ error: 'This key is unknown to the gateway.' }))
    return
  }

  const { accessToken } = tenant
  const headers: OutgoingHttpHeaders = {}
  for (const name of PASSED) {
    const value = incoming.headers[name]
    if (value !== undefined) headers[name] = value
  }
  const credential = accessToken ? formatHeaders(new OAuthCredential({ accessToken })) : {}
  const options = { method: incoming.method, headers: { ...headers, ...credential } }
  const onward = forward(new URL(incoming.url ?? '/', target), options, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers)
    answer.pipe(response)
  })
  onward.on('error', () => response.writeHead(502).end())
  incoming.pipe(onward)
})

announce(gateway)
