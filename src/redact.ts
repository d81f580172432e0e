import { scopedCredential } from './context.ts'
import { assertCredential } from './credential.ts'
import type { ResolvedCredential } from './credential.ts'
import { MIN_LENGTH, matcherOf } from './matcher.ts'
import type { Matcher } from './matcher.ts'
import { REDACTED } from './values.ts'

export interface RedactOptions {
  /** Names of fields that are no secrets, such as `baseUrl` and `region`. */
  readonly except?: readonly string[] | undefined
  /**
   * Told of each place where a secret was, once for each secret: the name of the secret and a path, never a value. Names
   * in the path are cut to 64 characters, and of a long path the last 16 are given.
   */
  readonly onRedact?: ((secret: string, where: string) => void) | undefined
}

/**
 * Replaces every occurrence of a credential's secrets by `[redacted]`: in strings at any depth, in property names, in
 * bytes, and as they get rendered (JSON-escaped, percent-encoded, HTML-escaped, base64, hex, lists of bytes).
 *
 * @param value - anything; it is not changed
 * @param credential - whose secrets; by default the current scope's, ended or not
 * @param options - `except` names fields that are no secrets, `onRedact` is told of each place
 * @returns a copy where something was found, else `value` itself
 * @throws TypeError `ERR_INVALID_ARG_TYPE` for a credential that is none
 * @example
 * console.log(redactSecrets(await response.text(), credential))
 */
export function redactSecrets<T>(
  value: T,
  credential?: ResolvedCredential,
  options?: RedactOptions,
): T
export function redactSecrets(
  value: unknown,
  credential = scopedCredential(),
  options: RedactOptions = {},
): unknown {
  if (credential !== undefined) assertCredential(credential, 'redactSecrets takes')
  const matcher = credential && matcherOf(credential, options.except ?? [])
  return matcher ? new Redaction(matcher, options.onRedact).run(value) : value
}

// How much of a name a report shows, and how many names.
const MAX_SHOWN = 64
const MAX_PATH = 16

// The walk. It keeps a stack of its own: a structure 100,000 levels deep must not overflow that of the engine.

type Slot = readonly [name: PropertyKey, value: unknown]

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** What a property holds; nothing, where reading it throws. */
function read(object: object, name: PropertyKey): unknown {
  try {
    return Reflect.get(object, name)
  } catch {
    return undefined
  }
}

function namesOf(object: object): PropertyKey[] {
  try {
    return Reflect.ownKeys(object)
  } catch {
    return []
  }
}

/** What JSON shows of an object, since that is what leaves the process: of a URL, say, its text. */
function asJson(object: object): unknown {
  const toJSON = read(object, 'toJSON')
  if (typeof toJSON !== 'function') return object
  try {
    return toJSON.call(object)
  } catch {
    return undefined
  }
}

/** Bytes, also as JSON.parse gives them back: as a list of numbers. */
function bytesOf(object: object): string | undefined {
  const isByte = (item: unknown) =>
    typeof item === 'number' && item >= 0 && item < 256 && item % 1 === 0
  const isList = Array.isArray(object) && object.length >= MIN_LENGTH && object.every(isByte)
  if (!isList && !(object instanceof Uint8Array)) return undefined
  let text = ''
  for (let at = 0; at < object.length; at += 8192)
    text += String.fromCharCode(...object.slice(at, at + 8192))
  return text
}

/** What an object holds, by name. */
function slotsOf(object: object): Slot[] {
  if (Array.isArray(object)) return Array.from(object, (value, index): Slot => [index, value])
  if (object instanceof Map)
    return [...object].flatMap(([key, value]): Slot[] => [
      ['key', key],
      ['value', value],
    ])
  if (object instanceof Set) return Array.from(object, (value): Slot => ['value', value])
  const names = namesOf(object)
  if (object instanceof Error && !names.includes('message')) names.push('message')
  return names.map((name) => [name, read(object, name)])
}

