/**
 * The one file that knows how a process of millrace is put together: the embedded log, the engine, the reader. What
 * the rest of the simulation asks of a process is said here.
 */
import type { Clock } from '../../src/base/clock.ts'
import { openEmbeddedLog, type EmbeddedLog } from '../../src/log/embedded/embedded-log.ts'
import type { FileSystem } from '../../src/log/embedded/file-system.ts'
import type { Log } from '../../src/log/log.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { type Vector, VectorReader, type VectorOptions } from '../../src/serve/vector-reader.ts'
import type { OnlineStore } from '../../src/store/online/online-store.ts'
import { type Checkpoint, readCheckpoint } from '../../src/stream/checkpoint.ts'
import { Engine, type EngineCounts } from '../../src/stream/engine.ts'

export const logFolder = '/data/log'
const stateFolder = '/data/state'

/** Small numbers, so that everything that happens at a limit happens. */
export type Settings = {
  readonly partitions: number
  readonly segmentBytes: number
  readonly tailBytesMax: number
  /** Most that one read of the log gives. */
  readonly readBytesMax: number
  readonly checkpointMs: number
  readonly keysMax: number
  /** Of source topics. Null: kept for ever. */
  readonly retentionMs: number | null
}

export type Ports = {
  readonly fileSystem: FileSystem
  readonly store: OnlineStore
  readonly clock: Clock
  readonly makeId: () => string
}

/** A process that runs. */
export type Running = {
  readonly plan: Plan
  readonly log: EmbeddedLog
  readonly counts: EngineCounts
  readonly fault: Error | null
  start(): void
  checkpoint(): Promise<void>
  caughtUp(): Promise<void>
  read(view: string, keys: Readonly<Record<string, unknown>>, options: VectorOptions): Vector
  /** Keys that a view holds in memory. */
  cachedKeys(view: string): number
  /** As a user closes it. */
  close(): Promise<void>
}

export async function openProcess(plan: Plan, settings: Settings, ports: Ports): Promise<Running> {
  const { fileSystem, store, clock, makeId } = ports
  const { partitions, segmentBytes, tailBytesMax, retentionMs, checkpointMs, keysMax } = settings
  const log = await openEmbeddedLog({ folder: logFolder, clock, fileSystem, makeId, segmentBytes, tailBytesMax })
  if (retentionMs !== null) {
    const topics = new Set(log.topics().map(({ topic }) => topic))
    for (const { topic } of plan.streams) {
      if (!topics.has(topic)) await log.createTopic(topic, { partitions, retentionMs })
      topics.add(topic)
    }
  }
  const seen = withSmallReads(log, settings.readBytesMax)
  const options = { plan, log: seen, store, clock, folder: stateFolder, partitions, checkpointMs, keysMax }
  const engine = await Engine.open(options)
  const reader = new VectorReader(plan, engine, clock)
  return {
    plan,
    log,
    get counts() {
      return engine.counts
    },
    get fault() {
      return engine.fault
    },
    start: () => engine.start(),
    checkpoint: () => engine.checkpoint(),
    caughtUp: () => engine.caughtUp(),
    read: (view, keys, read) => reader.read(reader.viewsOf(view), keys, read),
    cachedKeys: (view) => engine.cachedKeys(view),
    close: async () => {
      try {
        await engine.close()
      } finally {
        await store.close()
        await log.close()
      }
    },
  }
}

/** The checkpoint that a store holds now. */
export function storedCheckpoint(
  store: Pick<OnlineStore, 'get' | 'range'>,
  plan: Plan,
  log: string,
): Checkpoint | null {
  const unused = { write: () => Promise.resolve(), close: () => Promise.resolve() }
  const reading: OnlineStore = { get: (key) => store.get(key), range: (from, to) => store.range(from, to), ...unused }
  return readCheckpoint(reading, { plan: plan.hash, log, folder: stateFolder })
}

/** The same log for a reader with little room. */
function withSmallReads(log: Log, limit: number): Log {
  return {
    id: log.id,
    createTopic: (topic, options) => log.createTopic(topic, options),
    topics: () => log.topics(),
    append: (topic, partition, records) => log.append(topic, partition, records),
    read: (topic, partition, offset, bytesMax) => log.read(topic, partition, offset, Math.min(bytesMax, limit)),
    start: (topic, partition) => log.start(topic, partition),
    end: (topic, partition) => log.end(topic, partition),
    offsetAt: (topic, partition, timestampMs) => log.offsetAt(topic, partition, timestampMs),
    waitFor: (topic, partition, offset, signal) => log.waitFor(topic, partition, offset, signal),
    close: () => log.close(),
  }
}
