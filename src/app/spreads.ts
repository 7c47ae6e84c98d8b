import { describeDistribution, type Distribution } from '../model/quality/drift.ts'
import type { TableColumn, TableWriter } from '../store/offline/table-file.ts'

/** Of each column at most twice so many values are kept. */
const sampleMin = 10_000

/**
 * How the numbers of a table are spread, noted as it is written: of every row, or of every second, fourth, … one of a
 * long table, evenly over its length.
 */
export class Spreads {
  readonly #samples: ReadonlyMap<string, (number | null)[]>
  #stride = 1
  #rows = 0

  constructor(names: readonly string[]) {
    this.#samples = new Map(names.map((name) => [name, []]))
  }

  noting(columns: readonly TableColumn[], writer: TableWriter): TableWriter {
    const noted = columns.flatMap(({ name, type }, place) => {
      const sample = this.#samples.get(name)
      return sample === undefined || !numeric.includes(type) ? [] : [{ place, sample }]
    })
    return {
      write: async (batch) => {
        await writer.write(batch)
        for (let row = 0; row < batch.rows; row++) {
          if (this.#rows % this.#stride === 0) {
            for (const { place, sample } of noted) sample.push(numberOf(batch.columns[place]![row]))
          }
          this.#rows += 1
          if ((this.#rows - 1) / this.#stride >= 2 * sampleMin) this.#thin()
        }
      },
      close: () => writer.close(),
    }
  }

  /** Null for a column that holds no numbers. */
  of(name: string): Distribution | null {
    const sample = this.#samples.get(name)
    return sample === undefined || sample.length === 0 ? null : describeDistribution(sample)
  }

  #thin(): void {
    this.#stride *= 2
    for (const sample of this.#samples.values()) {
      const kept = sample.filter((_, index) => index % 2 === 0)
      sample.splice(0, sample.length, ...kept)
    }
  }
}

const numeric: readonly string[] = ['int64', 'double', 'boolean']

function numberOf(value: unknown): number | null {
  if (value === null || value === undefined) return null
  const number = Number(value)
  return Number.isNaN(number) ? null : number
}
