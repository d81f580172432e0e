// A tool's test, in each test runner, configured as docs/testing.md says.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createProject, exported, modules, pack, root } from './project.ts'
import type { Files } from './project.ts'

const guide = readFileSync(`${root}docs/testing.md`, 'utf8')

/** The files that a section of the guide tells to write. */
function filesUnder(heading: string): Files {
  const section = guide.split(/^#+ /m).find((text) => text.startsWith(`${heading}\n`)) ?? ''
  const blocks = [...section.matchAll(/^`([\w.]+)`:\n\n```json\n([^]*?)^```$/gm)]
  assert(blocks.length > 0, `There is nothing to write under ${heading}`)
  return Object.fromEntries(blocks.map(([, name = '', text = '']) => [name, text]))
}

const TOOL_BODY = `() => {
  await undefined
  return 'sunny, for ' + getCredentials('static').field('apiKey')
}`
const TEST_BODY = `
test('the tool gets the credential of its call', async () => {
  const credential = new StaticCredential({ apiKey: 'FAKE-weather-key' })
  expect(await runWithCredentials(credential, forecast)).toBe('sunny, for FAKE-weather-key')
})
test('outside of a call it gets none', async () => {
  await expect(forecast()).rejects.toThrow('There is no credential in this context')
})
test('credentials are equal when all that they hold is', () => {
  const [one, same, two, three] = ['a', 'a', 'b', 'c'].map((apiKey) => new StaticCredential({ apiKey }))
  expect([one, one]).toEqual([same, same])
  expect([one, one]).toStrictEqual([same, same])
  // One in 65,536 looks the same.
  expect([one, one]).not.toEqual([two, three])
  expect([one, one]).not.toStrictEqual([two, three])
})
test('every export can be loaded', () => {
  for (const loaded of everything) expect(Object.keys(loaded).length).toBeGreaterThan(0)
})
test('what is wrong fails', () => {
  expect(getCredentials).toBe(forecast)
})`
const specifiers = exported.map((path) => path.replace('.', 'mcp-credentials'))
const names = specifiers.map((_, index) => `name${index}`)

const REQUIRED = {
  tool: `const { getCredentials } = require('mcp-credentials')
exports.forecast = async ${TOOL_BODY}`,
  test: `const { getCredentials, runWithCredentials, StaticCredential } = require('mcp-credentials')
const { forecast } = require('./forecast.js')
const everything = [${specifiers.map((name) => `require('${name}')`).join()}]
${TEST_BODY}`,
}
const IMPORTED = {
  tool: `import { getCredentials } from 'mcp-credentials'
export const forecast = async ${TOOL_BODY}`,
  test: `import { getCredentials, runWithCredentials, StaticCredential } from 'mcp-credentials'
import { forecast } from './forecast.js'
${specifiers.map((name, index) => `import * as name${index} from '${name}'`).join('\n')}
const everything = [${names.join()}]
${TEST_BODY}`,
}

const COMMONJS = { 'package.json': { name: 'project', private: true } }
const MODULES = { 'package.json': { name: 'project', private: true, type: 'module' } }
const REQUIRED_JS = { 'forecast.js': REQUIRED.tool, 'forecast.test.js': REQUIRED.test }
const IMPORTED_JS = { 'forecast.js': IMPORTED.tool, 'forecast.test.js': IMPORTED.test }
const IMPORTED_TS = { 'forecast.ts': IMPORTED.tool, 'forecast.test.ts': IMPORTED.test }
const tsconfigFor = (compilerOptions: object) => ({
  'tsconfig.json': {
    compilerOptions: {
      target: 'esnext',
      strict: true,
      types: ['node', 'jest'],
      ...compilerOptions,
    },
  },
})

const JEST = [`${modules}jest/bin/jest.js`, '--json', '--ci']
const FLAG = '--experimental-vm-modules'
const VITEST = [`${modules}vitest/vitest.mjs`, 'run', '--reporter=json']
const NODE_24 = `${modules}node-24/bin/node`

interface Case {
  readonly name: string
  readonly files: Files
  readonly node?: string
  readonly args: readonly string[]
}

const CASES: Case[] = [
  {
    name: 'Vitest, TypeScript',
    files: {
      ...MODULES,
      'forecast.ts': IMPORTED.tool,
      'forecast.test.ts': `import { expect, test } from 'vitest'\n${IMPORTED.test}`,
    },
    args: VITEST,
  },
  { name: 'Jest, ES modules', files: { ...MODULES, ...IMPORTED_JS }, args: [FLAG, ...JEST] },
  {
    name: 'Jest, CommonJS, Node.js 24',
    files: { ...COMMONJS, ...REQUIRED_JS },
    node: NODE_24,
    args: [FLAG, ...JEST],
  },
  {
    name: 'Jest, CommonJS',
    files: { ...COMMONJS, ...REQUIRED_JS, ...filesUnder('Jest and CommonJS') },
    args: JEST,
  },
  {
    name: 'ts-jest, CommonJS',
    files: {
      ...COMMONJS,
      ...IMPORTED_TS,
      'forecast.test.ts': IMPORTED.test.replace('./forecast.js', './forecast'),
      ...tsconfigFor({ module: 'commonjs' }),
      ...filesUnder('ts-jest and CommonJS'),
    },
    args: JEST,
  },
  {
    name: 'ts-jest, ES modules',
    files: {
      ...MODULES,
      ...IMPORTED_TS,
      ...tsconfigFor({ module: 'nodenext', isolatedModules: true }),
      ...filesUnder('ts-jest and ES modules'),
    },
    args: [FLAG, ...JEST],
  },
]

interface Report {
  readonly testResults: { assertionResults: { title: string; status: string }[] }[]
}

// Beside the modules of this folder, where the runners are installed.
const folder = mkdtempSync(fileURLToPath(new URL('runners-', import.meta.url)))
after(() => rmSync(folder, { recursive: true }))
let tarball: string
before(() => {
  tarball = pack(folder)
})

describe('a test of a tool passes, and one that is wrong fails', () => {
  for (const { name, files, args, node = process.execPath } of CASES) {
    test(name, () => {
      const project = `${folder}/${name.replaceAll(/\W+/g, '-')}`
      createProject(project, tarball, files)
      const { stdout, stderr } = spawnSync(node, args, { cwd: project, encoding: 'utf8' })
      assert(stdout.startsWith('{'), stdout + stderr)
      const report: Report = JSON.parse(stdout)
      const results = report.testResults.flatMap(({ assertionResults }) => assertionResults)
      assert.deepEqual(
        results.map(({ title, status }) => [title, status]),
        [
          ['the tool gets the credential of its call', 'passed'],
          ['outside of a call it gets none', 'passed'],
          ['credentials are equal when all that they hold is', 'passed'],
          ['every export can be loaded', 'passed'],
          ['what is wrong fails', 'failed'],
        ],
        stderr,
      )
    })
  }
})
