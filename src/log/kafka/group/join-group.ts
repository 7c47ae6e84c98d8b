import type { Clock } from '../../../base/clock.ts'
import { MillraceError, messageOf } from '../../../base/faults.ts'
import { Cluster } from '../cluster.ts'
import { type KafkaOptions, kafkaSettings } from '../kafka-options.ts'
import { kafkaFault, troubleOf } from '../kafka-trouble.ts'
import { ClassicProtocol } from './classic-protocol.ts'
import { ConsumerProtocol } from './consumer-protocol.ts'
import { Coordinator } from './coordinator.ts'
import type { GroupOptions, GroupPartition, GroupProtocol } from './group-options.ts'
import type { MemberParts, MemberProtocol } from './group-protocol.ts'
import { Lease } from './lease.ts'
import { Ownership } from './ownership.ts'

/**
 * Becomes a member of a group of Kafka's, and stays one until `leave`, or until a fault that waiting does not mend.
 * Resolves before anything is assigned. What is owned is a matter of who does the work: a member that was stopped for
 * longer than its session may wake up and write once more, which the epochs of what it writes have to tell.
 *
 * Throws `KAFKA_UNREACHABLE`, `KAFKA_AUTHENTICATION_REFUSED`, `KAFKA_OPTIONS_MALFORMED`.
 */
export async function joinGroup(options: KafkaOptions & GroupOptions & { readonly clock: Clock }): Promise<Membership> {
  const cluster = new Cluster(kafkaSettings(options, options.clock))
  try {
    const protocol =
      options.protocol ?? (await cluster.retrying({ action: 'connect' }, () => newest(cluster), connectMs))
    return new Membership(cluster, options, protocol)
  } catch (error) {
    await cluster.close()
    throw error
  }
}

const connectMs = 5_000
/** Of `ConsumerGroupHeartbeat`; Kafka 3 had a version 0 for trying. */
const heartbeatKey = 68

async function newest(cluster: Cluster): Promise<GroupProtocol> {
  return ((await cluster.newestVersion(heartbeatKey)) ?? 0) >= 1 ? 'consumer' : 'classic'
}

export class Membership {
  readonly protocol: GroupProtocol
  /** Resolves when the member has left, or with what ended it; everything was revoked before, unless a callback threw. */
  readonly ended: Promise<Error | null>
  readonly #cluster: Cluster
  readonly #options: GroupOptions & { readonly rebalanceMs: number }
  readonly #clock: Clock
  readonly #coordinator: Coordinator
  readonly #lease: Lease
  readonly #ownership: Ownership
  readonly #member: MemberProtocol
  readonly #stopping = new AbortController()
  #waking = new AbortController()
  #leaving: Promise<void> | null = null

  constructor(cluster: Cluster, options: GroupOptions, protocol: GroupProtocol) {
    this.protocol = protocol
    this.#cluster = cluster
    this.#clock = cluster.settings.clock
    this.#options = { ...options, rebalanceMs: options.rebalanceMs ?? 60_000 }
    this.#coordinator = new Coordinator(cluster, options.group)
    this.#lease = new Lease(this.#clock)
    this.#ownership = new Ownership(options, this.#clock, () => this.#wake())
    const parts: MemberParts = {
      options: this.#options,
      cluster,
      coordinator: this.#coordinator,
      lease: this.#lease,
      ownership: this.#ownership,
    }
    this.#member = protocol === 'consumer' ? new ConsumerProtocol(parts) : new ClassicProtocol(parts)
    this.ended = this.#live()
  }

  get memberId(): string {
    return this.#member.memberId
  }

  /** Also what is being let go of, or taken. */
  get owned(): readonly GroupPartition[] {
    return this.#ownership.owned
  }

  /** Whether the session lasts, by our own clock: if not, others may own what was ours, and nothing more is written. */
  get holds(): boolean {
    return this.#lease.leftMs > 0
  }

  /** Lets everything go, then tells the coordinator. A static member's partitions wait until its session times out. */
  async leave(): Promise<void> {
    this.#leaving ??= this.#leave()
    await this.#leaving
    await this.ended
  }

