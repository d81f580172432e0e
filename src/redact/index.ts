export { redactSecrets } from './redact.ts'
export type { RedactSecretsOptions } from './redact.ts'
