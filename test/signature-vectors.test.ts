import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { formatHeaders, OAuthCredential } from 'mcp-credentials'
import { signHeaders } from 'mcp-credentials/signature'

interface Vector {
  readonly name: string
  readonly key: string
  readonly time: number
  readonly audience: string
  readonly headers: Readonly<Record<string, string>>
  readonly signed: string
  readonly signature: string
}

const root = new URL(import.meta.url.includes('/dist/') ? '../../' : '../', import.meta.url)
const pathOf = (name: string) => fileURLToPath(new URL(`test/vectors/${name}`, root))
const vectors: Vector[] = JSON.parse(readFileSync(pathOf('signature.json'), 'utf8'))
const hexOf = (text: string) =>
  Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, '0')).join('')

describe('the vectors of the signature', () => {
  for (const { name, key, time, audience, headers, signed, signature } of vectors) {
    test(`${name}: signHeaders`, async () => {
      const made = await signHeaders(headers, key, { time: new Date(time * 1000), audience })
      assert.equal(made['X-MCP-Cred-Signature'], signature)
    })

    test(`${name}: openssl`, () => {
      const lines = Object.entries(headers)
        .map(([header, value]) => `${header}: ${value}\n`)
        .join('')
      const { stdout } = spawnSync('sh', [pathOf('sign.sh'), hexOf(key), `${time}`, audience], {
        encoding: 'utf8',
        input: lines,
      })
      assert.equal(stdout, `${signature}\n`)
      const whole = spawnSync(
        'openssl',
        ['dgst', '-sha256', '-mac', 'HMAC', '-macopt', `hexkey:${hexOf(key)}`, '-r'],
        { encoding: 'utf8', input: signed },
      )
      assert.equal(whole.stdout.slice(0, 64), signature.slice(-64))
    })
  }
})

test('a runtime without Web Crypto is told so', async () => {
  const known = Object.getOwnPropertyDescriptor(globalThis, 'crypto')
  Object.defineProperty(globalThis, 'crypto', { value: undefined, configurable: true })
  try {
    const headers = formatHeaders(new OAuthCredential({ accessToken: 'FAKE' }))
    await assert.rejects(signHeaders(headers, 'FAKE-key-0123456789abcdef-0123456789'), {
      name: 'TypeError',
      message: /no Web Crypto/,
    })
  } finally {
    Object.defineProperty(globalThis, 'crypto', known ?? {})
  }
})
