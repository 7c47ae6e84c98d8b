import { Command } from 'commander'
import { importModelCommand } from './model-import.ts'
import { promoteCommand, retireCommand, rollBackCommand } from './model-change.ts'
import { listModelsCommand, showModelCommand } from './model-show.ts'
import { pushModelCommand } from './model-push.ts'
import { modelReportCommand } from './model-report.ts'

export function modelCommand(): Command {
  return new Command('model')
    .description('Push versions of models, make them live, and look at what they predicted')
    .helpCommand('help [command]', 'Print the help of a command')
    .addCommand(pushModelCommand())
    .addCommand(importModelCommand())
    .addCommand(listModelsCommand())
    .addCommand(showModelCommand())
    .addCommand(promoteCommand())
    .addCommand(rollBackCommand())
    .addCommand(retireCommand())
    .addCommand(modelReportCommand())
}
