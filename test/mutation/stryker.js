// Changes of operators, conditions, literals and blocks, by StrykerJS.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { here, work } from './workplace.js'

const require = createRequire(import.meta.url)
const bin = join(here, 'node_modules/node-24/bin')
const stryker = join(here, 'node_modules/@stryker-mutator/core/bin/stryker.js')

/** Runs StrykerJS over parts of a file; `tests` are paths. */
function pass(mutate, tests, concurrency) {
  const report = join(work, 'report.json')
  const config = join(work, 'stryker.json')
  fs.rmSync(report, { force: true })
  const options = {
    inPlace: true,
    mutate,
    testRunner: 'tap',
    plugins: [require.resolve('@stryker-mutator/tap-runner')],
    tap: { testFiles: tests, nodeArgs: ['--test-reporter=tap'], forceBail: true },
    coverageAnalysis: 'perTest',
    concurrency,
    timeoutMS: 10_000,
    dryRunTimeoutMinutes: 15,
    reporters: ['json', 'progress-append-only'],
    jsonReporter: { fileName: report },
    tempDirName: join(work, 'stryker-tmp'),
    checkers: [],
    allowConsoleColors: false,
    logLevel: 'warn',
  }
  fs.writeFileSync(config, JSON.stringify(options))
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` }
  const args = [stryker, 'run', config]
  spawnSync(join(bin, 'node'), args, { cwd: work, env, stdio: ['ignore', 'inherit', 'inherit'] })
  const { files } = JSON.parse(fs.readFileSync(report, 'utf8'))
  return Object.values(files).flatMap(({ mutants, source }) =>
    mutants.map((mutant) => describe(mutant, source)),
  )
}

/** A mutant as the list of equivalent ones names it: by what the code is, and not by where it is. */
function describe({ mutatorName, replacement = '', location, status }, source) {
  const lines = source.split('\n')
  const { start, end } = location
  const part = lines.slice(start.line - 1, end.line)
  part[part.length - 1] = part.at(-1).slice(0, end.column - 1)
  part[0] = part[0].slice(start.column - 1)
  return {
    mutator: mutatorName,
    line: lines[start.line - 1].trim(),
    code: part.join('\n'),
    replacement,
    status,
    // Lines from 1, columns from 0.
    range: `${start.line}:${start.column - 1}-${end.line}:${end.column - 1}`,
    at: start.line,
  }
}

const hasSurvived = ({ status }) => status === 'Survived' || status === 'NoCoverage'
const isSame = (one, other) =>
  one.range === other.range &&
  one.mutator === other.mutator &&
  one.replacement === other.replacement

/** All mutants of a file. Those that survive a pass of tests go on to the next, unless they are held to be equivalent. */
export function mutants(file, passes, concurrency, isHeld) {
  const pathsOf = (tests) => tests.map(({ test }) => test)
  const [first, ...others] = passes
  let found = pass([file], pathsOf(first), concurrency)
  for (const tests of others) {
    const survivors = found.filter((mutant) => hasSurvived(mutant) && !isHeld(mutant))
    if (survivors.length === 0) return found
    const ranges = [...new Set(survivors.map(({ range }) => `${file}:${range}`))]
    const again = pass(ranges, pathsOf(tests), concurrency)
    found = found.map((mutant) => {
      if (!survivors.includes(mutant)) return mutant
      return again.find((other) => isSame(mutant, other)) ?? mutant
    })
  }
  return found
}
