import { MillraceError } from '../../base/faults.ts'
import type { RecordInput } from '../log.ts'
import { BatchBuilder } from '../batch-builder.ts'
import type { KafkaSettings } from './kafka-options.ts'
import { kafkaFault, type Trouble } from './kafka-trouble.ts'
import type { KafkaPartition } from './partition.ts'
import { sealBatch } from './seal-batch.ts'

type Call = {
  readonly records: number
  /** When it was made, of the time that elapses. */
  readonly sinceMs: number
  readonly resolve: (offset: number) => void
  readonly reject: (error: unknown) => void
}

/** Calls whose records go in one batch. */
type Parcel = { readonly builder: BatchBuilder; readonly calls: Call[] }

type Sent = Parcel & {
  readonly batch: Buffer
  /** Whether it may be there although nobody has said so. */
  isAmbiguous: boolean
}

export type Producer = { readonly id: bigint; readonly epoch: number }

/** What is to be appended to one partition, in order; and the batch that is being sent, if one is. */
export class PartitionQueue {
  readonly partition: KafkaPartition
  /** Nobody else may touch it before its request is over: the leader may change meanwhile. */
  underWay = false
  readonly #bytesMax: number
  readonly #settings: KafkaSettings
  /** In order; calls join the last one while it has room. */
  #waiting: Parcel[] = []
  #sent: Sent | null = null
  #producer: Producer | null = null
  #sequence = 0
  /** Of the next batch: as the last one. */
  #bytesLikely = 0

  constructor(partition: KafkaPartition, bytesMax: number, settings: KafkaSettings) {
    this.partition = partition
    this.#bytesMax = bytesMax
    this.#settings = settings
  }

  get place(): { readonly topic: string; readonly partition: number } {
    return { topic: this.partition.topic, partition: this.partition.partition }
  }

  /** Whether there is something to send. */
  get isReady(): boolean {
    return !this.underWay && (this.#sent !== null || this.#waiting.length > 0)
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

  /** Encodes the records at once: the caller may reuse their bytes. Throws what no batch can hold. */
  add(records: readonly RecordInput[]): Promise<number> {
    const together = Math.min(togetherBytesMax, this.#bytesMax)
    let parcel = this.#waiting.at(-1)
    if (parcel?.builder.add(records, together) !== true) {
      parcel = { builder: new BatchBuilder(this.#bytesLikely), calls: [] }
      parcel.builder.add(records, together)
      this.#waiting.push(parcel)
    }
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    parcel.calls.push({ records: records.length, sinceMs: this.#settings.clock.elapsed(), resolve, reject })
    return promise
  }

  /** Makes the next batch, unless one has to be sent again. */
  prepare(): void {
    while (this.#sent === null && this.#waiting.length > 0) {
      const parcel = this.#waiting.shift()!
      this.#bytesLikely = Math.min(parcel.builder.size, togetherBytesMax)
      try {
        this.#sent = { ...parcel, batch: this.#seal(parcel.builder), isAmbiguous: false }
      } catch (error) {
        for (const { reject } of parcel.calls) reject(error)
      }
    }
  }

  #seal(builder: BatchBuilder): Buffer {
    const producer = { ...this.#producer!, sequence: this.#sequence }
    const batch = sealBatch(builder.finish(), producer, this.#settings.compression)
    if (batch.length <= this.#bytesMax) return batch
    throw new MillraceError('LOG_RECORD_TOO_LARGE', { size: batch.length, limit: this.#bytesMax })
  }

  done(baseOffset: number): void {
    const { calls, builder } = this.#take()
    let offset = baseOffset
    const { count } = builder
    // Sequences are numbers of 31 bits that begin again.
    this.#sequence = (this.#sequence + count) % 2 ** 31
    this.partition.learn(this.partition.start, baseOffset + count)
    for (const { records, resolve } of calls) {
      resolve(offset)
      offset += records
    }
  }

  /**
   * The broker may have taken the batch, and takes it once however often it is sent: if it has not restarted and
   * forgotten the producer, which it does when the producer's newest batch is old by the timestamps of its records.
   */
  unanswered(trouble: Trouble): void {
    if (this.#sent === null) return
    this.#sent.isAmbiguous = true
    if (this.#sent.builder.newestMs < this.#settings.clock.now() - rememberedMs) this.fail(trouble)
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
      const { builder, calls } = this.#take()
      this.#waiting.unshift({ builder, calls })
      this.#producer = null
      return true
    }
    this.fail(trouble)
    return false
  }

  /** Gives up what has been tried since before `sinceMs`. */
  giveUp(sinceMs: number, trouble: Trouble): void {
    const oldest = (this.#sent ?? this.#waiting[0])?.calls[0]
    if (oldest !== undefined && oldest.sinceMs <= sinceMs) this.fail(trouble)
  }

  /**
   * A batch that is not there for certain costs its calls alone. When it is not known whether it is, those that wait
   * behind it fail with it: who made them has to look what is there first.
   */
  fail(trouble: Trouble, cause?: unknown): void {
    const sent = this.#sent
    const calls = sent?.calls ?? this.#takeWaiting()
    this.#sent = null
    if (sent?.isAmbiguous !== true) {
      const doing = { action: 'write', operation: 'Write', topic: this.partition.topic }
      const error = tooLarge.has(trouble.name)
        ? new MillraceError('LOG_RECORD_TOO_LARGE', { size: sent?.batch.length ?? 0, limit: this.#bytesMax })
        : kafkaFault(trouble, this.#settings, doing, cause)
      for (const { reject } of calls) reject(error)
      return
    }
    const failure = new MillraceError('KAFKA_WRITE_FAILED', { ...this.place, detail: trouble.detail }, { cause })
    for (const { reject } of [...calls, ...this.#takeWaiting()]) reject(failure)
    this.#supersede()
  }

  #takeWaiting(): Call[] {
    return this.#waiting.splice(0).flatMap(({ calls }) => calls)
  }

  /** What comes next has a higher epoch: once it is there the broker takes nothing of what came before any more. */
  #supersede(): void {
    const { id, epoch } = this.#producer!
    this.#producer = epoch < epochMax ? { id, epoch: epoch + 1 } : null
    this.#sequence = 0
  }

  #take(): Sent {
    const sent = this.#sent!
    this.#sent = null
    return sent
  }
}

/** Calls that are made together go together up to here; a single one may be larger. */
const togetherBytesMax = 512 * 1024

/** Kafka's are numbers of 16 bits. */
const epochMax = 32_766

const forgottenProducer = new Set(['UNKNOWN_PRODUCER_ID', 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'INVALID_PRODUCER_EPOCH'])
/** Well within the day of Kafka's default for `producer.id.expiration.ms`. */
const rememberedMs = 3_600_000

const maybeTaken = new Set(['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'REQUEST_TIMED_OUT'])
const tooLarge = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])
