// The plan of the house: what belongs to what, what may import what, and how many lines it may have.

/** Sources by their paths, such as `src/env.ts`. */
export type Sources = ReadonlyMap<string, string>

const CORE = [
  'index',
  'errors',
  'grammar',
  'credential',
  'env',
  'headers',
  'context',
  'source',
  'adapter',
]

/** The other rooms that each room may import. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  redact: [],
  signature: [],
  oauth: [],
  accounts: ['oauth'],
  tool: ['redact'],
  upstream: [],
  cache: [],
  files: [],
}

const BUDGETS: Readonly<Record<string, number>> = {
  core: 1150,
  redact: 560,
  oauth: 420,
  accounts: 440,
  tool: 160,
  signature: 120,
  upstream: 120,
  cache: 120,
  files: 120,
  'adapters/mcp.ts': 220,
}
const ADAPTER_BUDGET = 110

/** What has more lines than its budget, until it has fewer; it may not get any more. */
const OVERRUNS: Readonly<Record<string, number>> = {
  core: 1733,
  redact: 594,
  oauth: 652,
  accounts: 616,
  tool: 249,
  upstream: 168,
  'adapters/mcp.ts': 341,
}

/** `core`, the name of a room, or the path of an adapter; `undefined` for a file that the plan does not know. */
function groupOf(path: string): string | undefined {
  if (/^adapters\/[\w-]+\.ts$/.test(path)) return path
  const [, name = ''] = /^src\/([\w-]+)(?:\.ts|\/[\w-]+\.ts)$/.exec(path) ?? []
  if (path === `src/${name}.ts` && CORE.includes(name)) return 'core'
  return Object.hasOwn(ROOMS, name) ? name : undefined
}

/** The lines that are neither blank nor a comment, of a file as Prettier leaves it. */
export function codeOf(source: string): string[] {
  const code: string[] = []
  let isInComment = false
  for (const line of source.split('\n').map((text) => text.trim())) {
    const startsComment = line.startsWith('/*')
    if (!isInComment && !startsComment && !line.startsWith('//') && line !== '') code.push(line)
    if (isInComment || startsComment) isInComment = !line.endsWith('*/')
  }
  return code
}

const IMPORT = /\b(?:from|import|require)\b\s*\(?\s*(['"`])(.*?)\1/g
const COMPUTED_IMPORT = /\b(?:import|require)\s*\(\s*[^'"`\s]/

/** What a file imports, be it for its types alone. */
function importsOf(source: string): Set<string> {
  const code = codeOf(source).join('\n')
  const names = new Set([...code.matchAll(IMPORT)].map(([, , name = '']) => name))
  return COMPUTED_IMPORT.test(code) ? names.add('what it computes') : names
}

/** The path of a file that is imported by a relative path. */
const resolvePath = (name: string, from: string) =>
  new URL(name, `file:///${from}`).pathname.slice(1)

function problemOfAdapterImport(path: string, name: string): string | undefined {
  const [, room] = /^mcp-credentials(?:\/([\w-]+))?$/.exec(name) ?? [undefined, '']
  if (room === undefined || Object.hasOwn(ROOMS, room)) return undefined
  // A session of fastmcp has a server of the SDK.
  if (path === 'adapters/fastmcp.ts' && room === 'mcp') return undefined
  return 'an adapter imports the package and its rooms alone'
}

function problemOfImport(path: string, name: string, files: Sources): string | undefined {
  const group = groupOf(path)
  if (group === path) return problemOfAdapterImport(path, name)
  const target = resolvePath(name, path)
  if (!name.startsWith('.') || !files.has(target) || !target.startsWith('src/'))
    return 'src imports nothing from outside itself'
  const targetGroup = groupOf(target)
  // What has no place is a problem of its own.
  if (group === undefined || targetGroup === undefined) return undefined
  if (targetGroup === 'core' || targetGroup === group) return undefined
  if (group === 'core') return 'the core imports no room'
  if (ROOMS[group]?.includes(targetGroup)) return undefined
  return 'no arrow leads from this room to that one'
}

/** The first path that leads from a file back to it. */
function cycleFrom(start: string, files: Sources): string[] | undefined {
  const seen = new Set<string>()
  const follow = (path: string): string[] | undefined => {
    for (const name of importsOf(files.get(path) ?? '')) {
      const target = resolvePath(name, path)
      if (target === start) return [path, start]
      if (!files.has(target) || seen.has(target)) continue
      seen.add(target)
      const rest = follow(target)
      if (rest) return [path, ...rest]
    }
    return undefined
  }
  return follow(start)
}

/** Every import that the plan does not allow, every cycle, and every file that has no place. */
export function problemsOf(files: Sources): string[] {
  const problems: string[] = []
  for (const [path, source] of files) {
    if (groupOf(path) === undefined) problems.push(`${path} has no place in the house`)
    for (const name of importsOf(source)) {
      const problem = problemOfImport(path, name, files)
      if (problem !== undefined) problems.push(`${path} imports ${name}: ${problem}`)
    }
    const cycle = cycleFrom(path, files)
    if (cycle) problems.push(`a cycle: ${cycle.join(' -> ')}`)
  }
  return problems
}

export interface Row {
  readonly group: string
  readonly lines: number
  readonly budget: number
  /** The budget, or what it is exceeded by now. */
  readonly limit: number
  /** The lines of each of its files. */
  readonly files: ReadonlyMap<string, number>
}

/** What each part of the house that exists has of lines, and may have. */
export function linesOf(files: Sources): Row[] {
  const groups = new Map<string, Map<string, number>>()
  for (const [path, source] of files) {
    const group = groupOf(path) ?? path
    const lines = groups.get(group) ?? new Map<string, number>()
    groups.set(group, lines.set(path, codeOf(source).length))
  }
  return [...groups].map(([group, lines]) => {
    const budget = BUDGETS[group] ?? (group.startsWith('adapters/') ? ADAPTER_BUDGET : 0)
    return {
      group,
      lines: [...lines.values()].reduce((total, count) => total + count, 0),
      budget,
      limit: Math.max(budget, OVERRUNS[group] ?? 0),
      files: lines,
    }
  })
}
