import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { runWithCredentials, tryGetCredentials } from 'mcp-credentials'
import { fromTokenEndpoint } from 'mcp-credentials/oauth'
import { redactSecrets } from 'mcp-credentials/redact'
import type { CredentialRequest, OAuthCredential } from 'mcp-credentials'
import type { FromTokenEndpointOptions, TokenForm } from 'mcp-credentials/oauth'
import { assertNoLeak, fakeSecret, fakeToken, findLeak } from './helper.ts'
import { assertFails, clientId, endpoint, tokenUri, withClock } from './oauth-endpoint.ts'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

/** A call of whoever has a token. */
const callOf = (token: unknown): CredentialRequest => ({ headers: undefined, authInfo: { token } })
const tokenOf = ({ authInfo }: CredentialRequest) => (authInfo as { token: string }).token

const exchangeFor = (audience: string) => (request: CredentialRequest) => ({
  grant_type: EXCHANGE,
  subject_token: tokenOf(request),
  subject_token_type: ACCESS_TOKEN,
  audience,
})

const sourceOf = (options: Partial<FromTokenEndpointOptions>) =>
  fromTokenEndpoint({
    tokenUri,
    clientId,
    clientSecret: 'FAKE-client-secret',
    form: exchangeFor('https://api.example'),
    ...options,
  })

