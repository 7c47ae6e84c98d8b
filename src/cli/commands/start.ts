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
    .option(
      '--group <name>',
      'with --kafka, share the work with the processes of this group, which take over from another',
    )
    .option('--instance-id <id>', 'with --group, what this process is called in each of its lives, and no other one')
    .addHelpText(
      'after',
      `
Nothing is applied by starting: \`millrace apply\` does that, before or while it
runs. With a module that differs from what is applied it says what differs and
exits with 1. Models are not part of what is applied: they come with a module.

With --role processes share the work: ingest judges events, compute folds them
into states, serve keeps states to be read. Each has a data folder of its own.
Without --group each has all partitions of its roles. With it the processes of
the group share them, without --role both to ingest and to compute; one with an
instance id that comes back in time has the partitions that it had.

Ctrl-C (or SIGTERM) finishes what is under way, writes a checkpoint and exits
with 0.`,
    )
    .action(run)
}

async function run(file: string | undefined, options: RunOptions & ShareOptions): Promise<void> {
  const share = shareOf(options)
  const cluster = share === null ? {} : { cluster: share }
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

type ShareOptions = { role?: string; group?: string; instanceId?: string }

const roles = ['ingest', 'compute', 'serve'] as const

/** What is asked for of a cluster's work; null: everything, alone. Throws `REQUEST_MALFORMED`. */
function shareOf({ role, group, instanceId, kafka }: ShareOptions & Pick<RunOptions, 'kafka'>): ClusterOptions | null {
  const refuse = (detail: string, allowed: string): never => {
    throw new MillraceError('REQUEST_MALFORMED', { detail, allowed })
  }
  if (instanceId !== undefined && group === undefined) {
    refuse('--instance-id is given without --group', 'Give --group, whose member the process is under that name.')
  }
  const [given] = [role === undefined ? [] : ['--role'], group === undefined ? [] : ['--group']].flat()
  if (given === undefined) return null
  const allowed = `Give --kafka, and with commas between them one or more of ${roles.join(', ')}.`
  if (kafka === undefined) refuse(`${given} is given without --kafka`, allowed)
  const asked = role?.split(',') ?? []
  const unknown = asked.find((one) => !roles.some((known) => known === one))
  if (unknown !== undefined) refuse(`--role has "${unknown}"`, allowed)
  const member =
    group === undefined ? {} : { group: { name: group, ...(instanceId === undefined ? {} : { instanceId }) } }
  const share = group === undefined ? 'all' : 'shared'
  return { ...member, ...Object.fromEntries(asked.map((one) => [one, one === 'serve' ? 'all' : share])) }
}
