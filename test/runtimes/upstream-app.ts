// What createFetch comes to with the fetch of the runtime itself, against a real server.
import { OAuthCredential, runWithCredentials } from 'mcp-credentials'
import { redactSecrets } from 'mcp-credentials/redact'
import { createFetch } from 'mcp-credentials/upstream'

const OLD = 'FAKE-old-0123456789abcdef-do-not-leak'
const NEW = 'FAKE-new-0123456789abcdef-do-not-leak'

export async function check(origin: string): Promise<string[]> {
  const upstream = createFetch({
    baseUrl: `${origin}/v1`,
    allowInsecureLoopback: true,
    refresh: async () => new OAuthCredential({ accessToken: NEW }),
  })
  const ask = async (...args: Parameters<typeof upstream>) => {
    try {
      const response = await upstream(...args)
      return redactSecrets(`${response.status} ${await response.text()}`)
    } catch (error) {
      return redactSecrets(String(error))
    }
  }
  return runWithCredentials(new OAuthCredential({ accessToken: OLD }), async () => [
    await ask('/echo'),
    await ask('/echo', { method: 'POST', body: 'text' }),
    await ask(new Request(`${origin}/v1/echo`, { method: 'PUT', body: 'of a request' })),
    await ask('/moved', { method: 'POST', body: 'moved' }),
    await ask('/away'),
    await ask('/renewed', { method: 'POST', body: 'twice' }),
    await ask('/forbidden'),
    await ask('/../echo'),
    await ask('/echo', { headers: { authorization: 'other' } }),
    (await ask('/broken')).replace(/ \(\w+\)/, ''),
    await runWithCredentials(new OAuthCredential({ accessToken: OLD }), () =>
      ask('/echo', { signal: AbortSignal.abort(new Error('left')) }),
    ),
  ])
}
