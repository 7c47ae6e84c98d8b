/** What became of the entities that a prediction was asked for. */
export type PredictionOutcome = 'served' | 'refused' | 'failed' | 'late' | 'busy' | 'misfit' | 'skipped'

export type VersionCounts = {
  readonly model: string
  readonly version: number
  /** A candidate is not asked, and what is retired is not either. */
  readonly stage: 'live' | 'shadow'
  /** By entity; or late, busy, misfit and, of shadows, skipped, by entity of a request without answer. */
  readonly outcomes: Record<PredictionOutcome, number>
  /** Of a shadow: how far its outputs were from those served, by output. */
  readonly differences: Record<string, { count: number; sum: number; max: number }>
}

/** Counts predictions per version and stage since the process began. */
export class PredictionCounts {
  readonly #counts = new Map<string, VersionCounts>()

  get all(): readonly VersionCounts[] {
    return [...this.#counts.values()]
  }

  of(
    { name, version }: { readonly name: string; readonly version: number },
    stage: VersionCounts['stage'],
  ): VersionCounts {
    const key = `${name}/${version}/${stage}`
    let counts = this.#counts.get(key)
    if (counts === undefined) {
      const outcomes = { served: 0, refused: 0, failed: 0, late: 0, busy: 0, misfit: 0, skipped: 0 }
      counts = { model: name, version, stage, outcomes, differences: {} }
      this.#counts.set(key, counts)
    }
    return counts
  }
}
