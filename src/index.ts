export { OAuthCredential, StaticCredential } from './credential.ts'
export type {
  CredentialOf,
  CredentialType,
  Fields,
  OAuthProperties,
  ResolvedCredential,
} from './credential.ts'
export {
  CredentialError,
  CredentialNotFoundError,
  CredentialRefreshError,
  MissingCredentialHeaderError,
} from './errors.ts'
export type { CredentialErrorCode } from './errors.ts'
export { parseEnv } from './env.ts'
export type { Environment } from './env.ts'
export { formatHeaders, parseHeaders, stripCredentialHeaders } from './headers.ts'
export type { HeaderRecord, HeadersLike, WebHeaders } from './headers.ts'
export { getCredentials, runWithCredentials, tryGetCredentials } from './context.ts'
export type { ScopedResult } from './context.ts'
export { redactSecrets } from './redact.ts'
export type { RedactOptions } from './redact.ts'
export { signHeaders } from './signature.ts'
export type {
  SignatureOptions,
  SigningKey,
  SignOptions,
  VerifiableHeaders,
  Verify,
} from './signature.ts'
export { createRefresher } from './refresh.ts'
export type { Fetch, Refresher, RefreshOptions } from './refresh.ts'
export { createAdmission, resolveCredential } from './resolve.ts'
export type { AnyHeaders, AnyRequest, HttpAdmission, HttpOptions } from './resolve.ts'
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
