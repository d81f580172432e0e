import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  ConnectRequiredError,
  fromEnv,
  fromHeaders,
  getCredentials,
  OAuthCredential,
  tryGetCredentials,
} from 'mcp-credentials'
import type { AdapterOptions, CallDetails, CallEvent, CredentialSource } from 'mcp-credentials'
import { withCredentials } from 'mcp-credentials/fetch'
import { assertNoLeak, codeOf, fakeSecret, findLeak } from './helper.ts'

const source = fromHeaders({ type: 'oauth' })
const headersWith = (token: string) => ({ 'X-MCP-Cred-Access-Token': token })
const requestWith = (token: string) =>
  new Request('http://server.example/', { headers: headersWith(token) })
const never = () => assert.fail('The handler ran.')

/** What `onCall` was told. */
function listening(more: AdapterOptions = {}) {
  const events: CallEvent[] = []
  const details: CallDetails[] = []
  const onCall: AdapterOptions['onCall'] = (event, detail) => {
    events.push(event)
    details.push(detail)
  }
  return { options: { ...more, onCall }, events, details }
}

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
      const { options, events, details } = listening()
      const handler = withCredentials(never, bad, options)
      const response = await handler(new Request('http://server.example/', { headers }))
      const text = await response.text()
      assert.equal(response.status, status)
      assert.equal(response.headers.get('content-type'), 'application/json')
      assert.deepEqual(Object.keys(JSON.parse(text).error), ['code', 'message'])
      assert.match(text, body)
      assert.equal(findLeak([text], 'FAKE'), undefined)
      const [event, ...others] = events
      assert.deepEqual(others, [])
      assert.equal(event?.outcome, 'refused')
      assert.match(String(event?.error?.code), /^ERR_CREDENTIAL_/)
      assert.equal(findLeak([JSON.stringify(events)], 'FAKE'), undefined)
      assert(details[0]?.cause instanceof Error)
    })
  }

  test('whose onCall throws or rejects is answered all the same, and nothing is left unhandled', async () => {
    const failing = () => {
      throw new Error('vault: FAKE-secret')
    }
    const hooks = [failing, () => Promise.reject(new Error('FAKE')), async () => failing()]
    for (const onCall of hooks) {
      for (const bad of [failing, fromEnv('FETCH_', { env: {} })]) {
        const handler = withCredentials(never, bad, { onCall })
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

  test('names the URL at which an account is connected', async () => {
    const url = 'https://server.example/connect?ticket=abc'
    const handler = withCredentials(never, () => {
      throw new ConnectRequiredError(url)
    })
    const response = await handler(new Request('http://server.example/'))
    assert.equal(response.status, 403)
    const { error } = (await response.json()) as { error: Record<string, string> }
    assert.deepEqual([error['code'], error['url']], ['ERR_CREDENTIAL_CONNECT', url])
  })

  test('whose client leaves while the source is busy does not run, and is told of once', async () => {
    for (const [isMissing, outcome] of [
      [false, 'failed'],
      [true, 'refused'],
    ]) {
      const client = new AbortController()
      const request = new Request('http://server.example/', { signal: client.signal })
      const { options, events } = listening()
      const slow: CredentialSource = async (request) => {
        client.abort()
        await sleep(1)
        if (isMissing) return source(request)
        return new OAuthCredential({ accessToken: fakeSecret('left') })
      }
      const response = await withCredentials(never, slow, options)(request)
      assert.equal(response.status, isMissing ? 403 : 499)
      assert.deepEqual(
        events.map((event) => event.outcome),
        [outcome],
      )
      if (!isMissing)
        assert.deepEqual(events[0]?.error, {
          name: 'AbortError',
          code: undefined,
          message: 'The client has left.',
        })
    }
  })

  test('whose optional credential is missing does not run either once its client has left', async () => {
    const client = new AbortController()
    const request = new Request('http://server.example/', { signal: client.signal })
    const slow: CredentialSource = async (request) => {
      client.abort()
      await sleep(1)
      return source(request)
    }
    const { options, events } = listening({ optional: true })
    assert.equal((await withCredentials(never, slow, options)(request)).status, 499)
    assert.deepEqual(
      events.map(({ outcome }) => outcome),
      ['failed'],
    )
  })

  test('tells onCall of each request once it is over', async () => {
    const error = new Error('upstream: FAKE-cause')
    const wrongType = () => new Response(getCredentials('static').field('apiKey'))
    for (const [name, handler, outcome, code] of [
      ['a response', () => new Response('made', { status: 201 }), 'ok', undefined],
      ['one for the client to correct', () => new Response('no', { status: 404 }), 'ok', undefined],
      ['no response, as of an upgrade', () => undefined, 'ok', undefined],
      ['one of a server that failed', () => new Response('', { status: 503 }), 'failed', undefined],
      ['an error', () => Promise.reject(error), 'failed', undefined],
      ['an error of ours', wrongType, 'failed', 'ERR_CREDENTIAL_TYPE'],
    ] as [string, () => Response | undefined | Promise<Response>, string, string | undefined][]) {
      const token = fakeSecret('event')
      const { options, events, details } = listening({ label: () => 'acme' })
      const handled = withCredentials(handler, source, options)(requestWith(token))
      const response = await handled.catch(() => undefined)
      await response?.text()
      await sleep(1)
      const [event, ...others] = events
      assert.deepEqual(others, [], name)
      assert.equal(event?.outcome, outcome, name)
      assert.equal(event?.error?.code, code, name)
      assert.deepEqual([event?.method, event?.type, event?.label], ['GET', 'oauth', 'acme'])
      assertNoLeak(events, token, 'FAKE-cause')
      assert.equal(details[0]?.credential?.accessToken, token)
    }
  })

  test('gives what its handler threw to the details', async () => {
    const error = new Error('upstream')
    const { options, details } = listening()
    const failing = withCredentials(() => Promise.reject(error), source, options)
    await assert.rejects(failing(requestWith(fakeSecret('cause'))), (thrown) => thrown === error)
    await sleep(1)
    assert.equal(details[0]?.cause, error)
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
    const used = new Response(new ReadableStream())
    used.body?.getReader()
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

/** Whether the bodies that this runtime makes of strings and bytes are streams of bytes, as those of Node.js and Workers. */
function makesStreamsOfBytes(): boolean {
  try {
    new Response('text').body?.getReader({ mode: 'byob' })
    return true
  } catch {
    return false
  }
}

describe('a body', () => {
  const streamed = (type?: 'bytes') =>
    new ReadableStream({
      type: type as never,
      start(controller: ReadableStreamDefaultController) {
        controller.enqueue(bytes('{}'))
        controller.close()
      },
    })
  const typed = (type: string) => ({ headers: { 'content-type': type } })
  const COMPLETE: [name: string, make: () => Response][] = [
    ['text', () => new Response('{}', typed('text/plain'))],
    ['a page', () => new Response('{}', typed('text/html; charset=UTF-8'))],
    ['JSON', () => Response.json({})],
    ['JSON of an error', () => new Response('{}', typed('application/problem+json'))],
    ['bytes that are JSON', () => new Response(bytes('{}'), typed('Application/JSON'))],
  ]
  for (const [name, make] of COMPLETE)
    test(`that is complete is passed on itself, where the runtime lets it be told: ${name}`, async () => {
      const made = make()
      const response = await withCredentials(() => made, source)(requestWith('token'))
      assert.equal(response === made, makesStreamsOfBytes())
      assert.equal(await response.text(), '{}')
    })

  const STREAMS: [name: string, make: () => Response][] = [
    ['without a type', () => new Response(streamed())],
    ['of text', () => new Response(streamed(), typed('text/plain'))],
    ['of JSON', () => new Response(streamed(), typed('application/json'))],
    ['of events', () => new Response(streamed(), typed('text/event-stream'))],
    ['of bytes, without a type', () => new Response(streamed('bytes'))],
    ['of bytes that are events', () => new Response(streamed('bytes'), typed('text/event-stream'))],
    [
      'of parts that are text',
      () => new Response(streamed('bytes'), typed('multipart/mixed; type="text/html"')),
    ],
    ['of lines', () => new Response(streamed('bytes'), typed('application/x-ndjson'))],
    ['of a file', () => new Response(streamed('bytes'), typed('application/octet-stream'))],
  ]
  for (const [name, make] of STREAMS)
    test(`that streams is passed on as another stream: ${name}`, async () => {
      const made = make()
      const response = await withCredentials(() => made, source)(requestWith('token'))
      assert.notEqual(response, made)
      assert.equal(made.body?.locked, true)
      assert.equal(response.headers.get('content-type'), made.headers.get('content-type'))
      assert.equal(await response.text(), '{}')
    })

  test('that a Response says is a string, as it does by itself, counts as one', async () => {
    for (const body of ['{}', streamed()]) {
      const made = new Response(body, typed('text/plain;charset=UTF-8'))
      assert.equal(await withCredentials(() => made, source)(requestWith('token')), made)
    }
  })

  // Reading its body would have it make a real response, which takes twice as long to serve.
  for (const [name, kept] of [
    ['nothing', null],
    ['text', '{}'],
    ['bytes', new TextEncoder().encode('{}')],
  ] as const)
    test(`that @hono/node-server still has as it was given is left alone: ${name}`, async () => {
      const response = {
        status: 200,
        headers: new Headers(),
        get body(): never {
          return assert.fail('It was asked for its body.')
        },
        [Symbol('state')]: 'of something else',
        [Symbol('cache')]: [200, kept, {}],
      }
      const handler = withCredentials(() => response as never, source)
      assert.equal(await handler(requestWith('token')), response)
    })

  test('that answers HEAD is passed on itself, and the scope does not wait for it', async () => {
    const { options, events } = listening()
    let later: Promise<void> | undefined
    const made = new Response(
      new ReadableStream({ pull: () => assert.fail('It was read.') }, noQueue),
    )
    const handler = withCredentials(
      () => {
        later = sleep(2).then(() => assert.equal(codeOf(getCredentials), 'ERR_CREDENTIAL_ENDED'))
        return made
      },
      source,
      options,
    )
    const request = new Request('http://server.example/', {
      method: 'HEAD',
      headers: headersWith(fakeSecret('head')),
    })
    assert.equal(await handler(request), made)
    await later
    assert.deepEqual(
      events.map(({ method, outcome }) => `${method} ${outcome}`),
      ['HEAD ok'],
    )
  })

  for (const [name, use] of [
    ['read', (response: Response) => response.text()],
    ['cancelled', (response: Response) => response.body?.cancel()],
  ] as const) {
    test(`that is ${name} in time has a timer no more, and one that held no process`, async () => {
      const runtime = globalThis as unknown as {
        setTimeout(fn: () => void, after: number): unknown
        clearTimeout(timer: unknown): void
      }
      const { setTimeout: set, clearTimeout: clear } = runtime
      const minutes = new Set<unknown>()
      let unheld = 0
      runtime.setTimeout = (fn: () => void, milliseconds: number) => {
        if (milliseconds < 60_000) return set(fn, milliseconds)
        const timer = { unref: () => (unheld += 1) }
        minutes.add(timer)
        return timer
      }
      runtime.clearTimeout = (timer) => {
        if (!minutes.delete(timer)) clear(timer)
      }
      try {
        const handler = withCredentials(() => new Response(streamed()), source)
        const response = await handler(requestWith('token'))
        assert.deepEqual([minutes.size, unheld], [1, 1])
        await use(response)
        assert.deepEqual([minutes.size, unheld], [0, 1])
      } finally {
        Object.assign(runtime, { setTimeout: set, clearTimeout: clear })
      }
    })
  }

  test('that nobody reads is cancelled after a minute, in the scope, which ends', async () => {
    const runtime = globalThis as unknown as { setTimeout(fn: () => void, after: number): unknown }
    const original = runtime.setTimeout
    const minutes: (() => void)[] = []
    runtime.setTimeout = (fn: () => void, milliseconds: number) => {
      if (milliseconds < 60_000) return original(fn, milliseconds)
      minutes.push(fn)
      return {}
    }
    try {
      const { respond, seen, later, events } = streaming(
        (see) => ({
          pull: () => assert.fail('It was read.'),
          cancel(reason: Error) {
            see(reason.message)
          },
        }),
        noQueue,
      )
      const response = await respond()
      assert.equal(minutes.length, 1)
      assert.deepEqual(events, [])
      minutes[0]?.()
      await sleep(1)
      await later()
      assert.deepEqual(seen, [
        'The response was left unread.: a credential',
        'later: ERR_CREDENTIAL_ENDED',
      ])
      assert.deepEqual(
        events.map(({ outcome }) => outcome),
        ['ok'],
      )
      await assert.rejects(response.text(), { message: 'The response was left unread.' })
    } finally {
      runtime.setTimeout = original
    }
  })
})

/** A response whose stream tells what each of its callbacks saw, and that has a timer which asks later. */
function streaming(callbacks: (see: (what: string) => void) => object, strategy?: QueuingStrategy) {
  const seen: string[] = []
  const { options, events, details } = listening()
  const see = (what: string) => {
    seen.push(`${what}: ${codeOf(getCredentials)}`)
  }
  let ask = () => {}
  const handler = withCredentials(
    () => {
      const isAsked = new Promise<void>((resolve) => {
        ask = resolve
      })
      void isAsked.then(() => see('later'))
      return new Response(new ReadableStream(callbacks(see), strategy))
    },
    source,
    options,
  )
  const later = async () => {
    ask()
    await sleep(1)
  }
  return { respond: () => handler(requestWith('token')), seen, later, events, details }
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
    const { respond, later, seen, events, details } = streaming(
      () => ({
        pull() {
          throw error
        },
      }),
      noQueue,
    )
    const response = await respond()
    assert.deepEqual(events, [])
    await assert.rejects(response.text(), (thrown) => thrown === error)
    await later()
    assert.deepEqual(seen, ['later: ERR_CREDENTIAL_ENDED'])
    assert.deepEqual(
      events.map(({ outcome }) => outcome),
      ['failed'],
    )
    assert.equal(details[0]?.cause, error)
  })

  test('that is cancelled, before, between and during reads, is told why, in the scope', async () => {
    const reason = new Error('client left')
    for (const reads of [0, 1, 2]) {
      let pulls = 0
      const { respond, seen, later, events } = streaming(
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
      assert.deepEqual(
        events.map(({ outcome }) => outcome),
        ['ok'],
      )
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
