import { Command } from 'commander'
import { version } from '../app/version.ts'
import { actionCommand } from './commands/action.ts'
import { backupCommand } from './commands/backup.ts'
import { applyCommand } from './commands/apply.ts'
import { bootstrapCommand } from './commands/bootstrap.ts'
import { compactCommand } from './commands/compact.ts'
import { devCommand } from './commands/dev.ts'
import { dlqCommand } from './commands/dlq.ts'
import { doctorCommand } from './commands/doctor.ts'
import { experimentCommand } from './commands/experiment.ts'
import { explainCommand } from './commands/explain.ts'
import { forgetCommand } from './commands/forget.ts'
import { getCommand } from './commands/get.ts'
import { modelCommand } from './commands/model.ts'
import { planCommand } from './commands/plan.ts'
import { readCommand } from './commands/read.ts'
import { restoreCommand } from './commands/restore.ts'
import { retentionCommand } from './commands/retention.ts'
import { rollbackCommand } from './commands/rollback.ts'
import { sendCommand } from './commands/send.ts'
import { startCommand } from './commands/start.ts'
import { trainCommand } from './commands/train.ts'
import { versionsCommand } from './commands/versions.ts'

/**
 * The whole command line. Each command is a file; `test/cli/help.test.ts` holds the text of each `--help`. A command
 * imports what it works with when it runs: `get` and `send` start without the log, the stores and the server.
 */
export function makeProgram(): Command {
  const program = new Command('millrace')
    .description(
      'Real-time features for machine learning: declared once, equal on the stream, in serving and in training.',
    )
    .version(version, '-V, --version', 'print the version')
    .helpCommand('help [command]', 'Print the help of a command')
    .addCommand(devCommand())
    .addCommand(startCommand())
    .addCommand(planCommand())
    .addCommand(applyCommand())
    .addCommand(rollbackCommand())
    .addCommand(versionsCommand())
    .addCommand(sendCommand())
    .addCommand(getCommand())
    .addCommand(bootstrapCommand())
    .addCommand(trainCommand())
    .addCommand(modelCommand())
    .addCommand(explainCommand())
    .addCommand(readCommand())
    .addCommand(dlqCommand())
    .addCommand(actionCommand())
    .addCommand(experimentCommand())
    .addCommand(forgetCommand())
    .addCommand(compactCommand())
    .addCommand(retentionCommand())
    .addCommand(doctorCommand())
    .addCommand(backupCommand())
    .addCommand(restoreCommand())
    .addHelpText(
      'after',
      `
Try it, with the module that holds your definitions:
  $ millrace plan definitions.ts
  $ millrace dev definitions.ts

send and get talk to a running dev; train, explain, read, dlq, doctor and backup
read its data folder, whether it runs or not.`,
    )
  shareManners(program)
  return program
}

/** What every command does alike. Commander hands its settings down only to commands that it made itself. */
function shareManners(command: Command): void {
  const path: string[] = []
  for (let one: Command | null = command; one !== null; one = one.parent) path.unshift(one.name())
  command
    .helpOption('-h, --help', 'print this help')
    .configureHelp({ subcommandTerm: (subcommand) => subcommand.name() })
    .showHelpAfterError(`\`${path.join(' ')} --help\` says what it takes.`)
  command.commands.forEach(shareManners)
}
