import { partitionFor } from '../../base/murmur2.ts'
import type { LogRecord } from '../../log/log.ts'
import type { FirstRetained } from '../../plan/coverage.ts'
import { isErased, readErasure } from '../../plan/erasure.ts'
import { coordinateTie, inspect, isPlain } from '../../plan/intake.ts'
import type { AcceptedEvent, StreamPlan, ViewPlan } from '../../plan/plan.ts'
import { emptyBatchOf, type ViewBatch } from '../../plan/view-batch.ts'
import type { OnlineStore, StoreChange } from '../../store/online/online-store.ts'
import { MillraceError } from '../../base/faults.ts'
import type { FeatureEvents } from '../feature-events.ts'
import type { NextOffsetOf, Outputs } from '../outputs.ts'
import { StateTable, type TableLimits } from '../state-table.ts'
import { nameOfSource, ProcessedReader, type ProcessedRecord } from './processed-record.ts'
import type { Task } from './task.ts'

export type FoldProgress = {
  /** By source, as `nameOfSource` gives it. */
  readonly sources: Readonly<Record<string, { readonly next: number; readonly watermark: number }>>
  /** By the view's fingerprint. */
  readonly views: Readonly<Record<string, { readonly applied: number; readonly forgotten: number }>>
  /** By the view's fingerprint: where its stream's topic began when the view was begun, if not with its first records. */
  readonly cutOff: Readonly<Record<string, FirstRetained>>
}

/** A source partition as far as its events are here. */
type FoldSource = {
  readonly stream: StreamPlan
  readonly topic: string
  readonly partition: number
  readonly views: readonly FoldView[]
  /** Every event before it that belongs here was folded. */
  next: number
  watermark: number
  /** Something before it is missing; what comes meanwhile is left out, until it was sent again. Null: nothing is. */
  missingTo: number | null
}

type FoldView = {
  readonly view: ViewPlan
  readonly table: StateTable
  readonly counts: { applied: number; forgotten: number }
  /** Whether an event may name several keys of the entity, of which some lie elsewhere. */
  readonly isPicky: boolean
  /** Of the records that are being taken. */
  batch: ViewBatch
}

const statesMax = 50_000
const outputBytesMax = 16 * 1024 * 1024

/**
 * One partition of `processed-events`: folds the events in it into the states of an entity's views. A deterministic
 * function of that partition, whoever reads it: what was sent twice is dropped by its source and offset, and what
 * comes while something before it is missing is left out, so that it has to be sent again in order.
 */
export class FoldTask implements Task {
  readonly topic: string
  readonly partition: number
  readonly outputs: Outputs
  /** Told of everything that finished values come of. Set once the states are there that it reads. */
  features: FeatureEvents | null = null
  readonly #reader: ProcessedReader
  readonly #partitions: number
  readonly #sources: ReadonlyMap<string, FoldSource>
  readonly #views: readonly FoldView[]
  readonly #cutOff: FoldProgress['cutOff']
  #next: number

  constructor(
    place: {
      readonly topic: string
      readonly partition: number
      readonly partitions: number
      /** Those with views of the entity, and how many partitions their topics have. */
      readonly streams: readonly { readonly stream: StreamPlan; readonly partitions: number }[]
      readonly entity: string
      readonly store: OnlineStore
      readonly limits: TableLimits
      readonly outputs: Outputs
    },
    from: { readonly next: number; readonly progress: FoldProgress | null; readonly cutOff: FoldProgress['cutOff'] },
  ) {
    const { topic, partition, partitions, streams, entity, store, limits, outputs } = place
    this.topic = topic
    this.partition = partition
    this.outputs = outputs
    this.#reader = new ProcessedReader(topic)
    this.#partitions = partitions
    this.#next = from.next
    this.#cutOff = from.progress?.cutOff ?? from.cutOff
    const sources: [string, FoldSource][] = []
    const views = new Map<string, FoldView>()
    for (const { stream, partitions: count } of streams) {
      const own = stream.views.filter((view) => view.entity === entity)
      const isPicky = new Set(own.map(({ projection }) => projection.keys.join())).size > 1
      for (const view of own) {
        const { fingerprint } = view
        if (views.has(fingerprint)) continue
        const counts = { applied: 0, forgotten: 0, ...from.progress?.views[fingerprint] }
        views.set(fingerprint, {
          view,
          table: new StateTable(view, store, limits),
          counts,
          isPicky,
          batch: emptyBatchOf(view),
        })
      }
      const folded = [...new Set(own.map(({ fingerprint }) => fingerprint))].map((name) => views.get(name)!)
      for (let number = 0; number < count; number++) {
        const source = nameOfSource({ stream: stream.name, topic: stream.topic, partition: number })
        const known = from.progress?.sources[source] ?? { next: 0, watermark: -1 }
        sources.push([
          source,
          { stream, topic: stream.topic, partition: number, views: folded, missingTo: null, ...known },
        ])
      }
    }
    this.#sources = new Map(sources)
    this.#views = [...views.values()]
  }

  get next(): number {
    return this.#next
  }

  get sources(): Iterable<Readonly<Omit<FoldSource, 'views'>>> {
    return this.#sources.values()
  }

