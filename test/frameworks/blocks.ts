// The blocks of docs/frameworks.md, as files beside the tools that they import.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'

const [root = ''] = fileURLToPath(import.meta.url).split('test/frameworks/')

/** By the names of the files that their first lines have. */
export function readBlocks(): Map<string, string> {
  const text = readFileSync(`${root}docs/frameworks.md`, 'utf8')
  const blocks = [...text.matchAll(/^```tsx?\n\/\/ (\S+)\n([^]*?)^```$/gm)]
  return new Map(blocks.map(([, name = '', code = '']) => [name, code]))
}

/** Compiles some of them into a folder; returns what the compiler complains of. */
export function compileBlocks(
  names: readonly string[],
  folder: string,
  options = {},
  more: readonly string[] = [],
): string {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const blocks = readBlocks()
  for (const name of names) writeFileSync(`${folder}/${name}`, blocks.get(name) ?? 'absent')
  for (const path of [`${root}test/frameworks/tools.ts`, ...more])
    copyFileSync(path, `${folder}/${basename(path)}`)
  const compilerOptions = {
    target: 'es2022',
    module: 'nodenext',
    strict: true,
    skipLibCheck: true,
    types: ['node'],
    rootDir: '.',
    outDir: '.',
    ...options,
  }
  const config = { compilerOptions, include: ['*.ts'], exclude: [] }
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify(config))
  const tsc = `${root}node_modules/typescript/bin/tsc`
  const run = spawnSync(process.execPath, [tsc, '-p', folder], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  return run.stdout
}
