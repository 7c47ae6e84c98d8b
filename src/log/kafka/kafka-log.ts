import { assert } from '../../base/assert.ts'
import type { Clock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import type { Log, LogRead, RecordInput, TopicDescription, TopicOptions } from '../log.ts'
import { checkExisting, checkTopicName, checkTopicOptions } from '../topic-rules.ts'
import { Cluster, type Metadata, type NeededApi } from './cluster.ts'
import { type KafkaOptions, kafkaSettings } from './kafka-options.ts'
import { listOffsets } from './offsets.ts'
import { KafkaPartition } from './partition.ts'
import { KafkaReader } from './reader.ts'
import { createKafkaTopic, describeTopics, type TopicSettings } from './topics.ts'
import { KafkaWriter } from './writer.ts'

/**
 * Opens the log that a Kafka cluster is. Every topic that may be seen is there, whoever created it; reads see what is
 * committed, and appends are acknowledged by all in-sync replicas.
 *
 * Throws `KAFKA_UNREACHABLE`, `KAFKA_AUTHENTICATION_REFUSED`, `KAFKA_ACCESS_DENIED`, `KAFKA_TOO_OLD` and
 * `KAFKA_OPTIONS_MALFORMED`.
 */
export async function openKafkaLog(options: KafkaOptions & { readonly clock: Clock }): Promise<Log> {
  const cluster = new Cluster(kafkaSettings(options, options.clock))
  try {
    await cluster.retrying({ action: 'connect' }, () => cluster.checkVersions(neededApis), connectMs)
    const log = new KafkaLog(cluster)
    await log.learnTopics()
    return log
  } catch (error) {
    await cluster.close()
    throw error
  }
}

const connectMs = 5_000

const neededApis: readonly NeededApi[] = [
  { api: 'Produce', key: 0, version: 9 },
  { api: 'Fetch', key: 1, version: 13 },
  { api: 'ListOffsets', key: 2, version: 7 },
  { api: 'Metadata', key: 3, version: 12 },
  { api: 'CreateTopics', key: 19, version: 7 },
  { api: 'InitProducerId', key: 22, version: 4 },
  { api: 'DescribeConfigs', key: 32, version: 4 },
]

type Topic = {
  readonly id: string
  readonly partitions: readonly KafkaPartition[]
  /** A fault: why nothing is known of it. */
  readonly settings: TopicSettings | MillraceError
}

class KafkaLog implements Log {
  readonly #cluster: Cluster
  readonly #reader: KafkaReader
  readonly #writer: KafkaWriter
  readonly #topics = new Map<string, Topic>()
  #id = ''
  #creating: Promise<void> = Promise.resolve()
  #refreshing: Promise<void> | null = null
  #closing: Promise<void> | null = null

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    const leaders = (): Promise<void> => this.#refreshLeaders()
    this.#reader = new KafkaReader(cluster, { leaders, ends: (partition) => this.#learnEnds([partition]) })
    this.#writer = new KafkaWriter(cluster, leaders)
  }

  get id(): string {
    return this.#id
  }

  /** Takes in topics that this process does not know yet, with their settings, leaders and ends. */
  async learnTopics(): Promise<void> {
    const metadata = await this.#cluster.retrying({ action: 'list topics' }, () => this.#cluster.metadata())
    this.#id = `kafka:${metadata.clusterId ?? ''}`
    const found = metadata.topics.filter(({ name, isInternal, errorCode }) => {
      return !isInternal && errorCode === 0 && !this.#topics.has(name ?? '')
    })
    const settings = await describeTopics(
      this.#cluster,
      found.map(({ name }) => name!),
    )
    for (const { name, topicId, partitions } of found) {
      const topic = name!
      const own = settings.get(topic)
      if (own === undefined) continue
      const list = partitions.map((_, index) => new KafkaPartition(topic, topicId, index))
      this.#topics.set(topic, { id: topicId, partitions: list, settings: own })
    }
    this.#takeLeaders(metadata)
    await this.#learnEnds(
      found.flatMap(({ name }) => {
        const topic = this.#topics.get(name!)
        return topic === undefined || topic.settings instanceof MillraceError ? [] : topic.partitions
      }),
    )
  }

  createTopic(topic: string, options: TopicOptions): Promise<void> {
    // One after the other: two calls for one topic must not both create it.
    const created = this.#creating.then(() => this.#createTopic(topic, options))
    // Only the order is kept here; the error goes to whoever asked.
    this.#creating = created.catch(() => undefined)
    return created
  }

  topics(): readonly TopicDescription[] {
    this.#refuseClosed()
    const described = [...this.#topics].flatMap(([topic, { partitions, settings }]) =>
      settings instanceof MillraceError
        ? []
        : [{ topic, partitions: partitions.length, retentionMs: settings.retentionMs }],
    )
    return described.sort((a, b) => (a.topic < b.topic ? -1 : 1))
  }

  // Async, so that what is refused at once rejects as well. Up to the partition's queue nothing is awaited: that keeps
  // the order of the calls.
  async append(topic: string, partition: number, records: readonly RecordInput[]): Promise<number> {
    const target = this.#partition(topic, partition)
    assert(records.length > 0, 'a call appends at least one record')
    const { batchBytesMax } = this.#settings(topic)
    return this.#writer.append(target, records, batchBytesMax)
  }

  async read(topic: string, partition: number, offset: number, bytesMax: number): Promise<LogRead> {
    return await this.#orClosed(this.#reader.read(this.#partition(topic, partition), offset, bytesMax))
  }

  start(topic: string, partition: number): number {
    return this.#partition(topic, partition).start
  }

  end(topic: string, partition: number): number {
    return this.#partition(topic, partition).end
  }

  async refresh(topic: string): Promise<void> {
    this.#partition(topic, 0)
    await this.#orClosed(this.#learnEnds(this.#topics.get(topic)!.partitions))
  }

  async offsetAt(topic: string, partition: number, timestampMs: number): Promise<number> {
    const target = this.#partition(topic, partition)
    const leaders = (): Promise<void> => this.#refreshLeaders()
    const found = await this.#orClosed(listOffsets(this.#cluster, [target], timestampMs, leaders))
    const offset = found.get(target)!
    return offset === -1 ? target.end : offset
  }

  async waitFor(topic: string, partition: number, offset: number, signal: AbortSignal): Promise<void> {
    await this.#reader.waitFor(this.#partition(topic, partition), offset, signal)
  }

  /** Appends already made are finished first. Those who still wait for records get `LOG_CLOSED`. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await this.#creating
    await this.#writer.finished()
    this.#reader.stop(new MillraceError('LOG_CLOSED', {}))
    await this.#cluster.close()
    await this.#reader.stopped()
  }

  async #createTopic(topic: string, options: TopicOptions): Promise<void> {
    this.#refuseClosed()
    checkTopicName(topic, this.#topics.keys())
    checkTopicOptions(options)
    // Another process may have created it since.
    if (!this.#topics.has(topic)) await this.learnTopics()
    if (!this.#topics.has(topic)) {
      await createKafkaTopic(this.#cluster, topic, options)
      await this.#cluster.retrying({ action: 'find the new', topic }, async () => {
        await this.learnTopics()
        if (!this.#topics.has(topic)) throw Object.assign(new Error(topic), { apiId: 'UNKNOWN_TOPIC_OR_PARTITION' })
      })
    }
    const { retentionMs } = this.#settings(topic)
    checkExisting({ topic, partitions: this.#topics.get(topic)!.partitions.length, retentionMs }, options)
  }

  /** One request for all who ask meanwhile. */
  #refreshLeaders(): Promise<void> {
    this.#refreshing ??= this.#cluster
      .retrying({ action: 'find the leaders of partitions' }, () => this.#cluster.metadata())
      .then((metadata) => this.#takeLeaders(metadata))
      .finally(() => {
        this.#refreshing = null
      })
    return this.#refreshing
  }

  #takeLeaders({ topics }: Metadata): void {
    for (const { name, topicId, partitions, errorCode } of topics) {
      const topic = this.#topics.get(name ?? '')
      if (topic === undefined || errorCode !== 0) continue
      if (topic.id !== topicId) {
        const detail = `its id was ${topic.id} and is ${topicId}`
        const fault = new MillraceError('KAFKA_TOPIC_REPLACED', { topic: name!, detail })
        for (const partition of topic.partitions) partition.fail(fault)
        continue
      }
      for (const { partitionIndex, leaderId, leaderEpoch } of partitions) {
        const partition = topic.partitions[partitionIndex]
        // A broker that has not heard of the newest leader yet is no reason to go back to an older one.
        if (partition === undefined || leaderEpoch < partition.leaderEpoch) continue
        partition.leader = leaderId
        partition.leaderEpoch = leaderEpoch
      }
    }
  }

  async #learnEnds(partitions: readonly KafkaPartition[]): Promise<void> {
    if (partitions.length === 0) return
    const leaders = (): Promise<void> => this.#refreshLeaders()
    const starts = await listOffsets(this.#cluster, partitions, 'start', leaders)
    const ends = await listOffsets(this.#cluster, partitions, 'end', leaders)
    for (const partition of partitions) partition.learn(starts.get(partition)!, ends.get(partition)!)
  }

  /** What fails because the log is being closed says so. */
  async #orClosed<Result>(action: Promise<Result>): Promise<Result> {
    try {
      return await action
    } catch (error) {
      this.#refuseClosed()
      throw error
    }
  }

  #settings(topic: string): TopicSettings {
    const { settings } = this.#topics.get(topic)!
    if (settings instanceof MillraceError) throw settings
    return settings
  }

  #partition(topic: string, partition: number): KafkaPartition {
    this.#refuseClosed()
    const found = this.#topics.get(topic)
    if (found === undefined) {
      const topics = [...this.#topics.keys()].sort().join(', ') || 'none'
      throw new MillraceError('LOG_TOPIC_UNKNOWN', { topic, topics })
    }
    this.#settings(topic)
    const target = found.partitions[partition]
    if (target === undefined) {
      const { length: partitions } = found.partitions
      throw new MillraceError('LOG_PARTITION_UNKNOWN', { topic, partition, partitions })
    }
    return target
  }

  #refuseClosed(): void {
    if (this.#closing !== null) throw new MillraceError('LOG_CLOSED', {})
  }
}
