import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runWithCredentials, tryGetCredentials } from 'mcp-credentials'
import type { OAuthCredential } from 'mcp-credentials'
import { fakeToken } from './helper.ts'
import { interleave } from './interleaving.ts'
import type { Context } from './interleaving.ts'

const credentials = Array.from({ length: 10_000 }, fakeToken)

test('10,000 interleaved tasks never see the credential of another', async () => {
  const context: Context<OAuthCredential> = {
    run: runWithCredentials,
    get: () => tryGetCredentials('oauth'),
  }
  const { reads, wrong } = await interleave(context, credentials)
  assert(reads > 80_000)
  assert.equal(wrong, 0)
})
