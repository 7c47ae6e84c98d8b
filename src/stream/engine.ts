import { assert } from '../base/assert.ts'
import type { Clock } from '../base/clock.ts'
import { MillraceError, messageOf } from '../base/faults.ts'
import type { KeyState } from '../kernel/key-state.ts'
import type { Log, LogRecord } from '../log/log.ts'
import type { Plan, ViewPlan } from '../plan/plan.ts'
import type { OnlineStore, StoreChange } from '../store/online/online-store.ts'
import { type Checkpoint, encodeCheckpoint, readCheckpoint, type VerdictCounts, type ViewCounts } from './checkpoint.ts'
import { deadLetterTopic, lateTopic } from '../plan/topics.ts'
import { type NextOffsetOf, Outputs } from './outputs.ts'
import { type FoldTarget, SourceTask } from './source-task.ts'
import { StateTable } from './state-table.ts'
import { checkpointKey } from './store-keys.ts'

export type EngineOptions = {
  readonly plan: Plan
  readonly log: Log
  readonly store: OnlineStore
  readonly clock: Clock
  /** Names the store in faults. */
  readonly folder: string
  /** Partitions of topics that do not exist yet. */
  readonly partitions: number
  readonly checkpointMs: number
  /** Keys per view held in memory beyond those that wait for the next checkpoint. */
  readonly keysMax: number
  readonly observer?: EngineObserver
}

/** Told what the engine did; for metrics. Must not throw. */
export type EngineObserver = {
  /** `latencyMs`: from the newest record's own timestamp to its fold. */
  batch(stream: string, batch: { readonly records: number; readonly latencyMs: number }): void
  checkpoint(seconds: number): void
}

export type EngineCounts = {
  readonly sources: readonly ({
    readonly stream: string
    readonly partition: number
    readonly next: number
    readonly watermark: number
  } & VerdictCounts)[]
  readonly views: Readonly<Record<string, Readonly<ViewCounts>>>
}

const readBytesMax = 1024 * 1024
/** Records folded before others get a turn. */
const sliceRecords = 512
/** A checkpoint starts early when this much waits for it; reading pauses at twice as much. */
const waitingStatesMax = 50_000
/** New ids to remember: few keys can have many. */
const waitingIdsMax = 50_000
const waitingBytesMax = 16 * 1024 * 1024

/**
 * Runs a plan over a log: verdicts per source partition, folds into the views' states, checkpoints.
 *
 * Exactly once, by this protocol. A checkpoint is one transaction of the store: changed states, next offset,
 * watermark and new ids of every source partition, counters, and the ends of the output topics. The outputs that
 * belong to it are durable before it. Whatever was done after the last checkpoint is forgotten by a crash and done
 * again from the log: verdicts and folds are deterministic, and outputs that are already there are recognised.
 */
export class Engine {
  readonly #options: EngineOptions
  readonly #tasks: readonly SourceTask[]
  readonly #tables: ReadonlyMap<string, FoldTarget>
  readonly #outputs: Outputs
  readonly #stop = new AbortController()
  readonly #running: Promise<void>[] = []
  #checkpointNumber: number
  #checkpointing: Promise<void> | null = null
  #checkpointAt: number
  #progressed = false
  #wake: () => void = () => undefined
  #fault: Error | null = null
  #closing: Promise<void> | null = null

  private constructor(options: EngineOptions, tasks: readonly SourceTask[], restored: Restored) {
    this.#options = options
    this.#tasks = tasks
    this.#tables = restored.tables
    this.#outputs = restored.outputs
    this.#checkpointNumber = restored.checkpoint?.number ?? 0
    this.#checkpointAt = options.clock.elapsed()
  }

  /** Restores the last checkpoint, or starts at the beginning of the log. Reads nothing yet. */
  static async open(options: EngineOptions): Promise<Engine> {
    const { plan, log, store, folder, partitions } = options
    const existing = new Set(log.topics().map(({ topic }) => topic))
    for (const topic of [...plan.streams.map(({ topic }) => topic), deadLetterTopic, lateTopic]) {
      if (!existing.has(topic)) await log.createTopic(topic, { partitions })
      existing.add(topic)
    }
    const checkpoint = readCheckpoint(store, { plan: plan.hash, log: log.id, folder })
    const tasks = openTasks(options, checkpoint)
    const outputs = new Outputs(log)
    await outputs.restore(checkpoint?.outputs ?? {}, nextOffsetIn(tasks))
    const tables = new Map(
      plan.views.map((view): [string, FoldTarget] => {
        const counts = checkpoint?.views[view.name] ?? { applied: 0, filtered: 0, unkeyed: 0 }
        return [view.name, { table: new StateTable(view, store, options.keysMax), counts: { ...counts } }]
      }),
    )
    return new Engine(options, tasks, { tables, outputs, checkpoint })
  }

