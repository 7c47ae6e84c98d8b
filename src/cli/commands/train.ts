import { Command } from 'commander'
import { addKafkaOptions, type KafkaCliOptions, kafkaPlace } from '../kafka-place.ts'
import { byteCount, folderOption, jsonOption, parseFiles, wholeNumber } from '../options.ts'
import { counted, endProgressLine, makeProgressLine, print, printJson } from '../output.ts'
import { visible } from '../visible.ts'

type Options = {
  service: string
  spine: string
  at: string
  events?: string[]
  folder: string
  out: string
  includeInstant?: boolean
  memory?: string
  threads?: string
  json?: boolean
} & KafkaCliOptions

export function trainCommand(): Command {
  const command = new Command('train')
    .description('Build a training set: for every row of a spine, the features as of its instant')
    .argument('<definitions>', 'module that exports the definitions')
    .requiredOption('--service <name>', 'feature service, or one feature view')
    .requiredOption('--spine <file>', 'Parquet or CSV: join keys, an instant, and labels or whatever else goes along')
    .requiredOption('--at <column>', 'column of the spine that holds the instant: ISO 8601 or epoch milliseconds')
    .option('--events <stream=file...>', 'history from Parquet or CSV files instead of the log in --folder')
    .addOption(folderOption())
    .requiredOption('--out <file>', 'Parquet or CSV to write; FILE.manifest.json goes beside it')
    .option('--include-instant', 'use events at the instant too: ts <= instant (default: ts < instant)')
    .option(
      '--memory <size>',
      'of events, rows and values held at a time, such as 2GB; more goes to files (default: a quarter of the machine)',
    )
    .option('--threads <number>', 'that compute (default: the cores, where there is enough to do)')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Examples:
  $ millrace train definitions.ts --service fraud_v1 \\
      --spine labels.csv --at at --out set.parquet
  $ millrace train definitions.ts --service fraud_v1 \\
      --spine labels.csv --at at --out set.parquet \\
      --events payments=2025.parquet payments=2026.parquet

From the log, events get the verdicts that they got when they came: late ones
are left out. Files have no order of arrival: every event counts, and of several
with one id the first row.

What exceeds the memory lies in FILE.parts beside the output until it is done.
Stopped in the middle, the same command goes on from there.`,
    )
    .action(async (file: string, options: Options) => {
      const { openLogToRead } = await import('../../app/open-log.ts')
      const { loadPlan } = await import('../../app/load-plan.ts')
      const { train } = await import('../../app/train.ts')
      const { plan } = await loadPlan(file)
      const streams = plan.streams.map(({ name }) => name)
      const log = options.events === undefined ? await openLogToRead(options.folder, await kafkaPlace(options)) : null
      try {
        const manifest = await train({
          plan,
          target: options.service,
          spine: options.spine,
          at: options.at,
          inclusive: options.includeInstant === true,
          history: log === null ? { files: parseFiles(options.events ?? [], streams) } : { log },
          output: options.out,
          ...(options.memory === undefined ? {} : { memory: byteCount('--memory', options.memory) }),
          ...(options.threads === undefined
            ? {}
            : { threads: wholeNumber('--threads', options.threads, { min: 1, max: 64 }) }),
          onProgress: makeProgressLine(),
          onNote: (note) => {
            endProgressLine()
            process.stderr.write(`${visible(note)}\n`)
          },
        })
        endProgressLine()
        if (options.json === true) printJson(manifest)
        else {
          for (const { stream, records, accepted, duplicate, late, refused, arrival } of manifest.history) {
            print(
              `${stream}: ${records} records = ${accepted} accepted + ${duplicate} duplicate + ${late} late + ${refused} refused (arrival: ${arrival})`,
            )
          }
          for (const { view, warming } of manifest.views) {
            if (warming > 0)
              print(`${view}: ${counted(warming, 'row')} WARMING: the history lacks a part of their windows`)
          }
          print(
            `${options.out}: ${manifest.output.rows} rows, ${manifest.features.length} features, ${manifest.bound}, plan ${manifest.plan.slice(0, 12)}`,
          )
        }
      } finally {
        await log?.close()
      }
    })
  return addKafkaOptions(command, { creates: false })
}
