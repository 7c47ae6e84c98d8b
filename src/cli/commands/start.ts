import { Command } from 'commander'
import { addRunOptions, runMill, type RunOptions } from '../run-mill.ts'

export function startCommand(): Command {
  return addRunOptions(
    new Command('start')
      .description('Run the definitions that are applied in the data folder')
      .argument('[definitions]', 'module whose definitions have to be those that are applied'),
  )
    .addHelpText(
      'after',
      `
Nothing is applied by starting: \`millrace apply\` does that, before or while it
runs. With a module that differs from what is applied it says what differs and
exits with 1. Models are not part of what is applied: they come with a module.

Ctrl-C (or SIGTERM) finishes what is under way, writes a checkpoint and exits
with 0.`,
    )
    .action(run)
}

async function run(file: string | undefined, options: RunOptions): Promise<void> {
  const { millrace } = await import('../../app/mill.ts')
  const { loadModels, loadPlan } = await import('../../app/load-plan.ts')
  const given =
    file === undefined ? {} : { definitions: (await loadPlan(file)).definitions, models: await loadModels(file) }
  await runMill(options, (opening) => millrace({ ...opening, ...given, onDifference: 'refuse' }))
}
