import { Reader, Writer } from '@platformatic/kafka'
import type { GroupPartition } from './group-options.ts'

/**
 * What members of a classic group tell each other through the coordinator, in the form that Kafka's own consumers use:
 * so its tools can show who owns what, and the broker can move the group over to the other protocol.
 */
export type Subscription = {
  readonly topics: readonly string[]
  readonly owned: readonly GroupPartition[]
  /** In which these were owned; -1: none yet. */
  readonly generation: number
}

const subscriptionVersion = 2
const assignmentVersion = 1

export function encodeSubscription({ topics, owned, generation }: Subscription): Buffer {
  const writer = Writer.create().appendInt16(subscriptionVersion)
  writer.appendArray([...topics], (w, topic) => w.appendString(topic, false), false, false).appendBytes(null, false)
  return appendPartitions(writer, owned).appendInt32(generation).buffer
}

/** Version 1 has no generation, and version 0 nothing of what is owned. */
export function decodeSubscription(bytes: Buffer): Subscription {
  const reader = Reader.from(bytes)
  const version = reader.readInt16()
  const topics = reader.readArray((r) => r.readString(false), false, false)
  reader.readNullableBytes(false)
  const owned = version < 1 ? [] : readPartitions(reader)
  return { topics, owned, generation: version < 2 ? -1 : reader.readInt32() }
}

export function encodeAssignment(partitions: readonly GroupPartition[]): Buffer {
  return appendPartitions(Writer.create().appendInt16(assignmentVersion), partitions).appendBytes(null, false).buffer
}

/** Empty bytes are an assignment of nothing. */
export function decodeAssignment(bytes: Buffer): readonly GroupPartition[] {
  if (bytes.length === 0) return []
  const reader = Reader.from(bytes)
  reader.readInt16()
  return readPartitions(reader)
}

export function byTopic(partitions: readonly GroupPartition[]): Map<string, number[]> {
  const topics = new Map<string, number[]>()
  for (const { topic, partition } of partitions) topics.set(topic, [...(topics.get(topic) ?? []), partition])
  return topics
}

function appendPartitions(writer: Writer, partitions: readonly GroupPartition[]): Writer {
  return writer.appendArray(
    [...byTopic(partitions)],
    (w, [topic, list]) =>
      w.appendString(topic, false).appendArray(list, (each, partition) => each.appendInt32(partition), false, false),
    false,
    false,
  )
}

function readPartitions(reader: Reader): GroupPartition[] {
  return reader
    .readArray(
      (r) => {
        const topic = r.readString(false)
        return r.readArray((each) => each.readInt32(), false, false).map((partition) => ({ topic, partition }))
      },
      false,
      false,
    )
    .flat()
}
