import { assert } from '../../base/assert.ts'
import type { Scored } from './ranking.ts'

/** A score that was served, by the id that its label will name. */
export type ScoredPrediction = {
  readonly id: string
  readonly version: string
  readonly asOf: number
  readonly score: number
}

/** What came true of a prediction, and when that was known. */
export type Outcome = { readonly at: number; readonly label: boolean }

export type JoinedVersion = {
  readonly scored: readonly Scored[]
  /** Scores whose labels all came after the horizon. */
  readonly late: number
  /** Scores without a label so far. */
  readonly missing: number
}

export type LabelJoinOptions = {
  /** A label that is known later than this after a prediction comes too late for it. */
  readonly horizonMs: number
  /** Predictions and labels that are held: some hundred bytes each. */
  readonly rowsMax: number
  /** Predictions that are older than the newest one by more than this are let go; null: none is. */
  readonly windowMs: number | null
}

type Entry = { predictions: Omit<ScoredPrediction, 'id'>[]; outcomes: Outcome[] }

/** Of one id at most so many of each are held, the newest: one id that comes again and again must not fill the memory. */
const perIdMax = 64
const hashes = 2 ** 32

/**
 * Joins predictions with their labels by id, in whatever order both come, in bounded memory: exact as long as all fits,
 * else for a share of the ids, chosen by their hash. So the two sides of an id stay or go together, and which ids are
 * left says nothing of their scores or labels: figures over them are unbiased, their standard error grows with one by
 * the root of the share.
 */
export class LabelJoin {
  readonly #options: LabelJoinOptions
  readonly #entries = new Map<string, Entry>()
  #rows = 0
  /** Ids whose hash is below are held. */
  #below = hashes
  #newest = Number.NEGATIVE_INFINITY

  constructor(options: LabelJoinOptions) {
    assert(options.rowsMax >= 2 * perIdMax, 'there is room for one id')
    this.#options = options
  }

  /** Of all ids, those that are held. */
  get share(): number {
    return this.#below / hashes
  }

  get horizonMs(): number {
    return this.#options.horizonMs
  }

  get rows(): number {
    return this.#rows
  }

  holds(id: string): boolean {
    return this.#below === hashes || hashOf(id) < this.#below
  }

  /** Whether there is a prediction of this id, or a label. */
  has(id: string): boolean {
    return this.#entries.has(id)
  }

  predicted({ id, ...prediction }: ScoredPrediction): void {
    if (!this.holds(id)) return
    this.#newest = Math.max(this.#newest, prediction.asOf)
    this.#push(this.#entry(id).predictions, prediction)
  }

  labelled(id: string, outcome: Outcome): void {
    if (!this.holds(id)) return
    const { outcomes } = this.#entry(id)
    // Sent twice it says nothing new.
    const last = outcomes.at(-1)
    if (last !== undefined && last.at === outcome.at && last.label === outcome.label) return
    this.#push(outcomes, outcome)
  }

  /** By version. */
  joined(): Map<string, JoinedVersion> {
    const since = this.#since
    const versions = new Map<string, { scored: Scored[]; late: number; missing: number }>()
    for (const { predictions, outcomes } of this.#entries.values()) {
      for (const { version, asOf, score } of predictions) {
        if (asOf < since) continue
        let joined = versions.get(version)
        if (joined === undefined) versions.set(version, (joined = { scored: [], late: 0, missing: 0 }))
        const label = this.#labelOf(asOf, outcomes)
        if (label !== null) joined.scored.push({ score, label })
        else if (outcomes.length > 0) joined.late += 1
        else joined.missing += 1
      }
    }
    return versions
  }

  /** What is older is let go. */
  get #since(): number {
    const { windowMs } = this.#options
    return windowMs === null ? Number.NEGATIVE_INFINITY : this.#newest - windowMs
  }

  /** The last one in time that is within the horizon: a label may be mended. */
  #labelOf(asOf: number, outcomes: readonly Outcome[]): boolean | null {
    let best: Outcome | null = null
    for (const outcome of outcomes) {
      if (outcome.at <= asOf + this.#options.horizonMs && (best === null || outcome.at >= best.at)) best = outcome
    }
    return best?.label ?? null
  }

  #entry(id: string): Entry {
    let entry = this.#entries.get(id)
    if (entry === undefined) this.#entries.set(id, (entry = { predictions: [], outcomes: [] }))
    return entry
  }

  #push<Row>(rows: Row[], row: Row): void {
    rows.push(row)
    if (rows.length > perIdMax) rows.shift()
    else this.#rows += 1
    if (this.#rows <= this.#options.rowsMax) return
    this.#expire()
    // A tenth of room, so that the next one is not a cleaning again.
    while (this.#rows > 0.9 * this.#options.rowsMax) {
      this.#below /= 2
      this.#keep((id, entry) => (hashOf(id) < this.#below ? entry : null))
    }
  }

  #expire(): void {
    const since = this.#since
    if (since === Number.NEGATIVE_INFINITY) return
    this.#keep((_, { predictions, outcomes }) => {
      const kept = predictions.filter(({ asOf }) => asOf >= since)
      if (kept.length > 0) return { predictions: kept, outcomes }
      const waiting = outcomes.filter(({ at }) => at >= since)
      return waiting.length > 0 ? { predictions: [], outcomes: waiting } : null
    })
  }

  #keep(entryOf: (id: string, entry: Entry) => Entry | null): void {
    let rows = 0
    for (const [id, entry] of this.#entries) {
      const kept = entryOf(id, entry)
      if (kept === null) this.#entries.delete(id)
      else {
        if (kept !== entry) this.#entries.set(id, kept)
        rows += kept.predictions.length + kept.outcomes.length
      }
    }
    this.#rows = rows
  }
}

/** FNV-1a with the last mixing of MurmurHash3: ids that differ in their last digit alone lie far apart. */
function hashOf(id: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < id.length; at++) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
