import { Command } from 'commander'
import { modelReportCommand } from './model-report.ts'

export function modelCommand(): Command {
  return new Command('model')
    .description('Look at models and what they predicted')
    .helpCommand('help [command]', 'Print the help of a command')
    .addCommand(modelReportCommand())
}
