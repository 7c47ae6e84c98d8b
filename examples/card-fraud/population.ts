import { makeRandom } from './random.ts'

/** A square world of 100 by 100. */
const side = 100

export type Customer = {
  readonly meanAmount: number
  readonly paymentsPerDay: number
  /** Terminals nearer than the radius. Empty for a customer who therefore never pays. */
  readonly terminals: Int32Array
}

export type PopulationOptions = {
  readonly seed: number
  readonly customers: number
  readonly terminals: number
  readonly radius: number
}

/** Customers by id. Memory: one word per customer and reachable terminal, 78 per customer by default. */
export function makePopulation(options: PopulationOptions): readonly Customer[] {
  const find = indexTerminals(options)
  const random = makeRandom(options.seed, 'customers')
  return Array.from({ length: options.customers }, () => {
    const terminals = find(random() * side, random() * side)
    return { meanAmount: 5 + random() * 95, paymentsPerDay: random() * 4, terminals }
  })
}

/** Places the terminals on a grid whose cells are no smaller than the radius: a search looks into nine cells at most. */
function indexTerminals(options: PopulationOptions): (x: number, y: number) => Int32Array {
  const { seed, terminals: count, radius } = options
  const cellsMax = Math.ceil(Math.sqrt(count))
  const cells = Math.max(1, Math.min(cellsMax, Math.floor(side / radius)))
  const cellOf = (coordinate: number): number => Math.floor((coordinate / side) * cells)
  const random = makeRandom(seed, 'terminals')
  const xs = new Float64Array(count)
  const ys = new Float64Array(count)
  const grid: number[][] = Array.from({ length: cells * cells }, () => [])
  for (let terminal = 0; terminal < count; terminal++) {
    xs[terminal] = random() * side
    ys[terminal] = random() * side
    grid[cellOf(ys[terminal]!) * cells + cellOf(xs[terminal]!)]!.push(terminal)
  }
  return (x, y) => {
    const found: number[] = []
    for (let row = Math.max(0, cellOf(y) - 1); row <= Math.min(cells - 1, cellOf(y) + 1); row++) {
      for (let column = Math.max(0, cellOf(x) - 1); column <= Math.min(cells - 1, cellOf(x) + 1); column++) {
        for (const terminal of grid[row * cells + column]!) {
          const dx = xs[terminal]! - x
          const dy = ys[terminal]! - y
          if (dx * dx + dy * dy < radius * radius) found.push(terminal)
        }
      }
    }
    return Int32Array.from(found)
  }
}
