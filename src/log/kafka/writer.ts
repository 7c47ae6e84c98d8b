import { initProducerIdV4 } from '@platformatic/kafka'
import type { RecordInput } from '../log.ts'
import type { Cluster } from './cluster.ts'
import { type Trouble, troubleOf, troubleOfCode } from './kafka-trouble.ts'
import type { KafkaPartition } from './partition.ts'
import { PartitionQueue, type Producer } from './partition-queue.ts'
import { type ProducedPartition, produceRecords } from './requests.ts'

/**
 * Appends to partitions, each call in one piece, once, and in the order of the calls: an idempotent producer with one
 * request under way per broker. Calls that are made meanwhile go together in the next one.
 */
export class KafkaWriter {
  readonly #cluster: Cluster
  readonly #refreshLeaders: () => Promise<void>
  readonly #queues = new Map<KafkaPartition, PartitionQueue>()
  /** Broker → what sends to it, while there is something to send. */
  readonly #sending = new Map<number, Promise<void>>()

  constructor(cluster: Cluster, refreshLeaders: () => Promise<void>) {
    this.#cluster = cluster
    this.#refreshLeaders = refreshLeaders
  }

  /** Resolves with the offset of the first record. Copies the records at once. */
  append(partition: KafkaPartition, records: readonly RecordInput[], bytesMax: number): Promise<number> {
    let queue = this.#queues.get(partition)
    if (queue === undefined) {
      queue = new PartitionQueue(partition, bytesMax, this.#cluster.settings)
      this.#queues.set(partition, queue)
    }
    if (partition.failure !== null) return Promise.reject(partition.failure)
    const appended = queue.add(records)
    this.#send(partition.leader)
    return appended
  }

  /** Resolves when nothing is under way any more. */
  async finished(): Promise<void> {
    while (this.#sending.size > 0) await Promise.all(this.#sending.values())
  }

  #send(leader: number): void {
    if (this.#sending.has(leader)) return
    const sending = this.#sendAll(leader).finally(() => {
      this.#sending.delete(leader)
      // Others may have come, or be led by others by now.
      for (const { partition, isReady } of this.#queues.values()) if (isReady) this.#send(partition.leader)
    })
    this.#sending.set(leader, sending)
  }

  async #sendAll(leader: number): Promise<void> {
    const { clock, deliveryMs } = this.#cluster.settings
    for (;;) {
      // Calls made in the same turn go together.
      await clock.turn()
      const queues = [...this.#queues.values()].filter(
        ({ partition, isReady }) => isReady && partition.leader === leader,
      )
      if (queues.length === 0) return
      const troubled = await this.#sendOnce(leader, queues)
      if (troubled === null) continue
      for (const queue of queues) queue.giveUp(clock.elapsed() - deliveryMs, troubled)
      await clock.sleep(retryMs, this.#cluster.closing)
      // Not waited for: while nobody answers it takes its time, and what is too old has to be given up meanwhile.
      void this.#refreshLeaders().catch(() => undefined)
    }
  }

  /** Sends a batch of each queue, and gives a trouble for which some have to be sent again. */
  async #sendOnce(leader: number, queues: readonly PartitionQueue[]): Promise<Trouble | null> {
    let begun = false
    for (const queue of queues) queue.underWay = true
    try {
      for (const queue of queues) {
        if (queue.needsProducer) queue.useProducer(await this.#newProducer())
        queue.prepare()
      }
      const sent = queues.flatMap((queue) => (queue.batch === null ? [] : [{ ...queue.place, batch: queue.batch }]))
      if (sent.length === 0) return null
      const answers = await this.#cluster.send(leader, 'write', (connection) => {
        begun = true
        return produceRecords(connection, sent)
      })
      return takeAnswers(queues, answers)
    } catch (error) {
      const trouble = troubleOf(error)
      // The broker may have taken what it did not acknowledge.
      if (begun) for (const queue of queues) queue.unanswered(trouble)
      if (!trouble.passes) for (const queue of queues) queue.fail(trouble, error)
      return trouble
    } finally {
      for (const queue of queues) queue.underWay = false
    }
  }

  async #newProducer(): Promise<Producer> {
    const answer = await this.#cluster.ask((connection) => initProducerIdV4.api.async(connection, null, 0, -1n, -1))
    return { id: answer.producerId, epoch: answer.producerEpoch }
  }
}

function takeAnswers(queues: readonly PartitionQueue[], answers: readonly ProducedPartition[]): Trouble | null {
  let troubled: Trouble | null = null
  for (const { topic, partition, errorCode, baseOffset, message } of answers) {
    const queue = queues.find(({ place }) => place.topic === topic && place.partition === partition)
    if (errorCode === 0) queue?.done(baseOffset)
    else {
      const trouble = troubleOfCode(errorCode)
      const said = message === null ? trouble : { ...trouble, detail: `${trouble.name}: ${message}` }
      if (queue?.refused(said) === true) troubled = said
    }
  }
  return troubled
}

const retryMs = 100
