// The third party of a load, in a process of its own: whoever measures it must not keep it from answering.
import { startAuthorizationServer } from './authorization-server.ts'

/** What it has to tell at its start. */
export interface ApiStart {
  readonly origin: string
  readonly tokenUri: string
  readonly client: { readonly clientId: string; readonly clientSecret: string }
  readonly refreshTokens: readonly string[]
}

/** What it has to tell at its end. */
export interface ApiEnd {
  readonly refreshes: number
  readonly refreshedTwice: number
  readonly refused: number
}

const TOKEN_SECONDS = 30

async function start(owners: readonly string[]): Promise<void> {
  const server = await startAuthorizationServer(TOKEN_SECONDS)
  const credentials = await Promise.all(owners.map((owner) => server.credentialFor(owner)))
  const { clientId = '', clientSecret = '', tokenUri = '' } = credentials[0] ?? {}
  const refreshTokens = credentials.map(({ refreshToken }) => refreshToken ?? '')
  process.on('message', (orders: { readonly drop: number } | 'end') => {
    if (orders === 'end') {
      const arrived = server.sent.filter(({ fate }) => fate === 'pass').map(({ token }) => token)
      const refreshedTwice = arrived.length - new Set(arrived).size
      const refreshes = server.sent.length
      const end: ApiEnd = { refreshes, refreshedTwice, refused: server.refused() }
      process.send?.(end, () => process.exit())
    } else server.decide = ({ by }) => (by === orders.drop ? 'drop' : 'pass')
  })
  const { origin } = server
  const started: ApiStart = { origin, tokenUri, client: { clientId, clientSecret }, refreshTokens }
  process.send?.(started)
}

// Whoever has started it is gone.
process.once('disconnect', () => process.exit())
process.once('message', (orders: { readonly owners: readonly string[] }) => start(orders.owners))
