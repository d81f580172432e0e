// node stdio-server.js <kind>: a server with the OAuth variables PEER_*.
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { fromEnv } from 'mcp-credentials'
import { makeV1, makeV2 } from './servers.js'
import type { Kind } from './servers.js'

const kind = process.argv[2] as Kind
const source = fromEnv('PEER_', { type: 'oauth' })
if (kind.startsWith('v1')) await makeV1(kind, source).connect(new StdioServerTransport())
else serveStdio(() => makeV2(kind, source))
