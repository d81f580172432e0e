import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { format, inspect } from 'node:util'
import { OAuthCredential, runWithCredentials, StaticCredential } from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'
import { asThrown } from '../src/redact/values.ts'
import { fakeSecret, fakeToken, findLeak } from './helper.ts'
import { randomNumbers } from './interleaving.ts'

const plain = fakeSecret('redact')
const special = `FAKE "q\\b/s+a&l<t>'p%$&é\u{1f511} !~*()`
const credential = new StaticCredential({
  plain,
  special,
  other: 'FAKE-other-0123456789',
  short: 'prod',
  port: '5432',
})

const json = (text: string) => JSON.stringify(text).slice(1, -1)
const base64 = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text)))
const bytesOf = (text: string) => [...new TextEncoder().encode(text)]
const hexOf = (text: string) => bytesOf(text).map((byte) => byte.toString(16).padStart(2, '0'))
const inColumns = (bytes: number[]) =>
  `[\n ${bytes
    .map((byte, index) => `${`${byte}`.padStart(3)},${index % 12 === 11 ? '\n ' : ''}`)
    .join(' ')
    .slice(0, -1)}\n]`
const ascii = (text: string) =>
  text.replace(
    /[\x7f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

describe('a secret is found', () => {
  const renderings: [name: string, render: (secret: string) => string][] = [
    ['as it is', (secret) => secret],
    ['in JSON', json],
    ['in JSON in JSON', (secret) => json(json(secret))],
    ['in JSON in JSON in JSON', (secret) => json(json(json(secret)))],
    ['in JSON with escaped slashes', (secret) => json(secret).replace(/\//g, '\\/')],
    ['in ASCII JSON', (secret) => ascii(json(secret))],
    [
      'in ASCII JSON, in upper case',
      (secret) =>
        ascii(json(secret)).replace(/\\u(....)/g, (_, hex: string) => `\\u${hex.toUpperCase()}`),
    ],
    [
      'in ASCII JSON with escaped slashes, in JSON',
      (secret) => json(ascii(json(secret)).replace(/\//g, '\\/')),
    ],
    [
      'in JSON that is safe in HTML',
      (secret) =>
        json(secret).replace(
          /[<>&']/g,
          (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
        ),
    ],
    ['as a component of a URL', encodeURIComponent],
    [
      'as a component in lower case',
      (secret) => encodeURIComponent(secret).replace(/%../g, (escape) => escape.toLowerCase()),
    ],
    ['in a form', (secret) => new URLSearchParams({ key: secret }).toString().slice(4)],
    [
      'in the query of a URL',
      (secret) => new URL(`http://upstream.example/?key=${secret.replace(/#/g, '')}`).href,
    ],
    [
      'in HTML',
      (secret) =>
        secret
          .replace(/&/g, '&amp;')
          .replace(/</g, '&lt;')
          .replace(/>/g, '&gt;')
          .replace(/"/g, '&quot;')
          .replace(/'/g, '&#39;'),
    ],
    [
      'in XML',
      (secret) =>
        secret
          .replace(/&/g, '&amp;')
          .replace(/</g, '&lt;')
          .replace(/>/g, '&gt;')
          .replace(/"/g, '&quot;')
          .replace(/'/g, '&apos;'),
    ],
    ['in base64', base64],
    [
      'in base64url',
      (secret) => base64(secret).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, ''),
    ],
    ...[0, 1, 2, 3, 4, 5].map((length): [string, (secret: string) => string] => [
      `in a Basic header behind a user name of ${length}`,
      (secret) => `Basic ${base64(`${'u'.repeat(length)}:${secret}`)}`,
    ]),
    ['in hex', (secret) => hexOf(secret).join('')],
    ['in upper case hex', (secret) => hexOf(secret).join('').toUpperCase()],
    ['in a dump of bytes', (secret) => `<Buffer ${hexOf(secret).join(' ')}>`],
    ['in a list of bytes', (secret) => JSON.stringify(bytesOf(secret))],
    ['in a list of bytes with spaces', (secret) => `[${bytesOf(secret).join(', ')}]`],
    ['in a list of bytes, indented', (secret) => JSON.stringify(bytesOf(secret), null, 2)],
    [
      'in a list of bytes, indented by tabs',
      (secret) => JSON.stringify(bytesOf(secret), null, '\t'),
    ],
    [
      'in an indented list of bytes, as JSON in a string',
      (secret) =>
        [2, '\t'].map((by) => JSON.stringify(JSON.stringify(bytesOf(secret), null, by))).join(),
    ],
    ['in bytes by their index', (secret) => JSON.stringify({ ...bytesOf(secret) })],
    [
      'in bytes by their index, indented',
      (secret) => JSON.stringify({ ...bytesOf(secret) }, null, 2),
    ],
    ['in columns of bytes, as inspect prints them', (secret) => inColumns(bytesOf(secret))],
    [
      'in the password of a URL, as fetch quotes it',
      (secret) => {
        const url = new URL('http://upstream.example/')
        url.password = secret
        return url.href.slice(0, url.href.lastIndexOf('@'))
      },
    ],
    ['as UTF-8 that was read as Latin-1', (secret) => String.fromCharCode(...bytesOf(secret))],
  ]
  for (const [name, render] of renderings) {
    test(`${name}, and the rest of the text stays`, () => {
      for (const secret of [plain, special]) {
        const rendered = render(secret)
        const text = `before ${rendered} after ${rendered}`
        const clean = redactSecrets(text, credential)
        assert.match(clean, /^before [^]*\[redacted\][^]* after [^]*\[redacted\]/)
        assert.equal(findLeak([clean], secret), undefined)
        assert.equal(findLeak([clean], rendered.slice(-30, -2)), undefined)
      }
    })
  }

  test('in base64 alone', () => {
    assert.match(redactSecrets(base64(`..${plain}`), credential), /^Li5\[redacted\]/)
  })

  test('line by line', () => {
    const key = [
      '-----BEGIN FAKE KEY-----',
      'MIIFAKEFAKEFAKE1',
      '  MIIFAKEFAKEFAKE2',
      'end',
      '-----END FAKE KEY-----',
    ].join('\r\n')
    const pem = new StaticCredential({ key })
    assert.equal(redactSecrets('a MIIFAKEFAKEFAKE2 b', pem), 'a [redacted] b')
    assert.equal(redactSecrets(`a ${key} b`, pem), 'a [redacted] b')
    assert.equal(redactSecrets('the end', pem), 'the end')
  })

  const key = 'MIIFAKE+0123456789/abcdef=='
  const parts: [what: string, value: string, leak: string][] = [
    ['without the white space around it', ` ${plain}\t`, plain],
    ['with its own escapes undone', `FAKE\\nline-1\\n${key}`, `FAKE\nline-1\n${key}`],
    ['a line', `FAKE begins\r\n  ${key}\r\nFAKE ends`, key],
    ['a line, where line breaks are escaped', `FAKE begins\\n${key}\\nFAKE ends`, key],
    ['behind Bearer', `Bearer ${key}`, key],
    ['behind Basic', ` basic\t${key}\n`, key],
    ['behind token', `token ${key}`, key],
    ['behind another scheme', `ApiKey ${key}`, key],
    ['behind the name of a header', `X-Api-Key: ${key}`, key],
    ['behind that and a scheme', `Authorization: Bearer ${key}`, key],
    [
      'the user of a URL without a password',
      'https://FAKE0123456789@api.example',
      'FAKE0123456789',
    ],
    ['the password of a URL', `amqps://user:${key}@mq.example:5671/vhost`, key],
    ['the password of a URL without a user', `redis://:${key}@cache.example`, key],
    ['that password, decoded', 'https://u:FAKE%2F0123456789%3D@api.example', 'FAKE/0123456789='],
    ['a string in JSON', JSON.stringify({ type: 'x', list: [1, { key }] }), key],
    ['a string in JSON, escaped there', '{"key":"FAKE\\/0123456789\\u003d"}', 'FAKE/0123456789='],
    ['a line in JSON', JSON.stringify({ pem: `FAKE begins\n${key}\n` }, null, 2), key],
    ['a password in JSON', JSON.stringify(['x', `https://u:${key}@api.example`]), key],
    ['JSON in JSON', JSON.stringify(JSON.stringify({ key })), key],
  ]
  for (const [what, value, leak] of parts) {
    test(`${what}, of what its owner means by it`, () => {
      const holder = new StaticCredential({ value })
      assert.equal(redactSecrets(`a ${leak} b`, holder), 'a [redacted] b')
      const encoded = redactSecrets(`a ${base64(leak)} b`, holder)
      assert.match(encoded, /^a \[redacted\]\w?={0,2} b$/)
    })
  }

  const harmless: [what: string, value: string, text: string][] = [
    [
      'a URL',
      JSON.stringify({ key, token_uri: 'https://oauth2.example/token1' }),
      'https://oauth2.example/token1',
    ],
    [
      'an e-mail address',
      JSON.stringify({ key, mail: 'robot1@project.example' }),
      'robot1@project.example',
    ],
    ['a line of dashes', `-----BEGIN FAKE KEY-----\n${key}`, '-----BEGIN FAKE KEY-----'],
    [
      'prose',
      JSON.stringify({ key, note: 'the key number 2 of them all' }),
      'the key number 2 of them all',
    ],
    ['fewer than 12 characters', JSON.stringify({ key, id: 'project-123' }), 'project-123'],
    ['no digit', JSON.stringify({ key, type: 'service_account' }), 'service_account'],
    ['no letter', JSON.stringify({ key, id: '123456789012345' }), '123456789012345'],
    ['the name of a member', JSON.stringify({ 'member-name-0123': key }), 'member-name-0123'],
    ['what only begins like JSON', `{${key} "FAKE"`, 'FAKE'],
    [
      'the user of a URL with a password',
      `https://user-name-0123:${key}@api.example`,
      'user-name-0123',
    ],
  ]
  for (const [what, value, text] of harmless) {
    test(`but no part that looks like anything else: ${what}`, () => {
      const holder = new StaticCredential({ value })
      assert.equal(redactSecrets(text, holder), text)
      assert.equal(redactSecrets(value, holder), '[redacted]')
    })
  }

  const undone: [how: string, secret: string, text: string][] = [
    ['Latin-1, percent-encoded', 'FAKE-pässwörd-9', 'FAKE-p%E4ssw%f6rd-9'],
    ['Latin-1 in base64', 'FAKE-pässwörd-9', btoa('FAKE-pässwörd-9')],
    ['Latin-1 in hex', 'FAKE-äöü', '46414b452de4f6fc'],
    ['the old escape', 'FAKE-ключ-0', 'FAKE-%u043A%u043b%u044e%u0447-0'],
    ['four bytes of UTF-8', 'FAKE-\u{1f511}-0', 'FAKE-%F0%9f%94%91-0'],
    ['code points in braces', 'FAKE-\u{1f511}-0', 'FAKE-\\u{1F511}-0'],
    ['surrogate pairs', 'FAKE-\u{1f511}-0', 'FAKE-\\uD83D\\udd11-0'],
    ['names of entities', `FAKE<">'&-0`, 'FAKE&lt;&quot;&gt;&apos;&amp;-0'],
    ['numbers of entities', 'FAKE/=+-0', 'FAKE&#47;&#x3D;&#x2b;-0'],
    ['control characters', 'FAKE\t\n\r-0', 'FAKE\\t\\n\\r-0'],
    ['doubled quotes', `FAKE'"-01`, `FAKE''""-01`],
    ['quotes of a shell', `FAKE'-'-01`, `FAKE'\\''-'"'"'-01`],
    ['five rounds', 'FAKE/0123', 'FAKE%25252525252F0123'.replace('252525', '2525')],
    ['a value with escapes of its own', 'FAKE%2F\\u0041-0', 'FAKE/A-0'],
    ['that value, escaped again', 'FAKE%2F&amp;-0', 'FAKE%2F&amp;amp;-0'],
    [
      'what is no character',
      'FAKE-0123',
      '&#9999999;&#xffffff;%ff%ed%a0%80%u12\\u{}\\x4&none;FAKE-0123',
    ],
  ]
  for (const [how, secret, text] of undone) {
    test(`undone: ${how}`, () => {
      const clean = redactSecrets(`before ${text} after`, new StaticCredential({ secret }))
      assert.match(clean, /^before (&#9999999;.*)?\[redacted\](==)? after$/)
    })
  }

  const escapers: Record<string, (code: string) => string> = {
    '%XX': (code) => `%${code}`,
    '\\xXX': (code) => `\\x${code}`,
    '\\uXXXX': (code) => `\\u00${code}`,
    '\\u{XX}': (code) => `\\u{${code}}`,
    '\\u{000000XX}': (code) => `\\u{000000${code}}`,
    '&#xXX;': (code) => `&#x${code};`,
    '&#x000000XX;': (code) => `&#x000000${code};`,
    '&#NN;': (code) => `&#${Number.parseInt(code, 16)};`,
    '&#00000NN;': (code) => `&#${`${Number.parseInt(code, 16)}`.padStart(7, '0')};`,
    'old escape': (code) => `%u00${code}`,
  }
  const outer: ((text: string) => string)[] = [
    String,
    json,
    encodeURIComponent,
    (text) => encodeURIComponent(encodeURIComponent(text)),
    (text) => text.replace(/&/g, '&amp;'),
  ]
  for (const [name, escape] of Object.entries(escapers)) {
    test(`where some letters and digits are escaped: ${name}, in texts short and long`, () => {
      const secret = 'ghpFAKE16C7e42F292c6912E7710c838347Ae178B4a'
      const some = (isOne: (at: number) => boolean) =>
        [...secret].map((character, at) =>
          isOne(at) ? escape(hexOf(character)[0] ?? '') : character,
        )
      const partly = [1, 2, 3, 4, 5, 40].map((by) => some((at) => at % by === by - 1))
      for (const characters of [...partly, some((at) => at === 40), some((at) => at === 0)])
        for (const escapeAgain of outer)
          for (const around of ['.', 'lorem ipsum, '.repeat(3000)]) {
            const clean = redactSecrets(
              `${around} ${escapeAgain(characters.join(''))} ${around}`,
              new StaticCredential({ secret }),
            )
            assert.equal(clean, `${around} [redacted] ${around}`)
          }
    })
  }

  test('in bytes in groups of two, padded, or by index without quotes', () => {
    const secret = 'FAKE\tgroups-0123456789'
    const decimal = bytesOf(secret).map((byte) => `${byte}`.padStart(3, '0'))
    const texts = [
      hexOf(secret)
        .join('')
        .replace(/....(?=.)/g, '$& '),
      hexOf(secret)
        .join('')
        .replace(/....(?=.)/g, '$&:'),
      hexOf(secret).join(' '),
      decimal.join(' '),
      bytesOf(secret)
        .map((byte, at) => `${at}: ${byte}`)
        .join(', '),
      bytesOf(secret)
        .map((byte, at) => `${at}:${byte}`)
        .join(','),
      bytesOf(secret)
        .map((byte) => `\n* ${byte}`)
        .join(''),
      [...secret].map((character) => `&#x${hexOf(character)[0]}`).join(''),
      [...secret].map((character) => `&#${character.charCodeAt(0)}`).join(''),
    ]
    for (const text of texts)
      for (const around of ['.', 'lorem ipsum, '.repeat(3000)]) {
        const clean = redactSecrets(
          `${around} {${text}} ${around}`,
          new StaticCredential({ secret }),
        )
        assert.match(
          clean.slice(around.length, -around.length),
          /^ \{[\s*0:]{0,4}\[redacted\]\} $/,
          text,
        )
      }
  })

  test('in OAuth credentials: the tokens and the client secret, and nothing else', () => {
    const [accessToken, refreshToken, clientSecret] = [
      fakeSecret('a'),
      fakeSecret('r'),
      fakeSecret('c'),
    ]
    const oauth = new OAuthCredential({
      accessToken,
      refreshToken,
      clientSecret,
      clientId: 'client-id-1',
      tokenUri: 'https://auth.example',
      scopes: ['read:user'],
    })
    const text = `${accessToken} ${refreshToken} ${clientSecret} client-id-1 https://auth.example read:user`
    assert.equal(
      redactSecrets(text, oauth),
      '[redacted] [redacted] [redacted] client-id-1 https://auth.example read:user',
    )
  })
})

describe('nothing else is touched', () => {
  test('what has no secret comes back as the same reference', () => {
    class Custom {
      #secret = 1
      value = this.#secret
    }
    const values = [
      'a text',
      '',
      7,
      null,
      undefined,
      true,
      1n,
      Symbol('s'),
      () => 1,
      [],
      {},
      [1, [2]],
      { a: { b: 'c' } },
      new Map([['a', 1]]),
      new Set(['a']),
      new Error('an error'),
      new DOMException('gone', 'AbortError'),
      new Uint8Array(20),
      new Date(0),
      new URL('http://upstream.example'),
      new Custom(),
      Object.create(null),
      new Headers({ a: 'b' }),
    ]
    for (const value of values) assert.equal(redactSecrets(value, credential), value)
    assert.equal(redactSecrets(values, credential), values)
  })

  test('a long text, without looking for long words first', () => {
    const oauth = new OAuthCredential({ accessToken: fakeSecret('long') })
    const long = 'a b '.repeat(10_000)
    assert.equal(redactSecrets(long, oauth), long)
  })

  test('a text in another script', () => {
    const oauth = new OAuthCredential({ accessToken: fakeSecret('script') })
    assert.equal(
      redactSecrets('длинное предложение без единого секрета', oauth),
      'длинное предложение без единого секрета',
    )
    assert.equal(redactSecrets(`токен ${oauth.accessToken}`, oauth), 'токен [redacted]')
  })

  test('a value that is short without the white space around it', () => {
    const holder = new StaticCredential({ stage: '    prod    ' })
    assert.equal(redactSecrets('prod', holder), 'prod')
    assert.equal(redactSecrets('a    prod    b', holder), 'a[redacted]b')
  })

  test('short values, and fields that are named as no secrets', () => {
    const text = `prod 5432 ${plain} FAKE-other-0123456789`
    assert.equal(redactSecrets(text, credential), 'prod 5432 [redacted] [redacted]')
    assert.equal(
      redactSecrets(text, credential, { except: ['other'] }),
      'prod 5432 [redacted] FAKE-other-0123456789',
    )
    assert.equal(redactSecrets(text, credential, { except: ['other', 'plain', 'special'] }), text)
    assert.equal(redactSecrets(text, new StaticCredential({ short: 'prod' })), text)
    // A list of names is not mistaken for another that was used before it.
    assert.equal(
      redactSecrets(text, credential, { except: ['plain', 'special'] }),
      `prod 5432 ${plain} [redacted]`,
    )
    assert.equal(
      redactSecrets(text, credential, { except: ['plain\nspecial'] }),
      'prod 5432 [redacted] [redacted]',
    )
  })

  test('the parts of a copy that have no secret', () => {
    const kept = { deep: ['kept'] }
    const value = { kept, leak: plain }
    const clean = redactSecrets(value, credential)
    assert.deepEqual(clean, { kept, leak: '[redacted]' })
    assert.equal(clean.kept, kept)
    assert.equal(value.leak, plain)
  })
})

/** How often a function can call itself. */
function depthOfStack(): number {
  let depth = 0
  const descend = (): void => {
    depth += 1
    descend()
  }
  try {
    descend()
  } catch {}
  return depth
}

describe('objects come out as usable as they went in', () => {
  test('property names, numbered where they would collide', () => {
    const clean = redactSecrets(
      { [plain]: 1, [`${special}`]: 2, '[redacted]': 3, a: 4 },
      credential,
    )
    assert.deepEqual(Object.values(clean), [1, 2, 3, 4])
    assert.deepEqual(Object.keys(clean).sort(), ['[redacted]', '[redacted] 2', '[redacted] 3', 'a'])
  })

  test('a thousand property names that all become the same', () => {
    const pin = new StaticCredential({ pin: 'aaaaaaaa' })
    const names = Array.from({ length: 1000 }, (_, index) => ['a'.repeat(8 + index), index])
    const clean: Record<string, unknown> = redactSecrets(Object.fromEntries(names), pin)
    const expected = names.map((_, index) => `[redacted]${index === 0 ? '' : ` ${index + 1}`}`)
    assert.deepEqual(Object.keys(clean), expected)
    assert.deepEqual(Object.values(clean), [...names.keys()])
  })

  test('arrays and objects, as JSON has them', () => {
    class Custom {
      leak = plain
      kept = { as: 'it is' }
      get twice() {
        return this.leak + this.leak
      }
    }
    const custom = new Custom()
    const value = {
      list: [plain, null, 1, undefined],
      custom,
      date: new Date(0),
      symbol: Symbol.iterator,
    }
    const clean = redactSecrets(value, credential)
    assert.deepEqual(clean.list, ['[redacted]', null, 1, undefined])
    assert.equal(JSON.stringify(clean.custom), '{"leak":"[redacted]","kept":{"as":"it is"}}')
    assert.equal(clean.custom.kept, custom.kept)
    assert.equal(clean.date, value.date)
    const named = redactSecrets(
      JSON.parse(`{"leak":"${plain}","__proto__":{"admin":true}}`),
      credential,
    )
    assert.equal(JSON.stringify(named), '{"leak":"[redacted]","__proto__":{"admin":true}}')
    assert.equal(named.admin, undefined)
  })

  test('what JSON does not show stays what it is', () => {
    const value = { map: new Map([[plain, plain]]), set: new Set([plain]), [Symbol('hint')]: plain }
    assert.equal(redactSecrets(value, credential), value)
    const clean = redactSecrets({ ...value, leak: plain }, credential)
    assert.equal(clean.map, value.map)
    assert.equal(clean.set, value.set)
    assert.deepEqual(Reflect.ownKeys(clean), ['map', 'set', 'leak'])
  })

  test('an error becomes a new one of the same class, name and code', () => {
    class UpstreamError extends TypeError {
      override name = 'UpstreamError'
      code = 'E_UPSTREAM'
    }
    const error = Object.assign(
      new UpstreamError(`failed with ${plain}`, { cause: new Error(plain) }),
      { config: { headers: { authorization: `Bearer ${plain}` } } },
    )
    const clean = redactSecrets(error, credential)
    assert(clean instanceof UpstreamError)
    assert.notEqual(clean, error)
    assert.deepEqual(
      [clean.name, clean.code, clean.message],
      ['UpstreamError', 'E_UPSTREAM', 'failed with [redacted]'],
    )
    assert.deepEqual(clean.config, { headers: { authorization: 'Bearer [redacted]' } })
    assert.equal(clean.stack, error.stack?.replaceAll(plain, '[redacted]'))
    assert.deepEqual(Reflect.ownKeys(clean).sort(), Reflect.ownKeys(error).sort())
    const other = Object.assign(new Error('no secret'), { detail: plain })
    assert.equal(redactSecrets(other, credential).stack, other.stack)
    assert.equal(
      findLeak([inspect(clean, { showHidden: true, depth: 9 }), format('%o', clean)], plain),
      undefined,
    )
    assert.equal(error.message, `failed with ${plain}`)
    const aggregate = redactSecrets(new AggregateError([new Error(plain)], 'several'), credential)
    assert.equal((aggregate.errors[0] as Error).message, '[redacted]')
  })

  test('what an error keeps to itself is read before, and its JSON is redacted', () => {
    class PrivateError extends Error {
      readonly #secret: string
      readonly response = { status: 401 }
      constructor(secret: string) {
        super()
        this.#secret = secret
      }
      override get message() {
        return `refused ${this.#secret}`
      }
      get detail() {
        return { kept: true, of: this.#secret }
      }
      get broken(): string {
        throw new Error('broken')
      }
      toJSON() {
        return { message: this.message, status: this.response.status }
      }
    }
    const error = new PrivateError(plain)
    const clean = redactSecrets(error, credential)
    assert(clean instanceof PrivateError)
    assert.equal(clean.message, 'refused [redacted]')
    assert.deepEqual(clean.detail, { kept: true, of: '[redacted]' })
    assert.equal(clean.response, error.response)
    assert.equal(clean.broken, undefined)
    assert.equal(JSON.stringify(clean), '{"message":"refused [redacted]","status":401}')
    const harmless = new PrivateError('nothing')
    assert.equal(redactSecrets(harmless, credential), harmless)
  })

  test('errors in errors, in circles and in values', () => {
    const cause: Error = new Error(plain)
    const error = new AggregateError([new RangeError(plain), 'kept'], 'several', { cause })
    cause.cause = error
    const named = Object.assign(new Error('kept'), { [plain]: 1, [Symbol('kept')]: plain })
    const clean = redactSecrets({ error, named }, credential)
    assert.equal(clean.error.message, 'several')
    assert(clean.error.errors[0] instanceof RangeError)
    assert.equal((clean.error.cause as Error).message, '[redacted]')
    assert.equal((clean.error.cause as Error).cause, '[redacted]')
    const keys = Reflect.ownKeys(clean.named).map(String)
    for (const key of ['Symbol(kept)', '[redacted]', 'message']) assert(keys.includes(key), key)
    assert(!keys.includes(plain))
    assert.equal(findLeak([inspect(clean, { showHidden: true, depth: 9 })], plain), undefined)
  })

  test('a DOMException keeps its name and code', () => {
    const clean = redactSecrets(new DOMException(`aborted ${plain}`, 'AbortError'), credential)
    assert(clean instanceof DOMException)
    assert.deepEqual(
      [clean.name, clean.code, clean.message],
      ['AbortError', new DOMException('', 'AbortError').code, 'aborted [redacted]'],
    )
    assert.equal(findLeak([inspect(clean, { showHidden: true })], plain), undefined)
  })

  test('bytes, whose length stays', () => {
    const bytes = new TextEncoder().encode(`a ${special} b`)
    const clean = redactSecrets({ bytes, list: [...bytes] }, credential)
    assert(clean.bytes instanceof Uint8Array)
    assert.match(new TextDecoder().decode(clean.bytes), /^a \*+ b$/)
    assert.equal(clean.bytes.length, bytes.length)
    assert.deepEqual([...clean.bytes], clean.list)
    assert.match(new TextDecoder().decode(bytes), /FAKE/)
  })

  test('bytes of every kind come back as the same kind', () => {
    const bytes = new TextEncoder().encode(`..${plain}..`)
    const expected = `..${'*'.repeat(plain.length)}..`
    const text = (of: ArrayBufferView | ArrayBuffer) =>
      new TextDecoder().decode(
        ArrayBuffer.isView(of) ? new Uint8Array(of.buffer, of.byteOffset, of.byteLength) : of,
      )
    const clean = redactSecrets(
      {
        array: bytes.subarray(1),
        clamped: Uint8ClampedArray.from(bytes),
        signed: Int8Array.from(bytes),
        view: new DataView(bytes.buffer, 1),
        buffer: bytes.buffer,
      },
      credential,
    )
    assert(clean.array instanceof Uint8Array)
    assert(clean.clamped instanceof Uint8ClampedArray)
    assert(clean.signed instanceof Int8Array)
    assert(clean.view instanceof DataView)
    assert(clean.buffer instanceof ArrayBuffer)
    for (const copy of [clean.array, clean.view]) assert.equal(text(copy), expected.slice(1))
    for (const copy of [clean.clamped, clean.signed, clean.buffer])
      assert.equal(text(copy), expected)
    assert.equal(text(bytes), `..${plain}..`)
    // JSON shows the numbers of wider ones.
    const wide = JSON.stringify(redactSecrets([Uint16Array.from(bytes)], credential))
    assert.deepEqual(Object.values(JSON.parse(wide)[0]), [...new TextEncoder().encode(expected)])
    const others = [new Float64Array(9), new BigInt64Array(9), new DataView(bytes.buffer, 0, 2)]
    for (const other of others) assert.equal(redactSecrets(other, credential), other)
  })

  test('bytes among other things in a list, and by index', () => {
    const bytes = bytesOf(plain)
    const stars = bytes.map(() => 42)
    assert.deepEqual(redactSecrets(['a', ...bytes, null, 1.5, -1], credential), [
      'a',
      ...stars,
      null,
      1.5,
      -1,
    ] as never)
    assert.deepEqual(redactSecrets({ ...bytes }, credential), { ...stars })
  })

  test('what JSON would show of an object is searched too', () => {
    const url = new URL(`http://upstream.example/?key=${plain}`)
    assert.equal(
      redactSecrets({ url }, credential).url as unknown,
      'http://upstream.example/?key=[redacted]',
    )
    const custom = { toJSON: () => ({ leak: plain }) }
    assert.deepEqual(redactSecrets([custom], credential) as unknown[], [{ leak: '[redacted]' }])
    assert.equal(
      redactSecrets(url, credential) as unknown,
      'http://upstream.example/?key=[redacted]',
    )
    const hostile = {
      leak: plain,
      toJSON() {
        throw new Error('no JSON')
      },
    }
    assert.doesNotThrow(() => redactSecrets(hostile, credential))
    assert.equal(redactSecrets(credential, credential), credential)
  })

  test('boxed strings, functions with a toJSON, and a toJSON that looks at its key', () => {
    const call = Object.assign(() => plain, { toJSON: () => ({ leak: plain }) })
    const byKey = { toJSON: (key: string) => (key === 'leak' ? plain : 'kept') }
    assert.deepEqual(
      redactSecrets([Object(plain), call, { leak: byKey, other: byKey }], credential),
      ['[redacted]', { leak: '[redacted]' }, { leak: '[redacted]', other: byKey }],
    )
    const harmless = Object.assign(() => plain, { leak: plain })
    assert.equal(redactSecrets(harmless, credential), harmless)
  })

  test('a copy has no toJSON that gives back what was taken out', () => {
    const own: Record<string, unknown> = { leak: plain, toJSON: () => ({ ...own }) }
    class Holder {
      leak = plain
      toJSON = () => ({ ...this, inner: { ...own } })
    }
    class Failure extends Error {
      leak = plain
      toJSON = () => ({ ...this })
    }
    const again = { toJSON: () => ({ leak: plain, toJSON: () => ({ leak: plain }) }) }
    for (const value of [
      own,
      new Holder(),
      new Failure('FAKE'),
      again,
      { ...again, leak: plain },
    ]) {
      assert.notEqual(
        findLeak([inspect(value, { depth: 9 }), JSON.stringify([value])], plain),
        undefined,
      )
      const clean = redactSecrets({ value, list: [value] }, credential)
      assert.equal(
        findLeak([JSON.stringify(clean), inspect(clean, { depth: 9 })], plain),
        undefined,
      )
      assert.match(JSON.stringify(clean), /\[redacted\]/)
    }
    const text = { leak: plain, toJSON: plain }
    assert.deepEqual(redactSecrets(text, credential), { leak: '[redacted]', toJSON: '[redacted]' })
  })

  test('but what a toJSON gives the next time nobody knows', () => {
    let calls = 0
    const value = { toJSON: () => (calls++ === 0 ? 'FAKE' : plain) }
    assert.equal(redactSecrets(value, credential), value)
    assert.equal(JSON.stringify(value), JSON.stringify(plain))
  })

  test('what cannot be looked at is withheld, and reported', () => {
    const refuse = () => {
      throw new Error('FAKE')
    }
    const revoked = Proxy.revocable({}, {})
    revoked.revoke()
    const closed = [
      new Proxy(new Error(plain), { getPrototypeOf: refuse }),
      new Proxy(new Error(plain), { ownKeys: refuse }),
      new Proxy(new Error(plain), { get: refuse }),
      new Proxy({ leak: plain }, { ownKeys: refuse }),
      new Proxy({ leak: plain }, { get: refuse }),
      revoked.proxy,
    ]
    for (const value of closed) {
      const told: string[] = []
      const onRedact = ({ name }: { name: string }) => told.push(name)
      assert.equal(redactSecrets<unknown>(value, credential, { onRedact }), '[redacted]')
      assert.equal(redactSecrets<unknown>([{ value }], credential), '[redacted]')
      assert.deepEqual(told, ['what cannot be looked at'])
    }
  })

  test('what was thrown is searched as an error is, whatever it is', () => {
    const message = `boom ${plain}`
    class Event {
      readonly #message = message
      get message() {
        return this.#message
      }
    }
    const inherited = Object.create(new Error(message))
    const hidden = Object.defineProperty({}, 'message', { value: message })
    const called = Object.assign(() => undefined, { message })
    const things = [
      new Event(),
      hidden,
      called,
      Object.create({ message }),
      inherited,
      { message },
      new TypeError(message),
    ]
    for (const thing of things) {
      const clean: unknown = redactSecrets(asThrown(thing), credential)
      assert.equal((clean as Error).message, 'boom [redacted]')
      assert.equal(findLeak([inspect(clean, { showHidden: true, depth: 9 })], plain), undefined)
      assert.equal(clean instanceof Error, thing instanceof Error)
    }
    const harmless = new DOMException('gone', 'AbortError')
    for (const thing of ['a text', undefined, 7, harmless, () => 1, { message: 'gone' }])
      assert.equal(redactSecrets(asThrown(thing), credential), thing)
    assert.equal(redactSecrets(asThrown(plain), credential), '[redacted]')
    const json = asThrown({ message, list: [plain, 1], toJSON: () => ({ message }) })
    assert.equal(JSON.stringify(redactSecrets(json, credential)), '{"message":"boom [redacted]"}')
  })

  test('numbers, which a secret may be', () => {
    const pin = new StaticCredential({ pin: '4938201756', small: '87654321' })
    assert.deepEqual(redactSecrets({ a: 4938201756, b: 87654321n, c: 1.5, d: [NaN] }, pin), {
      a: '[redacted]',
      b: '[redacted]',
      c: 1.5,
      d: [NaN],
    } as never)
  })

  test('getters are read, and survived when they throw', () => {
    const value = {
      get leak() {
        return plain
      },
      get broken(): string {
        throw new Error('broken')
      },
      get kept() {
        return 'kept'
      },
    }
    const clean = redactSecrets(value, credential)
    assert.deepEqual(clean, { leak: '[redacted]', broken: undefined, kept: 'kept' } as never)
  })

  test('what is cyclic is withheld within itself, where something was found in it', () => {
    const value: Record<string, unknown> = { leak: plain }
    value['self'] = [value, { value }]
    const shared = { deep: 'kept' }
    const clean = redactSecrets({ value, shared, again: [shared, value] }, credential)
    const withheld = { leak: '[redacted]', self: ['[redacted]', { value: '[redacted]' }] }
    assert.deepEqual(clean, { value: withheld, shared, again: [shared, withheld] })
    const harmless: unknown[] = []
    harmless.push(harmless, { harmless })
    assert.equal(redactSecrets(harmless, credential), harmless)
    const graph: unknown[] = [plain]
    for (let level = 0; level < 40; level++) graph.push([graph.at(-1), graph.at(-1)])
    assert.equal((redactSecrets(graph, credential) as string[])[0], '[redacted]')
  })

  test('what is too deep is withheld, and said to be', () => {
    const nested = (depth: number, leaf: unknown) => {
      let value = leaf
      for (let level = 0; level < depth; level++) value = level % 2 ? [value] : { deep: value }
      return value
    }
    const told: string[] = []
    const clean = redactSecrets(nested(100_000, 'leaf'), credential, {
      onRedact: ({ name }) => told.push(name),
    })
    // That of QuickJS, embedded, has room for some 80 levels.
    const hasRoom = depthOfStack() > 2000
    assert.deepEqual(told, [hasRoom ? 'what is 500 levels deep' : 'what cannot be looked at'])
    assert.equal(clean === '[redacted]', !hasRoom)
    let [depth, value]: [number, unknown] = [0, clean]
    for (; typeof value === 'object'; depth++) value = Object.values(value as object)[0]
    assert.equal(value, '[redacted]')
    assert(depth <= 500)
    let cause: unknown
    for (let level = 0; level < 10_000; level++) cause = new Error('kept', { cause })
    assert.notEqual(redactSecrets(cause, credential), cause)
    const shown = JSON.stringify(nested(60, plain))
    assert.equal(
      JSON.stringify(redactSecrets(nested(60, plain), credential)),
      shown.replace(plain, '[redacted]'),
    )
  })

  test('nothing passes where the stack has run out', () => {
    const value = { deep: [{ leak: plain }] }
    const outcomes = new Set<string>()
    const descend = (): void => {
      try {
        descend()
      } finally {
        // On each level on the way back, from where there is hardly any stack left.
        if (outcomes.size < 2) outcomes.add(JSON.stringify(redactSecrets(value, credential)))
      }
    }
    try {
      descend()
    } catch {
      // It cannot but run out.
    }
    for (const outcome of outcomes)
      assert.match(outcome, /^("\[redacted\]"|\{"deep":\[\{"leak":"\[redacted\]"\}\]\})$/)
    assert(outcomes.size > 0)
  })
})

describe('onRedact', () => {
  test('is told which secret and where, never a value', () => {
    const told: string[] = []
    const onRedact = ({ name, where }: { name: string; where: string }) =>
      told.push(`${name} at ${where}`)
    redactSecrets(
      {
        content: [{ text: `${plain} and ${special}` }],
        [plain]: { a: special },
        bytes: new TextEncoder().encode(plain),
      },
      credential,
      { onRedact },
    )
    assert.deepEqual(told.sort(), [
      'field "plain" at ',
      'field "plain" at bytes',
      'field "plain" at content.0.text',
      'field "special" at [redacted].a',
      'field "special" at content.0.text',
    ])
    assert.equal(findLeak(told, plain), undefined)
  })

  test('is told once for each place and secret, with names cut and the end of a long path', () => {
    const told: string[] = []
    const onRedact = ({ name, where }: { name: string; where: string }) =>
      told.push(`${name} at ${where}`)
    const often = `${plain} ${special} `.repeat(1000)
    redactSecrets({ ['n'.repeat(1_000_000)]: often }, credential, { onRedact })
    const cut = 'n'.repeat(64)
    assert.deepEqual(told, [`field "plain" at ${cut}`, `field "special" at ${cut}`])

    told.length = 0
    let nested: unknown = plain
    for (let level = 20; level > 0; level--) nested = { [`level${level}`]: nested }
    redactSecrets(nested, credential, { onRedact })
    const last = Array.from({ length: 16 }, (_, index) => `level${index + 5}`)
    assert.deepEqual(told, [`field "plain" at ${last.join('.')}`])
  })
})

test('without a credential it takes the current scope, and outside of any does nothing', () => {
  assert.equal(redactSecrets(plain), plain)
  runWithCredentials(credential, () => assert.equal(redactSecrets(`a ${plain}`), 'a [redacted]'))
})

test('of several credentials', () => {
  const [first, second] = [fakeToken(), new StaticCredential({ other: fakeSecret('other') })]
  const text = `${first.accessToken} ${second.field('other')}`
  assert.equal(redactSecrets(text, [first, second]), '[redacted] [redacted]')
  assert.equal(redactSecrets(text, [second, first]), '[redacted] [redacted]')
  assert.equal(redactSecrets(text, first), `[redacted] ${second.field('other')}`)
  assert.equal(redactSecrets(text, []), text)
  assert.equal(redactSecrets(text, new StaticCredential({ short: 'prod' })), text)
})

test('a misspelt option, or one of another kind, is a TypeError', () => {
  for (const options of [{ exept: ['a'] }, { except: 'a' }, { except: [1] }, { onRedact: 'log' }])
    assert.throws(() => redactSecrets(plain, credential, options as never), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_VALUE',
      message: /redactSecrets/,
    })
})

test('what is no credential is a TypeError', () => {
  assert.throws(() => redactSecrets(plain, { fields: { plain } } as never), {
    name: 'TypeError',
    code: 'ERR_INVALID_ARG_TYPE',
    message: /^redactSecrets takes/,
  })
})

describe('properties', () => {
  const random = randomNumbers(7)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const word = (length: number, alphabet: string) =>
    Array.from({ length }, () => pick([...alphabet])).join('')

  test('secrets at every offset, overlapping, adjacent and nested: each of their characters is covered', () => {
    for (let round = 0; round < 3000; round++) {
      const alphabet = pick(['a', 'ab', 'aab', 'abcdefgh', 'a]d[re', '\\"/'])
      const secrets = Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
        word(8 + Math.floor(random() * 12), alphabet),
      )
      const nested = secrets[0]?.slice(1, 10) ?? ''
      const holder = new StaticCredential(
        Object.fromEntries([...secrets, nested].map((secret, index) => [`f${index}`, secret])),
      )
      const text = Array.from({ length: 6 }, () =>
        pick([...secrets, nested, word(Math.floor(random() * 9), alphabet), ' ']),
      ).join('')
      const clean = redactSecrets(text, holder)
      for (const secret of [...secrets, nested])
        if (secret.length >= 8)
          assert(!clean.includes(secret), JSON.stringify({ text, clean, secret }))
      if (![...secrets, nested].some((secret) => secret.length >= 8 && text.includes(secret)))
        assert.equal(clean.replaceAll('[redacted]', '').length <= text.length, true)
    }
  })

  test('every offset in a long text', () => {
    for (let offset = 0; offset < 200; offset++) {
      const text = `${'.'.repeat(offset)}${plain}${'.'.repeat(200 - offset)}`
      assert.equal(
        redactSecrets(text, credential),
        `${'.'.repeat(offset)}[redacted]${'.'.repeat(200 - offset)}`,
      )
    }
  })

  test('the placeholder never creates a secret', () => {
    const tricky = new StaticCredential({ a: 'SECRETXX', b: 'x[redacted]y', c: 'd]rest-of-it' })
    assert.equal(redactSecrets('xSECRETXXy', tricky), '[redacted]')
    for (const text of [
      'xSECRETXXy',
      'SECRETXXrest-of-it',
      'aSECRETXXSECRETXXrest-of-it',
      '[redacted]rest-of-it',
    ]) {
      const clean = redactSecrets(text, tricky)
      for (const secret of ['SECRETXX', 'x[redacted]y', 'd]rest-of-it'])
        assert(!clean.includes(secret))
    }
    assert.equal(
      redactSecrets('a [redacted] b', new StaticCredential({ a: 'redacted' })),
      'a [redacted] b',
    )
  })
})

describe('size', () => {
  test('10 MB of text, and 100 fields of 4 KB', () => {
    const filler = 'lorem ipsum dolor '.repeat(600_000)
    assert.equal(redactSecrets(`${filler}${plain}`, credential), `${filler}[redacted]`)
    const random = randomNumbers(11)
    const field = () =>
      Array.from({ length: 4096 }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join(
        '',
      )
    const many = new StaticCredential(
      Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`f${index}`, field()])),
    )
    assert.equal(redactSecrets(`a ${many.field('f99')} b`, many), 'a [redacted] b')
    assert.equal(redactSecrets(filler, many), filler)
  })
})

test('what is made of beginnings of a secret alone is withheld, and the rest stays', () => {
  const end = 'b0123456789c'
  const holder = new StaticCredential({ secret: `${'a'.repeat(2000)}${end}` })
  const [before, behind] = ['before. '.repeat(5000), ' .behind'.repeat(5000)]
  const clean = redactSecrets(`${before}${`${'a'.repeat(1000)}${end}`.repeat(20)}${behind}`, holder)
  assert.match(clean, /^before\. [before. ]+\[redacted\][ .behind]+ \.behind$/)
  assert(!clean.includes(end))
})

test('a value that is made to be costly, taken to pieces', () => {
  const costly = [
    `a${' '.repeat(5000)}1`,
    `["${'\\"'.repeat(5000)}\\`,
    '%2525252541'.repeat(500),
    `["FAKE-0123456789\\\n", "${'\\"'.repeat(9)}`,
  ]
  for (const secret of costly) {
    const holder = new StaticCredential({ secret })
    const clean = redactSecrets(`before ${secret} behind`, holder)
    assert.match(clean, /^(before )?\[redacted\]( behind)?$/)
  }
})

test('a look that runs out of stack is no reason to pass', () => {
  const secret = 'FAKE-out-of-stack-0123456789abcdef'
  const holder = new StaticCredential({ secret })
  const value = {
    get deep() {
      throw new RangeError('Maximum call stack size exceeded')
    },
    secret,
  }
  assert.equal(JSON.stringify(redactSecrets([value], holder)).includes(secret), false)
})
