// Writes the figures that README.md and docs/auditing.md quote: the lines of each part and file, and what the entries weigh.
// With --check it only says whether they are up to date.
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

/** What README.md says of them, in short. */
const PARTS = [
  [
    'the core',
    'read, hold and hand out credentials; it sends nothing',
    /^src\/(?!signature|tool|upstream|cache|files)\w+\.ts$/,
  ],
  ['`redact`, `tool`, `mcp`', 'run a call in its scope, scrub what it sends', /redact|tool|\/mcp/],
  ['`upstream`', 'send the requests of a tool to one API', /upstream/],
  ['`oauth`', 'ask a token endpoint', /oauth/],
  ['`accounts`', "seal and keep users' accounts", /accounts/],
  [
    '`signature`, `cache`, `files`, the other adapters',
    'verify headers, remember, read files, serve others',
    /signature|cache|files|^adapters/,
  ],
]
/** The lines of code by file, or by folder of src/. */
function count() {
  const counts = new Map()
  for (const folder of ['src', 'adapters']) {
    for (const name of readdirSync(root + folder, { recursive: true })) {
      const path = `${folder}/${name.replaceAll('\\', '/')}`
      if (!path.endsWith('.ts')) continue
      const part = path.replace(/^(src\/\w+\/).*/, '$1')
      counts.set(part, (counts.get(part) ?? 0) + codeOf(readFileSync(root + path, 'utf8')).length)
    }
  }
  const unknown = [...counts.keys()].filter((part) => !(part in WHAT_IT_MAY))
  if (unknown.length > 0) throw new Error(`What may ${unknown.join(', ')} do?`)
  return counts
}

function summary([, [, core], [, both]]) {
  const sums = new Map(PARTS.map((part) => [part, 0]))
  for (const [path, lines] of count()) {
    const part = PARTS.find(([, , files]) => files.test(path))
    sums.set(part, sums.get(part) + lines)
  }
  const rows = [...sums].map(([[name, may], lines]) => [name, may, lines.toLocaleString('en')])
  const weight =
    `Minified and gzipped the core has ${inKB(core)}, and ${inKB(both)} with the MCP adapter and ` +
    'redaction.'
  return `${table(['part', 'may', 'lines of code'], rows)}\n\n${weight}`
}

function lines() {
  const counts = count()
  return table(
    ['file', 'may', 'lines of code'],
    Object.entries(WHAT_IT_MAY)
      .filter(([path]) => counts.has(path))
      .map(([path, may]) => [`\`${path}\``, may, counts.get(path)]),
  )
}

function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rows.map(line)].join('\n')
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

const inKB = (size) => `${size.toFixed(1)} KB`

const weights = (weighed) =>
  table(
    ['minified and gzipped', ''],
    weighed.map(([what, size]) => [what, inKB(size)]),
  )

/** A document with what stands between the marks of a figure replaced. */
function replaced(text, document, name, figure) {
  const [start, end] = [`<!-- figures: ${name} -->`, `<!-- end of figures -->`]
  const from = text.indexOf(start) + start.length
  const to = text.indexOf(end, from)
  if (from < start.length || to < 0) throw new Error(`${document} has no place for the ${name}.`)
  return `${text.slice(0, from)}\n${figure}\n${text.slice(to)}`
}

async function write(isCheck) {
  const weighed = await weigh()
  const documents = {
    'README.md': { summary: summary(weighed) },
    'docs/auditing.md': { lines: lines(), weights: weights(weighed) },
  }
  for (const [document, figures] of Object.entries(documents)) {
    const before = readFileSync(root + document, 'utf8')
    let text = before
    for (const [name, figure] of Object.entries(figures))
      text = replaced(text, document, name, figure)
    if (text === before) continue
    if (isCheck) throw new Error(`The figures in ${document} are out of date: npm run figures`)
    writeFileSync(root + document, text)
  }
}

await write(process.argv.includes('--check'))
