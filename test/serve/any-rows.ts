import type { FeatureValue } from '../../src/kernel/aggregation.ts'
import type { FeatureStatus } from '../../src/plan/finish-view.ts'
import type { ScalarType, ValueType } from '../../src/schema/value-type.ts'
import type { VectorRows } from '../../src/serve/vector-rows.ts'

const statuses: readonly FeatureStatus[] = ['PRESENT', 'NULL_VALUE', 'NOT_FOUND', 'OUTSIDE_MAX_AGE', 'WARMING']
const kinds = ['string', 'int', 'float', 'boolean', 'timestamp', 'decimal'] as const
const characters = ['a', 'Z', '0', ' ', '"', '\\', '\n', '\u0000', 'ü', '\u2028', '€', '😀', '\ud800', '\udfff', '中']

/**
 * Rows of any shape with values as features have them: null now and then, lists, texts of all kinds, no -0. Behind what
 * counts the arrays hold what larger rows left, as they do in use.
 */
export class AnyRows {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 1
  }

  next(): VectorRows {
    const types = this.#many(this.#below(12), () => this.#type())
    const size = this.#below(5)
    const cells = size * types.length
    const views = this.#views(types.length)
    const ages = this.#many(size * types.length, () => (this.#below(4) === 0 ? null : this.#offset()))
    const streams = this.#many(this.#below(3), (index) => `stream_${index}${this.#below(2) === 0 ? '' : '.history'}`)
    return {
      shape: {
        service: this.#below(4) === 0 ? null : this.#text(),
        names: types.map(() => this.#text()),
        types,
        views,
      },
      size,
      instant: this.#below(4) === 0 ? 'latest' : this.#offset(),
      prefix: Object.fromEntries(streams.map((name) => [name, this.#many(this.#below(4), () => this.#offset())])),
      asOf: this.#many(size + 1, () => this.#offset()),
      values: [...this.#many(cells, (index) => this.#value(types[index % types.length]!)), 'left from before'],
      full: this.#below(2) === 0,
      status: this.#many(cells + 1, () => statuses[this.#below(statuses.length)]!),
      // One age for all values of a view.
      ageMs: this.#many(cells, (cell) => ages[cell - (cell % types.length) + views[cell % types.length]!]!),
    }
  }

  /** Numbered as they first appear. */
  #views(length: number): number[] {
    let count = 0
    return this.#many(length, () => {
      const view = this.#below(count + 1)
      if (view === count) count += 1
      return view
    })
  }

  #type(): ValueType {
    return this.#below(5) === 0 ? { kind: 'list', of: this.#scalar() } : this.#scalar()
  }

  #scalar(): ScalarType {
    const kind = kinds[this.#below(kinds.length)]!
    return kind === 'decimal' ? { kind, scale: this.#below(9) } : { kind }
  }

  #value(type: ValueType): FeatureValue {
    if (this.#below(5) === 0) return null
    if (type.kind === 'list') return this.#many(this.#below(4), () => this.#value(type.of))
    if (type.kind === 'string') return this.#text()
    return type.kind === 'boolean' ? this.#below(2) === 0 : this.#number()
  }

  #number(): number {
    const sign = this.#below(2) === 0 ? -1 : 1
    const magnitude = [
      () => this.#below(1_000),
      () => this.#below(1_000_000) / 100,
      () => this.#below(1_000_000) / 7,
      () => 2 ** (this.#below(2_000) - 1_000),
      () => this.#offset(),
    ][this.#below(5)]!()
    return sign * magnitude + 0
  }

  #offset(): number {
    return this.#below(2 ** 31) * this.#below(2 ** 12)
  }

  #text(): string {
    const length = this.#below(20) === 0 ? 200 : this.#below(12)
    return this.#many(length, () => characters[this.#below(this.#below(2) === 0 ? 4 : characters.length)]!).join('')
  }

  #many<T>(length: number, make: (index: number) => T): T[] {
    return Array.from({ length }, (_, index) => make(index))
  }

  /** xorshift32. */
  #below(limit: number): number {
    this.#state ^= this.#state << 13
    this.#state ^= this.#state >>> 17
    this.#state ^= this.#state << 5
    return (this.#state >>> 0) % limit
  }
}
