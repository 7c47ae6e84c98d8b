import { createAPI, type Connection, type Reader, Writer } from '@platformatic/kafka'
import type { AbortedTransaction } from './fetched-batches.ts'

/**
 * Produce and Fetch as this log uses them: batches go out and come in as they are, so that nothing but our own codec
 * and filter touches records. Everything else is asked with the client library's requests.
 */
export type FetchTarget = {
  readonly topicId: string
  readonly partition: number
  readonly leaderEpoch: number
  readonly offset: number
  /** Leader epoch of the batch before `offset`; -1: not known. The broker says when it knows another past. */
  readonly lastEpoch: number
  readonly bytesMax: number
}

export type FetchedPartition = {
  readonly topicId: string
  readonly partition: number
  readonly errorCode: number
  readonly start: number
  /** Of what is committed: Kafka's last stable offset. */
  readonly end: number
  /** The broker's log parts from what was read before `offset`. */
  readonly diverges: boolean
  readonly aborted: readonly AbortedTransaction[]
  readonly bytes: Buffer
}

export type FetchAnswer = { readonly throttled: boolean; readonly partitions: readonly FetchedPartition[] }

export async function fetchRecords(
  connection: Connection,
  targets: readonly FetchTarget[],
  maxWaitMs: number,
): Promise<FetchAnswer> {
  return await fetchApi.async(connection, targets, maxWaitMs)
}

export type ProduceTarget = { readonly topic: string; readonly partition: number; readonly batch: Buffer }

export type ProducedPartition = {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  readonly message: string | null
  readonly baseOffset: number
}

/** At most one batch per partition. An answer means that all in-sync replicas have what it says was taken. */
export async function produceRecords(
  connection: Connection,
  targets: readonly ProduceTarget[],
): Promise<readonly ProducedPartition[]> {
  return await produceApi.async(connection, targets)
}

const readCommitted = 1
const answerBytesMax = 50 * 1024 * 1024
const ackTimeoutMs = 25_000

/** Kafka 3.1 and newer: the first version with topic ids, so that a topic of the same name is not the same topic. */
const fetchApi = createAPI<[readonly FetchTarget[], number], FetchAnswer>(
  1,
  13,
  (targets: readonly FetchTarget[], maxWaitMs: number) => {
    const writer = Writer.create().appendInt32(-1).appendInt32(maxWaitMs).appendInt32(1).appendInt32(answerBytesMax)
    // No fetch session: each request says all that it wants.
    writer.appendInt8(readCommitted).appendInt32(0).appendInt32(-1)
    writer.appendArray([...grouped(targets, ({ topicId }) => topicId)], (w, [topicId, ofTopic]) => {
      w.appendUUID(topicId).appendArray([...ofTopic], (each, target) => {
        each.appendInt32(target.partition).appendInt32(target.leaderEpoch).appendInt64(BigInt(target.offset))
        each.appendInt32(target.lastEpoch).appendInt64(-1n).appendInt32(target.bytesMax)
      })
    })
    return writer
      .appendArray([], () => undefined)
      .appendString('')
      .appendTaggedFields()
  },
  (_correlationId, _key, _version, reader) => {
    const throttled = reader.readInt32() > 0
    const errorCode = reader.readInt16()
    if (errorCode !== 0) throw Object.assign(new Error(`fetch answered with error ${errorCode}`), { errorCode })
    reader.readInt32()
    const partitions: FetchedPartition[] = []
    reader.readArray((r) => {
      const topicId = r.readUUID()
      r.readArray(() => partitions.push(readPartition(r, topicId)), true, false)
    })
    return { throttled, partitions }
  },
)

function readPartition(r: Reader, topicId: string): FetchedPartition {
  const partition = r.readInt32()
  const errorCode = r.readInt16()
  r.readInt64()
  const end = Number(r.readInt64())
  const start = Number(r.readInt64())
  const aborted = r.readNullableArray(() => ({ producerId: r.readInt64(), firstOffset: Number(r.readInt64()) })) ?? []
  r.readInt32()
  const bytes = r.readNullableBytes() ?? Buffer.alloc(0)
  let diverges = false
  for (let left = r.readUnsignedVarInt(); left > 0; left--) {
    if (r.readUnsignedVarInt() === divergingEpochTag) diverges = true
    r.skip(r.readUnsignedVarInt())
  }
  return { topicId, partition, errorCode, start, end, diverges, aborted, bytes }
}

const divergingEpochTag = 0

/** All in-sync replicas acknowledge: anything less loses records that were said to be durable. */
const produceApi = createAPI<[readonly ProduceTarget[]], ProducedPartition[]>(
  0,
  9,
  (targets: readonly ProduceTarget[]) =>
    Writer.create()
      .appendString(null)
      .appendInt16(-1)
      .appendInt32(ackTimeoutMs)
      .appendArray([...grouped(targets, ({ topic }) => topic)], (w, [topic, ofTopic]) => {
        w.appendString(topic).appendArray([...ofTopic], (each, { partition, batch }) => {
          each
            .appendInt32(partition)
            .appendUnsignedVarInt(batch.length + 1)
            .append(batch)
        })
      })
      .appendTaggedFields(),
  (_correlationId, _key, _version, reader) => {
    const answers: ProducedPartition[] = []
    reader.readArray((r) => {
      const topic = r.readString()
      r.readArray(() => {
        const [partition, errorCode, baseOffset] = [r.readInt32(), r.readInt16(), Number(r.readInt64())]
        r.skip(16)
        r.readArray(() => [r.readInt32(), r.readNullableString()])
        answers.push({ topic, partition, errorCode, baseOffset, message: r.readNullableString() })
      })
    })
    return answers
  },
)

function grouped<Item>(items: readonly Item[], nameOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>()
  for (const item of items) {
    const group = groups.get(nameOf(item))
    if (group === undefined) groups.set(nameOf(item), [item])
    else group.push(item)
  }
  return groups
}
