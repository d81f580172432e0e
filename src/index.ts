export { OAuthCredential, StaticCredential } from './credential.ts'
export type { CredentialType, Fields, OAuthProperties, ResolvedCredential } from './credential.ts'
export { CredentialError, CredentialNotFoundError, MissingCredentialHeaderError } from './errors.ts'
export type { CredentialErrorCode } from './errors.ts'
export { parseEnv } from './env.ts'
export type { Environment } from './env.ts'
export { formatHeaders, parseHeaders, stripCredentialHeaders } from './headers.ts'
export type { HeaderRecord, HeadersLike, WebHeaders } from './headers.ts'
export { getCredentials, runWithCredentials, tryGetCredentials } from './context.ts'
export type { ScopedResult } from './context.ts'
export { fromEnv, fromHeaders, fromMode, getCredentialMode } from './source.ts'
export type {
  CredentialMode,
  CredentialRequest,
  CredentialSource,
  EnvOptions,
  HeaderOptions,
  Signal,
} from './source.ts'
export type { JsonObject, JsonValue } from './values.ts'
