import { countBefore, type KeyState, newestBefore, readableFrom, timesFrom } from '../kernel/key-state.ts'
import { readView } from '../plan/finish-view.ts'
import type { StreamPlan, ViewPlan } from '../plan/plan.ts'
import { featureEventsTopic } from '../plan/topics.ts'
import type { OnlineStore, StoreChange } from '../store/online/online-store.ts'
import { intervalRecord } from './feature-record.ts'
import {
  deleteOpen,
  deleteProgress,
  type IntervalProgress,
  putOpen,
  putProgress,
  readOpen,
  readProgress,
} from './interval-entries.ts'
import type { Outputs } from './outputs.ts'

/** Where a source partition of a stream stands. */
export type SourcePosition = {
  readonly topic: string
  readonly partition: number
  readonly watermark: number
  /** Nothing durable is left to take. */
  readonly caughtUp: boolean
}

/** A record of a source that emits, judged and not folded yet. */
export type Arrival = {
  readonly stream: string
  readonly topic: string
  readonly partition: number
  readonly timestampMs: number
  /** The partition's, after the record. */
  readonly watermark: number
}

/** What is emitted is read from, and put into. */
export type EmitParts = {
  readonly outputs: Outputs
  /** The live state of a key. */
  state(view: ViewPlan, key: Uint8Array): KeyState | null
  /** Every source partition of a stream. */
  sources(stream: StreamPlan): readonly SourcePosition[]
}

/** A view that emits per interval, and what it is part of. */
export type IntervalView = {
  readonly view: ViewPlan
  readonly stream: StreamPlan
  /** Hash of the plan. */
  readonly plan: string
  readonly everyMs: number
  readonly idleMs: number
}

/** `stored`: the store has it, perhaps as it was. */
type OpenKey = { readonly key: Uint8Array; correction: boolean; stored: boolean }

/**
 * Emits the values of a view at every multiple of an interval of event time, for the keys with an event in it.
 *
 * An interval is over once no accepted event can fall into it any more: when every source partition's watermark is
 * past its end by the lateness. A partition that has nothing left to take is not waited for when it never accepted
 * anything, or when its newest record is older than another's by more than `idleMs`, both by the records' own
 * timestamps: no clock decides it. Should such a partition go on, what it changes is emitted again once it is past.
 *
 * An interval's values are read before the event that ends it is folded, so that its keys are no further than that.
 */
export class IntervalValues {
  readonly #parts: EmitParts
  #of: IntervalView
  /** End of the interval → key by its bytes. */
  readonly #open = new Map<number, Map<string, OpenKey>>()
  /** Every interval up to here was emitted. */
  #closed = -1
  /** The newest record's own timestamp, per source partition. */
  readonly #recordMs: Map<string, number>
  /** The interval that each source partition's watermark, less the lateness, is in. */
  readonly #reached = new Map<string, number>()
  /** Opened, or changed, since the store last heard of it, and the end of its interval. */
  readonly #unstored = new Map<OpenKey, number>()
  #deletions: StoreChange[] = []
  #changed = true

  private constructor(of: IntervalView, parts: EmitParts, recordMs: Readonly<Record<string, number>>) {
    this.#of = of
    this.#parts = parts
    this.#recordMs = new Map(Object.entries(recordMs))
  }

  /** Goes on where a checkpoint ended. Without one, or from one of other intervals or keys, it begins with what comes. */
  static restore(of: IntervalView, parts: EmitParts, store: OnlineStore): IntervalValues {
    const { name } = of.view
    const progress = readProgress(store, name)
    const values = new IntervalValues(of, parts, progress?.recordMs ?? {})
    const goesOn = progress !== null && progress.shape === shapeOf(of)
    if (!goesOn) values.#begin()
    for (const { end, key, correction } of readOpen(store, name)) {
      if (goesOn) values.#keysOf(end).set(nameOfKey(key), { key, correction, stored: true })
      else values.#deletions.push(deleteOpen(name, { end, key }))
    }
    if (goesOn) values.#closed = progress.closed
    return values
  }

  /** Begins with what comes now. */
  static begin(of: IntervalView, parts: EmitParts): IntervalValues {
    const values = new IntervalValues(of, parts, {})
    values.#begin()
    return values
  }

