import { assert } from '../base/assert.ts'
import { reach } from '../base/crash-points.ts'
import { MillraceError } from '../base/faults.ts'
import type { Log } from '../log/log.ts'
import { coveredFrom, type FirstRetained, firstRetained } from '../plan/coverage.ts'
import type { SourceKind } from '../plan/intake.ts'
import type { Plan, StreamPlan, ViewPlan } from '../plan/plan.ts'
import { instantMsEnd } from '../schema/instant.ts'
import type { OnlineStore, StoreChange } from '../store/online/online-store.ts'
import type { Checkpoint, TrackProgress, ViewCounts } from './checkpoint.ts'
import type { HaltedPartition } from './engine-types.ts'
import { furthest, placeOf } from './gate.ts'
import type { NextOffsetOf } from './outputs.ts'
import { SourceTask, type ViewFold } from './source-task.ts'
import { StateTable } from './state-table.ts'
import type { InUse } from './sweep-store.ts'
import { Track } from './track.ts'

type Stores = { readonly log: Log; readonly store: OnlineStore; readonly keysMax: number }

/** The tracks of an engine: those of the plan that is served, of the one before it, and of the one being built. */
export class Tracks {
  readonly #stores: Stores
  #all: Track[]
  #made: number

  private constructor(stores: Stores, all: Track[], made: number) {
    this.#stores = stores
    this.#all = all
    this.#made = made
  }

