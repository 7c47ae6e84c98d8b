/**
 * The engine on the embedded log in memory and the online store in memory, with a hand on every durable step: an
 * append to an output topic or a write of the store can be the last thing that the process does, can fail, or can
 * succeed and be reported as failed.
 */
import type { Clock } from '../../src/base/clock.ts'
import type { FeatureView } from '../../src/definition/feature-view.ts'
import { openEmbeddedLog } from '../../src/log/embedded/embedded-log.ts'
import type { Log, RecordInput } from '../../src/log/log.ts'
import { compile } from '../../src/plan/compile.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { openMemoryOnlineStore } from '../../src/store/online/memory/memory-online-store.ts'
import type { OnlineStore } from '../../src/store/online/online-store.ts'
import { Engine } from '../../src/stream/engine.ts'
import { type MemoryFileSystem, makeMemoryFileSystem } from '../log/embedded/memory-file-system.ts'

/** `before` and `after`: the process is dead from there on. `fails`: not done. `done and fails`: nobody can tell. */
export type CutMode = 'before' | 'after' | 'fails' | 'done and fails'
export type Cut = { readonly at: number; readonly mode: CutMode }

/** Durable steps of one process, counted from 0. */
export class Steps {
  count = 0
  readonly #cut: Cut | null
  readonly #delay: () => number
  readonly #reached = Promise.withResolvers<void>()
  #dead = false

  /** @param delay turns that a step takes, so that the engine goes on folding meanwhile. */
  constructor(cut: Cut | null, delay: () => number) {
    this.#cut = cut
    this.#delay = delay
  }

  /** Resolves when the cut was made. */
  get reached(): Promise<void> {
    return this.#reached.promise
  }

  /** From now on nothing that the process does has any effect. */
  die(): void {
    this.#dead = true
    this.#reached.resolve()
  }

  async take<T>(action: () => Promise<T>): Promise<T> {
    if (this.#dead) return await never()
    const here = this.count++
    for (let turns = this.#delay(); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve))
    if (this.#dead) return await never()
    if (this.#cut === null || here !== this.#cut.at) {
      const done = await action()
      return this.#dead ? await never() : done
    }
    const { mode } = this.#cut
    const dies = mode === 'before' || mode === 'after'
    this.#dead = dies
    if (mode === 'after' || mode === 'done and fails') await action()
    this.#reached.resolve()
    if (dies) return await never()
    throw new Error('the disk is on fire')
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => {})
}

/** What outlives a process. */
export type Disk = { fileSystem: MemoryFileSystem; store: OnlineStore }

export function makeDisk(): Disk {
  return { fileSystem: makeMemoryFileSystem(), store: openMemoryOnlineStore() }
}

export type ProcessOptions = ({ readonly views: readonly FeatureView[] } | { readonly plan: Plan }) & {
  readonly partitions?: number
  readonly keysMax?: number
  readonly cut?: Cut
  /** Turns that the next durable step takes. */
  readonly delay?: () => number
  /** Records that one read of the log gives at most. */
  readonly readMax?: number
  /** Called before the engine starts to read. */
  readonly onOpen?: (engine: Engine) => void
  /** Called after every slice of records, between two checkpoints of chance. */
  readonly onTurn?: (engine: Engine) => void
  readonly planOf?: (hash: string) => Plan | null
  /** Another store in place of the disk's. */
  readonly store?: OnlineStore
  /** Changes the log as the engine sees it. */
  readonly wrapLog?: (log: Log) => Log
}

export type Process = {
  readonly plan: Plan
  /** The log itself, past every cut. */
  readonly log: Log
  readonly engine: Engine
  readonly steps: Steps
  /** How many records of source topics were read. */
  readonly reads: { count: number }
}

/** Opens log and engine and starts it. Checkpoints are made only when a test asks, or when too much waits for one. */
export async function startProcess(disk: Disk, options: ProcessOptions): Promise<Process> {
  disk.fileSystem.killProcess()
  const plan = 'plan' in options ? options.plan : compile(options.views)
  const steps = new Steps(options.cut ?? null, options.delay ?? (() => 0))
  let engine: Engine | null = null
  const clock = makeEngineClock(() => {
    if (engine !== null) options.onTurn?.(engine)
  })
  const log = await openEmbeddedLog({ folder: '/data', clock, fileSystem: disk.fileSystem, segmentBytes: 20_000 })
  const reads = { count: 0 }
  const seen = (options.wrapLog ?? ((one: Log) => one))(log)
  engine = await Engine.open({
    plan,
    log: cutLog(seen, { steps, reads, readMax: options.readMax ?? Number.POSITIVE_INFINITY }),
    store: cutStore(options.store ?? disk.store, steps),
    clock,
    folder: '/state',
    partitions: options.partitions ?? 2,
    checkpointMs: intervalMs,
    keysMax: options.keysMax ?? 100_000,
    ...(options.planOf === undefined ? {} : { planOf: options.planOf }),
  })
  options.onOpen?.(engine)
  engine.start()
  return { plan, log, engine, steps, reads }
}

/** Never over by itself. */
const intervalMs = 1_000_000
export const nowMs: number = Date.UTC(2024, 5, 1)

function makeEngineClock(onTurn: () => void): Clock {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  return {
    now: () => nowMs,
    elapsed: () => 0,
    sleep: (ms, signal) => {
      if (ms < intervalMs) return turn()
      return new Promise((resolve) => {
        signal?.addEventListener('abort', () => resolve(), { once: true })
      })
    },
    turn: async () => {
      await turn()
      onTurn()
    },
  }
}

type Cuts = { readonly steps: Steps; readonly reads: { count: number }; readonly readMax: number }

function cutLog(inner: Log, { steps, reads, readMax }: Cuts): Log {
  return {
    id: inner.id,
    createTopic: (topic, options) => inner.createTopic(topic, options),
    topics: () => inner.topics(),
    append: (topic, partition, records) => steps.take(() => inner.append(topic, partition, records)),
    read: async (topic, partition, offset, bytesMax) => {
      const read = await inner.read(topic, partition, offset, bytesMax)
      const records = read.records.slice(0, readMax)
      if (topic !== 'forgotten-entities') reads.count += records.length
      return { records, next: read.records[readMax]?.offset ?? read.next }
    },
    start: (topic, partition) => inner.start(topic, partition),
    end: (topic, partition) => inner.end(topic, partition),
    refresh: (topic) => inner.refresh(topic),
    offsetAt: (topic, partition, timestampMs) => inner.offsetAt(topic, partition, timestampMs),
    waitFor: (topic, partition, offset, signal) => inner.waitFor(topic, partition, offset, signal),
    close: () => inner.close(),
  }
}

function cutStore(inner: OnlineStore, steps: Steps): OnlineStore {
  return {
    get: (key) => inner.get(key),
    range: (from, to) => inner.range(from, to),
    write: (changes) => steps.take(() => inner.write(changes)),
    close: () => inner.close(),
  }
}

/** Appends events to one partition, as whoever sends them. */
export async function send(
  { log }: Pick<Process, 'log'>,
  place: { readonly topic: string; readonly partition: number },
  events: readonly (Uint8Array | object)[],
): Promise<number> {
  const records = events.map((event): RecordInput => {
    const value = event instanceof Uint8Array ? event : Buffer.from(JSON.stringify(event))
    return { key: null, value, timestampMs: nowMs }
  })
  return await log.append(place.topic, place.partition, records)
}

/** Whether the engine stopped, or everything durable is folded. */
export async function settle({ engine, steps }: Process): Promise<void> {
  await Promise.race([steps.reached, engine.caughtUp().catch(() => undefined)])
}
