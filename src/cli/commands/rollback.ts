import { Command } from 'commander'
import { addKafkaOptions, type KafkaCliOptions, kafkaPlace } from '../kafka-place.ts'
import { folderOption, jsonOption, urlOption, wholeNumber } from '../options.ts'
import { applyAt, fetchState } from '../registry-place.ts'
import { changeFolder, sendChange } from './apply.ts'

type Options = { folder: string; url: string; note?: string; json?: boolean } & KafkaCliOptions

export function rollbackCommand(): Command {
  const command = new Command('rollback')
    .description('Apply the definitions of an older version anew')
    .argument('[number]', 'the version; without it, the one before the applied one')
    .addOption(folderOption())
    .addOption(urlOption())
    .option('--note <text>', 'why, for whoever reads the versions later')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
It becomes a version of its own, so that nothing is lost and a rollback can be
rolled back. The views of the version that was served before are kept up to
date: going back to it takes effect at once. An older one is built from history
first.`,
    )
    .action(run)
  return addKafkaOptions(command, { creates: true })
}

async function run(text: string | undefined, options: Options, command: Command): Promise<void> {
  const number =
    text === undefined ? undefined : wholeNumber('the version', text, { min: 1, max: Number.MAX_SAFE_INTEGER })
  const applying = options.note === undefined ? {} : { note: options.note }
  await applyAt(command, {
    remotely: async (url) => {
      const expected = (await fetchState(url))?.applied.number
      if (expected === undefined) return
      await sendChange(url, { rollback: number ?? expected - 1, ...applying }, { expected, json: options.json })
    },
    inFolder: async (folder) => {
      const log = await kafkaPlace(options)
      await changeFolder({ rollback: number }, { folder, log, partitions: '4', applying, json: options.json })
    },
  })
}
