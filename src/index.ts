export { OAuthCredential, StaticCredential } from './credential.ts'
export type { CredentialType, Fields, OAuthProperties, ResolvedCredential } from './credential.ts'
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
  OptionKind,
} from './errors.ts'
export { parseEnv } from './env.ts'
export type { Environment, ParseEnvOptions, RefreshGrant } from './env.ts'
export {
  formatHeaders,
  isCredentialHeader,
  parseHeaders,
  stripCredentialHeaders,
} from './headers.ts'
export type { HeaderRecord, ParseHeadersOptions, WebHeaders } from './headers.ts'
export { bindToScope, getCredentials, runWithCredentials, tryGetCredentials } from './context.ts'
export type { ScopedResult } from './context.ts'
export { createAdapter, followResponse, toHttpRefusal } from './adapter.ts'
export type {
  AdapterCall,
  AdapterOptions,
  AdapterRequest,
  CallDetails,
  CallError,
  CallEvent,
  CallResult,
  HttpRefusal,
  NodeResponse,
  OnCall,
  RedactedSecret,
} from './adapter.ts'
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
} from './source.ts'
export type { JsonObject, JsonValue } from './grammar.ts'
