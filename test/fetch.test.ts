import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  fromEnv,
  fromHeaders,
  getCredentials,
  OAuthCredential,
  tryGetCredentials,
} from 'mcp-credentials'
import type { CredentialSource } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/fetch'
import { codeOf, fakeSecret, findLeak } from './helper.ts'

const source = fromHeaders({ type: 'oauth' })
const headersWith = (token: string) => ({ 'X-MCP-Cred-Access-Token': token })
const requestWith = (token: string) =>
  new Request('http://server.example/', { headers: headersWith(token) })
const never = () => assert.fail('The handler ran.')

describe('a Fetch API handler', () => {
  test('has the credential of its request, and what else the server gives', async () => {
    const token = fakeSecret('fetch')
    const handler = withCredentials(
      async (request: Request, env: { name: string }, context: number) => {
        await sleep(1)
        assert.equal(getCredentials('oauth').accessToken, token)
        return new Response(`${new URL(request.url).host} ${env.name} ${context}`)
      },
      source,
    )
    assert.equal(
      await (await handler(requestWith(token), { name: 'env' }, 7)).text(),
      'server.example env 7',
    )
  })

  test('its source gets the headers and the signal', async () => {
    const token = fakeSecret('source')
    const request = new Request('http://server.example/', { headers: { 'X-Tenant': 'acme' } })
    const custom: CredentialSource = ({ headers, signal, tool }) => {
      assert.equal(headers?.get('x-tenant'), 'acme')
      assert.equal(headers?.get('x-absent'), null)
      assert.equal(signal, request.signal)
      assert.equal(tool, undefined)
      return new OAuthCredential({ accessToken: token })
    }
    const handler = withCredentials(() => new Response(codeOf(getCredentials)), custom)
    assert.equal(await (await handler(request)).text(), 'a credential')
  })

  for (const [name, bad, headers, status, body] of [
    [
      'a missing credential',
      source,
      {},
      403,
      /carries no X-MCP-Cred-Access-Token header\. Connect the account/,
    ],
    [
      'a malformed one',
      source,
      headersWith('two, FAKE-tokens'),
      403,
      /X-MCP-Cred-Access-Token has a comma in it/,
    ],
    [
      'an environment that lacks it',
      fromEnv('FETCH_', { env: {} }),
      {},
      500,
      /could not load the credential/,
    ],
    [
      'a source that throws',
      () => {
        throw new Error('vault: FAKE-secret')
      },
      {},
      500,
      /could not load the credential/,
    ],
    [
      'a source that returns no credential',
      () => ({ accessToken: 'FAKE' }) as never,
      {},
      500,
      /could not load the credential/,
    ],
  ] as [string, CredentialSource, Record<string, string>, number, RegExp][]) {
    test(`does not run with ${name}, which is answered with ${status}`, async () => {
      const errors: unknown[] = []
      const handler = withCredentials(never, bad, { onError: (error) => errors.push(error) })
      const response = await handler(new Request('http://server.example/', { headers }))
      const text = await response.text()
      assert.equal(response.status, status)
      assert.equal(response.headers.get('content-type'), 'application/json')
      assert.deepEqual(Object.keys(JSON.parse(text).error), ['code', 'message'])
      assert.match(text, body)
      assert.equal(findLeak([text], 'FAKE'), undefined)
      assert.equal(errors.length, status === 500 ? 1 : 0)
    })
  }

  test('whose onError throws or rejects is answered all the same, and nothing is left unhandled', async () => {
    const failing = () => {
      throw new Error('vault: FAKE-secret')
    }
    const hooks = [failing, () => Promise.reject(new Error('FAKE')), async () => failing()]
    for (const onError of hooks) {
      for (const bad of [failing, fromEnv('FETCH_', { env: {} })]) {
        const handler = withCredentials(never, bad, { onError })
        const response = await handler(new Request('http://server.example/'))
        assert.equal(response.status, 500)
        assert.equal(findLeak([await response.text()], 'FAKE'), undefined)
      }
    }
    await sleep(5)
  })

  test('may run without one where it is optional', async () => {
    const handler = withCredentials(
      () => new Response(`${codeOf(getCredentials)}, ${codeOf(tryGetCredentials)}`),
      source,
      { optional: true },
    )
    assert.equal(
      await (await handler(new Request('http://server.example/'))).text(),
      'ERR_CREDENTIAL_MISSING, nothing',
    )
    assert.equal((await handler(requestWith('two, tokens'))).status, 403)
  })

  test('needs a source, or it is a TypeError at once', () => {
    assert.throws(() => withCredentials(never, {} as never), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
    })
  })

  test('that throws or rejects does so for the server', async () => {
    const error = new Error('handler')
    for (const handler of [
      () => {
        throw error
      },
      () => Promise.reject(error),
    ]) {
      await assert.rejects(
        withCredentials(handler, source)(requestWith('token')),
        (thrown) => thrown === error,
      )
    }
    const used = new Response('used')
    await used.text()
    await assert.rejects(withCredentials(() => used, source)(requestWith('token')), {
      name: 'TypeError',
    })
  })
})

