// What has to be so before a release by hand; refuses where it is not.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path) => readFileSync(root + path, 'utf8')
const { repository, version } = JSON.parse(read('package.json'))

const problems = []
if (typeof repository?.url !== 'string')
  problems.push(
    'package.json has no "repository": set it to { "type": "git", "url": "git+https://…" }. It is where npm links to, and ' +
      'what provenance is checked against.',
  )
if (JSON.parse(read('jsr.json')).version !== version)
  problems.push(`jsr.json has another version than ${version}.`)
if (!new RegExp(`^## ${version.replaceAll('.', '\\.')}$`, 'm').test(read('CHANGELOG.md')))
  problems.push(`CHANGELOG.md has no heading "## ${version}", without "(unreleased)".`)
if (execFileSync('git', ['status', '--porcelain'], { cwd: root, encoding: 'utf8' }) !== '')
  problems.push('The work tree has changes that are not committed.')

for (const problem of problems) console.error(problem)
if (problems.length > 0) process.exitCode = 1
