// When each account was used last, for the page that lists them.
import type { Database } from './database.ts'

export interface Uses {
  record(owner: string, provider: string): Promise<void>
  of(owner: string): Promise<ReadonlyMap<string, Date>>
}

const CREATE = `create table if not exists uses (
  owner text not null,
  provider text not null,
  at timestamptz not null,
  primary key (owner, provider)
)`
const RECORD = `insert into uses values ($1, $2, now())
  on conflict (owner, provider) do update set at = now()`

export async function createUses(database: Database): Promise<Uses> {
  await database.query(CREATE)
  return {
    async record(owner, provider) {
      await database.query(RECORD, [owner, provider])
    },
    async of(owner) {
      const { rows } = await database.query('select provider, at from uses where owner = $1', [
        owner,
      ])
      const uses = rows as { provider: string; at: Date }[]
      return new Map(uses.map(({ provider, at }) => [provider, at]))
    },
  }
}
