// Cases of scrubbing that changes of the code have shown to be missing elsewhere.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { StaticCredential } from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'
import { randomNumbers } from './interleaving.ts'

const holding = (secret: string) => new StaticCredential({ secret })
const bytesOf = (text: string) => Array.from(new TextEncoder().encode(text))
const hexOf = (text: string) =>
  bytesOf(text)
    .map((byte) => byte.toString(16).padStart(2, '0'))
    .join('')
const inHex = (text: string) => bytesOf(text).map((byte) => `0x${byte.toString(16)}`)

describe('a part of a value is sought', () => {
  const key = 'FAKE-part-0123456789'
  const parts: [what: string, value: string, part: string][] = [
    ['trimmed, of exactly eight characters', '\tXq7Kp2Zw ', 'Xq7Kp2Zw'],
    ['trimmed, without a digit', '\tFAKE-no-digits\n', 'FAKE-no-digits'],
    ['of exactly twelve characters', JSON.stringify({ key: 'FAKE-0123456' }), 'FAKE-0123456'],
    ['behind Bearer and more than one space', `Bearer \t ${key}`, key],
    ['the password of a URL whose scheme has a digit', `s3://id:${key}@store.example`, key],
    ['a string of JSON with a quote in it', '{"key":"FAKE\\"-0123456789"}', 'FAKE"-0123456789'],
    ['a string of JSON that was cut', `{"key":"${key}`, key],
    ['that only holds what a URL begins with', '["9FAKE://0123456789"]', '9FAKE://0123456789'],
    ['with two signs of an address', '["FAKE@0123456789@a.example"]', 'FAKE@0123456789@a.example'],
    ['that only begins like an address', '["a@b.example/FAKE-01234"]', 'a@b.example/FAKE-01234'],
  ]
  for (const [what, value, part] of parts) {
    test(what, () => assert.equal(redactSecrets(`a ${part} b`, holding(value)), 'a [redacted] b'))
  }

  const harmless: [what: string, value: string, text: string][] = [
    ['shorter than eight characters, in hex', '    prod    ', hexOf('prod')],
    ['behind what ends in token', 'FAKE-of-token name-0123456789', 'name-0123456789'],
    ['behind token, and before more', 'token name-0123456789 FAKE', 'name-0123456789'],
    ['in quotes, where there is no JSON', 'FAKE "name-0123456789" FAKE', 'name-0123456789'],
    [
      'a URL whose scheme has a digit',
      '["FAKE", "k8s://name-0123456789"]',
      'k8s://name-0123456789',
    ],
    ['an address of many names', '["FAKE", "name1@a.b.c.example"]', 'name1@a.b.c.example'],
  ]
  for (const [what, value, text] of harmless) {
    test(`but not ${what}`, () => {
      assert.equal(redactSecrets(`a ${text} b`, holding(value)), `a ${text} b`)
      assert.equal(redactSecrets(`a ${value} b`, holding(value)), 'a [redacted] b')
    })
  }
})

