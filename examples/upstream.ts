// The API behind the tools: it answers whom it knows by their token, and reports what it was asked.
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { announce } from './processes.ts'

interface Account {
  /** What its secret is called where the secret itself must not be shown. */
  readonly secret: string
  readonly authorization: string
  readonly answers: Readonly<Record<string, string>>
}

const accounts: Account[] = JSON.parse(process.env['ACCOUNTS'] ?? '[]')

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const account = accounts.find(
    ({ authorization }) => authorization === request.headers.authorization,
  )
  // Not as a URL: what is none, such as //, would end the process.
  const [pathname = ''] = (request.url ?? '').split('?')
  const [scheme = ''] = (request.headers.authorization ?? 'no token').split(' ')
  const secret = account ? `<${account.secret}>` : '<of nobody it knows>'
  process.send?.({ seen: `GET ${pathname}  ${scheme} ${secret}` })
  // Long enough for the calls of the tenants to overlap.
  await sleep(Math.random() * 50)
  response.writeHead(account ? 200 : 401).end(account?.answers[pathname] ?? '')
}

const server = createServer((request, response) => void answer(request, response))
announce(server, 4000, (url) => [`An API at ${url}, for the accounts in ACCOUNTS.`])
