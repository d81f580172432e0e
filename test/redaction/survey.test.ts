// Every rendering of every kind of secret: found, with all that tells of it gone and nothing else, or named as not found.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { StaticCredential } from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'
import { RENDERINGS, SECRETS } from './renderings.js'
import type { Rendering, SecretName } from './renderings.js'

const documents = readFileSync(new URL('../../../docs/scrubbing.md', import.meta.url), 'utf8')
const NAMES = Object.keys(SECRETS) as SecretName[]

const SMALL = ['before: ', ' :after'] as const
const LARGE = [`${'lorem ipsum, '.repeat(3000)}: `, ` :${' dolor\nsit'.repeat(3000)}`] as const

/** Of the same shape as a secret, with another letter or digit wherever it has one; lines of dashes are no secret. */
const lookalike = (secret: string) =>
  secret.replace(/^-.*|[A-Za-z\d]/gm, (part) => {
    if (part.startsWith('-')) return part
    if (/\d/.test(part)) return String((Number(part) + 1) % 10)
    const first = part.charCodeAt(0) & 96
    return String.fromCharCode(first + 1 + ((part.charCodeAt(0) - first) % 26))
  })

const PIECE = 12
const piecesOf = (text: string) =>
  Array.from({ length: Math.max(text.length - PIECE, 0) + 1 }, (_, at) =>
    text.slice(at, at + PIECE),
  )

/** What is left of a rendering that depends on the secret. */
function leftOf(clean: string, { render }: Rendering, secret: string): string[] {
  const harmless = new Set(piecesOf(render(lookalike(secret))))
  return piecesOf(render(secret)).filter((piece) => !harmless.has(piece) && clean.includes(piece))
}

const table = new Map<string, string[]>()

describe('each rendering of each secret', () => {
  for (const rendering of RENDERINGS) {
    const { name, render, missed } = rendering
    test(name, () => {
      const row: string[] = []
      table.set(name, row)
      for (const kind of NAMES) {
        const secret = SECRETS[kind]
        const credential = new StaticCredential({ secret })
        const rendered = render(secret)
        for (const [before, behind] of [SMALL, LARGE]) {
          const clean = redactSecrets(before + rendered + behind, credential)
          assert(
            clean.startsWith(before) && clean.endsWith(behind),
            `${kind}: only what is its own`,
          )
          if (missed?.secrets.includes(kind)) {
            assert.notEqual(
              leftOf(clean, rendering, secret).length,
              0,
              `${kind} is found after all`,
            )
            continue
          }
          assert.match(clean.slice(before.length, -behind.length), /\[redacted\]/, kind)
          // A character of base64 at each end is also its neighbour's.
          const left = leftOf(clean, rendering, secret)
          assert(left.length <= 2, `${kind}: ${left.length} pieces are left, of ${rendered.length}`)
        }
        row.push(missed?.secrets.includes(kind) ? 'named' : 'found')
      }
      if (missed)
        assert(documents.includes(`| ${missed.because}`), `docs/scrubbing.md: ${missed.because}`)
    })
  }

  test('there are enough of them', () => {
    assert(RENDERINGS.length >= 45)
    assert.equal(new Set(RENDERINGS.map(({ name }) => name)).size, RENDERINGS.length)
  })

  after(() => {
    const rows = [...table].map(([name, cells]) => [name, ...cells])
    for (const cells of [['', ...NAMES], ...rows])
      console.log(cells.map((cell, index) => cell.padEnd(index === 0 ? 34 : 13)).join(''))
    const cells = [...table.values()].flat()
    const found = cells.filter((cell) => cell === 'found').length
    console.log(
      `${found} of ${cells.length} are found, ${cells.length - found} are named as not found.`,
    )
  })
})
