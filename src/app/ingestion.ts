import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import { partitionFor } from '../base/murmur2.ts'
import type { Log, RecordInput } from '../log/log.ts'
import { inspect } from '../plan/intake.ts'
import type { StreamPlan } from '../plan/plan.ts'
import { eventBytesMax, type Refusal } from '../schema/decode.ts'
import { type Writer, writerIdOf } from '../schema/avro/writer.ts'
import { placementOf } from './placement.ts'
import type { WriterOf } from './replays.ts'

/** What became of one event on its way into the log. It is in the log either way, and gets its verdict there. */
export type Ingested = {
  readonly partition: number
  readonly offset: number
  /** Why the stream will refuse it; empty when it is well formed. */
  readonly refusals: readonly Refusal[]
}

/** The events of one call that go to one partition, in order. */
type Part = {
  readonly topic: string
  readonly partition: number
  readonly records: RecordInput[]
  /** Of each record: its index among the bodies of the call. */
  readonly indexes: number[]
}

type Call = {
  readonly parts: readonly Part[]
  readonly refusals: readonly (readonly Refusal[])[]
  readonly results: Ingested[]
  failure: unknown
  readonly done: PromiseWithResolvers<Ingested[]>
}

const none: readonly Refusal[] = []

/** About how many bytes go to the log at once: a call is never divided, so one may be larger. */
const appendBytesMax = 1024 * 1024

/**
 * Brings raw events into the log, in rounds: what is asked for while a round is under way goes into the next one, all
 * of a partition with one append. So the more callers wait, the more of them share a write to the disk, and a lone one
 * waits for nobody.
 */
export class Ingestion {
  readonly #log: Log
  readonly #clock: Clock
  readonly #writerOf: WriterOf
  #waiting: Call[] = []
  #isRunning = false

  constructor(parts: { readonly log: Log; readonly clock: Clock; readonly writerOf: WriterOf }) {
    this.#log = parts.log
    this.#clock = parts.clock
    this.#writerOf = parts.writerOf
  }

  /**
   * Appends raw events to their stream's topic; resolves when all are durable. Events of equal keys share a partition,
   * placed as the Java client would. An event that will be refused is appended too, so that it is kept and counted; one
   * above `eventBytesMax` fits into no record: then the call rejects with `LOG_RECORD_TOO_LARGE` and nothing of it is
   * appended. The bodies must not change before it has ended.
   */
  async ingest(stream: StreamPlan, bodies: readonly Uint8Array[]): Promise<Ingested[]> {
    const writers = stream.format.registry === null ? [] : await this.#writersOf(stream, bodies)
    const call = this.#makeCall(stream, bodies, writers)
    if (call.parts.length === 0) return call.results
    this.#waiting.push(call)
    if (!this.#isRunning) {
      this.#isRunning = true
      void this.#run()
    }
    return await call.done.promise
  }

  /** Of those that name the schema they were written with. Asks the registry for what nothing was read of yet. */
  async #writersOf({ topic }: StreamPlan, bodies: readonly Uint8Array[]): Promise<readonly (Writer | undefined)[]> {
    const writers: (Writer | undefined)[] = []
    for (const body of bodies) {
      writers.push(writerIdOf(body) === null ? undefined : await this.#writerOf(topic, body))
    }
    return writers
  }

  #makeCall(stream: StreamPlan, bodies: readonly Uint8Array[], writers: readonly (Writer | undefined)[]): Call {
    // Before anything is appended: a call that is refused leaves nothing behind.
    const large = bodies.find((body) => body.length > eventBytesMax)
    if (large !== undefined) {
      throw new MillraceError('LOG_RECORD_TOO_LARGE', { size: large.length, limit: eventBytesMax })
    }
    const timestampMs = this.#clock.now()
    const { topic } = stream
    const { partitions } = this.#log.topics().find((one) => one.topic === topic)!
    const parts = new Map<number, Part>()
    const refusals: (readonly Refusal[])[] = []
    for (let index = 0; index < bodies.length; index++) {
      const value = bodies[index]!
      const writer = writers[index]
      const inspected = inspect(stream, writer === undefined ? { value, timestampMs } : { value, timestampMs, writer })
      const key = 'row' in inspected ? placementOf(stream, inspected.row) : null
      const partition = partitionFor(key ?? value, partitions)
      let part = parts.get(partition)
      if (part === undefined) parts.set(partition, (part = { topic, partition, records: [], indexes: [] }))
      part.records.push({ key, value, timestampMs })
      part.indexes.push(index)
      refusals.push('refusals' in inspected ? inspected.refusals : none)
    }
    const results = new Array<Ingested>(bodies.length)
    return { parts: [...parts.values()], refusals, results, failure: null, done: Promise.withResolvers() }
  }

  async #run(): Promise<void> {
    // Requests that arrive together are taken by one turn of the event loop, one after the other: all of them count.
    await this.#clock.turn()
    while (this.#waiting.length > 0) {
      const calls = this.#waiting
      this.#waiting = []
      await this.#append(calls)
      for (const { failure, results, done } of calls) {
        if (failure === null) done.resolve(results)
        else done.reject(failure)
      }
    }
    this.#isRunning = false
  }

  /** One round. Never rejects: what goes wrong is kept by the calls that it concerns. */
  async #append(calls: readonly Call[]): Promise<void> {
    const places = new Map<string, Group[]>()
    for (const call of calls) {
      for (const part of call.parts) {
        const place = `${part.partition}@${part.topic}`
        let groups = places.get(place)
        if (groups === undefined) places.set(place, (groups = []))
        const bytes = part.records.reduce((sum, { value }) => sum + value!.length, 0)
        const last = groups.at(-1)
        if (last === undefined || last.bytes + bytes > appendBytesMax) groups.push({ bytes, members: [{ call, part }] })
        else {
          last.bytes += bytes
          last.members.push({ call, part })
        }
      }
    }
    await Promise.all([...places.values()].flat().map((group) => this.#appendGroup(group)))
  }

  async #appendGroup({ members }: Group): Promise<void> {
    const { topic, partition, records } = members[0]!.part
    const all = members.length === 1 ? records : members.flatMap(({ part }) => part.records)
    try {
      let offset = await this.#log.append(topic, partition, all)
      for (const { call, part } of members) {
        for (const index of part.indexes) {
          call.results[index] = { partition, offset, refusals: call.refusals[index]! }
          offset += 1
        }
      }
    } catch (error) {
      for (const { call } of members) call.failure ??= error
    }
  }
}

/** What goes to one partition with one append. */
type Group = { bytes: number; readonly members: { readonly call: Call; readonly part: Part }[] }
