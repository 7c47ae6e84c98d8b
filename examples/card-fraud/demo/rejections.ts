import { deadLetterTopic, lateTopic, type Mill, readRejection, type RejectionRecord } from 'millrace'

const shownMax = 8

/** Follows the two topics of what was not accepted: `dead-letter-queue` and `late-events`. */
export class Rejections {
  readonly #mill: Mill
  readonly #next = new Map<string, number>()
  readonly #reasons = new Map<string, number>()
  #newest: RejectionRecord[] = []
  #refused = 0
  #late = 0

  constructor(mill: Mill) {
    this.#mill = mill
  }

  /** Dead letters, newest first. */
  get newest(): readonly RejectionRecord[] {
    return this.#newest
  }

  /** Reason → dead letters, the most frequent first. */
  get reasons(): readonly (readonly [reason: string, count: number])[] {
    return [...this.#reasons].toSorted(([, a], [, b]) => b - a)
  }

  /** Records read so far. */
  get counts(): { readonly refused: number; readonly late: number } {
    return { refused: this.#refused, late: this.#late }
  }

  /** Reads what was added since the last call. */
  async read(): Promise<void> {
    for (const { topic, partitions } of this.#mill.log.topics()) {
      if (topic !== deadLetterTopic && topic !== lateTopic) continue
      for (let partition = 0; partition < partitions; partition++) await this.#readPartition(topic, partition)
    }
  }

  async #readPartition(topic: string, partition: number): Promise<void> {
    const { log } = this.#mill
    const place = `${topic}/${partition}`
    let offset = this.#next.get(place) ?? log.start(topic, partition)
    while (offset < log.end(topic, partition)) {
      const { records, next } = await log.read(topic, partition, offset, 1024 * 1024)
      for (const record of records) this.#take(topic, readRejection(record))
      offset = next
      this.#next.set(place, offset)
    }
  }

  #take(topic: string, rejection: RejectionRecord): void {
    if (topic === lateTopic) {
      this.#late += 1
      return
    }
    this.#refused += 1
    this.#reasons.set(rejection.reason, (this.#reasons.get(rejection.reason) ?? 0) + 1)
    this.#newest = [rejection, ...this.#newest].toSorted((a, b) => b.timestampMs - a.timestampMs).slice(0, shownMax)
  }
}

/** The first reason in words: which field, what came, what is allowed. */
export function explainRejection({ detail }: RejectionRecord): string {
  const [first] = Array.isArray(detail) ? (detail as { path: string; came: string; allowed: string }[]) : []
  if (first === undefined) return ''
  return `${first.path === '' ? 'the event' : first.path}: ${first.came}, allowed ${first.allowed}`
}
