// Runs tests of the core over a changed file, in one process: each change is a new generation of all modules.
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parentPort, workerData } from 'node:worker_threads'

const urlOf = (path) => pathToFileURL(join(workerData.work, path)).href
const dist = urlOf('dist/')
const target = urlOf(workerData.file)

let generation = 0
let source
let collected = []

const ownPart = (url) => url.split('?')[0]

const FAKE = `data:text/javascript,${encodeURIComponent(
  'export const { test, describe, after } = globalThis.collector',
)}`

registerHooks({
  resolve(specifier, context, next) {
    if (specifier === 'node:test') return { url: FAKE, shortCircuit: true }
    const found = next(specifier, context)
    return found.url.startsWith(dist)
      ? { ...found, url: `${ownPart(found.url)}?${generation}` }
      : found
  },
  load(url, context, next) {
    const isChanged = source !== undefined && ownPart(url) === target
    return isChanged ? { format: 'module', source, shortCircuit: true } : next(url, context)
  },
})

globalThis.collector = {
  test(_name, ...args) {
    const [options = {}] = args.filter((arg) => typeof arg === 'object')
    if (!options.skip) collected.push(args.at(-1))
  },
  describe: (_name, fn) => fn(),
  after: () => undefined,
}

async function testsOf(testFile) {
  collected = []
  await import(`${urlOf(testFile)}?${generation}`)
  return collected
}

async function passes(fn) {
  try {
    await fn({ signal: new AbortController().signal })
    return true
  } catch {
    return false
  }
}

/** Runs all tests of a file. */
async function measure(testFile) {
  const results = []
  for (const [index, fn] of (await testsOf(testFile)).entries()) {
    const start = performance.now()
    results.push({
      testFile,
      index,
      passes: await passes(fn),
      milliseconds: performance.now() - start,
    })
  }
  return { results }
}

/** The first of some tests that fails. */
async function firstToFail(order) {
  const files = new Map()
  for (const { testFile, index } of order) {
    if (!files.has(testFile)) files.set(testFile, await testsOf(testFile))
    if (!(await passes(files.get(testFile)[index]))) return { testFile, index }
  }
  return undefined
}

const COPIES = Symbol.for('mcp-credentials.copies')

parentPort.on('message', async ({ testFile, order, code }) => {
  generation += 1
  source = code
  Reflect.deleteProperty(globalThis, COPIES)
  try {
    const answer = testFile ? await measure(testFile) : { killer: await firstToFail(order) }
    parentPort.postMessage(answer)
  } catch {
    // It cannot even be imported.
    parentPort.postMessage(testFile ? {} : { killer: order[0] })
  }
})
// Of what one generation has left behind.
process.on('unhandledRejection', () => undefined)
