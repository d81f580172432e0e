// Wherever the credential could be sent to, a server listens, and must never see it.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { OAuthCredential, runWithCredentials } from 'mcp-credentials'
import { createFetch } from 'mcp-credentials/upstream'
import { network } from './servers.js'

const ORIGIN = 'https://api.example'
const TOKEN = 'FAKE-hostile-token-0123456789abcdef'
const credential = new OAuthCredential({ accessToken: TOKEN })

const HOSTS = [
  'evil.example',
  'api.example.evil.example',
  'evil-api.example',
  'xapi.example',
  'api.example.',
  'api.examplee',
  'api.exampl',
  'example',
  'api-example',
  'api%2eexample.evil.example',
  'API.EXAMPLE.EVIL.EXAMPLE',
  'www.api.example',
  'аpi.example',
  'api。evil.example',
  'api.example%E3%80%82evil.example',
  'xn--pi-7kc.example',
  'ａｐｉ．ｅｖｉｌ．ｅｘａｍｐｌｅ',
  'api.example:444',
  'api.example:80',
  'api.example:4430',
  'api.example:08443',
  'user@api.example',
  'user:password@api.example',
  ':@evil.example',
  'api.example@evil.example',
  'api.example:443@evil.example',
  'api.example%40evil.example@evil.example',
  'api.example:password@evil.example:443',
  '@evil.example',
  'evil.example:443',
  '127.0.0.1',
  '127.1',
  '0x7f000001',
  '2130706433',
  '017700000001',
  '0.0.0.0',
  '[::1]',
  '[::ffff:127.0.0.1]',
  '[fd00::1]',
  '169.254.169.254',
  'localhost',
  'localhost:9',
  'api.example.com',
  'api.example.net',
  'api.example.local',
  'api.example.localhost',
  'api.example.internal',
  'api.example.127.0.0.1.nip.example',
  'apiexample',
  'api.exаmple',
  'api.ехample',
  'api.example0',
  '0api.example',
  'api_.example',
  '-api.example',
  'api..example',
  'api.example..',
  'a.p.i.example',
  'ipa.example',
  'example.api',
  'v1.api.example',
  'api.example.v1',
  '127.0.0.2',
  '10.0.0.1',
  '192.168.0.1',
  '100.100.100.200',
  'metadata.internal',
  '[::]',
  '[::ffff:a9fe:a9fe]',
  '[2001:db8::1]',
  'api.example:1443',
  'api.example:44300',
  'api.example:8080',
  'api.example:65535',
  'evil.example:8443',
  'evil.example.:443',
]

