import { Command } from 'commander'
import pc from 'picocolors'
import type { FolderChange } from '../../app/apply-in-folder.ts'
import type { LogPlace } from '../../app/open-log.ts'
import type { Applied } from '../../app/versions.ts'
import { differenceLines } from '../../registry/difference.ts'
import { request } from '../http.ts'
import { addKafkaOptions, type KafkaCliOptions, kafkaEnvironmentHelp, kafkaPlace } from '../kafka-place.ts'
import { folderOption, jsonOption, urlOption, wholeNumber } from '../options.ts'
import { endProgressLine, makeProgressLine, print, printJson } from '../output.ts'
import { visible } from '../visible.ts'
import { accepted, applyAt, fetchState, servedText, untilServed } from '../registry-place.ts'

type Options = {
  folder: string
  url: string
  expected?: string
  note?: string
  partitions: string
  allowIncompatible?: boolean
  json?: boolean
} & KafkaCliOptions

export function applyCommand(): Command {
  const command = new Command('apply')
    .description('Make definitions the applied version, in a running millrace or a data folder')
    .argument('<definitions>', 'module that exports the definitions')
    .addOption(folderOption())
    .addOption(urlOption())
    .option('--expected <number>', 'refuse unless this version is the applied one (default: whichever is)')
    .option('--allow-incompatible', 'also apply what breaks data or readers')
    .option('--note <text>', 'why, for whoever reads the versions later')
    .option('--partitions <count>', 'of topics that do not exist yet, in a folder', '4')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
\`millrace plan\` shows what would change. New and changed views are built from
history while the version before serves, then all readers change at once; what
is only renamed is not built again. Of two who apply at the same time one wins,
and the other is told what was applied.

With --url, the definitions go to that process as data. Otherwise they are
applied in the folder, or, when a process runs there, by the default address.
With --kafka topics that are missing are created, and none is ever changed.
${kafkaEnvironmentHelp}`,
    )
    .action(run)
  return addKafkaOptions(command, { creates: true })
}

async function run(file: string, options: Options, command: Command): Promise<void> {
  const { loadPlan } = await import('../../app/load-plan.ts')
  const { definitions } = await loadPlan(file)
  const expected =
    options.expected === undefined
      ? undefined
      : wholeNumber('--expected', options.expected, { min: 0, max: Number.MAX_SAFE_INTEGER })
  const shared = {
    ...(options.note === undefined ? {} : { note: options.note }),
    allowIncompatible: options.allowIncompatible === true,
  }
  await applyAt(command, {
    remotely: async (url) => {
      const { definitionsToJson } = await import('../../registry/definitions-json.ts')
      await sendChange(
        url,
        { definitions: definitionsToJson(definitions), ...shared },
        { expected, json: options.json },
      )
    },
    inFolder: async (folder) => {
      const change = { definitions }
      const log = await kafkaPlace(options)
      const applying = { ...shared, ...(expected === undefined ? {} : { expected }) }
      await changeFolder(change, { folder, log, partitions: options.partitions, applying, json: options.json })
    },
  })
}

type Sending = { readonly expected: number | undefined; readonly json: boolean | undefined }

/** Has a running millrace change its version, and follows it until that is served. */
export async function sendChange(url: string, change: object, { expected, json }: Sending): Promise<void> {
  const state = await fetchState(url)
  if (state === null) return
  const content = JSON.stringify({ ...change, expected: expected ?? state.applied.number })
  const answer = await request(url, '/v1/registry', { type: 'application/json', content })
  const applied = accepted<ApplyAnswer>(answer)
  if (applied === null) return
  if (json === true) printJson(applied)
  else printApplied(applied.version.number, applied.changed, applied)
  if (json !== true) await untilServed(url, applied.version.number)
}

type InFolder = {
  readonly folder: string
  readonly log: LogPlace | undefined
  readonly partitions: string
  readonly applying: { readonly expected?: number; readonly note?: string; readonly allowIncompatible?: boolean }
  readonly json: boolean | undefined
}

/** The same in a folder where nothing runs. */
export async function changeFolder(
  change: FolderChange,
  { folder, log, partitions, applying, json }: InFolder,
): Promise<void> {
  const { applyInFolder } = await import('../../app/apply-in-folder.ts')
  const showProgress = makeProgressLine()
  let number = 0
  try {
    await applyInFolder(change, {
      ...applying,
      ...(log === undefined ? {} : { log }),
      folder,
      partitions: wholeNumber('--partitions', partitions, { min: 1, max: 1_000 }),
      onApplied: ({ version, changed, difference, stopped }: Applied) => {
        number = version.number
        const lines = differenceLines(difference)
        const { definitions: _, ...summary } = version
        if (json === true) printJson({ version: summary, changed, difference: lines, stopped })
        else printApplied(number, changed, { difference: lines, stopped })
      },
      onState: ({ building }) => {
        if (building !== null) showProgress({ phase: `building version ${number}`, ...building })
      },
    })
  } finally {
    endProgressLine()
  }
  if (json !== true) print(servedText(number))
}

type ApplyAnswer = {
  readonly version: { readonly number: number }
  readonly changed: boolean
  readonly difference: readonly string[]
  readonly stopped: readonly string[]
}

function printApplied(
  number: number,
  changed: boolean,
  { difference, stopped }: Pick<ApplyAnswer, 'difference' | 'stopped'>,
): void {
  if (!changed) {
    print(`version ${number} has these definitions already`)
    return
  }
  print(`version ${number} is applied`)
  for (const line of difference) print(`  ${line}`)
  printStopped(stopped)
}

/** On stderr, so that it is seen beside whatever reads the rest. */
export function printStopped(stopped: readonly string[]): void {
  for (const line of stopped) process.stderr.write(`${pc.yellow('warning')}: ${visible(line)}\n`)
}
