// The tools: of two providers, and one that takes the accounts of both.
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { getCredentials, runWithCredentials } from 'mcp-credentials'
import type { CredentialRequest, CredentialSource } from 'mcp-credentials'
import type { Accounts } from 'mcp-credentials/accounts'
import { withCredentials } from 'mcp-credentials/mcp'
import { z } from 'zod'
import type { Uses } from './uses.ts'

export interface McpOptions {
  readonly origin: string
  /** Where the notes are. */
  readonly api: string
  readonly notes: Accounts
  readonly weather: Accounts
  readonly uses: Uses
}

/** The user whom the bearer check has verified; never the client, which all users of an application share. */
function ownerOf({ authInfo }: CredentialRequest): string | undefined {
  const { extra } = (authInfo ?? {}) as { readonly extra?: { readonly sub?: string } }
  return extra?.sub
}

const providerOf = (tool: string | undefined) => (tool === 'forecast' ? 'weather' : 'notes')
const WRITING = ['add_note', 'note_the_weather']
const text = (text: string) => ({ content: [{ type: 'text' as const, text }] })

export function createHandler(options: McpOptions) {
  const { origin, notes, weather, uses } = options
  const fromNotes = notes.source({
    owner: ownerOf,
    connect: `${origin}/connect/notes`,
    scopes: ['openid', 'notes:read'],
  })
  const fromWeather = weather.source({ owner: ownerOf, connect: `${origin}/connect/weather` })
  const source: CredentialSource = (request) =>
    providerOf(request.tool) === 'weather' ? fromWeather(request) : fromNotes(request)
  return createMcpHandler(() => {
    const server = withCredentials(new McpServer({ name: 'connect', version: '1.0.0' }), source, {
      scopes: (tool) => (WRITING.includes(tool) ? ['notes:write'] : undefined),
      async onCall({ tool, label, outcome }) {
        if (label !== undefined && outcome === 'ok') await uses.record(label, providerOf(tool))
      },
    })
    registerTools(server, options, fromWeather)
    return server
  })
}

function registerTools(
  server: McpServer,
  { api, uses }: McpOptions,
  fromWeather: CredentialSource,
): void {
  server.registerTool('list_notes', { description: 'The notes of the user' }, async () =>
    text((await callNotes(api)).join('\n') || 'There are none.'),
  )
  const inputSchema = z.object({ note: z.string() })
  server.registerTool('add_note', { description: 'Adds a note', inputSchema }, async ({ note }) => {
    await callNotes(api, note)
    return text('It was added.')
  })
  server.registerTool('forecast', { description: 'The weather' }, () => text(forecast()))
  const both = { description: 'Adds the weather as a note' }
  server.registerTool('note_the_weather', both, async ({ http }) => {
    const request = { headers: undefined, authInfo: http?.authInfo }
    // A second account in the same call: a scope of its own. What the tool sends is scrubbed of both.
    const credential = await fromWeather(request)
    await callNotes(api, runWithCredentials(credential, forecast))
    await uses.record(ownerOf(request) ?? '', 'weather')
    return text('It was noted.')
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
