// Sessions of browsers, in the database: the cookie has a random id, and the database its digest.
import { createHash, randomBytes } from 'node:crypto'
import type { Database } from './database.ts'
import type { Pending } from './flow.ts'

export interface Session {
  readonly id: string
  /** Who is logged in. */
  readonly user?: string
  /** What every form has to send along. */
  readonly csrf: string
  /** Flows that were begun in this session, by provider. */
  readonly flows: Readonly<Record<string, Pending>>
}

const CREATE = `create table if not exists sessions (
  id text primary key,
  data text not null,
  expires timestamptz not null
)`
const HOURS = 8

// The prefix has a browser keep others from setting it. Lax: the way back from the third party comes from another site.
const COOKIE = '__Host-session'
const ATTRIBUTES = 'Path=/; Secure; HttpOnly; SameSite=Lax'

const newId = (): string => randomBytes(32).toString('base64url')
const digest = (id: string): string => createHash('sha256').update(id).digest('base64url')

export const cookieOf = ({ id }: Session): string =>
  `${COOKIE}=${id}; Max-Age=${HOURS * 3600}; ${ATTRIBUTES}`

export const newSession = (user?: string): Session => ({
  id: newId(),
  user,
  csrf: newId(),
  flows: {},
})

export interface Sessions {
  load(request: Request): Promise<Session | undefined>
  save(session: Session): Promise<void>
  end(session: Session): Promise<void>
}

export async function createSessions(database: Database): Promise<Sessions> {
  await database.query(CREATE)
  return {
    async load(request) {
      const cookies = request.headers.get('cookie')?.split('; ') ?? []
      const id = cookies.find((cookie) => cookie.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1)
      if (id === undefined) return undefined
      const sql = 'select data from sessions where id = $1 and expires > now()'
      const { rows } = await database.query(sql, [digest(id)])
      const [row] = rows as { data: string }[]
      return row && { ...(JSON.parse(row.data) as Omit<Session, 'id'>), id }
    },
    async save({ id, ...data }) {
      const sql = `insert into sessions values ($1, $2, now() + interval '${HOURS} hours')
        on conflict (id) do update set data = $2`
      await database.query(sql, [digest(id), JSON.stringify(data)])
    },
    async end({ id }) {
      await database.query('delete from sessions where id = $1 or expires < now()', [digest(id)])
    },
  }
}
