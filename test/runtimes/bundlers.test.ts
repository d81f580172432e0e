// What bundlers make of the package: no error, no warning, and a bundle that runs.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { after, describe, test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import { build as esbuild } from 'esbuild'
import { rollup } from 'rollup'
import { build as vite } from 'vite'
import { runPage } from './hosts.ts'

// Beside the modules of this folder, where the package is installed.
const folder = mkdtempSync(fileURLToPath(new URL('bundles-', import.meta.url)))
after(() => rmSync(folder, { recursive: true }))

type Bundle = (entry: string) => Promise<string>
const options = { bundle: true, write: false, format: 'esm', logLevel: 'silent' } as const

const withEsbuild =
  (platform: 'browser' | 'neutral' | 'node', minify = false): Bundle =>
  async (entry) => {
    const { outputFiles, warnings } = await esbuild({
      ...options,
      entryPoints: [entry],
      platform,
      minify,
    })
    assert.deepEqual(warnings, [])
    return outputFiles[0]?.text ?? ''
  }

const withRollup: Bundle = async (entry) => {
  const warnings: string[] = []
  const bundle = await rollup({
    input: entry,
    plugins: [nodeResolve()],
    onLog: (_, { message }) => warnings.push(message),
  })
  const { output } = await bundle.generate({ format: 'es' })
  assert.deepEqual(warnings, [])
  return output[0].code
}

const withVite: Bundle = async (entry) => {
  const warnings: string[] = []
  const warn = (message: string) => void warnings.push(message)
  const customLogger = {
    info() {},
    warn,
    warnOnce: warn,
    error: warn,
    clearScreen() {},
    hasErrorLogged: () => false,
    hasWarned: false,
  }
  const result = await vite({
    root: folder,
    configFile: false,
    customLogger,
    build: {
      write: false,
      modulePreload: false,
      rollupOptions: { input: entry, preserveEntrySignatures: 'strict' },
    },
  })
  assert.deepEqual(warnings, [])
  const [first] = [result].flat()
  assert(first !== undefined && 'output' in first)
  return first.output[0].code
}

const BUNDLERS: Record<string, Bundle> = {
  'esbuild for browsers': withEsbuild('browser'),
  'esbuild for browsers, minified': withEsbuild('browser', true),
  'esbuild for any platform': withEsbuild('neutral'),
  'esbuild for Node.js': withEsbuild('node'),
  rollup: withRollup,
  vite: withVite,
}

function entryOf(name: string, text: string): string {
  const path = `${folder}/${name}.js`
  writeFileSync(path, text)
  return path
}

const everything = entryOf(
  'everything',
  `
  import * as core from 'mcp-credentials'
  import { withCredentials } from 'mcp-credentials/fetch'
  import { redactSecrets } from 'mcp-credentials/redact'

  export async function use() {
    const handler = withCredentials(async () => {
      const { accessToken } = core.getCredentials('oauth')
      await undefined
      const later = core.tryGetCredentials('oauth')?.accessToken
      return new Response([accessToken, later, redactSecrets('a ' + accessToken, core.parseEnv('', { ACCESS_TOKEN: accessToken }))].join())
    }, core.fromHeaders({ type: 'oauth' }))
    const request = new Request('http://bundle.example/', { headers: { 'X-MCP-Cred-Access-Token': 'FAKE-bundled' } })
    return [await (await handler(request)).text(), Object.keys(core).length].join()
  }`,
)

const parseHeadersAlone = entryOf(
  'parse-headers',
  `
  import { parseHeaders } from 'mcp-credentials'
  export const use = () => parseHeaders({ 'x-mcp-cred-access-token': 'FAKE-bundled' }).accessToken`,
)

async function use(name: string, code: string): Promise<string> {
  const path = `${folder}/${name.replace(/\W/g, '-')}.mjs`
  writeFileSync(path, code)
  const bundle = (await import(pathToFileURL(path).href)) as { use(): Promise<string> }
  return bundle.use()
}

const PARTS: Record<string, string> = {
  scope: 'getBuiltinModule',
  environment: 'CRED_TYPE',
  mode: 'FASTMCP_CREDENTIAL_MODE',
  redaction: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
  sources: 'ERR_CREDENTIAL_UNAVAILABLE',
}
const partsIn = (code: string) =>
  Object.keys(PARTS).filter((part) => code.includes(PARTS[part] ?? ''))

describe('the core and the adapter for fetch handlers', () => {
  for (const [name, bundle] of Object.entries(BUNDLERS)) {
    test(`${name}: without a warning, and the bundle runs`, async () => {
      const code = await bundle(everything)
      const count = Object.keys(await import('mcp-credentials')).length
      assert.equal(await use(name, code), `FAKE-bundled,FAKE-bundled,a [redacted],${count}`)
      if (/browser|vite/.test(name)) {
        const url = `data:text/javascript,${encodeURIComponent(code)}`
        const page = `import(${JSON.stringify(url)}).then((bundle) => bundle.use()).then((result) => fetch('/report', { method: 'POST', body: JSON.stringify(result) }))`
        // A browser has no AsyncLocalStorage: the credential is gone after the first await.
        assert.equal(await runPage(page), `FAKE-bundled,,a [redacted],${count}`)
      }
    })
  }
})

describe('parseHeaders alone leaves the rest out', () => {
  for (const [name, bundle] of Object.entries(BUNDLERS)) {
    test(name, async () => {
      const code = await bundle(parseHeadersAlone)
      assert.equal(await use(`alone ${name}`, code), 'FAKE-bundled')
      assert.deepEqual(partsIn(code), [])
      assert.deepEqual(partsIn(await bundle(everything)), Object.keys(PARTS))
    })
  }
})
