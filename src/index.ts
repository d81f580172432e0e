export { OAuthCredential, StaticCredential } from './credential.ts'
export type {
  CredentialOf,
  CredentialType,
  Fields,
  OAuthProperties,
  ResolvedCredential,
} from './credential.ts'
export {
  ConnectRequiredError,
  CredentialError,
  CredentialNotFoundError,
  MissingCredentialHeaderError,
} from './errors.ts'
export type {
  ConnectRequiredOptions,
  CredentialErrorCode,
  CredentialErrorOptions,
} from './errors.ts'
export { parseEnv } from './env.ts'
export type { Environment, RefreshGrant } from './env.ts'
export { formatHeaders, parseHeaders, stripCredentialHeaders } from './headers.ts'
export type { HeaderRecord, WebHeaders } from './headers.ts'
export { getCredentials, runWithCredentials, tryGetCredentials } from './context.ts'
export type { ScopedResult } from './context.ts'
export { createAdmission, resolveCredential } from './adapter.ts'
export type { AnyHeaders, AnyRequest, HttpAdmission, HttpOptions } from './adapter.ts'
export { fromEnv, fromHeaders, fromMode, getCredentialMode } from './source.ts'
export type {
  CredentialMode,
  CredentialRequest,
  CredentialSource,
  FromEnvOptions,
  FromHeadersOptions,
  FromModeOptions,
  HeaderVerifier,
  Refresher,
  Signal,
} from './source.ts'
export type { JsonObject, JsonValue } from './grammar.ts'
