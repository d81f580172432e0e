// A page in place of thousands of lines: a line for each file, what tests print on stdout (their tables), and failures in
// full. What is logged on stderr, such as errors that a test provokes, is shown for files that fail alone.
import { relative, resolve } from 'node:path'
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

/** From Node.js 22 on what a file prints comes under the path that was given, and its tests under the whole one. */
const pathOf = ({ file = '' }) => resolve(file)

const nameOf = (file) =>
  relative(process.cwd(), file)
    .replaceAll('\\', '/')
    .replace(/^(?:dist\/test|test)\//, '')

/** What is printed of a file once it is over. */
function sectionOf(path, file) {
  const logs = file.failed > 0 ? [file.output, file.log] : [file.output]
  const printed = logs.filter((text) => text !== '').map((text) => indent(text.trimEnd(), '    '))
  return [file.line(nameOf(path)), ...printed.map((text) => `${text}\n`)].join('')
}

class Page {
  files = new Map()
  failures = []
  summary = ''
  current = undefined

  /** Takes an event, and gives what is to be printed of the file before, where another one has begun. */
  take({ type, data }) {
    if (type === 'test:stdout') this.fileOf(data).output += data.message
    if (type === 'test:stderr') this.fileOf(data).log += data.message
    if (type === 'test:diagnostic' && SUMMARY.test(data.message))
      this.summary += `ℹ ${data.message}\n`
    if (type !== 'test:pass' && type !== 'test:fail') return ''
    const before = this.current
    this.current = pathOf(data)
    const section = before === undefined || before === this.current ? '' : this.end(before)
    this.count(type, data)
    return section
  }

  fileOf(data) {
    const path = pathOf(data)
    if (!this.files.has(path)) this.files.set(path, new File())
    return this.files.get(path)
  }

  count(type, data) {
    const file = this.fileOf(data)
    if (data.nesting === 0) file.milliseconds += data.details.duration_ms
    if (type === 'test:fail') {
      const failure = failureOf(data)
      if (failure === undefined) return
      this.failures.push(failure)
      file.failed += 1
    } else if (data.skip !== undefined) file.skipped += 1
    else if (data.details.type !== 'suite') file.passed += 1
  }

  end(path) {
    const file = this.files.get(path)
    this.files.delete(path)
    return file === undefined ? '' : sectionOf(path, file)
  }
}

export default async function* report(source) {
  const page = new Page()
  for await (const event of source) yield page.take(event)
  for (const path of page.files.keys()) yield page.end(path)
  const { failures, summary } = page
  if (failures.length > 0) yield `\n${failures.length} failed:\n\n${failures.join('')}`
  yield summary
}
