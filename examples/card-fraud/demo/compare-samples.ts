import type { Sample } from './samples.ts'

/** A served vector beside the training row of the same keys, instant and prefix. */
export type Pair = { readonly sample: Sample; readonly row: readonly unknown[]; readonly equal: boolean }

/** Pairs each sample with its row. Equal means every value bit for bit: 0 and -0 differ, and so do 0 and null. */
export function compareSamples(samples: readonly Sample[], rows: readonly (readonly unknown[])[]): Pair[] {
  if (rows.length !== samples.length) throw new Error(`${rows.length} training rows for ${samples.length} samples`)
  return samples.map((sample, index) => {
    const row = rows[index]!
    const equal = row.length === sample.values.length && row.every((value, at) => Object.is(value, sample.values[at]))
    return { sample, row, equal }
  })
}
