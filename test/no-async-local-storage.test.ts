import assert from 'node:assert/strict'
import process from 'node:process'
import { test } from 'node:test'

// A runtime without AsyncLocalStorage: in a file of its own, because it is looked for once, at import.
Reflect.deleteProperty(globalThis, 'AsyncLocalStorage')
Object.defineProperty(process, 'getBuiltinModule', { value: undefined })
const { getCredentials, OAuthCredential, runWithCredentials, tryGetCredentials } = await import('mcp-credentials')
const { interleave } = await import('./interleaving.ts')

const NO_SCOPE = { code: 'ERR_CREDENTIAL_NO_SCOPE', message: /no AsyncLocalStorage.*nodejs_compat.*argument of the function/ }
const make = (name: string) => new OAuthCredential({ accessToken: `FAKE-${name}` })

test('the scope holds while fn runs synchronously, nested ones too', () => {
  const [outer, inner] = [make('outer'), make('inner')]
  runWithCredentials(outer, () => {
    assert.equal(getCredentials(), outer)
    assert.throws(() => runWithCredentials(inner, () => { assert.equal(getCredentials(), inner); throw new Error('inner') }), /inner/)
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

test('10,000 interleaved tasks never see the credential of another', async () => {
  const credentials = Array.from({ length: 10_000 }, (_, index) => make(`${index}`))
  const own = new Set<unknown>([undefined])
  let foreign = 0
  await interleave(
    {
      run: (value, fn) => runWithCredentials(value, () => { own.add(value); try { return fn() } finally { own.delete(value) } }),
      get() {
        const seen = tryGetCredentials()
        if (!own.has(seen)) foreign += 1
        return seen
      },
    },
    credentials,
  )
  assert.equal(foreign, 0)
})
