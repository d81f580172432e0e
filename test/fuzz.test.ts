import { test } from 'node:test'
import { fuzz } from './fuzzing.ts'

// Longer with: npm run fuzz -- --seconds 600
for (let seed = 1; seed <= 20; seed++)
  test(`mutations of valid inputs, seed ${seed}`, () => fuzz(seed))
