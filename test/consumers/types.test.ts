// What each TypeScript makes of the package's types, with the settings that its own `tsc --init` writes.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, before, describe, test } from 'node:test'
import { createProject, exported, modules, pack, root, writeFiles } from './project.ts'

const COMPILERS = {
  '5.4': `${modules}typescript-5.4`,
  '5.5': `${modules}typescript-5.5`,
  '5.6': `${modules}typescript-5.6`,
  '5.7': `${modules}typescript-5.7`,
  '5.8': `${modules}typescript-5.8`,
  '5.9': `${modules}typescript-5.9`,
  '6.0': `${modules}typescript`,
  '7.0': `${root}node_modules/typescript`,
}
type Version = keyof typeof COMPILERS
const versions = Object.keys(COMPILERS) as Version[]

/** By the export: what it is called below, what must compile, and what must not, so that its types are no `any`. */
const USES: Readonly<Record<string, [name: string, right: string, wrong: string]>> = {
  '.': [
    'core',
    `const source: core.CredentialSource = core.fromHeaders({ type: 'oauth' })
     const token: string = core.getCredentials('oauth').accessToken
     const fields: core.ResolvedCredential['fields'] = core.getCredentials().fields
     const result: Promise<number> = core.runWithCredentials(core.getCredentials(), async () => 1)`,
    `core.getCredentials('api-key')`,
  ],
  './redact': [
    'redact',
    `const text: string = redact.redactSecrets('a text', core.getCredentials())`,
    `redact.redactSecrets('a text', 'a secret')`,
  ],
  './signature': [
    'signature',
    `const verify = signature.createSignatureVerifier({ keys: [new Uint8Array(32)], audience: 'a' })
     const signed: core.CredentialSource = core.fromHeaders({ type: 'oauth', verify })`,
    `signature.createSignatureVerifier({ keys: 'a key' })`,
  ],
  './oauth': [
    'oauth',
    `const refresh = oauth.createRefresher({ leewaySeconds: 60 })
     const fresh: core.CredentialSource = core.fromEnv('A_', { type: 'oauth', refresh })`,
    `oauth.createRefresher({ leewaySeconds: '60' })`,
  ],
  './accounts': [
    'accounts',
    `const store: accounts.AccountStore = { load: async () => undefined, swap: async () => true }
     const users = accounts.createAccounts('a', { store, keys: [new Uint8Array(32)] })
     const connected: core.CredentialSource = users.source({ owner: () => 'b', connect: 'https://a.example' })`,
    `accounts.createAccounts('a', { store: {}, keys: [] })`,
  ],
  './tool': [
    'tool',
    `const runTool: tool.ToolRunner = tool.createToolRunner(source)`,
    `tool.createToolRunner('a source')`,
  ],
  './upstream': [
    'upstream',
    `const fetchApi = upstream.createFetch({ baseUrl: 'https://api.example' })
     const answered: Promise<{ readonly status: number }> = fetchApi('/a')`,
    `upstream.createFetch({ baseUrl: 7 })`,
  ],
  './cache': [
    'cache',
    `const cached = cache.cached({ key: () => 'a', load: () => core.getCredentials() })
     const cachedSource: core.CredentialSource = cached`,
    `cache.cached({ key: () => 7, load: () => core.getCredentials() })`,
  ],
  './files': [
    'files',
    `const inFiles: core.CredentialSource = core.fromEnv('A_', { env: files.withFiles('A_', {}) })`,
    `files.withFiles('A_')`,
  ],
  './mcp': [
    'mcp',
    `const server = { setRequestHandler() {}, name: 'a' }
     const wrapped: string = mcp.withCredentials(server, source).name`,
    `mcp.withCredentials('a server', source)`,
  ],
  './fastmcp': [
    'fastmcp',
    `class Session { get server() { return server } async connect() {} }
     const nothing: void = fastmcp.withCredentials(Session, source)`,
    `fastmcp.withCredentials(server, source)`,
  ],
  './express': [
    'express',
    `const middleware: object = express.credentials(source)`,
    `express.credentials('a source')`,
  ],
  './node-http': [
    'nodeHttp',
    `const listener: object = nodeHttp.withCredentials(() => {}, source)`,
    `nodeHttp.withCredentials(source)`,
  ],
  './fetch': [
    'fetching',
    `const handler: object = fetching.withCredentials(() => undefined, source)`,
    `fetching.withCredentials(source)`,
  ],
}

const uses = Object.entries(USES)
const specifierOf = (path: string) => path.replace('.', 'mcp-credentials')
const body = uses
  .map(([, [, right, wrong]]) => `${right}\n// @ts-expect-error\n${wrong}`)
  .join('\n')
const imported = uses
  .map(([path, [name]]) => `import * as ${name} from '${specifierOf(path)}'`)
  .join('\n')
const required = uses
  .map(([path, [name]]) => `import ${name} = require('${specifierOf(path)}')`)
  .join('\n')
