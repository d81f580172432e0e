/**
 * What went wrong, for code to branch on:
 *
 * - `ERR_CREDENTIAL_MISSING`: nothing was supplied; the message says what to set.
 * - `ERR_CREDENTIAL_INVALID`: a value breaks its grammar; the message names the variable, header or field.
 * - `ERR_CREDENTIAL_TYPE`: the credential is of another type than the one asked for.
 * - `ERR_CREDENTIAL_EXPIRED`: the access token has expired, and nothing refreshes it.
 * - `ERR_CREDENTIAL_NO_SCOPE`: there is no credential in this context.
 * - `ERR_CREDENTIAL_ENDED`: the call that the credential was for is over.
 * - `ERR_CREDENTIAL_NOT_FOUND`: no credential is stored for this caller.
 * - `ERR_CREDENTIAL_CONNECT`: the account has to be connected first; the error has the URL.
 * - `ERR_CREDENTIAL_SCOPE`: the credential lacks a scope that the tool needs.
 * - `ERR_CREDENTIAL_UNTRUSTED`: the headers do not come from the gateway, or not as they are.
 * - `ERR_CREDENTIAL_REFRESH`: no new access token could be obtained.
 * - `ERR_CREDENTIAL_UNAVAILABLE`: the source failed, for a reason that the caller is not told.
 */
export type CredentialErrorCode =
  | 'ERR_CREDENTIAL_MISSING'
  | 'ERR_CREDENTIAL_INVALID'
  | 'ERR_CREDENTIAL_TYPE'
  | 'ERR_CREDENTIAL_EXPIRED'
  | 'ERR_CREDENTIAL_NO_SCOPE'
  | 'ERR_CREDENTIAL_ENDED'
  | 'ERR_CREDENTIAL_NOT_FOUND'
  | 'ERR_CREDENTIAL_CONNECT'
  | 'ERR_CREDENTIAL_SCOPE'
  | 'ERR_CREDENTIAL_UNTRUSTED'
  | 'ERR_CREDENTIAL_REFRESH'
  | 'ERR_CREDENTIAL_UNAVAILABLE'

/** Options of {@link CredentialError}. */
export interface CredentialErrorOptions {
  /** Whether the server got something wrong, and not the request; by default the code decides. */
  readonly isServerFault?: boolean | undefined
  /** The error behind this one, for the operator's `onCall` alone: no rendering of this one shows it. */
  readonly cause?: unknown
}

const SERVER_FAULT = /_(?:TYPE|NO_SCOPE|ENDED|REFRESH|UNAVAILABLE)$/

// Not a property: a log would print it, and what a library throws may quote a secret.
const causes = new WeakMap<CredentialError, unknown>()

/** The error behind one of ours, for the operator alone. */
export const causeOf = (error: CredentialError): unknown => causes.get(error)

/**
 * A credential could not be had; the message is safe to show to a person or a model.
 *
 * @param code - what went wrong; it makes an HTTP status of 403, or of 500 where the server got something wrong
 * @param message - what to do about it; a custom source that throws one never puts a value into it
 * @param options - whether it is a fault of the server, and the error behind it
 * @example
 * if (error instanceof CredentialError && error.code === 'ERR_CREDENTIAL_ENDED') return
 */
export class CredentialError extends Error {
  /** The name of the class. */
  override readonly name: string = 'CredentialError'
  /** What went wrong. */
  readonly code: CredentialErrorCode
  /** Whether the server got something wrong (its environment, a source that fails), and not the request. */
  readonly isServerFault: boolean

  constructor(code: CredentialErrorCode, message: string, options: CredentialErrorOptions = {}) {
    super(message)
    this.code = code
    this.isServerFault = options.isServerFault ?? SERVER_FAULT.test(code)
    if (options.cause !== undefined) causes.set(this, options.cause)
  }
}

const CONNECT_THE_ACCOUNT =
  'Connect the account in the gateway that calls this server; never paste the secret into the chat.'
const LIST_OF_HEADERS =
  "MissingCredentialHeaderError takes a list of header names, such as ['X-API-Key']."

/**
 * A required header is missing or empty, with code `ERR_CREDENTIAL_MISSING`.
 *
 * @param missingHeaders - the names of the headers, any one of which would do
 * @param reason - a sentence that replaces the one that lists them
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for names that are not in a list
 * @example
 * throw new MissingCredentialHeaderError(['X-API-Key'])
 */
