import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import type { GroupOptions } from '../log/kafka/group/group-options.ts'
import type { Log } from '../log/log.ts'
import type { Plan } from '../plan/plan.ts'
import { openEmbeddedOnlineStore } from '../store/online/embedded/embedded-online-store.ts'
import type { OnlineStore } from '../store/online/online-store.ts'
import { ClusterEngine, type ClusterPartition, type Membership } from '../stream/cluster/cluster-engine.ts'
import { partitionsOf, processedPartitionsDefault } from '../stream/cluster/cluster-topics.ts'
import { Engine } from '../stream/engine.ts'
import type { EngineObserver } from '../stream/engine-types.ts'
import { VectorReader } from '../serve/vector-reader.ts'
import type { Scorer } from './answers/scorer.ts'
import { joinPlace } from './join-place.ts'
import type { LogPlace } from './open-log.ts'

/** What a mill asks of its engine, whether that has everything or a part of a cluster's work. */
export type RunningEngine = Omit<Pick<Engine, keyof Engine>, 'start'>

/** Which partitions: all that there are, these, or those that the group gives this process. */
export type Share = 'all' | 'shared' | readonly number[]

/**
 * What a process does of the work that it shares with others, by partitions. Each source partition and each partition
 * of accepted events should be one process's; while it is two's, the one that came later counts. Without any of the
 * three: all of `ingest` and `compute`, or what the group gives it.
 */
export type ClusterOptions = {
  /** Processes of one group share the work: what one of them leaves, by ending or by being killed, others take over. */
  readonly group?: string | GroupSettings
  /** Partitions of the topics `processed-events.<entity>` that do not exist yet. Default 8. They keep their number. */
  readonly partitions?: number
  /** Partitions of the streams' topics whose events are judged here. */
  readonly ingest?: Share
  /** Partitions of `processed-events` that are folded here. */
  readonly compute?: Share
  /** Partitions of `processed-events` whose states are kept here to be read, whoever folds them. */
  readonly serve?: Exclude<Share, 'shared'>
}

export type GroupSettings = Pick<GroupOptions, 'instanceId' | 'protocol' | 'sessionMs'> & { readonly name: string }

type Opening = {
  readonly plan: Plan
  readonly planOf: (hash: string) => Plan | null
  readonly log: Log
  readonly clock: Clock
  readonly partitions: number
}

export type EngineSettings = {
  readonly folder: string
  readonly checkpointMs?: number
  readonly keysMax?: number
  readonly observer?: EngineObserver
  readonly log?: LogPlace
  readonly cluster?: ClusterOptions
}

/** The online store, and an engine that has begun to read: `opened` is waited for before it does. */
export async function openEngine(
  settings: EngineSettings,
  {
    scorer,
    opened,
    ...opening
  }: Opening & { readonly scorer: Scorer | null; readonly opened: (store: OnlineStore) => Promise<void> },
): Promise<{ store: OnlineStore; engine: RunningEngine }> {
  const { observer, cluster, checkpointMs = 1_000, keysMax = 100_000 } = settings
  if (scorer !== null && cluster !== undefined) throw new MillraceError('SCORES_IN_CLUSTER', {})
  const folder = join(settings.folder, cluster === undefined ? 'store' : 'cluster-store')
  const store = await openEmbeddedOnlineStore({ folder })
  try {
    await opened(store)
    const options = {
      ...opening,
      store,
      folder,
      checkpointMs,
      keysMax,
      ...(observer === undefined ? {} : { observer }),
    }
    if (cluster !== undefined) return { store, engine: await openPart(cluster, settings.log, options) }
    const engine = await Engine.open(scorer === null ? options : { ...options, follower: scorer })
    let reader = new VectorReader(engine.plan, engine, opening.clock)
    scorer?.readFrom(() => {
      if (reader.plan !== engine.plan) reader = new VectorReader(engine.plan, engine, opening.clock)
      return reader
    })
    engine.start()
    return { store, engine }
  } catch (error) {
    await store.close()
    throw error
  }
}

async function openPart(
  cluster: ClusterOptions,
  place: LogPlace | undefined,
  options: Omit<Parameters<typeof ClusterEngine.open>[0], 'makeId' | 'processedPartitions'>,
): Promise<ClusterEngine> {
  const engine = await ClusterEngine.open({
    ...options,
    processedPartitions: cluster.partitions ?? processedPartitionsDefault,
    makeId: () => randomUUID(),
  })
  const { group, ingest, compute, serve } = cluster
  const isSaid = ingest !== undefined || compute !== undefined || serve !== undefined
  const unsaid: Share = isSaid ? [] : group === undefined ? 'all' : 'shared'
  const { topics } = engine
  const shares = [
    [topics.ingest, ingest ?? unsaid],
    [topics.compute, compute ?? unsaid],
  ] as const
  for (const [of, share] of shares) engine.assign(places(options.log, of, share))
  engine.follow(places(options.log, topics.compute, serve ?? []))
  const shared = shares.flatMap(([of, share]) => (share === 'shared' ? of : []))
  if (shared.length > 0)
    engine.join(await joinGroup(engine, shared, { group, place, clock: options.clock, observer: options.observer }))
  return engine
}

type Joining = {
  readonly group: ClusterOptions['group'] | undefined
  readonly place: LogPlace | undefined
  readonly clock: Clock
  readonly observer: EngineObserver | undefined
}

async function joinGroup(
  engine: ClusterEngine,
  topics: readonly string[],
  { group, place, clock, observer }: Joining,
): Promise<Membership> {
  if (group === undefined || place === undefined) {
    const allowed = 'Name a `group`, and give a log in Kafka; or say which partitions.'
    throw new MillraceError('REQUEST_MALFORMED', { detail: 'a shared part of the work', allowed })
  }
  const { name, ...settings }: GroupSettings = typeof group === 'string' ? { name: group } : group
  return await joinPlace(place, {
    ...settings,
    clock,
    group: name,
    topics,
    // Restoring goes on behind it: what is asked for meanwhile is told so.
    onAssigned: async (partitions) => {
      engine.assign(partitions)
      await Promise.resolve()
    },
    onRevoked: async (partitions) => await engine.revoke(partitions),
    onRebalance: (change) => observer?.rebalance?.(change),
  })
}

/** Throws `LOG_PARTITION_UNKNOWN`. */
function places(log: Log, topics: readonly string[], share: Share): ClusterPartition[] {
  if (share === 'shared') return []
  return topics.flatMap((topic) => {
    const partitions = partitionsOf(log, topic)
    const numbers = share === 'all' ? Array.from({ length: partitions }, (_, partition) => partition) : share
    return numbers.map((partition) => {
      if (!(partition < partitions)) throw new MillraceError('LOG_PARTITION_UNKNOWN', { topic, partition, partitions })
      return { topic, partition }
    })
  })
}
