import type { Clock } from '../../base/clock.ts'
import { partitionFor } from '../../base/murmur2.ts'
import type { IdTable } from '../../kernel/id-table.ts'
import type { Log, LogRecord, RecordInput } from '../../log/log.ts'
import { Intake, isPlain, type Taken } from '../../plan/intake.ts'
import { OpenRejections } from '../../plan/open-rejections.ts'
import type { ProjectedEvent } from '../../plan/event-format.ts'
import type { StreamPlan, ViewPlan } from '../../plan/plan.ts'
import { processedEventsTopic } from '../../plan/topics.ts'
import { emptyBatchOf } from '../../plan/view-batch.ts'
import type { OnlineStore, StoreChange } from '../../store/online/online-store.ts'
import type { VerdictCounts } from '../checkpoint.ts'
import type { NextOffsetOf, Outputs } from '../outputs.ts'
import { SeenIdSegments } from '../seen-ids.ts'
import type { SourceReading } from '../source-task.ts'
import { rejectionsKey } from '../store-keys.ts'
import { nameOfSource, processedEvent, processedMark } from './processed-record.ts'
import type { Task } from './task.ts'

export type IngestProgress = {
  readonly watermark: number
  readonly counts: VerdictCounts
  /** By the view's fingerprint: accepted events that are none of the view's. */
  readonly views: Readonly<Record<string, { readonly filtered: number; readonly unkeyed: number }>>
}

/** The partitions of an entity's topic as one source partition sees them. */
type Lanes = {
  readonly topic: string
  readonly views: readonly { readonly view: ViewPlan; readonly counts: { filtered: number; unkeyed: number } }[]
  readonly sent: number[]
  readonly waiting: RecordInput[][]
}

const idsMax = 50_000
const outputBytesMax = 16 * 1024 * 1024
const ids = { track: 0, topic: 0, partition: 0 }

/**
 * One source partition of one stream: gives verdicts in offset order, and sends each accepted event once to every
 * partition of `processed-events` that has a key of it. What it sends follows from the source partition alone: sent
 * again after a crash, or by two owners at once, it is recognised there by its source.
 */
export class IngestTask implements Task {
  readonly stream: StreamPlan
  readonly topic: string
  readonly partition: number
  readonly outputs: Outputs
  readonly #log: Log
  readonly #clock: Clock
  readonly #source: string
  readonly #intake: Intake
  readonly #seen: IdTable
  readonly #ids = new SeenIdSegments(ids)
  readonly #counts: VerdictCounts
  readonly #lanes: readonly Lanes[]
  #next: number

