import { MillraceError } from '../../base/faults.ts'
import type { LogRead } from '../log.ts'
import type { Cluster, Lane } from './cluster.ts'
import { openChunk } from './fetched-batches.ts'
import { kafkaFault, troubleOf, troubleOfCode } from './kafka-trouble.ts'
import type { KafkaPartition } from './partition.ts'
import { type FetchedPartition, fetchRecords, type FetchTarget } from './requests.ts'

/** Learns the leaders anew, and ends of partitions. */
export type Refresher = {
  readonly leaders: () => Promise<void>
  readonly ends: (partition: KafkaPartition) => Promise<void>
}

/**
 * Reads partitions. Who reads on, or waits at the end, is followed: one request per broker, sent again and again, waits
 * for the next records of all partitions that are followed there, so that they are here when they are asked for.
 */
export class KafkaReader {
  readonly #cluster: Cluster
  readonly #refresh: Refresher
  readonly #followed = new Set<KafkaPartition>()
  /** Broker → its poll, while there is something to poll. */
  readonly #polls = new Map<number, Promise<void>>()

  constructor(cluster: Cluster, refresh: Refresher) {
    this.#cluster = cluster
    this.#refresh = refresh
  }

  async read(partition: KafkaPartition, offset: number, bytesMax: number): Promise<LogRead> {
    let gaps = 0
    for (;;) {
      if (partition.failure !== null) throw partition.failure
      if (offset < partition.start || offset > partition.end) await this.#refresh.ends(partition)
      checkRange(partition, offset)
      if (offset === partition.end) return { records: [], next: offset }
      partition.interest = interestPolls
      const found = partition.take(offset, bytesMax)
      if (found !== null) {
        this.#follow(partition)
        return found
      }
      if (partition.polling?.offset === offset) {
        await partition.polling.done
        if (partition.next !== offset) continue
      }
      const end = await this.#fetchNow(partition, offset)
      if (end === null) continue
      // Nothing before the end of what is committed, again and again: only a gap can be there.
      if (end > offset && ++gaps === gapsSure) return { records: [], next: end }
      // The records that this process appended wait for a transaction of somebody else that is open before them.
      await this.#cluster.settings.clock.sleep(10, this.#cluster.closing)
    }
  }

  /** Makes sure that it is noticed when something comes. */
  async waitFor(partition: KafkaPartition, offset: number, signal: AbortSignal): Promise<void> {
    if (offset < partition.end || signal.aborted) return
    if (partition.failure !== null) throw partition.failure
    partition.interest = interestPolls
    if (partition.next > partition.end || partition.next < offset) partition.restartFrom(partition.end)
    this.#follow(partition)
    const waiting = partition.waiters.wait(offset, signal)
    partition.waiting += 1
    try {
      await waiting
    } finally {
      partition.waiting -= 1
    }
  }

