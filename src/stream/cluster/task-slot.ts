import type { Clock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import { faultOf } from '../engine-faults.ts'
import type { Task } from './task.ts'
import { type Checkpoints, type RunnerOptions, TaskRunner } from './task-runner.ts'

/** Takes hold of a task and restores it. */
export type OpenTask<T extends Task> = () => Promise<{ readonly task: T; readonly checkpoints: Checkpoints }>

/** How long until it is tried again, doubled each time. */
const [againMs, againMsMax] = [200, 10_000]
/** Who was taken over waits longer than it takes to hear that the task is another's now. */
const fencedMs = 10_000

/**
 * A task that this process is to run: taken, restored, run, and taken anew after a trouble that passes. Another one
 * stops it, and says so.
 */
export class TaskSlot<T extends Task> {
  readonly topic: string
  readonly partition: number
  readonly #open: OpenTask<T>
  readonly #options: RunnerOptions
  readonly #stop = new AbortController()
  readonly #onHalt: (slot: TaskSlot<T>, fault: Error) => void
  #task: T | null = null
  #runner: TaskRunner | null = null
  #fault: Error | null = null
  #halted = false
  readonly #done: Promise<void>

  constructor(
    place: { readonly topic: string; readonly partition: number },
    open: OpenTask<T>,
    options: RunnerOptions & { readonly onHalt: (slot: TaskSlot<T>, fault: Error) => void },
  ) {
    this.topic = place.topic
    this.partition = place.partition
    this.#open = open
    this.#options = options
    this.#onHalt = options.onHalt
    this.#done = this.#supervise()
  }

  /** Null while it is being restored. */
  get task(): T | null {
    return this.#task
  }

  /** What went wrong last, while it is not running. */
  get fault(): Error | null {
    return this.#fault
  }

  /** Whether only a restart tries it again. */
  get halted(): boolean {
    return this.#halted
  }

  /** Resolves when everything taken so far is durable; at once when there is nothing that runs. */
  async checkpoint(): Promise<void> {
    await this.#runner?.checkpoint()
  }

  /** Resolves when it has ended, after a last checkpoint if that was possible. */
  async close(): Promise<void> {
    this.#stop.abort()
    this.#runner?.stop()
    await this.#done
  }

  async #supervise(): Promise<void> {
    const { signal } = this.#stop
    for (let failures = 0; !signal.aborted; ) {
      try {
        const { task, checkpoints } = await this.#open()
        if (signal.aborted) return
        this.#task = task
        this.#fault = null
        const startedAt = this.#options.clock.elapsed()
        this.#runner = new TaskRunner(task, checkpoints, this.#options)
        try {
          await this.#runner.run()
          return
        } finally {
          this.#runner = null
          this.#task = null
          if (this.#options.clock.elapsed() - startedAt > againMsMax) failures = 0
        }
      } catch (error) {
        this.#fault = faultOf(error)
        if (!passes(error)) {
          this.#halted = true
          this.#onHalt(this, this.#fault)
          return
        }
        await waitAfter(error, failures++, this.#options.clock, signal)
      }
    }
  }
}

function passes(error: unknown): boolean {
  if (!(error instanceof MillraceError)) return false
  return error.retry === 'backoff' || passing.has(error.code)
}

/** Not worth trying as they are, but what was left half done is made anew. */
const passing = new Set(['OUTPUT_WRITE_FAILED', 'KAFKA_WRITE_FAILED', 'ENGINE_STOPPED'])

async function waitAfter(error: unknown, failures: number, clock: Clock, signal: AbortSignal): Promise<void> {
  const isFenced = error instanceof MillraceError && error.code === 'TASK_FENCED'
  await clock.sleep(isFenced ? fencedMs : Math.min(againMs * 2 ** failures, againMsMax), signal)
}
