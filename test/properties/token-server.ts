// A token endpoint that answers as it is told, and knows what may be sent to it.
import assert from 'node:assert/strict'

/** How the token endpoint answers a request. */
export type Answer =
  | { readonly kind: 'token'; readonly rotates: boolean; readonly seconds: number | null }
  /** A new refresh token beside an access token of a type that cannot be used. */
  | { readonly kind: 'unusable' }
  | { readonly kind: 'busy'; readonly status: number; readonly retryAfter: number | undefined }
  | { readonly kind: 'refused' | 'rejected' | 'malformed' | 'unreachable' }

/** A token that was handed out; `expiresAt` in milliseconds since 1970. */
export interface Token {
  readonly accessToken: string
  readonly expiresAt: number | undefined
}

let serial = 0
const fake = (purpose: string): string => {
  serial += 1
  return `FAKE-${purpose}-${serial}-Fk7qZ1wXv9`
}

/** The grant of one account at its token endpoint, and what has been answered so far. */
export class Grant {
  readonly clientId: string = fake('client')
  refreshToken: string = fake('refresh')
  readonly issued = new Map<string, Token>()
  readonly replaced = new Set<string>()
  isRevoked = false
  /** How it was answered last. */
  last: Answer['kind'] | undefined
  requests = 0
  inFlight = 0
  /** What was done that no client may do. */
  readonly misuses: string[] = []

  /** A token of it, as from the authorization-code flow. */
  issue(seconds: number | null): Token {
    const expiresAt = seconds === null ? undefined : Date.now() + seconds * 1000
    const token = { accessToken: fake('access'), expiresAt }
    this.issued.set(token.accessToken, token)
    return token
  }

  rotate(): void {
    this.replaced.add(this.refreshToken)
    this.refreshToken = fake('refresh')
  }

  begin(refreshToken: string): void {
    this.requests += 1
    this.inFlight += 1
    if (this.inFlight > 1) this.misuses.push('two requests at a time')
    if (this.isRevoked) this.misuses.push('a refresh token that was refused was sent again')
    if (this.replaced.has(refreshToken)) this.misuses.push('a replaced refresh token was sent')
    else if (refreshToken !== this.refreshToken) this.misuses.push("another's refresh token")
  }

  end(answer: Answer): Response {
    this.inFlight -= 1
    this.last = answer.kind
    switch (answer.kind) {
      case 'token':
        return this.#token(answer.rotates, answer.seconds)
      case 'unusable':
        this.rotate()
        return Response.json({ token_type: 'mac', refresh_token: this.refreshToken })
      case 'busy': {
        const { status, retryAfter } = answer
        const headers = { ...(retryAfter && { 'retry-after': String(retryAfter) }) }
        return new Response('', { status, headers })
      }
      case 'refused':
        this.isRevoked = true
        return Response.json({ error: 'invalid_grant' }, { status: 400 })
      case 'rejected':
        return Response.json({ error: 'invalid_request' }, { status: 400 })
      case 'malformed':
        return new Response('<html>')
      case 'unreachable':
        throw new TypeError('The network failed.')
    }
  }

  #token(rotates: boolean, seconds: number | null): Response {
    if (rotates) this.rotate()
    const { accessToken } = this.issue(seconds)
    const { refreshToken } = this
    const body = { access_token: accessToken, token_type: 'Bearer', expires_in: seconds }
    return Response.json({ ...body, ...(rotates && { refresh_token: refreshToken }) })
  }
}

/** The endpoint of several grants. */
export class TokenServer {
  readonly grants: Grant[] = []
  /** How it answers the next requests; then with a token of an hour. */
  answers: Answer[] = []
  readonly events: { readonly grant: Grant; readonly answer: Answer; readonly token?: Token }[] = []
  /** What happens between a request and its answer. */
  pause: () => Promise<unknown> = async () => undefined

  readonly fetch: typeof globalThis.fetch = async (_url, init = {}) => {
    const form = new URLSearchParams(String(init.body))
    const grant = this.grants.find(({ clientId }) => clientId === form.get('client_id'))
    assert(grant)
    grant.begin(String(form.get('refresh_token')))
    await this.pause()
    const answer = this.answers.shift() ?? { kind: 'token', rotates: true, seconds: 3600 }
    const known = grant.issued.size
    try {
      return grant.end(answer)
    } finally {
      const token = grant.issued.size > known ? [...grant.issued.values()].at(-1) : undefined
      this.events.push({ grant, answer, ...(token && { token }) })
    }
  }
}
