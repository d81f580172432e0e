// What the tools call. The API is that of the demo (upstream.ts); yours goes here.
const API = process.env['UPSTREAM'] ?? ''

async function get(path: string, authorization: string): Promise<string> {
  // Follows no redirect, which would take the authorization along. Workers have no 'error'.
  const response = await fetch(new URL(path, API), {
    headers: { authorization },
    redirect: 'manual',
  })
  if (!response.ok) throw new Error(`The API answered ${response.status}.`)
  return response.text()
}

export const forecast = (city: string, apiKey: string) =>
  get(`/forecast?city=${encodeURIComponent(city)}`, `ApiKey ${apiKey}`)
export const nextMeeting = (token: string) => get('/meetings/next', `Bearer ${token}`)
export const listIssues = (token: string) => get('/issues', `Bearer ${token}`)
