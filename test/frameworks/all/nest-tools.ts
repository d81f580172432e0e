// The tools for Nest.
import { Ctx, Payload } from '@nestjs/microservices'
import { McpContext, McpController, Tool } from '@rekog/mcp-nest'
import { callTool, schema } from './tools.js'

type Args = { milliseconds: number }
const describe = (name: string) => ({ name, description: name, parameters: schema })

@McpController()
export class Tools {
  @Tool(describe('whoami'))
  whoami(@Payload() args: Args) {
    return callTool('whoami', args)
  }

  @Tool(describe('leak'))
  leak(@Payload() args: Args) {
    return callTool('leak', args)
  }

  @Tool(describe('fail'))
  fail(@Payload() args: Args) {
    return callTool('fail', args)
  }

  @Tool(describe('look'))
  look(@Payload() args: Args, @Ctx() context: McpContext) {
    return callTool('look', args, context)
  }

  @Tool(describe('left'))
  left(@Payload() args: Args) {
    return callTool('left', args)
  }
}
