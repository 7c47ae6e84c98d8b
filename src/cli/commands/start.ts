import { Command } from 'commander'
import type { ClusterOptions } from '../../app/running-engine.ts'
import { MillraceError } from '../../base/faults.ts'
import { addRunOptions, runMill, type RunOptions } from '../run-mill.ts'

export function startCommand(): Command {
  return addRunOptions(
    new Command('start')
      .description('Run the definitions that are applied in the data folder')
      .argument('[definitions]', 'module whose definitions have to be those that are applied'),
  )
    .option('--role <roles>', "with --kafka, what this process does of a cluster's work: ingest,compute,serve")
    .addHelpText(
      'after',
      `
Nothing is applied by starting: \`millrace apply\` does that, before or while it
runs. With a module that differs from what is applied it says what differs and
exits with 1. Models are not part of what is applied: they come with a module.

With --role processes share the work: ingest judges events, compute folds them
into states, serve keeps states to be read. Each has a data folder of its own.

Ctrl-C (or SIGTERM) finishes what is under way, writes a checkpoint and exits
with 0.`,
    )
    .action(run)
}

async function run(file: string | undefined, options: RunOptions & { role?: string }): Promise<void> {
  const cluster = options.role === undefined ? {} : { cluster: rolesOf(options.role, options.kafka !== undefined) }
  const { millrace } = await import('../../app/mill.ts')
  const { loadExperiments, loadModels, loadPlan } = await import('../../app/load-plan.ts')
  const given =
    file === undefined
      ? {}
      : {
          definitions: (await loadPlan(file)).definitions,
          models: await loadModels(file),
          experiments: await loadExperiments(file),
        }
  await runMill(options, (opening) => millrace({ ...opening, ...given, ...cluster, onDifference: 'refuse' }))
}

const roles = ['ingest', 'compute', 'serve'] as const

/** Throws `REQUEST_MALFORMED`. */
function rolesOf(text: string, isKafka: boolean): ClusterOptions {
  const asked = text.split(',')
  const unknown = asked.find((role) => !roles.some((one) => one === role))
  if (unknown !== undefined || !isKafka) {
    throw new MillraceError('REQUEST_MALFORMED', {
      detail: isKafka ? `--role has "${unknown}"` : '--role is given without --kafka',
      allowed: `Give --kafka, and with commas between them one or more of ${roles.join(', ')}.`,
    })
  }
  return Object.fromEntries(asked.map((role) => [role, 'all']))
}
