// What a caller may send to end a hosted server for all others. Memory is bounded by running it in little; times are printed.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const ECHO_SERVER = fileURLToPath(new URL('echo-server.js', import.meta.url))

describe('a server with 100 MB of heap', () => {
  let server: ChildProcess
  let url = ''
  before(async () => {
    server = spawn(process.execPath, ['--max-old-space-size=100', ECHO_SERVER], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [port] = await once(server.stdout!, 'data')
    url = `http://127.0.0.1:${String(port).trim()}/`
  })
  after(() => server.kill())

  async function echo(value: object, fields: object): Promise<string> {
    const params = { name: 'echo', arguments: value }
    const start = performance.now()
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'x-mcp-cred-fields': JSON.stringify(fields),
      },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
    })
    const text = await response.text()
    const milliseconds = Math.round(performance.now() - start)
    console.log(`${milliseconds} ms, ${(text.length / 1e6).toFixed(1)} MB answered`)
    return text
  }

  const MB = 1_000_000
  const apiKey = 'aaaaaaaa'
  const special = (length: number) => '!"$%&/()=?*+#-.,;:_<>|'.repeat(length / 22)
  const attacks: Record<string, [value: object, fields: object]> = {
    'a name of 1.9 MB over 1,000 secrets': [
      { ['n'.repeat(1.9 * MB)]: `${apiKey} `.repeat(1000) },
      { apiKey },
    ],
    'a name of 1.9 MB made of secrets': [{ [apiKey.repeat((1.9 * MB) / 8)]: 1 }, { apiKey }],
    '10,000 names that all become the same': [
      Object.fromEntries(
        Array.from({ length: 10_000 }, (_, at) => [apiKey + 'a'.repeat(at % 150) + at, at]),
      ),
      { apiKey },
    ],
    'nothing but escapes': [{ text: '%61'.repeat(0.6 * MB) }, { apiKey }],
    'aaaa…b in a text of a': [{ text: 'a'.repeat(1.9 * MB) }, { apiKey: `${'a'.repeat(7000)}b` }],
    'fields of special characters': [
      { text: special(MB) },
      Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`f${at}`, `${at}${special(660)}`])),
    ],
    '500 fields of 8 characters, and a text that holds them all': [
      { text: Array.from({ length: 100_000 }, (_, at) => `a${1_000_000 + (at % 500)}`).join(' ') },
      Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`f${at}`, `a${1_000_000 + at}`])),
    ],
    'very deep': [{ deep: JSON.parse('['.repeat(1000) + ']'.repeat(1000)) }, { apiKey }],
  }
  for (const [name, [value, fields]] of Object.entries(attacks)) {
    test(`${name}: answered, and the server goes on`, async () => {
      console.log(name)
      const text = await echo(value, fields)
      assert.match(text, /"jsonrpc":"2.0"/)
      for (const secret of Object.values(fields))
        assert(!text.includes(JSON.stringify(secret).slice(1, -1)))
      assert.match(
        await echo({ other: 'caller' }, { apiKey: 'FAKE-other-caller' }),
        /other.*caller/,
      )
      assert.equal(server.exitCode, null)
    })
  }
})
