import { assert } from '../base/assert.ts'
import type { LogRecord } from '../log/log.ts'
import { isErased } from '../plan/erasure.ts'
import type { Forgotten } from '../plan/forgotten.ts'
import type { FirstRetained } from '../plan/coverage.ts'
import type { IdTable } from '../kernel/id-table.ts'
import { Intake, isPlain, type SourceKind } from '../plan/intake.ts'
import { OpenRejections } from '../plan/open-rejections.ts'
import type { StreamPlan, ViewPlan } from '../plan/plan.ts'
import { emptyBatchOf, type ViewBatch } from '../plan/view-batch.ts'
import type { OnlineStore, StoreChange } from '../store/online/online-store.ts'
import type { SourceProgress, VerdictCounts, ViewCounts } from './checkpoint.ts'
import type { EventFollower } from './event-follower.ts'
import type { FeatureEvents } from './feature-events.ts'
import type { Outputs } from './outputs.ts'
import { SeenIdSegments } from './seen-ids.ts'
import type { StateTable } from './state-table.ts'
import { rejectionsKey } from './store-keys.ts'

/** The states of a view, and what became of the events that came to it. */
export type ViewFold = {
  view: ViewPlan
  readonly table: StateTable
  readonly counts: ViewCounts
  /** Where its stream's own topic began when the view was begun; null: with its very first records. */
  first: FirstRetained | null
}

/** A source partition as it is read: how far, and what would become of a record now. */
export type SourceReading = {
  readonly topic: string
  readonly partition: number
  readonly next: number
  readonly intake: Pick<Intake, 'foresee' | 'accepted'>
}

export type SourcePlace = {
  readonly track: number
  readonly stream: StreamPlan
  /** Which of the stream's two topics it is. */
  readonly source: SourceKind
  readonly topic: string
  readonly partition: number
}

/** Where an accepted event goes, and where a rejected one. */
export type Targets = {
  readonly folds: readonly ViewFold[]
  readonly forgotten: Forgotten
  readonly outputs: Outputs
  /** Told of everything that finished values come of. */
  readonly features: FeatureEvents | null
  readonly follower?: EventFollower | undefined
}

/**
 * One source partition of one stream: gives verdicts in offset order and folds accepted events into views.
 * Synchronous: between two calls of `take`, everything it touches is at one prefix.
 */
export class SourceTask {
  /** Another one only of the same fingerprint: when the stream was renamed. */
  stream: StreamPlan
  readonly source: SourceKind
  readonly topic: string
  readonly partition: number
  /** Rejections from this offset on go to the output topics; null: none do. */
  emitFrom: number | null
  readonly #intake: Intake
  readonly #seen: IdTable
  readonly #ids: SeenIdSegments
  readonly #rejectionsKey: Uint8Array
  readonly #counts: VerdictCounts
  #next: number

