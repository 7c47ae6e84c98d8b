import type { LogRecord } from '../log/log.ts'
import { Intake, type RememberedId } from '../plan/intake.ts'
import type { StreamPlan } from '../plan/plan.ts'
import type { OnlineStore, StoreChange } from '../store/online/online-store.ts'
import type { SourceProgress, VerdictCounts, ViewCounts } from './checkpoint.ts'
import type { Outputs } from './outputs.ts'
import { SeenIdSegments } from './seen-ids.ts'
import type { StateTable } from './state-table.ts'

export type FoldTarget = { readonly table: StateTable; readonly counts: ViewCounts }

/**
 * One source partition of one stream: gives verdicts in offset order and folds accepted events into every view of
 * the stream. Synchronous: between two calls of `take`, everything it touches is at one prefix.
 */
export class SourceTask {
  readonly stream: StreamPlan
  readonly partition: number
  readonly #intake: Intake
  readonly #ids: SeenIdSegments
  readonly #counts: VerdictCounts
  #newIds: RememberedId[] = []
  #next: number

  constructor(
    place: { stream: StreamPlan; partition: number },
    store: OnlineStore,
    from: { next: number; progress: SourceProgress | null },
  ) {
    this.stream = place.stream
    this.partition = place.partition
    this.#ids = new SeenIdSegments({ stream: place.stream.name, partition: place.partition })
    this.#intake = new Intake(place.stream, place.partition, {
      watermark: from.progress?.watermark ?? -1,
      seen: this.#ids.restore(store),
    })
    this.#counts = from.progress === null ? makeCounts() : { ...from.progress.counts }
    this.#next = from.next
  }

  /** Offset of the next record to take. */
  get next(): number {
    return this.#next
  }

  get watermark(): number {
    return this.#intake.watermark
  }

  get counts(): Readonly<VerdictCounts> {
    return this.#counts
  }

  get newIdCount(): number {
    return this.#newIds.length
  }

  take(record: LogRecord, targets: readonly FoldTarget[], outputs: Outputs): void {
    const { stream, partition } = this
    const counts = this.#counts
    const taken = this.#intake.take(record)
    this.#next = record.offset + 1
    counts.records += 1
    counts[taken.verdict] += 1
    switch (taken.verdict) {
      case 'accepted':
        if (this.#intake.remembered !== null) this.#newIds.push(this.#intake.remembered)
        for (let index = 0; index < targets.length; index++) {
          const target = targets[index]!
          const projected = stream.views[index]!.project(taken.event)
          target.counts[projected.outcome] += 1
          if (projected.outcome === 'applied') target.table.apply(projected.key, projected.event)
        }
        return
      case 'duplicate':
        if (taken.conflict) counts.conflicts += 1
        return
      case 'late':
        outputs.add({ stream: stream.name, topic: stream.topic, partition, record, why: taken })
        return
      case 'refused':
        outputs.add({ stream: stream.name, topic: stream.topic, partition, record, why: taken })
    }
  }

  progress(): SourceProgress {
    return {
      stream: this.stream.name,
      partition: this.partition,
      next: this.#next,
      watermark: this.#intake.watermark,
      counts: { ...this.#counts },
    }
  }

  /** Changes to the remembered ids since the last call. */
  takeIdChanges(): StoreChange[] {
    const changes = this.#ids.changes(this.#newIds, this.#intake.watermark - this.stream.rules.dedupeMs)
    this.#newIds = []
    return changes
  }
}

function makeCounts(): VerdictCounts {
  return { records: 0, accepted: 0, duplicate: 0, late: 0, refused: 0, conflicts: 0 }
}
