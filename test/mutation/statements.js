// What StrykerJS does not take away: single statements, awaits, freezes and copies.
import fs from 'node:fs'
import { join } from 'node:path'
import { parse } from 'acorn'
import { full } from 'acorn-walk'
import { coveredBy, run, work } from './workplace.js'

const isCallOf = ({ callee }, object, property) =>
  callee.type === 'MemberExpression' &&
  callee.object.name === object &&
  callee.property.name === property

const inBrackets = (code, { start, end }) => `(${code.slice(start, end)})`

function freezeOrCopy(node, code) {
  const [argument] = node.arguments
  if (isCallOf(node, 'Object', 'freeze')) return ['Freeze', inBrackets(code, argument)]
  const isFrom = isCallOf(node, 'Uint8Array', 'from') || isCallOf(node, 'Array', 'from')
  if (isFrom && node.arguments.length === 1) return ['Copy', inBrackets(code, argument)]
  const isSlice = node.callee.property?.name === 'slice' && node.arguments.length === 0
  return isSlice ? ['Copy', inBrackets(code, node.callee.object)] : undefined
}

function spreadAlone(parts, code) {
  const isAlone = parts.length === 1 && parts[0].type === 'SpreadElement'
  return isAlone ? ['Copy', inBrackets(code, parts[0].argument)] : undefined
}

/** The name of a change, and what stands in place of a node then. */
function changeOf(node, code) {
  switch (node.type) {
    case 'ExpressionStatement': {
      const isNeeded = node.directive !== undefined || node.expression.callee?.type === 'Super'
      return isNeeded ? undefined : ['Statement', ';']
    }
    case 'AwaitExpression':
      return ['Await', inBrackets(code, node.argument)]
    case 'CallExpression':
      return freezeOrCopy(node, code)
    case 'NewExpression': {
      const isCopy = node.callee.name === 'Date' && node.arguments.length === 1
      return isCopy ? ['Copy', inBrackets(code, node.arguments[0])] : undefined
    }
    case 'ArrayExpression':
      return spreadAlone(node.elements, code)
    case 'ObjectExpression':
      return spreadAlone(node.properties, code)
    default:
      return undefined
  }
}

export function changesOf(code) {
  const changes = []
  full(parse(code, { ecmaVersion: 'latest', sourceType: 'module' }), (node) => {
    const change = changeOf(node, code)
    if (change === undefined) return
    const [mutator, replacement] = change
    const { start, end } = node
    const at = code.slice(0, start).split('\n').length
    const line = code.split('\n')[at - 1].trim()
    changes.push({ mutator, line, code: code.slice(start, end), replacement, start, end, at })
  })
  return changes.sort((one, other) => one.start - other.start)
}

/** Makes each change, one at a time, and runs the tests that cover it until one fails; of what is held, those of the first pass. */
export async function statements(file, passes, isHeld) {
  const path = join(work, file)
  const code = fs.readFileSync(path, 'utf8')
  // What has found something lately comes first.
  const order = passes.flat()
  const covered = new Map(order.map((test) => [test, new Set(coveredBy(test))]))
  const found = []
  try {
    for (const { start, end, ...change } of changesOf(code)) {
      fs.writeFileSync(path, code.slice(0, start) + change.replacement + code.slice(end))
      const tests = isHeld(change) ? passes[0] : order
      const killer = await firstToFail(tests.filter((test) => covered.get(test).has(start)))
      if (killer !== undefined) order.unshift(...order.splice(order.indexOf(killer), 1))
      found.push({ ...change, status: killer === undefined ? 'Survived' : 'Killed' })
    }
  } finally {
    fs.writeFileSync(path, code)
  }
  return found
}

async function firstToFail(tests) {
  for (const test of tests) {
    const { passes } = await run(test.test, 5 * test.milliseconds + 10_000)
    if (!passes) return test
  }
  return undefined
}
