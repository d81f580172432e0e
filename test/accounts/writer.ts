// Writes to one row as fast as it can, until it is killed.
import { createClient } from '@redis/client'
import pg from 'pg'
import { createPostgresStore } from '../../examples/connect/stores/postgres.ts'
import { createRedisStore } from '../../examples/connect/stores/redis.ts'

const [name, url = '', owner = ''] = process.argv.slice(2)

async function open() {
  if (name === 'PostgreSQL') return createPostgresStore(new pg.Pool({ connectionString: url }))
  const client = createClient({ url })
  await client.connect()
  return createRedisStore(client)
}

const store = await open()
for (let count = 1; ; count++) {
  const length = 1 + ((count * 997) % 5000)
  await store.swap(owner, 'p', await store.load(owner, 'p'), `${length}:${'x'.repeat(length)}`)
  if (count === 50) process.stdout.write('busy\n')
}
