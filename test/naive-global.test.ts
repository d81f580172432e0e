import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ResolvedCredential } from 'mcp-credentials'
import { fakeToken } from './helper.ts'
import { interleave } from './interleaving.ts'
import type { Context } from './interleaving.ts'

test('the control: 10,000 interleaved tasks over a naive global do see the credential of another', async () => {
  let current: ResolvedCredential | undefined
  const naive: Context<ResolvedCredential> = {
    async run(value, fn) {
      const outer = current
      current = value
      try {
        return await fn()
      } finally {
        current = outer
      }
    },
    get: () => current,
  }
  const { reads, wrong } = await interleave(naive, Array.from({ length: 10_000 }, fakeToken))
  assert(wrong > reads / 2)
})