/** Forms in which a URL with another authority may be written. */
const ABSOLUTE = HOSTS.map((host) => `https://${host}/v1/users`)
const OTHER_SCHEMES = [
  'http://api.example/v1/users',
  'http://api.example:443/v1/users',
  'HTTP://API.EXAMPLE/v1/users',
  'http://evil.example/v1',
  'http:/evil.example/v1',
  'http:evil.example',
  'http:\\\\evil.example',
  'http://evil.example\\@api.example/v1',
  'ws://api.example/v1',
  'wss://api.example/v1/users',
  'ftp://api.example/v1/users',
  'file:///etc/passwd',
  'file://api.example/v1/users',
  'javascript:fetch("https://evil.example")',
  'data:text/plain,https://api.example/v1/users',
  'data:,',
  'blob:https://api.example/v1/users',
  'blob:https://evil.example/v1/users',
  'about:blank',
  'filesystem:https://api.example/v1/users',
  'view-source:https://api.example/v1/users',
  'https+unix://api.example/v1/users',
  'mailto:a@api.example',
  'node:fs',
  'intent://api.example/v1#Intent;end',
]
const RELATIVE = [
  '//evil.example',
  '//evil.example/v1/users',
  '///evil.example/v1/users',
  '////evil.example/v1/users',
  '\\\\evil.example/v1/users',
  '/\\evil.example/v1/users',
  '\\/evil.example/v1/users',
  '/\\/evil.example',
  '\\\\\\evil.example',
  '//evil.example:443/v1',
  '//api.example@evil.example/v1',
  '//evil.example\\.api.example/v1',
  '//evil.example#@api.example/v1',
  '//evil.example?@api.example/v1',
  '//evil.example;@api.example/v1',
  ' //evil.example/v1',
  '\t//evil.example/v1',
  '\n//evil.example/v1',
  '\r\n//evil.example/v1',
  '\0//evil.example/v1',
  '\u0001//evil.example/v1',
  '\u00a0//evil.example/v1',
  '/\t/evil.example/v1',
  '/\n/evil.example/v1',
  '/\r/evil.example/v1',
  '\t/\t/\tevil.example',
  'https:evil.example',
  'https:/evil.example/v1',
  'https:///evil.example/v1',
  'https:\\\\evil.example\\v1',
  'https:\\/evil.example',
  'hTTps:/\\evil.example/v1',
  'ht\ttps://evil.example/v1',
  'https\n://evil.example/v1',
  'https:/\t/evil.example/v1',
  ' https://evil.example/v1 ',
  '\0https://evil.example/v1',
  'https://evil.example/https://api.example/v1/users',
  'https://evil.example#https://api.example/v1/users',
  'https://evil.example?https://api.example/v1/users',
  'https://evil.example\\@api.example/v1/users',
  'https://evil.example\\.api.example/v1/users',
  'https://evil.example%2f@api.example/v1/users',
  'https://evil.example%00.api.example/v1',
  'https://evil.example\t.api.example/v1',
  'https://[::1]@evil.example/v1',
  'https://api.example:443:443@evil.example/v1',
  'https://api.example\u2044@evil.example/v1',
  'https://evil.example\u2025/v1',
  'https://',
  'https:',
  '://evil.example/v1',
  'evil.example',
  'evil.example/v1/users',
  'evil.example:443/v1',
  '.evil.example/v1',
  '@evil.example/v1',
  ':443@evil.example/v1',
  ':444/v1/users',
  'users',
]
/** On the very host, but not below the base URL. */
const OUTSIDE = [
  '/..',
  '/../',
  '/../admin',
  '/../v10/users',
  '/../v1x',
  '/users/../../admin',
  '/./../admin',
  '/.%2e/admin',
  '/%2e./admin',
  '/%2e%2e/admin',
  '/%2E%2E/admin',
  '/%2e%2e%2fadmin',
  '/..%2fadmin',
  '/..%2Fadmin',
  '/..%5cadmin',
  '/..%5Cadmin',
  '/users%2f..%2f..%2fadmin',
  '/users/..%2f..%2fadmin',
  '/users%5c..%5c..%5cadmin',
  '/..\\admin',
  '/..;/admin',
  '/..;a=b/admin',
  '/..%3b/admin',
  '/users/..;/..;/admin',
  '/..%252fadmin',
  '/%252e%252e%252fadmin',
  '/%252e%252e/admin',
  '/..%25255cadmin',
  '/\\..\\..\\admin',
  '/a/b/../../../admin',
  '/.\t./admin',
  '?/../../admin#/../../../admin/..'.replace(/^\?/, '/../admin?'),
  'https://api.example',
  'https://api.example/',
  'https://api.example/admin',
  'https://api.example/v',
  'https://api.example/v10',
  'https://api.example/V1/users',
  'https://api.example//v1/users',
  'https://api.example/%76%31/users',
  'https://api.example/v1%2fusers',
  'https://api.example/v1;/users',
  'https://api.example/v1.json',
  'https://api.example/v1/../admin',
  'https://api.example/v1/..%2fadmin',
  'https://api.example/v1%2f..%2fadmin',
  'https://api.example/v1/%2e%2e/admin',
  'https://api.example\\v1\\..\\admin',
  'https://api.example/x/../v1x',
  'https://api.example?/v1/users',
  'https://api.example#/v1/users',
  '../admin',
  '..\\admin',
  './../../admin',
]

const TARGETS = [...new Set([...ABSOLUTE, ...OTHER_SCHEMES, ...RELATIVE, ...OUTSIDE])]

const seenElsewhere: string[] = []
const seenByApi: string[] = []
let location = ''
let status = 302
let net: Awaited<ReturnType<typeof network>>

before(async () => {
  net = await network(
    ORIGIN,
    (request, response) => {
      seenByApi.push(`${request.headers.authorization} ${request.url}`)
      if (request.url?.startsWith('/v1/redirect')) response.writeHead(status, { location })
      response.end()
    },
    (request, response) => {
      const { authorization, 'x-api-key': key } = request.headers
      seenElsewhere.push(`${authorization ?? key ?? 'nothing'}`)
      response.end()
    },
  )
})
after(() => net.close())

const inCall = <T>(fn: () => T) => runWithCredentials(credential, fn)

/** What a server elsewhere, and the API, saw of the token while `fn` ran. */
async function sightings(fn: () => Promise<unknown>) {
  seenElsewhere.length = 0
  seenByApi.length = 0
  const error: unknown = await fn().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  const withToken = (seen: string[]) => seen.filter((text) => text.includes(TOKEN))
  return { error, elsewhere: withToken(seenElsewhere), api: withToken(seenByApi) }
}

