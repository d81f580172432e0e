// Tells what fromEnv finds with the permissions that it is given.
import { CredentialError, fromEnv } from 'mcp-credentials'
import type { CredentialType } from 'mcp-credentials'

const type = (process.argv[2] || undefined) as CredentialType | undefined

try {
  const source = fromEnv('SVC_', { type })
  const credential = await source({ headers: undefined })
  // Once more: now it compares what it knows with what it reads.
  if (credential !== (await source({ headers: undefined }))) throw new Error('It was parsed again.')
  const { fields, scopes, extra } = credential
  console.log(
    credential.type === 'static'
      ? Object.keys(fields).join()
      : `${scopes?.join(' ')}, extra: ${Object.keys(extra).join()}`,
  )
} catch (error) {
  console.log(error instanceof CredentialError ? `${error.code} ${error.message}` : String(error))
}
