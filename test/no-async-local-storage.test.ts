import assert from 'node:assert/strict'
import { test } from 'node:test'
import './without-async-local-storage.ts'
import {
  getCredentials,
  OAuthCredential,
  runWithCredentials,
  tryGetCredentials,
} from 'mcp-credentials'
import { codeOf } from './helper.ts'
import { interleave } from './interleaving.ts'

const NO_SCOPE = {
  code: 'ERR_CREDENTIAL_NO_SCOPE',
  message: /no AsyncLocalStorage.*nodejs_compat.*argument of the function/,
}
const make = (name: string) => new OAuthCredential({ accessToken: `FAKE-${name}` })

test('the scope holds while fn runs synchronously, nested ones too', () => {
  const [outer, inner] = [make('outer'), make('inner')]
  runWithCredentials(outer, () => {
    assert.equal(getCredentials(), outer)
    assert.throws(
      () =>
        runWithCredentials(inner, () => {
          assert.equal(getCredentials(), inner)
          throw new Error('inner')
        }),
      /inner/,
    )
    assert.equal(getCredentials(), outer)
  })
  assert.throws(() => getCredentials(), NO_SCOPE)
})

test('after an await there is none, and the argument is the way', async () => {
  const credential = make('argument')
  await runWithCredentials(credential, async (argument) => {
    assert.equal(getCredentials(), credential)
    await undefined
    assert.throws(() => getCredentials(), NO_SCOPE)
    assert.equal(argument, credential)
  })
})

test('10,000 interleaved tasks: each has its own credential until it awaits, and then none', async () => {
  const credentials = Array.from({ length: 10_000 }, (_, index) => make(`${index}`))
  // Whose synchronous part is running, innermost last.
  const running: OAuthCredential[] = []
  const count = { own: 0, refused: 0, wrong: 0 }
  await interleave(
    {
      run: (value, fn) =>
        runWithCredentials(value, () => {
          running.push(value)
          try {
            return fn()
          } finally {
            running.pop()
          }
        }),
      get() {
        const expected = running.at(-1)
        let found: unknown
        const outcome = codeOf(() => (found = getCredentials()))
        if (outcome === 'a credential' && found === expected) count.own += 1
        else if (outcome === 'ERR_CREDENTIAL_NO_SCOPE' && !expected) count.refused += 1
        else count.wrong += 1
        return tryGetCredentials('oauth')
      },
    },
    credentials,
  )
  assert.equal(count.wrong, 0)
  assert(count.own >= 10_000)
  assert(count.refused > 80_000)
})
