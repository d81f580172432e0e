// docs/frameworks.md: the frameworks whose installation takes long.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { compileBlocks, readBlocks } from '../blocks.js'
import { exercise, freePort, serve, tableOf } from '../harness.js'
import type { Findings, Serving } from '../harness.js'
import { TOOLS } from '../tools.js'

const all = fileURLToPath(new URL('../..', import.meta.url))
const blocks = `${all}dist/all/blocks`
const rows = new Map<string, Findings>()

before(() => {
  const names = ['nest.ts', 'mcp-use.ts', 'mastra.ts']
  const more = ['nest-tools.ts', 'mcp-use-tools.ts', 'mastra-tools.ts'].map((name) => all + name)
  const decorators = { experimentalDecorators: true, emitDecoratorMetadata: true }
  assert.equal(compileBlocks(names, blocks, decorators, more), '')
})
after(() => console.log(tableOf(rows)))

const startMain = async (name: string): Promise<Serving> =>
  serve(process.execPath, [`${all}dist/all/main.js`, name], await freePort())

const QUIET = { ...process.env, DO_NOT_TRACK: '1', NEXT_TELEMETRY_DISABLED: '1' }

function createProject(name: string, files: Readonly<Record<string, string>>): string {
  const folder = `${all}dist/${name}`
  rmSync(folder, { recursive: true, force: true })
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(`${folder}/${path.split('/').slice(0, -1).join('/')}`, { recursive: true })
    writeFileSync(`${folder}/${path}`, text)
  }
  return folder
}

const run = (cwd: string, script: string, ...args: string[]) =>
  execFileSync(process.execPath, [`${all}node_modules/${script}`, ...args], {
    cwd,
    env: QUIET,
    timeout: 180_000,
    stdio: 'pipe',
  })

const manifest = JSON.stringify({ name: 'project', private: true, type: 'module' })
const config = {
  compilerOptions: {
    target: 'es2022',
    module: 'esnext',
    moduleResolution: 'bundler',
    strict: true,
    skipLibCheck: true,
  },
  include: ['**/*.ts'],
}
const tools = readFileSync(`${all}../tools.ts`, 'utf8')
const blockOf = (name: string) => readBlocks().get(name) ?? ''

async function startNext(): Promise<Serving> {
  const root = JSON.stringify(fileURLToPath(new URL('../../../../../', import.meta.url)))
  const folder = createProject('next', {
    'package.json': manifest,
    'next.config.mjs': `export default { turbopack: { root: ${root} } }`,
    'tsconfig.json': JSON.stringify(config),
    'app/layout.tsx': `export default ({ children }: { children: React.ReactNode }) => <html><body>{children}</body></html>`,
    'app/mcp/route.ts': blockOf('route.ts').replace('./tools.js', './tools'),
    'app/mcp/tools.ts': tools,
  })
  run(folder, 'next/dist/bin/next', 'build')
  const port = await freePort()
  const args = ['start', '-H', '127.0.0.1', '-p', `${port}`]
  return serve(process.execPath, [`${all}node_modules/next/dist/bin/next`, ...args], port, folder)
}

async function startXmcp(): Promise<Serving> {
  const port = await freePort()
  const http = { host: '127.0.0.1', port, endpoint: '/mcp' }
  const paths = { tools: './src/tools', prompts: false, resources: false }
  const files = TOOLS.map((tool) => {
    const text = blockOf('xmcp.ts').replaceAll('TOOL', tool).replace('./tools.js', '../shared')
    const schema = `import { schema as shape } from '../shared'\nexport const schema = shape.shape\n`
    return [`src/tools/${tool}.ts`, schema + text]
  })
  const folder = createProject('xmcp', {
    'package.json': manifest,
    'tsconfig.json': JSON.stringify(config),
    'xmcp.config.ts': `export default ${JSON.stringify({ http, paths })}`,
    'src/shared.ts': tools,
    ...Object.fromEntries(files),
  })
  run(folder, 'xmcp/dist/cli.js', 'build')
  return serve(process.execPath, [`${folder}/dist/http.js`], port, folder)
}

async function startAgents(): Promise<Serving> {
  const folder = createProject('agents', {
    'tools.ts': tools,
    'agents.ts': blockOf('agents.ts'),
    'storage/empty': '',
    // Which workerd alone does not have.
    'email.ts': 'export class EmailMessage {}',
  })
  copyFileSync(`${all}worker.capnp`, `${folder}/worker.capnp`)
  const { build } = await import('esbuild')
  await build({
    entryPoints: [`${folder}/agents.ts`],
    outfile: `${folder}/worker.js`,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    conditions: ['workerd', 'worker', 'browser'],
    alias: { 'cloudflare:email': `${folder}/email.ts` },
    external: ['cloudflare:*', 'node:*', ...builtinModules],
    banner: {
      js: `import { createRequire } from 'node:module'\nconst require = createRequire('/')`,
    },
    logLevel: 'silent',
  })
  const port = await freePort()
  const workerd = `${all}node_modules/@cloudflare/workerd-linux-64/bin/workerd`
  const args = ['serve', 'worker.capnp', '--experimental', `--socket-addr=http=127.0.0.1:${port}`]
  return serve(workerd, args, port, folder)
}

const FRAMEWORKS: [name: string, start: () => Promise<Serving>, expected: Partial<Findings>][] = [
  ['mcp-handler in Next.js', startNext, {}],
  ['@rekog/mcp-nest', () => startMain('nest'), { look: 'in sight', printed: true }],
  ['agents', startAgents, {}],
  ['mcp-use', () => startMain('mcp-use'), { look: 'in sight' }],
  ['xmcp', startXmcp, {}],
  ['@mastra/mcp', () => startMain('mastra'), { printed: true }],
]

describe('of 200 calls, 20 at a time, each has its own credential, and none shows it', () => {
  for (const [name, start, expected] of FRAMEWORKS) {
    test(name, { timeout: 300_000 }, async () => {
      const serving = await start()
      try {
        const findings = await exercise(serving)
        rows.set(name, findings)
        const normal = {
          right: 200,
          wrong: 0,
          leaked: 0,
          ended: 200,
          look: 'hidden',
          printed: false,
        }
        assert.deepEqual(findings, { ...normal, ...expected })
      } finally {
        await serving.stop()
      }
    })
  }
})
