import { keepFirst, type OutputPlace } from './written-outputs.ts'

/** A value per interval, by what it says. Of two of one key and end, the one with more events is the newer. */
export type IntervalOutput = {
  /** End of the interval. */
  readonly end: number
  /** The record's key, as text. */
  readonly key: string
  /** Events of the key before the end; 0 where the values could not be computed any more. */
  readonly events: number
  /** Tells values from other values. */
  readonly digest: string
}

type Published = { events: number; digest: string; readonly partition: number; readonly offset: number }

/**
 * Values per interval that a recovery found in their topics, and that the last checkpoint does not cover.
 *
 * All events behind them are in the log, and those that the checkpoint does not cover are taken again. So whoever is
 * about to publish the values of fewer events than are published already will come to the rest, and is silent until
 * then. With equally many events, other values are of another set: several partitions may be taken in another order.
 * Then, and with more events, it publishes. Once an interval is over, everything that was published of it has been
 * gone through again.
 */
export class PublishedIntervals {
  /** Topic → end of the interval → key. */
  readonly #topics = new Map<string, Map<number, Map<string, Published>>>()

  /** Of several of one key and end the last counts: it is the one that a reader believes. */
  add({ topic, partition, offset }: OutputPlace, { end, key, events, digest }: IntervalOutput): void {
    const ends = this.#topics.get(topic) ?? new Map<number, Map<string, Published>>()
    this.#topics.set(topic, ends)
    const keys = ends.get(end) ?? new Map<string, Published>()
    ends.set(end, keys)
    const first = keys.get(key)?.offset ?? offset
    keys.set(key, { events, digest, partition, offset: first })
  }

  /** Whether there is nothing to publish. What is to be published counts as published from now on. */
  covers(topic: string, { end, key, events, digest }: IntervalOutput): boolean {
    const published = this.#topics.get(topic)?.get(end)?.get(key)
    if (published === undefined) return false
    if (published.events === events && published.digest === digest) return true
    if (events > 0 && events < published.events) return true
    published.events = events
    published.digest = digest
    return false
  }

  /** Every interval up to `end` is over. */
  release(topic: string, end: number): void {
    const ends = this.#topics.get(topic)
    if (ends === undefined) return
    for (const one of ends.keys()) if (one <= end) ends.delete(one)
    if (ends.size === 0) this.#topics.delete(topic)
  }

  /** The first of them per topic and partition. */
  addAhead(first: Map<string, number>): void {
    for (const [topic, ends] of this.#topics) {
      for (const keys of ends.values()) {
        for (const { partition, offset } of keys.values()) keepFirst(first, `${topic}/${partition}`, offset)
      }
    }
  }
}
