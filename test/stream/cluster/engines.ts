/** Parts of a cluster over one log, in one test: each with a store of its own, as processes have. */
import { systemClock } from '../../../src/base/clock.ts'
import { MillraceError } from '../../../src/base/faults.ts'
import type { FeatureView } from '../../../src/definition/feature-view.ts'
import type { Log } from '../../../src/log/log.ts'
import { openEmbeddedLog } from '../../../src/log/embedded/embedded-log.ts'
import { compile } from '../../../src/plan/compile.ts'
import type { Plan } from '../../../src/plan/plan.ts'
import { openMemoryOnlineStore } from '../../../src/store/online/memory/memory-online-store.ts'
import type { OnlineStore } from '../../../src/store/online/online-store.ts'
import { ClusterEngine, type ClusterPartition } from '../../../src/stream/cluster/cluster-engine.ts'
import type { EngineCounts } from '../../../src/stream/engine-types.ts'
import type { Subject } from '../../oracle/matches-log.ts'
import { makeMemoryFileSystem } from '../../log/embedded/memory-file-system.ts'

export async function openMemoryLog(): Promise<Log> {
  return await openEmbeddedLog({ folder: '/log', clock: systemClock, fileSystem: makeMemoryFileSystem() })
}

let ids = 0

export type PartOptions = {
  readonly views: readonly FeatureView[]
  readonly log: Log
  readonly store?: OnlineStore
  readonly checkpointMs?: number
  readonly partitions?: number
  readonly processedPartitions?: number
}

export async function openPart({ views, log, store, ...options }: PartOptions): Promise<ClusterEngine> {
  return await ClusterEngine.open({
    plan: compile(views),
    log,
    store: store ?? openMemoryOnlineStore(),
    clock: systemClock,
    folder: '/state',
    partitions: options.partitions ?? 2,
    checkpointMs: options.checkpointMs ?? 10,
    keysMax: 1_000,
    processedPartitions: options.processedPartitions ?? 3,
    makeId: () => `test ${ids++}`,
  })
}

/** Partitions of source topics, or of accepted events. */
export function partitionsOf(
  engine: ClusterEngine,
  of: 'ingest' | 'compute',
  numbers: readonly number[],
): ClusterPartition[] {
  return engine.topics[of].flatMap((topic) => numbers.map((partition) => ({ topic, partition })))
}

/** The parts of a cluster as one engine. */
export function together(plan: Plan, engines: readonly ClusterEngine[]): Subject['engine'] {
  return {
    get counts(): EngineCounts {
      const all = engines.map(({ counts }) => counts)
      const views = plan.views.map(({ name }) => {
        const sum = { applied: 0, filtered: 0, unkeyed: 0, forgotten: 0, before: 0 }
        for (const { views: own } of all) {
          for (const what of Object.keys(sum) as (keyof typeof sum)[]) sum[what] += own[name]![what]
        }
        return [name, sum] as const
      })
      return { sources: all.flatMap(({ sources }) => sources), views: Object.fromEntries(views) }
    },
    state: (view, key) => {
      for (const engine of engines) {
        try {
          return engine.state(view, key)
        } catch (error) {
          if (!(error instanceof MillraceError && error.code === 'KEY_ELSEWHERE')) throw error
        }
      }
      throw new Error('no part has the key')
    },
  }
}
