// Declares each export for `require` as well. `module: node16` does not know that Node.js can require an ES module, and
// takes no types but those of a CommonJS module.
import { readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'

const { exports } = JSON.parse(readFileSync('package.json', 'utf8'))
for (const { types, default: script } of Object.values(exports)) {
  if (types?.require === undefined) continue
  const text = `// @ts-ignore: it can be required.\nexport * from './${basename(script)}'\n`
  writeFileSync(types.require, text)
}
