// What the demo prints: bold only where somebody looks at it.

export const title = (text: string): void =>
  console.log(process.stdout.isTTY ? `\n\x1b[1m${text}\x1b[0m` : `\n${text}`)

export const line = (label: string, text: string): void =>
  console.log(`  ${label.padEnd(22)} ${text}`)

export function expect(condition: boolean, what: string): void {
  if (!condition) throw new Error(`The demo did not go as it should: ${what}.`)
}
