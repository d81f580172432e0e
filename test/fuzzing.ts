// Mutations of valid inputs, and what must hold of whatever they become.
import {
  createAdapter,
  CredentialError,
  formatHeaders,
  fromHeaders,
  OAuthCredential,
  parseEnv,
  parseHeaders,
  StaticCredential,
} from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'
import { createSignatureVerifier, signHeaders } from 'mcp-credentials/signature'
import type { ResolvedCredential } from 'mcp-credentials'
import { findLeak, renderings } from './helper.ts'
import { randomNumbers } from './interleaving.ts'
import { fuzzUndoing } from './undoing.ts'

type Texts = Record<string, string>

// What breaks parsers: of JSON, of headers, of numbers, of time, of Unicode, of names.
const PIECES = [
  '',
  ' ',
  ',',
  ':',
  '"',
  '\\',
  '{',
  '}',
  '[',
  ']',
  '\0',
  '\t',
  '\r\n',
  '\x7f',
  'é',
  '\u2028',
  '\u{1f511}',
  '\ud800',
  '\\ud800',
  '\\u0063',
  '-0',
  '1e400',
  '1.5',
  '12345678901234567890',
  'null',
  'true',
  '__proto__',
  'constructor',
  'toJSON',
  '"a":1,"a":2',
  '2026-02-30',
  'T24:00',
  '+99:99',
  'Bearer ',
  '%00',
  '[redacted]',
]
const NAMES = [
  '__proto__',
  'constructor',
  'get',
  'toString',
  'X-MCP-Cred-Future',
  'x_mcp_cred_fields',
  'SVC_CRED_TYPE',
  'SVC_FIELD_',
  'SVC_EXTRA_A',
  'SVC_EXTRA_a',
]

class Mutator {
  readonly random: () => number
  constructor(seed: number) {
    this.random = randomNumbers(seed)
  }

