// docs/connecting.md: what MCP clients show of a credential that is missing, of a 403, and of an account to be connected.
// docs/clients.md: how they are started.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createMCPClient } from '@ai-sdk/mcp'
import { MultiServerMCPClient } from '@langchain/mcp-adapters'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { ConnectRequiredError, fromHeaders } from 'mcp-credentials'
import type { CredentialSource } from 'mcp-credentials'
import { withCredentials as withFetchCredentials } from 'mcp-credentials/fetch'
import { withCredentials } from 'mcp-credentials/mcp'
import { listen } from './servers.js'
import type { Listening } from './servers.js'

const PAGE = 'https://mcp.example/connect/github'
const HEADER = 'X-MCP-Cred-Access-Token'
const TIMEOUT = 30_000

// The hosted example, and what may stand in front of it.
const fromGateway = fromHeaders({ type: 'oauth' })
const createHandler = (source: CredentialSource) =>
  createMcpHandler(() => {
    const server = withCredentials(new McpServer({ name: 'issues', version: '1.0.0' }), source)
    server.registerTool('list_issues', { description: 'The open issues of the user' }, () => ({
      content: [{ type: 'text', text: 'none' }],
    }))
    return server
  })
const hosted = createHandler(fromGateway)
const unconnected = createHandler(() => {
  throw new ConnectRequiredError(PAGE)
})
const HANDLERS: Record<string, (request: Request) => Promise<Response>> = {
  '/missing': (request) => hosted.fetch(request),
  '/refused': withFetchCredentials((request: Request) => hosted.fetch(request), fromGateway),
  '/bare': async () => new Response(null, { status: 403 }),
  '/connect': (request) => unconnected.fetch(request),
}

let server: Listening
const home = mkdtempSync(`${tmpdir()}/mcp-credentials-clients-`)
before(async () => {
  server = await listen((request, response) => {
    const fetch = HANDLERS[request.url ?? '']
    if (fetch) void toNodeHandler({ fetch })(request as never, response)
    else response.writeHead(404).end()
  })
})
after(async () => {
  rmSync(home, { recursive: true, force: true })
  await server.close()
})

/** What a command prints, and how it ends. Nothing of it may open a browser. */
function run(script: string, args: readonly string[], input?: string): Promise<string> {
  const path = fileURLToPath(new URL(`../node_modules/.bin/${script}`, import.meta.url))
  const env = { ...process.env, HOME: home, MCP_REMOTE_CONFIG_DIR: home, BROWSER: 'true' }
  return new Promise((resolve) => {
    const options = { env, timeout: TIMEOUT, cwd: home }
    const child = execFile(process.execPath, [path, ...args], options, (error, out, errors) =>
      resolve(`${out}${errors ? `\nstderr: ${errors}` : ''}\nexit ${error?.code ?? 0}`),
    )
    if (input === undefined) child.stdin?.end()
    else {
      child.stdin?.on('error', () => undefined)
      child.stdin?.write(input)
      void sleep(3000).then(() => child.stdin?.end())
    }
  })
}

const INITIALIZE = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'client', version: '1.0.0' },
}
const LINES = [
  { id: 1, method: 'initialize', params: INITIALIZE },
  { method: 'notifications/initialized' },
  { id: 2, method: 'tools/call', params: { name: 'list_issues', arguments: {} } },
]

const inspect = (url: string, ...args: string[]) =>
  run('mcp-inspector', [
    ...['--cli', url, '--transport', 'http', ...args],
    ...['--method', 'tools/call', '--tool-name', 'list_issues'],
  ])

/** What each shows of one call. */
const CLIENTS: Record<string, (url: string) => Promise<string>> = {
  'Inspector, CLI': (url) => inspect(url),
  'Inspector, CLI, of 2026': (url) => inspect(url, '--protocol-era', 'modern'),
  'mcp-remote': (url) => {
    const lines = LINES.map((line) => JSON.stringify({ jsonrpc: '2.0', ...line }))
    return run('mcp-remote', [url, '--allow-http'], `${lines.join('\n')}\n`)
  },
  async '@ai-sdk/mcp'(url) {
    const client = await createMCPClient({ transport: { type: 'http', url } })
    const tools = await client.tools()
    const call = { toolCallId: 'call', messages: [], context: undefined } as never
    const output: unknown = await tools['list_issues']?.execute?.({}, call)
    await client.close()
    // What the model gets.
    const toModelOutput = tools['list_issues']?.toModelOutput as (given: object) => unknown
    return JSON.stringify(await toModelOutput({ output, toolCallId: 'call', input: {} }))
  },
  async '@langchain/mcp-adapters'(url) {
    const client = new MultiServerMCPClient({ mcpServers: { issues: { transport: 'http', url } } })
    try {
      const [tool] = await client.getTools()
      return String(await tool?.invoke({}))
    } finally {
      await client.close()
    }
  },
  mcporter: (url) =>
    run('mcporter', [
      ...['call', '--http-url', url, '--allow-http', '--name', 'issues', '--tool', 'list_issues'],
      ...['--oauth-timeout', '2000', '--timeout', '10000'],
    ]),
}

