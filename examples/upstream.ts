// The API behind the tools: it answers whom it knows by their token, and reports what it was asked.
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { announce } from './processes.ts'

interface Account {
  readonly name: string
  readonly authorization: string
  readonly answers: Readonly<Record<string, string>>
}

const accounts: Account[] = JSON.parse(process.env['ACCOUNTS'] ?? '[]')

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const account = accounts.find(
    ({ authorization }) => authorization === request.headers.authorization,
  )
  const { pathname } = new URL(request.url ?? '/', 'http://upstream')
  const [scheme = ''] = (request.headers.authorization ?? 'none').split(' ')
  process.send?.({
    seen: `GET ${pathname}  ${scheme} [redacted]`,
    account: account?.name ?? 'nobody it knows',
  })
  // Long enough for the calls of the tenants to overlap.
  await sleep(Math.random() * 50)
  response.writeHead(account ? 200 : 401).end(account?.answers[pathname] ?? '')
}

announce(createServer((request, response) => void answer(request, response)))
