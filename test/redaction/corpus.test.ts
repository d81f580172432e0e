import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findFalsely, FOLDER, textsIn } from './corpus.js'

test('nothing is found where nothing is: 5 MB of packages, 100 random credentials', () => {
  const { characters, found, isControlFound } = findFalsely(textsIn(FOLDER, 5e6), 100)
  assert(characters >= 5e6)
  assert.deepEqual(found, [])
  assert(isControlFound)
})
