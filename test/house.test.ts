import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { codeOf, linesOf, problemsOf } from './house.ts'

const root = new URL(import.meta.url.includes('/dist/') ? '../../' : '../', import.meta.url)
const pathOf = (path: string) => fileURLToPath(new URL(path, root))
const read = (path: string) => readFileSync(pathOf(path), 'utf8')

const paths = ['src', 'adapters'].flatMap((folder) =>
  readdirSync(pathOf(folder), { recursive: true })
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
    .filter((path) => path.endsWith('.ts')),
)
const files = new Map(paths.map((path) => [path, read(path)]))

test('there are no arrows up, no cycles and no imports from outside', () => {
  assert(files.has('src/index.ts') && files.has('adapters/mcp.ts'))
  assert.deepEqual(problemsOf(files), [])
})

test('no part has more lines than its budget, or than it exceeds that by', () => {
  const rows = linesOf(files)
  for (const { group, lines, budget } of rows) {
    console.log(`${String(lines).padStart(5)} of ${String(budget).padStart(4)}  ${group}`)
  }
  const over = rows.filter(({ lines, limit }) => lines > limit)
  assert.deepEqual(
    over.map(({ group, lines, limit }) => `${group}: ${lines} of ${limit}`),
    [],
  )
})

test('there is no dependency, and every development dependency is pinned exactly', () => {
  const manifest = JSON.parse(read('package.json'))
  for (const kind of ['dependencies', 'peerDependencies', 'optionalDependencies'])
    assert.equal(manifest[kind], undefined)
  assert.deepEqual(Object.keys(manifest.devDependencies), ['c8', 'typescript'])
  for (const version of Object.values(manifest.devDependencies))
    assert.match(String(version), /^\d+\.\d+\.\d+$/)
})