const CASES = ['missing', 'refused', 'bare', 'connect'] as const

/** What has to be in the output, and what must not. */
interface Expected {
  readonly has: readonly string[]
  readonly hasNot?: readonly string[]
}

const EXPECTED: Record<string, Record<(typeof CASES)[number], Expected>> = {
  'Inspector, CLI': {
    missing: { has: [HEADER, '"isError": true', 'exit 5'] },
    refused: { has: [HEADER, 'auth_required', '403'] },
    bare: { has: ['auth_required', '403'] },
    connect: { has: ['exit 0'], hasNot: [PAGE, '-32042'] },
  },
  'Inspector, CLI, of 2026': {
    missing: { has: [HEADER, '"isError": true', 'exit 5'] },
    refused: { has: ['auth_required', '403'], hasNot: [HEADER] },
    bare: { has: ['auth_required', '403'] },
    connect: { has: [PAGE, '"isError": true', 'exit 5'] },
  },
  'mcp-remote': {
    missing: { has: [HEADER, '"isError":true'] },
    refused: { has: [`stderr: `, HEADER, 'exit 1'], hasNot: ['"jsonrpc":"2.0"'] },
    bare: { has: ['status: 403', 'exit 1'], hasNot: ['"jsonrpc":"2.0"'] },
    connect: { has: [PAGE, '"code":-32042', '"elicitations"'] },
  },
  '@ai-sdk/mcp': {
    missing: { has: [HEADER], hasNot: ['isError'] },
    refused: { has: [HEADER, '403'] },
    bare: { has: ['403'] },
    connect: { has: [PAGE], hasNot: ['isError'] },
  },
  '@langchain/mcp-adapters': {
    missing: { has: ['ToolException', HEADER] },
    refused: { has: ['fall back to SSE', HEADER] },
    bare: { has: ['fall back to SSE'] },
    connect: { has: ['ToolException', PAGE] },
  },
  mcporter: {
    missing: { has: [HEADER, 'exit 1'] },
    refused: { has: ['OAuth authorization could not start', HEADER, 'exit 1'] },
    bare: { has: ['OAuth authorization could not start', 'exit 1'] },
    connect: { has: [PAGE, '-32042', 'exit 1'] },
  },
}

for (const [name, call] of Object.entries(CLIENTS)) {
  describe(name, () => {
    for (const path of CASES) {
      test(path, { timeout: TIMEOUT * 2 }, async () => {
        const output = await call(`${server.origin}/${path}`).catch(String)
        const { has = [], hasNot = [] } = EXPECTED[name]?.[path] ?? {}
        for (const text of has) assert(output.includes(text), `${text} is not in ${output}`)
        for (const text of hasNot) assert(!output.includes(text), `${text} is in ${output}`)
        // Without a body nobody can say why.
        if (path === 'bare') assert(!output.includes('ERR_CREDENTIAL'))
        assert(has.length > 0)
      })
    }
  })
}

describe('as docs/clients.md starts them', () => {
  const token = 'FAKE-clients-token'
  const local = fileURLToPath(new URL('local.js', import.meta.url))
  const text = readFileSync(new URL('../../../docs/clients.md', import.meta.url), 'utf8')
  const lines = [...text.matchAll(/^npx @modelcontextprotocol\/inspector (--cli .+)$/gm)]
  const argumentsOf = (line: string) =>
    [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, word = '']) =>
      (quoted ?? word)
        .replace('/home/me/github/local.js', local)
        .replace('http://127.0.0.1:3000/mcp', `${server.origin}/missing`)
        .replace('…', token),
    )

  before(() =>
    writeFileSync(
      local,
      `import { McpServer } from '@modelcontextprotocol/server'
      import { serveStdio } from '@modelcontextprotocol/server/stdio'
      import { fromEnv, getCredentials } from 'mcp-credentials'
      import { withCredentials } from 'mcp-credentials/mcp'
      serveStdio(() => {
        const server = new McpServer({ name: 'github', version: '1.0.0' })
        withCredentials(server, fromEnv('GITHUB_', { type: 'oauth' }))
        server.registerTool('whoami', {}, () => ({
          content: [{ type: 'text', text: getCredentials('oauth').accessToken.length + ' characters' }],
        }))
        return server
      })`,
    ),
  )

  test('there are two lines for one call by the Inspector', () => assert.equal(lines.length, 2))
  for (const [, line = ''] of lines) {
    test(`Inspector: ${line}`, async () => {
      const shown = await run('mcp-inspector', argumentsOf(line))
      const expected = line.includes('whoami') ? `${token.length} characters` : 'list_issues'
      assert(shown.includes(expected) && shown.endsWith('exit 0'), shown)
    })
  }

  test('mcp-remote hands the header on', async () => {
    assert(text.includes('npx mcp-remote <url> --header <name>:<value>'))
    const input = LINES.map((line) => JSON.stringify({ jsonrpc: '2.0', ...line })).join('\n')
    const args = [`${server.origin}/missing`, '--header', `${HEADER}:${token}`]
    const shown = await run('mcp-remote', args, `${input}\n`)
    assert(shown.includes('"text":"none"'), shown)
  })
})
