import type { RedactedSecret } from '../adapter.ts'
import type { Search } from '../credential.ts'
import { REDACTED } from '../grammar.ts'
import { MIN_LENGTH } from './secrets.ts'
import type { Range } from './undo.ts'

// What a report shows: so many places, of a path so many names from its end, of a name so many characters.
const [MAX_PLACES, MAX_NAMES, MAX_SHOWN] = [100, 16, 64]

// The walk calls itself. JSON.stringify gives up at some thousands.
const MAX_DEPTH = 500
const TOO_DEEP = `what is ${MAX_DEPTH} levels deep`

const STAR = 42

/** Copies what can leave a process without the secrets in it: strings, bytes, JSON values, errors. */
export class Redaction {
  readonly places: Map<string, RedactedSecret> = new Map<string, RedactedSecret>()
  readonly #search: Search
  /** What has become of each object; within itself it is withheld. */
  readonly #results = new Map<object, unknown>()
  /** The names that lead here, as they may be shown. */
  readonly #path: string[] = []

  constructor(search: Search) {
    this.#search = search
  }

  run(value: unknown): unknown {
    try {
      const result = this.#redact(value, '')
      return this.places.size === 0 ? value : result
    } catch {
      // An engine whose stack takes less.
      this.#report([TOO_DEEP])
      return REDACTED
    }
  }

  #redact(value: unknown, key: string): unknown {
    if (typeof value === 'string') return this.#redactText(value)
    if (typeof value === 'number' || typeof value === 'bigint') {
      const text = this.#redactText(String(value))
      return text === String(value) ? value : text
    }
    if (!isObject(value)) return value
    const shown = isBytes(value) || isError(value) ? value : jsonOf(value, key)
    const redacted = isObject(shown) ? this.#redactObject(shown) : this.#redact(shown, key)
    return Object.is(redacted, shown) ? value : redacted
  }

  #redactText(text: string): string {
    const ranges = this.#find(text)
    if (ranges.length === 0) return text
    let result = ''
    let from = 0
    for (const [start, end] of ranges) {
      result += text.slice(from, start) + REDACTED
      from = end
    }
    result += text.slice(from)
    // Where the placeholder makes a secret of what stands around it, nothing of the text is kept.
    return this.#search(result, new Set()).length === 0 ? result : REDACTED
  }

  #find(text: string): readonly Range[] {
    if (text.length < MIN_LENGTH) return []
    const names = new Set<string>()
    const ranges = this.#search(text, names)
    this.#report(names)
    return ranges
  }

  #report(names: Iterable<string>): void {
    for (const name of names) {
      if (this.places.size >= MAX_PLACES) return
      const where = this.#path.slice(-MAX_NAMES).join('.')
      this.places.set(`${name} ${where}`, { name, where })
    }
  }

  #redactObject(object: object): unknown {
    if (!this.#results.has(object)) {
      this.#results.set(object, REDACTED)
      this.#results.set(object, this.#redactNew(object))
    }
    return this.#results.get(object)
  }

  #redactNew(object: object): unknown {
    if (isBytes(object)) return this.#redactBytes(object)
    if (typeof object === 'function') return object
    if (this.#path.length < MAX_DEPTH) return this.#redactParts(object)
    this.#report([TOO_DEEP])
    return REDACTED
  }

  #redactParts(object: object): unknown {
    const slots = isError(object) ? slotsOfError(object) : slotsOf(object)
    const newSlots: Slot[] = []
    for (const [name, value] of this.#redactList(slots)) {
      const newName = typeof name === 'string' ? this.#redactText(name) : name
      this.#path.push(String(newName).slice(0, MAX_SHOWN))
      newSlots.push([newName, this.#redact(value, String(newName))])
      this.#path.pop()
    }
    if (isSame(newSlots, slots)) return object
    if (Array.isArray(object)) return newSlots.map(([, value]) => value)
    return isError(object) ? copyError(object, newSlots) : Object.fromEntries(numbered(newSlots))
  }

  /** Stars for the bytes of a secret in a list of numbers, as JSON shows bytes. */
  #redactList(slots: readonly Slot[]): readonly Slot[] {
    if (slots.filter(([, item]) => typeof item === 'number').length < MIN_LENGTH) return slots
    const codes = slots.map(([, item]) => (typeof item === 'number' ? item : -1))
    const stars = [...slots]
    for (const [start, end] of this.#find(textOf(codes)))
      for (let at = start; at < end; at++) stars[at] = [(slots[at] as Slot)[0], STAR]
    return stars
  }

  #redactBytes(value: Bytes): unknown {
    const copy = copyOf(value)
    const bytes = new Uint8Array(ArrayBuffer.isView(copy) ? copy.buffer : copy)
    const ranges = this.#find(textOf(bytes))
    for (const [start, end] of ranges) bytes.fill(STAR, start, end)
    return ranges.length === 0 ? value : copy
  }
}

