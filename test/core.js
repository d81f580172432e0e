// The tests of the core alone: on a Node.js that runs TypeScript with nothing installed, on an older one with TypeScript.
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const cwd = fileURLToPath(new URL('..', import.meta.url))

const CORE = [
  'adapter',
  'context',
  'credential',
  'ended-scopes',
  'errors',
  'global-async-local-storage',
  'house',
  'isolation',
  'label',
  'mistakes',
  'naive-global',
  'no-async-local-storage',
  'parse-env',
  'parse-headers',
  'second-copy',
  'source',
  'timer-without-unref',
  'timestamp',
  'unhandled-rejection',
]

function testsIn(folder, ending) {
  const names = CORE.map((name) => `${name}.test${ending}`)
  const there = readdirSync(`${cwd}${folder}`)
  const missing = names.filter((name) => !there.includes(name))
  if (missing.length > 0) throw new Error(`There is no ${missing.join(', ')} in ${folder}.`)
  return names.map((name) => `${folder}/${name}`)
}

function build() {
  const node = (...args) => execFileSync(process.execPath, args, { cwd, stdio: 'inherit' })
  node('test/install.js', '.')
  node('node_modules/typescript/bin/tsc')
  node('node_modules/typescript/bin/tsc', '-p', 'test')
}

const runsTypeScript = Boolean(process.features.typescript)
if (!runsTypeScript) build()
const { status } = spawnSync(
  process.execPath,
  [
    ...(runsTypeScript ? ['--conditions=mcp-credentials-source'] : []),
    '--test',
    '--test-reporter=./test/reporter.js',
    ...(runsTypeScript ? testsIn('test', '.ts') : testsIn('dist/test', '.js')),
  ],
  { cwd, stdio: 'inherit' },
)
process.exitCode = status ?? 1