  /** Whoever waits hears of `reason`. */
  stop(reason: MillraceError): void {
    for (const partition of this.#followed) this.#fail(partition, reason)
  }

  /** Resolves when no poll is under way any more, which is soon after the cluster was left. */
  async stopped(): Promise<void> {
    await Promise.all(this.#polls.values())
  }

  #follow(partition: KafkaPartition): void {
    if (this.#cluster.closing.aborted) return
    this.#followed.add(partition)
    const { leader } = partition
    if (this.#polls.has(leader)) return
    const polling = this.#poll(leader).finally(() => this.#polls.delete(leader))
    this.#polls.set(leader, polling)
  }

  /** Until nothing of this broker's is followed any more. */
  async #poll(leader: number): Promise<void> {
    const { clock } = this.#cluster.settings
    for (let failures = 0; !this.#cluster.closing.aborted; ) {
      for (const partition of this.#followed) if (isForgotten(partition)) this.#unfollow(partition)
      const mine = [...this.#followed].filter((one) => one.leader === leader)
      if (mine.length === 0) return
      const wanting = mine.filter(({ bufferedBytes }) => bufferedBytes < bufferBytesMax)
      if (wanting.length === 0) {
        for (const partition of mine) partition.interest -= 1
        await clock.sleep(roomMs, this.#cluster.closing)
        continue
      }
      const done = Promise.withResolvers<void>()
      for (const partition of wanting) partition.polling = { offset: partition.next, done: done.promise }
      let whole = false
      try {
        whole = leader >= 0 && (await this.#pollOnce(leader, wanting))
        failures = whole ? 0 : failures + 1
      } catch (error) {
        failures += 1
        this.#failAll(wanting, error)
      }
      for (const partition of wanting) partition.polling = null
      done.resolve()
      if (!whole && !this.#cluster.closing.aborted) {
        await clock.sleep(Math.min(50 * 2 ** failures, 1_000), this.#cluster.closing)
        await this.#refresh.leaders().catch((error: unknown) => this.#failAll(wanting, error))
        // Those that are led elsewhere now are polled there.
        for (const partition of wanting) if (partition.leader !== leader) this.#follow(partition)
      }
    }
  }

  async #pollOnce(leader: number, wanting: readonly KafkaPartition[]): Promise<boolean> {
    const asked = wanting.map((partition) => ({ partition, offset: partition.next }))
    const answer = await this.#fetch({ leader, lane: 'poll' }, asked, pollMs)
    let whole = true
    for (const { partition, offset } of asked) {
      partition.interest -= 1
      const fetched = answer.find((one) => one.partition === partition.partition && one.topicId === partition.topicId)
      if (fetched === undefined) continue
      try {
        if (!this.#take(partition, offset, fetched)) whole = false
      } catch (error) {
        this.#fail(partition, error)
      }
    }
    return whole
  }

  /** Fetches what is at `offset` now. Gives the end of what is committed where nothing came; else null. */
  async #fetchNow(partition: KafkaPartition, offset: number): Promise<number | null> {
    const { topic, leader } = partition
    const fetchOnce = async (): Promise<number | null> => {
      try {
        if (partition.next !== offset) partition.restartFrom(offset)
        const answer = await this.#fetch({ leader: partition.leader, lane: 'read' }, [{ partition, offset }], 0)
        const fetched = answer[0]
        if (fetched === undefined) return null
        if (this.#take(partition, offset, fetched)) return fetched.bytes.length === 0 ? fetched.end : null
      } catch (error) {
        if (error instanceof MillraceError || !troubleOf(error).passes) throw error
        // That nobody can be asked is why the request failed: it is tried again, for as long as reads are.
        await this.#refresh.leaders().catch(() => undefined)
        if (partition.leader === leader) throw error
        return null
      }
      await this.#refresh.leaders()
      await this.#cluster.settings.clock.sleep(50, this.#cluster.closing)
      return null
    }
    const doing = { action: 'read', operation: 'Read', topic }
    return await this.#cluster.retrying(doing, fetchOnce, this.#cluster.settings.deliveryMs)
  }

  async #fetch(
    { leader, lane }: { readonly leader: number; readonly lane: Lane },
    asked: readonly { readonly partition: KafkaPartition; readonly offset: number }[],
    maxWaitMs: number,
  ): Promise<readonly FetchedPartition[]> {
    const targets = asked.map(
      ({ partition, offset }): FetchTarget => ({
        topicId: partition.topicId,
        partition: partition.partition,
        leaderEpoch: partition.leaderEpoch,
        offset,
        lastEpoch: partition.epochBefore(offset),
        bytesMax: fetchBytes,
      }),
    )
    const { throttled, partitions } = await this.#cluster.send(leader, lane, (connection) =>
      fetchRecords(connection, targets, maxWaitMs),
    )
    // A broker that slows clients down answers without records: that says nothing about what is there.
    return throttled ? partitions.filter(({ bytes }) => bytes.length > 0) : partitions
  }

  /** Whether the answer is one; false: the leader is another by now. Throws a fault where waiting would not help. */
  #take(partition: KafkaPartition, offset: number, fetched: FetchedPartition): boolean {
    const { topic } = partition
    if (fetched.errorCode === 0 && !fetched.diverges) {
      partition.learn(fetched.start, fetched.end)
      // Meanwhile someone may have begun to read elsewhere.
      if (partition.next !== offset) return true
      const place = { topic, partition: partition.partition, offset }
      partition.keep(openChunk(fetched.bytes, place, fetched.aborted))
      return true
    }
    if (fetched.diverges) {
      throw new MillraceError('KAFKA_TOPIC_REPLACED', {
        topic,
        detail: `partition ${partition.partition} parts from it`,
      })
    }
    const trouble = troubleOfCode(fetched.errorCode)
    if (trouble.name === 'OFFSET_OUT_OF_RANGE') {
      const { start, end } = partition
      const place = { topic, partition: partition.partition }
      throw new MillraceError('LOG_OFFSET_OUT_OF_RANGE', {
        ...place,
        offset,
        start: Math.max(start, fetched.start),
        end,
      })
    }
    if (trouble.passes) return false
    throw kafkaFault(trouble, this.#cluster.settings, { action: 'read', operation: 'Read', topic })
  }

  /** Those who wait hear of it, and whoever reads next finds out for itself. */
  #fail(partition: KafkaPartition, error: unknown): void {
    this.#unfollow(partition)
    partition.waiters.fail(error as Error)
  }

  #unfollow(partition: KafkaPartition): void {
    this.#followed.delete(partition)
    partition.restartFrom(partition.end)
  }

  #failAll(partitions: readonly KafkaPartition[], error: unknown): void {
    // Who waits for records waits through an outage too, however long it takes.
    if (error instanceof MillraceError ? error.retry === 'backoff' : troubleOf(error).passes) return
    for (const partition of partitions) this.#fail(partition, error)
  }
}

/** Of one partition in one answer; a larger batch comes whole. */
const fetchBytes = 1024 * 1024

/** Fetched ahead of whoever reads, per partition. */
const bufferBytesMax = 2 * 1024 * 1024

/** How long a broker may wait for records. A partition that is followed anew joins the poll after this one. */
const pollMs = 100

/** Until somebody has read what is fetched ahead. */
const roomMs = 5

/** Some minutes of a quiet topic. */
const interestPolls = 1_000

const gapsSure = 3

function isForgotten(partition: KafkaPartition): boolean {
  return partition.interest <= 0 && partition.waiting === 0
}

function checkRange({ topic, partition, start, end }: KafkaPartition, offset: number): void {
  if (offset >= start && offset <= end) return
  throw new MillraceError('LOG_OFFSET_OUT_OF_RANGE', { offset, topic, partition, start, end })
}
