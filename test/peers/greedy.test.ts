// One caller must not end the server of all: a real server with little memory, whose tool returns what its caller shapes.
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { clientV1, clientV2, connectOverHttp } from './wirings.js'

interface Told {
  readonly url?: string
  readonly places?: number
  readonly longest?: number
}

const script = fileURLToPath(new URL('greedy-server.js', import.meta.url))
const headers = () => ({ 'X-MCP-Cred-Fields': '{"pin":"aaaaaaaa"}' })

for (const sdk of ['v1', 'v2'] as const) {
  for (const hears of ['hears', 'does not hear'] as const) {
    describe(`${sdk}, whose owner ${hears} of secrets`, () => {
      test('property names of megabytes, thousands of hits and of names: it answers, and goes on', async () => {
        const told: Told[] = []
        const child = fork(script, [sdk, hears], { execArgv: ['--max-old-space-size=192'] })
        child.on('message', (message) => void told.push(message as Told))
        await once(child, 'message')
        const client = sdk === 'v1' ? clientV1() : clientV2('of 2026')
        try {
          await connectOverHttp(client, new URL(String(told[0]?.url)), headers)
          const shape = async (name: string, times: number, names: number) => {
            const params = { name: 'shape', arguments: { name, times, names } }
            const result = await (client as ReturnType<typeof clientV2>).callTool(params)
            assert.deepEqual(result.content, [{ type: 'text', text: 'done' }])
            return result._meta ?? {}
          }
          const long = 'n'.repeat(1_900_000)
          const meta = await shape(long, 1000, 0)
          // White space between them is taken for that of a wrapped dump, so that they are one.
          assert.match(String(meta[long]), /^\[redacted\] /)
          assert.doesNotMatch(String(meta[long]), /a{4}/)
          // 4.9 MB of names.
          const names = Object.keys(await shape('n', 1, 3120))
          assert.equal(names.filter((name) => /^\[redacted\]( \d+)?$/.test(name)).length, 3120)
          assert.equal((await shape('n', 1, 0))['n'], '[redacted] ')
        } finally {
          await client.close()
          await sleep(10)
          child.disconnect()
          await once(child, 'exit')
        }
        const places = told.slice(1).map(({ places }) => places)
        assert.deepEqual(places, hears === 'hears' ? [1, 2, 1] : [])
        for (const { longest = 0 } of told) assert(longest < 20_000)
      })
    })
  }
}
