import { extname, join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { MillraceError } from '../base/faults.ts'
import type { Sweeper, SweepJob, SweepResult } from '../dataset/partitions/sweeper.ts'
import type { Plan, ViewPlan } from '../plan/plan.ts'
import { type DefinitionsJson, definitionsFromJson, definitionsToJson } from '../registry/definitions-json.ts'
import { compilePlan } from './load-plan.ts'
import type { SweepAnswer } from './sweep-worker.ts'

/**
 * Sweeps in threads of their own. Definitions reach them as data; null where data does not bring back the very views of
 * the plan: then whoever asks sweeps by itself.
 */
export function startSweepThreads(plan: Plan, views: readonly ViewPlan[], count: number): Sweeper | null {
  const definitions = asData(plan, views)
  if (definitions === null) return null
  const threads = Array.from({ length: count }, () => new SweepThread(definitions))
  const idle = [...threads]
  const waiting: ((thread: SweepThread) => void)[] = []
  return {
    width: count,
    async sweep(job) {
      const thread = idle.pop() ?? (await new Promise<SweepThread>((resolve) => waiting.push(resolve)))
      try {
        return await thread.run(job)
      } finally {
        const next = waiting.shift()
        if (next === undefined) idle.push(thread)
        else next(thread)
      }
    },
    async close() {
      await Promise.all(threads.map((thread) => thread.stop()))
    },
  }
}

function asData(plan: Plan, views: readonly ViewPlan[]): DefinitionsJson | null {
  try {
    const data = definitionsToJson(plan.definitions)
    const again = new Set(compilePlan(definitionsFromJson(data)).views.map(({ fingerprint }) => fingerprint))
    return views.every(({ fingerprint }) => again.has(fingerprint)) ? data : null
  } catch (error) {
    if (error instanceof MillraceError) return null
    throw error
  }
}

type Pending = { readonly resolve: (result: SweepResult) => void; readonly reject: (error: Error) => void }

class SweepThread {
  readonly #worker: Worker
  #pending: Pending | null = null
  #ended: Error | null = null

  constructor(definitions: DefinitionsJson) {
    const script = join(import.meta.dirname, `sweep-worker${extname(import.meta.filename)}`)
    this.#worker = new Worker(script, { workerData: definitions })
    this.#worker.on('message', (answer: SweepAnswer) => {
      if ('result' in answer) this.#settle(({ resolve }) => resolve(answer.result))
      else this.#settle(({ reject }) => reject(new MillraceError(answer.fault.code, answer.fault.details as never)))
    })
    this.#worker.on('error', (error: Error) => this.#end(error))
    this.#worker.on('exit', (code) => this.#end(new Error(`a thread ended with ${code}`)))
    // A caller that gives up must not be kept alive by an idle thread.
    this.#worker.unref()
  }

  async run(job: SweepJob): Promise<SweepResult> {
    if (this.#ended !== null) throw this.#ended
    this.#worker.ref()
    try {
      return await new Promise<SweepResult>((resolve, reject) => {
        this.#pending = { resolve, reject }
        this.#worker.postMessage(job)
      })
    } finally {
      this.#worker.unref()
    }
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }

  #end(error: Error): void {
    this.#ended ??= error
    this.#settle(({ reject }) => reject(this.#ended!))
  }

  #settle(act: (pending: Pending) => void): void {
    const pending = this.#pending
    this.#pending = null
    if (pending !== null) act(pending)
  }
}
