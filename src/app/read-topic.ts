import { MillraceError } from '../base/faults.ts'
import type { Log, LogRecord } from '../log/log.ts'

export type TopicSummary = { readonly topic: string; readonly partitions: number; readonly records: number }

/** Every topic of a log, and how many records it holds. */
export function summarizeTopics(log: Log): TopicSummary[] {
  const summaries = log.topics().map(({ topic, partitions }) => {
    const counts = Array.from({ length: partitions }, (_, one) => log.end(topic, one) - log.start(topic, one))
    return { topic, partitions, records: counts.reduce((sum, count) => sum + count, 0) }
  })
  return summaries.sort((a, b) => (a.topic < b.topic ? -1 : 1))
}

export type PlacedRecord = LogRecord & { readonly partition: number }

export type ReadTopicOptions = {
  readonly topic: string
  /** Null: all of them. */
  readonly partition: number | null
  /** The first offset to read in each partition; null: the newest records. */
  readonly from: number | null
  readonly countMax: number
}

/**
 * Records of a topic, by the time they carry: the newest ones, or the first from an offset on. Throws
 * `LOG_TOPIC_UNKNOWN` and `LOG_PARTITION_UNKNOWN`.
 */
export async function readTopic(log: Log, options: ReadTopicOptions): Promise<PlacedRecord[]> {
  const { topic, from, countMax } = options
  const found: PlacedRecord[] = []
  for (const partition of partitionsOf(log, options)) {
    const [start, end] = [log.start(topic, partition), log.end(topic, partition)]
    // A partition is in order of time but for what producers' clocks make of it: its last ones are its newest ones.
    let offset = Math.max(start, from ?? end - countMax)
    const until = from === null ? end : Math.min(end, offset + countMax)
    while (offset < until) {
      const { records, next } = await log.read(topic, partition, offset, readBytesMax)
      for (const record of records) if (record.offset < until) found.push({ ...record, partition })
      offset = next
    }
  }
  // Stable: records of one millisecond stay in order of partition and offset.
  found.sort((a, b) => a.timestampMs - b.timestampMs)
  return from === null ? found.slice(-countMax) : found.slice(0, countMax)
}

const readBytesMax = 1024 * 1024

function partitionsOf(log: Log, { topic, partition }: ReadTopicOptions): number[] {
  const topics = log.topics()
  const found = topics.find((one) => one.topic === topic)
  if (found === undefined) {
    const names = topics.map((one) => one.topic).sort()
    throw new MillraceError('LOG_TOPIC_UNKNOWN', { topic, topics: names.join(', ') })
  }
  const { partitions } = found
  if (partition === null) return Array.from({ length: partitions }, (_, one) => one)
  if (partition >= partitions) throw new MillraceError('LOG_PARTITION_UNKNOWN', { topic, partition, partitions })
  return [partition]
}
