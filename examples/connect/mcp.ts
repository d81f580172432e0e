// The tools: of two providers, and one that takes the accounts of both.
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { getCredentials, runWithCredentials } from 'mcp-credentials'
import type { CallEvent, CredentialRequest, CredentialSource } from 'mcp-credentials'
import type { Accounts } from 'mcp-credentials/accounts'
import { withCredentials } from 'mcp-credentials/mcp'
import { z } from 'zod'

export interface McpOptions {
  readonly origin: string
  /** Where the notes are. */
  readonly api: string
  readonly notes: Accounts
  readonly weather: Accounts
  /** Told of each use of an account. */
  readonly onUse: (owner: string, provider: string) => Promise<unknown>
}

/** The user whom the bearer check has verified; never the client, which all users of an application share. */
function ownerOf({ authInfo }: CredentialRequest): string | undefined {
  const { extra } = (authInfo ?? {}) as { readonly extra?: { readonly sub?: string } }
  return extra?.sub
}

const providerOf = (tool: string | undefined) => (tool === 'forecast' ? 'weather' : 'notes')
const text = (text: string) => ({ content: [{ type: 'text' as const, text }] })

export function createHandler({ origin, api, notes, weather, onUse }: McpOptions) {
  const fromNotes = notes.source({
    owner: ownerOf,
    connect: `${origin}/connect/notes`,
    scopes: ['openid', 'notes:read'],
  })
  const fromWeather = weather.source({ owner: ownerOf, connect: `${origin}/connect/weather` })
  const source: CredentialSource = (request) =>
    providerOf(request.tool) === 'weather' ? fromWeather(request) : fromNotes(request)
  const onCall = async ({ tool, label, outcome }: CallEvent) => {
    if (label !== undefined && outcome === 'ok') await onUse(label, providerOf(tool))
  }
  const scopes = (tool: string) => (tool === 'list_notes' ? undefined : ['notes:write'])

  return createMcpHandler(() => {
    const bare = new McpServer({ name: 'connect', version: '1.0.0' })
    const server = withCredentials(bare, source, {
      onCall,
      scopes: (tool) => (providerOf(tool) === 'notes' ? scopes(tool) : undefined),
    })
    server.registerTool('list_notes', { description: 'The notes of the user' }, async () =>
      text((await callNotes(api)).join('\n') || 'There are none.'),
    )
    const inputSchema = z.object({ note: z.string() })
    server.registerTool(
      'add_note',
      { description: 'Adds a note', inputSchema },
      async ({ note }) => {
        await callNotes(api, note)
        return text('It was added.')
      },
    )
    server.registerTool('forecast', { description: 'The weather' }, async () => text(forecast()))
    server.registerTool(
      'note_the_weather',
      { description: 'Adds the weather as a note' },
      async (context) => {
        const authInfo = context.http?.authInfo
        // A second account in the same call: a scope of its own. What the tool sends is scrubbed of both.
        const credential = await fromWeather({ headers: undefined, authInfo })
        await callNotes(api, runWithCredentials(credential, forecast))
        return text('It was noted.')
      },
    )
    return server
  })
}

async function callNotes(api: string, note?: string): Promise<readonly string[]> {
  const { accessToken } = getCredentials('oauth')
  const url = note === undefined ? api : `${api}?add=${encodeURIComponent(note)}`
  const response = await fetch(url, { headers: { authorization: `Bearer ${accessToken}` } })
  if (!response.ok) throw new Error(`The API answered with ${response.status}.`)
  return ((await response.json()) as { notes: string[] }).notes
}

function forecast(): string {
  const apiKey = getCredentials('static').field('apiKey')
  return `Sunny, for a key of ${apiKey.length} characters`
}
