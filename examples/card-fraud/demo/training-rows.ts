import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { compile, openReadOnlyLog, openTableReader, openTableWriter, train } from 'millrace'
import { fraudV1 } from '../features.ts'
import { featureNames, type SampleSet } from './samples.ts'

export type RebuildRequest = {
  /** The data folder of the mill that served the samples. */
  readonly folder: string
  readonly set: SampleSet
}

export type Rebuilt = {
  /** A training row per sample: its features in the order of `featureNames`. */
  readonly rows: readonly (readonly unknown[])[]
  /** Records of the log that were read for them. */
  readonly records: number
  readonly seconds: number
}

/**
 * Builds a training set for the keys and instants of the samples, the way `millrace train` does: from the log's files
 * alone, opened to be read, up to the samples' prefix, into a Parquet file, and back from there.
 */
export async function rebuildRows({ folder, set }: RebuildRequest): Promise<Rebuilt> {
  const startedAt = performance.now()
  await mkdir(join(folder, 'proof'), { recursive: true })
  const spine = join(folder, 'proof', 'samples.parquet')
  const output = join(folder, 'proof', 'training.parquet')
  await writeSpine(spine, set)
  const log = await openReadOnlyLog(folder)
  try {
    const { history } = await train({
      plan: compile([fraudV1]),
      target: fraudV1.name,
      spine,
      at: 'as_of',
      history: { log, prefix: set.prefix },
      output,
    })
    const rows = await readRows(output)
    return { rows, records: history[0]!.records, seconds: (performance.now() - startedAt) / 1_000 }
  } finally {
    await log.close()
  }
}

async function writeSpine(path: string, { samples }: SampleSet): Promise<void> {
  const writer = await openTableWriter(path, [
    { name: 'customer_id', type: 'int64', nullable: false },
    { name: 'terminal_id', type: 'int64', nullable: false },
    { name: 'as_of', type: 'timestamp', nullable: false },
  ])
  const columns = [
    samples.map(({ customerId }) => customerId),
    samples.map(({ terminalId }) => terminalId),
    samples.map(({ asOf }) => asOf),
  ]
  await writer.write({ rows: samples.length, columns })
  await writer.close()
}

async function readRows(path: string): Promise<unknown[][]> {
  const rows: unknown[][] = []
  for await (const batch of (await openTableReader(path)).read(featureNames)) {
    for (let row = 0; row < batch.rows; row++) rows.push(batch.columns.map((column) => column[row]))
  }
  return rows
}
