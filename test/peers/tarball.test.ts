// The package as it is published: which files are in it, that it is the same when it is built again, and that its maps lead
// to the sources.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'mcp-credentials-tarball-'))
after(() => rmSync(folder, { recursive: true }))

interface Entry {
  readonly types?: { readonly require: string }
}
const manifest: { readonly exports: Readonly<Record<string, Entry>> } = JSON.parse(
  readFileSync(`${root}package.json`, 'utf8'),
)

const filesIn = (path: string, ending: string): string[] =>
  readdirSync(root + path, { encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => `${path}/${name}`)
const sourcesIn = (path: string): string[] =>
  readdirSync(root + path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${path}/${name.replaceAll('\\', '/')}`)

const MODULES = [...sourcesIn('src'), ...sourcesIn('adapters')]
const PAPERS = [
  ...['CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'README.md', 'SECURITY.md', 'package.json'],
  ...[
    'docs/chart.svg',
    'examples/README.md',
    'examples/package.json',
    'examples/connect/README.md',
  ],
]
const COPIED = [
  ...filesIn('docs', '.md'),
  ...filesIn('examples', '.ts'),
  ...filesIn('examples/connect', '.ts'),
  ...filesIn('examples/connect/stores', '.ts'),
  ...filesIn('examples/nginx', '.conf'),
]

function pack(from: string, to: string): string {
  mkdirSync(to)
  const args = ['pack', '--ignore-scripts', '--json', '--loglevel=error', '--pack-destination', to]
  const [{ filename }] = JSON.parse(execFileSync('npm', args, { cwd: from, encoding: 'utf8' })) as [
    { filename: string },
  ]
  return join(to, filename)
}

let tarball: string
before(() => {
  tarball = pack(root, join(folder, 'first'))
})

test('the tarball holds these files and no others', () => {
  const files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((path) => path.replace('package/', ''))
  const expected = [
    ...PAPERS,
    ...COPIED,
    ...MODULES,
    ...MODULES.flatMap((path) =>
      ['.js', '.js.map', '.d.ts', '.d.ts.map'].map(
        (ending) => `dist/${path.slice(0, -'.ts'.length)}${ending}`,
      ),
    ),
    ...Object.values(manifest.exports).flatMap(({ types }) => types?.require.slice(2) ?? []),
  ]
  assert.deepEqual(files.sort(), expected.sort())
})

test('built and packed anew it is the same, byte for byte', () => {
  const copy = join(folder, 'copy')
  const papers = [...PAPERS, ...COPIED, 'test/commonjs-types.js', 'tsconfig.json']
  for (const path of ['src', 'adapters', ...papers])
    cpSync(root + path, join(copy, path), { recursive: true })
  symlinkSync(`${root}node_modules`, join(copy, 'node_modules'))
  const tsc = `${root}node_modules/typescript/bin/tsc`
  execFileSync(process.execPath, [tsc, '-p', copy, '--declarationMap'])
  execFileSync(process.execPath, ['test/commonjs-types.js'], { cwd: copy })
  const hash = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex')
  assert.equal(hash(pack(copy, join(folder, 'second'))), hash(tarball))
})

test('every map leads to a source that is in the tarball', () => {
  const maps = MODULES.flatMap((path) => {
    const name = path.slice(0, -'.ts'.length)
    return [`dist/${name}.js.map`, `dist/${name}.d.ts.map`]
  })
  assert(maps.length > 0)
  for (const path of maps) {
    const { sources }: { sources: string[] } = JSON.parse(readFileSync(root + path, 'utf8'))
    assert.equal(sources.length, 1, path)
    const source = join(dirname(path), sources[0] ?? '').replaceAll('\\', '/')
    assert(MODULES.includes(source) && existsSync(root + source), `${path}: ${source}`)
  }
})

test('a release is refused, with what to do, while something is missing', () => {
  const { repository } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
  const release = () =>
    execFileSync(process.execPath, [`${root}test/release.js`], { encoding: 'utf8', stdio: 'pipe' })
  if (repository === undefined)
    assert.throws(release, ({ stderr }: { stderr: string }) =>
      stderr.includes('package.json has no "repository": set it to'),
    )
  else assert.equal(typeof repository.url, 'string')
})
