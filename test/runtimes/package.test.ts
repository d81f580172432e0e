// The package as it is published, in other people's projects and runtimes. test/peers/tarball.test.ts has the tarball itself.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, before, describe, test } from 'node:test'
import { binaries, root } from './hosts.ts'

interface Manifest {
  readonly exports: Readonly<
    Record<
      string,
      { readonly 'mcp-credentials-source'?: string; readonly types?: { readonly require: string } }
    >
  >
}

const manifest: Manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))

/** By the subpath, a function that can be imported from it. */
const SUBPATHS: Record<string, string> = {
  '': 'getCredentials',
  '/redact': 'redactSecrets',
  '/signature': 'signHeaders',
  '/oauth': 'createRefresher',
  '/accounts': 'createAccounts',
  '/tool': 'createToolRunner',
  '/upstream': 'createFetch',
  '/cache': 'cached',
  '/files': 'withFiles',
  '/mcp': 'withCredentials',
  '/fastmcp': 'withCredentials',
  '/express': 'credentials',
  '/node-http': 'withCredentials',
  '/fetch': 'withCredentials',
}

const folder = mkdtempSync(`${tmpdir()}/mcp-credentials-package-`)
const project = `${folder}/project`
after(() => rmSync(folder, { recursive: true }))

function npm(args: string, cwd: string): string {
  return execFileSync('npm', [...args.split(' '), '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd,
    encoding: 'utf8',
  })
}

function pack(from: string, to: string): string {
  mkdirSync(to)
  const [{ filename }] = JSON.parse(
    npm(`pack --ignore-scripts --json --pack-destination ${to}`, from),
  ) as [{ filename: string }]
  return `${to}/${filename}`
}

const write = (path: string, text: string | object) =>
  writeFileSync(`${project}/${path}`, typeof text === 'string' ? text : JSON.stringify(text))

let tarball: string
before(() => {
  tarball = pack(root, `${folder}/first`)
  mkdirSync(project)
  write('package.json', { name: 'project', private: true, type: 'module' })
  npm(`install --offline ${tarball}`, project)
})

test('JSR gets the same entries, and would take them', () => {
  const jsr: { version: string; exports: unknown; imports: Record<string, string> } = JSON.parse(
    readFileSync(`${root}jsr.json`, 'utf8'),
  )
  const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
  assert.equal(jsr.version, version)
  const sources = Object.entries(manifest.exports).flatMap(([name, entry]) =>
    name === './package.json' ? [] : [[name, entry['mcp-credentials-source']]],
  )
  assert.deepEqual(jsr.exports, Object.fromEntries(sources))
  // What the adapters import.
  for (const [name, source] of sources)
    if (source?.startsWith('./src/'))
      assert.equal(jsr.imports[`mcp-credentials${name?.slice(1)}`], source)
  // As the workflow that publishes starts it.
  const { status, stderr } = spawnSync(process.execPath, [`${root}test/jsr.js`], {
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
})

test('an installation brings this package alone, and runs nothing', () => {
  const installed = JSON.parse(npm('ls --json --all', project)).dependencies
  assert.deepEqual(Object.keys(installed), ['mcp-credentials'])
  assert.equal(installed['mcp-credentials'].dependencies, undefined)
  const { scripts } = JSON.parse(
    readFileSync(`${project}/node_modules/mcp-credentials/package.json`, 'utf8'),
  )
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
    assert.equal(scripts[name], undefined)
})

describe('an empty project that has it installed', () => {
  test('is tried with every subpath', () => {
    const subpaths = Object.keys(manifest.exports).map((name) => name.slice(1))
    assert.deepEqual([...Object.keys(SUBPATHS), '/package.json'], subpaths)
  })

  const USE = `
    const credential = new core.StaticCredential({ apiKey: 'FAKE' })
    core.runWithCredentials(credential, async () => { await undefined; console.log(core.getCredentials('static').field('apiKey')) })`
  const entries = Object.entries(SUBPATHS)
  const imports = entries
    .map(
      ([path, name], index) => `import { ${name} as name${index} } from 'mcp-credentials${path}'`,
    )
    .join('\n')
  const requires = entries
    .map(
      ([path, name], index) =>
        `const { ${name}: name${index} } = require('mcp-credentials${path}')`,
    )
    .join('\n')
  const check = `console.log([${entries.map((_, index) => `typeof name${index}`)}].join())\n${USE}`
  const expected = `${entries.map(() => 'function').join()}\nFAKE\n`

  for (const version of [20, 22, 24, 26]) {
    test(`imports and requires every subpath on Node.js ${version}`, () => {
      write('use.mjs', `import * as core from 'mcp-credentials'\n${imports}\n${check}`)
      write('use.cjs', `const core = require('mcp-credentials')\n${requires}\n${check}`)
      for (const script of ['use.mjs', 'use.cjs']) {
        const { stdout } = spawnSync(binaries.node(version), [script], {
          cwd: project,
          encoding: 'utf8',
        })
        assert.equal(stdout, expected, script)
      }
    })
  }

  test('cannot reach what is not exported', () => {
    for (const path of ['src/context.ts', 'dist/src/context.js', 'adapters/mcp.ts']) {
      const script = `import('mcp-credentials/${path}').catch((error) => console.log(error.code))`
      const { stdout } = spawnSync(process.execPath, ['-e', script], {
        cwd: project,
        encoding: 'utf8',
      })
      assert.equal(stdout, 'ERR_PACKAGE_PATH_NOT_EXPORTED\n')
    }
  })
})

describe('src/ and one adapter, copied into a project that has nothing', () => {
  // As the README says.
  function copyInto(target: string): void {
    cpSync(`${root}src`, `${target}/credentials`, { recursive: true })
    const adapter = readFileSync(`${root}adapters/fetch.ts`, 'utf8')
    writeFileSync(
      `${target}/fetch.ts`,
      adapter.replaceAll("'mcp-credentials'", "'./credentials/index.ts'"),
    )
    writeFileSync(`${target}/package.json`, '{ "type": "module" }')
    writeFileSync(
      `${target}/use.ts`,
      `
      import { getCredentials, StaticCredential } from './credentials/index.ts'
      import { withCredentials } from './fetch.ts'
      const handler = withCredentials(async (request: Request) => {
        await undefined
        return new Response(getCredentials('static').field('apiKey') + new URL(request.url).pathname)
      }, () => new StaticCredential({ apiKey: 'FAKE' }))
      console.log(await (await handler(new Request('http://project.example/path'))).text())`,
    )
  }

  test('compiles and works', () => {
    const target = mkdtempSync(`${folder}/copied-`)
    copyInto(target)
    const compilerOptions = {
      target: 'es2022',
      module: 'nodenext',
      rewriteRelativeImportExtensions: true,
      strict: true,
      lib: ['es2022', 'dom'],
      types: [],
      outDir: 'out',
      rootDir: '.',
    }
    writeFileSync(`${target}/tsconfig.json`, JSON.stringify({ compilerOptions }))
    const compile = spawnSync(
      process.execPath,
      [`${root}node_modules/typescript/bin/tsc`, '-p', '.'],
      { cwd: target, encoding: 'utf8' },
    )
    assert.equal(compile.stdout, '')
    for (const [binary, script] of [
      [process.execPath, 'out/use.js'],
      [binaries.node(24), 'use.ts'],
      [binaries.bun, 'use.ts'],
      [binaries.deno, 'use.ts'],
    ]) {
      const { stdout, stderr } = spawnSync(binary ?? '', [script ?? ''], {
        cwd: target,
        encoding: 'utf8',
      })
      assert.equal(stdout, 'FAKE/path\n', stderr)
    }
  })
})
