// The core's tests in one file, for runtimes that have neither node:test nor modules of their own.
import { build } from 'esbuild'
import { fileURLToPath } from 'node:url'
import type { Report } from './portable/test.ts'

export type SuiteReport = Report & { readonly store: string }

const root = fileURLToPath(new URL('../../../', import.meta.url))
const portable = `${root}test/runtimes/portable`

const ANYWHERE = [
  'adapter',
  'credential',
  'errors',
  'mistakes',
  'parse-env',
  'parse-headers',
  'timestamp',
  'source',
  'redact',
  'naive-global',
]
// What needs Web Crypto, and the Fetch API.
const WEB = [
  'signature',
  'refresh',
  'refresh-tenants',
  'oauth',
  'oauth-source',
  'oauth-memory',
  'cache',
  'upstream',
  'accounts',
  'accounts-refresh',
  'accounts-seal',
]
const WITH_STORE = [...ANYWHERE, 'context', 'isolation', 'fetch', 'tool', ...WEB]
const WITHOUT_STORE = [...ANYWHERE, 'no-async-local-storage', ...WEB]

interface Options {
  readonly hasStore: boolean
  /** Whether there are Web Crypto and the Fetch API. */
  readonly hasWeb?: boolean
  /** What runs before everything else, and after. */
  readonly before?: string
  readonly after?: string
}

/** The text of a module, or of a script, whose `report()` runs the cases. */
export async function bundleSuite(
  format: 'esm' | 'iife',
  { hasStore, hasWeb = true, before = '', after = '' }: Options,
): Promise<string> {
  const names = (hasStore ? WITH_STORE : WITHOUT_STORE).filter(
    (name) => hasWeb || !WEB.includes(name),
  )
  // As built: there the package, and what a test takes from its files, are the same modules.
  const contents = `
    ${before}
    import { run } from 'node:test'
    ${names.map((name) => `import '${root}dist/test/${name}.test.js'`).join('\n')}
    import { storeOf } from '${portable}/store.ts'
    export const report = async () => ({ ...(await run()), store: await storeOf() })
    ${after}`
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: `${root}test/runtimes` },
    bundle: true,
    write: false,
    format,
    globalName: 'suite',
    logLevel: 'error',
    // The package says that importing it has no effect; importing its tests has.
    ignoreAnnotations: true,
    alias: {
      'node:assert/strict': `${portable}/assert.ts`,
      'node:process': `${portable}/process.ts`,
      'node:test': `${portable}/test.ts`,
      'node:timers/promises': `${portable}/timers.ts`,
      'node:util': `${portable}/util.ts`,
      'node:v8': `${portable}/v8.ts`,
    },
  })
  return outputFiles[0]?.text ?? ''
}