  view({ fingerprint }: ViewPlan): FoldView | null {
    return this.#views.find(({ view }) => view.fingerprint === fingerprint) ?? null
  }

  firstRetained({ fingerprint }: ViewPlan): FirstRetained | null {
    return this.#cutOff[fingerprint] ?? null
  }

  get fullness(): number {
    let states = 0
    for (const { table } of this.#views) states += table.dirtyCount
    return Math.max(states / statesMax, this.outputs.pendingBytes / outputBytesMax)
  }

  take(records: readonly LogRecord[]): void {
    for (const fold of this.#views) fold.batch = emptyBatchOf(fold.view)
    for (const record of records) {
      const processed = this.#reader.read(record)
      const source = this.#sources.get(processed.source)
      if (source === undefined) {
        const { topic, partition } = this
        const details = { topic, partition, offset: record.offset, source: processed.source }
        throw new MillraceError('PROCESSED_SOURCE_UNKNOWN', details)
      }
      this.#next = record.offset + 1
      if (!passes(source, processed)) continue
      if (processed.watermark !== null) source.watermark = processed.watermark
      else this.#fold(source, record, processed.offset)
    }
    for (const { table, batch } of this.#views) table.applyBatch(batch.batch)
  }

  passGap(next: number): void {
    this.#next = Math.max(this.#next, next)
  }

  #fold(source: FoldSource, record: LogRecord, offset: number): void {
    const { stream, partition } = source
    const isUsual = record.value !== null && isPlain(record) && this.features?.isActive !== true
    const projected = isUsual ? stream.format.project(record.value, record.writer) : null
    if (projected === null) return this.#foldSlowly(source, record, offset)
    const ts = projected.values.numbers[stream.time]!
    if (ts > source.watermark) source.watermark = ts
    for (const { batch, counts, isPicky } of source.views) {
      const tie = !batch.keepsTies
        ? 0
        : stream.id === null
          ? coordinateTie('live', partition, offset)
          : (projected.value(stream.id) as string | number)
      if (batch.add(projected, ts, tie) !== 'applied') continue
      if (isPicky && partitionFor(batch.lastKey, this.#partitions) !== this.partition) batch.dropLast()
      else counts.applied += 1
    }
  }

  #foldSlowly(source: FoldSource, record: LogRecord, offset: number): void {
    const { stream, topic, partition } = source
    const event = acceptedEvent(stream, record, { topic: this.topic, partition, offset })
    if (event.ts > source.watermark) source.watermark = event.ts
    const telling = this.features?.isActive === true ? this.features : null
    for (const { view, table, counts } of source.views) {
      const projected = view.project(event)
      if (projected.outcome !== 'applied') continue
      if (partitionFor(projected.key, this.#partitions) !== this.partition) continue
      if (isErased(view, event)) {
        counts.forgotten += 1
        continue
      }
      counts.applied += 1
      table.apply(projected.key, projected.event)
      const applied = { key: projected.key, ts: event.ts }
      telling?.applied(view.fingerprint, applied, { stream: stream.name, topic, partition, offset })
    }
  }

  get isUnmarked(): boolean {
    return false
  }

  mark(): void {}

  async send(): Promise<void> {}

  readonly nextOffsetOf: NextOffsetOf = (source) => this.#sources.get(nameOfSource(source))?.next ?? null

  takeChanges(): StoreChange[] {
    const changes = this.features?.takeChanges() ?? []
    for (const { table } of this.#views) changes.push(...table.takeChanges())
    return changes
  }

  progress(): FoldProgress {
    const sources = [...this.#sources].map(([name, { next, watermark }]) => [name, { next, watermark }] as const)
    const views = this.#views.map(({ view, counts }) => [view.fingerprint, { ...counts }] as const)
    return { sources: Object.fromEntries(sources), views: Object.fromEntries(views), cutOff: this.#cutOff }
  }

  evict(): void {
    for (const { table } of this.#views) table.evict()
  }
}

/** Whether a record is the next of its source here. Not one that was here before, nor one behind something missing. */
function passes(source: FoldSource, { offset, since, watermark }: ProcessedRecord): boolean {
  const end = watermark === null ? offset + 1 : offset
  if (end <= source.next) return false
  if (since > source.next) {
    source.missingTo = Math.max(since, source.missingTo ?? 0)
    return false
  }
  source.next = end
  if (source.missingTo !== null && source.next >= source.missingTo) source.missingTo = null
  return true
}

/** An event that was accepted before it came here. */
function acceptedEvent(
  stream: StreamPlan,
  record: LogRecord,
  { topic, partition, offset }: { readonly topic: string; readonly partition: number; readonly offset: number },
): AcceptedEvent {
  const inspected = inspect(stream, record)
  // Judged by other definitions than these, or changed on its way.
  if ('refusals' in inspected) throw new MillraceError('PROCESSED_RECORD_FOREIGN', { topic, offset: record.offset })
  const { row, ts } = inspected
  const tie = stream.id === null ? coordinateTie('live', partition, offset) : (row[stream.id] as string | number)
  const erasure = readErasure(record.headers)
  return erasure === null ? { row, ts, tie } : { row, ts, tie, erased: erasure.keys }
}
