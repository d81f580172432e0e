// For the runtimes that run modules as they are.
import { storeOf } from './portable/store.ts'

console.log(await storeOf())
