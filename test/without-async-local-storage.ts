// Makes of this runtime one that has no AsyncLocalStorage. To be imported before the package, which looks for it once.
import process from 'node:process'

Reflect.deleteProperty(globalThis, 'AsyncLocalStorage')
// A browser has no process either.
if (process) Object.defineProperty(process, 'getBuiltinModule', { value: undefined })
