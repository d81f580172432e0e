// Installs the packages of each folder named on the command line from its lockfile, unless they are there already.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

for (const folder of process.argv.slice(2)) {
  const lockfile = readFileSync(join(folder, 'package-lock.json'), 'utf8')
  const installed = join(folder, 'node_modules', '.installed-lockfile')
  if (existsSync(installed) && readFileSync(installed, 'utf8') === lockfile) continue
  const { status } = spawnSync('npm ci --ignore-scripts --no-fund --no-audit', {
    cwd: folder,
    shell: true,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
  writeFileSync(installed, lockfile)
}
