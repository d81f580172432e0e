// A gateway: knows its tenants, lets through what MCP needs of a caller's headers and nothing else, and adds the credential
// of the tenant that calls. In front of a server of your own: npm run gateway -- http://127.0.0.1:3000
import { createServer, request as forward } from 'node:http'
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { formatHeaders, OAuthCredential } from 'mcp-credentials'
import { announce, curlOf } from './processes.ts'

interface Tenant {
  readonly key: string
  readonly accessToken?: string
}

// The origin alone: the path is the request's.
const server = process.argv[2] ?? process.env['MCP_SERVER'] ?? 'http://127.0.0.1:3000'
const target = new URL(server).origin
if (!target.startsWith('http:')) throw new Error('This gateway takes the http: URL of a server.')
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

function serve(incoming: IncomingMessage, response: ServerResponse): void {
  const { authorization } = incoming.headers
  const tenant = tenants.find(({ key }) => authorization === `Bearer ${key}`)
  if (!tenant) return refuse(response, 403, 'This key is unknown to the gateway.')
  // Not as a URL that is relative to the target: //evil.example/mcp would be another host, and get the token.
  const { method, url: path = '' } = incoming
  if (!/^\/(?![/\\])/.test(path)) return refuse(response, 400, 'The gateway takes a path.')

  const { accessToken } = tenant
  const headers: OutgoingHttpHeaders = {}
  for (const name of PASSED) {
    const value = incoming.headers[name]
    if (value !== undefined) headers[name] = value
  }
  const credential = accessToken ? formatHeaders(new OAuthCredential({ accessToken })) : {}
  const options = { method, headers: { ...headers, ...credential } }
  const onward = forward(target + path, options, (answer) => {
    // One that is none, such as 099, cannot be passed on.
    const { statusCode = 0 } = answer
    if (statusCode < 200) return refuse(response, 502, 'The answer of the server has no status.')
    response.writeHead(statusCode, answer.headers)
    answer.on('error', () => response.destroy())
    answer.pipe(response)
  })
  onward.on('error', () => refuse(response, 502, 'The server does not answer.'))
  response.on('close', () => onward.destroy())
  incoming.pipe(onward)
}

/** With a cause in its body: clients show it, and of an empty one nothing. */
function refuse(response: ServerResponse, status: number, error: string): void {
  // Too late for one where a part has been sent, or nobody is there.
  if (response.headersSent || response.destroyed) response.destroy()
  else
    response
      .writeHead(status, { 'content-type': 'application/json' })
      .end(JSON.stringify({ error }))
}

const gateway = createServer((incoming, response) => {
  try {
    serve(incoming, response)
  } catch {
    refuse(response, 400, 'The gateway cannot pass this request on.')
  }
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
