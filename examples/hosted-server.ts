// Serves hosted.ts with Node.js.
import { createServer } from 'node:http'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { handler } from './hosted.ts'
import { announce } from './processes.ts'

const handle = toNodeHandler(handler)
announce(createServer((request, response) => void handle(request, response)))
