import { MillraceError } from '../../base/faults.ts'
import type { RecordInput } from '../log.ts'
import { batchHeaderBytes, encodeBatch, recordContentBytes } from '../record-batch.ts'
import type { KafkaSettings } from './kafka-options.ts'
import { kafkaFault, type Trouble } from './kafka-trouble.ts'
import type { KafkaPartition } from './partition.ts'
import { sealBatch } from './seal-batch.ts'

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

export type Producer = { readonly id: bigint; readonly epoch: number }

/** What is to be appended to one partition, in order; and the batch that is being sent, if one is. */
export class PartitionQueue {
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
    this.#calls.push({ records: copiesOf(records, bytes), bytes, newestMs, sinceMs, resolve, reject })
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

const forgottenProducer = new Set(['UNKNOWN_PRODUCER_ID', 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'INVALID_PRODUCER_EPOCH'])
/** Well within the day of Kafka's default for `producer.id.expiration.ms`. */
const rememberedMs = 3_600_000

const maybeTaken = new Set(['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'REQUEST_TIMED_OUT'])
const tooLarge = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])

/** The caller may reuse its bytes as soon as the call is made. One piece of memory holds what all of them need. */
function copiesOf(records: readonly RecordInput[], bytes: number): RecordInput[] {
  const room = new Uint8Array(bytes)
  let at = 0
  const copy = (from: Uint8Array): Uint8Array => {
    const start = at
    room.set(from, start)
    at += from.length
    return room.subarray(start, at)
  }
  return records.map(({ key, value, timestampMs, headers }) => ({
    key: key === null ? null : copy(key),
    value: value === null ? null : copy(value),
    timestampMs,
    ...(headers === undefined ? {} : { headers: headers.map(([name, content]) => [name, copy(content)] as const) }),
  }))
}
