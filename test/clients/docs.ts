// The code blocks of a document, compiled as a user's project has them.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = new URL('../../../', import.meta.url)
const pathOf = (path: string) => fileURLToPath(new URL(path, root))

export interface Document {
  /** The heading above each block. */
  readonly headings: readonly string[]
  /** What the compiler says. */
  readonly complaints: string
  /** A block as a module, by its heading. */
  load<T>(heading: string): Promise<T>
}

export function compile(name: string): Document {
  const text = readFileSync(pathOf(`docs/${name}.md`), 'utf8')
  const folder = fileURLToPath(new URL(`docs-${name}/`, import.meta.url))
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  const headings: string[] = []
  let heading = ''
  for (const [, title, code] of text.matchAll(/^#+ (.+)$|^```ts\n([^]*?)^```$/gm)) {
    if (title !== undefined) heading = title
    else if (code !== undefined) {
      writeFileSync(`${folder}block-${headings.length}.ts`, code)
      headings.push(heading)
    }
  }
  const compilerOptions = {
    target: 'es2022',
    module: 'nodenext',
    strict: true,
    skipLibCheck: true,
    types: ['node'],
    rootDir: '.',
    outDir: '.',
  }
  const config = { compilerOptions, include: ['*.ts'], exclude: [] }
  writeFileSync(`${folder}tsconfig.json`, JSON.stringify(config))
  const tsc = pathOf('node_modules/typescript/bin/tsc')
  const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
  return {
    headings,
    complaints: stdout,
    load: (wanted) => import(`${folder}block-${headings.indexOf(wanted)}.js`),
  }
}
