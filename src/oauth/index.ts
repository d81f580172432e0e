export { CredentialRefreshError } from './errors.ts'
export { createRefresher } from './refresher.ts'
export type { CreateRefresherOptions, Fetch } from './refresher.ts'
