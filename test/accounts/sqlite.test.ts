// Run by npm run test:accounts with a Node.js that has SQLite.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { OAuthCredential } from 'mcp-credentials'
import { createAccounts } from 'mcp-credentials/accounts'
import { testStore } from '../../examples/connect/stores/suite.ts'
import { bytesOf, newFolder } from './databases.ts'

const modules = fileURLToPath(new URL('../../../node_modules/', import.meta.url))
const hasSqlite = process.getBuiltinModule('node:sqlite') !== undefined

if (!hasSqlite)
  test('SQLite, in a Node.js that has it', async () => {
    // What marks a process as started by a test runner, which then runs no tests of its own.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env
    const limits = ['--test-timeout=60000', '--test-force-exit']
    const args = ['--test', ...limits, '--test-reporter=tap', fileURLToPath(import.meta.url)]
    const node = spawn(`${modules}node-24/bin/node`, args, { env })
    let output = ''
    node.stdout.on('data', (chunk) => (output += chunk))
    const [status] = await once(node, 'close')
    assert.equal(status, 0, output)
    assert.match(output, /^# pass 10$/m)
  })
else await testSqlite()

async function testSqlite(): Promise<void> {
  const { DatabaseSync } = await import('node:sqlite')
  const { createSqliteStore } = await import('../../examples/connect/stores/sqlite.ts')
  const folder = newFolder('sqlite')
  const path = join(folder, 'accounts.db')
  const open = async () => createSqliteStore(new DatabaseSync(path))
  after(() => rmSync(folder, { recursive: true }))

  testStore('SQLite', open)

  test('the bytes of SQLite show no token', async () => {
    const store = await open()
    const accounts = createAccounts('github', { store, keys: [new Uint8Array(32)] })
    const credential = new OAuthCredential({ accessToken: 'FAKE-token-in-sqlite' })
    await accounts.save('alice', credential)
    assert.equal((await accounts.get('alice'))?.accessToken, credential.accessToken)
    await store.swap('control', 'p', undefined, 'FAKE-control-in-the-clear')
    const bytes = bytesOf(folder)
    assert(bytes.includes('FAKE-control-in-the-clear'))
    assert(!bytes.includes('FAKE-token-in-sqlite'))
  })

  test('a hundred writers of four processes: the last one has counted to a hundred', async () => {
    const script = `
      import { DatabaseSync } from 'node:sqlite'
      import { createSqliteStore } from ${JSON.stringify(new URL('../../examples/connect/stores/sqlite.js', import.meta.url).href)}
      const store = createSqliteStore(new DatabaseSync(${JSON.stringify(path)}))
      for (let count = 0; count < 25; ) {
        const before = await store.load('shared', 'p')
        if (await store.swap('shared', 'p', before, String(Number(before ?? 0) + 1))) count++
      }`
    const args = ['--input-type=module', '--eval', script]
    const writers = Array.from({ length: 4 }, () =>
      spawn(process.execPath, args, { stdio: 'inherit' }),
    )
    for (const [status] of await Promise.all(writers.map((writer) => once(writer, 'exit'))))
      assert.equal(status, 0)
    assert.equal(await (await open()).load('shared', 'p'), '100')
  })
}
