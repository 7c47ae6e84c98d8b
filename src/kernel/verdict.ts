import { assert } from '../base/assert.ts'

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
  readonly #fromMs: number
  readonly #endMs: number
  readonly #seen: SeenIds
  #watermark: number
  #sweepAt: number

  /** Starts at a checkpoint: the watermark (-1 before the first accepted event) and the ids seen so far. */
  constructor(rules: VerdictRules, watermark: number, seen: SeenIds) {
    this.#rules = rules
    this.#fromMs = rules.fromMs ?? Number.NEGATIVE_INFINITY
    this.#endMs = rules.endMs ?? Number.POSITIVE_INFINITY
    this.#seen = seen
    this.#watermark = watermark
    this.#sweepAt = watermark + rules.dedupeMs
    if (this.closed) seen.clear()
  }

  /** Highest time of an accepted event; -1 before the first; the end of the span once the source is closed. */
  get watermark(): number {
    return this.#watermark
  }

  /** Whether an event of this id now would be a duplicate. */
  remembers(id: string | number): boolean {
    const first = this.#seen.get(id)
    return first !== undefined && first.ts >= this.#watermark - this.#rules.dedupeMs
  }

  /** What `judge` would say now. */
  foresee({ id, ts }: Pick<Judged, 'id' | 'ts'>): 'accepted' | 'duplicate' | 'late' {
    if (id !== null && this.remembers(id)) return 'duplicate'
    return ts < this.#watermark - this.#rules.latenessMs || this.isOutside(ts) || this.closed ? 'late' : 'accepted'
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
  judge(event: Judged): { verdict: 'accepted' | 'duplicate' | 'late'; conflict: boolean } {
    const { id, ts, hash } = event
    const verdict = this.foresee(event)
    if (verdict === 'duplicate') return { verdict, conflict: this.#seen.get(id!)!.hash !== hash }
    if (verdict === 'late') return { verdict, conflict: false }
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
