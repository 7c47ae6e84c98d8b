import { assert } from '../../base/assert.ts'
import { MillraceError } from '../../base/faults.ts'
import { partitionFor } from '../../base/murmur2.ts'
import type { KeyState } from '../../kernel/key-state.ts'
import { coveredFrom } from '../../plan/coverage.ts'
import type { ForgottenEntity } from '../../plan/forgotten.ts'
import type { Plan, StreamPlan, ViewPlan } from '../../plan/plan.ts'
import { processedEventsTopic } from '../../plan/topics.ts'
import { instantMsEnd } from '../../schema/instant.ts'
import type { VerdictCounts } from '../checkpoint.ts'
import { partitionHalted } from '../engine-faults.ts'
import type { Building, EngineCounts, EngineOptions, HaltedPartition } from '../engine-types.ts'
import type { SourceReading } from '../source-task.ts'
import { createClusterTopics, entitiesOf, partitionsOf, unsupported } from './cluster-topics.ts'
import type { FoldTask } from './fold-task.ts'
import type { IngestTask } from './ingest-task.ts'
import { openFold, openFollower, openIngest, type TaskParts } from './open-task.ts'
import { nameOfSource } from './processed-record.ts'
import type { RunnerOptions } from './task-runner.ts'
import { type OpenTask, TaskSlot } from './task-slot.ts'

export type ClusterEngineOptions = Omit<EngineOptions, 'planOf'> & {
  /** Partitions of `processed-events` topics that do not exist yet. */
  readonly processedPartitions: number
  /** Gives a name that nobody else ever has. */
  readonly makeId: () => string
  /** Of one append of a checkpoint, about. Default: 2 MiB. */
  readonly appendBytesMax?: number
}

/** A partition of a source topic, to be judged here; or of `processed-events`, to be folded here. */
export type ClusterPartition = { readonly topic: string; readonly partition: number }

/** Decides what this process has, by `assign` and `revoke`. */
export type Membership = {
  /** Lets everything go. */
  leave(): Promise<void>
  /** Resolves when nothing is assigned any more; with what ended it, when nobody asked for that. */
  readonly ended: Promise<Error | null>
}

type FoldSlots = { readonly topic: string; readonly streams: readonly StreamPlan[]; readonly slots: FoldSlot[] }
type FoldSlot = { owned: TaskSlot<FoldTask> | null; followed: TaskSlot<FoldTask> | null }

/**
 * The part of a cluster that runs in this process: tasks for the partitions that it is given, and reads of the states
 * that they hold. Who owns what is decided elsewhere; two owners of one partition at once do no harm (`Changelog`).
 *
 * Source partition → `IngestTask` → `processed-events.<entity>` → `FoldTask` → `feature-state.<entity>`.
 */
export class ClusterEngine {
  readonly #options: ClusterEngineOptions
  readonly #entities: ReadonlyMap<string, FoldSlots>
  readonly #ingests = new Map<string, TaskSlot<IngestTask>>()
  /** Tasks that were given up and still write their last checkpoint, by name. */
  readonly #ending = new Map<string, Promise<void>>()
  readonly #stop = new AbortController()
  #checkpointAt: number
  #membership: Membership | null = null
  #fault: Error | null = null
  #closing: Promise<void> | null = null

