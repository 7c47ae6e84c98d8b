import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import type { Header, Log } from '../log/log.ts'
import type { SourceReading } from '../stream/source-task.ts'
import { erasureHeader } from '../plan/erasure.ts'
import { standInHeader } from '../plan/open-rejections.ts'
import type { Plan, StreamPlan } from '../plan/plan.ts'
import type { FixRequest, ReplayAnswer, ReplayOutcome, ReplayRequest, ReplayResult } from '../serve/http-service.ts'
import {
  type Handled,
  type Letter,
  letterAt,
  letters,
  noteHandled,
  placeOf,
  placeText,
  readHandled,
} from './dead-letters.ts'
import { placementOf } from './placement.ts'
import type { Writer } from '../schema/avro/writer.ts'
import { withValues } from './mend.ts'

/** What replays ask of an engine. */
export type ReplayEngine = {
  readonly plan: Plan
  caughtUp(): Promise<void>
  /** The source partitions of a stream that is served. */
  sources(stream: string): readonly SourceReading[]
  /** Source partitions that stopped. */
  readonly halted: readonly { readonly topic: string; readonly partition: number }[]
}

/** The name of a header that says, for people, which dead letter or late event a record was sent for. */
export const letterHeader = 'millrace.dead-letter'

/** What a value names as its writer; undefined where it names none. */
export type WriterOf = (topic: string, value: Uint8Array | null) => Promise<Writer | undefined>

type Parts = { readonly engine: ReplayEngine; readonly log: Log; readonly clock: Clock; readonly writerOf: WriterOf }

/**
 * Sends rejected events to their streams again, to the partition that they came from and with the timestamp that they
 * had, as stand-ins for their originals (`OpenRejections`). That alone makes a replay count once, over crashes and over
 * whoever does the same at the same time; what is checked here before sending is there to say what will become of it,
 * and to send nothing that changes nothing.
 */
export class Replays {
  readonly #parts: Parts
  #last: Promise<unknown> = Promise.resolve()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async replay({ kind, target }: ReplayRequest): Promise<ReplayAnswer> {
    return await this.#inTurn(async () => {
      const { log, clock } = this.#parts
      if ('places' in target) {
        const results: ReplayResult[] = []
        const handled = await readHandled(log)
        for (const place of target.places) {
          results.push(await this.#send(await letterAt(log, kind, place, handled), placeText(place), null))
        }
        return { results, next: null }
      }
      const { from, countMax, ...filter } = target.all
      const results: ReplayResult[] = []
      for await (const letter of letters(log, { kind, ...filter, open: true }, { from, clock })) {
        const place = placeText(placeOf(letter))
        if (results.length === countMax) return { results, next: place }
        results.push(await this.#send(letter, place, null))
      }
      return { results, next: null }
    })
  }

  async fix({ kind, place, mended }: FixRequest): Promise<ReplayResult> {
    return await this.#inTurn(async () => {
      const letter = await letterAt(this.#parts.log, kind, place)
      if (letter === null) return missing(placeText(place))
      const event = 'event' in mended ? mended.event : withValues(letter.raw, mended.set)
      return await this.#send(letter, placeText(place), event)
    })
  }

  /** One call after another: each sees what the ones before sent. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(async () => {
      await this.#caughtUp()
      return await work()
    })
    this.#last = done.catch(() => undefined)
    return done
  }

  /** As far as that is possible: partitions that have stopped are not waited for, and get nothing sent. */
  async #caughtUp(): Promise<void> {
    try {
      await this.#parts.engine.caughtUp()
    } catch (error) {
      if (!(error instanceof MillraceError && error.code === 'PARTITION_HALTED')) throw error
    }
  }

  async #send(letter: Letter | null, place: string, mended: Uint8Array | null): Promise<ReplayResult> {
    if (letter === null) return missing(place)
    const { topic, partition, offset } = letter
    const outcome = await this.#outcome(letter, mended)
    return { place, stream: letter.stream, source: { topic, partition, offset }, ...outcome }
  }

  async #outcome(letter: Letter, mended: Uint8Array | null): Promise<ReplayOutcome> {
    const { engine, log } = this.#parts
    const { topic, partition, original, timestampMs } = letter
    const stream = streamOf(engine.plan, letter)
    const isIts = (one: { topic: string; partition: number }): boolean =>
      one.topic === topic && one.partition === partition
    const intake = stream === null ? undefined : engine.sources(stream.name).find(isIts)?.intake
    if (stream === null || intake === undefined) return { outcome: 'unread' }
    if (engine.halted.some(isIts)) return { outcome: 'halted' }
    const value = mended ?? letter.raw
    const writer = await this.#parts.writerOf(topic, value)
    const foreseen = intake.foresee({ value, timestampMs, ...(writer === undefined ? {} : { writer }) }, original)
    switch (foreseen.verdict) {
      case 'settled':
        await this.#note(letter, { outcome: 'settled', at: null, mended: false })
        return { outcome: 'settled' }
      case 'displaced':
        return { outcome: 'displaced' }
      case 'refused':
        return { outcome: 'refused', faults: foreseen.refusals }
      case 'late':
        return { outcome: 'late', ts: foreseen.ts, watermark: foreseen.watermark, outside: foreseen.outside }
      case 'duplicate':
        return { outcome: 'duplicate', id: foreseen.id }
      case 'accepted':
    }
    const headers: readonly Header[] = [
      // A mended event is about whom it says; one that is sent as it was stays forgotten.
      ...letter.headers.filter(([name]) => mended === null || name !== erasureHeader),
      [standInHeader, Buffer.from(String(original))],
      [letterHeader, Buffer.from(`${letter.outputTopic}/${placeText(placeOf(letter))}`)],
    ]
    const key = placementOf(stream, foreseen.row)
    const sentAt = await log.append(topic, partition, [{ key, value, timestampMs, headers }])
    await this.#note(letter, { outcome: 'sent', at: { partition, offset: sentAt }, mended: mended !== null })
    // Read before the next one is looked at: two letters of one call may be of one id.
    await this.#caughtUp()
    return { outcome: 'sent', at: { partition, offset: sentAt } }
  }

  async #note(letter: Letter, handled: Omit<Handled, 'notedMs'>): Promise<void> {
    if (letter.handled !== null && (letter.handled.outcome === 'sent' || handled.outcome !== 'sent')) return
    await noteHandled(this.#parts.log, [[letter, { ...handled, notedMs: this.#parts.clock.now() }]])
  }
}

function missing(place: string): ReplayResult {
  return { place, stream: null, source: null, outcome: 'missing' }
}

/** By its name; a stream that was renamed since is the only one that reads the topic. */
function streamOf({ streams }: Plan, { stream: name, topic }: Letter): StreamPlan | null {
  const readers = streams.filter((stream) => stream.topic === topic || stream.history?.topic === topic)
  return readers.find((stream) => stream.name === name) ?? (readers.length === 1 ? readers[0]! : null)
}
