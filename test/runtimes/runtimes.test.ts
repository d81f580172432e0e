// The core's tests in every runtime, and a table of what came of it.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  binaries,
  findChromium,
  installedVersion,
  root,
  runInChromium,
  runInEdgeRuntime,
  runInQuickJS,
  runInWorkerd,
  versionOf,
} from './hosts.ts'
import type { SuiteReport } from './suite.ts'

interface Row {
  readonly runtime: string
  readonly version: string
  readonly passed: string
  readonly store: string
}

const rows: Row[] = []

after(() => {
  const columns = ['runtime', 'version', 'passed', 'store'] as const
  const heading: Row = {
    runtime: 'runtime',
    version: 'version',
    passed: 'cases passed',
    store: 'store',
  }
  const width = (column: keyof Row) =>
    Math.max(...[heading, ...rows].map((row) => row[column].length))
  const lines = [heading, ...rows].map((row) =>
    columns.map((column) => row[column].padEnd(width(column))).join('  '),
  )
  console.log(`\n${lines.join('\n')}\n`)
})

interface Result {
  readonly stdout: string
  readonly output: string
  readonly status: number | string
}

function run(binary: string, args: string[], env: Record<string, string> = {}): Promise<Result> {
  // What marks a process as started by a test runner, which then runs no tests of its own.
  const { NODE_TEST_CONTEXT: _, ...own } = process.env
  const options = { cwd: root, maxBuffer: 2 ** 26, env: { ...own, NO_COLOR: '1', ...env } }
  return new Promise((resolve) => {
    execFile(binary, args, options, (error, stdout, stderr) =>
      resolve({ stdout, output: stdout + stderr, status: error?.code ?? 0 }),
    )
  })
}

/** The files of the tests; all of them run in Node.js, Bun and Deno. */
const filesIn = (folder: string, ending: string) =>
  readdirSync(`${root}${folder}`)
    .filter((name) => name.endsWith(ending))
    .map((name) => `./${folder}/${name}`)
const compiled = filesIn('dist/test', '.test.js')
const sources = filesIn('test', '.test.ts')
const SOURCE = 'mcp-credentials-source'
const NODE = ['--test', '--test-reporter=tap']

const withRunner: [
  runtime: string,
  binary: string,
  args: string[],
  passed: RegExp,
  atLeast: number,
][] = [
  ...[20, 22, 24, 26].map((version): [string, string, string[], RegExp, number] => [
    `Node.js ${version}`,
    binaries.node(version),
    [...NODE, ...compiled],
    /^# pass (\d+)$/m,
    300,
  ]),
  ...[22, 24, 26].map((version): [string, string, string[], RegExp, number] => [
    `Node.js ${version}, src/*.ts`,
    binaries.node(version),
    ['-C', SOURCE, ...NODE, ...sources],
    /^# pass (\d+)$/m,
    300,
  ]),
  [
    'Bun',
    binaries.bun,
    ['test', '--isolate', `--conditions=${SOURCE}`, ...sources],
    /^ *(\d+) pass$/m,
    300,
  ],
  // Deno counts the cases of a group as its steps.
  [
    'Deno',
    binaries.deno,
    ['test', '--no-check', `--conditions=${SOURCE}`, '-A', ...sources],
    /(\d+ passed \(\d+ steps\)) \| 0 failed/,
    60,
  ],
]

describe('with the test runner of the runtime', () => {
  for (const [runtime, binary, args, passed, atLeast] of withRunner) {
    test(runtime, async () => {
      const { output, status } = await run(binary, args)
      assert.equal(
        status,
        0,
        output
          .split('\n')
          .filter((line) => /not ok|\(fail\)|rror/.test(line))
          .join('\n'),
      )
      const count = passed.exec(output)?.[1] ?? ''
      assert(Number.parseInt(count, 10) >= atLeast, count)
      const printStore = fileURLToPath(new URL('print-store.js', import.meta.url))
      const { stdout: store } = await run(binary, [printStore])
      assert.equal(store, 'process.getBuiltinModule\n')
      rows.push({ runtime, version: await versionOf(binary), passed: count, store: store.trim() })
    })
  }
})

const CURRENT = '2026-11-01'
const workerd =
  (compatibilityDate: string, hasStore: boolean, ...compatibilityFlags: string[]) =>
  () =>
    runInWorkerd({ hasStore, compatibilityDate, compatibilityFlags })
const NONE = 'none: synchronous'
const inPackage = (name: string) => async () => installedVersion(name)
const inBinary = (binary: () => string) => async () => versionOf(binary())

