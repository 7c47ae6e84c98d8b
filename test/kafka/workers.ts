import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { EngineCounts } from '../../src/stream/engine-types.ts'
import type { WorkerOptions } from './cluster-worker.ts'

export type Answer = { readonly counts: EngineCounts; readonly owned: number; readonly halted: readonly string[] }

/** A process of a cluster, beside the test's. */
export class Worker {
  readonly #child: ChildProcess

  private constructor(child: ChildProcess) {
    this.#child = child
  }

  static async start(options: WorkerOptions): Promise<Worker> {
    const child = fork(new URL('cluster-worker.ts', import.meta.url), [JSON.stringify(options)], {
      execArgv: ['--conditions=millrace-source', '--max-old-space-size=256'],
    })
    const worker = new Worker(child)
    await worker.#next()
    return worker
  }

  async ask(question: 'caught up' | 'counts' | 'die'): Promise<Answer> {
    this.#child.send(question)
    const { given, fault } = (await this.#next()) as { given?: Answer; fault?: string }
    assert.equal(fault, undefined)
    return given!
  }

  /** Resolves when it has ended. */
  async ended(): Promise<void> {
    const { exitCode, signalCode } = this.#child
    if (exitCode === null && signalCode === null) await once(this.#child, 'exit')
  }

  signal(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(signal)
  }

  async #next(): Promise<unknown> {
    return await new Promise((resolve, reject) => {
      const done = (act: () => void): void => {
        this.#child.off('message', heard).off('exit', ended)
        act()
      }
      const heard = (message: unknown): void => done(() => resolve(message))
      const ended = (): void => done(() => reject(new Error('the worker has ended')))
      this.#child.on('message', heard).on('exit', ended)
    })
  }
}
