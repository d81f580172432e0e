// Which store the package has found in this runtime, and whether it holds over an await.
import { OAuthCredential, runWithCredentials, tryGetCredentials } from 'mcp-credentials'

interface Runtime {
  readonly AsyncLocalStorage?: unknown
  readonly process?: { readonly getBuiltinModule?: unknown }
}

export async function storeOf(): Promise<string> {
  const credential = new OAuthCredential({ accessToken: 'FAKE' })
  const held = await runWithCredentials(credential, async () => {
    await undefined
    return tryGetCredentials() === credential
  })
  if (!held) return 'none: synchronous'
  return (globalThis as Runtime).AsyncLocalStorage
    ? 'globalThis.AsyncLocalStorage'
    : 'process.getBuiltinModule'
}
