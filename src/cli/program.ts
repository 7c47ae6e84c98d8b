import { Command } from 'commander'
import { version } from '../app/version.ts'
import { devCommand } from './commands/dev.ts'
import { dlqCommand } from './commands/dlq.ts'
import { explainCommand } from './commands/explain.ts'
import { getCommand } from './commands/get.ts'
import { planCommand } from './commands/plan.ts'
import { sendCommand } from './commands/send.ts'
import { trainCommand } from './commands/train.ts'

/** The whole command line. Each command is a file; `test/cli/help.test.ts` holds the text of each `--help`. */
export function makeProgram(): Command {
  const program = new Command('millrace')
    .description(
      'Real-time features for machine learning: declared once, equal on the stream, in serving and in training.',
    )
    .version(version, '-V, --version', 'print the version')
    .helpCommand('help [command]', 'Print the help of a command')
    .addCommand(devCommand())
    .addCommand(planCommand())
    .addCommand(sendCommand())
    .addCommand(getCommand())
    .addCommand(trainCommand())
    .addCommand(explainCommand())
    .addCommand(dlqCommand())
    .addHelpText(
      'after',
      `
Try it, with the module that holds your definitions:
  $ millrace plan definitions.ts
  $ millrace dev definitions.ts

dev, plan, train and explain read definitions; train, explain and dlq read the data
folder, also while dev runs; send and get talk to a running dev.`,
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
