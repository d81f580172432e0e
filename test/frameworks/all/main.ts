// Serves one of the frameworks on the port of the environment.
import { createServer } from 'node:http'
import { serve } from '@hono/node-server'

const [name = ''] = process.argv.slice(2)
const hostname = '127.0.0.1'
const port = Number(process.env['PORT'])
const block = await import(`./blocks/${name}.js`)

if (name === 'nest') await block.app.listen(port, hostname)
else if (name === 'mcp-use')
  serve({ port, hostname, fetch: (request: Request) => block.server.fetch(request) })
else {
  createServer((req, res) => {
    const url = new URL(req.url ?? '', `http://${hostname}:${port}`)
    void block.server.startHTTP({ url, httpPath: '/mcp', req, res })
  }).listen(port, hostname)
}
