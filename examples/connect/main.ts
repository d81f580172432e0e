// Starts it: npm run connect.
import { fileURLToPath } from 'node:url'
import { startService } from './service.ts'

const folder = process.env['DATA'] ?? fileURLToPath(new URL('../data', import.meta.url))
const port = Number(process.env['PORT'] ?? 3000)
const { origin, resource } = await startService({
  port,
  folder,
  databaseUrl: process.env['DATABASE_URL'],
})
console.log(`Point an MCP client at ${resource}, and log in as alice or bob.`)
console.log(`Their accounts: ${origin}/accounts`)
