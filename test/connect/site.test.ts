// The site of the example, with its database and its authorization servers, by a browser that tells where it ends.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
// @ts-expect-error: it is compiled by a package of its own
import { Browser } from '../../../examples/connect/dist/browser.js'
// @ts-expect-error: it is compiled by a package of its own
import { startService } from '../../../examples/connect/dist/service.js'

const folder = mkdtempSync(join(tmpdir(), 'connect-site-'))
// Not among those of the other file, which may run at the same time.
const service = await startService({ port: 10_000 + 3 * (process.pid % 3000), folder })
const { origin } = service as { origin: string }

let asked = 0
const evil = createServer((_, response) => {
  asked += 1
  response.end('I am evil.')
}).listen(0, '127.0.0.1')
await once(evil, 'listening')
const host = `127.0.0.1:${(evil.address() as AddressInfo).port}`

after(async () => {
  evil.closeAllConnections()
  evil.close()
  await service.close()
  rmSync(folder, { recursive: true })
})

/** Where who is not logged in gets to, who opens this first. */
async function openAndLogIn(address: string): Promise<string> {
  const browser = new Browser()
  const asked = await browser.open(address)
  const page = await browser.press(await browser.press(asked, 'I am alice'), 'Allow')
  return page.url
}

test('a login goes on to the page that was asked for', async () => {
  for (const path of ['/accounts', '/accounts?a=b', '/connect/weather?ticket=FAKE'])
    assert.equal(await openAndLogIn(`${origin}${path}`), `${origin}${path}`)
})

test('a login goes on to no other site, and to no page that there is not', async () => {
  assert.equal(await (await fetch(`http://${host}/`)).text(), 'I am evil.')
  for (const path of [`//${host}/x`, `/\\${host}/x`, `/.//${host}/x`, `/a/..//${host}/x`, '/none'])
    assert.equal(await openAndLogIn(`${origin}${path}`), `${origin}/accounts`)
  assert.equal(asked, 1)
})
