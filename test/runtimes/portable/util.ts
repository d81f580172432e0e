// What the core's tests use of node:util, where there is none: a look at all that an object holds.

interface Options {
  readonly customInspect?: boolean
}

export function inspect(value: unknown, { customInspect = true }: Options = {}): string {
  const seen = new Set<unknown>()
  const show = (part: unknown): string => {
    if ((typeof part !== 'object' && typeof part !== 'function') || part === null || seen.has(part))
      return String(part)
    seen.add(part)
    const custom: unknown = Reflect.get(part, Symbol.for('nodejs.util.inspect.custom'))
    if (customInspect && typeof custom === 'function')
      return show(custom.call(part, 0, {}, inspect))
    const text = part instanceof Error ? `${part.stack} ${part.message}` : ''
    const descriptors = Object.getOwnPropertyDescriptors(part)
    return `${text} { ${Reflect.ownKeys(descriptors)
      .map((key) => `${String(key)}: ${show(Reflect.get(descriptors, key).value)}`)
      .join(', ')} }`
  }
  return show(value)
}

/** Of the directives, what their values come to. */
export function format(template: unknown, ...values: unknown[]): string {
  return [template, ...values]
    .map((value) =>
      typeof value === 'string'
        ? value
        : `${inspect(value)} ${String(value)} ${JSON.stringify(value)}`,
    )
    .join(' ')
}
