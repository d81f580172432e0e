// docs/sources.md: what can be run here is, against servers on this machine.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager'
import { Entry } from '@napi-rs/keyring'
import { OAuthCredential, runWithCredentials, StaticCredential } from 'mcp-credentials'
import type { CredentialRequest, CredentialSource } from 'mcp-credentials'
import type { CachedSource } from 'mcp-credentials/cache'
import { redactSecrets } from 'mcp-credentials/redact'
import { compile } from './docs.js'
import { listen } from './servers.js'
import type { Listening } from './servers.js'

const document = compile('sources')
const KEY = 'FAKE-key-of-alice-0123456789abcdef'
const requestOf = (sub: unknown): CredentialRequest => ({
  headers: undefined,
  authInfo: { extra: { sub } },
})

test('its code compiles', () => {
  assert.equal(document.complaints, '')
  assert.deepEqual(document.headings, [
    'An API key in a header of your own',
    'By who is calling',
    'By the tool',
    'A cache',
    'HashiCorp Vault and OpenBao',
    'AWS Secrets Manager',
    'Google Cloud Secret Manager',
    'Azure Key Vault',
    "The keychain of the user's machine",
    'Files of Docker, Kubernetes and systemd',
    'A key in the query',
    'Two credentials in one tool',
    "The base URL is each caller's own",
  ])
})

let subjectOf: (request: CredentialRequest) => string

interface Cache {
  readonly source: CachedSource
  subjectOf(authInfo: unknown): string
  onKeyChanged(subject: string): void
}

before(async () => {
  const cache = await document.load<Cache>('A cache')
  subjectOf = ({ authInfo }) => cache.subjectOf(authInfo)
})

const fieldsOf = async (source: CredentialSource, sub: unknown) => {
  const credential = await source(requestOf(sub))
  return { ...credential.fields }
}
const NOT_FOUND = { code: 'ERR_CREDENTIAL_NOT_FOUND' }

test('by who is calling: two users of one client get each their own, and others none', async () => {
  const { fromVault, vault } = await document.load<{
    fromVault: CredentialSource
    vault: Map<string, string>
  }>('By who is calling')
  const requestBy = (sub: unknown) => ({
    headers: undefined,
    authInfo: { token: 'FAKE', clientId: 'one-app', scopes: [], extra: { sub } },
  })
  vault.set('anna', 'FAKE-of-anna').set('bob', 'FAKE-of-bob')
  vault.set('one-app', 'FAKE-of-the-app').set('undefined', 'FAKE-of-nobody')
  for (const user of ['anna', 'bob']) {
    const credential = await fromVault(requestBy(user))
    assert.equal(credential.accessToken, `FAKE-of-${user}`)
  }
  const { token, clientId } = requestBy('anna').authInfo
  const nobody = [requestBy('carol'), requestBy(undefined), requestBy(7), { headers: undefined }]
  for (const request of [...nobody, { headers: undefined, authInfo: { token, clientId } }])
    await assert.rejects(async () => fromVault(request), NOT_FOUND)
})

describe('a cache', () => {
  test('serves whom it knows, and nobody else', async () => {
    const { source, onKeyChanged } = await document.load<Cache>('A cache')
    const first = await source(requestOf('alice'))
    assert.equal(await source(requestOf('alice')), first)
    onKeyChanged('alice')
    assert.notEqual(await source(requestOf('alice')), first)
    for (const sub of ['bob', '..', '', 'a/b', undefined, 7, ['alice']])
      await assert.rejects(source(requestOf(sub)), NOT_FOUND)
  })
})

