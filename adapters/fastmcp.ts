// Credentials for the tools of punkpeye's fastmcp (https://www.npmjs.com/package/fastmcp): Streamable HTTP with and without
// sessions, SSE and stdio. Import it as mcp-credentials/fastmcp, or copy this file.
import type { CredentialSource } from 'mcp-credentials'
import { withCredentials as wrapServer } from 'mcp-credentials/mcp'
import type { McpServerLike, WithCredentialsOptions } from 'mcp-credentials/mcp'
import { createToolRunner } from 'mcp-credentials/tool'

/** The class `FastMCPSession` of `fastmcp`, as far as this needs it. */
export interface FastMcpSessionClass {
  /** What all sessions have in common. */
  readonly prototype: {
    /** The server of a session, of SDK v1. */
    readonly server: McpServerLike
    /** Connects a session, before it gets any message. */
    connect(transport: never): Promise<void>
  }
}

// A symbol that every copy of this file shares, so that none wraps sessions that another wraps.
const WRAPPED = Symbol.for('mcp-credentials.fastmcp')

/**
 * Gives each tool call of every `FastMCP` server of the process its credential. Call it once, before a server is started.
 *
 * @param sessions - the class `FastMCPSession`: a `FastMCP` makes one for each session, or for each request, and shows it
 *   when it may have been called already
 * @param source - where the credential of a call comes from
 * @param options - those of `withCredentials` of `mcp-credentials/mcp`
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for anything but that class, or a source that is not a function;
 *   `ERR_INVALID_ARG_VALUE` for a bad option, and for a class that has been given its credentials already
 * @example
 * // FastMCP and FastMCPSession are those of fastmcp.
 * withCredentials(FastMCPSession, fromHeaders({ type: 'oauth' }))
 * const server = new FastMCP({ name: 'weather', version: '1.0.0' })
 */
export function withCredentials(
  sessions: FastMcpSessionClass,
  source: CredentialSource,
  options: WithCredentialsOptions = {},
): void {
  const prototype = prototypeOf(sessions)
  if (Reflect.has(prototype, WRAPPED))
    throw misuse('ERR_INVALID_ARG_VALUE', 'FastMCPSession has been given its credentials already.')
  // What is wrong with the options is said now, and not to the first client.
  createToolRunner(source, options, { methods: ['strings'], stripHeaders: ['strings'] })
  const { connect } = prototype
  prototype.connect = async function (transport) {
    passHeadersOn(this.server as ServerInternals)
    wrapServer(this.server, source, options)
    await connect.call(this, transport)
  }
  Reflect.set(prototype, WRAPPED, true)
}

function prototypeOf(sessions: FastMcpSessionClass): FastMcpSessionClass['prototype'] {
  const isClass = typeof sessions === 'function'
  const prototype: unknown = isClass ? Reflect.get(sessions, 'prototype') : undefined
  if (typeof prototype === 'object' && prototype !== null)
    if ('connect' in prototype && 'server' in prototype) return sessions.prototype
  throw misuse('ERR_INVALID_ARG_TYPE', 'withCredentials takes the class FastMCPSession of fastmcp.')
}

/** The server is of SDK v1, which looks for the headers in another place than where the transports of v2 put them. */
function passHeadersOn(server: ServerInternals): void {
  const { _onrequest } = server
  server._onrequest = (request, extra) => {
    const headers = extra?.request && Object.fromEntries(extra.request.headers)
    _onrequest.call(server, request, headers ? { requestInfo: { headers }, ...extra } : extra)
  }
}

function misuse(code: string, message: string): TypeError {
  return Object.assign(new TypeError(message), { code })
}

type ServerInternals = McpServerLike & {
  _onrequest(request: unknown, extra: MessageExtra | undefined): void
}

/** What a transport tells of a message. */
interface MessageExtra {
  readonly request?: { readonly headers: Iterable<readonly [string, string]> } | undefined
}
