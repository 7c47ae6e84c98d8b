import { randomUUID } from 'node:crypto'
import {
  addPartitionsToTxnV3,
  ConfigResourceTypes,
  Connection,
  createTopicsV7,
  deleteRecordsV2,
  deleteTopicsV6,
  endTxnV4,
  FindCoordinatorKeyTypes,
  findCoordinatorV4,
  IncrementalAlterConfigOperationTypes,
  incrementalAlterConfigsV1,
  initProducerIdV5,
  metadataV12,
  NumericMap,
  produceV9,
} from '@platformatic/kafka'
import { after } from 'node:test'

/** What others do to a topic: settings of their own, transactions, deletions. For a cluster of one broker. */
export type ForeignClient = {
  createTopic(configs: Readonly<Record<string, string>>, partitions?: number): Promise<string>
  deleteTopic(topic: string): Promise<void>
  setConfig(topic: string, name: string, value: string): Promise<void>
  /** Creates a topic of a given name, as who deletes one and makes it anew. */
  createTopicNamed(topic: string): Promise<void>
  /** @param partition default: the first */
  deleteRecordsBefore(topic: string, offset: number, partition?: number): Promise<void>
  /** A producer whose transactions go to partition 0 of one topic. */
  openProducer(topic: string, transactionalId?: string): Promise<TransactionalProducer>
}

export type TransactionalProducer = {
  readonly id: bigint
  readonly epoch: number
  send(values: readonly string[]): Promise<void>
  end(committed: boolean): Promise<void>
}

export async function connectForeignClient(brokers: string): Promise<ForeignClient> {
  const [host, port] = brokers.split(',')[0]!.split(':') as [string, string]
  const connection = new Connection('foreign')
  await connection.connect(host, Number(port))
  after(() => connection.close())
  const create = async (name: string, partitions: number, configs: Readonly<Record<string, string>>): Promise<void> => {
    const list = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
    const topic = { name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: list }
    await createTopicsV7.api.async(connection, [topic], 10_000, false)
    // The brokers hear of it a little later.
    await again(() => metadataV12.api.async(connection, [name], false, false))
  }
  return {
    async createTopic(configs, partitions = 1) {
      const name = `foreign-${randomUUID()}`
      await create(name, partitions, configs)
      return name
    },
    createTopicNamed: (topic) => create(topic, 1, {}),
    async setConfig(topic, name, value) {
      const configs = [{ name, configOperation: IncrementalAlterConfigOperationTypes.SET, value }]
      const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configs }]
      await incrementalAlterConfigsV1.api.async(connection, resources, false)
    },
    async deleteTopic(name) {
      await deleteTopicsV6.api.async(connection, [{ name }], 10_000)
    },
    async deleteRecordsBefore(name, offset, partition = 0) {
      const partitions = [{ partitionIndex: partition, offset: BigInt(offset) }]
      await deleteRecordsV2.api.async(connection, [{ name, partitions }], 10_000)
    },
    openProducer: (topic, transactionalId = randomUUID()) => openProducer(connection, topic, transactionalId),
  }
}

async function openProducer(
  connection: Connection,
  topic: string,
  transactionalId: string,
): Promise<TransactionalProducer> {
  await again(() => findCoordinatorV4.api.async(connection, FindCoordinatorKeyTypes.TRANSACTION, [transactionalId]))
  const answer = await again(() => initProducerIdV5.api.async(connection, transactionalId, 60_000, -1n, -1))
  const { producerId, producerEpoch } = answer
  let sequence = 0
  let open = false
  return {
    id: producerId,
    epoch: producerEpoch,
    async send(values) {
      if (!open) {
        const topics = [{ name: topic, partitions: [0] }]
        const transaction = { transactionalId, producerId, producerEpoch, verifyOnly: false, topics }
        // The markers of the transaction before may still be on their way.
        await again(() => addPartitionsToTxnV3.api.async(connection, [transaction]))
        open = true
      }
      const records = values.map((value) => ({
        topic,
        partition: 0,
        value: Buffer.from(value),
        timestamp: BigInt(Date.now()),
      }))
      await produceV9.api.async(connection, -1, 10_000, records, {
        producerId,
        producerEpoch,
        transactionalId,
        compression: 'none',
        sequences: new NumericMap([[`${topic}:0`, sequence]]),
      })
      sequence += values.length
    },
    async end(committed) {
      if (!open) return
      open = false
      await again(() => endTxnV4.api.async(connection, transactionalId, producerId, producerEpoch, committed))
    },
  }
}

/** The transaction coordinator is not ready at once, and is busy for a moment after each transaction. */
async function again<Result>(action: () => Promise<Result>): Promise<Result> {
  for (let tries = 0; ; tries++) {
    try {
      return await action()
    } catch (error) {
      const passes = /CONCURRENT_TRANSACTIONS|COORDINATOR|LEADER|UNKNOWN_TOPIC/
      const { errors } = error as { errors?: readonly { apiId?: string }[] }
      if (tries === 200 || errors?.some(({ apiId }) => apiId !== undefined && passes.test(apiId)) !== true) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}
