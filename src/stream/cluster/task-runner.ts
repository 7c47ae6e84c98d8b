import type { Clock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import type { Log } from '../../log/log.ts'
import type { StoreChange } from '../../store/online/online-store.ts'
import type { Cut } from './changelog.ts'
import type { Task } from './task.ts'

/** Where the checkpoints of a task go. */
export type Checkpoints = {
  write(changes: readonly StoreChange[], cut: Cut): Promise<void>
  /** Looks at what others did meanwhile: whether a checkpoint has to put some of it right. Throws when they took over. */
  look(): Promise<boolean>
}

export type RunnerOptions = {
  readonly log: Log
  readonly clock: Clock
  readonly checkpointMs: number
  /** Told when one is durable. */
  readonly onCheckpoint?: (seconds: number) => void
  readonly onTaken?: (task: Task, records: number, newestMs: number) => void
}

const readBytesMax = 1024 * 1024
const sliceRecords = 512
/**
 * Others are told how far a task is when it has been at the end of its input for so long; and while more comes all the
 * time, now and then. What is sent on says it too, to those who get it.
 */
const [markMs, markMsMax] = [50, 500]
/** How often it looks for others who took over; a checkpoint finds out by itself. */
const lookMs = 5_000

/**
 * Reads the input of a task and checkpoints it, until it is stopped or something fails. What was done after the last
 * checkpoint is then of no use, and the task has to be made anew.
 */
export class TaskRunner {
  readonly #options: RunnerOptions
  readonly #task: Task
  readonly #checkpoints: Checkpoints
  #sending: Promise<void> = Promise.resolve()
  #persisting: Promise<void> | null = null
  #progressed = false
  #isAsked = false
  #stopping = false
  #checkpointAt: number
  #lookAt: number
  #markAt: number
  /** When it last took something. */
  #takenAt: number
  #failed: { readonly error: unknown } | null = null
  #wake: () => void = () => undefined
  /** Those who wait for a checkpoint of what there was when they asked. */
  #waiting: PromiseWithResolvers<void>[] = []

  constructor(task: Task, checkpoints: Checkpoints, options: RunnerOptions) {
    this.#task = task
    this.#checkpoints = checkpoints
    this.#options = options
    this.#checkpointAt = options.clock.elapsed()
    this.#lookAt = this.#checkpointAt
    this.#markAt = this.#checkpointAt
    this.#takenAt = this.#checkpointAt
  }

  /** Resolves when it was stopped and everything is durable. Rejects with what went wrong. */
  async run(): Promise<void> {
    try {
      while (!this.#stopping) await this.#step()
      await this.#persisting
      if (this.#progressed || this.#task.isUnmarked) await this.#persist()
    } catch (error) {
      await Promise.allSettled([this.#sending, this.#persisting])
      throw error
    } finally {
      const stopped = new MillraceError('ENGINE_STOPPED', { detail: 'a task was stopped' })
      for (const { reject } of this.#waiting) reject(stopped)
    }
  }

  /** Lets `run` end, after a last checkpoint. */
  stop(): void {
    this.#stopping = true
    this.#wake()
  }

  /** Resolves when everything taken so far is durable. */
  async checkpoint(): Promise<void> {
    const waiting = Promise.withResolvers<void>()
    this.#waiting.push(waiting)
    this.#isAsked = true
    this.#wake()
    await waiting.promise
  }

  async #step(): Promise<void> {
    const [{ log, clock }, task] = [this.#options, this.#task]
    if (this.#failed !== null) throw this.#failed.error
    await this.#checkpointIfDue()
    if (task.next >= log.end(task.topic, task.partition)) {
      await this.#idle()
      return
    }
    const { records, next } = await log.read(task.topic, task.partition, task.next, readBytesMax)
    for (let from = 0; from < records.length && !this.#stopping; from += sliceRecords) {
      const slice = records.slice(from, from + sliceRecords)
      task.take(slice)
      task.passGap(records[from + sliceRecords]?.offset ?? next)
      this.#progressed = true
      this.#options.onTaken?.(task, slice.length, slice.at(-1)!.timestampMs)
      await clock.turn()
    }
    if (records.length === 0) task.passGap(next)
    this.#takenAt = clock.elapsed()
    await this.#send()
  }

  /** Sends on what was taken, while more is read: one round after the other, so that order is kept. */
  async #send(): Promise<void> {
    await this.#sending
    // Whoever awaits it next has the error.
    this.#sendNow().catch(() => undefined)
  }

  #sendNow(): Promise<void> {
    this.#sending = this.#task.send()
    this.#sending.catch(() => undefined)
    return this.#sending
  }

  async #checkpointIfDue(): Promise<void> {
    const { clock, checkpointMs } = this.#options
    const now = clock.elapsed()
    if (this.#persisting !== null && this.#task.fullness >= 2) await this.#persisting
    if (this.#persisting !== null) return
    if (now - this.#lookAt >= lookMs) {
      this.#lookAt = now
      if (await this.#checkpoints.look()) this.#progressed = true
    }
    const isDue = this.#isAsked || (this.#progressed && now - this.#checkpointAt >= checkpointMs)
    if (!isDue && this.#task.fullness < 1) return
    const persisting = this.#persist().finally(() => {
      this.#persisting = null
      this.#wake()
    })
    // The loop awaits it, or meets it at its next checkpoint.
    persisting.catch(() => this.#wake())
    this.#persisting = persisting
  }

  async #persist(): Promise<void> {
    const [{ clock, onCheckpoint }, task] = [this.#options, this.#task]
    const startedAt = clock.elapsed()
    this.#checkpointAt = startedAt
    const waiting = this.#waiting
    this.#waiting = []
    this.#isAsked = false
    try {
      for (let sent: Promise<void> | null = null; sent !== this.#sending; await sent) sent = this.#sending
      if (this.#failed !== null) throw this.#failed.error
      // From here to the next await all is one prefix. What it says was sent is there before it is durable.
      this.#progressed = false
      if (task.isUnmarked) task.mark()
      const sent = this.#sendNow()
      const changes = task.takeChanges()
      const taken = task.outputs.take(task.nextOffsetOf)
      const [next, progress] = [task.next, task.progress()]
      await sent
      // What goes out cannot be called back: not when another owner has begun, who finds what is there and adds the rest.
      if (taken.outputs.length > 0) await this.#checkpoints.look()
      const outputs = await task.outputs.flush(taken)
      await this.#checkpoints.write(changes, { next, progress, outputs })
    } catch (error) {
      // At once: the changes that were taken are lost, and no other checkpoint may come about.
      this.#failed ??= { error }
      for (const { reject } of waiting) reject(error)
      throw error
    }
    task.evict()
    onCheckpoint?.((clock.elapsed() - startedAt) / 1_000)
    for (const { resolve } of waiting) resolve()
  }

  /** At the end of the input: tells others, and waits for more, or for the next thing that is due. */
  async #idle(): Promise<void> {
    const [{ log, clock, checkpointMs }, task] = [this.#options, this.#task]
    await this.#sending
    const now = clock.elapsed()
    const markDueAt = Math.min(this.#takenAt + markMs, this.#markAt + markMsMax)
    if (task.isUnmarked && now >= markDueAt) {
      this.#markAt = now
      task.mark()
      this.#progressed = true
      await this.#send()
      return
    }
    const dues = [this.#lookAt + lookMs]
    if (task.isUnmarked) dues.push(markDueAt)
    if (this.#progressed && this.#persisting === null) dues.push(this.#checkpointAt + checkpointMs)
    const waitMs = Math.min(...dues) - now
    if (waitMs <= 0 || this.#stopping || this.#isAsked) return await clock.turn()
    const wake = new AbortController()
    this.#wake = () => wake.abort()
    void clock.sleep(waitMs, wake.signal).then(() => wake.abort())
    await log.waitFor(task.topic, task.partition, task.next, wake.signal)
    wake.abort()
    this.#wake = () => undefined
  }
}
