// npm run test:mutation -- [file …] [--changed] [--concurrency N] [--again] [--quick]: changes the code of src and adapters, one
// place at a time, and fails where no test notices, unless equivalents.json says why none could. A file of which nothing goes
// unnoticed is put down in proven.json. What is done is kept until the code or a test of it changes, so that it can be stopped,
// and goes on where it was.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { quick } from './quick.js'
import { statements } from './statements.js'
import { mutants } from './stryker.js'
import { coveredBy, digestOf, here, layWorkplace, measure, root, work } from './workplace.js'

// Milliseconds; what takes longer runs last, for what has survived everything else.
const FAST = 5000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    concurrency: { type: 'string', default: '1' },
    /** Only what has changed since it was proven. */
    changed: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
    /** In one process, under the tests of the core alone: tells in minutes where to look. Not kept. */
    quick: { type: 'boolean', default: false },
  },
})

const sources = (folder) =>
  fs
    .readdirSync(join(root, folder), { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`)

const compiled = (source) => `dist/${source.replace(/\.ts$/, '.js')}`

const readJson = (name) => JSON.parse(fs.readFileSync(join(here, name), 'utf8'))
const equivalents = readJson('equivalents.json')
const proven = readJson('proven.json')

/** Of the code of a file, whatever its comments say. */
function digestOfCode(source) {
  const text = fs.readFileSync(join(root, source), 'utf8')
  const lines = text.replace(/^ *\/\*[^]*?\*\//gm, '').split('\n')
  const code = lines.filter((line) => !/^ *(?:\/\/|$)/.test(line))
  return createHash('sha256').update(code.join('\n')).digest('hex').slice(0, 16)
}

function putDown(source, changes, equivalent) {
  proven[source] = { code: digestOfCode(source), changes, equivalent }
  const sorted = Object.fromEntries(Object.entries(proven).sort())
  fs.writeFileSync(join(here, 'proven.json'), `${JSON.stringify(sorted, null, 2)}\n`)
}

const isOf = (source) => (entry) => entry.file === source
const isSame = (entry) => (mutant) =>
  ['mutator', 'line', 'code', 'replacement'].every((part) => entry[part] === mutant[part])
/** Whether a change to a file is on the list. */
const isHeld = (source) => (mutant) =>
  equivalents.some((entry) => isOf(source)(entry) && isSame(entry)(mutant))

/** The mutants of a file with what became of them; as it was kept, if nothing has changed since. */
async function resultOf(source) {
  const file = compiled(source)
  const kept = join(work, 'results', `${source.replaceAll('/', '_')}.json`)
  const digest = digestOf(file)
  const known = fs.existsSync(kept) ? JSON.parse(fs.readFileSync(kept, 'utf8')) : {}
  if (known.digest === digest && !values.again) return known.found
  if (values.quick) return quick(file)
  const tests = await measure(file)
  const passes = passesOf(tests)
  const found =
    tests.length === 0
      ? []
      : [
          ...mutants(file, passes, Number(values.concurrency), isHeld(source)),
          ...(await statements(file, passes, isHeld(source))),
        ]
  fs.mkdirSync(join(work, 'results'), { recursive: true })
  fs.writeFileSync(kept, JSON.stringify({ digest, found }))
  return found
}

const byTime = (one, other) => one.milliseconds - other.milliseconds

/** First the three tests that cover most of a file, which kill most, then the other fast ones, then the slow ones. */
function passesOf(tests) {
  const covered = new Map(tests.map((test) => [test, coveredBy(test).length]))
  const byCoverage = tests
    .toSorted(byTime)
    .sort((one, other) => covered.get(other) - covered.get(one))
  const [first, others] = [byCoverage.slice(0, 3), byCoverage.slice(3)]
  const isFast = ({ milliseconds }) => milliseconds <= FAST
  const passes = [first, others.filter(isFast), others.filter((test) => !isFast(test))]
  return passes.filter((pass) => pass.length > 0).map((pass) => pass.sort(byTime))
}

const hasSurvived = ({ status }) => status === 'Survived' || status === 'NoCoverage'

/** Prints what has survived, and tells whether that is all right. */
function report(source, found) {
  const survivors = found.filter(hasSurvived)
  const held = equivalents.filter(isOf(source))
  const open = survivors.filter((mutant) => !isHeld(source)(mutant))
  const killed = found.length - survivors.length
  const others = `${survivors.length - open.length} held to be equivalent, ${open.length} open`
  console.log(`${source}: ${found.length} changes, ${killed} noticed, ${others}`)
  for (const { at, mutator, line, code, replacement } of open)
    console.log(`  ${at}: ${JSON.stringify({ file: source, mutator, line, code, replacement })}`)
  for (const entry of held)
    if (!survivors.some(isSame(entry)))
      console.log(`  no survivor any more: ${JSON.stringify(entry)}`)
  if (open.length > 0) return false
  if (found.length > 0 && !values.quick) putDown(source, found.length, survivors.length)
  return true
}

function chosen() {
  if (positionals.length > 0) return positionals
  const all = [...sources('src'), ...sources('adapters')]
  if (!values.changed) return all
  return all.filter((source) => source in proven && proven[source].code !== digestOfCode(source))
}

const files = chosen()
if (files.length > 0) layWorkplace()
else console.log('No file has changed since it was proven.')
for (const source of files) if (!report(source, await resultOf(source))) process.exitCode = 1
