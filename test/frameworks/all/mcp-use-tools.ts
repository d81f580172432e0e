// The tools for mcp-use.
import type { MCPServer } from 'mcp-use'
import { callTool, schema, TOOLS } from './tools.js'

export function addMcpUseTools(server: MCPServer): void {
  for (const name of TOOLS) {
    const config = { name, description: name, inputSchema: schema }
    server.tool(config, ((args: { milliseconds: number }, context: unknown) =>
      callTool(name, args, context)) as never)
  }
}