describe('the response', () => {
  test('keeps its status and its headers', async () => {
    const headers: [string, string][] = [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['x-own', 'kept'],
    ]
    const handler = withCredentials(
      () => new Response('made', { status: 201, statusText: 'Made', headers }),
      source,
    )
    const response = await handler(requestWith('token'))
    assert.deepEqual(
      [response.status, response.statusText, response.headers.get('x-own')],
      [201, 'Made', 'kept'],
    )
    assert.deepEqual(
      [...response.headers].filter(([name]) => name === 'set-cookie').map(([, value]) => value),
      ['a=1', 'b=2'],
    )
    assert.equal(await response.text(), 'made')
  })

  test('is the very same where it has no body, as one that opens a web socket', async () => {
    for (const response of [new Response(null, { status: 204 }), undefined]) {
      let later: Promise<void> | undefined
      const handler = withCredentials(() => {
        later = sleep(1).then(() => assert.equal(codeOf(getCredentials), 'ERR_CREDENTIAL_ENDED'))
        return response
      }, source)
      assert.equal(await handler(requestWith('token')), response)
      await later
    }
  })
})

/** A response whose stream tells what each of its callbacks saw, and that has a timer which asks later. */
function streaming(callbacks: (see: (what: string) => void) => object, strategy?: QueuingStrategy) {
  const seen: string[] = []
  const see = (what: string) => {
    seen.push(`${what}: ${codeOf(getCredentials)}`)
  }
  let ask = () => {}
  const handler = withCredentials(() => {
    const isAsked = new Promise<void>((resolve) => {
      ask = resolve
    })
    void isAsked.then(() => see('later'))
    return new Response(new ReadableStream(callbacks(see), strategy))
  }, source)
  const later = async () => {
    ask()
    await sleep(1)
  }
  return { respond: () => handler(requestWith('token')), seen, later }
}

const bytes = (text: string) => new TextEncoder().encode(text)
const noQueue = { highWaterMark: 0 }

describe('a streamed body', () => {
  test('has the credential in start, until its end', async () => {
    const { respond, seen, later } = streaming((see) => ({
      async start(controller: ReadableStreamDefaultController) {
        for (const chunk of ['a', 'b', 'c']) {
          await sleep(2)
          see(chunk)
          controller.enqueue(bytes(chunk))
        }
        controller.close()
      },
    }))
    assert.equal(await (await respond()).text(), 'abc')
    await later()
    assert.deepEqual(seen, [
      'a: a credential',
      'b: a credential',
      'c: a credential',
      'later: ERR_CREDENTIAL_ENDED',
    ])
  })

  test('has it in every pull, though the reader is outside, and is pulled no sooner than it is read', async () => {
    let pulls = 0
    const { respond, seen, later } = streaming(
      (see) => ({
        async pull(controller: ReadableStreamDefaultController) {
          see('pull')
          await sleep(1)
          pulls += 1
          if (pulls === 4) controller.close()
          else controller.enqueue(bytes(`${pulls}`))
        },
      }),
      noQueue,
    )
    const reader = ((await respond()).body as ReadableStream<Uint8Array>).getReader()
    await sleep(5)
    assert.equal(pulls, 0)
    const chunks = await Promise.all([reader.read(), reader.read()])
    assert.deepEqual(
      chunks.map(({ value }) => String.fromCharCode(...(value ?? []))),
      ['1', '2'],
    )
    await sleep(5)
    assert.equal(pulls, 2)
    await later()
    assert.equal(String.fromCharCode(...((await reader.read()).value ?? [])), '3')
    assert.equal((await reader.read()).done, true)
    assert.deepEqual(seen, [
      'pull: a credential',
      'pull: a credential',
      'later: a credential',
      'pull: a credential',
      'pull: a credential',
    ])
  })

  test('that fails gives its error to the reader, and ends the scope', async () => {
    const error = new Error('upstream')
    const { respond, later, seen } = streaming(
      () => ({
        pull() {
          throw error
        },
      }),
      noQueue,
    )
    await assert.rejects((await respond()).text(), (thrown) => thrown === error)
    await later()
    assert.deepEqual(seen, ['later: ERR_CREDENTIAL_ENDED'])
  })

  test('that is cancelled, before, between and during reads, is told why, in the scope', async () => {
    const reason = new Error('client left')
    for (const reads of [0, 1, 2]) {
      let pulls = 0
      const { respond, seen, later } = streaming(
        (see) => ({
          pull(controller: ReadableStreamDefaultController) {
            pulls += 1
            if (pulls > 1) return new Promise(() => {})
            return controller.enqueue(bytes('one'))
          },
          async cancel(given: unknown) {
            assert.equal(given, reason)
            see('cancel')
            await sleep(2)
            see('cancelled')
          },
        }),
        noQueue,
      )
      const reader = ((await respond()).body as ReadableStream).getReader()
      const pending = Array.from({ length: reads }, () => reader.read())
      if (reads === 1) await pending[0]
      await reader.cancel(reason)
      await Promise.all(pending)
      await later()
      assert.deepEqual(seen, [
        'cancel: a credential',
        'cancelled: a credential',
        'later: ERR_CREDENTIAL_ENDED',
      ])
    }
  })

  test('whose cancel fails tells the reader', async () => {
    const error = new Error('cancel')
    const { respond, later, seen } = streaming(
      () => ({
        cancel() {
          throw error
        },
      }),
      noQueue,
    )
    await assert.rejects(
      ((await respond()).body as ReadableStream).cancel(),
      (thrown) => thrown === error,
    )
    await later()
    assert.deepEqual(seen, ['later: ERR_CREDENTIAL_ENDED'])
  })

  test('100 MB pass through, a chunk at a time', async () => {
    let left = 1600
    const { respond } = streaming(
      () => ({
        pull(controller: ReadableStreamDefaultController) {
          if (left === 0) controller.close()
          else controller.enqueue(new Uint8Array(65_536))
          left -= 1
        },
      }),
      noQueue,
    )
    let size = 0
    const reader = ((await respond()).body as ReadableStream<Uint8Array>).getReader()
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read())
      size += chunk.value.length
    assert.equal(size, 1600 * 65_536)
  })
})
