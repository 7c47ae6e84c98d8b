import { MillraceError } from '../../base/faults.ts'
import { canonicalJson, sha256 } from '../../base/hash.ts'
import type { Log } from '../../log/log.ts'
import { forgottenTopic } from '../../plan/forgotten.ts'
import type { Plan, StreamPlan } from '../../plan/plan.ts'
import { featureStateTopic, ingestStateTopic, processedEventsTopic } from '../../plan/topics.ts'
import { createTopics } from '../create-topics.ts'

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

/** Creates what the processes of a cluster hand one another. Throws `CLUSTER_UNSUPPORTED`. */
export async function createClusterTopics(
  plan: Plan,
  { log, partitions, processedPartitions }: { log: Log; partitions: number; processedPartitions: number },
): Promise<void> {
  refuseUnsupported(plan)
  await createTopics(plan, { log, partitions })
  const existing = new Map(log.topics().map(({ topic, partitions: count }) => [topic, count]))
  await log.refresh(forgottenTopic)
  if (log.end(forgottenTopic, 0) > 0) throw unsupported('forgotten entities', forgetInstead)
  for (const entity of entitiesOf(plan).keys()) {
    const count = existing.get(processedEventsTopic(entity)) ?? processedPartitions
    await log.createTopic(processedEventsTopic(entity), { partitions: count, ...kept(existing, entity) })
    await log.createTopic(featureStateTopic(entity), { partitions: count, compacted: true })
  }
  for (const { name, topic } of plan.streams) {
    await log.createTopic(ingestStateTopic(name), { partitions: partitionsOf(log, topic), compacted: true })
  }
}

/** Of a topic that is there already, whoever made it said how long. */
function kept(existing: ReadonlyMap<string, number>, entity: string): { readonly retentionMs?: number } {
  return existing.has(processedEventsTopic(entity)) ? {} : { retentionMs: processedKeptMs }
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
