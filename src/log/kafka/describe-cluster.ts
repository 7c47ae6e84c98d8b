import { ConfigResourceTypes, describeConfigsV4, FindCoordinatorKeyTypes, findCoordinatorV4 } from '@platformatic/kafka'
import type { Clock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import type { TopicOptions } from '../log.ts'
import { Cluster, evenSo } from './cluster.ts'
import { type KafkaOptions, kafkaSettings } from './kafka-options.ts'
import { kafkaFault, type Trouble, troubleOf, troubleOfCode } from './kafka-trouble.ts'
import { newTopicConfigs } from './topics.ts'

export type BrokerDescription = {
  readonly id: number
  readonly address: string
  /** Null: it answers. */
  readonly trouble: string | null
  /** Newest version of the heartbeats of KIP-848 that it speaks; null: none. */
  readonly groupProtocol: number | null
}

export type KafkaTopicDescription = {
  readonly topic: string
  readonly partitions: number
  readonly replication: number
  /** Partitions of which a replica lags behind, and those that nobody leads. */
  readonly underReplicated: number
  readonly leaderless: number
  /** Of Kafka's settings; empty when this client may not be told. */
  readonly configs: Readonly<Record<string, string>>
  readonly fault: MillraceError | null
  /** What this client may do. */
  readonly operations: readonly TopicOperation[]
}

export type TopicOperation = 'Read' | 'Write' | 'Describe'

export type ClusterDescription = {
  readonly brokers: readonly BrokerDescription[]
  readonly topics: readonly KafkaTopicDescription[]
  /** What a new topic gets here. */
  readonly replication: number
  readonly newTopic: (options: Pick<TopicOptions, 'retentionMs' | 'compacted'>) => Readonly<Record<string, string>>
  /** Why this client may not use groups; null: it may. */
  readonly groupFault: MillraceError | null
}

/**
 * Looks at a cluster and changes nothing. Throws `KAFKA_UNREACHABLE` when no broker answers,
 * `KAFKA_AUTHENTICATION_REFUSED` and `KAFKA_OPTIONS_MALFORMED`.
 */
export async function describeCluster(options: KafkaOptions & { readonly clock: Clock }): Promise<ClusterDescription> {
  const settings = kafkaSettings(options, options.clock)
  const cluster = new Cluster(settings)
  try {
    const metadata = await cluster.retrying(
      { action: 'list topics' },
      () => cluster.metadata({ operations: true }),
      connectMs,
    )
    const brokers: BrokerDescription[] = []
    for (const { nodeId, host, port } of metadata.brokers) {
      const answered = await askVersions(cluster, nodeId)
      brokers.push({ id: nodeId, address: `${host}:${port}`, ...answered })
    }
    const visible = metadata.topics.filter(({ isInternal }) => !isInternal)
    const configs = await configsOf(
      cluster,
      visible.map(({ name }) => name ?? ''),
    )
    const topics = visible.map(({ name, errorCode, partitions, topicAuthorizedOperations }): KafkaTopicDescription => {
      const topic = name ?? ''
      const own = configs.get(topic)
      const doing = { action: 'describe', operation: 'Describe', topic }
      return {
        topic,
        partitions: partitions.length,
        replication: Math.max(0, ...partitions.map(({ replicaNodes }) => replicaNodes.length)),
        underReplicated: partitions.filter(({ isrNodes, replicaNodes }) => isrNodes.length < replicaNodes.length)
          .length,
        leaderless: partitions.filter(({ leaderId }) => leaderId < 0).length,
        operations: operations.filter((_, index) => (topicAuthorizedOperations & (1 << operationBits[index]!)) !== 0),
        configs: own instanceof MillraceError || own === undefined ? {} : own,
        fault:
          errorCode !== 0
            ? kafkaFault(troubleOfCode(errorCode), settings, doing)
            : own instanceof MillraceError
              ? own
              : null,
      }
    })
    return {
      brokers,
      topics,
      replication: settings.replication,
      newTopic: (topic) => newTopicConfigs(settings, topic),
      groupFault: await findGroups(cluster),
    }
  } finally {
    await cluster.close()
  }
}

const connectMs = 5_000
const operations: readonly TopicOperation[] = ['Read', 'Write', 'Describe']
/** Kafka's numbers for them. */
const operationBits = [3, 4, 8]
const heartbeatKey = 68

async function askVersions(
  cluster: Cluster,
  node: number,
): Promise<Pick<BrokerDescription, 'trouble' | 'groupProtocol'>> {
  try {
    return { trouble: null, groupProtocol: await cluster.newestVersion(heartbeatKey, node) }
  } catch (error) {
    return { trouble: troubleOf(error).detail, groupProtocol: null }
  }
}

async function configsOf(
  cluster: Cluster,
  topics: readonly string[],
): Promise<ReadonlyMap<string, Readonly<Record<string, string>> | MillraceError>> {
  if (topics.length === 0) return new Map()
  const asked = topics.map((resourceName) => ({ resourceType: ConfigResourceTypes.TOPIC, resourceName }))
  const { results } = await cluster.ask((connection) =>
    evenSo<Described>(describeConfigsV4.api.async(connection, asked, false, false)),
  )
  return new Map<string, Readonly<Record<string, string>> | MillraceError>(
    results.map(({ resourceName: topic, errorCode, configs }) => {
      if (errorCode === 0) return [topic, Object.fromEntries(configs.map(({ name, value }) => [name, value ?? '']))]
      const doing = { action: 'describe the settings of', operation: 'DescribeConfigs', topic }
      return [topic, kafkaFault(troubleOfCode(errorCode), cluster.settings, doing)]
    }),
  )
}

/** Whether a group of ours could be joined: the group need not exist for that. */
async function findGroups(cluster: Cluster): Promise<MillraceError | null> {
  const { coordinators } = await cluster.ask((connection) =>
    evenSo<Found>(findCoordinatorV4.api.async(connection, FindCoordinatorKeyTypes.GROUP, [probedGroup])),
  )
  const trouble: Trouble = troubleOfCode(coordinators[0]!.errorCode)
  // Where no group was ever joined, the topic that keeps them is made by this question.
  if (coordinators[0]!.errorCode === 0 || trouble.passes) return null
  return kafkaFault(trouble, cluster.settings, { action: 'join', operation: 'Read', group: probedGroup })
}

const probedGroup = 'millrace'

type Described = Awaited<ReturnType<typeof describeConfigsV4.api.async>>
type Found = Awaited<ReturnType<typeof findCoordinatorV4.api.async>>
