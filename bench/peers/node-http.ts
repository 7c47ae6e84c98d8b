import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A server in a process of its own, so that its CPU is not the load generator's. */
export type ServerProcess = {
  readonly port: number
  /** Seconds of CPU it has used since it started. */
  cpuSeconds(): Promise<number>
  close(): Promise<void>
}

/**
 * The least a Node server can do: reads the whole of a POST and answers it with fixed bytes, declared as JSON. Listens on a
 * free port of the loopback interface.
 */
export async function startNodeHttp(answer: string): Promise<ServerProcess> {
  return await startServerProcess(new URL('node-http-server.ts', import.meta.url), { answer })
}

/** Starts a script that answers its first message with `{ port }`, `cpu` with `{ cpuSeconds }`, and ends on SIGTERM. */
export async function startServerProcess(script: URL, order: object): Promise<ServerProcess> {
  const execArgv = ['--conditions=millrace-source']
  const child = fork(fileURLToPath(script), [], { execArgv })
  child.send(order)
  const { port } = await replyOf<{ port: number }>(child)
  return {
    port,
    cpuSeconds: async () => {
      child.send('cpu')
      return (await replyOf<{ cpuSeconds: number }>(child)).cpuSeconds
    },
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const exited = once(child, 'exit')
      child.kill('SIGTERM')
      await exited
    },
  }
}

/** The next message of a child, or an error when it ends without one. */
async function replyOf<Message>(child: ChildProcess): Promise<Message> {
  const settled = new AbortController()
  const { signal } = settled
  try {
    const ended = once(child, 'exit', { signal }).then(([code]) => {
      throw new Error(`the server process ended with code ${String(code)}`)
    })
    const [message] = (await Promise.race([once(child, 'message', { signal }), ended])) as [Message]
    return message
  } finally {
    settled.abort()
  }
}
