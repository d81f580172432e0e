import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const tsc = `${root}node_modules/typescript/bin/tsc`

const overHttp = `
    const server = createServer(listener)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    console.log(await (await fetch(\`http://127.0.0.1:\${port}\`)).text())
    server.close()`

// What a project does with its copy.
const uses: Record<string, string> = {
  'mcp.ts': `
    import { Client, InMemoryTransport } from '@modelcontextprotocol/client'
    import { McpServer } from '@modelcontextprotocol/server'
    import { withCredentials } from './mcp.js'
    const server = withCredentials(new McpServer({ name: 'copy', version: '1.0.0' }), source)
    server.registerTool('tool', {}, () => ({ content: [{ type: 'text', text: read() }] }))
    const [near, far] = InMemoryTransport.createLinkedPair()
    await server.connect(far)
    const client = new Client({ name: 'copy', version: '1.0.0' })
    await client.connect(near)
    const { content: [block] } = await client.callTool({ name: 'tool' })
    console.log(block?.type === 'text' && block.text)`,
  'express.ts': `
    import { createServer } from 'node:http'
    import express from 'express'
    import { credentials } from './express.js'
    const listener = express().use(credentials(source), (_request, response) => { response.end(read()) })
    ${overHttp}`,
  'fastmcp.ts': `
    import { Client, InMemoryTransport } from '@modelcontextprotocol/client'
    import { FastMCP, FastMCPSession } from 'fastmcp'
    import { withCredentials } from './fastmcp.js'
    withCredentials(FastMCPSession, source)
    const server = new FastMCP({ name: 'copy', version: '1.0.0' })
    server.addTool({ name: 'tool', execute: async () => read() })
    const [near, far] = InMemoryTransport.createLinkedPair()
    const client = new Client({ name: 'copy', version: '1.0.0' })
    await Promise.all([server.connect(far as never), client.connect(near)])
    const { content: [block] } = await client.callTool({ name: 'tool' })
    console.log(block?.type === 'text' && block.text)
    process.exit()`,
  'fetch.ts': `
    import { withCredentials } from './fetch.js'
    const handler = withCredentials(async (request: Request) => new Response(await request.text() + read()), source)
    console.log(await (await handler(new Request('http://project.example/'))).text())`,
  'node-http.ts': `
    import { createServer } from 'node:http'
    import { withCredentials } from './node-http.js'
    const listener = withCredentials((_request, response) => { response.end(read()) }, source)
    ${overHttp}`,
}

const common = `
    import { getCredentials, StaticCredential } from 'mcp-credentials'
    import type { CredentialSource } from 'mcp-credentials'
    const source: CredentialSource = () => new StaticCredential({ apiKey: 'FAKE' })
    const read = () => getCredentials('static').field('apiKey')`

test('every adapter has its test here', () => {
  assert.deepEqual(readdirSync(`${root}adapters`).sort(), Object.keys(uses).sort())
})

for (const [file, use] of Object.entries(uses)) {
  test(`adapters/${file}, copied alone into a project that has the package, compiles and runs`, () => {
    const project = mkdtempSync(`${tmpdir()}/copy-in-`)
    const run = (script: string) =>
      spawnSync(process.execPath, [script, '-p', '.'], { cwd: project, encoding: 'utf8' })
    const configure = (options: object, include: string[]) => {
      const compilerOptions = {
        target: 'es2022',
        module: 'nodenext',
        strict: true,
        outDir: 'out',
        rootDir: '.',
        ...options,
      }
      writeFileSync(`${project}/tsconfig.json`, JSON.stringify({ compilerOptions, include }))
    }
    try {
      mkdirSync(`${project}/node_modules`)
      symlinkSync(root, `${project}/node_modules/mcp-credentials`)
      writeFileSync(`${project}/package.json`, '{ "type": "module" }')
      cpSync(`${root}adapters/${file}`, `${project}/${file}`)
      // With nothing else: no framework, no types of a runtime.
      configure({ lib: ['es2022'], types: [] }, [file])
      assert.equal(run(tsc).stdout, '')

      for (const name of ['@types', '@modelcontextprotocol', 'express', 'fastmcp'])
        symlinkSync(`${root}test/peers/node_modules/${name}`, `${project}/node_modules/${name}`)
      writeFileSync(`${project}/use.ts`, `${common}\n${use}\n`)
      configure({ types: ['node'], skipLibCheck: true }, ['*.ts'])
      assert.equal(run(tsc).stdout, '')
      const { stdout, stderr } = run('out/use.js')
      assert.deepEqual({ stdout, stderr }, { stdout: 'FAKE\n', stderr: '' })
    } finally {
      rmSync(project, { recursive: true })
    }
  })
}
