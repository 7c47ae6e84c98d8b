/** How often something happened that a batch of seeds must meet: what never happens is not tested. */
export class Sometimes {
  readonly #counts = new Map<string, number>()

  count(what: string, times = 1): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + times)
  }

  get(what: string): number {
    return this.#counts.get(what) ?? 0
  }

  entries(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  add(other: Readonly<Record<string, number>>): void {
    for (const [what, times] of Object.entries(other)) this.count(what, times)
  }
}
