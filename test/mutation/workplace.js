// A copy of the package in which code is changed, and the tests that run over it.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const here = fileURLToPath(new URL('.', import.meta.url))
/** Here, and nowhere else, files are changed. */
export const work = join(here, 'work')
const node = join(here, 'node_modules/node-24/bin/node')

// They read the sources, the documents, or what was packed, and not the behaviour of the code.
const NOT_OF_CODE = /^(house|copy-in|documents|docs-refresh|readme|weight|types)\.test\.js$/

/** Lays the copy: the compiled package and tests, with the packages that they need. */
export function layWorkplace() {
  fs.mkdirSync(join(work, 'test'), { recursive: true })
  for (const path of [
    'package.json',
    'dist',
    'test/vectors',
    'test/peers/dist',
    'test/peers/package.json',
  ]) {
    fs.rmSync(join(work, path), { recursive: true, force: true })
    fs.cpSync(join(root, path), join(work, path), { recursive: true })
  }
  const packages = join(work, 'test/peers/node_modules')
  fs.rmSync(packages, { recursive: true, force: true })
  fs.mkdirSync(packages)
  for (const name of fs.readdirSync(join(root, 'test/peers/node_modules'))) {
    const target = name === 'mcp-credentials' ? work : join(root, 'test/peers/node_modules', name)
    fs.symlinkSync(target, join(packages, name))
  }
}

/** All tests, as paths in the workplace. */
export function testFiles() {
  return ['dist/test', 'test/peers/dist'].flatMap((folder) =>
    fs
      .readdirSync(join(work, folder))
      .filter((name) => name.endsWith('.test.js') && !NOT_OF_CODE.test(name))
      .map((name) => join(folder, name)),
  )
}

const exports = () => JSON.parse(fs.readFileSync(join(work, 'package.json'), 'utf8')).exports

/** What a file imports, of this package and of its own folder. */
function importsOf(path, subpaths) {
  const code = fs.readFileSync(join(work, path), 'utf8')
  const names = Array.from(
    code.matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g),
    ([, name]) => name,
  )
  return names.flatMap((name) => {
    if (name.startsWith('.')) return [relative(work, resolve(work, dirname(path), name))]
    const subpath = subpaths[name.replace(/^mcp-credentials/, '.')]
    return name.startsWith('mcp-credentials') && subpath ? [join(subpath.default)] : []
  })
}

/** Whether a test imports a file, if by others. */
export function imports(test, file, subpaths = exports()) {
  const seen = new Set([test])
  for (const path of seen) {
    if (path === file) return true
    if (!fs.existsSync(join(work, path)) || !path.endsWith('.js')) continue
    for (const name of importsOf(path, subpaths)) seen.add(name)
  }
  return false
}

/** Runs a test file; what takes longer than so many milliseconds has failed. */
export function run(test, limit, env = {}) {
  return new Promise((resolve) => {
    const start = performance.now()
    const child = spawn(node, ['--test-reporter=tap', test], {
      cwd: work,
      env: { ...process.env, PATH: `${dirname(node)}:${process.env.PATH}`, ...env },
      stdio: 'ignore',
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), limit)
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ passes: code === 0, milliseconds: performance.now() - start })
    })
  })
}

const LONGEST = 120_000

/** Runs all tests that import a file over the code as it is: how long each takes, and what of the file it covers. */
export async function measure(file) {
  const subpaths = exports()
  const measured = []
  for (const test of testFiles().filter((one) => imports(one, file, subpaths))) {
    // A machine with other things to do may fail one that waits.
    const found = (await tryOut(test, file)) ?? (await tryOut(test, file))
    if (found === undefined) console.log(`# left out, since it fails here as it is: ${test}`)
    else measured.push(found)
  }
  return measured.filter(({ covers }) => covers.some(({ count }) => count > 0))
}

async function tryOut(test, file) {
  const folder = join(work, 'coverage')
  fs.rmSync(folder, { recursive: true, force: true })
  const { passes, milliseconds } = await run(test, LONGEST, { NODE_V8_COVERAGE: folder })
  return passes ? { test, milliseconds, covers: coverageOf(file, folder) } : undefined
}

/** The ranges of a file with the number of times that each ran, of all processes of a test; inner ranges come last. */
function coverageOf(file, folder) {
  const url = `/${file}`
  return fs.readdirSync(folder).flatMap((name, process) => {
    const { result } = JSON.parse(fs.readFileSync(join(folder, name), 'utf8'))
    const scripts = result.filter((script) => script.url.endsWith(url))
    return scripts.flatMap(({ functions }) =>
      functions.flatMap(({ ranges }) => ranges.map((range) => ({ ...range, process }))),
    )
  })
}

/** Whether what stands at an offset ran in one of the processes. */
export function covers({ covers: ranges }, offset) {
  const innermost = new Map()
  for (const range of ranges) {
    if (offset < range.startOffset || offset >= range.endOffset) continue
    const known = innermost.get(range.process)
    const isInner =
      !known || range.endOffset - range.startOffset <= known.endOffset - known.startOffset
    if (isInner) innermost.set(range.process, range)
  }
  return [...innermost.values()].some(({ count }) => count > 0)
}

/** Tells whether a file, or a test that imports it, has changed since. */
export function digestOf(file) {
  const hash = createHash('sha256')
  const subpaths = exports()
  const files = [file, ...testFiles().filter((test) => imports(test, file, subpaths))]
  for (const path of files) hash.update(fs.readFileSync(join(work, path)))
  for (const path of ['stryker.js', 'statements.js', 'workplace.js'])
    hash.update(fs.readFileSync(join(here, path)))
  return hash.digest('hex')
}
