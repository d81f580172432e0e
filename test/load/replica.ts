// Starts replicas in processes of their own.
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface Counts {
  readonly calls: number
  /** Calls after which something still had the credential. */
  readonly open: number
  readonly heap: number
}

export class Replica {
  readonly port: number
  readonly #child: ChildProcess
  readonly #env: Readonly<Record<string, string>>

  constructor(port: number, child: ChildProcess, env: Readonly<Record<string, string>>) {
    this.port = port
    this.#child = child
    this.#env = env
  }

  static async start(env: Readonly<Record<string, string>>, port = 0): Promise<Replica> {
    const child = fork(fileURLToPath(new URL('server.js', import.meta.url)), {
      env: { ...env, PORT: `${port}` },
      execArgv: ['--expose-gc'],
    })
    const [{ port: taken }] = (await once(child, 'message')) as [{ port: number }]
    return new Replica(taken, child, env)
  }

  async counts(): Promise<Counts> {
    const answer = once(this.#child, 'message')
    this.#child.send('report')
    const [counts] = (await answer) as [Counts]
    return counts
  }

  /** As a machine does that fails. */
  async kill(): Promise<void> {
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await exit
  }

  /** Another one in its place. */
  restart(): Promise<Replica> {
    return Replica.start(this.#env, this.port)
  }
}
