import { type Clock, systemClock } from '../base/clock.ts'
import { streamOf } from '../plan/find.ts'
import type { Plan } from '../plan/plan.ts'
import { openFolderLog } from './folder-log.ts'
import { type ImportedStream, type ImportOptions, importHistory } from './import-history.ts'

export type BootstrapOptions = {
  readonly plan: Plan
  /** A data folder that no process runs in; begun when it is not there. */
  readonly folder: string
  /** Stream → the Parquet and CSV files of its history, in the order in which they are to be read. */
  readonly files: Readonly<Record<string, readonly string[]>>
  /** Partitions of a history's topic, if neither it nor the stream's own topic exists yet. Default 4. */
  readonly partitions?: number
  /** Whether rows that the stream refuses go into its history all the same, and so to the dead letters. Default: no. */
  readonly keepRefused?: boolean
  readonly clock?: Clock
  readonly onProgress?: ImportOptions['onProgress']
}

/** Imports the histories of streams from files into the log of a data folder. `importHistory` says how, and what it throws. */
export async function bootstrap(options: BootstrapOptions): Promise<ImportedStream[]> {
  const { plan, folder, files, partitions = 4, keepRefused = false, clock = systemClock, onProgress } = options
  const streams = Object.keys(files).map((name) => streamOf(plan, name))
  const log = await openFolderLog(folder, clock)
  try {
    const imported: ImportedStream[] = []
    for (const stream of streams) {
      const progress = onProgress === undefined ? {} : { onProgress }
      const own = { log, clock, partitions, keepRefused, ...progress }
      imported.push(await importHistory(stream, files[stream.name]!, own))
    }
    return imported
  } finally {
    await log.close()
  }
}
