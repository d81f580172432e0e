// Every relative link of every document leads to a file that there is, and to a heading in it: in the repository, and in
// the tarball.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))

/** Whether a path is that of a file that is neither installed, built nor generated. */
const isSource = (path: string) =>
  !/(?:^|\/)(?:node_modules|dist|\.git|data|coverage)(?:\/|$)/.test(path)

function pathsBelow(folder: string): string[] {
  return readdirSync(root + folder, { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    if (!isSource(path)) return []
    return entry.isDirectory() ? pathsBelow(path) : [path]
  })
}

/** What GitHub and npm make of a heading. */
export function anchorOf(heading: string): string {
  const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase()
  return text.replace(/[^\p{L}\p{N}_\- ]/gu, '').replaceAll(' ', '-')
}

/** A document without its code, in which nothing is a link or a heading. */
const proseOf = (text: string) =>
  text.replace(/^```[^]*?^```$/gm, '').replace(/`[^`\n]*`/g, '`code`')

const anchorsOf = (text: string) => {
  const withoutBlocks = text.replace(/^```[^]*?^```$/gm, '')
  return [...withoutBlocks.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading))
}

const linksOf = (text: string) =>
  [...proseOf(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target))

/** What is wrong with the links of a document, among these files. */
function problemsOf(document: string, text: string, read: (path: string) => string | undefined) {
  return linksOf(text).flatMap((link) => {
    const [path = '', anchor] = link.split('#')
    const target = path === '' ? document : posix.join(posix.dirname(document), path)
    const found = path === '' ? text : read(target)
    if (found === undefined) return [`${document}: there is no ${target}`]
    if (anchor === undefined || anchorsOf(found).includes(anchor)) return []
    return [`${document}: there is no heading #${anchor} in ${target}`]
  })
}

const sources = new Set(pathsBelow('.'))
const packed = new Set<string>(
  JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--ignore-scripts', '--json'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }),
  )[0].files.map(({ path }: { path: string }) => path),
)
const documentsAmong = (paths: ReadonlySet<string>) =>
  [...paths].filter((path) => path.endsWith('.md')).sort()
const readerOf = (paths: ReadonlySet<string>) => (path: string) =>
  paths.has(path) ? readFileSync(root + path, 'utf8') : undefined

for (const [where, paths] of [
  ['in the repository', sources],
  ['in the tarball', packed],
] as const) {
  describe(where, () => {
    const documents = documentsAmong(paths)
    test('there are the documents', () => {
      for (const name of ['README.md', 'SECURITY.md', 'docs/credentials.md', 'examples/README.md'])
        assert(documents.includes(name), name)
    })
    for (const document of documents) {
      test(`no link of ${document} is dead`, () => {
        const read = readerOf(paths)
        assert.deepEqual(problemsOf(document, read(document) ?? '', read), [])
      })
    }
  })
}

test('README leads to every page of docs/', () => {
  const links = linksOf(readFileSync(`${root}README.md`, 'utf8'))
  const pages = documentsAmong(sources).filter((path) => path.startsWith('docs/'))
  // The results of the benchmark, to which performance.md leads.
  const missing = pages.filter((path) => path !== 'docs/results.md' && !links.includes(path))
  assert.deepEqual(missing, [])
})

for (const page of documentsAmong(sources).filter((path) => path.startsWith('docs/'))) {
  const text = readFileSync(root + page, 'utf8')
  const headings = [...text.replace(/^```[^]*?^```$/gm, '').matchAll(/^## (.+)$/gm)]
  if (headings.length < 3 || page === 'docs/results.md') continue
  test(`${page} begins with its contents`, () => {
    const start = text.slice(0, text.search(/^## /m))
    const missing = headings.filter(
      ([, heading = '']) => !start.includes(`(#${anchorOf(heading)})`),
    )
    assert.deepEqual(
      missing.map(([line]) => line),
      [],
    )
  })
}

describe('the search for dead links', () => {
  const read = (path: string) => (path === 'docs/a.md' ? '# Of `A`, and (b)\n## A-z' : undefined)
  const FOUND: [text: string, problems: string[]][] = [
    ['[a](docs/a.md) [b](docs/a.md#of-a-and-b) [c](#own) [d](https://a.example/b)\n# Own', []],
    ['[a](a.md)', ['README.md: there is no a.md']],
    ['![a](docs/a.md#b)', ['README.md: there is no heading #b in docs/a.md']],
    ['[a](#b)\n```md\n# b\n```', ['README.md: there is no heading #b in README.md']],
    ['[`a`](docs)', ['README.md: there is no docs']],
    ['```ts\n[a](b)\n```\n`[a](b)`', []],
  ]
  for (const [text, problems] of FOUND)
    test(JSON.stringify(text), () =>
      assert.deepEqual(problemsOf('README.md', text, read), problems),
    )
})
