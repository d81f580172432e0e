export { createAccounts } from './accounts.ts'
export type { AccountKey } from './keys.ts'
export { openCredential, sealCredential } from './seal.ts'
export type { SealCredentialOptions } from './seal.ts'
export type {
  Accounts,
  AccountSourceOptions,
  AccountStore,
  CreateAccountsOptions,
  RefreshOptions,
} from './types.ts'
