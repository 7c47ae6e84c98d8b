import { MillraceError } from '../../base/faults.ts'
import { canonicalJson, sha256 } from '../../base/hash.ts'
import type { Log, TopicDescription } from '../../log/log.ts'
import { forgottenTopic } from '../../plan/forgotten.ts'
import type { Plan, StreamPlan } from '../../plan/plan.ts'
import { featureStateTopic, ingestStateTopic, processedEventsTopic } from '../../plan/topics.ts'
import { createTopics, type PlannedTopic } from '../create-topics.ts'

/** The entities of a plan's views, and the streams that those are folded from. */
export function entitiesOf(plan: Plan): ReadonlyMap<string, readonly StreamPlan[]> {
  const entities = new Set(plan.views.map(({ entity }) => entity))
  return new Map([...entities].map((entity) => [entity, plan.streams.filter((one) => has(one, entity))]))
}

function has({ views }: StreamPlan, entity: string): boolean {
  return views.some((view) => view.entity === entity)
}

/** How long accepted events are kept for those who fold them: the longest that a process may be away. */
const processedKeptMs = 7 * 24 * 3_600_000
export const processedPartitionsDefault = 8

export type WorkTopic = PlannedTopic & { readonly compacted: boolean }

/** What the processes of a cluster hand one another, as it is made where it is not there yet. */
export function workTopics(
  plan: Plan,
  of: { readonly existing: readonly TopicDescription[]; readonly partitions: number; readonly processed: number },
): readonly WorkTopic[] {
  const countOf = (topic: string, otherwise: number): number =>
    of.existing.find((one) => one.topic === topic)?.partitions ?? otherwise
  const ofEntities = [...entitiesOf(plan).keys()].flatMap((entity): WorkTopic[] => {
    const topic = processedEventsTopic(entity)
    const partitions = countOf(topic, of.processed)
    return [
      { topic, partitions, retentionMs: processedKeptMs, compacted: false },
      { topic: featureStateTopic(entity), partitions, retentionMs: null, compacted: true },
    ]
  })
  const ofStreams = plan.streams.map(({ name, topic }): WorkTopic => {
    const partitions = countOf(topic, of.partitions)
    return { topic: ingestStateTopic(name), partitions, retentionMs: null, compacted: true }
  })
  return [...ofEntities, ...ofStreams]
}

/** Creates what the processes of a cluster hand one another. Throws `CLUSTER_UNSUPPORTED`. */
export async function createClusterTopics(
  plan: Plan,
  { log, partitions, processedPartitions }: { log: Log; partitions: number; processedPartitions: number },
): Promise<void> {
  refuseUnsupported(plan)
  await createTopics(plan, { log, partitions })
  await log.refresh(forgottenTopic)
  if (log.end(forgottenTopic, 0) > 0) throw unsupported('forgotten entities', forgetInstead)
  const existing = log.topics()
  for (const { topic, retentionMs, ...own } of workTopics(plan, {
    existing,
    partitions,
    processed: processedPartitions,
  })) {
    // Of one that is there already, whoever made it said how long.
    const isNew = existing.every((one) => one.topic !== topic)
    await log.createTopic(topic, { ...own, ...(isNew && retentionMs !== null ? { retentionMs } : {}) })
  }
}

export function partitionsOf(log: Log, topic: string): number {
  return log.topics().find((one) => one.topic === topic)?.partitions ?? 0
}

/** Names what a source partition's verdicts and sending depend on, in whichever order it was declared. */
export function ingestWork(stream: StreamPlan, log: Log): string {
  const views = stream.views.map(({ entity, fingerprint }) => [entity, fingerprint].join())
  const lanes = [...new Set(stream.views.map(({ entity }) => entity))].map((entity) => {
    return [entity, partitionsOf(log, processedEventsTopic(entity))].join()
  })
  return nameOf([stream.name, stream.fingerprint, stream.topic, views.sort(), lanes.sort()])
}

/** Names what the states of an entity depend on, in whichever order it was declared. */
export function foldWork(entity: string, streams: readonly StreamPlan[], partitions: number): string {
  const of = streams.map(({ name, fingerprint, topic, views }) => {
    const own = views.filter((view) => view.entity === entity).map((view) => view.fingerprint)
    return [name, fingerprint, topic, own.sort().join()].join(' ')
  })
  return nameOf([entity, partitions, of.sort()])
}

function nameOf(of: unknown): string {
  return sha256(canonicalJson(of)).slice(0, 16)
}

const forgetInstead =
  'Entities are forgotten by one process that has everything: stop the others, and start one without a cluster.'

function refuseUnsupported(plan: Plan): void {
  const fingerprints = new Set<string>()
  for (const { name, history, fingerprint } of plan.streams) {
    if (history !== null)
      throw unsupported(`the history of stream "${name}"`, 'Run it in one process, without a cluster.')
    if (fingerprints.has(fingerprint)) {
      throw unsupported(`stream "${name}", which is another one by a second name`, 'Declare it once.')
    }
    fingerprints.add(fingerprint)
  }
  for (const { name, emit } of plan.views) {
    if (emit?.per !== 'interval') continue
    throw unsupported(`values per interval of view "${name}"`, 'Emit them per event, or run it in one process.')
  }
}

export function unsupported(what: string, instead: string): MillraceError {
  return new MillraceError('CLUSTER_UNSUPPORTED', { what, instead })
}
