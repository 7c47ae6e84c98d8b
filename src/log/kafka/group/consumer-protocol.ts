import { randomUUID } from 'node:crypto'
import { ConfigResourceTypes, consumerGroupHeartbeatV1, describeConfigsV4 } from '@platformatic/kafka'
import { evenSo } from '../cluster.ts'
import type { GroupPartition } from './group-options.ts'
import type { MemberParts, MemberProtocol } from './group-protocol.ts'
import { nameOf } from './ownership.ts'
import { byTopic } from './subscription-codec.ts'

/**
 * KIP-848: each heartbeat may say what is owned, and each answer what should be. The coordinator gives nobody a
 * partition that another member has not said to have let go.
 */
export class ConsumerProtocol implements MemberProtocol {
  readonly memberId = randomUUID()
  readonly #parts: MemberParts
  readonly #topicOfId = new Map<string, string>()
  /** As the broker has it for this group; null: it was not asked, or may not say. */
  #sessionMs: number | null = null
  #asked = false
  #epoch = joining
  /** What the coordinator was told last to be owned; null: nobody knows what it knows. */
  #told: string | null = null
  /** It has to be told everything; then it says everything as well. */
  #anew = false

  constructor(parts: MemberParts) {
    this.#parts = parts
  }

  get sessionMs(): number {
    return this.#sessionMs ?? sessionDefaultMs
  }

  async exchange(): Promise<number> {
    const { options, coordinator, lease, ownership, cluster } = this.#parts
    const { group, instanceId, rebalanceMs, topics } = options
    if (!this.#asked) this.#sessionMs = await this.#learnSession()
    this.#asked = true
    const { owned } = ownership
    const telling = named(owned)
    const everything = this.#anew || this.#told === null
    const ids = everything || telling !== this.#told ? this.#withIds(owned) : null
    this.#anew = false
    this.#told = null
    const sentMs = cluster.settings.clock.elapsed()
    const answer = await coordinator.send('group', (connection) =>
      consumerGroupHeartbeatV1.api.async(
        connection,
        group,
        this.memberId,
        this.#epoch,
        instanceId ?? null,
        null,
        everything ? rebalanceMs : -1,
        everything ? [...topics] : null,
        null,
        null,
        ids,
      ),
    )
    this.#told = telling
    this.#epoch = answer.memberEpoch
    // Three missed ones: shorter than any session timeout that makes sense.
    lease.renew(sentMs, this.#sessionMs ?? 3 * answer.heartbeatIntervalMs)
    if (answer.assignment !== null) ownership.aim(await this.#named(answer.assignment.topicPartitions))
    return named(ownership.owned) === telling ? answer.heartbeatIntervalMs : 0
  }

  restart(unknown: boolean): void {
    if (unknown) this.#epoch = joining
    this.#anew = true
  }

  async leave(): Promise<void> {
    const { options, coordinator } = this.#parts
    const { group, instanceId } = options
    if (this.#epoch === joining) return
    const epoch = instanceId === undefined ? leaving : leavingForAWhile
    await coordinator.send('group', (connection) =>
      consumerGroupHeartbeatV1.api.async(
        connection,
        group,
        this.memberId,
        epoch,
        instanceId ?? null,
        null,
        -1,
        null,
        null,
        null,
        null,
      ),
    )
  }

  async #learnSession(): Promise<number | null> {
    const { cluster, options } = this.#parts
    const asked = {
      resourceType: ConfigResourceTypes.GROUP,
      resourceName: options.group,
      configurationKeys: ['consumer.session.timeout.ms'],
    }
    const { results } = await cluster.ask((connection) =>
      evenSo<Described>(describeConfigsV4.api.async(connection, [asked], false, false)),
    )
    const value = Number(results[0]?.configs?.[0]?.value)
    return value > 0 ? value : null
  }

  #withIds(owned: readonly GroupPartition[]): { topicId: string; partitions: number[] }[] {
    const idOfTopic = new Map([...this.#topicOfId].map(([id, topic]) => [topic, id]))
    return [...byTopic(owned)].map(([topic, partitions]) => ({ topicId: idOfTopic.get(topic)!, partitions }))
  }

  async #named(
    assigned: readonly { readonly topicId: string; readonly partitions: readonly number[] }[],
  ): Promise<readonly GroupPartition[]> {
    if (assigned.some(({ topicId }) => !this.#topicOfId.has(topicId))) {
      const { topics } = await this.#parts.cluster.metadata()
      for (const { name, topicId } of topics) this.#topicOfId.set(topicId, name ?? '')
    }
    // A broker that has not heard of a new topic yet: it comes with the next answer that tells everything.
    if (assigned.some(({ topicId }) => !this.#topicOfId.has(topicId))) this.#anew = true
    return assigned.flatMap(({ topicId, partitions }) => {
      const topic = this.#topicOfId.get(topicId)
      return topic === undefined ? [] : partitions.map((partition) => ({ topic, partition }))
    })
  }
}

type Described = Awaited<ReturnType<typeof describeConfigsV4.api.async>>

/** Epochs that mean something else. */
const [joining, leaving, leavingForAWhile] = [0, -1, -2]

/** Of the brokers. */
const sessionDefaultMs = 45_000

function named(partitions: readonly GroupPartition[]): string {
  return partitions.map(nameOf).sort().join()
}
