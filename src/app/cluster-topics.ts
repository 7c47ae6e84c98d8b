import type { Clock } from '../base/clock.ts'
import { formatDuration } from '../base/duration.ts'
import type { ClusterDescription, KafkaTopicDescription } from '../log/kafka/describe-cluster.ts'
import { storedName } from '../log/namespaced-log.ts'
import type { Plan } from '../plan/plan.ts'
import { modelRegistryTopic, registryTopic } from '../plan/topics.ts'
import { processedPartitionsDefault, type WorkTopic, workTopics } from '../stream/cluster/cluster-topics.ts'
import { plannedTopics } from '../stream/create-topics.ts'
import { loadKafkaModule, type LogPlace } from './open-log.ts'

/** A topic that a plan needs in Kafka: as it would be created, and what differs where it is there. */
export type ClusterTopic = {
  /** As it is called in Kafka. */
  readonly name: string
  /** As the plan calls it, without the namespace. */
  readonly topic: string
  readonly planned: KafkaTopicDescription
  /** Null: `apply` creates it. */
  readonly found: KafkaTopicDescription | null
  /** What is otherwise than a new one would be. `apply` leaves it as it is. */
  readonly differences: readonly string[]
}

export async function describeKafka({ options }: LogPlace, clock: Clock): Promise<ClusterDescription> {
  const { describeCluster } = await loadKafkaModule(() => import('../log/kafka/describe-cluster.ts'))
  return await describeCluster({ ...options, clock })
}

export function clusterTopics(
  plan: Plan,
  cluster: ClusterDescription,
  { namespace, partitions }: Pick<LogPlace, 'namespace'> & { readonly partitions: number },
): readonly ClusterTopic[] {
  const existing = cluster.topics.map((one) => ({ ...one, retentionMs: retentionOf(one) }))
  const needed = [
    ...plannedTopics(plan, { existing, partitions }),
    ...[registryTopic, modelRegistryTopic].map((topic) => ({ topic, partitions: 1, retentionMs: null })),
  ]
  const of = (topics: readonly (Omit<WorkTopic, 'compacted'> & { compacted?: boolean })[]): readonly ClusterTopic[] =>
    topics.map((one) => clusterTopic(one, cluster, namespace))
  const own = namespace === null ? existing : withoutNamespace(existing, namespace)
  const work = of(workTopics(plan, { existing: own, partitions, processed: processedPartitionsDefault }))
  // Made by the first process that shares the work, if there ever is one.
  return [...of(needed), ...(work.some(({ found }) => found !== null) ? work : [])]
}

function clusterTopic(
  { topic, partitions, retentionMs, compacted = false }: Omit<WorkTopic, 'compacted'> & { compacted?: boolean },
  cluster: ClusterDescription,
  namespace: LogPlace['namespace'],
): ClusterTopic {
  const name = namespace === null ? topic : storedName(topic, namespace)
  const found = cluster.topics.find((one) => one.topic === name) ?? null
  const planned: KafkaTopicDescription = {
    topic: name,
    partitions,
    replication: cluster.replication,
    underReplicated: 0,
    leaderless: 0,
    configs: cluster.newTopic({ compacted, ...(retentionMs === null ? {} : { retentionMs }) }),
    fault: null,
    operations: [],
  }
  return { name, topic, planned, found, differences: found === null ? [] : differencesOf(planned, found) }
}

/** Own topics by their short names, beside those that belong to nobody. */
function withoutNamespace<Topic extends { readonly topic: string }>(
  topics: readonly Topic[],
  { name }: NonNullable<LogPlace['namespace']>,
): readonly Topic[] {
  return topics.map((one) =>
    one.topic.startsWith(`${name}.`) ? { ...one, topic: one.topic.slice(name.length + 1) } : one,
  )
}

/** For people: `4 partitions, 3 copies of which 2 in sync, delete, kept for ever`. */
export function topicText(topic: KafkaTopicDescription): string {
  const { partitions, replication, configs } = topic
  if (topic.fault !== null) return `${partitions} partitions, ${topic.fault.message}`
  const [many, copies] = [partitions === 1 ? '1 partition' : `${partitions} partitions`, replication]
  const inSync = configs['min.insync.replicas'] ?? '?'
  return `${many}, ${copies} ${copies === 1 ? 'copy' : `copies of which ${inSync} in sync`}, ${configs['cleanup.policy'] ?? '?'}, kept ${keptText(topic)}`
}

/** Null: for ever, as compaction alone keeps the newest of each key. */
export function retentionOf({ configs }: KafkaTopicDescription): number | null {
  const retentionMs = Number(configs['retention.ms'] ?? -1)
  return retentionMs < 0 || configs['cleanup.policy']?.includes('delete') === false ? null : retentionMs
}

function keptText(topic: KafkaTopicDescription): string {
  const retentionMs = retentionOf(topic)
  return retentionMs === null ? 'for ever' : `for ${formatDuration(retentionMs)}`
}

function differencesOf(planned: KafkaTopicDescription, found: KafkaTopicDescription): readonly string[] {
  const lines: string[] = []
  for (const part of ['partitions', 'replication'] as const) {
    if (found[part] !== planned[part]) lines.push(`${part} ${found[part]} instead of ${planned[part]}`)
  }
  for (const [name, value] of Object.entries(planned.configs)) {
    const own = found.configs[name]
    if (own !== undefined && own !== value) lines.push(`${name} ${own} instead of ${value}`)
  }
  return lines
}
