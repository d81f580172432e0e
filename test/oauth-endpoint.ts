// A token endpoint without a network, for the tests of the room `oauth`.
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { OAuthCredential } from 'mcp-credentials'
import { CredentialRefreshError } from 'mcp-credentials/oauth'
import { assertNoLeak, fakeSecret } from './helper.ts'

export const tokenUri = 'https://auth.example/token'
export const clientId = 'client'
export const PAST: Date = new Date(0)
export const inSeconds = (seconds: number): Date => new Date(Date.now() + seconds * 1000)

export interface Sent {
  readonly url: string
  readonly init: RequestInit
  readonly form: Record<string, string>
  readonly authorization: string | undefined
}

type Answer = (form: Record<string, string>, count: number) => object | Promise<object>

/** A token endpoint that answers what it is told, a time later, and keeps what it was asked. */
export function endpoint(answer: Answer, milliseconds = 2) {
  const sent: Sent[] = []
  const fetch = async (url: string | URL | Request, init: RequestInit = {}) => {
    const form = Object.fromEntries(new URLSearchParams(String(init.body)))
    const authorization = new Headers(init.headers).get('authorization') ?? undefined
    const count = sent.push({ url: String(url), init, form, authorization })
    if (milliseconds > 0) await sleep(milliseconds)
    const given = await answer(form, count)
    if (given instanceof Response) return given
    return Response.json({ token_type: 'Bearer', expires_in: 3600, ...given })
  }
  return { fetch: fetch as typeof globalThis.fetch, sent }
}

/** A server that hands out another refresh token each time, and takes each but once. */
export function rotating(first: string, more: object = {}) {
  let generation = 0
  let current = first
  const reused: string[] = []
  const server = endpoint(({ refresh_token: given }) => {
    if (given !== current) {
      reused.push(String(given))
      return Response.json({ error: 'invalid_grant' }, { status: 400 })
    }
    generation += 1
    current = `${first}-${generation}`
    const answer = { access_token: `FAKE-access-${generation}`, refresh_token: current }
    return { ...answer, expires_in: 1, ...more }
  })
  return { first, reused, ...server }
}

/** A refresh token of its own for each test: who has sent one is remembered by the process. No file is called like it. */
export const refreshTokenOf = (purpose: string): string => fakeSecret(`renewable-${purpose}`)

export function expired(refreshToken: string, more: object = {}): OAuthCredential {
  const client = { clientId, tokenUri, expiresAt: PAST }
  return new OAuthCredential({ accessToken: 'FAKE-old-access', refreshToken, ...client, ...more })
}

interface Failure {
  readonly status?: number | undefined
  readonly error?: string | undefined
  readonly retryAfter?: number | undefined
}

/** Asserts that a promise rejects with a CredentialRefreshError, which tells nothing of what it should not. */
export async function assertFails(
  promise: Promise<unknown>,
  reason: string,
  { status, error, retryAfter }: Failure = {},
  ...secrets: string[]
): Promise<void> {
  await assert.rejects(promise, (thrown: unknown) => {
    assert(thrown instanceof CredentialRefreshError, String(thrown))
    assert.equal(thrown.message, `No new access token could be obtained: ${reason}`)
    assert.equal(thrown.code, 'ERR_CREDENTIAL_REFRESH')
    assert.equal(thrown.name, 'CredentialRefreshError')
    assert.equal(thrown.isServerFault, true)
    assert.deepEqual([thrown.status, thrown.error], [status, error])
    assert.equal(thrown.retryAfter, retryAfter)
    assert.equal(thrown.cause, undefined)
    assertNoLeak(thrown, 'FAKE-old-access', 'auth.example', ...secrets)
    return true
  })
}

/** Runs with a clock that stands still, and is set by what `fn` is given. */
export async function withClock(fn: (advance: (seconds: number) => void) => Promise<void>) {
  const { now } = Date
  let time = now()
  Date.now = () => time
  try {
    await fn((seconds) => {
      time += seconds * 1000
    })
  } finally {
    Date.now = now
  }
}
