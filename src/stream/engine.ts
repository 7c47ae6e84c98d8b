import { assert } from '../base/assert.ts'
import { MillraceError } from '../base/faults.ts'
import type { KeyState } from '../kernel/key-state.ts'
import type { LogRead, LogRecord } from '../log/log.ts'
import { type Forgotten, type ForgottenEntity, forgottenKey, forgottenTopic, readForgotten } from '../plan/forgotten.ts'
import type { Plan, ViewPlan } from '../plan/plan.ts'
import { type Checkpoint, checkpointVersion, encodeCheckpoint, readCheckpoint } from './checkpoint.ts'
import { createTopics } from './create-topics.ts'
import { type Emission, restoreEmission } from './emission.ts'
import { engineStopped, faultOf, partitionHalted, sourcesOf } from './engine-faults.ts'
import type { Building, EngineCounts, EngineOptions, HaltedPartition, Target } from './engine-types.ts'
import { forgetInStore } from './forget-in-store.ts'
import { furthest, Gate, type Limits, placeOf, prefixesOf } from './gate.ts'
import type { SourceReading, SourceTask } from './source-task.ts'
import { checkpointKey } from './store-keys.ts'
import { sweepStore } from './sweep-store.ts'
import type { Track } from './track.ts'
import { Tracks } from './tracks.ts'
import { waiting } from './waiting.ts'

const readBytesMax = 1024 * 1024
/** Records folded before others get a turn. */
const sliceRecords = 512
/** Everything is held still for a takeover only when no new view is further behind than this; looked at so often. */
const [nearRecords, lookMs] = [4_096, 20]

/**
 * Runs a plan over a log: verdicts per source partition, folds into the views' states, checkpoints.
 *
 * Exactly once, by this protocol. A checkpoint is one transaction of the store: changed states, next offset,
 * watermark and new ids of every source partition, counters, and the ends of the output topics. The outputs that
 * belong to it are durable before it. Whatever was done after the last checkpoint is forgotten by a crash and done
 * again from the log: verdicts and folds are deterministic, and outputs that are already there are recognised.
 *
 * Another plan is taken over without a gap: what it needs and is not kept yet is built from the log by tracks of its
 * own; then everything is held at one prefix for a moment, and the plan changes there, for all readers at once.
 */
export class Engine {
  readonly #options: EngineOptions
  readonly #stop = new AbortController()
  readonly #halted = new Map<string, HaltedPartition>()
  readonly #running = new Set<Promise<unknown>>()
  #tracks!: Tracks
  #emission!: Emission
  #forgotten!: Forgotten
  #serving!: Plan
  #previous: Plan | null = null
  /** The plan that is being built, and who waits for it. */
  #target: Target | null = null
  readonly #gate = new Gate()
  /** Plans that were served or asked for, by hash. */
  readonly #plans = new Map<string, Plan>()
  readonly #builds = new Map<Plan, Promise<void>>()
  readonly #followers = new Map<SourceTask, Promise<void>>()
  /** One after another: what holds everything, and what replaces everything. */
  #exclusive: Promise<unknown> = Promise.resolve()
  /** A record may be half folded: no checkpoint may be cut before everything is restored. */
  #broken = false
  #started = false
  #checkpointNumber = 0
  #checkpointing: Promise<void> | null = null
  #checkpointAt: number
  #progressed = false
  #wake: () => void = () => undefined
  #fault: Error | null = null
  #closing: Promise<void> | null = null

  private constructor(options: EngineOptions) {
    this.#options = options
    this.#checkpointAt = options.clock.elapsed()
  }

  /** Restores the last checkpoint, or starts at the beginning of the log. Reads no event yet. */
  static async open(options: EngineOptions): Promise<Engine> {
    const engine = new Engine(options)
    await engine.#restore(options.plan)
    return engine
  }

