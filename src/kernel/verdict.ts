/**
 * What becomes of a record. Exactly one, and from the prefix of the record's own partition alone: neither the wall
 * clock nor another partition has a say, so any replay of the partition gives the same verdicts.
 */
export type Verdict = 'accepted' | 'duplicate' | 'late' | 'refused'

export type VerdictRules = {
  /** An event older than the watermark less this is late. */
  readonly latenessMs: number
  /** An id is a duplicate while its first event is no more than this older than the watermark. */
  readonly dedupeMs: number
}

/** The ids that a judge remembers: id → time of its first event and a hash of its payload. */
export type SeenIds = Map<string | number, { readonly ts: number; readonly hash: number }>

export type Judged = {
  readonly id: string | number | null
  readonly ts: number
  /** Of the raw payload: tells a resent event from another one under the same id. */
  readonly hash: number
}

/** Gives the verdicts of one source partition, in offset order. */
export class Judge {
  readonly #rules: VerdictRules
  readonly #seen: SeenIds
  #watermark: number
  #sweepAt: number

  /** Starts at a checkpoint: the watermark (-1 before the first accepted event) and the ids seen so far. */
  constructor(rules: VerdictRules, watermark: number, seen: SeenIds) {
    this.#rules = rules
    this.#seen = seen
    this.#watermark = watermark
    this.#sweepAt = watermark + rules.dedupeMs
  }

  /** Highest time of an accepted event; -1 before the first. */
  get watermark(): number {
    return this.#watermark
  }

  get seenCount(): number {
    return this.#seen.size
  }

  /** The verdict on a well-formed event. An accepted one moves the watermark and is remembered. */
  judge(event: Judged): { verdict: 'accepted' | 'duplicate' | 'late'; conflict: boolean } {
    const { id, ts, hash } = event
    if (id !== null) {
      const first = this.#seen.get(id)
      if (first !== undefined && first.ts >= this.#watermark - this.#rules.dedupeMs) {
        return { verdict: 'duplicate', conflict: first.hash !== hash }
      }
    }
    if (ts < this.#watermark - this.#rules.latenessMs) return { verdict: 'late', conflict: false }
    if (ts > this.#watermark) this.#watermark = ts
    if (id !== null) {
      this.#seen.set(id, { ts, hash })
      if (this.#watermark >= this.#sweepAt) this.#forget()
    }
    return { verdict: 'accepted', conflict: false }
  }

  /** Drops what can no longer decide a verdict. Once per dedupe span, so its cost per event is constant. */
  #forget(): void {
    const oldest = this.#watermark - this.#rules.dedupeMs
    for (const [id, { ts }] of this.#seen) if (ts < oldest) this.#seen.delete(id)
    this.#sweepAt = this.#watermark + Math.max(1, this.#rules.dedupeMs)
  }
}
