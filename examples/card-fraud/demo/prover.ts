import { compareSamples, type Pair } from './compare-samples.ts'
import type { SampleSet } from './samples.ts'
import type { Proof } from './snapshot.ts'
import { Trainer } from './trainer.ts'

const differingMax = 5

/** Has training rows built for sampled vectors, one set after the other, and keeps the score. */
export class Prover {
  readonly #folder: string
  readonly #trainer = new Trainer()
  #running: Promise<void> | null = null
  #failure: Error | null = null
  #sets = 0
  #proof: Proof = { compared: 0, different: 0, latest: null, records: 0, seconds: 0, differing: [] }

  constructor(folder: string) {
    this.#folder = folder
  }

  get proof(): Proof {
    return this.#proof
  }

  get busy(): boolean {
    return this.#running !== null
  }

  /** Begins to compare a set. Call it only when not busy. */
  start(set: SampleSet): void {
    this.#running = this.#compare(set)
      .catch((error: unknown) => {
        this.#failure = error instanceof Error ? error : new Error(String(error))
      })
      .finally(() => {
        this.#running = null
      })
  }

  /** Resolves when no set is under way. Throws what kept one from being compared. */
  async settle(): Promise<void> {
    await this.#running
    this.throwIfFailed()
  }

  throwIfFailed(): void {
    if (this.#failure !== null) throw new Error('the training rows could not be built', { cause: this.#failure })
  }

  async close(): Promise<void> {
    await this.#trainer.close()
  }

  async #compare(set: SampleSet): Promise<void> {
    const { rows, records, seconds } = await this.#trainer.rebuild({ folder: this.#folder, set })
    const pairs = compareSamples(set.samples, rows)
    const differing = pairs.filter(({ equal }) => !equal)
    this.#proof = {
      compared: this.#proof.compared + pairs.length,
      different: this.#proof.different + differing.length,
      latest: this.#choose(pairs, differing),
      records,
      seconds,
      differing: [...this.#proof.differing, ...differing].slice(0, differingMax),
    }
  }

  /** The first difference of all, for good; as long as there is none, each kind of sample in its turn. */
  #choose(pairs: readonly Pair[], differing: readonly Pair[]): Pair | null {
    this.#sets += 1
    const kind = (['with event', 'as of', 'now'] as const)[(this.#sets - 1) % 3]
    return (
      this.#proof.differing[0] ??
      differing[0] ??
      pairs.find(({ sample }) => sample.kind === kind) ??
      pairs[0] ??
      this.#proof.latest
    )
  }
}
