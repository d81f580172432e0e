// The tools for Mastra.
import { createTool } from '@mastra/core/tools'
import { answer, schema, TOOLS } from './tools.js'

const create = (name: string) =>
  createTool({
    id: name,
    description: name,
    inputSchema: schema,
    execute: (args, context) => answer(name, args, context),
  })

export const mastraTools: Record<string, ReturnType<typeof create>> = Object.fromEntries(
  TOOLS.map((name) => [name, create(name)]),
)
