import type { Clock } from '../base/clock.ts'
import type { GroupOptions, GroupPartition } from '../log/kafka/group/group-options.ts'
import type { Membership } from '../log/kafka/group/join-group.ts'
import { storedName } from '../log/namespaced-log.ts'
import { loadKafkaModule, type LogPlace } from './open-log.ts'

/**
 * Joins a group of the cluster that the log is in, under its namespace: topics go by their short names here. Throws what
 * `joinGroup` throws, and `KAFKA_CLIENT_MISSING`.
 */
export async function joinPlace(
  { options: kafka, namespace }: LogPlace,
  options: GroupOptions & { readonly clock: Clock },
): Promise<Membership> {
  const { joinGroup } = await loadKafkaModule(() => import('../log/kafka/group/join-group.ts'))
  const storedOf = new Map(
    options.topics.map((topic) => [topic, namespace === null ? topic : storedName(topic, namespace)]),
  )
  const shortOf = new Map([...storedOf].map(([topic, stored]) => [stored, topic]))
  const short = (partitions: readonly GroupPartition[]): readonly GroupPartition[] =>
    partitions.map(({ topic, partition }) => ({ topic: shortOf.get(topic) ?? topic, partition }))
  return await joinGroup({
    ...kafka,
    ...options,
    group: namespace === null ? options.group : `${namespace.name}.${options.group}`,
    topics: [...storedOf.values()],
    onAssigned: (partitions, lost) => options.onAssigned(short(partitions), lost),
    onRevoked: (partitions, why) => options.onRevoked(short(partitions), why),
  })
}
