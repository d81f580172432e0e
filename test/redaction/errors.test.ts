// The errors of real clients, against a server on loopback that quotes what it was sent: in whatever way they are shown.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { format, inspect } from 'node:util'
import axios from 'axios'
import { got } from 'got'
import ky from 'ky'
import { StaticCredential } from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'
import nodeFetch from 'node-fetch'
import superagent from 'superagent'
import * as undici from 'undici'

const SECRETS = ['FAKE-errors+0123/456789=abcdef', 'FAKE pass"wörd:9@8#7%6/5?4&3=2']

const server = createServer((request, response) => {
  if (request.url?.startsWith('/hang-up')) return void request.socket.destroy()
  if (request.url?.startsWith('/loop')) {
    response.writeHead(302, { location: request.url })
    return void response.end()
  }
  response.writeHead(401, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ url: request.url, headers: request.headers }))
})
let origin = ''
before(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => {
  server.closeAllConnections()
  server.close()
})

interface Call {
  readonly url: string
  readonly headers: Record<string, string>
}

/** Fails as a call of that client fails. */
type Client = (call: Call) => Promise<unknown>

/** What some clients give as a response they are made to throw, as their callers do. */
async function refuse(response: { ok: boolean; status: number; text(): Promise<string> }) {
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`)
}

const CLIENTS: Record<string, Client> = {
  fetch: async ({ url, headers }) => refuse(await fetch(url, { headers })),
  undici: async ({ url, headers }) => {
    const { statusCode, body } = await undici.request(url, { headers })
    if (statusCode >= 300) throw new Error(await body.text())
  },
  'node-fetch': async ({ url, headers }) => refuse(await nodeFetch(url, { headers })),
  axios: ({ url, headers }) => axios.get(url, { headers }),
  got: ({ url, headers }) => got(url, { headers, retry: { limit: 0 } }),
  ky: async ({ url, headers }) => ky(url, { headers, retry: 0 }),
  superagent: async ({ url, headers }) => superagent.get(url).set(headers),
  'node:http': ({ url, headers }) =>
    new Promise((_, reject) => {
      get(url, { headers }, (response) => {
        response.setEncoding('utf8')
        response.on('data', (chunk) => reject(new Error(String(chunk))))
        response.on('error', reject)
        response.on('end', () => reject(new Error('Nothing was sent.')))
      }).on('error', reject)
    }),
}

type Situation = (secret: string) => Call
const query = (secret: string) => new URLSearchParams({ key: secret }).toString()
const SITUATIONS: Record<string, Situation> = {
  'refused, with a header that is quoted': (secret) => ({
    url: `${origin}/refused`,
    headers: { authorization: `Bearer ${encodeURI(secret)}` },
  }),
  'refused, with a query that is quoted': (secret) => ({
    url: `${origin}/refused?${query(secret)}`,
    headers: {},
  }),
  'hung up on': (secret) => ({ url: `${origin}/hang-up?${query(secret)}`, headers: {} }),
  'sent in circles': (secret) => ({
    url: `${origin}/loop/${encodeURIComponent(secret)}`,
    headers: {},
  }),
  'a password in the URL': (secret) => {
    const url = new URL(`${origin}/refused`)
    url.username = 'user'
    url.password = secret
    return { url: url.href, headers: {} }
  },
  'a header that is none': (secret) => ({
    url: `${origin}/refused`,
    headers: { authorization: `Bearer ${secret}\n\u2028` },
  }),
  'a URL that is none': (secret) => ({ url: `http://127.0.0.1:99999/${secret}`, headers: {} }),
}

const shown: Record<string, (error: unknown) => string> = {
  message: (error) => String(error),
  stack: (error) => String((error as Error).stack),
  JSON: (error) => String(attempt(() => JSON.stringify(error))),
  inspect: (error) => inspect(error, { depth: 8, showHidden: true }),
  format: (error) => format('%o %O %s', error, error, error),
}

function attempt(look: () => unknown): unknown {
  try {
    return look()
  } catch {
    return undefined
  }
}

// An encoder before base64, which docs/scrubbing.md says is not found: superagent writes the password of a URL into a
// Basic header as it is percent-encoded.
const isNamed = (client: string, situation: string) =>
  client === 'superagent' && situation === 'a password in the URL'

/** A piece of a secret in a text, as it is or percent-encoded. */
function leakIn(text: string, secret: string): string | undefined {
  const forms = [secret, encodeURIComponent(secret), encodeURI(secret), query(secret).slice(4)]
  return forms.flatMap(piecesOf).find((piece) => text.includes(piece))
}

/** The same in base64. */
function base64In(text: string, secret: string): string | undefined {
  const forms = [0, 1, 2].map((at) =>
    Buffer.from(`${'.'.repeat(at)}${secret}`)
      .toString('base64')
      .slice(at === 0 ? 0 : 4, -4),
  )
  return forms.flatMap(piecesOf).find((piece) => text.includes(piece))
}

const piecesOf = (text: string) =>
  Array.from({ length: Math.max(text.length - 9, 0) }, (_, at) => text.slice(at, at + 10))

for (const [client, call] of Object.entries(CLIENTS)) {
  describe(client, () => {
    let leaks = 0
    for (const [situation, callFor] of Object.entries(SITUATIONS)) {
      test(situation, async () => {
        for (const secret of SECRETS) {
          const credential = new StaticCredential({ secret })
          const error: unknown = await call(callFor(secret)).then(
            () => assert.fail('it did not fail'),
            (reason: unknown) => reason,
          )
          const texts = Object.entries(shown).map(([how, show]) => [how, show(error)] as const)
          leaks += texts.filter(([, text]) => leakIn(text, secret) ?? base64In(text, secret)).length
          const copy = redactSecrets(error, credential)
          assert(copy instanceof Error)
          assert.equal(Object.getPrototypeOf(copy), Object.getPrototypeOf(error))
          const clean = [
            ...texts.map(([how, text]) => [how, redactSecrets(text, credential)] as const),
            ...['message', 'stack', 'JSON'].map((how) => [
              `${how}, a copy`,
              `${shown[how]?.(copy)}`,
            ]),
          ]
          for (const [how, text = ''] of clean) {
            assert.equal(leakIn(text, secret), undefined, how)
            if (!isNamed(client, situation)) assert.equal(base64In(text, secret), undefined, how)
          }
        }
      })
    }

    test('and they do leak without', () => assert(leaks >= 5, `${leaks}`))
  })
}

test('an error of ky can still be read', async () => {
  const [secret = ''] = SECRETS
  const url = `${origin}/refused?${query(secret)}`
  const error: unknown = await ky(url, { retry: 0 }).catch((reason: unknown) => reason)
  const clean = redactSecrets(error, new StaticCredential({ secret })) as {
    response: Response
    request: Request
  }
  assert.notEqual(clean, error)
  assert.equal(clean.response.status, 401)
  assert.match(await clean.response.clone().text(), /"url":"\/refused\?key=FAKE/)
  assert.equal(clean.request.method, 'GET')
})