describe('a secret is found', () => {
  const found: [how: string, secret: string, text: string][] = [
    ['some of its UTF-8 percent-encoded, and some not', 'FAKE-ключ-ä-01', 'FAKE-ключ-%C3%A4-01'],
    ['in Latin-1 that looks like UTF-8', 'FAKE-\xed\xa0\x80-01', 'FAKE-%ED%A0%80-01'],
    [
      'in hex, with half of a surrogate pair',
      '["\\ud83dFAKE-0123456789"]',
      hexOf('\ud83dFAKE-0123456789'),
    ],
    ['in hex with 0x', 'FAKE-0x-01', inHex('FAKE-0x-01').join(', ')],
    ['in hex with 0x, in a form', 'FAKE-0x-02', inHex('FAKE-0x-02').join('+')],
    ['in a list of bytes, as YAML', 'FAKE-YAML-01', `\n- ${bytesOf('FAKE-YAML-01').join('\n- ')}`],
    ['in hex, with bytes below 16', 'FAKE\t\n-01', hexOf('FAKE\t\n-01')],
  ]
  for (const [how, secret, text] of found) {
    test(how, () => {
      const clean = redactSecrets(`a ${text} b`, holding(secret))
      // What is before the first byte belongs to none.
      assert.match(clean, /^a (?:0x|\n- )?\[redacted\] b$/)
    })
  }

  test('far into a text, and nothing else is replaced', () => {
    const [before, behind] = ['before. '.repeat(1000), ' .behind'.repeat(1000)]
    for (const text of [
      'FAKE-far-0123456789',
      'FAKE%2Dfar%2d0123456789',
      hexOf('FAKE-far-0123456789'),
    ])
      assert.equal(
        redactSecrets(before + text + behind, holding('FAKE-far-0123456789')),
        `${before}[redacted]${behind}`,
      )
  })

  test('but not in six rounds of escapes, which have no end', () => {
    const text = 'FAKE%25252525252F0123'
    assert.equal(redactSecrets(text, holding('FAKE/0123')), text)
  })

  test('but not by the low bytes of its characters', () => {
    assert.equal(redactSecrets('3a3b4e473a3b4e47', holding('ключключ')), '3a3b4e473a3b4e47')
  })

  test('and reported by its position, where its name does not look like one', () => {
    const [one, other] = ['FAKE-one-0123456789', 'FAKE-other-0123456789']
    const names: string[] = []
    const credential = new StaticCredential({ 'a/1': one, 'b/2': other })
    redactSecrets([one, other], credential, { onRedact: ({ name }) => names.push(name) })
    assert.deepEqual(names, ['field 1', 'field 2'])
  })
})

describe('of values', () => {
  const secret = 'FAKE-values-0123456789'
  const credential = holding(secret)
  const clean = <T extends object>(value: T) => redactSecrets({ leak: secret, value }, credential)
  const withheld = { name: 'what cannot be looked at', where: '' }

  test('a hundred places are reported, of as many as there are', () => {
    let count = 0
    const places = Array<string>(101).fill(secret)
    const onRedact = () => (count += 1)
    assert.deepEqual(redactSecrets(places, credential, { onRedact }), places.fill('[redacted]'))
    assert.equal(count, 100)
  })

  test('500 levels are looked at, and what is in the next is withheld', () => {
    const nested = (levels: number, leaf: unknown) =>
      Array.from({ length: levels }).reduce((inner) => [inner], leaf)
    for (const [levels, left] of [
      [500, '"[redacted]!"'],
      [501, '"[redacted]"'],
    ] as const) {
      const found = JSON.stringify(redactSecrets(nested(levels, `${secret}!`), credential))
      assert(found.includes(`[${left}]`))
    }
  })

  test('all of one is withheld where a look runs out of stack, and that is reported', () => {
    const found: unknown[] = []
    const value = {
      get deep() {
        throw new RangeError('Maximum call stack size exceeded')
      },
    }
    const onRedact = (place: unknown) => found.push(place)
    assert.equal(redactSecrets(value as unknown, credential, { onRedact }), '[redacted]')
    assert.deepEqual(found, [withheld])
  })

  test('toJSON is told the name that it has: of the value itself the empty one', () => {
    const byKey = { toJSON: (key: string) => (key === '' ? secret : key) }
    assert.equal(redactSecrets(byKey as unknown, credential), '[redacted]')
    const error = Object.assign(new Error('FAKE'), byKey)
    assert.equal(JSON.stringify(redactSecrets(error, credential)), '"[redacted]"')
  })

  test('what is beside a secret is the same object as before', () => {
    const throwing = () => {
      throw new Error('FAKE')
    }
    const same = [
      new Uint8Array(20),
      new DataView(new ArrayBuffer(20)),
      new ArrayBuffer(20),
      Object.defineProperty({}, Symbol.toStringTag, { get: throwing }),
    ]
    for (const value of same) {
      const { leak, value: kept } = clean(value)
      assert.equal(leak, '[redacted]')
      assert.equal(kept, value)
    }
  })

  test('all of one is withheld where a part of it refuses to be looked at', () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    const throwing = () => {
      throw new Error('FAKE')
    }
    const traps = [{ getPrototypeOf: throwing }, { ownKeys: throwing }, { get: throwing }]
    for (const value of [proxy, ...traps.map((handler) => new Proxy({}, handler))])
      assert.equal(clean(value) as unknown, '[redacted]')
  })

  test('errors that do not look like one are errors', () => {
    class Tagged extends Error {
      get [Symbol.toStringTag]() {
        return 'Tagged'
      }
    }
    const orphan: Error = Object.setPrototypeOf(new Error(secret), null)
    for (const error of [new Tagged(secret), orphan]) {
      const { message, stack } = clean(error).value
      assert.equal(message, '[redacted]')
      assert.equal(stack, error.stack?.replaceAll(secret, '[redacted]'))
    }
  })

  test('the copy of an error can be written to, and shows nothing that the error does not', () => {
    const error = new Error(secret)
    Reflect.deleteProperty(error, 'stack')
    const { value } = clean(error)
    assert(!('stack' in value))
    assert.deepEqual(Object.keys(value), [])
    value.message = 'changed'
    assert.equal(value.message, 'changed')
    assert(Reflect.deleteProperty(value, 'message'))
  })

  test('the toJSON of an error that is no function does not become one', () => {
    const error = Object.assign(new Error(secret), { toJSON: 'FAKE' })
    assert.notEqual(typeof clean(error).value.toJSON, 'function')
  })

  test('what is no number is no byte', () => {
    const text = 'FAKE\x01bytes-01'
    const bytes: unknown[] = bytesOf(text)
    assert.deepEqual(
      redactSecrets(bytes, holding(text)),
      bytes.map(() => 42),
    )
    for (const other of ['1', null]) {
      const list = [...bytes.slice(0, 4), other, ...bytes.slice(5)]
      assert.equal(redactSecrets(list, holding(text)), list)
    }
  })
})