  below(limit: number): number {
    return Math.floor(this.random() * limit)
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  text(text: string): string {
    const at = this.below(text.length + 1)
    const to = at + this.below(text.length - at + 1)
    return this.pick([
      () => text.slice(0, at) + this.pick(PIECES) + text.slice(at),
      () => text.slice(0, at) + this.pick(PIECES) + text.slice(to),
      () => text.slice(0, at) + text.slice(to),
      () => text.slice(0, to) + text.slice(at),
      () => text.slice(0, at) + String.fromCharCode(this.below(0x10000)) + text.slice(at + 1),
      () => text.slice(0, at),
      () => text + this.pick([', ', '\n', ' ']) + text,
      () => text.slice(0, at) + text.slice(at, to).toUpperCase() + text.slice(to),
    ])()
  }

  record(texts: Texts): Texts {
    const result: Texts = { ...texts }
    for (let count = 1 + this.below(3); count > 0; count--) {
      const name = this.pick(Object.keys(result).concat('none'))
      const value = result[name] ?? ''
      this.pick<() => void>([
        () => {
          result[name] = this.text(value)
        },
        () => {
          result[name] = this.text(this.text(value))
        },
        () => {
          delete result[name]
        },
        () => {
          result[this.pick(NAMES)] = value
        },
        () => {
          result[name.toUpperCase()] = value
        },
        () => {
          result[this.text(name)] = value
        },
      ])()
    }
    return result
  }
}

const toPlain = (credential: ResolvedCredential) =>
  JSON.stringify([
    credential.type,
    { ...credential.fields },
    credential.accessToken,
    credential.scopes,
    credential.expiresAt,
    credential.extra,
  ])

/** A function either gives a credential, or throws a CredentialError in which there is nothing of the secret. */
function attempt(parse: () => ResolvedCredential, secret: string): ResolvedCredential | undefined {
  try {
    return parse()
  } catch (error) {
    check(error, secret)
    return undefined
  }
}

function check(error: unknown, secret: string): void {
  if (!(error instanceof CredentialError))
    throw new Error(`Not a CredentialError: ${String(error)}`)
  const leak = findLeak(renderings(error), secret)
  if (leak !== undefined) throw new Error(`In "${error.message}" there is "${leak}"`)
}

// Pieces of eight of these do not stand in any message.
const SECRET = 'Fk7qZ1wXv9pRt3yUm5Nb'
const ENVIRONMENTS: readonly Texts[] = [
  {
    SVC_ACCESS_TOKEN: SECRET,
    SVC_REFRESH_TOKEN: SECRET,
    SVC_CLIENT_ID: 'id',
    SVC_CLIENT_SECRET: SECRET,
    SVC_TOKEN_URI: 'https://auth.example/',
    SVC_SCOPES: 'a b',
    SVC_EXPIRES_AT: '2026-05-04T12:00:00.5+01:30',
    SVC_EXTRA_TENANT: 'acme',
    SVC_CRED_TYPE: 'oauth',
  },
  { SVC_FIELDS: `{"apiKey":"${SECRET}","id":123456789012345678901,"none":null}` },
  { SVC_FIELD_apiKey: SECRET, SVC_FIELD_region: 'eu', SVC_CRED_TYPE: 'static' },
]
const HEADERS: readonly Texts[] = [
  {
    'X-MCP-Cred-Access-Token': SECRET,
    'X-MCP-Cred-Scopes': 'a b',
    'X-MCP-Cred-Extra': `{"a":[1,{"b":"${SECRET}"}],"c":null}`,
    'X-MCP-Cred-Expires-At': '2026-05-04 12:00',
  },
  { 'X-MCP-Cred-Fields': `{"apiKey":"${SECRET}","region":"eu"}`, 'X-MCP-Cred-Scopes': '["a","b"]' },
]
const KEY = 'FAKE-key-of-the-fuzzer-0123456789'

function fuzzEnv(mutator: Mutator): void {
  const env = mutator.record(mutator.pick(ENVIRONMENTS))
  attempt(() => parseEnv('SVC_', env, mutator.pick([undefined, 'oauth', 'static'])), SECRET)
}

function fuzzHeaders(mutator: Mutator): void {
  const headers = mutator.record(mutator.pick(HEADERS))
  const credential = attempt(
    () => parseHeaders(headers, mutator.pick([undefined, 'oauth', 'static'])),
    SECRET,
  )
  if (credential === undefined) return
  const again = attempt(() => parseHeaders(formatHeaders(credential), credential.type), SECRET)
  if (again === undefined || toPlain(again) !== toPlain(credential))
    throw new Error('formatHeaders and parseHeaders differ.')
}

async function fuzzVerify(mutator: Mutator): Promise<void> {
  const signed = await signHeaders(mutator.pick(HEADERS), KEY)
  // As Node.js gives them.
  const toLowerCase = (headers: Texts): Texts =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  const lower = toLowerCase(signed)
  const mutated = toLowerCase(mutator.record(lower))
  const ask = createAdapter(
    fromHeaders({
      type: mutator.pick(['oauth', 'static']),
      verify: createSignatureVerifier({ keys: [KEY] }),
    }),
  )
  const { credential } = await ask({ headers: mutated })
  if (credential instanceof CredentialError) return check(credential, SECRET)
  // Believed: then nothing of ours is other than it was, but for white space at the ends.
  const ours = (headers: Texts) =>
    JSON.stringify(
      Object.entries(headers)
        .filter(([name]) => /^x[-_.]mcp[-_.]cred[-_.]/i.test(name))
        .map(([name, value]) => [name.toLowerCase(), value.replace(/^[\t ]+|[\t ]+$/g, '')])
        .sort(),
    )
  if (ours(mutated) !== ours(lower)) throw new Error('Headers were believed that had been changed.')
}

function fuzzRedaction(mutator: Mutator): void {
  const secret = mutator.text(`${SECRET}${mutator.pick(PIECES)}${SECRET}`)
  const holder = attempt(() => new StaticCredential({ secret, other: SECRET }), secret)
  if (holder === undefined) return
  const forms = [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    SECRET,
  ].filter((form) => form.length >= 8 && secret.length >= 8)
  const text = mutator.text(
    `${mutator.pick(PIECES)}${mutator.pick([...forms, ''])} and ${mutator.pick([...forms, ''])}`,
  )
  const value = mutator.pick<() => unknown>([
    () => text,
    () => [text, { [text]: text }],
    () => new Error(text),
  ])()
  const clean = redactSecrets(value, holder)
  const shown = JSON.stringify(clean instanceof Error ? clean.message : clean)
  for (const form of forms) {
    const inJson = JSON.stringify(form).slice(1, -1)
    const before = shown.split(inJson)
    // What begins an escape right before it makes undoing ambiguous, which docs/scrubbing.md names.
    const isNamed = before.slice(0, -1).every((part) => /[%\\&][\w#]{0,6}$/.test(part))
    if (before.length > 1 && !isNamed) throw new Error('A secret is left.')
  }
}

/** Eight times the input takes about eight times as long: not the square of it, and not for ever. */
async function fuzzTime(mutator: Mutator): Promise<void> {
  const piece =
    mutator.text(
      mutator.pick([
        ...Object.values(HEADERS[0] ?? {}),
        ...Object.values(ENVIRONMENTS[1] ?? {}),
        ...PIECES,
      ]),
    ) || ' '
  const holder = new OAuthCredential({ accessToken: SECRET })
  const of = (length: number) => piece.repeat(Math.ceil(length / piece.length))
  const verify = createSignatureVerifier({ keys: [KEY] })
  const ask = createAdapter(fromHeaders({ type: 'oauth', verify }))
  const signature = {
    'x-mcp-cred-signature': `t=${Math.floor(Date.now() / 1000)},v1=${'0'.repeat(64)}`,
  }
  const timeOf = async (text: string) => {
    const start = performance.now()
    redactSecrets(text, holder)
    for (const header of ['X-MCP-Cred-Access-Token', 'X-MCP-Cred-Fields'])
      attempt(() => parseHeaders({ [header]: text }), SECRET)
    for (const header of ['X-MCP-Cred-Extra', 'X-MCP-Cred-Scopes', 'X-MCP-Cred-Expires-At'])
      attempt(() => parseHeaders({ 'X-MCP-Cred-Access-Token': 'a', [header]: text }), SECRET)
    await ask({ headers: { 'x-mcp-cred-access-token': `a${text}a`, ...signature } })
    return performance.now() - start
  }
  const [short, long] = [of(8192), of(65_536)]
  // Only what is slow every time is: machines have hiccups.
  const isSlow = async () => (await timeOf(long)) > Math.max(250, 40 * (await timeOf(short)))
  if ((await isSlow()) && (await isSlow()) && (await isSlow()))
    throw new Error('The time is not linear in the input.')
}

const TARGETS: [name: string, times: number, fuzz: (mutator: Mutator) => void | Promise<void>][] = [
  ['parseEnv', 40, fuzzEnv],
  ['parseHeaders', 40, fuzzHeaders],
  ['verify', 10, fuzzVerify],
  ['redactSecrets', 40, fuzzRedaction],
  ['undoing', 40, (mutator) => fuzzUndoing(mutator.random)],
  ['time', 1, fuzzTime],
]

/** One round of all targets; the same seed makes the same inputs. */
export async function fuzz(seed: number): Promise<void> {
  const mutator = new Mutator(seed)
  for (const [name, times, target] of TARGETS) {
    for (let turn = 0; turn < times; turn++) {
      try {
        await target(mutator)
      } catch (error) {
        throw new Error(`${name}, with --seed ${seed}: ${String(error)}`)
      }
    }
  }
}