// Where there are the types of the Fetch API, handlers are typed with them.
const WEB = `
  const web: (request: Request) => Promise<Response> = fetching.withCredentials(async (request: Request) => new Response(request.url), source)
  const worker: (request: Request, env: { KEY: string }) => Promise<Response> = fetching.withCredentials((_request: Request, env: { KEY: string }) => new Response(env.KEY), source)
  // @ts-expect-error A handler returns a Response.
  fetching.withCredentials(async (request: Request) => request.url, source)`

const folder = mkdtempSync(`${tmpdir()}/mcp-credentials-types-`)
after(() => rmSync(folder, { recursive: true }))
before(() => {
  createProject(folder, pack(folder), {
    'package.json': { name: 'project', private: true },
    // The project is CommonJS, and so is this file where the settings tell modules by their files.
    'use.ts': `${imported}\n${body}\n${WEB}`,
    'use.mts': `${imported}\n${body}\n${WEB}`,
    'use.cts': `${required}\n${body}\n${WEB}`,
    'bare.mts': `${imported}\n${body}`,
    'bare.cts': `${required}\n${body}`,
    'wrong.ts': `${imported}\n${body.replaceAll('// @ts-expect-error', '')}`,
  })
  for (const version of versions) {
    mkdirSync(`${folder}/${version}`)
    assert.equal(compile(version, ['--init'], `${folder}/${version}`).status, 0)
  }
})

function compile(version: Version, args: string[], cwd: string) {
  return spawnSync(process.execPath, [`${COMPILERS[version]}/bin/tsc`, ...args], {
    cwd,
    encoding: 'utf8',
  })
}

/** What the compiler says of these files, under the settings of `tsc --init` and what a project changes of them. */
function complaintsOf(version: Version, compilerOptions: object, files: string[]): string {
  const settings = {
    extends: `./${version}/tsconfig.json`,
    compilerOptions: { ...compilerOptions, noEmit: true },
    files,
  }
  writeFiles(folder, { 'tsconfig.json': settings })
  const { stdout, stderr, status } = compile(version, ['-p', '.'], folder)
  return status === 0 ? stdout : `${stdout}${stderr}It ended with ${status}.`
}

interface Setting {
  readonly name: string
  readonly options: object
  readonly files: string[]
}

// With it, a CommonJS file says `require`, as use.cts does.
const verbatimModuleSyntax = false
const OLD_RESOLUTION = { module: 'commonjs', moduleResolution: 'node10', verbatimModuleSyntax }

const SETTINGS: readonly Setting[] = [
  { name: 'as they are', options: {}, files: ['use.mts', 'use.cts'] },
  {
    name: 'module: commonjs',
    options: { module: 'commonjs', verbatimModuleSyntax },
    files: ['use.ts', 'use.cts'],
  },
  ...['node16', 'nodenext'].map((module) => ({
    name: `module: ${module}`,
    options: { module, moduleResolution: module, verbatimModuleSyntax },
    files: ['use.ts', 'use.mts', 'use.cts'],
  })),
  {
    name: 'moduleResolution: bundler',
    options: { module: 'esnext', moduleResolution: 'bundler' },
    files: ['use.ts', 'use.mts'],
  },
]

function settingsOf(version: Version): readonly Setting[] {
  const name = 'moduleResolution: node10'
  const files = ['use.ts', 'use.cts']
  if (version === '7.0') return SETTINGS
  if (version !== '6.0') return [...SETTINGS, { name, options: OLD_RESOLUTION, files }]
  const options = { ...OLD_RESOLUTION, ignoreDeprecations: '6.0' }
  return [...SETTINGS, { name, options, files }]
}

test('every export is used', () => {
  assert.deepEqual(Object.keys(USES), exported)
})

for (const version of versions) {
  describe(`TypeScript ${version}, the settings of tsc --init`, () => {
    for (const { name, options, files } of settingsOf(version)) {
      test(name, () => assert.equal(complaintsOf(version, options, files), ''))
    }

    test('what must not compile does not', () => {
      const bundler = { module: 'esnext', moduleResolution: 'bundler' }
      const complaints = complaintsOf(version, bundler, ['wrong.ts'])
      assert.equal(complaints.match(/^wrong\.ts\(.+error TS2/gm)?.length, uses.length, complaints)
    })

    for (const moduleResolution of ['node16', 'bundler']) {
      test(`${moduleResolution}, without types of any runtime, all declarations checked`, () => {
        const options = {
          target: 'es2022',
          lib: ['es2022'],
          types: [],
          module: moduleResolution === 'bundler' ? 'esnext' : 'node16',
          moduleResolution,
          skipLibCheck: false,
          exactOptionalPropertyTypes: true,
          noUncheckedIndexedAccess: true,
          verbatimModuleSyntax,
        }
        const files = moduleResolution === 'bundler' ? ['bare.mts'] : ['bare.mts', 'bare.cts']
        assert.equal(complaintsOf(version, options, files), '')
      })
    }
  })
}