describe('far into a long text, where only some of it is undone', () => {
  const secrets: [what: string, secret: string][] = [
    ['letters and digits', 'FAKE0123456789abcdefghijklmnopqrstuvwxyz'],
    ['hexadecimal', '0f1e2d3c4b5a69788796a5b4c3d2e1f0'],
    ['long', 'FAKE/long+0123456789-'.repeat(12)],
    ['long, of letters', 'FAKElong0123456789'.repeat(12)],
    ['of pieces of three', 'abc.012.def.345'],
    ['of pieces of two', 'ab.01.cd.23.ef'],
    ['of one piece and signs', '$%&/FAKE!!!!!!!!!!!!'],
    ['of one piece and many signs', `FAKE${'!'.repeat(200)}`],
    ['short, with a tab', 'FAKE\t-01'],
    ['of signs', '!$%&/()=?*+#'],
    ['whose bytes have few letters in base64', '~~~?>>~~~?>>FAKE-0123'],
    ['not in ASCII', 'pässwörd-ключ-密码-FAKE'],
    ['with line breaks', 'FAKE-1\nFAKE-2\nFAKE-3'],
  ]
  const base64 = (text: string) => btoa(String.fromCharCode(...bytesOf(text)))
  const inLines = (text: string, by: string) => text.match(/.{1,40}/g)?.join(by) ?? ''
  const ofAll = (text: string, escape: (code: number) => string) =>
    text.replace(/[^]/g, (unit) => escape(unit.charCodeAt(0)))
  const percent = (text: string, sign: string) => hexOf(text).replace(/../g, (pair) => sign + pair)
  const encodings: [how: string, encode: (secret: string) => string][] = [
    ['as it is', (secret) => secret],
    ['JSON', (secret) => JSON.stringify(secret).slice(1, -1)],
    ['a component of a URL', encodeURIComponent],
    ['percent', (secret) => percent(secret, '%')],
    ['percent, three times', (secret) => percent(secret, '%2525')],
    ['\\u', (secret) => ofAll(secret, (code) => `\\u${code.toString(16).padStart(4, '0')}`)],
    ['HTML', (secret) => ofAll(secret, (code) => `&#${code};`)],
    ['HTML, by name, twice', (secret) => secret.replace(/!/g, '&amp;amp;excl;')],
    ['base64', base64],
    ['base64 behind one', (secret) => base64(`:${secret}`)],
    ['base64 behind two', (secret) => base64(`::${secret}`)],
    ['base64 in lines', (secret) => inLines(base64(secret), '\n')],
    ['base64 in lines, indented', (secret) => inLines(base64(`:${secret}`), '\r\n        ')],
    ['hex', hexOf],
    ['hex in lines', (secret) => inLines(hexOf(secret).toUpperCase(), '\n')],
    ['hex with spaces', (secret) => hexOf(secret).replace(/..(?=.)/g, '$& ')],
    ['bytes', (secret) => bytesOf(secret).join(',')],
    ['bytes, indented', (secret) => JSON.stringify(bytesOf(secret), null, 4)],
    ['bytes, in JSON', (secret) => JSON.stringify(JSON.stringify(bytesOf(secret), null, '\t'))],
  ]
  const before = 'just prose that is not of any use, '.repeat(100)
  const behind = ' and other words that follow on it'.repeat(100)
  for (const [what, secret] of secrets) {
    test(`a secret is found: ${what}`, () => {
      for (const [how, encode] of encodings) {
        const text = encode(secret)
        const clean = redactSecrets(`${before}<${text}>${behind}`, holding(secret))
        assert(clean.startsWith(`${before}<`) && clean.endsWith(`>${behind}`), how)
        const left = clean.slice(before.length + 1, -behind.length - 1)
        assert.match(left, /\[redacted\]/, how)
        // Brackets, and what of base64 belongs to what stands beside it.
        assert(left.length < 28, `${how}: ${left}`)
      }
    })
  }

  const random = randomNumbers(17)
  const printable = Array.from({ length: 94 }, (_, at) => String.fromCharCode(33 + at))
  const alphabets: [of: string, characters: string[]][] = [
    ['letters and digits', printable.filter((one) => /\w/.test(one))],
    ['printable characters', printable],
    ['what makes base64 of few letters', [...'~~~?>>~~~?>>~0']],
    ['characters beyond ASCII', [...'\xff\xfe\xfb\xef~?>0']],
  ]
  for (const [of, characters] of alphabets) {
    test(`a secret is found in lines, wherever those are broken: of ${of}`, () => {
      for (const length of [24, 45, 66, 87, 108, 150]) {
        const pick = () => characters[Math.floor(random() * characters.length)]
        const secret = `FAKE-${Array.from({ length }, pick).join('')}`
        for (let shift = 0; shift < 30; shift++) {
          for (const encode of [base64, hexOf]) {
            const text = inLines(encode('y'.repeat(shift) + secret), '\n    ')
            const clean = redactSecrets(`${before}<${text}>${behind}`, holding(secret))
            assert.match(clean, /\[redacted\]={0,2}>|\[redacted\]\w={0,2}>/, secret)
          }
        }
      }
    })
  }

  test('a secret of signs is found beside one of letters', () => {
    const both = new StaticCredential({ letters: 'FAKE0123456789', signs: '!$%&/()=?*+#' })
    const clean = redactSecrets(`${before}<!$%&/()=?*+#>${behind}`, both)
    assert.equal(clean, `${before}<[redacted]>${behind}`)
  })

  test('a secret is found behind zeros', () => {
    const zeros = '\0'.repeat(300)
    const clean = redactSecrets(`${zeros}FAKE-zeros-01${zeros}`, holding('FAKE-zeros-01'))
    assert.equal(clean, `${zeros}[redacted]${zeros}`)
  })
})

