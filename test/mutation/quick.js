// What StrykerJS and statements.js would change, under the tests of the core alone, in one process, and the last killers first:
// minutes where mutation.js takes hours. What it says to survive may be noticed by other tests.
import fs from 'node:fs'
import * as module from 'node:module'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { Instrumenter } from '@stryker-mutator/instrumenter'
import { changesOf } from './statements.js'
import { imports, testFiles, work } from './workplace.js'

// Milliseconds. Tests that take longer are left out: all others run for each survivor.
const SLOW = 300
const LONGEST = 90_000

/** Old generations of modules stay in memory. */
const MOST_GENERATIONS = 60

const ignore = () => undefined
const logger = { isDebugEnabled: () => false, debug: ignore, info: ignore, warn: ignore }

async function mutantsOf(file, code) {
  const options = { ignorers: [], excludedMutations: [], plugins: null, noHeader: true }
  const given = [{ name: file, mutate: true, content: code }]
  const { mutants } = await new Instrumenter(logger).instrument(given, options)
  const lines = code.split('\n')
  const offsetOf = ({ line, column }) =>
    lines.slice(0, line).join('\n').length + Number(line > 0) + column
  return mutants.map(({ mutatorName, replacement = '', location }) => {
    const [start, end] = [offsetOf(location.start), offsetOf(location.end)]
    const { line } = location.start
    return {
      mutator: mutatorName,
      line: lines[line].trim(),
      code: code.slice(start, end),
      replacement,
      at: line + 1,
      start,
      end,
    }
  })
}

/** A worker, and another where it has crashed or does not answer. */
class Runner {
  #file
  #worker
  #answer
  #count = 0

  constructor(file) {
    this.#file = file
  }

  async ask(message, limit) {
    this.#count += 1
    if (this.#count % MOST_GENERATIONS === 0) await this.stop()
    this.#worker ??= this.#start()
    const answer = await new Promise((resolve) => {
      const timer = setTimeout(resolve, limit, { status: 'Timeout' })
      this.#answer = (given) => {
        clearTimeout(timer)
        resolve(given)
      }
      this.#worker.postMessage(message)
    })
    if (answer.status !== undefined) await this.stop()
    return answer
  }

  async stop() {
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }

  #start() {
    const workerData = { work, file: this.#file }
    const url = new URL('worker.js', import.meta.url)
    const worker = new Worker(url, { workerData, stdout: true, stderr: true })
    worker.stdout.resume()
    worker.stderr.resume()
    const tell = (answer) => {
      if (worker === this.#worker) this.#answer(answer)
    }
    worker.on('message', tell)
    worker.on('error', () => tell({ status: 'Crashed' }))
    return worker
  }
}

const isSame = (one) => (other) => one.testFile === other.testFile && one.index === other.index

/** The tests that pass one after the other over the code as it is, the fastest first. */
async function testsOf(file, runner) {
  const found = []
  const isOfCore = (test) => test.startsWith('dist/test') && imports(test, file)
  for (const testFile of testFiles().filter(isOfCore)) {
    const { results } = await runner.ask({ testFile }, LONGEST)
    if (results === undefined) console.log(`# left out: ${testFile}`)
    else found.push(...results.filter(({ passes, milliseconds }) => passes && milliseconds < SLOW))
  }
  found.sort((one, other) => one.milliseconds - other.milliseconds)
  for (;;) {
    const { killer, status } = await runner.ask({ order: found }, LONGEST)
    if (status !== undefined) throw new Error(`The tests of ${file} do not run in one process.`)
    if (killer === undefined) return found
    found.splice(found.findIndex(isSame(killer)), 1)
  }
}

export async function quick(file) {
  if (module.registerHooks === undefined)
    throw new Error('--quick takes Node.js 24: test/mutation/node_modules/node-24/bin/node')
  const code = fs.readFileSync(join(work, file), 'utf8')
  const runner = new Runner(file)
  const order = await testsOf(file, runner)
  const limit = order.reduce((sum, { milliseconds }) => sum + 4 * milliseconds, 10_000)
  const found = []
  for (const change of [...(await mutantsOf(file, code)), ...changesOf(code)]) {
    const { start, end, ...description } = change
    const changed = code.slice(0, start) + change.replacement + code.slice(end)
    const { killer, status } = await runner.ask({ order, code: changed }, limit)
    if (killer) order.unshift(...order.splice(order.findIndex(isSame(killer)), 1))
    found.push({ ...description, status: status ?? (killer ? 'Killed' : 'Survived') })
  }
  await runner.stop()
  return found
}
