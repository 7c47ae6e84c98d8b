/** What one feature's values were, held against the published ones. */
export type FeatureResult = {
  readonly name: string
  compared: number
  differing: number
  largestError: number
  /** The same for rows that share customer and second with another: there the publication goes by row. */
  tiesCompared: number
  tiesDiffering: number
  /** The first difference outside ties, to look at. */
  example: { readonly id: string; readonly expected: number; readonly actual: number | null } | null
}

/** Counts are exact; means and rates may differ by this much, because the published rolling sums drift. */
export const relativeTolerance = 1e-9

/** Holds computed features against published ones, feature by feature. */
export class Comparison {
  readonly results: readonly FeatureResult[]

  constructor(features: readonly string[]) {
    this.results = features.map((name) => ({
      name,
      compared: 0,
      differing: 0,
      largestError: 0,
      tiesCompared: 0,
      tiesDiffering: 0,
      example: null,
    }))
  }

  add(row: { id: string; tie: boolean; actual: readonly (number | null)[]; expected: readonly number[] }): void {
    for (let index = 0; index < this.results.length; index++) {
      const result = this.results[index]!
      const expected = row.expected[index]!
      const actual = row.actual[index] ?? null
      const error = actual === null ? Number.POSITIVE_INFINITY : Math.abs(actual - expected)
      const differs = !(error <= toleranceOf(result.name, expected))
      if (row.tie) {
        result.tiesCompared += 1
        if (differs) result.tiesDiffering += 1
        continue
      }
      result.compared += 1
      result.largestError = Math.max(result.largestError, error)
      if (!differs) continue
      result.differing += 1
      result.example ??= { id: row.id, expected, actual }
    }
  }

  get failed(): number {
    // A feature without a single row compared has proved nothing.
    return this.results.filter(({ compared, differing }) => compared === 0 || differing > 0).length
  }

  table(): string {
    const head = ['feature', 'rows', 'differing', 'largest error', 'tied rows', 'tied differing', '']
    const rows = this.results.map((result) => [
      result.name,
      String(result.compared),
      String(result.differing),
      result.largestError === 0 ? '0' : result.largestError.toExponential(2),
      String(result.tiesCompared),
      String(result.tiesDiffering),
      result.example === null
        ? ''
        : `first: ${result.example.id} expected ${result.example.expected} got ${result.example.actual}`,
    ])
    const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column]!.length)))
    const line = (row: readonly string[]): string =>
      row
        .map((cell, column) =>
          column === 0 || column === 6 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
        )
        .join('  ')
        .trimEnd()
    return [head, ...rows].map(line).join('\n')
  }
}

/** Counts and flags are whole numbers by their published names; all else is a mean or a rate. */
function toleranceOf(name: string, expected: number): number {
  return /_nb_|^[wn]$/.test(name) ? 0 : relativeTolerance * Math.max(1, Math.abs(expected))
}
