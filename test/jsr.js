// What JSR would say of the package; with --publish, publishes it there.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const cwd = fileURLToPath(new URL('..', import.meta.url))
const deno = `${cwd}test/runtimes/node_modules/@deno/linux-x64-glibc/deno`
const isPublishing = process.argv.includes('--publish')
// tsc has checked the types, with the settings of this repository.
const args = ['publish', '--no-check', ...(isPublishing ? [] : ['--dry-run', '--allow-dirty'])]
const { status, error } = spawnSync(deno, args, { cwd, stdio: 'inherit' })
if (error) console.error(error.message)
process.exitCode = status ?? 1