  constructor(
    place: {
      readonly stream: StreamPlan
      readonly partition: number
      readonly log: Log
      readonly clock: Clock
      readonly store: OnlineStore
      readonly outputs: Outputs
    },
    from: { readonly next: number; readonly progress: IngestProgress | null },
  ) {
    const { stream, partition, log, clock, store, outputs } = place
    const { next, progress } = from
    this.stream = stream
    this.topic = stream.topic
    this.partition = partition
    this.outputs = outputs
    this.#log = log
    this.#clock = clock
    this.#source = nameOfSource({ stream: stream.name, topic: stream.topic, partition })
    this.#seen = this.#ids.restore(store)
    const open = store.get(rejectionsKey(ids))
    this.#intake = new Intake(stream, partition, {
      watermark: progress?.watermark ?? -1,
      seen: this.#seen,
      ...(open === undefined ? {} : { open: OpenRejections.decode(open) }),
    })
    this.#counts = { ...(progress?.counts ?? noCounts) }
    this.#lanes = [...Map.groupBy(stream.views, ({ entity }) => entity)].map(([entity, views]) => {
      const topic = processedEventsTopic(entity)
      const { partitions } = log.topics().find((one) => one.topic === topic)!
      return {
        topic,
        views: views.map((view) => ({
          view,
          counts: { filtered: 0, unkeyed: 0, ...progress?.views[view.fingerprint] },
        })),
        // A checkpoint comes after a mark: all that belongs anywhere was sent by then.
        sent: Array.from({ length: partitions }, () => (progress === null ? 0 : next)),
        waiting: Array.from({ length: partitions }, () => []),
      }
    })
    this.#next = next
  }

  get next(): number {
    return this.#next
  }

  get watermark(): number {
    return this.#intake.watermark
  }

  get intake(): SourceReading['intake'] {
    return this.#intake
  }

  get counts(): Readonly<VerdictCounts> {
    return this.#counts
  }

  /** Accepted events that are none of a view's. */
  countsOf({ fingerprint }: ViewPlan): { readonly filtered: number; readonly unkeyed: number } | null {
    for (const { views } of this.#lanes) {
      for (const { view, counts } of views) if (view.fingerprint === fingerprint) return counts
    }
    return null
  }

  get fullness(): number {
    return Math.max(this.#seen.untaken / idsMax, this.outputs.pendingBytes / outputBytesMax)
  }

  take(records: readonly LogRecord[]): void {
    for (const record of records) this.#take(record)
  }

  passGap(next: number): void {
    this.#next = Math.max(this.#next, next)
  }

  #take(record: LogRecord): void {
    const { format } = this.stream
    const counts = this.#counts
    this.#next = record.offset + 1
    counts.records += 1
    const projected = record.value !== null && isPlain(record) ? format.project(record.value, record.writer) : null
    if (projected !== null) {
      const verdict = this.#intake.takeProjected(projected, record)
      if (verdict === 'accepted') {
        counts.accepted += 1
        for (const lanes of this.#lanes) this.#sendProjected(lanes, projected, record)
        return
      }
      if (verdict !== null) {
        counts.duplicate += 1
        if (verdict === 'conflict') counts.conflicts += 1
        return
      }
    }
    this.#takeSlowly(record, this.#intake.take(record))
  }

  #takeSlowly(record: LogRecord, taken: Taken): void {
    this.#counts[taken.verdict] += 1
    switch (taken.verdict) {
      case 'accepted':
        for (const lanes of this.#lanes) {
          for (const { view, counts } of lanes.views) {
            const projected = view.project(taken.event)
            if (projected.outcome === 'applied') this.#sendTo(lanes, projected.key, record)
            else counts[projected.outcome] += 1
          }
        }
        return
      case 'duplicate':
        if (taken.conflict) this.#counts.conflicts += 1
        return
      case 'late':
      case 'refused': {
        const { stream, topic, partition } = this
        this.outputs.add({ stream: stream.name, topic, partition, record, why: taken })
      }
    }
  }

  #sendProjected(lanes: Lanes, projected: ProjectedEvent, record: LogRecord): void {
    for (const { view, counts } of lanes.views) {
      const batch = emptyBatchOf(view)
      const outcome = batch.add(projected, 0, 0)
      if (outcome === 'applied') this.#sendTo(lanes, batch.lastKey, record)
      else counts[outcome] += 1
    }
  }

  /** Once per partition, whichever views have a key there. */
  #sendTo({ sent, waiting }: Lanes, key: Uint8Array, record: LogRecord): void {
    const partition = partitionFor(key, sent.length)
    const since = sent[partition]!
    if (since > record.offset) return
    sent[partition] = record.offset + 1
    waiting[partition]!.push(processedEvent(record, { source: this.#source, since, key: Uint8Array.from(key) }))
  }

  get isUnmarked(): boolean {
    return this.#lanes.some(({ sent }) => sent.some((offset) => offset < this.#next))
  }

  mark(): void {
    const [offset, watermark, timestampMs] = [this.#next, this.watermark, this.#clock.now()]
    for (const { sent, waiting } of this.#lanes) {
      for (const [partition, since] of sent.entries()) {
        if (since >= offset) continue
        waiting[partition]!.push(processedMark(this.#source, { offset, since, watermark, timestampMs }))
        sent[partition] = offset
      }
    }
  }

  async send(): Promise<void> {
    const appends: Promise<unknown>[] = []
    for (const { topic, waiting } of this.#lanes) {
      for (let partition = 0; partition < waiting.length; partition++) {
        const records = waiting[partition]!
        if (records.length === 0) continue
        waiting[partition] = []
        appends.push(this.#log.append(topic, partition, records))
      }
    }
    const results = await Promise.allSettled(appends)
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }

  readonly nextOffsetOf: NextOffsetOf = ({ stream, topic, partition }) =>
    stream === this.stream.name && topic === this.topic && partition === this.partition ? this.#next : null

  takeChanges(): StoreChange[] {
    const changes = this.#ids.changes(this.#seen, this.#intake.forgetsBefore)
    const open = this.#intake.open.takeChange()
    if (open !== null) changes.push([rejectionsKey(ids), open])
    return changes
  }

  progress(): IngestProgress {
    const views = this.#lanes.flatMap(({ views }) => views)
    return {
      watermark: this.watermark,
      counts: { ...this.#counts },
      views: Object.fromEntries(views.map(({ view, counts }) => [view.fingerprint, { ...counts }])),
    }
  }

  evict(): void {}
}

const noCounts: VerdictCounts = { records: 0, accepted: 0, duplicate: 0, late: 0, refused: 0, conflicts: 0 }