const withoutRunner: [
  runtime: string,
  version: () => Promise<string>,
  store: string,
  runSuite: () => Promise<SuiteReport>,
][] = [
  [
    'workerd, 2025-06-01 with nodejs_compat',
    inPackage('@cloudflare/workerd-linux-64'),
    'process.getBuiltinModule',
    workerd('2025-06-01', true, 'nodejs_compat'),
  ],
  [
    `workerd, ${CURRENT}`,
    inPackage('@cloudflare/workerd-linux-64'),
    'process.getBuiltinModule',
    workerd(CURRENT, true),
  ],
  [
    'workerd, 2025-06-01',
    inPackage('@cloudflare/workerd-linux-64'),
    NONE,
    workerd('2025-06-01', false),
  ],
  [
    'edge-runtime, as in Next.js',
    inPackage('edge-runtime'),
    'globalThis.AsyncLocalStorage',
    () => runInEdgeRuntime(true),
  ],
  ['edge-runtime', inPackage('edge-runtime'), NONE, () => runInEdgeRuntime(false)],
  ['Chromium', inBinary(findChromium), NONE, runInChromium],
  ['QuickJS', inPackage('@jitl/quickjs-wasmfile-release-sync'), NONE, runInQuickJS],
]

describe('as plain assertions', () => {
  for (const [runtime, version, store, runSuite] of withoutRunner) {
    test(runtime, async () => {
      const report = await runSuite()
      assert.deepEqual(report.failed, [])
      assert(report.passed >= (store === NONE ? 280 : 320), `${report.passed}`)
      // What needs process.env, and a time zone that can be set.
      assert(report.skipped.length <= 4, report.skipped.join('\n'))
      assert.equal(report.store, store)
      const skipped = report.skipped.length > 0 ? `, ${report.skipped.length} do not apply` : ''
      rows.push({ runtime, version: await version(), passed: `${report.passed}${skipped}`, store })
    })
  }
})

describe("Deno's permissions", () => {
  const token = 'FAKE-deno-0123456789abcdef-do-not-leak'
  const script = fileURLToPath(new URL('deno-permissions.js', import.meta.url))
  const names = [
    'CRED_TYPE',
    'ACCESS_TOKEN',
    'REFRESH_TOKEN',
    'CLIENT_ID',
    'CLIENT_SECRET',
    'TOKEN_URI',
    'SCOPES',
    'EXPIRES_AT',
  ].map((name) => `SVC_${name}`)
  const oauth = { SVC_ACCESS_TOKEN: token, SVC_SCOPES: 'a b', SVC_EXTRA_TENANT: 'acme' }
  const fields = { SVC_FIELDS: `{"apiKey":"${token}"}` }
  const single = { SVC_FIELD_apiKey: token }

  const cases: [
    name: string,
    permission: string,
    env: Record<string, string>,
    type: string,
    output: string,
  ][] = [
    ['all variables', '--allow-env', oauth, 'oauth', 'a b, extra: tenant'],
    ['those of the prefix', '--allow-env=SVC_*', oauth, 'oauth', 'a b, extra:'],
    ['those of OAuth by name', `--allow-env=${names.join()}`, oauth, 'oauth', 'a b, extra:'],
    [
      'those of OAuth by name, with the type from CRED_TYPE',
      `--allow-env=${names.join()}`,
      { ...oauth, SVC_CRED_TYPE: 'oauth' },
      '',
      'a b, extra:',
    ],
    [
      'the token alone',
      '--allow-env=SVC_ACCESS_TOKEN',
      oauth,
      'oauth',
      'NotCapable: Requires env access to "SVC_CRED_TYPE", run again with the --allow-env flag',
    ],
    [
      'none',
      '--no-prompt',
      oauth,
      'oauth',
      'NotCapable: Requires env access to "SVC_CRED_TYPE", run again with the --allow-env flag',
    ],
    ['FIELDS by name', '--allow-env=SVC_CRED_TYPE,SVC_FIELDS', fields, 'static', 'apiKey'],
    ['all variables, for fields', '--allow-env', single, 'static', 'apiKey'],
    [
      'those of the prefix, for fields that need to be listed',
      '--allow-env=SVC_*',
      single,
      'static',
      'NotCapable: Requires env access, run again with the --allow-env flag',
    ],
  ]
  for (const [name, permission, env, type, expected] of cases) {
    test(name, async () => {
      const { output } = await run(
        binaries.deno,
        ['run', '--no-prompt', permission, script, type],
        env,
      )
      assert.equal(output.trim(), expected)
      assert(!output.includes(token))
    })
  }
})
