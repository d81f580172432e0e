// Run by npm run test:replicas: 50,000 calls, and the control. Prints a table; ends with an error if anything is other than
// it should be. Another number of calls: --calls 5000
import { runLoad } from './load.ts'

const flag = (name: string, fallback: number) =>
  Number(process.argv[process.argv.indexOf(`--${name}`) + 1 || Infinity] ?? fallback)
const calls = flag('calls', 50_000)
const accounts = flag('accounts', 1000)

const start = performance.now()
const load = await runLoad({ calls, accounts })
const seconds = Math.round((performance.now() - start) / 1000)
const control = await runLoad({ calls: 1000, accounts: 20, isControl: true })
console.log(`Three replicas behind nginx, ${accounts} accounts, 100 calls at a time, ${seconds} s`)
console.table({ accounts: load.report, 'keyed by client id': control.report })
console.table(load.places)
console.table([...load.problems].map(([problem, times]) => ({ problem, times })).slice(0, 20))

const { answered, refreshes, disturbed: _, failed: __, ...faults } = load.report
const isDone = answered > 0.9 * calls && refreshes >= accounts
const isFaultless = Object.values({ ...faults, calls: 0 }).every((count) => count === 0)
const isSafe = Object.values(load.places).every(({ tokens, users }) => tokens === 0 && users > 0)
const isSeen = control.report.othersAccount > 0
if (!isDone || !isFaultless || !isSafe || !isSeen) process.exitCode = 1
