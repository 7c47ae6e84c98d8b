import { Command } from 'commander'
import { folderOption, jsonOption } from '../options.ts'
import { counted, endProgressLine, makeProgressLine, print, printJson } from '../output.ts'

type Options = { folder: string; out: string; json?: boolean }

export function backupCommand(): Command {
  return new Command('backup')
    .description('Copy a data folder, also while a process runs in it')
    .requiredOption('--out <path>', 'folder for the backup; it must not exist')
    .addOption(folderOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Everything that was acknowledged before it began is in it. The folder appears
when all of it is there and durable. \`millrace restore\` makes a data folder of
it; the file backup.json in it lists every file with size and SHA-256.`,
    )
    .action(run)
}

async function run({ folder, out, json }: Options): Promise<void> {
  const { backupFolder } = await import('../../app/backup/backup.ts')
  const manifest = await backupFolder({ folder, out, onProgress: makeProgressLine() })
  endProgressLine()
  if (json === true) {
    printJson(manifest)
    return
  }
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0)
  print(`backup ${out}: ${counted(manifest.files.length, 'file')}, ${counted(bytes, 'byte')}, as of ${manifest.at}`)
}
