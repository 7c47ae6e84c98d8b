import { type BenchContext, type BenchRow, cpuSeconds, figure, median, sampled } from './harness.ts'
import type { Axis, Line, LineChart, Role } from './plot.ts'

/** One line of a curve: measures a chunk of work and gives its figure, lower being better. */
export type Contestant = {
  readonly name: string
  readonly role: Role
  readonly measure: () => number | Promise<number>
}

export type CurveText = {
  readonly title: string
  readonly x: Axis
  readonly y: Axis
  /** The unit of y, for the table. */
  readonly unit: string
}

/**
 * Costs over something that grows. At each point all contestants take turns, A B A B; the first turn, which brings
 * them to a steady state, is not counted.
 */
export class Curve {
  readonly #context: BenchContext
  readonly #text: CurveText
  readonly #points = new Map<string, { readonly role: Role; readonly at: (readonly [number, number])[] }>()
  readonly rows: BenchRow[] = []

  constructor(context: BenchContext, text: CurveText) {
    this.#context = context
    this.#text = text
  }

  async measure(x: number, label: string, contestants: readonly Contestant[]): Promise<void> {
    const samples = contestants.map((): number[] => [])
    for (let run = -1; run < this.#context.runs; run++) {
      for (const [index, { measure }] of contestants.entries()) {
        globalThis.gc?.()
        const value = await measure()
        if (run >= 0) samples[index]!.push(value)
      }
    }
    contestants.forEach(({ name, role }, index) => {
      const own = samples[index]!
      let line = this.#points.get(name)
      if (line === undefined) {
        line = { role, at: [] }
        this.#points.set(name, line)
      }
      line.at.push([x, median(own)])
      this.rows.push(sampled(`${name}, ${label}`, this.#text.unit, own))
    })
    const figures = contestants.map(({ name }, index) => `${name} ${figure(median(samples[index]!))}`)
    this.#context.log(`${label}: ${figures.join(', ')} ${this.#text.unit}`)
  }

  /** What a line costs at its last point over what it costs at its first: 1 of a flat one. */
  growth(name: string): BenchRow {
    const at = this.#points.get(name)?.at ?? []
    const value = at.length === 0 ? Number.NaN : at.at(-1)![1] / at[0]![1]
    return { what: `${name}, last point over first`, value, unit: 'times the cost', note: this.#text.title }
  }

  /** Adds the picture to the result. */
  draw(): void {
    const { title, x, y } = this.#text
    const lines = [...this.#points].map(([name, { role, at }]): Line => ({ name, role, points: at }))
    const chart: LineChart = { kind: 'lines', title, x, y, lines }
    this.#context.chart(chart)
  }
}

/** Microseconds of CPU of one read, over many. `read` gives how many values it read, so that none is left undone. */
export function usPerRead(count: number, read: (nth: number) => number): number {
  let values = 0
  const seconds = cpuSeconds(() => {
    for (let nth = 0; nth < count; nth++) values += read(nth)
  })
  if (values === 0) throw new Error('nothing was read')
  return (seconds * 1e6) / count
}