describe('a vault', () => {
  let server: Listening
  const seen: string[] = []
  before(async () => {
    server = await listen((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers['x-vault-token']}`)
      const isAlice = request.url === '/v1/secret/data/mcp/alice'
      response.writeHead(isAlice ? 200 : request.url?.endsWith('/broken') ? 503 : 404)
      const metadata = { version: 1, destroyed: false }
      response.end(JSON.stringify({ data: { data: { apiKey: KEY }, metadata } }))
    })
  })
  after(() => server.close())

  test('is asked once for a user, over HTTP', async () => {
    type FromVault = (address: string, token: () => string, subjectOf: unknown) => CachedSource
    const { fromVault } = await document.load<{ fromVault: FromVault }>(
      'HashiCorp Vault and OpenBao',
    )
    const source = fromVault(server.origin, () => 'FAKE-vault-token', subjectOf)
    for (let index = 0; index < 3; index++)
      assert.deepEqual(await fieldsOf(source, 'alice'), { apiKey: KEY })
    assert.deepEqual(seen, ['GET /v1/secret/data/mcp/alice FAKE-vault-token'])
    await assert.rejects(fieldsOf(source, 'bob'), NOT_FOUND)
    await assert.rejects(fieldsOf(source, 'broken'), /Vault answered 503/)
    await assert.rejects(fieldsOf(source, '../alice'), NOT_FOUND)
    assert.equal(seen.length, 3)
  })
})

describe('AWS Secrets Manager', () => {
  let server: Listening
  const asked: string[] = []
  before(async () => {
    server = await listen(async (request, response) => {
      let body = ''
      for await (const chunk of request) body += chunk
      const { SecretId } = JSON.parse(body)
      asked.push(`${request.headers['x-amz-target']} ${SecretId}`)
      const isAlice = SecretId === 'mcp/alice'
      response.writeHead(isAlice ? 200 : 400, { 'content-type': 'application/x-amz-json-1.1' })
      const absent = { __type: 'ResourceNotFoundException', Message: 'There is none.' }
      const secret = { Name: SecretId, SecretString: JSON.stringify({ apiKey: KEY }) }
      response.end(JSON.stringify(isAlice ? secret : absent))
    })
  })
  after(() => server.close())

  test('is asked once for a user, by its SDK', async () => {
    type From = (client: SecretsManagerClient, subjectOf: unknown) => CachedSource
    const { fromSecretsManager } = await document.load<{ fromSecretsManager: From }>(
      'AWS Secrets Manager',
    )
    const client = new SecretsManagerClient({
      region: 'eu-central-1',
      endpoint: server.origin,
      credentials: { accessKeyId: 'FAKE-id', secretAccessKey: 'FAKE-secret' },
    })
    const source = fromSecretsManager(client, subjectOf)
    for (let index = 0; index < 3; index++)
      assert.deepEqual(await fieldsOf(source, 'alice'), { apiKey: KEY })
    await assert.rejects(fieldsOf(source, 'bob'), NOT_FOUND)
    assert.deepEqual(asked, [
      'secretsmanager.GetSecretValue mcp/alice',
      'secretsmanager.GetSecretValue mcp/bob',
    ])
    client.destroy()
  })
})

const STORE = { linux: { store: 'keyutils' } } as const
const SERVICE = `mcp-credentials-test-${process.pid}`

/** Puts the key into the keyring of the kernel; says why that is not to be had, as in most containers. */
function fillKeyring(): string | false {
  let reason = ''
  // Where nobody has logged in, the first one makes the keyring, and fails.
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      new Entry(SERVICE, 'alice', STORE as never).setPassword(KEY)
      return false
    } catch (error) {
      reason = String(error)
    }
  }
  return reason
}

describe('the keychain', () => {
  test('gives the key that lies in it', { skip: fillKeyring() }, async () => {
    type From = (service: string, user: string, options?: object) => CachedSource
    const { fromKeychain } = await document.load<{ fromKeychain: From }>(
      "The keychain of the user's machine",
    )
    const source = fromKeychain(SERVICE, 'alice', STORE)
    assert.deepEqual(await fieldsOf(source, 'any'), { apiKey: KEY })
    new Entry(SERVICE, 'alice', STORE as never).deleteCredential()
    source.invalidate('alice')
    await assert.rejects(fieldsOf(source, 'any'), NOT_FOUND)
  })
})

/** The runtime's fetch, with every host that ends in `.example` on a server of this machine. */
async function withApi<T>(
  answer: (line: string, headers: Record<string, string | string[] | undefined>) => string,
  use: (sent: string[]) => Promise<T>,
): Promise<T> {
  const sent: string[] = []
  const server = await listen((request, response) => {
    const line = `${request.method} ${request.headers.host} ${request.url}`
    sent.push(line)
    response.end(answer(line, request.headers))
  })
  const { fetch } = globalThis
  globalThis.fetch = (url, init) => {
    const { pathname, search } = new URL(String(url))
    return fetch(`${server.origin}${pathname}${search}`, init)
  }
  try {
    return await use(sent)
  } finally {
    globalThis.fetch = fetch
    await server.close()
  }
}

describe('a tool', () => {
  test('with a key in the query', async () => {
    const { geocode } = await document.load<{ geocode: (address: string) => Promise<string> }>(
      'A key in the query',
    )
    const credential = new StaticCredential({ apiKey: KEY })
    await withApi(
      (line) => line,
      async (sent) => {
        const text = await runWithCredentials(credential, async () =>
          redactSecrets(await geocode('a & b')),
        )
        assert.match(String(sent[0]), new RegExp(`/v1/geocode\\?address=a\\+%26\\+b&key=${KEY}$`))
        assert.match(text, /key=\[redacted\]$/)
      },
    )
  })

  test('with two credentials, and scrubbed of both', async () => {
    const { announce } = await document.load<{ announce: () => Promise<string> }>(
      'Two credentials in one tool',
    )
    const [issues, chat] = ['FAKE-token-for-issues-0123456789', 'FAKE-token-for-chat-0123456789']
    process.env['CHAT_ACCESS_TOKEN'] = chat
    const credential = new OAuthCredential({ accessToken: issues })
    try {
      await withApi(
        (line, { authorization }) => `${line.split('/').at(-1)} ${authorization}`,
        async (sent) => {
          const text = await runWithCredentials(credential, async () => {
            const answer = await announce()
            return redactSecrets(`${answer} ${issues} ${chat}`)
          })
          assert.equal(text, 'messages Bearer [redacted] [redacted] [redacted]')
          assert.deepEqual(
            sent.map((line) => line.replace(/ \S+ /, ' ')),
            ['GET /v1/issues', 'POST /api/messages'],
          )
        },
      )
    } finally {
      delete process.env['CHAT_ACCESS_TOKEN']
    }
  })

  test('with the base URL of its account, if that is one that the server knows', async () => {
    const { fetchShop } = await document.load<{ fetchShop: (path: string) => Promise<Response> }>(
      "The base URL is each caller's own",
    )
    const shopAt = (baseUrl: string) =>
      runWithCredentials(new StaticCredential({ baseUrl, token: KEY }), () => fetchShop('/orders'))
    await withApi(
      (_, headers) => String(headers['x-shop-token']),
      async (sent) => {
        assert.equal(await (await shopAt('https://eu.shop.example')).text(), KEY)
        await assert.rejects(shopAt('https://evil.example'), { code: 'ERR_CREDENTIAL_INVALID' })
        assert.equal(sent.length, 1)
      },
    )
  })
})