  /** Reads every source partition from now on, and checkpoints at intervals. */
  start(): void {
    assert(this.#running.length === 0, 'an engine is started once')
    this.#running.push(
      ...this.#tasks.map((task) => this.#guard(this.#follow(task))),
      this.#guard(this.#keepCheckpointing()),
    )
  }

  /** The first fault that stopped the engine; null while it runs. */
  get fault(): Error | null {
    return this.#fault
  }

  get counts(): EngineCounts {
    return {
      sources: this.#tasks.map(({ stream, partition, next, watermark, counts }) => ({
        stream: stream.name,
        partition,
        next,
        watermark,
        ...counts,
      })),
      views: Object.fromEntries([...this.#tables].map(([name, { counts }]) => [name, { ...counts }])),
    }
  }

  /** Seconds since the last checkpoint was durable. */
  get checkpointAgeSeconds(): number {
    return (this.#options.clock.elapsed() - this.#checkpointAt) / 1_000
  }

  /** The live state of a key: every record up to `prefix` is in it. Copy it before changing it. */
  state(view: ViewPlan, key: Uint8Array): KeyState | null {
    return this.#tables.get(view.name)!.table.read(key)
  }

  cachedKeys(view: string): number {
    return this.#tables.get(view)!.table.cachedCount
  }

  /** Next offset per partition of a stream: what its views have seen. */
  prefix(stream: string): number[] {
    return this.#tasks.filter((task) => task.stream.name === stream).map(({ next }) => next)
  }

  /** Resolves once every record that is durable now has been folded. Rejects when the engine stops before. */
  async caughtUp(): Promise<void> {
    const { log, clock } = this.#options
    const ends = this.#tasks.map(({ stream, partition }) => log.end(stream.topic, partition))
    while (this.#tasks.some((task, index) => task.next < ends[index]!)) {
      this.#throwIfStopped()
      await clock.sleep(1, this.#stop.signal)
    }
  }

  /** Makes everything folded so far durable. */
  async checkpoint(): Promise<void> {
    while (this.#checkpointing !== null) await this.#checkpointing
    this.#throwIfStopped()
    this.#checkpointing = this.#writeCheckpoint()
    try {
      await this.#checkpointing
    } catch (error) {
      this.#halt(error)
      throw error
    } finally {
      this.#checkpointing = null
    }
    for (const { table } of this.#tables.values()) table.evict()
  }

  /**
   * Stops reading, writes a last checkpoint unless a fault came before, and leaves log and store open. Rejects when
   * that last checkpoint fails.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#stop.abort()
    this.#wake()
    await Promise.all(this.#running)
    // One that somebody asked for. When it fails, they have the error, and it is the engine's fault too.
    while (this.#checkpointing !== null) await this.#checkpointing.catch(() => undefined)
    if (this.#fault !== null || !this.#progressed) return
    try {
      await this.#writeCheckpoint()
    } catch (error) {
      this.#halt(error)
      throw error
    }
  }

  async #follow(task: SourceTask): Promise<void> {
    const { log, observer, clock } = this.#options
    const { topic, name } = task.stream
    const targets = task.stream.views.map((view) => this.#tables.get(view.name)!)
    const { signal } = this.#stop
    while (!signal.aborted) {
      if (task.next >= log.end(topic, task.partition)) {
        await log.waitFor(topic, task.partition, task.next, signal)
        continue
      }
      const records = await log.read(topic, task.partition, task.next, readBytesMax)
      for (let from = 0; from < records.length && !signal.aborted; from += sliceRecords) {
        const slice = records.slice(from, from + sliceRecords)
        this.#take(task, slice, targets)
        observer?.batch(name, { records: slice.length, latencyMs: clock.now() - slice.at(-1)!.timestampMs })
        await this.#makeRoom()
      }
    }
  }

  #take(task: SourceTask, records: readonly LogRecord[], targets: readonly FoldTarget[]): void {
    try {
      for (const record of records) {
        assert(record.offset >= task.next, 'records come in offset order')
        task.take(record, targets, this.#outputs)
      }
    } catch (error) {
      // At once, before any promise has its turn: a record may be folded into one view and not into the next, and no
      // checkpoint may be cut there.
      this.#halt(error)
      throw error
    }
    this.#progressed = true
  }

  /** Lets others run; and waits for checkpoints while too much is waiting for one. */
  async #makeRoom(): Promise<void> {
    await this.#options.clock.turn()
    while (this.#waiting() >= 2 && !this.#stop.signal.aborted) await this.#checkpointUnlessStopped()
    if (this.#waiting() >= 1) this.#wake()
  }

  /** How full what waits for the next checkpoint is: 1 is the limit. */
  #waiting(): number {
    let [states, ids] = [0, 0]
    for (const { table } of this.#tables.values()) states += table.dirtyCount
    for (const { newIdCount } of this.#tasks) ids += newIdCount
    const bytes = this.#outputs.pendingBytes
    return Math.max(states / waitingStatesMax, ids / waitingIdsMax, bytes / waitingBytesMax)
  }

  async #keepCheckpointing(): Promise<void> {
    const { clock, checkpointMs } = this.#options
    while (!this.#stop.signal.aborted) {
      const early = new AbortController()
      this.#wake = () => early.abort()
      await clock.sleep(checkpointMs, early.signal)
      if (this.#progressed) await this.#checkpointUnlessStopped()
    }
  }

  /** For the engine's own loops: being closed meanwhile is no fault, `close` writes the last checkpoint. */
  async #checkpointUnlessStopped(): Promise<void> {
    if (this.#checkpointing !== null) await this.#checkpointing
    else if (!this.#stop.signal.aborted) await this.checkpoint()
  }

  async #writeCheckpoint(): Promise<void> {
    const { plan, log, store, clock, observer } = this.#options
    const startedAt = clock.elapsed()
    // From here to the first await nothing else runs: all of this is one prefix.
    this.#progressed = false
    const rejected = this.#outputs.take(nextOffsetIn(this.#tasks))
    const changes: StoreChange[] = []
    for (const { table } of this.#tables.values()) changes.push(...table.takeChanges())
    for (const task of this.#tasks) changes.push(...task.takeIdChanges())
    const progress = this.#tasks.map((task) => task.progress())
    const { views } = this.counts

    const outputs = await this.#outputs.flush(rejected)
    const number = this.#checkpointNumber + 1
    const checkpoint: Checkpoint = {
      version: 1,
      plan: plan.hash,
      log: log.id,
      number,
      sources: progress,
      views,
      outputs,
    }
    changes.push([checkpointKey, encodeCheckpoint(checkpoint)])
    await store.write(changes)
    this.#checkpointNumber = number
    this.#checkpointAt = clock.elapsed()
    observer?.checkpoint((this.#checkpointAt - startedAt) / 1_000)
  }

  async #guard(work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (error) {
      this.#halt(error)
    }
  }

  #halt(error: unknown): void {
    this.#fault ??= error instanceof Error ? error : new Error(String(error))
    this.#stop.abort()
    this.#wake()
  }

  #throwIfStopped(): void {
    if (this.#fault !== null) {
      throw new MillraceError('ENGINE_STOPPED', { detail: messageOf(this.#fault) }, { cause: this.#fault })
    }
    if (this.#stop.signal.aborted) throw new MillraceError('ENGINE_STOPPED', { detail: 'it was closed' })
  }
}

type Restored = {
  readonly tables: ReadonlyMap<string, FoldTarget>
  readonly outputs: Outputs
  readonly checkpoint: Checkpoint | null
}

/** Where a source partition stands now. */
function nextOffsetIn(tasks: readonly SourceTask[]): NextOffsetOf {
  return ({ stream, topic, partition }) =>
    tasks.find((task) => task.stream.name === stream && task.stream.topic === topic && task.partition === partition)
      ?.next ?? null
}

/** A task per source partition, at its checkpointed offset, which the log must still hold. */
function openTasks({ plan, log, store }: EngineOptions, checkpoint: Checkpoint | null): SourceTask[] {
  return plan.streams.flatMap((stream) => {
    const topic = log.topics().find((one) => one.topic === stream.topic)
    assert(topic !== undefined, 'every source topic exists')
    return Array.from({ length: topic.partitions }, (_, partition) => {
      const progress =
        checkpoint?.sources.find((one) => one.stream === stream.name && one.partition === partition) ?? null
      const start = log.start(stream.topic, partition)
      const end = log.end(stream.topic, partition)
      const next = progress?.next ?? start
      if (next < start || next > end) {
        throw new MillraceError('LOG_OFFSET_OUT_OF_RANGE', { topic: stream.topic, partition, offset: next, start, end })
      }
      return new SourceTask({ stream, partition }, store, { next, progress })
    })
  })
}
