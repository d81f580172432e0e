// Accounts in PostgreSQL: over pg's Pool, or PGlite, which is PostgreSQL in WebAssembly.
import type { AccountStore } from 'mcp-credentials/accounts'

/** What the two have in common. */
export interface Postgres {
  query(sql: string, values?: unknown[]): Promise<{ rows: unknown[] }>
}

const CREATE = `create table if not exists accounts (
  owner text not null,
  provider text not null,
  sealed text not null,
  primary key (owner, provider)
)`
const ROW = 'where owner = $1 and provider = $2'

export async function createPostgresStore(database: Postgres): Promise<AccountStore> {
  await database.query(CREATE)
  const write = async (sql: string, ...values: unknown[]) => {
    const { rows } = await database.query(`${sql} returning 1`, values)
    return rows.length === 1
  }
  return {
    async load(owner, provider) {
      const { rows } = await database.query(`select sealed from accounts ${ROW}`, [owner, provider])
      const [row] = rows as { sealed: string }[]
      return row?.sealed
    },
    async swap(owner, provider, before, after) {
      const key = [owner, provider]
      if (before === undefined)
        return write(
          'insert into accounts values ($1, $2, $3) on conflict do nothing',
          ...key,
          after,
        )
      if (after === undefined)
        return write(`delete from accounts ${ROW} and sealed = $3`, ...key, before)
      return write(`update accounts set sealed = $4 ${ROW} and sealed = $3`, ...key, before, after)
    },
  }
}
