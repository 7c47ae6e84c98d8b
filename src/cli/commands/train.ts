import { Command } from 'commander'
import { train } from '../../app/train.ts'
import { openReadOnlyLog } from '../../app/inspect-folder.ts'
import { loadPlan } from '../../app/load-plan.ts'
import { folderOption, jsonOption, parseFiles } from '../options.ts'
import { endProgressLine, makeProgressLine, print, printJson } from '../output.ts'

type Options = {
  service: string
  spine: string
  at: string
  events?: string[]
  folder: string
  out: string
  includeInstant?: boolean
  json?: boolean
}

export function trainCommand(): Command {
  return new Command('train')
    .description('Build a training set: for every row of a spine, the features as of its instant')
    .argument('<definitions>', 'module that exports the definitions')
    .requiredOption('--service <name>', 'feature service, or one view')
    .requiredOption('--spine <file>', 'Parquet or CSV with the join keys, an instant and labels')
    .requiredOption('--at <column>', 'the column of the spine that holds the instant')
    .option('--events <stream=file...>', 'history from Parquet or CSV files, instead of the log in --folder')
    .addOption(folderOption())
    .requiredOption('--out <file>', 'Parquet or CSV; its manifest goes beside it')
    .option('--include-instant', 'use events at the instant too (ts <= instant); default: only before it')
    .addOption(jsonOption())
    .action(async (file: string, options: Options) => {
      const { plan } = await loadPlan(file)
      const streams = plan.streams.map(({ name }) => name)
      const log = options.events === undefined ? await openReadOnlyLog(options.folder) : null
      try {
        const manifest = await train({
          plan,
          target: options.service,
          spine: options.spine,
          at: options.at,
          inclusive: options.includeInstant === true,
          history: log === null ? { files: parseFiles(options.events ?? [], streams) } : { log },
          output: options.out,
          onProgress: makeProgressLine(),
        })
        endProgressLine()
        if (options.json === true) printJson(manifest)
        else {
          for (const { stream, records, accepted, duplicate, late, refused, arrival } of manifest.history) {
            print(
              `${stream}: ${records} records = ${accepted} accepted + ${duplicate} duplicate + ${late} late + ${refused} refused (arrival: ${arrival})`,
            )
          }
          print(
            `${options.out}: ${manifest.output.rows} rows, ${manifest.features.length} features, ${manifest.bound}, plan ${manifest.plan.slice(0, 12)}`,
          )
        }
      } finally {
        await log?.close()
      }
    })
}
