// Writes the figures that README.md quotes: the lines of each file, and what the entries weigh. With --check it only says
// whether they are up to date.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { codeOf } from '../dist/test/house.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const { build } = createRequire(`${root}test/peers/package.json`)('esbuild')

const WHAT_IT_MAY = {
  'src/index.ts': 'list what the core exports',
  'src/errors.ts': 'make messages, and refuse bad options',
  'src/grammar.ts': 'read texts: the grammars of all values',
  'src/credential.ts': 'hold secrets, in private fields',
  'src/env.ts': 'read variables',
  'src/headers.ts': 'read and write headers',
  'src/context.ts': 'hand a credential from a call to what it runs',
  'src/source.ts': 'choose between environment and headers',
  'src/adapter.ts': 'ask a source, refuse a call, tell the operator',
  'src/redact/': 'find and replace secrets in what leaves',
  'src/signature.ts': 'sign headers, and verify them',
  'src/oauth/': 'ask a token endpoint: the one place that sends anything by itself',
  'src/accounts/': "seal and keep users' accounts in your store",
  'src/tool.ts': 'run a tool in its scope, and scrub what it gives',
  'src/upstream.ts': 'send the requests of a tool to one API, with its credential',
  'src/cache.ts': 'remember credentials',
  'src/files.ts': 'read the files that variables name',
  'adapters/mcp.ts': 'wrap the handlers of an MCP server',
  'adapters/fastmcp.ts': "wrap the sessions of punkpeye's fastmcp",
  'adapters/express.ts': 'run the rest of an Express chain in a scope',
  'adapters/node-http.ts': 'run an HTTP listener in a scope',
  'adapters/fetch.ts': 'run a Fetch API handler in a scope',
}

function lines() {
  const counts = new Map()
  for (const folder of ['src', 'adapters']) {
    for (const name of readdirSync(root + folder, { recursive: true })) {
      const path = `${folder}/${name.replaceAll('\\', '/')}`
      if (!path.endsWith('.ts')) continue
      const part = path.replace(/^(src\/\w+\/).*/, '$1')
      counts.set(part, (counts.get(part) ?? 0) + codeOf(readFileSync(root + path, 'utf8')).length)
    }
  }
  const rows = Object.entries(WHAT_IT_MAY).filter(([part]) => counts.has(part))
  const unknown = [...counts.keys()].filter((part) => !(part in WHAT_IT_MAY))
  if (unknown.length > 0) throw new Error(`What may ${unknown.join(', ')} do?`)
  return [
    '| file | may | lines of code |',
    '|---|---|---|',
    ...rows.map(([part, may]) => `| \`${part}\` | ${may} | ${counts.get(part)} |`),
  ].join('\n')
}

const FOUR = ['parseEnv', 'parseHeaders', 'runWithCredentials', 'getCredentials']
const ENTRIES = [
  [FOUR.map((name) => `\`${name}\``).join(', '), `export { ${FOUR} } from 'mcp-credentials'`],
  ['the core', `export * from 'mcp-credentials'`],
  [
    'the core and the MCP adapter, with redaction',
    `export * from 'mcp-credentials'\nexport * from 'mcp-credentials/mcp'`,
  ],
]

/** In KB, minified and gzipped. */
async function weigh() {
  const weights = []
  for (const [what, contents] of ENTRIES) {
    const stdin = { contents, resolveDir: root }
    const options = { bundle: true, minify: true, write: false, format: 'esm', logLevel: 'silent' }
    const { outputFiles, warnings } = await build({ stdin, ...options })
    if (warnings.length > 0) throw new Error(`${what}: ${warnings[0].text}`)
    weights.push([what, gzipSync(outputFiles[0].contents).length / 1000])
  }
  return weights
}

async function weights() {
  const rows = await weigh()
  return [
    '| minified and gzipped | |',
    '|---|---|',
    ...rows.map(([what, size]) => `| ${what} | ${size.toFixed(1)} KB |`),
  ].join('\n')
}

async function write(isCheck) {
  const readme = readFileSync(`${root}README.md`, 'utf8')
  let text = readme
  for (const [name, table] of [
    ['lines', lines()],
    ['weights', await weights()],
  ]) {
    const [start, end] = [`<!-- figures: ${name} -->`, `<!-- end of figures -->`]
    const from = text.indexOf(start) + start.length
    const to = text.indexOf(end, from)
    if (from < start.length || to < 0) throw new Error(`README.md has no place for the ${name}.`)
    text = `${text.slice(0, from)}\n${table}\n${text.slice(to)}`
  }
  if (text === readme) return
  if (isCheck) throw new Error('The figures in README.md are out of date: npm run figures')
  writeFileSync(`${root}README.md`, text)
}

await write(process.argv.includes('--check'))
