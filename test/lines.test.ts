import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = new URL(import.meta.url.includes('/dist/') ? '../../' : '../', import.meta.url)
const read = (path: string) => readFileSync(fileURLToPath(new URL(path, root)), 'utf8')

const files = ['src', 'adapters'].flatMap((folder) =>
  readdirSync(fileURLToPath(new URL(folder, root)), { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`),
)

test('the core imports nothing from outside itself, and an adapter the package alone', () => {
  for (const path of files) {
    const imported = [
      ...read(path).matchAll(/(?:from|import\(|require\()\s*['"]([^'"]+)['"]/g),
    ].map(([, name]) => name ?? '')
    const allowed = path.startsWith('src/')
      ? /^\.\.?\/[\w/-]+\.ts$/
      : /^mcp-credentials(\/[a-z]+)?$/
    for (const name of imported) assert.match(name, allowed, `${path} imports ${name}`)
    assert(imported.length > 0 || /errors/.test(path))
  }
})

test('there is no dependency, and every development dependency is pinned exactly', () => {
  const manifest = JSON.parse(read('package.json'))
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies'])
    assert.equal(manifest[kind], undefined)
  assert.deepEqual(Object.keys(manifest.devDependencies), ['c8', 'typescript'])
  for (const version of Object.values(manifest.devDependencies))
    assert.match(String(version), /^\d+\.\d+\.\d+$/)
})