test('the first look at a text finds a word that is as long as a secret, wherever it stands', () => {
  const secret = 'Xq7Kp2Zw'
  const renderings = [secret, btoa(secret).slice(0, -1), bytesOf(secret).join(' '), hexOf(secret)]
  for (let count = 0; count < 60; count++) {
    for (const rendering of renderings) {
      const text = `${'? '.repeat(count % 3)}${' '.repeat(count)}${rendering}  `
      assert.match(redactSecrets(text, holding(secret)), /\[redacted\]\w?=? +$/, text)
    }
  }
})

describe('secrets that begin alike', () => {
  const cases: [what: string, secrets: string[], text: string, clean: string][] = [
    ['the longer of two short ones', ['FAKE-0123', 'FAKE-012345'], 'FAKE-012345', '[redacted]'],
    [
      'the longer of two long ones',
      ['FAKE-0123456789abc', 'FAKE-0123456789abcdef'],
      'FAKE-0123456789abcdef',
      '[redacted]',
    ],
    [
      'the short one, where a long one begins alike and goes on otherwise',
      ['FAKE-0123', 'FAKE-0123456789abcdef'],
      'FAKE-0123456789abcXYZ',
      '[redacted]456789abcXYZ',
    ],
    [
      'no other, of a text that begins alike',
      ['SECRET-0123'],
      'SECR SECRET-0123',
      'SECR [redacted]',
    ],
    [
      'none, of a text that begins alike for long',
      ['FAKE-0123456789abcdefg'],
      'FAKE-0123456789abcXYZ0123',
      'FAKE-0123456789abcXYZ0123',
    ],
  ]
  for (const [what, secrets, text, expected] of cases) {
    test(`found is ${what}`, () => {
      for (const order of [secrets, [...secrets].reverse()]) {
        const credential = new StaticCredential(Object.fromEntries(order.entries()) as never)
        assert.equal(redactSecrets(`a ${text} b`, credential), `a ${expected} b`)
      }
    })
  }
})