type Slot = readonly [name: PropertyKey, value: unknown]

/** Objects may be proxies, and their properties getters: any look at one may throw. Not to have looked is no reason to pass. */
function attempt<T, A extends unknown[]>(look: (...args: A) => T, otherwise: T, ...args: A): T {
  try {
    return look(...args)
  } catch (error) {
    if (/call stack|stack overflow|recursion/.test(String(error))) throw error
    return otherwise
  }
}

const read = (object: object, name: PropertyKey): unknown =>
  attempt<unknown, [object, PropertyKey]>(Reflect.get, undefined, object, name)

const isObject = (value: unknown): value is object =>
  (typeof value === 'object' && value !== null) || typeof value === 'function'

/** Also of an object of another realm, such as the vm context of a test runner. */
const tagOf = (value: object): string =>
  value instanceof Error ? '[object Error]' : Object.prototype.toString.call(value)

const isA = (value: object, tag: RegExp): boolean => tag.test(attempt(tagOf, '', value))

const isError = (value: object): boolean => isA(value, / (?:Error|DOMException)]/)

/** What JSON shows of an object: of a URL its text, say. */
function jsonOf(object: object, key: string): unknown {
  const toJSON = read(object, 'toJSON')
  if (typeof toJSON !== 'function')
    return isA(object, / String]/) ? String.prototype.valueOf.call(object) : object
  return attempt<unknown, []>(() => toJSON.call(object, key), undefined)
}

const isSame = (slots: readonly Slot[], others: readonly Slot[]): boolean =>
  slots.every(([name, value], at) => name === others[at]?.[0] && Object.is(value, others[at]?.[1]))

/** Names that have become the same are numbered. */
function numbered(slots: readonly Slot[]): Slot[] {
  const counts = new Map<PropertyKey, number>()
  return slots.map(([name, value]) => {
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    return [count === 1 ? name : `${String(name)} ${count}`, value]
  })
}

/** What JSON shows of an object or an array. */
const slotsOf = (object: object): Slot[] =>
  attempt(Object.keys, [], object).map((name) => [name, read(object, name)])

/** What an error has, and what its class has getters for: those fail on a copy, which lacks private state. */
function slotsOfError(error: object): Slot[] {
  const names = new Set(Reflect.ownKeys(error))
  let prototype: object | null = Object.getPrototypeOf(error)
  while (prototype !== null && prototype !== Object.prototype) {
    for (const [name, { get }] of Object.entries(Object.getOwnPropertyDescriptors(prototype)))
      if (get !== undefined) names.add(name)
    prototype = Object.getPrototypeOf(prototype)
  }
  names.delete('toJSON')
  const json = jsonOf(error, '')
  const slots = Array.from(names, (name): Slot => [name, read(error, name)])
  return json === error ? slots : [...slots, ['toJSON', json]]
}

/** An error of the same class. */
function copyError(error: object, slots: readonly Slot[]): object {
  const prototype: object | null = Object.getPrototypeOf(error)
  const copy: object = Object.setPrototypeOf(new Error(), prototype)
  for (const name of Reflect.ownKeys(copy)) Reflect.deleteProperty(copy, name)
  for (const [name, redacted] of slots) {
    const value = name === 'toJSON' ? () => redacted : redacted
    const enumerable = Object.prototype.propertyIsEnumerable.call(error, name)
    Object.defineProperty(copy, name, { value, enumerable, writable: true, configurable: true })
  }
  return copy
}

type Bytes = ArrayBuffer | ArrayBufferView<ArrayBuffer>

const isBytes = (value: object): value is Bytes =>
  isA(value, / (?:U?[Ii]nt8(?:Clamped)?Array|DataView|(?:Shared)?ArrayBuffer)]/)

/** Of a view, with nothing but what it shows. */
function copyOf(value: Bytes): Bytes {
  if (!ArrayBuffer.isView(value)) return value.slice(0)
  if (!isA(value, / DataView]/)) return Uint8Array.prototype.slice.call(value)
  return new DataView(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength))
}

/** A text of character codes; of bytes, as Latin-1. */
const textOf = (codes: ArrayLike<number>): string =>
  Array.from(codes, (code) => String.fromCharCode(code)).join('')
