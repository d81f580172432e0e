// Accounts in Redis, which has to be told to keep what it is given: appendonly yes, maxmemory-policy noeviction.
import type { AccountStore } from 'mcp-credentials/accounts'

/** What this needs of a client of @redis/client, or of redis. */
export interface Redis {
  get(key: string): Promise<string | null>
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
}

// A script runs with no other command in between. A sealed text is never empty.
const SWAP = `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2]) end
return 1`

const keyOf = (...row: string[]): string => `account:${JSON.stringify(row)}`

export function createRedisStore(redis: Redis): AccountStore {
  return {
    load: async (owner, provider) => (await redis.get(keyOf(owner, provider))) ?? undefined,
    async swap(owner, provider, before = '', after = '') {
      const keys = [keyOf(owner, provider)]
      return (await redis.eval(SWAP, { keys, arguments: [before, after] })) === 1
    },
  }
}
