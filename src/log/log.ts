import type { Writer } from '../schema/avro/writer.ts'

/**
 * The partitioned log: the store of millrace. Everything else is a view that can be rebuilt from it.
 *
 * Offsets grow from 0 in each partition, one record at each; there may be gaps, where an adapter keeps marks of its own
 * or took records away. Callers may rely on these promises, which the conformance suite (`test/conformance/log.ts`)
 * runs against every adapter:
 *
 * 1. `append` resolves only when its records are durable (fsynced, or acknowledged by all in-sync replicas).
 * 2. `read` and `end` show durable records only, in offset order, and pass over none.
 * 3. One call's records are contiguous, in order, and appear together or not at all after a crash.
 * 4. Calls for one partition are appended in the order in which they were made.
 * 5. Key, value and headers come back byte for byte; null and empty differ.
 */
export interface Log {
  /** Names this log for ever; a new log never has the id of an older one. */
  readonly id: string

  /**
   * Creates a topic, or checks that the existing one has as many partitions (`LOG_TOPIC_MISMATCH`) and, where one is
   * asked for, the same retention (`LOG_RETENTION_MISMATCH`).
   */
  createTopic(topic: string, options: TopicOptions): Promise<void>

  topics(): readonly TopicDescription[]

  /** Appends to one partition; resolves with the offset of the first record once all are durable. */
  append(topic: string, partition: number, records: readonly RecordInput[]): Promise<number>

  /**
   * Durable records from `offset` on, no more than about `bytesMax` and more than none where there are some; and the
   * offset to go on from, which is beyond `offset` unless that is the end. Between the two may be nothing but a gap.
   * Throws `LOG_OFFSET_OUT_OF_RANGE` below `start` or above `end`.
   */
  read(topic: string, partition: number, offset: number, bytesMax: number): Promise<LogRead>

  /** First offset still held, as last learnt. */
  start(topic: string, partition: number): number

  /**
   * One past the last durable record or gap, as last learnt: at least what this process has appended, read, waited for
   * or refreshed. Never goes back.
   */
  end(topic: string, partition: number): number

  /** Learns start and end of a topic's partitions anew, where other processes may have moved them. */
  refresh(topic: string): Promise<void>

  /** The first offset whose record's timestamp is at least `timestampMs`; `end` when there is none. */
  offsetAt(topic: string, partition: number, timestampMs: number): Promise<number>

  /** Resolves when a record at or after `offset` is durable, or when `signal` aborts. */
  waitFor(topic: string, partition: number, offset: number, signal: AbortSignal): Promise<void>

  close(): Promise<void>
}

export type TopicOptions = {
  readonly partitions: number
  /** Whole segments older than this, by their newest record's timestamp, are deleted. Default: kept for ever. */
  readonly retentionMs?: number
  /**
   * Only the newest record of each key has to be kept, and what is younger than an hour; every record has a key. An
   * adapter may keep more. Default: false.
   */
  readonly compacted?: boolean
}

export type TopicDescription = {
  readonly topic: string
  readonly partitions: number
  readonly retentionMs: number | null
}

export type Header = readonly [name: string, value: Uint8Array]

export type RecordInput = {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  /** Epoch milliseconds, set by whoever produced the record. */
  readonly timestampMs: number
  readonly headers?: readonly Header[]
}

export type LogRead = {
  readonly records: readonly LogRecord[]
  /** The offset to read on from. */
  readonly next: number
}

export type LogRecord = {
  /** Set by whoever reads topics whose records name their writers' schemas; adapters do not know it. */
  readonly writer?: Writer
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly Header[]
}