const show = (target: string) => JSON.stringify(target)

function parses(text: string, base?: string): boolean {
  try {
    return new URL(text, base) instanceof URL
  } catch {
    return false
  }
}

/** Whether a text is a URL below the base URL, as somebody else would tell. */
function isBelow(text: string): boolean {
  if (!parses(text)) return false
  const { origin, pathname, username, protocol } = new URL(text)
  const isOrigin = protocol === 'https:' && origin === ORIGIN && username === ''
  return isOrigin && /^\/v1(\/|$)/.test(pathname) && !/%2f|%5c/i.test(pathname)
}

/** As a text, and as a URL and a Request where it can be one. */
function formsOf(target: string): (string | URL | Request)[] {
  const urls = [undefined, `${ORIGIN}/v1/`].flatMap((base) =>
    parses(target, base) ? [new URL(target, base)] : [],
  )
  const hostile = urls.filter((url) => !isBelow(url.href))
  const requests = hostile.filter(({ username }) => username === '').map((url) => new Request(url))
  return [target, ...hostile, ...requests]
}

test('there are 200 hostile targets, all different, and none is a URL below the base URL', () => {
  assert(TARGETS.length >= 200, String(TARGETS.length))
  assert.equal(new Set(TARGETS).size, TARGETS.length)
  assert.deepEqual(TARGETS.filter(isBelow), [])
})

describe('no server but the API sees the header', () => {
  for (const target of TARGETS) {
    test(`of a request to ${show(target)}`, async () => {
      for (const input of formsOf(target)) {
        const upstream = createFetch({ baseUrl: `${ORIGIN}/v1`, fetch: net.fetch })
        const { error, api } = await sightings(() => inCall(() => upstream(input)))
        assert.deepEqual(seenElsewhere, [])
        // A path with a tab in it is a path.
        if (api.length > 0) assert.match(String(api), / \/v1\/(?!.*(\.\.|%2f|%5c))/)
        else
          assert.match(
            String(error),
            /^TypeError: createFetch takes a path that starts with a slash/,
          )
      }
    })
  }

  test('while that of a fetch without createFetch goes there', async () => {
    const reached: string[] = []
    for (const target of TARGETS) {
      const headers = { authorization: `Bearer ${TOKEN}` }
      const careless = async () => net.fetch(new URL(target, `${ORIGIN}/v1/`), { headers })
      if ((await sightings(careless)).elsewhere.length > 0) reached.push(target)
    }
    assert(reached.length >= 100, `${reached.length}: ${reached.map(show).join(' ')}`)
  })

  test('nor does the API see that of one outside of the base URL', async () => {
    const reached: string[] = []
    for (const target of OUTSIDE) {
      const headers = { authorization: `Bearer ${TOKEN}` }
      const href = target.startsWith('https:') ? target : `${ORIGIN}/v1${target}`
      const { api } = await sightings(async () => net.fetch(href, { headers }))
      if (api.some((line) => !/ \/v1(\/(?!.*(\.\.|%2f|%5c))|$)/i.test(line))) reached.push(target)
    }
    assert(reached.length >= 35, `${reached.length}: ${reached.map(show).join(' ')}`)
  })
})

describe('a redirect of the API takes the header nowhere else', () => {
  const STATUSES = [301, 302, 303, 307, 308]
  // What no header can hold is sent as a tab, and what is no Latin-1 as bytes.
  const headerOf = (target: string) =>
    Buffer.from(target.replace(/[\0\u0001\r\n]/g, '\t'), 'utf8').toString('latin1')

  for (const [index, target] of TARGETS.entries()) {
    test(`to ${show(target)}`, async () => {
      location = headerOf(target)
      status = STATUSES[index % STATUSES.length] ?? 302
      const upstream = createFetch({ baseUrl: `${ORIGIN}/v1`, fetch: net.fetch })
      const { error, api } = await sightings(() =>
        inCall(() => upstream('/redirect', { method: 'POST', body: 'a' })),
      )
      assert.equal(error, undefined)
      assert.deepEqual(seenElsewhere, [])
      assert(api.length >= 1)
    })
  }

  test('while the runtime takes most headers along', async () => {
    let reached = 0
    status = 307
    for (const target of TARGETS) {
      location = headerOf(target)
      const headers = { 'x-api-key': TOKEN }
      const careless = () => net.fetch(`${ORIGIN}/v1/redirect`, { headers })
      if ((await sightings(careless)).elsewhere.length > 0) reached += 1
    }
    assert(reached >= 100, String(reached))
  })
})
