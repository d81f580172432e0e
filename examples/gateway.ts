// A gateway: knows its tenants, strips what callers may not send, and adds the credential of the tenant that calls.
import { createServer, request as forward } from 'node:http'
import { formatHeaders, OAuthCredential, stripCredentialHeaders } from 'mcp-credentials'
import { announce } from './processes.ts'

interface Tenant {
  readonly key: string
  readonly accessToken?: string
}

const target = process.env['MCP_SERVER'] ?? ''
const tenants: Tenant[] = JSON.parse(process.env['TENANTS'] ?? '[]')

const gateway = createServer((incoming, response) => {
  const { authorization, ...headers } = stripCredentialHeaders(incoming.headers)
  const tenant = tenants.find(({ key }) => authorization === `Bearer ${key}`)
  if (!tenant) {
    response.writeHead(403).end()
    return
  }

  const { accessToken } = tenant
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
