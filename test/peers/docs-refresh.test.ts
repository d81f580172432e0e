// What docs/refresh.md shows compiles; what it says to paste runs; each message that it lists is one that there is.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { freePort } from './free-port.js'

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const page = readFileSync(here('../../../docs/refresh.md'), 'utf8')
const folder = here('docs-refresh')

const blocksOf = (language: string) =>
  [...page.matchAll(new RegExp('^```' + language + '\\n([^]*?)^```$', 'gm'))].map(
    ([, code = '']) => code,
  )

function emptyFolder(): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
}

test('every block of TypeScript compiles', () => {
  emptyFolder()
  const blocks = blocksOf('ts')
  assert.equal(blocks.length, 4)
  for (const [index, code] of blocks.entries()) writeFileSync(`${folder}/block-${index}.ts`, code)
  const compilerOptions = {
    target: 'es2022',
    module: 'nodenext',
    strict: true,
    skipLibCheck: true,
    types: ['node'],
    noEmit: true,
  }
  const project = JSON.stringify({ compilerOptions, include: ['*.ts'], exclude: [] })
  writeFileSync(`${folder}/tsconfig.json`, project)
  const tsc = here('../../../node_modules/typescript/bin/tsc')
  const { stdout } = spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
  assert.equal(stdout, '')
})

test('the authorization server and the server that uses it run as they are pasted', async () => {
  emptyFolder()
  const port = String(await freePort())
  const [provider = '', server = ''] = blocksOf('js')
  assert.match(provider, /4000/)
  writeFileSync(`${folder}/authorization-server.mjs`, provider.replaceAll('4000', port))
  writeFileSync(`${folder}/server.mjs`, server)
  const running = spawn(process.execPath, [`${folder}/authorization-server.mjs`], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  try {
    let printed = ''
    for await (const chunk of running.stdout) {
      printed += String(chunk)
      if (/REFRESH_TOKEN=\S+\n/.test(printed)) break
    }
    const pairs = [...printed.matchAll(/(CALENDAR_\w+)=(\S+)/g)]
    assert.equal(pairs.length, 4)
    const env = Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, value]))
    const { stdout, stderr } = spawnSync(process.execPath, [`${folder}/server.mjs`], {
      encoding: 'utf8',
      env,
    })
    assert.match(`${stdout}${stderr}`, /^an access token until \d{4}-/)
  } finally {
    running.kill()
    await once(running, 'exit')
  }
})

test('each message that the page lists is one that the sources hold', () => {
  const files = ['refresher', 'token-endpoint', 'token-response', 'errors']
  const source = files
    .map((name) => readFileSync(here(`../../../src/oauth/${name}.ts`), 'utf8'))
    .join('\n')
  const table = page.slice(page.indexOf('| No new access token could be obtained'))
  const rows = [...table.slice(0, table.indexOf('\n\n')).matchAll(/^\| (.+?) \|/gm)]
  const messages = rows.map(([, message = '']) => message).slice(1)
  assert.equal(messages.length, 11)
  for (const message of messages) {
    // As far as the first value in it.
    const [start = ''] = message.split(/ …| \d\d?\d? (?!KiB)/)
    const known = start.replace(/^.*(?= took longer than)/, '')
    assert(source.includes(known), message)
  }
})
