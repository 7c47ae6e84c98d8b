import { listOffsetsV7 } from '@platformatic/kafka'
import { type Cluster, evenSo } from './cluster.ts'
import { kafkaFault, type Trouble, troubleOfCode } from './kafka-trouble.ts'
import type { KafkaPartition } from './partition.ts'

/** Of each partition, the first offset whose record is at `timestampMs` or later; -1 when there is none. */
export async function listOffsets(
  cluster: Cluster,
  partitions: readonly KafkaPartition[],
  timestampMs: number | 'start' | 'end',
  refreshLeaders: () => Promise<void>,
): Promise<ReadonlyMap<KafkaPartition, number>> {
  const found = new Map<KafkaPartition, number>()
  const timestamp = timestampMs === 'start' ? -2n : timestampMs === 'end' ? -1n : BigInt(timestampMs)
  await cluster.retrying({ action: 'list offsets' }, async () => {
    const missing = partitions.filter((partition) => !found.has(partition))
    const leaders = new Set(missing.map(({ leader }) => leader))
    const troubles: Trouble[] = []
    for (const leader of leaders) {
      const mine = missing.filter((partition) => partition.leader === leader)
      const { topics } = await cluster.send(leader, 'write', (connection) =>
        evenSo<Listed>(listOffsetsV7.api.async(connection, -1, readCommitted, asked(mine, timestamp))),
      )
      for (const { name, partitions: answers } of topics) {
        for (const { partitionIndex, errorCode, offset } of answers) {
          const partition = mine.find((one) => one.topic === name && one.partition === partitionIndex)!
          if (errorCode === 0) found.set(partition, Number(offset))
          else troubles.push(judged(cluster, troubleOfCode(errorCode), name))
        }
      }
    }
    if (troubles.length === 0) return
    await refreshLeaders()
    throw Object.assign(new Error(troubles[0]!.detail), { apiId: troubles[0]!.name })
  })
  return found
}

type Listed = Awaited<ReturnType<typeof listOffsetsV7.api.async>>

/** Up to the end of what is committed: what an open transaction has written is not there yet. */
const readCommitted = 1

function judged(cluster: Cluster, trouble: Trouble, topic: string): Trouble {
  if (trouble.passes) return trouble
  throw kafkaFault(trouble, cluster.settings, { action: 'read the offsets of', operation: 'Describe', topic })
}

function asked(partitions: readonly KafkaPartition[], timestamp: bigint): Parameters<typeof listOffsetsV7.api>[3] {
  const topics = new Map<string, { partitionIndex: number; currentLeaderEpoch: number; timestamp: bigint }[]>()
  for (const { topic, partition, leaderEpoch } of partitions) {
    const one = { partitionIndex: partition, currentLeaderEpoch: leaderEpoch, timestamp }
    const list = topics.get(topic)
    if (list === undefined) topics.set(topic, [one])
    else list.push(one)
  }
  return [...topics].map(([name, list]) => ({ name, partitions: list }))
}
