import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Rebuilt, RebuildRequest } from './training-rows.ts'

/** Builds training rows beside the stream, in a thread of its own. */
export class Trainer {
  readonly #worker = new Worker(new URL('./training-worker.ts', import.meta.url))

  /** One call at a time. Rejects with what failed over there. */
  async rebuild(request: RebuildRequest): Promise<Rebuilt> {
    this.#worker.postMessage(request)
    const [rebuilt] = (await once(this.#worker, 'message')) as [Rebuilt]
    return rebuilt
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}
