import { OAuthCredential, relateSecrets } from '../credential.ts'
import type { RelatedSecret } from '../credential.ts'
import { assertObject, assertOptions, CredentialError, misuse } from '../errors.ts'
import { splitScopes } from '../grammar.ts'
import type { CredentialRequest } from '../source.ts'
import { digest } from './digest.ts'
import { Lineages } from './lineage.ts'
import { assertEndpointOptions, ENDPOINT_KINDS, requestToken } from './token-endpoint.ts'
import type { Form, TokenEndpointOptions } from './token-endpoint.ts'

/** What is POSTed to a token endpoint, by name; a list stands for a name that is sent more than once. */
export type TokenForm = Readonly<Record<string, string | readonly string[]>>

/** Options of {@link fromTokenEndpoint}. */
export interface FromTokenEndpointOptions extends TokenEndpointOptions {
  /** The token endpoint. */
  readonly tokenUri: string
  /** The client that asks. */
  readonly clientId: string
  /** The client's secret, where it has one. */
  readonly clientSecret?: string | undefined
  /** What to ask for, for a call: `grant_type` and what that needs. The client and its secret are added. */
  readonly form: (request: CredentialRequest) => TokenForm | Promise<TokenForm>
  /** How long before its expiry a token counts as expired, in seconds; by default 60. */
  readonly leewaySeconds?: number | undefined
}

/** A source that asks a token endpoint. */
export interface TokenEndpointSource {
  /** What every `CredentialSource` is. */
  (request: CredentialRequest): Promise<OAuthCredential>
  /**
   * For the option `refresh` of `createFetch`: gives what has taken the place of a credential of this source; with
   * `{ force: true }`, as after a 401, another token, but asks for one once in a while only.
   */
  refresh(
    credential: OAuthCredential,
    options?: { readonly force?: boolean },
  ): Promise<OAuthCredential>
}

/**
 * A source that asks a token endpoint: for token exchange (RFC 8693), on-behalf-of (RFC 7523), client credentials
 * (RFC 6749 section 4.4) and their like. Calls whose forms hold the same share a token until it expires, and one request
 * for it; where that fails there is a pause. The tokens in the form are sent to this endpoint alone, and scrubbed from what
 * the tool sends; the tool does not get them, nor the client's secret.
 *
 * @param options - the endpoint, the client, and the `form` of a call
 * @returns a source that rejects with `CredentialRefreshError` (`ERR_CREDENTIAL_REFRESH`), or with a `CredentialError`
 *   `ERR_CREDENTIAL_MISSING` for a form with an empty value, such as a token that did not come in
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for an option that is missing, misspelt, or of another kind
 * @example
 * const source = fromTokenEndpoint({
 *   tokenUri, clientId, clientSecret,
 *   form: ({ authInfo }) => ({
 *     grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
 *     subject_token: authInfo.token,
 *     subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
 *     audience: 'https://api.example.com',
 *   }),
 * })
 */
export function fromTokenEndpoint(options: FromTokenEndpointOptions): TokenEndpointSource {
  assertOptions(options, 'fromTokenEndpoint', {
    ...ENDPOINT_KINDS,
    tokenUri: ['string'],
    clientId: ['string'],
    clientSecret: ['string'],
    form: ['function'],
    leewaySeconds: ['seconds'],
  })
  assertEndpointOptions(options)
  if (!options.tokenUri || !options.clientId || !options.form)
    throw misuse('ERR_INVALID_ARG_VALUE', 'fromTokenEndpoint needs tokenUri, clientId and form.')
  // By the digest of all that a form holds.
  const lineages = new Lineages()
  const forms = new WeakMap<object, Form>()
  async function freshOf(form: Form, refused?: string): Promise<OAuthCredential> {
    const credential = await lineages.use(await digest(form), '', (lineage) =>
      lineage.fresh(undefined, options.leewaySeconds, refused, () =>
        lineage.once(() => exchange(form, options)),
      ),
    )
    forms.set(credential, form)
    return credential
  }
  const source = async (request: CredentialRequest) =>
    freshOf(readForm(await options.form(request)))
  return Object.assign(source, {
    async refresh(given: OAuthCredential, { force = false } = {}) {
      const form = forms.get(given)
      if (form === undefined) throw misuse('ERR_INVALID_ARG_VALUE', NOT_OURS)
      return freshOf(form, force ? given.accessToken : undefined)
    },
  })
}

const NOT_OURS = 'The refresh of fromTokenEndpoint takes a credential that this source has given.'

function readForm(form: TokenForm): Form {
  assertObject(form, 'The form for a token endpoint', "{ grant_type: 'client_credentials' }")
  return Object.entries(form).flatMap(([name, values]) =>
    [values].flat().map((value): [string, string] => [name, nonEmpty(name, value)]),
  )
}

/** Calls that lack what tells them apart would share a token. */
function nonEmpty(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '') return value
  throw new CredentialError('ERR_CREDENTIAL_MISSING', `This call has no value for ${name}.`)
}

// Not those whose names end in _type.
const IS_SECRET = /(token|assertion|secret|password|code)$/

async function exchange(form: Form, options: FromTokenEndpointOptions): Promise<OAuthCredential> {
  const { tokenUri, clientId, clientSecret } = options
  const scopes = splitScopes(form.find(([name]) => name === 'scope')?.[1] ?? '')
  const answer = await requestToken(form, { tokenUri, clientId, clientSecret, scopes }, options)
  const { accessToken, expiresAt, refreshToken } = answer
  const credential = new OAuthCredential({ accessToken, expiresAt, scopes: answer.scopes })
  const secrets: RelatedSecret[] = form.filter(([name]) => IS_SECRET.test(name))
  if (clientSecret !== undefined) secrets.push(['clientSecret', clientSecret])
  if (refreshToken !== undefined) secrets.push(['refreshToken', refreshToken])
  relateSecrets(credential, secrets)
  return credential
}