  private constructor(options: ClusterEngineOptions) {
    this.#options = options
    this.#checkpointAt = options.clock.elapsed()
    this.#entities = new Map(
      [...entitiesOf(options.plan)].map(([entity, streams]) => {
        const topic = processedEventsTopic(entity)
        const count = partitionsOf(options.log, topic)
        const slots = Array.from({ length: count }, (): FoldSlot => ({ owned: null, followed: null }))
        return [entity, { topic, streams, slots }] as const
      }),
    )
  }

  /** Creates what the plan needs. Runs nothing yet. Throws `CLUSTER_UNSUPPORTED`. */
  static async open(options: ClusterEngineOptions): Promise<ClusterEngine> {
    await createClusterTopics(options.plan, options)
    return new ClusterEngine(options)
  }

  get plan(): Plan {
    return this.#options.plan
  }

  /** The topics whose partitions are shared by the processes of a cluster: of streams, and of accepted events. */
  get topics(): { readonly ingest: readonly string[]; readonly compute: readonly string[] } {
    const ingest = [...new Set(this.plan.streams.map(({ topic }) => topic))]
    return { ingest, compute: [...this.#entities.values()].map(({ topic }) => topic) }
  }

  /** These are to be run here from now on. Resolves at once: each is restored first. */
  assign(partitions: readonly ClusterPartition[]): void {
    this.#throwIfClosed()
    for (const { topic, partition } of partitions) {
      for (const stream of this.plan.streams.filter((one) => one.topic === topic)) {
        const name = nameOfSource({ stream: stream.name, topic, partition })
        if (this.#ingests.has(name)) continue
        this.#ingests.set(
          name,
          this.#run(name, { topic, partition }, () => openIngest(this.#parts, stream, partition)),
        )
      }
      const found = this.#slotOf({ topic, partition })
      if (found === null || found.slot.owned !== null) continue
      found.slot.owned = this.#run(`${topic}/${partition}`, { topic, partition }, () =>
        openFold(this.#parts, found.entity, partition),
      )
    }
  }

  /** These are others' from now on. Resolves when nothing is done for them here any more. */
  async revoke(partitions: readonly ClusterPartition[]): Promise<void> {
    const closing: Promise<void>[] = []
    for (const { topic, partition } of partitions) {
      for (const stream of this.plan.streams.filter((one) => one.topic === topic)) {
        const name = nameOfSource({ stream: stream.name, topic, partition })
        const slot = this.#ingests.get(name)
        this.#ingests.delete(name)
        if (slot !== undefined) closing.push(this.#end(name, slot))
      }
      const found = this.#slotOf({ topic, partition })
      if (found === null || found.slot.owned === null) continue
      closing.push(this.#end(`${topic}/${partition}`, found.slot.owned))
      found.slot.owned = null
    }
    await Promise.all(closing)
  }

  /** What was given to this process and is running. */
  get owned(): readonly ClusterPartition[] {
    const slots = [...this.#ingests.values(), ...this.#slots().flatMap(({ owned }) => owned ?? [])]
    return slots.flatMap(({ topic, partition, task }) => (task === null ? [] : [{ topic, partition }]))
  }

  /** States of these partitions of `processed-events` are kept here to be read, whoever owns them. */
  follow(partitions: readonly ClusterPartition[]): void {
    this.#throwIfClosed()
    for (const { topic, partition } of partitions) {
      const found = this.#slotOf({ topic, partition })
      if (found === null || found.slot.followed !== null) continue
      found.slot.followed = this.#run(`follow ${topic}/${partition}`, { topic, partition }, () =>
        openFollower(this.#parts, found.entity, partition),
      )
    }
  }

  /** From now on it is a member of a group, which it leaves when it is closed. */
  join(membership: Membership): void {
    assert(this.#membership === null, 'an engine joins one group')
    this.#membership = membership
    void membership.ended.then((fault) => {
      this.#fault = fault
    })
  }

  /** Why nothing is assigned to it any more. What else goes wrong stops a task. */
  get fault(): Error | null {
    return this.#fault
  }

  get building(): Building | null {
    return null
  }

  /** Partitions that stopped here; and sources of which something is missing, without which the others go on. */
  get halted(): readonly HaltedPartition[] {
    const missing = this.#folds().flatMap(({ topic, partition, task }) =>
      [...(task?.sources ?? [])].flatMap(({ stream, missingTo: to, next, ...source }): HaltedPartition[] => {
        if (to === null) return []
        const name = nameOfSource({ stream: stream.name, ...source })
        const fault = new MillraceError('EVENTS_MISSING', { source: name, to, next, topic, partition })
        return [{ topic, partition, fault }]
      }),
    )
    return [...this.#stopped(), ...missing]
  }

  /** What keeps tasks from running at the moment, and passes. */
  get troubles(): readonly HaltedPartition[] {
    return [...this.#ingests.values(), ...this.#folds()].flatMap(({ topic, partition, fault, halted }) =>
      fault === null || halted ? [] : [{ topic, partition, fault }],
    )
  }

  /** Of what runs here: verdicts of the source partitions, and events of the views. Over all processes they reconcile. */
  get counts(): EngineCounts {
    const ingests = [...this.#ingests.values()].flatMap(({ task }) => task ?? [])
    const sources = ingests.map((task) => {
      const { stream, topic, partition, next, watermark, counts } = task
      return { stream: stream.name, topic, partition, next, watermark, ...(counts as VerdictCounts) }
    })
    const owned = this.#slots().flatMap(({ owned: slot }) => slot?.task ?? [])
    const views = this.plan.views.map((view) => {
      const sum = { applied: 0, filtered: 0, unkeyed: 0, forgotten: 0, before: 0 }
      for (const task of owned) {
        const { applied = 0, forgotten = 0 } = task.view(view)?.counts ?? {}
        sum.applied += applied
        sum.forgotten += forgotten
      }
      for (const task of ingests) {
        const { filtered = 0, unkeyed = 0 } = task.countsOf(view) ?? {}
        sum.filtered += filtered
        sum.unkeyed += unkeyed
      }
      return [view.name, sum] as const
    })
    return { sources, views: Object.fromEntries(views) }
  }

  get checkpointAgeSeconds(): number {
    return (this.#options.clock.elapsed() - this.#checkpointAt) / 1_000
  }

  /** The live state of a key. Throws `KEY_ELSEWHERE` and `STATE_RESTORING`. */
  state(view: ViewPlan, key: Uint8Array): KeyState | null {
    const { topic, slots } = this.#entities.get(view.entity)!
    const partition = partitionFor(key, slots.length)
    const { owned, followed } = slots[partition]!
    const task = owned?.task ?? followed?.task
    if (task !== null && task !== undefined) return task.view(view)!.table.read(key)
    const slot = owned ?? followed
    if (slot === null) {
      const here = slots.flatMap((one, index) => ((one.owned ?? one.followed) === null ? [] : [index]))
      const details = { entity: view.entity, topic, partition, here: here.join(', ') || 'none' }
      throw new MillraceError('KEY_ELSEWHERE', details)
    }
    if (slot.halted) throw partitionHalted({ topic, partition, fault: slot.fault! })
    throw new MillraceError('STATE_RESTORING', { topic, partition })
  }

  keeps({ fingerprint }: ViewPlan): boolean {
    return this.plan.views.some((view) => view.fingerprint === fingerprint)
  }

  inMemory(view: ViewPlan): { readonly cachedCount: number; readonly bytes: number } | null {
    const sum = { cachedCount: 0, bytes: 0 }
    for (const { task } of this.#folds()) {
      const table = task?.view(view)?.table
      sum.cachedCount += table?.cachedCount ?? 0
      sum.bytes += table?.bytes ?? 0
    }
    return sum
  }

  /** Next offset per partition of a stream: what everything that is here has seen at least. */
  prefix(stream: string): number[] {
    const { topic } = this.plan.streams.find(({ name }) => name === stream)!
    const offsets = Array.from({ length: partitionsOf(this.#options.log, topic) }, () => Number.POSITIVE_INFINITY)
    for (const { task } of this.#folds()) {
      for (const source of task?.sources ?? []) {
        if (source.stream.name !== stream) continue
        offsets[source.partition] = Math.min(offsets[source.partition]!, source.next)
      }
    }
    return offsets.map((offset) => (Number.isFinite(offset) ? offset : 0))
  }

  historyPrefix(_stream: string): null {
    return null
  }

  /** First instant from which on the states of a view know every event. */
  coveredFrom(view: ViewPlan): number {
    const stream = this.plan.streams.find(({ name }) => name === view.stream)!
    const tasks = this.#folds().flatMap(({ task }) => (task?.view(view) ? [task] : []))
    if (tasks.length === 0) return instantMsEnd
    const firsts = tasks.map((task) => task.firstRetained(view))
    return Math.max(...firsts.map((live) => coveredFrom(stream, { live, historyComplete: false })))
  }

  /** The source partitions of a stream that are judged here. */
  sources(stream: string): readonly SourceReading[] {
    return [...this.#ingests.values()].flatMap(({ task }) => (task?.stream.name === stream ? [task] : []))
  }

  /**
   * Resolves once every event that is durable now is in the states that are here, whoever judges it. Rejects when that
   * cannot come about any more.
   */
  async caughtUp(): Promise<void> {
    const { log, clock } = this.#options
    for (const topic of this.topics.ingest) await log.refresh(topic)
    const ends = this.plan.streams.flatMap(({ topic, name }) =>
      Array.from({ length: partitionsOf(log, topic) }, (_, partition) => {
        return { name, partition, end: log.end(topic, partition) }
      }),
    )
    const isThere = (task: FoldTask | IngestTask | null): boolean => {
      if (task === null) return false
      if ('intake' in task) {
        const { partition, stream } = task
        return ends.every((one) => one.name !== stream.name || one.partition !== partition || task.next >= one.end)
      }
      return [...task.sources].every(({ stream, partition, next }) =>
        ends.every((one) => one.name !== stream.name || one.partition !== partition || next >= one.end),
      )
    }
    for (;;) {
      this.#throwIfClosed()
      const [halted] = this.#stopped()
      if (halted !== undefined) throw partitionHalted(halted)
      const tasks = [...this.#folds(), ...this.#ingests.values()].map(({ task }) => task)
      if (tasks.every(isThere)) return
      await clock.sleep(waitMs, this.#stop.signal)
    }
  }

  /** Makes everything folded so far durable. */
  async checkpoint(): Promise<void> {
    await Promise.all([...this.#ingests.values(), ...this.#folds()].map((slot) => slot.checkpoint()))
  }

  async apply(plan: Plan): Promise<void> {
    if (plan.hash === this.plan.hash) return
    throw await Promise.resolve(unsupported('other definitions while it runs', applyInstead))
  }

  async settled(): Promise<void> {}

  async forget(_entity: string, _key: Uint8Array): Promise<ForgottenEntity> {
    const instead = 'Stop the cluster, and forget in one process that has everything.'
    throw await Promise.resolve(unsupported('forgetting an entity', instead))
  }

  /** Stops everything, with a last checkpoint each, and leaves log and store open. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#stop.abort()
    await this.#membership?.leave()
    // What is sent first is folded first: then little is left to be done again.
    await Promise.all([...this.#ingests.values()].map((slot) => slot.close()))
    await Promise.all(this.#folds().map((slot) => slot.close()))
  }

  get #parts(): TaskParts {
    return { ...this.#options, entities: this.#entities }
  }

  async #end(name: string, slot: { close(): Promise<void> }): Promise<void> {
    const closed = slot.close()
    this.#ending.set(name, closed)
    await closed
    if (this.#ending.get(name) === closed) this.#ending.delete(name)
  }

  #run<T extends IngestTask | FoldTask>(name: string, place: ClusterPartition, open: OpenTask<T>): TaskSlot<T> {
    const { log, clock, checkpointMs, observer } = this.#options
    const options: RunnerOptions = {
      log,
      clock,
      checkpointMs,
      onCheckpoint: (seconds) => {
        this.#checkpointAt = clock.elapsed()
        observer?.checkpoint?.(seconds)
      },
      onTaken: (task, records, newestMs) => {
        if (!('intake' in task)) return
        observer?.batch?.((task as IngestTask).stream.name, { records, latencyMs: clock.now() - newestMs })
      },
    }
    const onHalt = (slot: TaskSlot<T>, fault: Error): void => {
      observer?.halt?.({ topic: slot.topic, partition: slot.partition, fault })
    }
    // One that comes back begins when it has ended: both have the same part of the store.
    const openAfter: OpenTask<T> = async () => {
      await this.#ending.get(name)
      return await open()
    }
    return new TaskSlot<T>(place, openAfter, { ...options, onHalt })
  }

  #slotOf({ topic, partition }: ClusterPartition): { readonly entity: string; readonly slot: FoldSlot } | null {
    for (const [entity, { topic: own, slots }] of this.#entities) {
      if (own !== topic) continue
      const slot = slots[partition]
      assert(slot !== undefined, 'a partition that is given exists')
      return { entity, slot }
    }
    return null
  }

  /** Of tasks that only a restart tries again. */
  #stopped(): readonly HaltedPartition[] {
    return [...this.#ingests.values(), ...this.#folds()].flatMap(({ topic, partition, fault, halted }) =>
      halted ? [{ topic, partition, fault: fault! }] : [],
    )
  }

  #slots(): readonly FoldSlot[] {
    return [...this.#entities.values()].flatMap(({ slots }) => slots)
  }

  #folds(): readonly TaskSlot<FoldTask>[] {
    return this.#slots().flatMap(({ owned, followed }) => [owned ?? [], followed ?? []].flat())
  }

  #throwIfClosed(): void {
    if (this.#closing !== null) throw new MillraceError('ENGINE_STOPPED', { detail: 'it was closed' })
  }
}

const waitMs = 2
const applyInstead =
  'Stop all processes, apply the definitions, and start them again: streams and views that stay as they are go on, others need a namespace of their own.'
