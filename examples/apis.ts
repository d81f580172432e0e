// What the tools call. The API is that of the demo (upstream.ts); yours goes here. No tool touches its key or token.
import { createFetch } from 'mcp-credentials/upstream'

const api = {
  baseUrl: process.env['UPSTREAM'] ?? 'https://api.example',
  // The demo runs on this machine.
  allowInsecureLoopback: true,
}

const fetchWithToken = createFetch(api)
const fetchWithKey = createFetch({
  ...api,
  authorize: (credential) => ({
    headers: { authorization: `ApiKey ${credential.field('apiKey')}` },
  }),
})

async function textOf(response: Response): Promise<string> {
  if (!response.ok) throw new Error(`The API answered ${response.status}.`)
  return response.text()
}

export const forecast = async (city: string): Promise<string> =>
  textOf(await fetchWithKey(`/forecast?city=${encodeURIComponent(city)}`))
export const nextMeeting = async (): Promise<string> =>
  textOf(await fetchWithToken('/meetings/next'))
export const listIssues = async (): Promise<string> => textOf(await fetchWithToken('/issues'))
