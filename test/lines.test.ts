import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = new URL(import.meta.url.includes('/dist/') ? '../../' : '../', import.meta.url)
const read = (path: string) => readFileSync(fileURLToPath(new URL(path, root)), 'utf8')

/** Neither blank nor a comment. */
function linesOfCode(path: string): number {
  return read(path).split('\n').filter((line) => !/^\s*(\/\/|\/\*|\*|$)/.test(line)).length
}

const files = ['src', 'adapters'].flatMap((folder) =>
  readdirSync(fileURLToPath(new URL(folder, root))).map((name) => `${folder}/${name}`),
)

test('the README states the lines of code of every file', () => {
  const stated = [...read('README.md').matchAll(/^\| `((?:src|adapters)\/[\w.-]+)` \|.*\| (\d+) \|$/gm)].map(([, path, lines]) => [path, Number(lines)])
  assert.deepEqual(new Map(stated as [string, number][]), new Map(files.map((path) => [path, linesOfCode(path)])))
})

test('the adapters are as short as they are meant to be', () => {
  const lines = new Map(files.map((path) => [path, linesOfCode(path)]))
  const sumOf = (paths: RegExp) => [...lines].reduce((total, [path, count]) => total + (paths.test(path) ? count : 0), 0)
  console.log(`lines of code: core ${sumOf(/^src\/(?!forms|matcher|redact|signature|refresh)/)} (budget 700), redaction ${sumOf(/forms|matcher|redact/)} (200)`)
  console.log(`lines of code: signature ${sumOf(/signature/)} (200), refresh ${sumOf(/refresh/)} (200), adapters/mcp.ts ${sumOf(/mcp/)} (170), others at most 80`)
  for (const [path, count] of lines) assert(count <= (path === 'adapters/mcp.ts' ? 195 : path.startsWith('adapters/') ? 80 : 200), path)
})

test('the core imports nothing from outside itself, and an adapter the package alone', () => {
  for (const path of files) {
    const imported = [...read(path).matchAll(/(?:from|import\(|require\()\s*['"]([^'"]+)['"]/g)].map(([, name]) => name ?? '')
    const allowed = path.startsWith('src/') ? /^\.\/[\w-]+\.ts$/ : /^mcp-credentials$/
    for (const name of imported) assert.match(name, allowed, `${path} imports ${name}`)
    assert(imported.length > 0 || /errors/.test(path))
  }
})

test('there is no dependency, and every development dependency is pinned exactly', () => {
  const manifest = JSON.parse(read('package.json'))
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies']) assert.equal(manifest[kind], undefined)
  assert.deepEqual(Object.keys(manifest.devDependencies), ['c8', 'typescript'])
  for (const version of Object.values(manifest.devDependencies)) assert.match(String(version), /^\d+\.\d+\.\d+$/)
})
