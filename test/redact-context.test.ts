import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { OAuthCredential, runWithCredentials, StaticCredential } from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'
import { relatedSecrets, relateSecrets } from '../src/credential.ts'
import { fakeSecret, fakeToken } from './helper.ts'

test('where nobody knows any more what must not leave, nothing does', async () => {
  const credential = fakeToken()
  const leftovers: Promise<unknown>[] = []
  runWithCredentials(credential, () => {
    leftovers.push(sleep(1).then(() => redactSecrets({ any: 'thing' })))
  })
  // So many that the first is forgotten.
  for (let count = 0; count < 2000; count++) runWithCredentials(fakeToken(), () => undefined)
  assert.deepEqual(await Promise.all(leftovers), ['[redacted]'])
})

test('what a credential is related to is scrubbed, also when that changes', () => {
  const [before, other] = [fakeSecret('before'), fakeSecret('other')]
  const first = new OAuthCredential({ accessToken: fakeSecret('first') })
  const second = new StaticCredential({ other })
  const text = `${first.accessToken} ${other} ${before}`
  assert.equal(redactSecrets(text, [first, second]), `[redacted] [redacted] ${before}`)
  relateSecrets(first, [['the access token before', before]])
  const names: string[] = []
  const onRedact = ({ name }: { name: string }) => names.push(name)
  assert.equal(
    redactSecrets(text, [first, second], { onRedact }),
    '[redacted] [redacted] [redacted]',
  )
  assert.deepEqual(names.sort(), ['accessToken', 'field "other"', 'the access token before'])
  // What it is searched for is not added to what it is related to.
  assert.deepEqual(relatedSecrets(first), [['the access token before', before]])
})