class Redaction {
  readonly #matcher: Matcher
  readonly #onRedact: RedactOptions['onRedact']
  // For each object that was reached: what holds it, and the name by which the first of these does.
  readonly #reached = new Map<object, { readonly holders: object[]; readonly name: PropertyKey }>()
  readonly #shown = new Map<object, unknown>()
  readonly #copies = new Map<object, object>()
  // By a name of a property, as a report shows it: one may be megabytes long and lead to thousands of places.
  readonly #shownNames = new Map<string, string>()

  constructor(matcher: Matcher, onRedact: RedactOptions['onRedact']) {
    this.#matcher = matcher
    this.#onRedact = onRedact
  }

  run(value: unknown): unknown {
    const root = this.#show(value)
    if (!isObject(root)) return this.#replace(value, [])
    const holders = this.#find(root)
    if (holders.length === 0) return value
    this.#copyAll(holders)
    return this.#replace(value, [])
  }

  /** What of a value is searched, and shown. */
  #show(value: unknown): unknown {
    if (!isObject(value) || value instanceof Error || value instanceof Uint8Array) return value
    // Once each: a toJSON may give something else the second time.
    if (!this.#shown.has(value)) this.#shown.set(value, asJson(value))
    return this.#shown.get(value)
  }

  #hasSecret(part: unknown): boolean {
    return typeof part === 'string' && this.#matcher.ranges(part).length > 0
  }

  /** All objects that have a secret right in them. */
  #find(root: object): object[] {
    const found: object[] = []
    const open = [root]
    this.#reached.set(root, { holders: [], name: '' })
    for (let object = open.pop(); object !== undefined; object = open.pop()) {
      const bytes = bytesOf(object)
      let isFound = this.#hasSecret(bytes)
      for (const [name, value] of bytes === undefined ? slotsOf(object) : []) {
        const part = this.#show(value)
        isFound ||= this.#hasSecret(part) || this.#hasSecret(name)
        if (!isObject(part)) continue
        const reached = this.#reached.get(part)
        if (reached) reached.holders.push(object)
        else {
          this.#reached.set(part, { holders: [object], name })
          open.push(part)
        }
      }
      if (isFound) found.push(object)
    }
    return found
  }

  /** The names that lead to an object, at most the last 16. */
  #pathTo(object: object): PropertyKey[] {
    const path: PropertyKey[] = []
    let reached = this.#reached.get(object)
    for (
      let holder = reached?.holders[0];
      reached && holder && path.length < MAX_PATH;
      holder = reached?.holders[0]
    ) {
      path.unshift(reached.name)
      reached = this.#reached.get(holder)
    }
    return path
  }

  /** Copies of these and of all that leads to them; first empty, since they may hold each other. */
  #copyAll(objects: object[]): void {
    for (let object = objects.pop(); object !== undefined; object = objects.pop()) {
      if (this.#copies.has(object)) continue
      this.#copies.set(object, this.#emptyCopy(object))
      this.#reached.get(object)?.holders.forEach((holder) => objects.push(holder))
    }
    for (const [object, copy] of this.#copies) this.#fill(copy, object)
  }

  #emptyCopy(object: object): object {
    if (object instanceof Uint8Array) return Uint8Array.prototype.slice.call(object)
    if (Array.isArray(object)) return bytesOf(object) === undefined ? [] : [...object]
    if (object instanceof Map) return new Map()
    if (object instanceof Set) return new Set()
    const prototype: object | null = Object.getPrototypeOf(object)
    if (!(object instanceof Error)) return Object.create(prototype)
    // The message and the code of a DOMException are where nothing but its constructor can write them.
    const { DOMException } = globalThis as {
      DOMException?: new (message: string, name: string) => Error
    }
    const isDomException = DOMException !== undefined && object instanceof DOMException
    if (isDomException) return new DOMException(this.#redact(object.message), object.name)
    const copy: object = Object.setPrototypeOf(new Error(), prototype)
    // Where and how it was made, which engines write into it.
    for (const name of Reflect.ownKeys(copy)) Reflect.deleteProperty(copy, name)
    return copy
  }

  #fill(copy: object, object: object): void {
    const bytes = bytesOf(object)
    if (bytes !== undefined) {
      for (const { start, end } of this.#matcher.ranges(bytes))
        Array.prototype.fill.call(copy, 42, start, end)
      this.#redact(bytes, this.#pathTo(object))
      return
    }
    const path = this.#pathTo(object)
    const values = slotsOf(object).map(([name, value]): Slot => [
      name,
      this.#replace(value, [...path, name]),
    ])
    if (copy instanceof Set) for (const [, value] of values) copy.add(value)
    else if (copy instanceof Map)
      for (let index = 0; index < values.length; index += 2)
        copy.set(values[index]?.[1], values[index + 1]?.[1])
    else this.#define(copy, object, values, path)
  }

  #define(copy: object, object: object, values: readonly Slot[], path: PropertyKey[]): void {
    const taken = new Set<PropertyKey>()
    const counts = new Map<PropertyKey, number>()
    for (const [name, value] of values) {
      const known = Reflect.getOwnPropertyDescriptor(object, name)
      // Not own: the message of a DOMException, which its copy was made with.
      if (known === undefined) continue
      const base = typeof name === 'string' ? this.#redact(name, path) : name
      let key = base
      while (taken.has(key)) {
        // Goes on from the last number: thousands of names may become the same.
        const count = (counts.get(base) ?? 1) + 1
        counts.set(base, count)
        key = `${String(base)} ${count}`
      }
      taken.add(key)
      // A getter stays one unless it gave a secret, or is the stack of an error, which is that of the error it is called on.
      const isGetter = known.get !== undefined && name !== 'stack' && value === read(object, name)
      const { enumerable = true } = known
      // It fails where the runtime has put a property of its own into an object of its own: Deno, into a DOMException.
      Reflect.defineProperty(
        copy,
        key,
        isGetter
          ? { ...known, configurable: true }
          : { value, enumerable, writable: true, configurable: true },
      )
    }
  }

  #showPath(path: PropertyKey[]): string {
    return path
      .map((name) => (typeof name === 'string' ? this.#showName(name) : String(name)))
      .join('.')
  }

  #showName(name: string): string {
    const known = this.#shownNames.get(name)
    if (known !== undefined) return known
    const redacted = this.#redact(name)
    const shown = redacted.length > MAX_SHOWN ? `${redacted.slice(0, MAX_SHOWN)}…` : redacted
    this.#shownNames.set(name, shown)
    return shown
  }

  #replace(value: unknown, path: PropertyKey[]): unknown {
    const part = this.#show(value)
    if (isObject(part)) return this.#copies.get(part) ?? value
    if (typeof part !== 'string') return value
    const text = this.#redact(part, path)
    return text === part ? value : text
  }

  #report(names: ReadonlySet<string>, path: PropertyKey[]): void {
    if (this.#onRedact === undefined) return
    const where = this.#showPath(path.slice(-MAX_PATH))
    for (const name of names) this.#onRedact(name, where)
  }

  #redact(text: string, path?: PropertyKey[]): string {
    const ranges = this.#matcher.ranges(text)
    if (ranges.length === 0) return text
    const names = new Set<string>()
    let result = ''
    let from = 0
    for (const { start, end, secrets } of ranges) {
      result += text.slice(from, start) + REDACTED
      from = end
      for (const secret of secrets) names.add(secret)
    }
    result += text.slice(from)
    if (path !== undefined) this.#report(names, path)
    // Where the placeholder makes a secret of what stands around it, nothing of the text is kept.
    return this.#matcher.ranges(result).length > 0 ? REDACTED : result
  }
}