  /** Reads every source partition from now on, and checkpoints at intervals. */
  start(): void {
    assert(!this.#started, 'an engine is started once')
    this.#started = true
    this.#run(this.#keepCheckpointing())
    this.#resume()
  }

  /** The fault that stopped the engine; null while it runs. */
  get fault(): Error | null {
    return this.#fault
  }

  /** Source partitions that stopped, while the others go on. A restart tries them again. */
  get halted(): readonly HaltedPartition[] {
    return [...this.#halted.values()]
  }

  /** The plan that is served. */
  get plan(): Plan {
    return this.#serving
  }

  /** The plan on its way, if there is one. */
  get building(): Building | null {
    return this.#target === null ? null : { plan: this.#target.plan, ...this.#tracks.built() }
  }

  /** Of the streams and views that are served. */
  get counts(): EngineCounts {
    const sources = this.#tracks.served(this.#serving).map(({ stream, topic, partition, next, watermark, counts }) => ({
      stream: stream.name,
      topic,
      partition,
      next,
      watermark,
      ...counts,
    }))
    const views = this.#serving.views.map((view) => [view.name, { ...this.#tracks.fold(view)!.counts }] as const)
    return { sources, views: Object.fromEntries(views) }
  }

  /** Seconds since the last checkpoint was durable. */
  get checkpointAgeSeconds(): number {
    return (this.#options.clock.elapsed() - this.#checkpointAt) / 1_000
  }

  /** The live state of a key: every record up to `prefix` is in it. Copy it before changing it. */
  state(view: ViewPlan, key: Uint8Array): KeyState | null {
    return this.#tracks.fold(view)?.table.read(key) ?? null
  }

  /** Whether the states of a view are there, also of one that is not served: of the plan before, or on its way. */
  keeps(view: ViewPlan): boolean {
    return this.#tracks.fold(view) !== null
  }

  inMemory(view: ViewPlan): { readonly cachedCount: number; readonly bytes: number } | null {
    return this.#tracks.fold(view)?.table ?? null
  }

  /** Next offset per partition of a stream's own topic: what its views have seen. */
  prefix(stream: string): number[] {
    return this.#tracks.prefix(this.#serving, stream, 'live') ?? []
  }

  /** The same of the topic of its history; null: it has none. */
  historyPrefix(stream: string): number[] | null {
    return this.#tracks.prefix(this.#serving, stream, 'history')
  }

  /** First instant from which on the states of a view know every event. */
  coveredFrom(view: ViewPlan): number {
    return this.#tracks.coveredFrom(view)
  }

  /** The source partitions of a stream that is served. */
  sources(stream: string): readonly SourceReading[] {
    return this.#tracks.served(this.#serving).filter((task) => task.stream.name === stream)
  }

  /** Resolves once every record that is durable now has been folded. Rejects when that cannot come about any more. */
  async caughtUp(): Promise<void> {
    const { log, clock } = this.#options
    const ends = this.#tracks
      .served(this.#serving)
      .map(({ topic, partition }) => ({ topic, partition, end: log.end(topic, partition) }))
    for (const place of ends) {
      // Looked up each time: a recovery makes new tasks. Several streams may read one topic: the last of them counts.
      const next = (): number => {
        const there = this.#tracks.served(this.#serving).filter((task) => placeOf(task) === placeOf(place))
        return there.length === 0 ? place.end : Math.min(...there.map((task) => task.next))
      }
      while (this.#broken || next() !== place.end) {
        this.#throwIfStopped()
        const halted = this.#halted.get(placeOf(place))
        if (halted !== undefined) throw partitionHalted(halted)
        if (!this.#broken && next() > place.end) break
        await clock.sleep(1, this.#stop.signal)
      }
    }
  }

  /** Makes everything folded so far durable. */
  async checkpoint(): Promise<void> {
    while (this.#checkpointing !== null || this.#broken) {
      this.#throwIfStopped()
      await (this.#checkpointing ?? this.#exclusive)
    }
    this.#throwIfStopped()
    this.#checkpointing = this.#writeCheckpoint()
    try {
      await this.#checkpointing
    } catch (error) {
      const sources = sourcesOf(error)
      if (sources === null) this.#halt(error)
      else this.#recover(sources.map((source) => ({ ...source, fault: faultOf(error) })))
      throw error
    } finally {
      this.#checkpointing = null
    }
    for (const { table } of this.#tracks.folds) table.evict()
  }

  /**
   * Changes to another plan: builds what is not kept yet, and resolves once readers have it. Rejects with
   * `PLAN_SUPERSEDED` when another plan is asked for meanwhile; what is served stays as it was.
   */
  async apply(plan: Plan): Promise<void> {
    this.#throwIfStopped()
    await createTopics(plan, this.#options)
    const target = await this.#alone(async (): Promise<Target | null> => {
      this.#throwIfStopped()
      const another = this.#target
      this.#target = null
      another?.done.reject(new MillraceError('PLAN_SUPERSEDED', { plan: another.plan.hash, by: plan.hash }))
      this.#drop(this.#tracks.keep([...this.#needed(), plan]))
      await this.#sweep(this.#tracks)
      this.#target = await this.#aim(plan, this.#tracks, this.#serving)
      if (this.#started) this.#resume()
      return this.#target
    })
    await target?.done.promise
  }

  /** Resolves when no plan is on its way any more, and nothing is left of those that are gone. */
  async settled(): Promise<void> {
    await this.#target?.done.promise
    await Promise.all(this.#builds.values())
  }

  /**
   * Forgets an entity: its events so far count nowhere any more, on the stream, in training and in explanations; those
   * to come do. Durable when it resolves.
   *
   * @param key the encoded join keys.
   */
  async forget(entity: string, key: Uint8Array): Promise<ForgottenEntity> {
    const { log, clock } = this.#options
    const forgotten = await this.#alone(async () => {
      this.#throwIfStopped()
      const sources = this.#tracks.tasks.map(({ topic, partition }) => ({ topic, partition }))
      const ends = sources.map((one) => ({ ...one, next: log.end(one.topic, one.partition) }))
      return await this.#hold(furthest(ends), async () => {
        const prefix = prefixesOf(ends)
        const at = new Date(clock.now()).toISOString()
        const one: ForgottenEntity = { version: 1, entity, key: forgottenKey(key), prefix, at }
        const value = Buffer.from(JSON.stringify(one))
        // One that fails may be in the log all the same: nothing is folded beyond these offsets before a restart looks.
        await log
          .append(forgottenTopic, 0, [{ key: null, value, timestampMs: clock.now() }])
          .catch((error: unknown) => {
            this.#halt(error)
            throw error
          })
        // When everything was restored meanwhile, it was from a log that has this in it.
        if (!this.#broken) {
          this.#forgotten.add(one)
          this.#tracks.forget(entity, key)
          this.#progressed = true
        }
        return one
      })
    })
    await this.checkpoint()
    return forgotten
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
    // What was asked for before ends before this: it may still start something, which then has to stop as well.
    for (let before: Promise<unknown> | null = null; before !== this.#exclusive; ) {
      this.#abort()
      before = this.#exclusive
      await before
      this.#abort()
      while (this.#running.size > 0) await Promise.all(this.#running)
    }
    // One that somebody asked for. When it fails, they have the error, and it is the engine's fault too.
    while (this.#checkpointing !== null) await this.#checkpointing.catch(() => undefined)
    this.#target?.done.reject(new MillraceError('ENGINE_STOPPED', { detail: 'it was closed' }))
    this.#target = null
    if (this.#fault === null && !this.#broken && this.#progressed) await this.#orHalt(this.#writeCheckpoint())
  }

  /** Everything as the last checkpoint has it; in a new store, at the log's start. */
  async #restore(plan: Plan): Promise<void> {
    const { log, store, folder, keysMax, follower } = this.#options
    await createTopics(plan, this.#options)
    this.#plans.set(plan.hash, plan)
    const stored = readCheckpoint(store, { log: log.id, folder })
    const previous = this.#planOf(stored?.previous ?? null)
    const serving = this.#planOf(stored?.plan ?? null) ?? plan
    const forgotten = await readForgotten(log)
    const plans = [serving, plan, ...(previous === null ? [] : [previous])]
    const checkpoint = stored === null ? null : await forgetInStore(store, stored, { forgotten, plans })
    const tracks = Tracks.restore({ log, store, keysMax }, checkpoint, plans)
    await this.#sweep(tracks)
    if (checkpoint === null) await tracks.add(plan, null)
    const target = await this.#aim(plan, tracks, serving)
    const emission = await restoreEmission(serving, { tracks, log, store, follower }, checkpoint?.outputs ?? {})
    // All at once: readers go on meanwhile with what was there before.
    this.#serving = serving
    this.#previous = previous
    this.#target = target
    this.#forgotten = forgotten
    this.#tracks = tracks
    this.#emission = emission
    this.#checkpointNumber = checkpoint?.number ?? 0
    for (const lost of tracks.beyondLog()) this.#haltPartition(lost)
    this.#broken = false
  }

  #planOf(hash: string | null): Plan | null {
    return hash === null ? null : (this.#plans.get(hash) ?? this.#options.planOf?.(hash) ?? null)
  }

  /**
   * Undoes everything since the last checkpoint and goes on from there without these partitions. For faults that
   * leave half of something done; at once, before any promise has its turn.
   */
  #recover(halted: readonly HaltedPartition[]): void {
    for (const one of halted) this.#haltPartition(one)
    if (this.#broken) return
    this.#broken = true
    this.#drop(this.#tracks.all)
    this.#run(
      this.#alone(async () => {
        await Promise.all(this.#followers.values())
        while (this.#checkpointing !== null) await this.#checkpointing.catch(() => undefined)
        if (this.#stop.signal.aborted) return
        const target = this.#target
        this.#target = null
        await this.#restore(target?.plan ?? this.#serving)
        if (target !== null && this.#target !== null) this.#target = target
        else target?.done.resolve()
        this.#resume()
      }),
    )
  }

  /** Deletes from the store what nothing in use owns. Before anything is added: it must not find another's leavings. */
  async #sweep(tracks: Tracks): Promise<void> {
    const { clock, store } = this.#options
    while (this.#checkpointing !== null) await this.#checkpointing.catch(() => undefined)
    await sweepStore(store, tracks.inUse, { clock, signal: this.#stop.signal })
  }

  /** What a plan needs and is not kept begins to be built; null: it needs nothing, and is served already. */
  async #aim(plan: Plan, tracks: Tracks, serving: Plan): Promise<Target | null> {
    if (plan.hash === serving.hash && tracks.complete(plan)) return null
    this.#plans.set(plan.hash, plan)
    await tracks.add(plan, serving)
    const done = Promise.withResolvers<void>()
    // Whoever does not wait for it must not be told by a crash.
    done.promise.catch(() => undefined)
    return { plan, done }
  }

  #needed(): readonly Plan[] {
    return [this.#serving, this.#target?.plan, this.#previous].filter((plan) => plan !== undefined && plan !== null)
  }

  /** Starts a loop for each task that has none, and for the plan on its way. */
  #resume(): void {
    for (const track of this.#tracks.all) {
      for (const task of track.tasks) {
        if (this.#followers.has(task)) continue
        const follower = this.#follow(track, task).finally(() => this.#followers.delete(task))
        this.#followers.set(task, follower)
        this.#run(follower)
      }
    }
    const { plan } = this.#target ?? {}
    if (plan === undefined || this.#builds.has(plan)) return
    const build = this.#build(plan).finally(() => this.#builds.delete(plan))
    this.#builds.set(plan, build)
    this.#run(build)
  }

  async #follow(track: Track, task: SourceTask): Promise<void> {
    const [{ log }, { topic, partition }, { signal }] = [this.#options, task, track.stop]
    while (!signal.aborted && !this.#halted.has(placeOf(task))) {
      if (task.next >= this.#gate.limit(task)) {
        await this.#gate.wait()
        continue
      }
      let read: LogRead
      try {
        if (task.next >= log.end(topic, partition)) {
          await log.waitFor(topic, partition, task.next, signal)
          continue
        }
        read = await log.read(topic, partition, task.next, readBytesMax)
      } catch (error) {
        // What was folded before is whole: this partition stops here, and nothing else has to be undone.
        if (!signal.aborted) this.#haltPartition({ topic, partition, fault: faultOf(error) })
        return
      }
      await this.#takeAll(track, task, read)
    }
  }

  /** Takes what was read, in slices, and no further than it may. */
  async #takeAll(track: Track, task: SourceTask, { records, next }: LogRead): Promise<void> {
    const { observer, clock } = this.#options
    for (let from = 0; !track.stop.signal.aborted; ) {
      const limit = this.#gate.limit(task)
      const slice = records.slice(from, from + sliceRecords).filter(({ offset }) => offset < limit)
      if (!this.#take(track, task, slice)) return
      // By place and not by slice: the limit may be lifted before the next one.
      from += slice.length
      task.passGap(Math.min(limit, records[from]?.offset ?? next))
      if (slice.length === 0) return
      const latencyMs = clock.now() - slice.at(-1)!.timestampMs
      // How long ago a history was imported is no latency.
      if (task.source === 'live') observer?.batch?.(task.stream.name, { records: slice.length, latencyMs })
      await this.#makeRoom(track.stop.signal)
    }
  }

  /** Whether all went well. */
  #take(track: Track, task: SourceTask, records: readonly LogRecord[]): boolean {
    const targets = { folds: track.folds, forgotten: this.#forgotten, ...this.#emission }
    try {
      task.takeBatch(records, targets)
    } catch (error) {
      // At once, before any promise has its turn: a record may be folded into one view and not into the next, and no
      // checkpoint may be cut there.
      this.#recover([{ topic: task.topic, partition: task.partition, fault: faultOf(error) }])
      return false
    }
    if (records.length > 0) this.#progressed = true
    return true
  }

  /** Lets others run; and waits for checkpoints while too much is waiting for one. */
  async #makeRoom(signal: AbortSignal): Promise<void> {
    await this.#options.clock.turn()
    await this.#emission.follower?.room(signal)
    while (waiting(this.#tracks, this.#emission) >= 2 && !signal.aborted) await this.#checkpointUnlessStopped()
    if (waiting(this.#tracks, this.#emission) >= 1) this.#wake()
  }

  /** Waits until the new views of a plan are near, holds everything at one prefix, and changes the plan there. */
  async #build(plan: Plan): Promise<void> {
    const [{ clock }, { signal }] = [this.#options, this.#stop]
    const isAimed = (): boolean => this.#target?.plan === plan && !signal.aborted
    while (isAimed()) {
      const isNear = (): boolean =>
        !this.#broken && this.#tracks.lag((task) => this.#halted.has(placeOf(task))) <= nearRecords
      if (isNear()) {
        await this.#alone(async () => {
          if (isAimed() && isNear()) await this.#hold(furthest(this.#tracks.tasks), () => this.#takeOver())
        }).catch((error: unknown) => {
          // A partition stopped meanwhile, or everything is being restored: later, then.
          if (!this.#broken && this.#halted.size === 0) throw error
        })
      }
      if (isAimed()) await clock.sleep(lookMs, signal)
    }
    await this.#checkpointUnlessStopped()
    await this.#alone(() => this.#sweep(this.#tracks))
  }

  async #hold<T>(limits: Limits, then: () => T | Promise<T>): Promise<T> {
    const check = (): void => {
      this.#throwIfStopped()
      if (this.#broken) throw new MillraceError('ENGINE_STOPPED', { detail: 'it goes back to its last checkpoint' })
      const stuck = this.#tracks.tasks.find(
        (task) => this.#halted.has(placeOf(task)) && task.next < (limits.get(placeOf(task)) ?? 0),
      )
      if (stuck !== undefined) throw partitionHalted(this.#halted.get(placeOf(stuck))!)
    }
    return await this.#gate.hold(limits, () => this.#tracks.tasks, { clock: this.#options.clock, check, work: then })
  }

  /** Everything stands at one prefix. */
  #takeOver(): void {
    const { plan, done } = this.#target!
    this.#target = null
    const gone = this.#tracks.merge()
    if (plan.hash !== this.#serving.hash) this.#previous = this.#serving
    this.#serving = plan
    gone.push(...this.#tracks.keep(this.#needed()))
    this.#tracks.serve(plan)
    this.#emission.features.serve(plan)
    this.#drop(gone)
    this.#progressed = true
    this.#options.observer?.takeover?.(plan, prefixesOf(this.#tracks.served(plan)))
    done.resolve()
    this.#resume()
  }

  #drop(tracks: readonly Track[]): void {
    for (const track of tracks) track.stop.abort()
  }

  /** Runs `work` when nothing else of its kind runs. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const before = this.#exclusive
    const done = before.then(work, work)
    this.#exclusive = done.catch(() => undefined)
    return await done
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
    if (this.#stop.signal.aborted || this.#broken) return await this.#options.clock.turn()
    try {
      await (this.#checkpointing ?? this.checkpoint())
    } catch (error) {
      // Then everything goes back to the last one, without the partitions that it failed for.
      if (!this.#broken) throw error
    }
  }

  async #writeCheckpoint(): Promise<void> {
    const [{ log, store, clock, observer }, startedAt] = [this.#options, this.#options.clock.elapsed()]
    // From here to the first await nothing else runs: all of this is one prefix.
    this.#progressed = false
    const changes = this.#emission.features.takeChanges()
    const [{ outputs: own, follower }, next] = [this.#emission, this.#tracks.nextOffsetOf]
    const [taken, followed] = [own.take(next), follower?.cut(next)]
    changes.push(...this.#tracks.takeChanges())
    const cut = {
      version: checkpointVersion,
      log: log.id,
      number: this.#checkpointNumber + 1,
      plan: this.#serving.hash,
      previous: this.#previous?.hash ?? null,
      ...this.#tracks.progress(),
      forgotten: this.#forgotten.all.length,
    } as const
    // Waited for below, and thrown there, unless the outputs fail first.
    followed?.catch(() => undefined)
    const outputs = { ...(await own.flush(taken)), ...(await followed) }
    const checkpoint: Checkpoint = { ...cut, outputs }
    changes.push([checkpointKey, encodeCheckpoint(checkpoint)])
    await store.write(changes)
    this.#checkpointNumber = checkpoint.number
    this.#checkpointAt = clock.elapsed()
    observer?.checkpoint?.((this.#checkpointAt - startedAt) / 1_000)
  }

  #run(work: Promise<void>): void {
    const guarded = work.catch((error: unknown) => this.#halt(error)).finally(() => this.#running.delete(guarded))
    this.#running.add(guarded)
  }

  #haltPartition(halted: HaltedPartition): void {
    if (this.#halted.has(placeOf(halted))) return
    this.#halted.set(placeOf(halted), halted)
    this.#options.observer?.halt?.(halted)
  }

  #abort(): void {
    this.#stop.abort()
    for (const track of this.#tracks.all) track.stop.abort()
    this.#gate.open()
    this.#wake()
  }

  async #orHalt<T>(work: Promise<T>): Promise<T> {
    return await work.catch((error: unknown) => {
      this.#halt(error)
      throw error
    })
  }

  #halt(error: unknown): void {
    if (this.#closing === null || !(error instanceof MillraceError && error.code === 'ENGINE_STOPPED')) {
      this.#fault ??= faultOf(error)
    }
    this.#abort()
  }

  #throwIfStopped(): void {
    if (this.#fault !== null) throw engineStopped(this.#fault)
    if (this.#stop.signal.aborted) throw new MillraceError('ENGINE_STOPPED', { detail: 'it was closed' })
  }
}
