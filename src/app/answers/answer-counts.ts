/** What became of all that a process answered, by the topic of the answers and by outcome. */
export class AnswerCounts {
  readonly #counts = new Map<string, { readonly topic: string; readonly outcome: string; total: number }>()

  /** Counts one outcome of a topic after another. */
  of(topic: string): (outcome: string) => void {
    return (outcome) => {
      const name = `${topic} ${outcome}`
      let counted = this.#counts.get(name)
      if (counted === undefined) this.#counts.set(name, (counted = { topic, outcome, total: 0 }))
      counted.total += 1
    }
  }

  get all(): Iterable<{ readonly topic: string; readonly outcome: string; readonly total: number }> {
    return this.#counts.values()
  }
}
