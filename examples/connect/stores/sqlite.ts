// Accounts in SQLite, for several processes on one machine: over node:sqlite, which Node.js has since 22.13.
import type { DatabaseSync } from 'node:sqlite'
import type { AccountStore } from 'mcp-credentials/accounts'

const CREATE = `create table if not exists accounts (
  owner text not null,
  provider text not null,
  sealed text not null,
  primary key (owner, provider)
) strict`
const ROW = 'where owner = ? and provider = ?'

export function createSqliteStore(database: DatabaseSync): AccountStore {
  // Readers do not wait for a writer, and a writer waits for another one.
  database.exec('pragma busy_timeout = 5000; pragma journal_mode = wal')
  database.exec(CREATE)
  const select = database.prepare(`select sealed from accounts ${ROW}`)
  const insert = database.prepare('insert into accounts values (?, ?, ?) on conflict do nothing')
  const update = database.prepare(`update accounts set sealed = ? ${ROW} and sealed = ?`)
  const remove = database.prepare(`delete from accounts ${ROW} and sealed = ?`)
  const write = (owner: string, provider: string, before?: string, after?: string) => {
    if (before === undefined) return insert.run(owner, provider, after ?? null)
    if (after === undefined) return remove.run(owner, provider, before)
    return update.run(after, owner, provider, before)
  }
  const read = (owner: string, provider: string) => {
    const row = select.get(owner, provider)
    return row && String(row['sealed'])
  }
  return {
    load: (...row) => Promise.resolve(row).then(([owner, provider]) => read(owner, provider)),
    swap: (...change) => Promise.resolve(change).then((given) => write(...given).changes === 1),
  }
}
