// Text in which there is no secret: nothing is found in it. `node dist/corpus.js` takes 50 MB and 1,000 credentials.
import { randomBytes, randomInt } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { OAuthCredential, StaticCredential } from 'mcp-credentials'
import type { ResolvedCredential } from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'

const SIGNS = Array.from({ length: 94 }, (_, at) => String.fromCharCode(33 + at))
const LETTERS = SIGNS.filter((sign) => /[A-Za-z\d]/.test(sign))
const random = (length: number, from: readonly string[]) =>
  Array.from({ length }, () => from[randomInt(from.length)]).join('')

/** Credentials of all shapes, with what stands in them besides secrets. */
const SHAPES: readonly (() => ResolvedCredential)[] = [
  () => new OAuthCredential({ accessToken: `gho_${random(36, LETTERS)}` }),
  () => new StaticCredential({ apiKey: randomBytes(16).toString('hex') }),
  () => new StaticCredential({ apiKey: randomBytes(30).toString('base64') }),
  () => new StaticCredential({ password: random(randomInt(10, 20), SIGNS) }),
  () => new StaticCredential({ pin: random(8, LETTERS) }),
  () => new StaticCredential({ header: `Bearer ${random(24, LETTERS)}` }),
  () =>
    new StaticCredential({
      url: `postgres://admin:${random(16, LETTERS)}@localhost:5432/postgres`,
    }),
  () => new StaticCredential({ account: JSON.stringify(serviceAccount(), null, 2) }),
]

const serviceAccount = () => ({
  type: 'service_account',
  project_id: 'my-project',
  private_key_id: randomBytes(20).toString('hex'),
  private_key: `-----BEGIN PRIVATE KEY-----\n${randomBytes(48).toString('base64')}\n-----END PRIVATE KEY-----\n`,
  client_email: 'robot@my-project.iam.gserviceaccount.com',
  auth_uri: 'https://accounts.google.com/o/oauth2/auth',
  universe_domain: 'googleapis.com',
})

const TEXT = /\.(?:[cm]?[jt]s|json|md|map|txt|ya?ml|html|css)$/

/** The files below a folder. Links are not followed: one of them leads back here. */
function* filesIn(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* filesIn(path)
    else if (entry.isFile()) yield path
  }
}

/** The texts below a folder, up to so many characters. */
export function textsIn(folder: string, characters: number): string[] {
  const texts: string[] = []
  let length = 0
  for (const path of filesIn(folder)) {
    if (length >= characters) break
    if (!TEXT.test(path)) continue
    const text = readFileSync(path, 'utf8')
    texts.push(text)
    length += text.length
  }
  return texts
}

export interface Findings {
  readonly characters: number
  readonly credentials: number
  readonly found: readonly string[]
  /** Whether a credential's own secret is found in the same texts, once it is put there. */
  readonly isControlFound: boolean
}

export function findFalsely(texts: readonly string[], count: number): Findings {
  const credentials = Array.from({ length: count }, (_, at) => SHAPES[at % SHAPES.length]!())
  const found: string[] = []
  for (const text of texts) {
    const clean = redactSecrets(text, credentials, {
      onRedact: ({ name }) => found.push(`${name} in ${text.slice(0, 60)}`),
    })
    if (clean !== text && found.length === 0) found.push(`something in ${text.slice(0, 60)}`)
  }
  const [token, text = ''] = [credentials[0]?.accessToken ?? '', texts[0]]
  return {
    characters: texts.reduce((sum, { length }) => sum + length, 0),
    credentials: count,
    found,
    isControlFound: redactSecrets(text + token, credentials) === `${text}[redacted]`,
  }
}

export const FOLDER = fileURLToPath(new URL('../node_modules', import.meta.url))

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const start = performance.now()
  const { characters, credentials, found, isControlFound } = findFalsely(
    textsIn(FOLDER, 50e6),
    1000,
  )
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(
    `${(characters / 1e6).toFixed(1)} MB, ${credentials} credentials, ${seconds} s: ${found.length} found falsely`,
  )
  for (const line of found.slice(0, 20)) console.log(line)
  if (found.length > 0 || !isControlFound) process.exitCode = 1
}
