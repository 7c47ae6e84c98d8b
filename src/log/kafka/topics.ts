import { ConfigResourceTypes, createTopicsV7, describeConfigsV4 } from '@platformatic/kafka'
import { MillraceError } from '../../base/faults.ts'
import type { TopicOptions } from '../log.ts'
import { type Cluster, evenSo } from './cluster.ts'
import type { KafkaSettings } from './kafka-options.ts'
import { kafkaFault, troubleOfCode } from './kafka-trouble.ts'

export type TopicSettings = {
  /** Null: for ever. */
  readonly retentionMs: number | null
  /** Of one batch, as it is stored. */
  readonly batchBytesMax: number
}

/** What the cluster says of topics. Those of which this client may not be told have a fault in place of settings. */
export async function describeTopics(
  cluster: Cluster,
  topics: readonly string[],
): Promise<ReadonlyMap<string, TopicSettings | MillraceError>> {
  if (topics.length === 0) return new Map()
  const asked = topics.map((resourceName) => ({ ...topicKeys, resourceName }))
  const { results } = await cluster.retrying({ action: 'describe topics' }, () =>
    cluster.ask((connection) => evenSo<Described>(describeConfigsV4.api.async(connection, asked, false, false))),
  )
  return new Map(
    results.flatMap(({ resourceName: topic, errorCode, configs }): [string, TopicSettings | MillraceError][] => {
      if (errorCode !== 0) {
        const trouble = troubleOfCode(errorCode)
        // Deleted a moment ago, or created: there is a later time to ask.
        if (trouble.passes) return []
        const doing = { action: 'describe', operation: 'DescribeConfigs', topic }
        return [[topic, kafkaFault(trouble, cluster.settings, doing)]]
      }
      const valueOf = (name: string): string => configs.find((config) => config.name === name)?.value ?? ''
      const retentionMs = Number(valueOf('retention.ms'))
      // Compaction alone deletes nothing that is the newest of its key, however old.
      const isKept = retentionMs < 0 || !valueOf('cleanup.policy').includes('delete')
      const batchBytesMax = Number(valueOf('max.message.bytes'))
      return [[topic, { retentionMs: isKept ? null : retentionMs, batchBytesMax }]]
    }),
  )
}

/** Creates a topic; resolves too when another process was faster. Throws `KAFKA_REPLICAS_TOO_FEW`. */
export async function createKafkaTopic(cluster: Cluster, topic: string, options: TopicOptions): Promise<void> {
  const { replication } = cluster.settings
  if (replication > cluster.brokerCount) {
    throw new MillraceError('KAFKA_REPLICAS_TOO_FEW', { topic, replication, brokers: cluster.brokerCount })
  }
  const asked = {
    name: topic,
    numPartitions: options.partitions,
    replicationFactor: replication,
    assignments: [],
    configs: Object.entries(newTopicConfigs(cluster.settings, options)).map(([name, value]) => ({
      name,
      value,
    })),
  }
  const doing = { action: 'create', operation: 'Create', topic }
  await cluster.retrying(doing, async () => {
    try {
      await cluster.ask((connection) => createTopicsV7.api.async(connection, [asked], 20_000, false))
    } catch (error) {
      if (!isAlreadyThere(error)) throw error
    }
  })
}

/** What is written in vain has to be put right before the records that it stands for are gone. */
const compactionLagMs = 3_600_000

/** Of topics that are created here; one that is there keeps what it has. */
export function newTopicConfigs(
  { inSyncMin, appendBytesMax }: Pick<KafkaSettings, 'inSyncMin' | 'appendBytesMax'>,
  { retentionMs, compacted = false }: Pick<TopicOptions, 'retentionMs' | 'compacted'>,
): Readonly<Record<string, string>> {
  return {
    'cleanup.policy': compacted ? 'compact' : 'delete',
    ...(compacted ? { 'min.compaction.lag.ms': String(compactionLagMs) } : {}),
    'retention.ms': String(retentionMs ?? -1),
    'retention.bytes': '-1',
    'min.insync.replicas': String(inSyncMin),
    'max.message.bytes': String(appendBytesMax),
    'message.timestamp.type': 'CreateTime',
  }
}

type Described = Awaited<ReturnType<typeof describeConfigsV4.api.async>>

const topicKeys = {
  resourceType: ConfigResourceTypes.TOPIC,
  configurationKeys: ['retention.ms', 'cleanup.policy', 'max.message.bytes'],
}

function isAlreadyThere(error: unknown): boolean {
  const { errors } = error as { errors?: readonly { apiId?: string }[] }
  return errors?.some(({ apiId }) => apiId === 'TOPIC_ALREADY_EXISTS') === true
}