  /** The tracks of a checkpoint that some plan still has a use for, at its offsets. */
  static restore(stores: Stores, checkpoint: Checkpoint | null, plans: readonly Plan[]): Tracks {
    const tracks = new Tracks(stores, [], checkpoint?.tracksMade ?? 0)
    for (const progress of checkpoint?.tracks ?? []) {
      const stream = plans.flatMap(({ streams }) => streams).find((one) => one.fingerprint === progress.stream)
      if (stream === undefined) continue
      const folds = progress.views.flatMap((fingerprint) => {
        const view = findView(plans, fingerprint)
        if (view === null) return []
        const { views, cutOff = {} } = checkpoint!
        return [tracks.#fold(view, views[fingerprint]!, cutOff[fingerprint] ?? null)]
      })
      if (progress.building && folds.length === 0) continue
      tracks.#all.push(tracks.#make(stream, { number: progress.track, building: progress.building, folds, progress }))
    }
    return tracks
  }

  get all(): readonly Track[] {
    return this.#all
  }

  get tasks(): readonly SourceTask[] {
    return this.#all.flatMap(({ tasks }) => tasks)
  }

  get folds(): readonly ViewFold[] {
    return this.#all.flatMap(({ folds }) => folds)
  }

  /** What of the store is theirs. */
  get inUse(): InUse {
    return {
      views: new Set(this.folds.map(({ view }) => view.fingerprint)),
      tracks: new Set(this.#all.map(({ number }) => number)),
    }
  }

  /** Where a source partition stands now, as the track has it whose rejections go out. */
  readonly nextOffsetOf: NextOffsetOf = ({ stream, topic, partition }) =>
    this.tasks.find(
      (task) =>
        task.emitFrom !== null && task.stream.name === stream && task.topic === topic && task.partition === partition,
    )?.next ?? null

  /** The tasks that a plan's streams are read by. */
  served(plan: Plan): readonly SourceTask[] {
    return plan.streams.flatMap((stream) => this.#serving(stream)?.tasks ?? [])
  }

  /** Next offset per partition of one topic of a stream that is served; null: it has none. */
  prefix(plan: Plan, stream: string, source: SourceKind): number[] | null {
    // Asked for by every read: looks at this stream only.
    const found = plan.streams.find(({ name }) => name === stream)
    const offsets: number[] = []
    for (const task of (found === undefined ? null : this.#serving(found))?.tasks ?? []) {
      if (task.source === source) offsets.push(task.next)
    }
    return offsets.length === 0 ? null : offsets
  }

  /** The track that a stream of the plan that is served is read by: until there is another, the one being built. */
  #serving(stream: StreamPlan): Track | null {
    return this.live(stream) ?? this.#all.find((one) => one.stream.fingerprint === stream.fingerprint) ?? null
  }

  /** Records still to be read, by all tasks together; infinite when one that stopped is behind another. */
  lag(isHalted: (task: SourceTask) => boolean): number {
    const { log } = this.#stores
    const limits = furthest(this.tasks)
    let records = 0
    for (const task of this.tasks) {
      if (!isHalted(task)) records += log.end(task.topic, task.partition) - task.next
      else if (task.next < limits.get(placeOf(task))!) return Number.POSITIVE_INFINITY
    }
    return records
  }

  /** How much of the log the tracks on their way have read. */
  built(): { readonly done: number; readonly total: number } {
    const { log } = this.#stores
    let [done, total] = [0, 0]
    for (const { tasks, building } of this.#all) {
      if (!building) continue
      for (const { topic, partition, next } of tasks) {
        const start = log.start(topic, partition)
        done += next - start
        total += log.end(topic, partition) - start
      }
    }
    return { done, total }
  }

  /** Source partitions that go on at an offset which the log does not hold. */
  beyondLog(): HaltedPartition[] {
    const { log } = this.#stores
    return this.tasks.flatMap(({ topic, partition, next: offset }) => {
      const [start, end] = [log.start(topic, partition), log.end(topic, partition)]
      if (offset >= start && offset <= end) return []
      const fault = new MillraceError('LOG_OFFSET_OUT_OF_RANGE', { topic, partition, offset, start, end })
      return [{ topic, partition, fault }]
    })
  }

  /** The track that carries a stream, once there is one. */
  live(stream: StreamPlan): Track | null {
    return this.#all.find((track) => !track.building && track.stream.fingerprint === stream.fingerprint) ?? null
  }

  fold(view: ViewPlan): ViewFold | null {
    for (const { folds } of this.#all) {
      for (const fold of folds) if (fold.view.fingerprint === view.fingerprint) return fold
    }
    return null
  }

  /**
   * Adds what a plan needs and is not there yet, each at the log's start, and notes where that is by now: before
   * anything is read. The rejections of a stream that takes the place of one of `serving` go out only once it has taken
   * it: until then the other's do.
   */
  async add(plan: Plan, serving: Plan | null): Promise<void> {
    for (const track of this.#add(plan, serving)) {
      const first = await firstRetained(this.#stores.log, track.stream.topic, track.liveTasks.length)
      for (const fold of track.folds) fold.first = first
    }
  }

  #add(plan: Plan, serving: Plan | null): Track[] {
    return plan.streams.flatMap((stream) => {
      const missing = new Map(
        stream.views.filter((view) => this.fold(view) === null).map((view) => [view.fingerprint, view]),
      )
      const known = this.#all.some((track) => track.stream.fingerprint === stream.fingerprint)
      if (known && missing.size === 0) return []
      const folds = [...missing.values()].map((view) => this.#fold(view, makeViewCounts(), null))
      const emit = {
        live: !known && (serving === null || !replaces(stream, plan, serving)),
        // What nobody who is served reads, nobody else tells of.
        history: !known && serving?.streams.every((one) => one.history?.topic !== stream.history?.topic) !== false,
      }
      const building = serving !== null
      const track = this.#make(stream, { number: this.#made, building, folds, progress: null, emit })
      this.#made += 1
      this.#all.push(track)
      reach('engine.track.made')
      return [track]
    })
  }

  /** Drops the states of an entity's key. What was applied to them is forgotten. */
  forget(entity: string, key: Uint8Array): void {
    reach('engine.forget.written')
    for (const { view, table, counts } of this.folds) {
      if (view.entity !== entity) continue
      const applied = table.forget(key)
      counts.applied -= applied
      counts.forgotten += applied
    }
  }

  /** Whether every view and stream of a plan is there and where the others are. */
  complete(plan: Plan): boolean {
    return plan.streams.every((stream) => {
      const live = this.live(stream)
      return live !== null && stream.views.every((view) => live.has(view))
    })
  }

  /**
   * Merges every track that is building into the one that carries its stream; the first of a stream carries it from
   * now on. All must stand at one prefix. Gives those that are gone.
   */
  merge(): Track[] {
    const gone: Track[] = []
    for (const track of this.#all.filter(({ building }) => building)) {
      const live = this.live(track.stream)
      if (live === null) {
        track.building = false
        continue
      }
      for (const [index, task] of track.tasks.entries()) {
        assert(task.next === live.tasks[index]!.next, 'tracks are merged at one prefix')
      }
      for (const fold of track.folds) fold.counts.before += live.accepted - track.accepted
      live.folds.push(...track.folds)
      gone.push(track)
    }
    this.#all = this.#all.filter((track) => !gone.includes(track))
    reach('engine.takeover.merged')
    return gone
  }

  /** Keeps what some of these plans needs. Gives the tracks that are gone. */
  keep(plans: readonly Plan[]): Track[] {
    const gone: Track[] = []
    for (const track of this.#all) {
      for (let index = track.folds.length - 1; index >= 0; index--) {
        if (findView(plans, track.folds[index]!.view.fingerprint) === null) track.folds.splice(index, 1)
      }
      const needed = plans.some(({ streams }) => streams.some((one) => one.fingerprint === track.stream.fingerprint))
      if (!needed || (track.building && track.folds.length === 0 && this.live(track.stream) !== null)) gone.push(track)
    }
    this.#all = this.#all.filter((track) => !gone.includes(track))
    return gone
  }

  /** From now on streams and views go by this plan's names, and the rejections of its streams, and no others, go out. */
  serve(plan: Plan): void {
    for (const track of this.#all) {
      if (track.building) continue
      const stream = plan.streams.find((one) => one.fingerprint === track.stream.fingerprint)
      if (stream !== undefined) track.rename(stream)
      for (const task of track.tasks) task.emitFrom = stream === undefined ? null : (task.emitFrom ?? task.next)
      for (const fold of track.folds) fold.view = findView([plan], fold.view.fingerprint) ?? fold.view
    }
  }

  /** First instant from which on the states of a view know every event. */
  coveredFrom(view: ViewPlan): number {
    for (const track of this.#all) {
      for (const fold of track.folds) {
        if (fold.view.fingerprint !== view.fingerprint) continue
        // A view that is being built reads the same history as those that are there.
        return coveredFrom(track.stream, { live: fold.first, historyComplete: track.historyComplete })
      }
    }
    return instantMsEnd
  }

  /** What a checkpoint writes of states and ids: what changed since the last one. */
  takeChanges(): StoreChange[] {
    const changes: StoreChange[] = []
    for (const { table } of this.folds) changes.push(...table.takeChanges())
    for (const task of this.tasks) changes.push(...task.takeIdChanges())
    return changes
  }

  /** What a checkpoint says of them. */
  progress(): Pick<Checkpoint, 'tracks' | 'tracksMade' | 'views' | 'cutOff'> {
    const ofViews = <T>(of: (fold: ViewFold) => T | null): Readonly<Record<string, T>> =>
      Object.fromEntries(
        this.folds.flatMap((fold) => {
          const found = of(fold)
          return found === null ? [] : [[fold.view.fingerprint, found] as const]
        }),
      )
    const cutOff = ofViews(({ first }) => first)
    return {
      tracks: this.#all.map((track) => track.progress()),
      tracksMade: this.#made,
      views: ofViews(({ counts }) => ({ ...counts })),
      ...(Object.keys(cutOff).length === 0 ? {} : { cutOff }),
    }
  }

  #fold(view: ViewPlan, counts: ViewCounts, first: FirstRetained | null): ViewFold {
    const { store, keysMax } = this.#stores
    return { view, table: new StateTable(view, store, { keysMax }), counts: { ...counts }, first }
  }

  #make(
    stream: StreamPlan,
    from: {
      number: number
      building: boolean
      folds: readonly ViewFold[]
      progress: TrackProgress | null
      emit?: Readonly<Record<SourceKind, boolean>>
    },
  ): Track {
    const { log, store } = this.#stores
    const tasks = sourcesOf(stream).flatMap(({ source, topic }) => {
      const found = log.topics().find((one) => one.topic === topic)
      assert(found !== undefined, 'every source topic exists')
      return Array.from({ length: found.partitions }, (_, partition) => {
        const progress =
          from.progress?.sources.find((one) => one.topic === topic && one.partition === partition) ?? null
        const next = progress?.next ?? log.start(topic, partition)
        const emitFrom = progress === null ? (from.emit?.[source] === true ? 0 : null) : progress.emitFrom
        const place = { track: from.number, stream, source, topic, partition }
        return new SourceTask(place, store, { next, emitFrom, progress })
      })
    })
    return new Track({ number: from.number, tasks, folds: from.folds, building: from.building })
  }
}

/** The topics that a stream is read from, its own first. */
function sourcesOf({ topic, history }: StreamPlan): { readonly source: SourceKind; readonly topic: string }[] {
  const live = { source: 'live', topic } as const
  return history === null ? [live] : [live, { source: 'history', topic: history.topic }]
}

/** Whether a stream of a plan comes in the place of one that is served: of its name, or of a topic that it leaves. */
function replaces(stream: StreamPlan, plan: Plan, serving: Plan): boolean {
  return serving.streams.some(
    (one) =>
      one.topic === stream.topic &&
      (one.name === stream.name || !plan.streams.some(({ fingerprint }) => fingerprint === one.fingerprint)),
  )
}

function findView(plans: readonly Plan[], fingerprint: string): ViewPlan | null {
  for (const { views } of plans) {
    const found = views.find((view) => view.fingerprint === fingerprint)
    if (found !== undefined) return found
  }
  return null
}

function makeViewCounts(): ViewCounts {
  return { applied: 0, filtered: 0, unkeyed: 0, forgotten: 0, before: 0 }
}
