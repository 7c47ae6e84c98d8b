import { assert } from '../base/assert.ts'
import type { Id, IdTable } from './id-table.ts'

/**
 * What becomes of a record. Exactly one, and from the prefix of the record's own partition alone: neither the wall
 * clock nor another partition has a say, so any replay of the partition gives the same verdicts.
 */
export type Verdict = 'accepted' | 'duplicate' | 'late' | 'refused'

export type VerdictRules = {
  /** An event older than the watermark less this is late. Infinity: none is. */
  readonly latenessMs: number
  /** An id is a duplicate while its first event is no more than this older than the watermark. Infinity: always. */
  readonly dedupeMs: number
  /** An event before this instant is late, wherever the watermark stands. Default: none is. */
  readonly fromMs?: number
  /** An event at or after this instant is late as well: its time is another source's. Default: none is. */
  readonly endMs?: number
}

export type Judged = {
  readonly id: Id | null
  readonly ts: number
  /** Of the raw payload: tells a resent event from another one under the same id. */
  readonly hash: number
}

/** `conflict`: a duplicate with another payload. */
export type Judgement = 'accepted' | 'duplicate' | 'conflict' | 'late'

/** Gives the verdicts of one source partition, in offset order. */
export class Judge {
  readonly #rules: VerdictRules
  readonly #fromMs: number
  readonly #endMs: number
  readonly #seen: IdTable
  #watermark: number

  /** Starts at a checkpoint: the watermark (-1 before the first accepted event) and the ids seen so far. */
  constructor(rules: VerdictRules, watermark: number, seen: IdTable) {
    this.#rules = rules
    this.#fromMs = rules.fromMs ?? Number.NEGATIVE_INFINITY
    this.#endMs = rules.endMs ?? Number.POSITIVE_INFINITY
    this.#seen = seen
    this.#watermark = watermark
    if (this.closed) seen.clear()
  }

  /** Highest time of an accepted event; -1 before the first; the end of the span once the source is closed. */
  get watermark(): number {
    return this.#watermark
  }

  /** Whether an event of this id now would be a duplicate. */
  remembers(id: Id): boolean {
    return this.#seen.seek(id) && this.#seen.ts >= this.#watermark - this.#rules.dedupeMs
  }

  /** What `judge` would say now. */
  foresee({ id, ts }: Pick<Judged, 'id' | 'ts'>): 'accepted' | 'duplicate' | 'late' {
    return id !== null && this.remembers(id) ? 'duplicate' : this.#isLate(ts) ? 'late' : 'accepted'
  }

  get seenCount(): number {
    return this.#seen.size
  }

  /** Whether nothing more is to come: no event that was accepted reaches the end of the span, only `close` does. */
  get closed(): boolean {
    return this.#watermark >= this.#endMs
  }

  /** Ids of events before this instant decide nothing any more. */
  get forgetsBefore(): number {
    return this.closed ? Number.POSITIVE_INFINITY : this.#watermark - this.#rules.dedupeMs
  }

  /** Everything of the span has come: what comes now is late, and no id has to be remembered for it. */
  close(): void {
    assert(Number.isFinite(this.#endMs), 'only a source whose span ends is closed')
    this.#watermark = this.#endMs
    this.#seen.clear()
  }

  /** Whether an event of this time is late wherever the watermark stands. */
  isOutside(ts: number): boolean {
    return ts < this.#fromMs || ts >= this.#endMs
  }

  /** The verdict on a well-formed event. An accepted one moves the watermark and is remembered. */
  judge({ id, ts, hash }: Judged): Judgement {
    if (id === null) return this.judgeWithoutId(ts)
    this.#seen.seek(id)
    return this.judgeSought(ts, hash)
  }

  judgeWithoutId(ts: number): Judgement {
    if (this.#isLate(ts)) return 'late'
    if (ts > this.#watermark) this.#watermark = ts
    return 'accepted'
  }

  /** As `judge`, for an event whose id was just looked for in the table of ids. */
  judgeSought(ts: number, hash: number): Judgement {
    const seen = this.#seen
    if (seen.isFound && seen.ts >= this.#watermark - this.#rules.dedupeMs) {
      return seen.hash === hash ? 'duplicate' : 'conflict'
    }
    const judgement = this.judgeWithoutId(ts)
    if (judgement === 'accepted') {
      seen.put(ts, hash)
      // A little of it now and then: no event waits for all that can no longer decide a verdict.
      seen.forgetBefore(this.#watermark - this.#rules.dedupeMs)
    }
    return judgement
  }

  #isLate(ts: number): boolean {
    return ts < this.#watermark - this.#rules.latenessMs || this.isOutside(ts) || this.closed
  }
}
