import { Command } from 'commander'
import { jsonOption } from '../options.ts'
import { endProgressLine, makeProgressLine, print, printJson } from '../output.ts'

type Options = { folder: string; json?: boolean }

export function restoreCommand(): Command {
  return new Command('restore')
    .description('Make a data folder of a backup')
    .argument('<backup>', 'folder that `millrace backup` wrote')
    .requiredOption('--folder <path>', 'new data folder; it must not exist, or be empty')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Checks every file against its checksum, and the whole as \`millrace doctor\` does.
The folder appears when all of that is well.`,
    )
    .action(run)
}

async function run(from: string, { folder, json }: Options): Promise<void> {
  const { restoreBackup } = await import('../../app/backup/restore.ts')
  const manifest = await restoreBackup({ from, folder, onProgress: makeProgressLine() })
  endProgressLine()
  if (json === true) printJson(manifest)
  else print(`restored ${folder} as of ${manifest.at}`)
}