describe('in a house that is drawn up for it', () => {
  const HOUSE: Readonly<Record<string, string>> = {
    'src/index.ts': `export { parseEnv } from './env.ts'\nexport * from './errors.ts'`,
    'src/errors.ts': 'export const code = 1',
    'src/env.ts': `import {\n  code,\n} from './errors.ts'\n// import './redact/redact.ts'`,
    'src/redact/redact.ts': `import { form } from './forms.ts'\nimport type { Code } from '../errors.ts'`,
    'src/redact/forms.ts': `/**\n * import { createRefresher } from 'mcp-credentials/oauth'\n */`,
    'src/oauth/refresher.ts': `import { code } from '../errors.ts'`,
    'src/accounts/accounts.ts': `import { refresh } from '../oauth/refresher.ts'\nimport './seal.ts'`,
    'src/accounts/seal.ts': `import { parseEnv } from '../index.ts'`,
    'src/tool.ts': `import { redactSecrets } from './redact/redact.ts'`,
    'src/cache.ts': '',
    'adapters/mcp.ts': `import { code } from 'mcp-credentials'\nimport { run } from 'mcp-credentials/tool'`,
    'adapters/fastmcp.ts': `import { withCredentials } from 'mcp-credentials/mcp'`,
  }
  const withFile = (path: string, source: string) =>
    new Map(Object.entries({ ...HOUSE, [path]: source }))

  test('what the plan allows is no problem', () => {
    assert.deepEqual(problemsOf(new Map(Object.entries(HOUSE))), [])
  })

  const CORE = 'the core imports no room'
  const ROOM = 'no arrow leads from this room to that one'
  const OUTSIDE = 'src imports nothing from outside itself'
  const ADAPTER = 'an adapter imports the package and its rooms alone'
  const FORBIDDEN: [path: string, source: string, name: string, problem: string][] = [
    ['src/source.ts', `import { redact } from './redact/redact.ts'`, './redact/redact.ts', CORE],
    ['src/adapter.ts', `import type { T } from './cache.ts'`, './cache.ts', CORE],
    ['src/index.ts', `export * from './oauth/refresher.ts'`, './oauth/refresher.ts', CORE],
    ['src/context.ts', `void import('./tool.ts')`, './tool.ts', CORE],
    ['src/headers.ts', `import {\n  cached,\n} from './cache.ts'`, './cache.ts', CORE],
    ['src/cache.ts', `import './redact/forms.ts'`, './redact/forms.ts', ROOM],
    ['src/tool.ts', `import '../src/oauth/refresher.ts'`, '../src/oauth/refresher.ts', ROOM],
    ['src/oauth/refresher.ts', `import '../accounts/seal.ts'`, '../accounts/seal.ts', ROOM],
    ['src/redact/forms.ts', `import '../tool.ts'`, '../tool.ts', ROOM],
    ['src/errors.ts', `import { createHmac } from 'node:crypto'`, 'node:crypto', OUTSIDE],
    ['src/errors.ts', `import "zod"`, 'zod', OUTSIDE],
    ['src/errors.ts', `import z = require('zod')`, 'zod', OUTSIDE],
    ['src/errors.ts', 'await import(`zod`)', 'zod', OUTSIDE],
    ['src/errors.ts', 'await import(name)', 'what it computes', OUTSIDE],
    ['src/errors.ts', `import 'mcp-credentials'`, 'mcp-credentials', OUTSIDE],
    ['src/errors.ts', `import './absent.ts'`, './absent.ts', OUTSIDE],
    ['src/errors.ts', `import './env.js'`, './env.js', OUTSIDE],
    ['src/errors.ts', `import '../adapters/mcp.ts'`, '../adapters/mcp.ts', OUTSIDE],
    ['adapters/fetch.ts', `import './mcp.ts'`, './mcp.ts', ADAPTER],
    ['adapters/fetch.ts', `import '../src/env.ts'`, '../src/env.ts', ADAPTER],
    ['adapters/fetch.ts', `import 'mcp-credentials/mcp'`, 'mcp-credentials/mcp', ADAPTER],
    ['adapters/fastmcp.ts', `import './mcp.ts'`, './mcp.ts', ADAPTER],
    ['adapters/fetch.ts', `import 'mcp-credentials/tool/x'`, 'mcp-credentials/tool/x', ADAPTER],
    ['adapters/fetch.ts', `import type { R } from 'express'`, 'express', ADAPTER],
  ]
  for (const [path, source, name, problem] of FORBIDDEN) {
    test(`${path} must not say ${source.replaceAll('\n', ' ')}`, () => {
      const problems = problemsOf(withFile(path, source)).filter((text) => !/^a cycle/.test(text))
      assert.deepEqual(problems, [`${path} imports ${name}: ${problem}`])
    })
  }

  test('a cycle is found, however long, and also if it is one of types', () => {
    assert.deepEqual(problemsOf(withFile('src/errors.ts', `import type { E } from './env.ts'`)), [
      'a cycle: src/errors.ts -> src/env.ts -> src/errors.ts',
      'a cycle: src/env.ts -> src/errors.ts -> src/env.ts',
    ])
    const self = problemsOf(withFile('src/cache.ts', `import './cache.ts'`))
    assert.deepEqual(self, ['a cycle: src/cache.ts -> src/cache.ts'])
    const long = problemsOf(withFile('src/errors.ts', `export * from './index.ts'`))
    assert(long.includes('a cycle: src/index.ts -> src/env.ts -> src/errors.ts -> src/index.ts'))
  })

  test('a file that the plan does not know has no place, and is no arrow up', () => {
    const problems = problemsOf(
      new Map([
        ['src/values.ts', `import { code } from './errors.ts'`],
        ['src/env.ts', `import { value } from './values.ts'`],
        ['src/errors.ts', ''],
      ]),
    )
    assert.deepEqual(problems, ['src/values.ts has no place in the house'])
    for (const path of ['src/utils.ts', 'src/env/a.ts', 'src/oauth/a/b.ts', 'adapters/a/b.ts'])
      assert.deepEqual(problemsOf(withFile(path, '')), [`${path} has no place in the house`])
  })

  test('comments and blank lines are not counted, and each part is measured by its own budget', () => {
    const source = '// a\n\n/* b */\n/** c\n * d\n */\n  const e = 1 // f\n\nvoid e\n'
    assert.deepEqual(codeOf(source), ['const e = 1 // f', 'void e'])
    const long = 'x\n'.repeat(120)
    const rows = linesOf(
      new Map([
        ['src/env.ts', source],
        ['src/errors.ts', long],
        ['src/oauth/a.ts', source],
        ['src/cache.ts', long],
        ['adapters/mcp.ts', source],
        ['adapters/fetch.ts', long],
        ['src/utils.ts', source],
      ]),
    )
    assert.deepEqual(
      rows.map(({ group, lines, budget }) => [group, lines, budget]),
      [
        ['core', 122, 1150],
        ['oauth', 2, 420],
        ['cache', 120, 120],
        ['adapters/mcp.ts', 2, 220],
        ['adapters/fetch.ts', 120, 110],
        ['src/utils.ts', 2, 0],
      ],
    )
    assert.deepEqual(rows[0]?.files.get('src/errors.ts'), 120)
  })
})
