// Runs the suite in hosts that are no Node.js, each as its users run it.
import { execFile, spawn } from 'node:child_process'
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { EdgeRuntime } from 'edge-runtime'
import variant from '@jitl/quickjs-wasmfile-release-sync'
import { newQuickJSWASMModuleFromVariant } from 'quickjs-emscripten-core'
import type { QuickJSSyncVariant } from 'quickjs-emscripten-core'
import { bundleSuite } from './suite.ts'
import type { SuiteReport } from './suite.ts'

const run = promisify(execFile)
const modules = fileURLToPath(new URL('../node_modules/', import.meta.url))
export const root = fileURLToPath(new URL('../../../', import.meta.url))

// Not those in .bin, which start these in processes of their own that would outlive them.
export const binaries = {
  node: (version: number) => `${modules}node-${version}/bin/node`,
  bun: `${modules}@oven/bun-linux-x64/bin/bun`,
  deno: `${modules}@deno/linux-x64-glibc/deno`,
  workerd: `${modules}@cloudflare/workerd-linux-64/bin/workerd`,
}

export async function versionOf(binary: string): Promise<string> {
  const { stdout } = await run(binary, ['--version'])
  return /\d[\d.-]*/.exec(stdout)?.[0] ?? stdout
}

export const installedVersion = (name: string): string =>
  JSON.parse(readFileSync(`${modules}${name}/package.json`, 'utf8')).version

/** A folder that is gone afterwards. */
export async function inFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(`${tmpdir()}/mcp-credentials-runtime-`)
  try {
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const REPORT = 'REPORT '

function reportIn(output: string): SuiteReport {
  const line = output.split('\n').find((text) => text.startsWith(REPORT))
  if (line === undefined) throw new Error(`There is no report in this output:\n${output}`)
  return JSON.parse(line.slice(REPORT.length))
}

export interface WorkerdOptions {
  readonly hasStore: boolean
  readonly compatibilityDate: string
  readonly compatibilityFlags: readonly string[]
}

export async function runInWorkerd({
  hasStore,
  ...compatibility
}: WorkerdOptions): Promise<SuiteReport> {
  const after = `export default { async test() { console.log(${JSON.stringify(REPORT)} + JSON.stringify(await report())) } }`
  const script = await bundleSuite('esm', { hasStore, after })
  return inFolder(async (folder) => {
    writeFileSync(`${folder}/suite.js`, script)
    writeFileSync(
      `${folder}/config.capnp`,
      `
      using Workerd = import "/workerd/workerd.capnp";
      const config :Workerd.Config = (services = [(name = "main", worker = .worker)]);
      const worker :Workerd.Worker = (
        modules = [(name = "suite.js", esModule = embed "suite.js")],
        compatibilityDate = "${compatibility.compatibilityDate}",
        compatibilityFlags = ${JSON.stringify(compatibility.compatibilityFlags)},
      );`,
    )
    const { stdout, stderr } = await run(binaries.workerd, ['test', `${folder}/config.capnp`], {
      maxBuffer: 2 ** 26,
    })
    return reportIn(stdout + stderr)
  })
}

/** Next.js puts an AsyncLocalStorage into this sandbox; by itself it has none. */
export async function runInEdgeRuntime(hasStore: boolean): Promise<SuiteReport> {
  const extend = (context: object) =>
    hasStore ? Object.assign(context, { AsyncLocalStorage }) : context
  const runtime = new EdgeRuntime({ extend: extend as never })
  runtime.evaluate(await bundleSuite('iife', { hasStore }))
  return JSON.parse(
    await runtime.evaluate<Promise<string>>(
      'suite.report().then((report) => JSON.stringify(report))',
    ),
  )
}

export function findChromium(): string {
  const names = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome']
  const paths = (process.env['PATH'] ?? '')
    .split(delimiter)
    .flatMap((folder) => names.map((name) => `${folder}/${name}`))
  const found = paths.find((path) => existsSync(path))
  if (found === undefined)
    throw new Error('There is no Chromium. On Debian: apt-get install chromium-headless-shell')
  return found
}

export async function runInChromium(): Promise<SuiteReport> {
  const after =
    'report().then((result) => fetch("/report", { method: "POST", body: JSON.stringify(result) }))'
  return (await runPage(await bundleSuite('esm', { hasStore: false, after }))) as SuiteReport
}

/** A page with a script that posts what it has found to `/report`. */
export async function runPage(script: string): Promise<unknown> {
  let setReport: (report: unknown) => void
  const isReported = new Promise<unknown>((resolve) => {
    setReport = resolve
  })
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      let text = ''
      for await (const chunk of request) text += chunk
      setReport(JSON.parse(text))
    }
    const isScript = request.url === '/suite.js'
    response.writeHead(200, { 'content-type': isScript ? 'text/javascript' : 'text/html' })
    response.end(
      isScript ? script : '<!doctype html><script type="module" src="/suite.js"></script>',
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return inFolder(async (profile) => {
    const flags = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--user-data-dir=${profile}`,
    ]
    // It only stays while it is being watched over.
    const stdio = ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] as const
    const browser = spawn(findChromium(), [...flags, '--remote-debugging-pipe', url], {
      stdio: [...stdio],
      detached: true,
      env: { ...process.env, TZ: 'America/New_York' },
    })
    const exit = once(browser, 'exit').then(() => {
      throw new Error('Chromium ended without a report.')
    })
    try {
      return await Promise.race([isReported, exit])
    } finally {
      // With all the processes that it has started, which are in a group of their own.
      process.kill(-Number(browser.pid), 'SIGKILL')
      for (const stream of browser.stdio) stream?.destroy()
      await exit.catch(() => undefined)
      server.closeAllConnections()
      server.close()
    }
  })
}

// What an engine that is embedded by hand gets from its host: timers, here on a clock that only they move.
const QUICKJS_TIMERS = `
  globalThis.global = globalThis
  let now = 0
  const due = new Map()
  globalThis.setTimeout = (fn, milliseconds = 0) => {
    const at = now + Math.ceil(milliseconds)
    due.set(at, due.get(at) ?? []).get(at).push(fn)
  }
  globalThis.runTimer = () => {
    while (due.size > 0 && !due.has(now)) now += 1
    const timers = due.get(now)
    timers?.shift()()
    if (timers?.length === 0) due.delete(now)
  }`

export async function runInQuickJS(): Promise<SuiteReport> {
  const script = await bundleSuite('iife', {
    hasStore: false,
    hasWeb: false,
    before: `import '${root}test/runtimes/portable/quickjs.ts'`,
  })
  // Its types are those of its CommonJS form.
  const quickjs = await newQuickJSWASMModuleFromVariant(variant as unknown as QuickJSSyncVariant)
  const context = quickjs.newContext()
  // The frames of the engine stand on the stack of its host, too.
  context.runtime.setMaxStackSize(64 * 1024)
  const evaluate = (code: string) => context.unwrapResult(context.evalCode(code))
  evaluate(QUICKJS_TIMERS).dispose()
  evaluate(script).dispose()
  evaluate(
    'var result; suite.report().then((report) => { result = JSON.stringify(report) }, (error) => { result = String(error) })',
  ).dispose()
  for (;;) {
    context.unwrapResult(context.runtime.executePendingJobs())
    const result = context.dump(evaluate('result'))
    if (typeof result === 'string') return JSON.parse(result)
    evaluate('runTimer()').dispose()
  }
}