describe('what is found beside each other', () => {
  const [one, other] = ['FAKE-0123456', '3456-FAKE-78']
  const credential = new StaticCredential({ one, other })
  const cases: [what: string, text: string, clean: string][] = [
    ['becomes one where it overlaps', `<${one}-FAKE-78>`, '<[redacted]>'],
    ['becomes one where it touches', `<${one}${other}${one}>`, '<[redacted]>'],
    ['stays two where it does not', `<${one} ${other}>`, '<[redacted] [redacted]>'],
    [
      'is replaced where it stands, some of it escaped',
      `<FAKE%2D0123456 ${other} FAKE\\u002d0123456 ${one}>`,
      '<[redacted] [redacted] [redacted] [redacted]>',
    ],
  ]
  for (const [what, text, clean] of cases)
    test(what, () => assert.equal(redactSecrets(text, credential), clean))
})

describe('what was searched for before is not taken for what is searched for now', () => {
  const fields = { one: 'FAKE-one-0123456789', other: 'FAKE-other-0123456789' }
  const first = new StaticCredential(fields)
  const [second, third] = [holding('FAKE-second-0123456789'), holding('FAKE-third-0123456789')]

  test('with as many names that are no secrets', () => {
    const text = Object.values(fields).join(' ')
    const clean = (name: string) => redactSecrets(text, first, { except: [name] })
    assert.equal(clean('one'), `${fields.one} [redacted]`)
    assert.equal(clean('other'), `[redacted] ${fields.other}`)
  })

  test('with as many credentials', () => {
    const text = 'FAKE-second-0123456789 FAKE-third-0123456789'
    assert.equal(redactSecrets(text, [first, second]), '[redacted] FAKE-third-0123456789')
    assert.equal(redactSecrets(text, [first, third]), 'FAKE-second-0123456789 [redacted]')
    assert.equal(redactSecrets(text, first), text)
  })
})
