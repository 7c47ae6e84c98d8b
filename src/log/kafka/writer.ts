import { initProducerIdV4 } from '@platformatic/kafka'
import { MillraceError } from '../../base/faults.ts'
import type { RecordInput } from '../log.ts'
import { batchHeaderBytes, encodeBatch, recordContentBytes } from '../record-batch.ts'
import type { Cluster } from './cluster.ts'
import type { KafkaSettings } from './kafka-options.ts'
import { kafkaFault, type Trouble, troubleOf, troubleOfCode } from './kafka-trouble.ts'
import type { KafkaPartition } from './partition.ts'
import { type ProducedPartition, produceRecords } from './requests.ts'
import { sealBatch } from './seal-batch.ts'

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
    const failure = partition.failure ?? queue.failure
    if (failure !== null) return Promise.reject(failure)
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

type Call = {
  readonly records: readonly RecordInput[]
  readonly bytes: number
  /** Of its records' timestamps. */
  readonly newestMs: number
  /** When it was made, of the time that elapses. */
  readonly sinceMs: number
  readonly resolve: (offset: number) => void
  readonly reject: (error: unknown) => void
}

type Sent = {
  readonly calls: readonly Call[]
  readonly batch: Buffer
  /** Of its records' timestamps. */
  readonly newestMs: number
  /** Whether it may be there although nobody has said so. */
  isAmbiguous: boolean
}

type Producer = { readonly id: bigint; readonly epoch: number }

/** What is to be appended to one partition, in order; and the batch that is being sent, if one is. */
class PartitionQueue {
  readonly partition: KafkaPartition
  /** Nobody else may touch it before its request is over: the leader may change meanwhile. */
  underWay = false
  readonly #bytesMax: number
  readonly #settings: KafkaSettings
  #calls: Call[] = []
  #sent: Sent | null = null
  #producer: Producer | null = null
  #sequence = 0
  #failure: MillraceError | null = null

  constructor(partition: KafkaPartition, bytesMax: number, settings: KafkaSettings) {
    this.partition = partition
    this.#bytesMax = bytesMax
    this.#settings = settings
  }

  /** Why nothing may be appended here any more. */
  get failure(): MillraceError | null {
    return this.#failure
  }

  get place(): { readonly topic: string; readonly partition: number } {
    return { topic: this.partition.topic, partition: this.partition.partition }
  }

  /** Whether there is something to send. */
  get isReady(): boolean {
    return !this.underWay && (this.#sent !== null || this.#calls.length > 0)
  }

  get batch(): Buffer | null {
    return this.#sent?.batch ?? null
  }

  get needsProducer(): boolean {
    return this.#producer === null
  }

  useProducer(producer: Producer): void {
    this.#producer = producer
    this.#sequence = 0
  }

  add(records: readonly RecordInput[]): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const bytes = records.reduce((sum, record) => sum + recordContentBytes(record) + recordFrameBytesMax, 0)
    const newestMs = records.reduce((newest, { timestampMs }) => Math.max(newest, timestampMs), 0)
    const sinceMs = this.#settings.clock.elapsed()
    this.#calls.push({ records: records.map(copyOf), bytes, newestMs, sinceMs, resolve, reject })
    return promise
  }

