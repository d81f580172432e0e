// Parts of the Web that the core's tests use, and the package does not, for an engine that has none of them.
import 'core-js/stable/btoa.js'
import 'core-js/stable/dom-exception/index.js'
import 'core-js/stable/queue-microtask.js'
import 'core-js/stable/structured-clone.js'
import 'core-js/stable/url/index.js'
import 'fast-text-encoding'
import { Headers } from 'headers-polyfill'

Object.assign(globalThis, { Headers })