  async #leave(): Promise<void> {
    await this.#ownership.close()
    this.#stopping.abort()
    await this.#sayGoodbye()
  }

  /** A coordinator that does not hear it will notice by the session that times out. */
  async #sayGoodbye(): Promise<void> {
    try {
      await this.#member.leave()
    } catch (error) {
      const { passes, name } = troubleOf(error)
      if (!passes && !isUnknown(name)) throw error
    } finally {
      await this.#cluster.close()
    }
  }

  async #live(): Promise<Error | null> {
    const watching = this.#watch()
    const fault = await this.#converse()
    this.#stopping.abort()
    await watching
    if (fault !== null) {
      this.#lease.end()
      this.#ownership.lose()
      await this.#ownership.close()
      await this.#sayGoodbye()
    }
    return fault
  }

  /** One exchange after the other. Resolves with a fault, or null when it leaves. */
  async #converse(): Promise<Error | null> {
    const { clock } = this.#cluster.settings
    let failures = 0
    for (let startedMs = clock.elapsed(); !this.#stopping.signal.aborted; ) {
      this.#waking = new AbortController()
      let waitMs: number
      try {
        // Who has lost what it owned has to have let it go before it asks anew.
        if (this.#ownership.isLosing) await this.#ownership.settled()
        const { failure } = this.#ownership
        if (failure !== null) return failure instanceof Error ? failure : new Error(messageOf(failure))
        waitMs = await this.#member.exchange()
        failures = 0
        startedMs = clock.elapsed()
      } catch (error) {
        if (this.#stopping.signal.aborted) break
        const { name, passes } = troubleOf(error)
        if (isUnknown(name)) {
          this.#lease.end()
          this.#ownership.lose()
          this.#member.restart(true)
        } else {
          const isTaken = name === 'UNRELEASED_INSTANCE_ID'
          // The process that had this id before may have died without a word.
          const waits = isTaken && clock.elapsed() - startedMs < 1.5 * this.#member.sessionMs + 5_000
          if (!passes && !waits) return this.#faultOf(error)
          if (!isTaken) this.#coordinator.forget()
        }
        waitMs = Math.min(20 * 2 ** failures++, 1_000)
      }
      if (waitMs > 0) await clock.sleep(waitMs, AbortSignal.any([this.#waking.signal, this.#stopping.signal]))
    }
    return null
  }

  /** What is owned is lost when the session has not been renewed in time, whether or not anybody answers. */
  async #watch(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      const { leftMs } = this.#lease
      if (leftMs <= 0 && this.#ownership.owned.length > 0 && !this.#ownership.isLosing) {
        this.#ownership.lose()
        this.#member.restart(false)
      }
      await this.#clock.sleep(Math.min(Math.max(leftMs, 20), 1_000), signal)
    }
  }

  #wake(): void {
    this.#waking.abort()
  }

  #faultOf(error: unknown): MillraceError {
    if (error instanceof MillraceError) return error
    const { group } = this.#options
    const trouble = troubleOf(error)
    if (refusals.has(trouble.name)) {
      return new MillraceError('KAFKA_GROUP_REFUSED', { group, detail: trouble.detail }, { cause: error })
    }
    return kafkaFault(trouble, this.#cluster.settings, { action: 'join', operation: 'Read', group }, error)
  }
}

function isUnknown(name: string): boolean {
  return name === 'UNKNOWN_MEMBER_ID' || name === 'FENCED_MEMBER_EPOCH' || name === 'ILLEGAL_GENERATION'
}

const refusals = new Set([
  'FENCED_INSTANCE_ID',
  'UNRELEASED_INSTANCE_ID',
  'INCONSISTENT_GROUP_PROTOCOL',
  'GROUP_ID_NOT_FOUND',
  'INVALID_GROUP_ID',
  'GROUP_MAX_SIZE_REACHED',
  'INVALID_SESSION_TIMEOUT',
  'UNSUPPORTED_ASSIGNOR',
  'STALE_MEMBER_EPOCH',
])
