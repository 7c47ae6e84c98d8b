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
  return new Command('millrace')
    .description(
      'Real-time features for machine learning: declared once, equal on the stream, in serving and in training.',
    )
    .version(version)
    .addCommand(devCommand())
    .addCommand(planCommand())
    .addCommand(sendCommand())
    .addCommand(getCommand())
    .addCommand(trainCommand())
    .addCommand(explainCommand())
    .addCommand(dlqCommand())
}
