import { heartbeatV4, joinGroupV9, leaveGroupV5, syncGroupV5 } from '@platformatic/kafka'
import { evenSo } from '../cluster.ts'
import { troubleOfCode } from '../kafka-trouble.ts'
import { assignPartitions } from './assign-partitions.ts'
import type { GroupPartition } from './group-options.ts'
import type { MemberParts, MemberProtocol } from './group-protocol.ts'
import { nameOf } from './ownership.ts'
import { decodeAssignment, decodeSubscription, encodeAssignment, encodeSubscription } from './subscription-codec.ts'

/**
 * The protocol of all brokers: members join a generation together, one of them assigns, and heartbeats say when the
 * next generation is due. Members go on with what they own meanwhile (cooperative): what is to move is first let go of in
 * one generation, and given to somebody else in the next.
 */
export class ClassicProtocol implements MemberProtocol {
  readonly sessionMs: number
  readonly #parts: MemberParts
  #memberId = ''
  #generation = -1
  /** Null: not in a generation, or it is over. */
  #joined: { readonly claimed: readonly GroupPartition[]; readonly assigned: ReadonlySet<string> } | null = null

  constructor(parts: MemberParts) {
    this.#parts = parts
    this.sessionMs = parts.options.sessionMs ?? sessionDefaultMs
  }

  get memberId(): string {
    return this.#memberId
  }

  async exchange(): Promise<number> {
    const { ownership } = this.#parts
    const wasTaken = this.#joined?.claimed.some((one) => !this.#joined!.assigned.has(nameOf(one))) === true
    // What was let go of can be given to others in a generation of its own.
    if (wasTaken && !ownership.isLettingGo) this.#joined = null
    if (this.#joined === null && !ownership.isLettingGo) {
      await this.#join()
      return 0
    }
    return await this.#heartbeat()
  }

  restart(unknown: boolean): void {
    this.#joined = null
    if (!unknown) return
    this.#generation = -1
    this.#memberId = ''
  }

  async leave(): Promise<void> {
    const { options, coordinator } = this.#parts
    const { group, instanceId } = options
    // A static member's partitions wait for it until the session times out.
    if (this.#memberId === '' || instanceId !== undefined) return
    const member = { memberId: this.#memberId, groupInstanceId: null, reason: 'closing' }
    await coordinator.send('group', (connection) => leaveGroupV5.api.async(connection, group, [member]))
  }

  async #heartbeat(): Promise<number> {
    const { options, coordinator, lease, cluster } = this.#parts
    const { group, instanceId } = options
    const sentMs = cluster.settings.clock.elapsed()
    const { errorCode } = await coordinator.send('group', (connection) =>
      evenSo<Beaten>(heartbeatV4.api.async(connection, group, this.#generation, this.#memberId, instanceId ?? null)),
    )
    const { name } = troubleOfCode(errorCode)
    if (errorCode === 0 || name === 'REBALANCE_IN_PROGRESS') lease.renew(sentMs, this.sessionMs)
    else throw Object.assign(new Error(name), { apiId: name })
    if (errorCode === 0) return Math.min(heartbeatMs, this.sessionMs / 3)
    this.#joined = null
    return this.#parts.ownership.isLettingGo ? lettingGoMs : 0
  }

  async #join(): Promise<void> {
    const { options, coordinator, lease, ownership, cluster } = this.#parts
    const { group, instanceId, rebalanceMs, topics } = options
    const { clock } = cluster.settings
    const claimed = ownership.owned
    const metadata = encodeSubscription({ topics, owned: claimed, generation: this.#generation })
    const joinedMs = clock.elapsed()
    const joined = await coordinator.send('join', (connection) =>
      evenSo<Joined>(
        joinGroupV9.api.async(
          connection,
          group,
          this.sessionMs,
          rebalanceMs,
          this.#memberId,
          instanceId ?? null,
          'consumer',
          [{ name: assignorName, metadata }],
          null,
        ),
      ),
    )
    const { name } = troubleOfCode(joined.errorCode)
    if (joined.errorCode !== 0) {
      if (name !== 'MEMBER_ID_REQUIRED') throw Object.assign(new Error(name), { apiId: name })
      this.#memberId = joined.memberId
      return
    }
    lease.renew(joinedMs, this.sessionMs)
    this.#memberId = joined.memberId
    this.#generation = joined.generationId
    const assigns = joined.leader === joined.memberId && !joined.skipAssignment
    const assignments = assigns ? await this.#assign(joined) : []
    const sentMs = clock.elapsed()
    const synced = await coordinator.send('join', (connection) =>
      evenSo<Synced>(
        syncGroupV5.api.async(
          connection,
          group,
          joined.generationId,
          joined.memberId,
          instanceId ?? null,
          'consumer',
          assignorName,
          assignments,
        ),
      ),
    )
    const syncTrouble = troubleOfCode(synced.errorCode).name
    // Another member came in between: on to the next generation.
    if (syncTrouble === 'REBALANCE_IN_PROGRESS') return
    if (synced.errorCode !== 0) throw Object.assign(new Error(syncTrouble), { apiId: syncTrouble })
    lease.renew(sentMs, this.sessionMs)
    const assigned = decodeAssignment(synced.assignment)
    this.#joined = { claimed, assigned: new Set(assigned.map(nameOf)) }
    ownership.aim(assigned)
  }

  async #assign({ members }: Joined): Promise<{ memberId: string; assignment: Buffer }[]> {
    const { topics } = await this.#parts.cluster.metadata()
    const counts = new Map(topics.map(({ name, partitions }) => [name ?? '', partitions.length]))
    const subscribed = members.map(({ memberId, metadata }) => ({ id: memberId, ...decodeSubscription(metadata!) }))
    const newest = Math.max(...subscribed.map(({ generation }) => generation))
    const shares = assignPartitions(
      // Who was not in the last generation claims what was given to others since.
      subscribed.map(({ id, topics: own, owned, generation }) => ({
        id,
        topics: own,
        claimed: generation === newest ? owned : [],
      })),
      counts,
    )
    return [...shares].map(([memberId, share]) => ({ memberId, assignment: encodeAssignment(share) }))
  }
}

type Joined = Awaited<ReturnType<typeof joinGroupV9.api.async>>
type Synced = Awaited<ReturnType<typeof syncGroupV5.api.async>>
type Beaten = Awaited<ReturnType<typeof heartbeatV4.api.async>>

/** All members of a group have to offer it: another client's assignor would not let go first. */
const assignorName = 'millrace-cooperative'

const sessionDefaultMs = 10_000
const heartbeatMs = 3_000
/** How often the session is renewed while the others wait for what this member lets go of. */
const lettingGoMs = 200
