/**
 * How the random tests run: `SEED=…` replays a failure, `RUNS=…` lengthens. fast-check prints the seed and the path
 * of every failure, with the smallest counterexample it found.
 */
export function lawOptions(runs = 500): { readonly numRuns: number; readonly seed: number } {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  return { numRuns: Number(process.env['RUNS'] ?? runs), seed }
}
