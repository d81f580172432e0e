// PostgreSQL at DATABASE_URL, or an embedded one, PGlite, in a folder.
import { PGlite } from '@electric-sql/pglite'
import pg from 'pg'
import type { Postgres } from './stores/postgres.ts'

export interface Database extends Postgres {
  close(): Promise<unknown>
}

export async function openDatabase(url: string | undefined, folder: string): Promise<Database> {
  if (url === undefined) {
    const embedded = await PGlite.create(folder)
    return {
      query: (sql, values) => embedded.query(sql, values),
      close: () => embedded.close(),
    }
  }
  const pool = new pg.Pool({ connectionString: url })
  // Without listeners a connection that drops ends the process.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  return { query: (sql, values) => pool.query(sql, values), close: () => pool.end() }
}
