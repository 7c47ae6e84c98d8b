/**
 * The one file that knows how a process of millrace is put together: the embedded log, the engine, the reader. What
 * the rest of the simulation asks of a process is said here.
 */
import type { Clock } from '../../src/base/clock.ts'
import { openEmbeddedLog, type EmbeddedLog } from '../../src/log/embedded/embedded-log.ts'
import type { FileSystem } from '../../src/log/embedded/file-system.ts'
import type { Log } from '../../src/log/log.ts'
import type { ForgottenEntity } from '../../src/plan/forgotten.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { type Vector, VectorReader, type VectorOptions } from '../../src/serve/vector-reader.ts'
import type { OnlineStore } from '../../src/store/online/online-store.ts'
import type { Checkpoint, SourceProgress } from '../../src/stream/checkpoint.ts'
import { Engine } from '../../src/stream/engine.ts'
import type { EngineCounts, HaltedPartition } from '../../src/stream/engine-types.ts'
import { checkpointKey } from '../../src/stream/store-keys.ts'

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
  /** What is served now. */
  readonly plan: Plan
  readonly log: EmbeddedLog
  readonly counts: EngineCounts
  readonly fault: Error | null
  /** Source partitions that stopped by themselves. */
  readonly halted: readonly HaltedPartition[]
  start(): void
  checkpoint(): Promise<void>
  caughtUp(): Promise<void>
  apply(plan: Plan): Promise<void>
  /** Resolves when no plan is on its way. */
  settled(): Promise<void>
  forget(entity: string, key: Uint8Array): Promise<ForgottenEntity>
  read(view: string, keys: Readonly<Record<string, unknown>>, options: VectorOptions): Vector
  /** As a user closes it. */
  close(): Promise<void>
}

/** @param plans all that may be found in a checkpoint; the first is the one to run. */
export async function openProcess(plans: readonly Plan[], settings: Settings, ports: Ports): Promise<Running> {
  const { fileSystem, store, clock, makeId } = ports
  const { partitions, segmentBytes, tailBytesMax, checkpointMs, keysMax } = settings
  const plan = plans[0]!
  const log = await openEmbeddedLog({ folder: logFolder, clock, fileSystem, makeId, segmentBytes, tailBytesMax })
  const seen = withSmallReads(log, settings.readBytesMax)
  const planOf = (hash: string): Plan | null => plans.find((one) => one.hash === hash) ?? null
  const options = { plan, planOf, log: seen, store, clock, folder: stateFolder, partitions, checkpointMs, keysMax }
  const engine = await Engine.open(options)
  return {
    log,
    get plan() {
      return engine.plan
    },
    get counts() {
      return engine.counts
    },
    get fault() {
      return engine.fault
    },
    get halted() {
      return engine.halted
    },
    start: () => engine.start(),
    checkpoint: () => engine.checkpoint(),
    caughtUp: () => engine.caughtUp(),
    apply: (next) => engine.apply(next),
    settled: () => engine.settled(),
    forget: (entity, key) => engine.forget(entity, key),
    read: (view, keys, read) => {
      const reader = new VectorReader(engine.plan, engine, clock)
      return reader.read(reader.prepare({ service: view }), keys, read)
    },
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
export function storedCheckpoint(store: { get(key: Uint8Array): Uint8Array | undefined }): Checkpoint | null {
  const bytes = store.get(checkpointKey)
  return bytes === undefined ? null : (JSON.parse(Buffer.from(bytes).toString()) as Checkpoint)
}

/** How far a stream of a plan has got in a checkpoint. */
export function progressIn(
  checkpoint: Checkpoint | null,
  plan: Plan,
  { stream, partition }: { readonly stream: string; readonly partition: number },
): SourceProgress | null {
  const fingerprint = plan.streams.find(({ name }) => name === stream)?.fingerprint
  const track = checkpoint?.tracks.find((one) => one.stream === fingerprint && !one.building)
  return track?.sources.find((source) => source.partition === partition) ?? null
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
    refresh: (topic) => log.refresh(topic),
    offsetAt: (topic, partition, timestampMs) => log.offsetAt(topic, partition, timestampMs),
    waitFor: (topic, partition, offset, signal) => log.waitFor(topic, partition, offset, signal),
    close: () => log.close(),
  }
}
