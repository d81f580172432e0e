// What JSR would say of the package, without publishing it.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const cwd = fileURLToPath(new URL('..', import.meta.url))
const deno = `${cwd}test/runtimes/node_modules/.bin/deno`
const args = ['publish', '--dry-run', '--allow-dirty', '--no-check']
const { status } = spawnSync(deno, args, { cwd, stdio: 'inherit' })
process.exitCode = status ?? 1