  /** Makes the next batch, of as many calls as go together, unless one has to be sent again. */
  prepare(): void {
    const together = Math.min(togetherBytesMax, this.#bytesMax - batchHeaderBytes)
    while (this.#sent === null && this.#calls.length > 0) {
      let [count, bytes] = [1, this.#calls[0]!.bytes]
      while (count < this.#calls.length && bytes + this.#calls[count]!.bytes <= together) {
        bytes += this.#calls[count++]!.bytes
      }
      const calls = this.#calls.splice(0, count)
      try {
        const newestMs = Math.max(...calls.map((call) => call.newestMs))
        this.#sent = { calls, batch: this.#makeBatch(calls), newestMs, isAmbiguous: false }
      } catch (error) {
        for (const { reject } of calls) reject(error)
      }
    }
  }

  #makeBatch(calls: readonly Call[]): Buffer {
    const records = calls.flatMap((call) => call.records)
    const { buffer, byteOffset, length } = encodeBatch(records, 0)
    const producer = { ...this.#producer!, sequence: this.#sequence }
    const batch = sealBatch(Buffer.from(buffer, byteOffset, length), producer, this.#settings.compression)
    if (batch.length <= this.#bytesMax) return batch
    throw new MillraceError('LOG_RECORD_TOO_LARGE', { size: batch.length, limit: this.#bytesMax })
  }

  done(baseOffset: number): void {
    const { calls } = this.#take()
    let offset = baseOffset
    const count = calls.reduce((sum, { records }) => sum + records.length, 0)
    // Sequences are numbers of 31 bits that begin again.
    this.#sequence = (this.#sequence + count) % 2 ** 31
    this.partition.learn(this.partition.start, baseOffset + count)
    for (const { records, resolve } of calls) {
      resolve(offset)
      offset += records.length
    }
  }

  /**
   * The broker may have taken the batch, and takes it once however often it is sent: if it has not restarted and
   * forgotten the producer, which it does when the producer's newest batch is old by the timestamps of its records.
   */
  unanswered(trouble: Trouble): void {
    if (this.#sent === null) return
    this.#sent.isAmbiguous = true
    if (this.#sent.newestMs < this.#settings.clock.now() - rememberedMs) this.fail(trouble)
  }

  /** Whether to send the batch again. */
  refused(trouble: Trouble): boolean {
    if (trouble.passes) {
      // Taken by the leader, and not by enough replicas: it may be there in the end.
      if (maybeTaken.has(trouble.name)) this.unanswered(trouble)
      return this.#sent !== null
    }
    if (forgottenProducer.has(trouble.name) && this.#sent?.isAmbiguous === false) {
      // The broker does not know this producer any more, and has taken nothing of this batch: as another one, then.
      this.#calls.unshift(...this.#take().calls)
      this.#producer = null
      return true
    }
    this.fail(trouble)
    return false
  }

  /** Gives up what has been tried since before `sinceMs`. */
  giveUp(sinceMs: number, trouble: Trouble): void {
    const oldest = this.#sent?.calls[0] ?? this.#calls[0]
    if (oldest !== undefined && oldest.sinceMs <= sinceMs) this.fail(trouble)
  }

  /**
   * A batch that is not there for certain costs its calls alone. When it is not known whether it is, nothing may come
   * after it: the partition takes no more.
   */
  fail(trouble: Trouble, cause?: unknown): void {
    const sent = this.#sent
    const calls = sent?.calls ?? this.#calls.splice(0)
    this.#sent = null
    if (sent?.isAmbiguous !== true) {
      const doing = { action: 'write', operation: 'Write', topic: this.partition.topic }
      const error = tooLarge.has(trouble.name)
        ? new MillraceError('LOG_RECORD_TOO_LARGE', { size: sent?.batch.length ?? 0, limit: this.#bytesMax })
        : kafkaFault(trouble, this.#settings, doing, cause)
      for (const { reject } of calls) reject(error)
      return
    }
    this.#failure = new MillraceError('KAFKA_WRITE_FAILED', { ...this.place, detail: trouble.detail }, { cause })
    for (const { reject } of [...calls, ...this.#calls]) reject(this.#failure)
    this.#calls = []
  }

  #take(): Sent {
    const sent = this.#sent!
    this.#sent = null
    return sent
  }
}

/** Of a record: its length, attributes and deltas. */
const recordFrameBytesMax = 21

/** Calls that are made together go together up to here; a single one may be larger. */
const togetherBytesMax = 512 * 1024

const retryMs = 100

const forgottenProducer = new Set(['UNKNOWN_PRODUCER_ID', 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'INVALID_PRODUCER_EPOCH'])
/** Well within the day of Kafka's default for `producer.id.expiration.ms`. */
const rememberedMs = 3_600_000

const maybeTaken = new Set(['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'REQUEST_TIMED_OUT'])
const tooLarge = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])

/** The caller may reuse its bytes as soon as the call is made. */
function copyOf({ key, value, timestampMs, headers }: RecordInput): RecordInput {
  const copy = (bytes: Uint8Array): Uint8Array => Uint8Array.prototype.slice.call(bytes)
  return {
    key: key === null ? null : copy(key),
    value: value === null ? null : copy(value),
    timestampMs,
    ...(headers === undefined ? {} : { headers: headers.map(([name, content]) => [name, copy(content)] as const) }),
  }
}
