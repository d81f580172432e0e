// Serves a fetch handler in a process of its own, on a free port of 127.0.0.1: with Bun, Deno, workerd, and Hono on Node.js.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Readable } from 'node:stream'
import { build } from 'esbuild'
import { binaries } from './hosts.ts'

export interface Running {
  readonly url: URL
  stop(): Promise<void>
}

type Env = Readonly<Record<string, string>>

/** A handler and what it needs, in one module whose default export has the `fetch`. */
async function bundleHandler(entry: string, main: string): Promise<string> {
  const contents = `import handler from '${entry}'\n${main}`
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL('..', import.meta.url)) },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['worker', 'import'],
    external: ['node:*'],
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}

async function start(command: string, args: string[], env: Env, folder: string): Promise<Running> {
  // workerd tells its port on descriptor 3, the others on their standard output.
  const child: ChildProcess = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    env: { ...process.env, ...env, NO_COLOR: '1' },
  })
  const exit = once(child, 'exit')
  const port = await new Promise<string>((resolve, reject) => {
    void exit.then(([code]) => reject(new Error(`${command} ended with code ${code}.`)))
    let output = ''
    for (const stream of [child.stdout, child.stdio[3]] as Readable[]) {
      stream.on('data', (chunk) => {
        output += chunk
        const match = /"port":(\d+)/.exec(output)
        if (match?.[1]) resolve(match[1])
      })
    }
  })
  const stop = async () => {
    child.kill('SIGKILL')
    await exit
    rmSync(folder, { recursive: true })
  }
  return { url: new URL(`http://127.0.0.1:${port}`), stop }
}

const newFolder = () => mkdtempSync(`${tmpdir()}/mcp-credentials-server-`)

async function startScript(
  entry: string,
  main: string,
  command: string,
  args: string[],
  env: Env,
): Promise<Running> {
  const folder = newFolder()
  const script = `${folder}/server.mjs`
  writeFileSync(script, await bundleHandler(entry, main))
  return start(command, [...args, script], env, folder)
}

const BUN = `const { port } = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: handler.fetch }); console.log(JSON.stringify({ port }))`
const DENO = `Deno.serve({ port: 0, hostname: '127.0.0.1', onListen: ({ port }) => console.log(JSON.stringify({ port })) }, handler.fetch)`
const HONO = `
  import { serve } from '@hono/node-server'
  import { Hono } from 'hono'
  const app = new Hono().all('*', (context) => handler.fetch(context.req.raw))
  serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) => console.log(JSON.stringify({ port })))`

async function startWorkerd(entry: string, env: Env): Promise<Running> {
  const folder = newFolder()
  writeFileSync(`${folder}/server.js`, await bundleHandler(entry, 'export default handler'))
  const bindings = Object.entries(env).map(
    ([name, value]) => `(name = "${name}", text = ${JSON.stringify(value)})`,
  )
  writeFileSync(
    `${folder}/config.capnp`,
    `
    using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (
      services = [(name = "main", worker = .worker), (name = "internet", network = (allow = ["private"]))],
      sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
    );
    const worker :Workerd.Worker = (
      modules = [(name = "server.js", esModule = embed "server.js")],
      bindings = [${bindings.join(', ')}],
      compatibilityDate = "2025-06-01", compatibilityFlags = ["nodejs_compat"],
    );`,
  )
  return start(binaries.workerd, ['serve', `${folder}/config.capnp`, '--control-fd=3'], {}, folder)
}

/** How each runtime serves the default export of a module. */
export const servers: Readonly<Record<string, (entry: string, env?: Env) => Promise<Running>>> = {
  'Bun.serve': (entry, env = {}) => startScript(entry, BUN, binaries.bun, [], env),
  'Deno.serve': (entry, env = {}) =>
    startScript(entry, DENO, binaries.deno, ['run', '--allow-net=127.0.0.1', '--allow-env'], env),
  workerd: (entry, env = {}) => startWorkerd(entry, env),
  'Hono on Node.js': (entry, env = {}) => startScript(entry, HONO, process.execPath, [], env),
}