  constructor(
    place: SourcePlace,
    store: OnlineStore,
    from: { next: number; emitFrom: number | null; progress: SourceProgress | null },
  ) {
    const { track, stream, source, topic, partition } = place
    this.stream = stream
    this.source = source
    this.topic = topic
    this.partition = partition
    this.emitFrom = from.emitFrom
    const ids = { track, topic: source === 'live' ? 0 : 1, partition }
    this.#ids = new SeenIdSegments(ids)
    this.#seen = this.#ids.restore(store, stream.idChunk)
    this.#rejectionsKey = rejectionsKey(ids)
    const open = store.get(this.#rejectionsKey)
    this.#intake = new Intake(stream, partition, {
      watermark: from.progress?.watermark ?? -1,
      seen: this.#seen,
      ...(open === undefined ? {} : { open: OpenRejections.decode(open) }),
      source,
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

  /** Of a partition of a history: whether its end mark was taken. */
  get complete(): boolean {
    return this.#intake.complete
  }

  /** What gives the verdicts, to foresee one. */
  get intake(): SourceReading['intake'] {
    return this.#intake
  }

  get counts(): Readonly<VerdictCounts> {
    return this.#counts
  }

  get newIdCount(): number {
    return this.#seen.untaken
  }

  /**
   * Takes records one after the other, as `take` does, but folds what is accepted at once for each view. Only what is
   * rare goes through `take` itself, and everything while each event is told of.
   */
  takeBatch(records: readonly LogRecord[], targets: Targets): void {
    const { folds, forgotten, features } = targets
    const isTold = features?.isActive === true || targets.follower?.follows(this.stream.name) === true
    const batches = folds.map(({ view }) => emptyBatchOf(view))
    const forgottenTo = isTold ? Number.POSITIVE_INFINITY : forgotten.reachOf(this.topic, this.partition)
    for (const record of records) {
      assert(record.offset >= this.#next, 'records come in offset order')
      if (record.offset < forgottenTo || !this.#addToBatches(record, folds, batches)) this.take(record, targets)
    }
    for (let index = 0; index < folds.length; index++) folds[index]!.table.applyBatch(batches[index]!.batch)
  }

  /**
   * Takes a record, as far as the batches of the views: false, nothing was done and it is left to `take`. A function of
   * its own for speed: a long loop is compiled anew each time that it is come to, a function once.
   */
  #addToBatches(record: LogRecord, folds: readonly ViewFold[], batches: readonly ViewBatch[]): boolean {
    const { value } = record
    const projected = value !== null && isPlain(record) ? this.stream.format.project(value, record.writer) : null
    const verdict = projected === null ? null : this.#intake.takeProjected(projected, record)
    if (projected === null || verdict === null) return false
    const counts = this.#counts
    this.#next = record.offset + 1
    counts.records += 1
    counts[verdict === 'accepted' ? 'accepted' : 'duplicate'] += 1
    if (verdict === 'conflict') counts.conflicts += 1
    if (verdict !== 'accepted') return true
    const ts = projected.values.numbers[this.stream.time]!
    for (let index = 0; index < batches.length; index++) {
      const batch = batches[index]!
      const tie = batch.keepsTies ? this.#intake.tieOf(projected, record) : 0
      folds[index]!.counts[batch.add(projected, ts, tie)] += 1
    }
    return true
  }

  take(record: LogRecord, { folds, forgotten, outputs, features, follower }: Targets): void {
    const { stream, topic, partition } = this
    const counts = this.#counts
    this.#next = record.offset + 1
    if (this.#intake.takeMark(record)) return
    const taken = this.#intake.take(record)
    counts.records += 1
    counts[taken.verdict] += 1
    const emits = this.emitFrom !== null && record.offset >= this.emitFrom
    // What happened before the hand-over point is no news: only what came of it is served.
    const telling = emits && this.source === 'live' && features?.isActive === true ? features : null
    const { timestampMs, offset } = record
    telling?.arrived({ stream: stream.name, topic, partition, timestampMs, watermark: this.#intake.watermark })
    switch (taken.verdict) {
      case 'accepted':
        for (let index = 0; index < folds.length; index++) {
          const { view, table, counts: own } = folds[index]!
          const projected = view.project(taken.event)
          if (projected.outcome !== 'applied') own[projected.outcome] += 1
          else if (
            isErased(view, taken.event) ||
            forgotten.covers(view.entity, projected.key, { topic, partition, offset })
          ) {
            own.forgotten += 1
          } else {
            own.applied += 1
            table.apply(projected.key, projected.event)
            const { key, event } = projected
            telling?.applied(view.fingerprint, { key, ts: event.ts }, { stream: stream.name, topic, partition, offset })
          }
        }
        if (emits && this.source === 'live' && follower?.follows(stream.name) === true) {
          follower.accepted(taken.event, { stream: stream.name, topic, partition, offset })
        }
        return
      case 'duplicate':
        if (taken.conflict) counts.conflicts += 1
        return
      case 'late':
      case 'refused':
        if (emits) outputs.add({ stream: stream.name, topic, partition, record, why: taken })
    }
  }

  /** Goes on to an offset before which nothing is left to take. */
  passGap(next: number): void {
    this.#next = Math.max(this.#next, next)
  }

  progress(): SourceProgress {
    return {
      topic: this.topic,
      partition: this.partition,
      next: this.#next,
      watermark: this.#intake.watermark,
      emitFrom: this.emitFrom,
      counts: { ...this.#counts },
    }
  }

  /** Changes to the remembered ids and to the open rejections since the last call. */
  takeIdChanges(): StoreChange[] {
    const changes = this.#ids.changes(this.#seen, this.#intake.forgetsBefore)
    const open = this.#intake.open.takeChange()
    if (open !== null) changes.push([this.#rejectionsKey, open])
    return changes
  }
}

function makeCounts(): VerdictCounts {
  return { records: 0, accepted: 0, duplicate: 0, late: 0, refused: 0, conflicts: 0 }
}
