// A gateway: knows its tenants, lets through what MCP needs of a caller's headers and nothing else, and adds the credential
// of the tenant that calls. In front of a server of your own: npm run gateway -- http://127.0.0.1:3000
import { createServer, request as forward } from 'node:http'
import type { OutgoingHttpHeaders } from 'node:http'
import { formatHeaders, OAuthCredential } from 'mcp-credentials'
import { announce, curlOf } from './processes.ts'

interface Tenant {
  readonly key: string
  readonly accessToken?: string
}

const target = process.argv[2] ?? process.env['MCP_SERVER'] ?? 'http://127.0.0.1:3000'
const tenants: Tenant[] = process.env['TENANTS']
  ? JSON.parse(process.env['TENANTS'])
  : [newTenant()]

/** Somebody to try it with: has a key that nobody else knows, and the token that the environment holds. */
function newTenant(): Tenant {
  return { key: crypto.randomUUID(), accessToken: process.env['GATEWAY_TOKEN'] || 'FAKE-token' }
}

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

announce(gateway, 8080, (url) => {
  const authorization = `Authorization: Bearer ${tenants[0]?.key ?? ''}`
  return [
    `A gateway at ${url}/mcp, in front of ${target}. Add it to Claude Code:`,
    `claude mcp add --transport http hosted ${url}/mcp --header "${authorization}"`,
    'Or call a tool, in place of list_issues one of yours:',
    curlOf(url, 'list_issues', authorization),
  ]
})
