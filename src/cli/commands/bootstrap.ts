import { Command } from 'commander'
import type { ImportedStream } from '../../app/import-history.ts'
import { folderOption, jsonOption, parseFiles, wholeNumber } from '../options.ts'
import { counted, endProgressLine, makeProgressLine, print, printJson } from '../output.ts'

type Options = { folder: string; partitions: string; keepRefused?: boolean; json?: boolean }

export function bootstrapCommand(): Command {
  return new Command('bootstrap')
    .description('Import the history of streams from files: what came before their hand-over point')
    .argument('<definitions>', 'module that exports the definitions')
    .argument('<files...>', 'STREAM=FILE, Parquet or CSV with one event per row')
    .addOption(folderOption())
    .option('--partitions <count>', 'of topics that do not exist yet; a topic keeps its number', '4')
    .option('--keep-refused', 'import although rows are refused; they go to the dead letters')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  $ millrace bootstrap definitions.ts payments=2024.csv payments=2025.csv

The stream declares where files hand over to its topic:
history: { until: '2026-06-01T00:00:00Z' }. Columns have the names of the
stream's fields. Rows become the events that they would have been, in a topic of
their own; every row is checked before the first is written.

Run it while no \`millrace dev\` runs in the folder. Interrupted, it goes on where
it stopped when it is run again with the same files. Values are WARMING until it
is complete.`,
    )
    .action(run)
}

async function run(file: string, items: string[], options: Options): Promise<void> {
  const { bootstrap } = await import('../../app/bootstrap.ts')
  const { loadPlan } = await import('../../app/load-plan.ts')
  const { plan } = await loadPlan(file)
  const streams = plan.streams.map(({ name }) => name)
  try {
    const imported = await bootstrap({
      plan,
      folder: options.folder,
      files: parseFiles(items, streams, ''),
      partitions: wholeNumber('--partitions', options.partitions, { min: 1, max: 1_000 }),
      keepRefused: options.keepRefused === true,
      onProgress: makeProgressLine(),
    })
    endProgressLine()
    if (options.json === true) printJson(imported)
    else imported.forEach(report)
  } catch (error) {
    endProgressLine()
    throw error
  }
}

function report({ stream, topic, files, rows, refused, outside, found }: ImportedStream): void {
  if (found === rows && rows > 0) print(`${stream}: already there, nothing was written`)
  else if (found > 0) print(`${stream}: ${counted(found, 'row')} were there already`)
  print(
    `${stream}: ${counted(rows, 'row')} of ${counted(files.length, 'file')} in ${topic}, ${refused} refused, ${outside} outside of the history's span`,
  )
}
