import { writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import type { ArmReport, ExperimentReport } from '../../app/experiments/report.ts'
import { systemClock } from '../../base/clock.ts'
import { undeclared } from '../../plan/find.ts'
import { folderOption, jsonOption } from '../options.ts'
import { print, printJson, table } from '../output.ts'

type Options = { folder: string; json?: boolean; svg?: string }

export function experimentCommand(): Command {
  const command = new Command('experiment')
    .description('Look at experiments: who was in which arm, and what came of it')
    .helpCommand('help [command]', 'Print the help of a command')
  command
    .command('report')
    .description('Compare the arms of an experiment: subjects, outcomes, lift over the control')
    .argument('<definitions>', 'TypeScript or JavaScript module that exports the experiment')
    .argument('<name>', 'of the experiment')
    .option('--svg <file>', 'also draw rates and lifts into an SVG file')
    .addOption(folderOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Reads the data folder, also while dev runs. The comparison may be looked at as
often as you like: its interval holds at every look at once. A sample ratio with
p below 0.001 means that subjects of an arm are lost, and that the arms cannot
be compared.`,
    )
    .action(report)
  return command
}

async function report(file: string, name: string, { folder, json, svg }: Options): Promise<void> {
  const { loadExperiments, loadPlan } = await import('../../app/load-plan.ts')
  const { openReadOnlyLog } = await import('../../app/inspect-folder.ts')
  const { reportExperiment } = await import('../../app/experiments/report.ts')
  const { plotReport } = await import('../../app/experiments/report-plot.ts')
  const { plan } = await loadPlan(file)
  const experiments = await loadExperiments(file)
  const experiment = experiments.find((one) => one.name === name)
  if (experiment === undefined) {
    throw undeclared(
      'experiment',
      name,
      experiments.map((one) => one.name),
    )
  }
  const log = await openReadOnlyLog(folder)
  try {
    const given = await reportExperiment(experiment, { plan, log, clock: systemClock })
    if (svg !== undefined) await writeFile(svg, plotReport(given))
    if (json === true) printJson(given)
    else printReport(given)
  } finally {
    await log.close()
  }
}

function printReport({ arms, sampleRatio, crossed, stopped }: ExperimentReport): void {
  print(
    table(
      [
        'arm',
        'share',
        'subjects',
        'predictions',
        'failed',
        'converted',
        'rate',
        '95 % interval',
        'lift',
        'at every look',
        'p',
      ],
      arms.map(armRow),
    ),
  )
  const verdict =
    sampleRatio.pValue < 0.001 ? 'subjects of an arm are lost: the arms cannot be compared' : 'as declared'
  print(`sample ratio: p ${sampleRatio.pValue.toPrecision(3)}, ${verdict}`)
  if (crossed > 0) print(`${crossed} subjects were in more than one arm; each counts in its first`)
  for (const { variant, reason, timestamp } of stopped) print(`${variant} was stopped at ${timestamp}: ${reason}`)
}

function armRow(arm: ArmReport): string[] {
  const { name, share, subjects, predictions, failed, converted, rate, interval, comparison } = arm
  const percent = (value: number): string => `${(value * 100).toFixed(2)} %`
  const between = (one: { low: number; high: number }): string => `${percent(one.low)} to ${percent(one.high)}`
  return [
    name,
    String(share),
    String(subjects),
    String(predictions),
    String(failed),
    converted === null ? '' : String(converted),
    rate === null ? '' : percent(rate),
    interval === null ? '' : between(interval),
    comparison === null ? '' : percent(comparison.lift),
    comparison === null ? '' : between(comparison.interval),
    comparison === null ? '' : comparison.pValue.toPrecision(3),
  ]
}