  #begin(): void {
    this.#closed = this.#complete(this.#parts.sources(this.#of.stream))
  }

  /** Goes on as another version of the view, if what is open means the same to it. */
  become(of: IntervalView): boolean {
    if (shapeOf(of) !== shapeOf(this.#of) || of.view.name !== this.#of.view.name) return false
    this.#of = of
    return true
  }

  /** What the store must forget when nobody goes on. */
  discard(): StoreChange[] {
    const { name } = this.#of.view
    const open = [...this.#open].flatMap(([end, keys]) =>
      [...keys.values()].filter(({ stored }) => stored).map(({ key }) => deleteOpen(name, { end, key })),
    )
    return [...this.#deletions, ...open, deleteProgress(name)]
  }

  /** A record was judged, and is not folded yet. */
  arrived({ topic, partition, timestampMs, watermark }: Arrival): void {
    this.#changed = true
    const place = `${topic}/${partition}`
    this.#recordMs.set(place, Math.max(timestampMs, this.#recordMs.get(place) ?? -1))
    const reached = Math.floor((watermark - this.#of.stream.rules.latenessMs) / this.#of.everyMs)
    if (reached === this.#reached.get(place)) return
    this.#reached.set(place, reached)
    this.close()
  }

  /** An event of a key was folded. */
  applied(key: Uint8Array, ts: number): void {
    const end = this.#endOf(ts)
    if (end > this.#closed) {
      this.#touch(end, key, false)
      return
    }
    // Every interval of the key from there on was emitted without this event.
    this.#touch(end, key, true)
    const state = this.#parts.state(this.#of.view, key)
    if (state === null) return
    for (const later of timesFrom(state, ts)) {
      const other = this.#endOf(later)
      if (other > this.#closed) return
      this.#touch(other, key, true)
    }
  }

  /** Emits every interval that is over. */
  close(): void {
    const sources = this.#parts.sources(this.#of.stream)
    const complete = this.#complete(sources)
    const over = [...this.#open.keys()].filter((end) => end <= complete).sort((a, b) => a - b)
    for (const end of over) {
      for (const entry of this.#open.get(end)!.values()) this.#emit(end, entry, sources)
      this.#open.delete(end)
    }
    this.#closed = Math.max(this.#closed, complete)
    this.#parts.outputs.release(featureEventsTopic(this.#of.view.name), complete)
  }

  /** What a checkpoint writes; call `close` before. */
  takeChanges(): StoreChange[] {
    if (!this.#changed) return []
    this.#changed = false
    const { name } = this.#of.view
    const changes = this.#deletions
    this.#deletions = []
    for (const [entry, end] of this.#unstored) {
      entry.stored = true
      changes.push(putOpen(name, { end, ...entry }))
    }
    this.#unstored.clear()
    const recordMs = Object.fromEntries(this.#recordMs)
    const progress: IntervalProgress = { version: 1, shape: shapeOf(this.#of), closed: this.#closed, recordMs }
    changes.push(putProgress(name, progress))
    return changes
  }

  #emit(end: number, entry: OpenKey, sources: readonly SourcePosition[]): void {
    const { view, plan } = this.#of
    const { key, correction, stored } = entry
    this.#unstored.delete(entry)
    if (stored) this.#deletions.push(deleteOpen(view.name, { end, key }))
    const state = this.#parts.state(view, key)
    // Forgotten meanwhile; or another version of the view has no event of it.
    if (state === null || state.newest < 0) return
    const isReadable = end >= readableFrom(view.program, state)
    const newest = isReadable ? newestBefore(state, end) : null
    if (newest === -1) return
    const finished = isReadable ? readView(view, state, end) : null
    const emitted = { view, plan, key, asOf: end, eventTime: newest, finished }
    const events = countBefore(state, end)
    this.#parts.outputs.addInterval(
      featureEventsTopic(view.name),
      intervalRecord(emitted, { events, correction }),
      sources,
    )
  }

  /** The last end of an interval that no accepted event can fall before any more; -1 without one. */
  #complete(sources: readonly SourcePosition[]): number {
    const { stream, everyMs, idleMs } = this.#of
    const newestMs = Math.max(-1, ...this.#recordMs.values())
    let before = Number.POSITIVE_INFINITY
    for (const { topic, partition, watermark, caughtUp } of sources) {
      const place = `${topic}/${partition}`
      const recordMs = this.#recordMs.get(place) ?? newestMs
      // Where no record of it was seen yet, its silence counts from here.
      this.#recordMs.set(place, recordMs)
      if (caughtUp && (watermark < 0 || newestMs - recordMs > idleMs)) continue
      before = Math.min(before, watermark - stream.rules.latenessMs)
    }
    return Number.isFinite(before) && before >= 0 ? Math.floor(before / everyMs) * everyMs : -1
  }

  #touch(end: number, key: Uint8Array, correction: boolean): void {
    const keys = this.#keysOf(end)
    const name = nameOfKey(key)
    let entry = keys.get(name)
    if (entry === undefined) {
      entry = { key, correction, stored: false }
      keys.set(name, entry)
    } else if (correction && !entry.correction) {
      entry.correction = true
    } else return
    this.#unstored.set(entry, end)
  }

  #keysOf(end: number): Map<string, OpenKey> {
    const keys = this.#open.get(end) ?? new Map<string, OpenKey>()
    this.#open.set(end, keys)
    return keys
  }

  /** An event at the end of an interval belongs to the next. */
  #endOf(ts: number): number {
    return (Math.floor(ts / this.#of.everyMs) + 1) * this.#of.everyMs
  }
}

function shapeOf({ view, everyMs }: IntervalView): string {
  return JSON.stringify([everyMs, view.keys.map(({ field }) => [field.kind, field.scale])])
}

/** One character per byte. */
function nameOfKey(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}