export class MissingCredentialHeaderError extends CredentialError {
  override readonly name: string = 'MissingCredentialHeaderError'
  declare readonly code: 'ERR_CREDENTIAL_MISSING'
  /** The names of the headers, any one of which would do. */
  readonly missingHeaders: readonly string[]

  constructor(missingHeaders: readonly string[], reason?: string) {
    if (!Array.isArray(missingHeaders)) throw misuse('ERR_INVALID_ARG_TYPE', LIST_OF_HEADERS)
    const sentence = reason ?? `The request carries no ${missingHeaders.join(' or ')} header.`
    super('ERR_CREDENTIAL_MISSING', `${sentence} ${CONNECT_THE_ACCOUNT}`)
    this.missingHeaders = Object.freeze([...missingHeaders])
  }
}

const NOT_FOUND =
  'No credential is stored for this caller. Connect the account with this server first; never paste the secret into the chat.'

/**
 * No credential is stored for this caller, with code `ERR_CREDENTIAL_NOT_FOUND`.
 *
 * The id is kept out of the message, of JSON and of what `console.log` prints: it may itself be an API key.
 *
 * @param credentialId - the id that was looked up
 * @example
 * const row = await vault.find(id)
 * if (!row) throw new CredentialNotFoundError(id)
 */
export class CredentialNotFoundError extends CredentialError {
  override readonly name: string = 'CredentialNotFoundError'
  declare readonly code: 'ERR_CREDENTIAL_NOT_FOUND'
  readonly #credentialId: string

  constructor(credentialId: string) {
    super('ERR_CREDENTIAL_NOT_FOUND', NOT_FOUND)
    this.#credentialId = credentialId
  }

  /** The id that was looked up. */
  get credentialId(): string {
    return this.#credentialId
  }
}

/** Options of {@link ConnectRequiredError}. */
export interface ConnectRequiredOptions {
  /** What the person is told, before the URL. */
  readonly message?: string | undefined
  /** The scopes that will be asked for. */
  readonly scopes?: readonly string[] | undefined
  /** Tells, without changing anything, whether the account is connected by now; an adapter may poll it. */
  readonly isConnected?: (() => boolean | Promise<boolean>) | undefined
}

/**
 * The account has to be connected first, at a URL that the person opens; code `ERR_CREDENTIAL_CONNECT`. Any source may
 * throw it, and so may a tool.
 *
 * @param url - an `https:` or `http:` URL, which holds no secret and is worth nothing to anybody else
 * @param options - `message`, `scopes`, and the check `isConnected`
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for anything but such a URL, and for an option that is not as it should be
 * @example
 * throw new ConnectRequiredError('https://mcp.example.com/connect/github', { scopes: ['repo'] })
 */
export class ConnectRequiredError extends CredentialError {
  override readonly name: string = 'ConnectRequiredError'
  declare readonly code: 'ERR_CREDENTIAL_CONNECT'
  /** Where the person connects the account. */
  readonly url: string
  /** The scopes that will be asked for. */
  readonly scopes: readonly string[]
  /** Whether the account is connected by now; `undefined` where nobody can tell. */
  readonly isConnected: ConnectRequiredOptions['isConnected']

  constructor(url: string, options: ConnectRequiredOptions = {}) {
    const isUrl = typeof url === 'string' && /^https?:\/\/[\x21-\x7e]+$/.test(url)
    if (!isUrl) throw misuse('ERR_INVALID_ARG_VALUE', ABSOLUTE_URL)
    assertOptions(options, 'ConnectRequiredError', CONNECT_KINDS)
    const { message = 'The account has to be connected first.', scopes = [], isConnected } = options
    super('ERR_CREDENTIAL_CONNECT', `${message} Open ${url}`)
    this.url = url
    this.scopes = Object.freeze([...scopes])
    this.isConnected = isConnected
    for (const observe of observers) observe(this)
  }
}

const ABSOLUTE_URL =
  'ConnectRequiredError takes the URL of a page, such as https://mcp.example.com/connect.'
const CONNECT_KINDS = {
  message: ['string'],
  scopes: ['strings'],
  isConnected: ['function'],
} as const

