// A project of somebody else's, that has the package installed as it is published.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root: string = fileURLToPath(new URL('../../../', import.meta.url))
export const modules: string = fileURLToPath(new URL('../node_modules/', import.meta.url))

interface Manifest {
  readonly exports: Readonly<Record<string, unknown>>
}

const manifest: Manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))

/** All that can be imported: `.` and the subpaths, such as `./oauth`. */
export const exported: string[] = Object.keys(manifest.exports).filter(
  (name) => name !== './package.json',
)

function npm(args: string[], cwd: string): string {
  const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
  return execFileSync('npm', [...args, ...quiet], { cwd, encoding: 'utf8' })
}

/** Packs the package into a folder, and gives the path of the tarball. */
export function pack(folder: string): string {
  const output = npm(['pack', '--ignore-scripts', '--json', '--pack-destination', folder], root)
  const [{ filename }] = JSON.parse(output) as [{ filename: string }]
  return `${folder}/${filename}`
}

export type Files = Readonly<Record<string, string | object>>

/** Writes texts, and objects as JSON. */
export function writeFiles(folder: string, files: Files): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(`${folder}/${path}`), { recursive: true })
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    writeFileSync(`${folder}/${path}`, text)
  }
}

/** A folder with these files, and the tarball installed. */
export function createProject(folder: string, tarball: string, files: Files): void {
  writeFiles(folder, files)
  npm(['install', '--offline', tarball], folder)
}
