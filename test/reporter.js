// A page in place of thousands of lines: a line for each file, what tests print on stdout (their tables), and failures in
// full. What is logged on stderr, such as errors that a test provokes, is shown for files that fail alone.
import { relative } from 'node:path'
import { inspect } from 'node:util'

/** What one file has come to. */
class File {
  passed = 0
  failed = 0
  skipped = 0
  milliseconds = 0
  output = ''
  log = ''

  line(name) {
    const counts = [`${String(this.passed).padStart(5)} passed`]
    if (this.failed > 0) counts.push(`${this.failed} failed`)
    if (this.skipped > 0) counts.push(`${this.skipped} skipped`)
    const seconds = `${(this.milliseconds / 1000).toFixed(1)} s`
    return `${this.failed > 0 ? '✖' : '✔'} ${name.padEnd(44)} ${counts.join(', ')}  ${seconds}\n`
  }
}

const indent = (text, prefix) => text.replace(/^(?=.)/gm, prefix)
const SUMMARY = /^(?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /

/** A failure, with where it is; `undefined` for a suite that failed only since a test in it did. */
function failureOf({ name, file = '', line, details }) {
  const { error } = details
  if (error?.failureType === 'subtestsFailed') return undefined
  const where = line === undefined ? nameOf(file) : `${nameOf(file)}:${line}`
  return `✖ ${where}: ${name}\n${indent(inspect(error?.cause ?? error, { depth: 10 }), '  ')}\n\n`
}

const nameOf = (file) => relative(process.cwd(), file).replace(/^(?:dist\/test|test)\//, '')

export default async function* report(source) {
  const files = new Map()
  const failures = []
  let summary = ''
  const fileOf = ({ file = '' }) => {
    if (!files.has(file)) files.set(file, new File())
    return files.get(file)
  }
  for await (const { type, data } of source) {
    if (type === 'test:stdout') fileOf(data).output += data.message
    else if (type === 'test:stderr') fileOf(data).log += data.message
    else if (type === 'test:diagnostic' && SUMMARY.test(data.message))
      summary += `ℹ ${data.message}\n`
    else if (type === 'test:pass' || type === 'test:fail') {
      const file = fileOf(data)
      if (data.nesting === 0) file.milliseconds += data.details.duration_ms
      if (type === 'test:fail') {
        const failure = failureOf(data)
        if (failure !== undefined) failures.push(failure)
        file.failed += failure === undefined ? 0 : 1
      } else if (data.skip !== undefined) file.skipped += 1
      else if (data.details.type !== 'suite') file.passed += 1
    }
  }
  for (const [path, file] of files) {
    yield file.line(nameOf(path))
    if (file.output !== '') yield indent(file.output.trimEnd(), '    ') + '\n'
    if (file.failed > 0 && file.log !== '') yield indent(file.log.trimEnd(), '    ') + '\n'
  }
  if (failures.length > 0) yield `\n${failures.length} failed:\n\n${failures.join('')}`
  yield summary
}