// The SDKs make a text of what a tool throws, so that the scope of the call is told of the error when it is made.
const observers: ((error: ConnectRequiredError) => void)[] = []

export function observeConnectErrors(observer: (error: ConnectRequiredError) => void): void {
  observers.push(observer)
}

/** A value breaks its grammar. */
export const invalidCredential = (message: string): CredentialError =>
  new CredentialError('ERR_CREDENTIAL_INVALID', message)

/** Nothing was supplied: the message says what to set. */
export const missingCredential = (message: string): CredentialError =>
  new CredentialError('ERR_CREDENTIAL_MISSING', message)

/** Misuse by the programmer, with the codes that Node.js gives to it. */
export function misuse(code: `ERR_INVALID_ARG_${'TYPE' | 'VALUE'}`, message: string): TypeError {
  return Object.assign(new TypeError(message), { code })
}

/** Refuses anything but an object; `example` shows one. */
export function assertObject(value: unknown, name: string, example: string): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  throw misuse('ERR_INVALID_ARG_TYPE', `${name} must be given as an object, such as ${example}.`)
}

/** Misuse: there is no such thing, but there are those that `names` lists. */
export function unknownName(name: string, thing: string, names: string): TypeError {
  // What stands where a name belongs may be a secret.
  const shown = /^[A-Za-z_]{1,40}$/.test(name) ? `"${name}"` : 'One of the names'
  return misuse('ERR_INVALID_ARG_VALUE', `${shown} is not ${thing}: use ${names}.`)
}

/** A kind of value that an option takes. */
export type OptionKind =
  | 'array'
  | 'boolean'
  | 'date'
  | 'function'
  | 'object'
  | 'refresher'
  | 'seconds'
  | 'string'
  | 'strings'
  | 'type'
  | 'verifier'

const isString = (value: unknown): boolean => typeof value === 'string'
const isFunction = (value: unknown): boolean => typeof value === 'function'

// What an option of each kind must be, for the message, and whether a value is.
const KINDS: Record<OptionKind, readonly [description: string, is: (value: unknown) => boolean]> = {
  array: ['a list', Array.isArray],
  boolean: ['true or false', (value) => typeof value === 'boolean'],
  date: ['a Date', (value) => value instanceof Date],
  function: ['a function', isFunction],
  object: ['an object', (value) => typeof value === 'object' && value !== null],
  refresher: ['a function, such as createRefresher() returns', isFunction],
  seconds: ['a finite number of seconds, 0 or more', isSeconds],
  string: ['a string', isString],
  strings: ['a list of strings', (value) => Array.isArray(value) && value.every(isString)],
  type: ['"static" or "oauth"', (value) => value === 'static' || value === 'oauth'],
  verifier: ['a function, such as createSignatureVerifier({ keys }) returns', isFunction],
}

function isSeconds(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && value < Infinity
}

/** The kinds of value that each option takes. */
export type OptionKinds<Options> = {
  readonly [Name in keyof Required<Options>]: readonly OptionKind[]
}

/**
 * Refuses options of a misspelt name or of another kind, in JavaScript too.
 *
 * @param options - what was given; an option that is `undefined` counts as not given
 * @param owner - the function that takes them, for the message
 * @param kinds - the options there are, with the kinds of value that each takes
 */
export function assertOptions<Options extends object>(
  options: Options,
  owner: string,
  kinds: OptionKinds<Options> & Readonly<Record<string, readonly OptionKind[]>>,
): void {
  // Some options are checked at each call: the names are listed for a message alone.
  const namesOf = () => Object.keys(kinds).join(', ')
  if (typeof options !== 'object' || options === null)
    assertObject(options, `The options of ${owner}`, `{ ${namesOf()} }`)
  for (const [name, value] of Object.entries(options)) {
    const allowed = Object.hasOwn(kinds, name) ? kinds[name] : undefined
    if (allowed === undefined) throw unknownName(name, `an option of ${owner}`, namesOf())
    if (value === undefined || allowed.some((kind) => KINDS[kind][1](value))) continue
    const kind = allowed.map((each) => KINDS[each][0]).join(' or ')
    throw misuse('ERR_INVALID_ARG_VALUE', `The option ${name} of ${owner} must be ${kind}.`)
  }
}
