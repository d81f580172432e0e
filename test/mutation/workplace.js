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

// They read the sources, the documents, the examples, or what was packed, and not the behaviour of the code.
const NOT_OF_CODE = /^(house|copy-in|documents|docs-refresh|gateway|readme|weight|types)\.test\.js$/

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

/** A test, and all that it imports, if by others. */
function importedBy(test, subpaths) {
  const seen = new Set([test])
  for (const path of seen) {
    if (!fs.existsSync(join(work, path)) || !path.endsWith('.js')) continue
    for (const name of importsOf(path, subpaths)) seen.add(name)
  }
  return seen
}

export const imports = (test, file, subpaths = exports()) => importedBy(test, subpaths).has(file)

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

// Milliseconds; what takes longer is left out.
const LONGEST = 60_000

/** Runs all tests that import a file over the code as it is: how long each takes, and what of the file it covers. */
export async function measure(file) {
  const subpaths = exports()
  const measured = []
  for (const test of testFiles().filter((one) => imports(one, file, subpaths))) {
    const { passes, milliseconds, files } =
      knownOf(test, subpaths) ?? (await tryOut(test, subpaths))
    if (!passes) console.log(`# left out, since it fails here as it is, or takes too long: ${test}`)
    else if (files[file]?.some(({ count }) => count > 0))
      measured.push({ test, milliseconds, covers: files[file] })
  }
  return measured
}

/** What a test imports, as it is now. */
function stateOf(test, subpaths) {
  const hash = createHash('sha256')
  for (const path of importedBy(test, subpaths))
    if (fs.existsSync(join(work, path))) hash.update(fs.readFileSync(join(work, path)))
  return hash.digest('hex')
}

const pathOfKnown = (test) => join(work, 'measured', `${test.replaceAll('/', '_')}.json`)

/** What was measured of a test, if nothing that it imports has changed since. */
function knownOf(test, subpaths) {
  const path = pathOfKnown(test)
  const known = fs.existsSync(path) ? JSON.parse(fs.readFileSync(path, 'utf8')) : undefined
  return known?.state === stateOf(test, subpaths) ? known : undefined
}

async function tryOut(test, subpaths, isAgain = false) {
  const folder = join(work, 'coverage')
  fs.rmSync(folder, { recursive: true, force: true })
  fs.mkdirSync(folder)
  const outcome = await run(test, LONGEST, { NODE_V8_COVERAGE: folder })
  // A machine with other things to do may fail one that waits.
  const isWorthAnother = !outcome.passes && outcome.milliseconds < LONGEST && !isAgain
  if (isWorthAnother) return tryOut(test, subpaths, true)
  const found = { state: stateOf(test, subpaths), ...outcome, files: coverageOf(folder) }
  fs.mkdirSync(join(work, 'measured'), { recursive: true })
  fs.writeFileSync(pathOfKnown(test), JSON.stringify(found))
  return found
}

/** By file, its ranges with the number of times that each ran, of all processes of a test; inner ranges come last. */
function coverageOf(folder) {
  const files = {}
  for (const [process, name] of fs.readdirSync(folder).entries()) {
    const { result } = JSON.parse(fs.readFileSync(join(folder, name), 'utf8'))
    for (const { url, functions } of result) {
      const [file] = /dist\/(?:src|adapters)\/.*$/.exec(url) ?? []
      if (file === undefined || url.includes('node_modules')) continue
      files[file] ??= []
      for (const { ranges } of functions)
        files[file].push(...ranges.map((range) => ({ ...range, process })))
    }
  }
  return files
}

const sizeOf = ({ startOffset, endOffset }) => endOffset - startOffset

/** The offsets of a file at which what stands there ran, in one of the processes. */
export function coveredBy({ covers: ranges }) {
  const ran = new Map()
  for (const range of [...ranges].sort((one, other) => sizeOf(other) - sizeOf(one))) {
    const { process, startOffset, endOffset, count } = range
    if (!ran.has(process)) ran.set(process, [])
    ran.get(process).length = Math.max(ran.get(process).length, endOffset)
    ran.get(process).fill(count > 0, startOffset, endOffset)
  }
  const offsets = new Set()
  for (const hits of ran.values()) hits.forEach((hit, at) => hit && offsets.add(at))
  return [...offsets]
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