describe('fromTokenEndpoint', () => {
  test('exchanges the token that came in, as RFC 8693 says', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-exchanged', scope: 'a b' }))
    const subject = fakeSecret('subject')
    const credential = await sourceOf({ fetch })(callOf(subject))
    assert.equal(credential.accessToken, 'FAKE-exchanged')
    assert.deepEqual(credential.scopes, ['a', 'b'])
    assert(!credential.isExpired(3500))
    assert.equal(sent.length, 1)
    assert.equal(sent[0]?.url, tokenUri)
    assert.equal(sent[0]?.authorization, `Basic ${btoa('client:FAKE-client-secret')}`)
    assert.deepEqual(sent[0]?.form, {
      grant_type: EXCHANGE,
      subject_token: subject,
      subject_token_type: ACCESS_TOKEN,
      audience: 'https://api.example',
    })
  })

  test('asks on behalf of a user, and for the client itself, with scopes', async () => {
    for (const form of [
      {
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion: fakeSecret('assertion'),
        requested_token_use: 'on_behalf_of',
        scope: 'read write',
      },
      { grant_type: 'client_credentials', scope: 'read write' },
    ]) {
      const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-token' }))
      const credential = await sourceOf({ fetch, clientAuth: 'post', form: () => form })(callOf(''))
      assert.deepEqual(credential.scopes, ['read', 'write'])
      const client = { client_id: clientId, client_secret: 'FAKE-client-secret' }
      assert.deepEqual(sent[0]?.form, { ...form, ...client })
    }
  })

  test('sends a name as often as it has values, and waits for a form that takes its time', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-token' }))
    const form = async (): Promise<TokenForm> => ({
      grant_type: 'client_credentials',
      resource: ['https://one.example', 'https://two.example'],
    })
    await sourceOf({ fetch, form, clientSecret: undefined })(callOf(''))
    const encoded = encodeURIComponent('https://one.example')
    const other = encodeURIComponent('https://two.example')
    const body = `grant_type=client_credentials&resource=${encoded}&resource=${other}&client_id=client`
    assert.equal(sent[0]?.init.body, body)
  })

  test('gives the tool nothing but the access token', async () => {
    const { fetch } = endpoint(() => ({
      access_token: 'FAKE-token',
      refresh_token: fakeSecret('answer-refresh'),
    }))
    const credential = await sourceOf({ fetch })(callOf(fakeSecret('subject')))
    const { refreshToken, clientSecret, tokenUri: uri, clientId: id } = credential
    assert.deepEqual(
      [refreshToken, clientSecret, uri, id],
      [undefined, undefined, undefined, undefined],
    )
  })

  test('has what the tool sends scrubbed of all that was secret in the request and the answer', async () => {
    const secrets = ['subject', 'actor', 'assertion', 'password', 'refresh'].map(fakeSecret)
    const [subject_token, actor_token, client_assertion, password, refresh_token] = secrets
    const clientSecret = fakeSecret('client-secret')
    const form = { subject_token, actor_token, client_assertion, password } as TokenForm
    const { fetch } = endpoint(() => ({ access_token: 'FAKE-token', refresh_token }))
    const types = { subject_token_type: ACCESS_TOKEN, client_assertion_type: 'urn:jwt-bearer' }
    const source = sourceOf({ fetch, clientSecret, form: () => ({ ...form, ...types }) })
    const credential = await source(callOf(''))
    const text = [...secrets, clientSecret, ...Object.values(types)].join(' ')
    assert.notEqual(findLeak([text], clientSecret), undefined)
    const scrubbed = runWithCredentials(credential, () => redactSecrets(text))
    for (const secret of [...secrets, clientSecret]) assertNoLeak(scrubbed, secret)
    for (const type of Object.values(types)) assert(scrubbed.includes(type))
  })

  test('shares a token among calls that ask for the same, and makes one request for it', async () => {
    const { fetch, sent } = endpoint((_, count) => ({ access_token: `FAKE-${count}` }))
    const source = sourceOf({ fetch })
    const subject = fakeSecret('shared')
    const all = await Promise.all(Array.from({ length: 1000 }, () => source(callOf(subject))))
    assert.equal(new Set(all).size, 1)
    assert.equal(await source(callOf(subject)), all[0])
    assert.equal(sent.length, 1)
  })

  test('shares none among callers, nor among audiences, actors or any other part of the form', async () => {
    const { fetch, sent } = endpoint((_, count) => ({ access_token: `FAKE-${count}` }))
    const base = { grant_type: EXCHANGE, subject_token: fakeSecret('own'), audience: 'one' }
    const forms: TokenForm[] = [
      base,
      { ...base, subject_token: fakeSecret('own') },
      { ...base, audience: 'two' },
      { ...base, audience: ['one', 'two'] },
      { ...base, actor_token: fakeSecret('actor') },
      { ...base, scope: 'a' },
      // What would be the same if the parts were merely joined.
      { ...base, scope: 'a&audience=two' },
    ]
    let current: TokenForm = base
    const source = sourceOf({ fetch, form: () => current })
    const tokens: (string | undefined)[] = []
    for (const _ of [1, 2]) {
      for (current of forms) tokens.push((await source(callOf(''))).accessToken)
    }
    assert.equal(sent.length, forms.length)
    assert.deepEqual(tokens.slice(0, forms.length), tokens.slice(forms.length))
    assert.equal(new Set(tokens).size, forms.length)
  })

  test('refuses a call that lacks what tells it apart, and asks nobody', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-token' }))
    const source = sourceOf({ fetch })
    for (const token of [undefined, null, '', 7, {}, ['']]) {
      await assert.rejects(Promise.resolve(source(callOf(token))), {
        code: 'ERR_CREDENTIAL_MISSING',
        message: 'This call has no value for subject_token.',
        isServerFault: false,
      })
    }
    await assert.rejects(
      Promise.resolve(sourceOf({ fetch, form: () => 'form' as never })(callOf(''))),
      {
        code: 'ERR_INVALID_ARG_TYPE',
      },
    )
    assert.equal(sent.length, 0)
  })

  test('passes on what the form throws', async () => {
    const error = new Error('who are you?')
    const form = () => {
      throw error
    }
    await assert.rejects(
      Promise.resolve(sourceOf({ form })(callOf(''))),
      (thrown) => thrown === error,
    )
  })

  test('asks again once the token has expired, or will within the leeway', async () => {
    await withClock(async (advance) => {
      const { fetch, sent } = endpoint((_, count) => ({ access_token: `FAKE-${count}` }))
      const source = sourceOf({ fetch, leewaySeconds: 100 })
      const ask = async () => (await source(callOf('FAKE-subject'))).accessToken
      assert.equal(await ask(), 'FAKE-1')
      advance(3499)
      assert.equal(await ask(), 'FAKE-1')
      advance(1)
      assert.equal(await ask(), 'FAKE-2')
      assert.equal(sent.length, 2)
    })
  })

  test('uses a token without a known expiry for the calls that have waited, and for no later one', async () => {
    const { fetch, sent } = endpoint((_, count) => ({
      access_token: `FAKE-${count}`,
      expires_in: null,
    }))
    const source = sourceOf({ fetch })
    const both = await Promise.all([source(callOf('FAKE-subject')), source(callOf('FAKE-subject'))])
    assert.equal(both[0], both[1])
    assert.equal((await source(callOf('FAKE-subject'))).accessToken, 'FAKE-2')
    assert.equal(sent.length, 2)
  })

  test('pauses after a failure, and serves what is still valid', async () => {
    await withClock(async (advance) => {
      const { fetch, sent } = endpoint((_, count) =>
        count === 1 ? { access_token: 'FAKE-1' } : Response.json({}, { status: 503 }),
      )
      const source = sourceOf({ fetch })
      const ask = () => Promise.resolve(source(callOf('FAKE-subject')))
      const first = await ask()
      advance(3550)
      for (let call = 0; call < 100; call++) assert.equal(await ask(), first)
      assert.equal(sent.length, 2)
      advance(50)
      const reason = 'the token endpoint answered with 503.'
      for (let call = 0; call < 100; call++) await assertFails(ask(), reason, { status: 503 })
      assert.equal(sent.length, 3)
      // Another caller does not have to wait.
      await assertFails(Promise.resolve(source(callOf('FAKE-other'))), reason, { status: 503 })
      assert.equal(sent.length, 4)
    })
  })

  test('a token that was refused is told so, without it', async () => {
    const { fetch } = endpoint(() =>
      Response.json({ error: 'invalid_grant', error_description: subject }, { status: 400 }),
    )
    const subject = fakeSecret('refused')
    const reason =
      'the token endpoint answered with 400 (invalid_grant). The account must be connected again.'
    const failure = { status: 400, error: 'invalid_grant' }
    await assertFails(sourceOf({ fetch })(callOf(subject)), reason, failure, subject)
  })

  test('is in the scope of nobody', async () => {
    const seen: unknown[] = []
    const { fetch } = endpoint(() => {
      seen.push(tryGetCredentials())
      return { access_token: 'FAKE-token' }
    })
    await runWithCredentials(fakeToken(), () => sourceOf({ fetch })(callOf('FAKE-subject')))
    assert.deepEqual(seen, [undefined])
  })

  test('gives another token after a 401, one for all, and one in a pause only', async () => {
    await withClock(async (advance) => {
      const { fetch, sent } = endpoint((_, count) => ({ access_token: `FAKE-${count}` }))
      const source = sourceOf({ fetch })
      const subject = fakeSecret('forced')
      const first = await source(callOf(subject))
      assert.equal(await source.refresh(first), first)
      const force = (credential: OAuthCredential) => source.refresh(credential, { force: true })
      const forced = await Promise.all(Array.from({ length: 100 }, () => force(first)))
      const [second = first] = forced
      assert.deepEqual(new Set(forced), new Set([second]))
      assert.equal(second.accessToken, 'FAKE-2')
      assert.equal(await source(callOf(subject)), second)
      // The API refuses that one as well.
      for (let call = 0; call < 100; call++) assert.equal(await force(second), second)
      assert.equal(sent.length, 2)
      advance(1)
      assert.equal((await force(second)).accessToken, 'FAKE-3')
      assert.equal((await force(first)).accessToken, 'FAKE-3')
      assert.deepEqual(
        sent.map(({ form }) => form['subject_token']),
        [subject, subject, subject],
      )
    })
  })

  test('whose forced request fails is an error, for which what was refused is no substitute', async () => {
    const { fetch, sent } = endpoint((_, count) =>
      count === 1 ? { access_token: 'FAKE-1' } : Response.json({}, { status: 503 }),
    )
    const source = sourceOf({ fetch })
    const subject = fakeSecret('force-fails')
    const first = await source(callOf(subject))
    for (const _ of [1, 2])
      await assertFails(
        source.refresh(first, { force: true }),
        'the token endpoint answered with 503.',
        { status: 503 },
      )
    // Who does not force is served: it may have been refused by one endpoint of the API alone.
    assert.equal(await source(callOf(subject)), first)
    assert.equal(sent.length, 2)
  })

  test('refreshes no credential but its own', async () => {
    const { fetch, sent } = endpoint(() => ({ access_token: 'FAKE-1' }))
    const [source, other] = [sourceOf({ fetch }), sourceOf({ fetch })]
    const credential = await other(callOf(fakeSecret('other')))
    for (const given of [credential, fakeToken()]) {
      await assert.rejects(source.refresh(given, { force: true }), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
        message: /takes a credential that this source has given/,
      })
    }
    assert.equal(sent.length, 1)
  })

  test('misuse is a TypeError', () => {
    for (const options of [
      { tokenUri: undefined },
      { tokenUri: '' },
      { clientId: undefined },
      { clientId: 7 },
      { form: undefined },
      { form: { grant_type: 'client_credentials' } },
      { clientSecret: 7 },
      { leewaySeconds: -1 },
      { timeoutSeconds: 0 },
      { clientAuth: 'jwt' },
      { clientAuth: 'none' },
      { audience: 'https://api.example' },
    ]) {
      assert.throws(() => sourceOf(options as never), {
        name: 'TypeError',
        code: 'ERR_INVALID_ARG_VALUE',
      })
    }
    assert.throws(() => fromTokenEndpoint(undefined as never), { code: 'ERR_INVALID_ARG_TYPE' })
  })
})
