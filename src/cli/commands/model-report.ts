import { writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import type { ModelVersionReport } from '../../app/model-report.ts'
import { parseDuration } from '../../base/duration.ts'
import { MillraceError } from '../../base/faults.ts'
import { folderOption, jsonOption } from '../options.ts'
import { counted, print, printJson, table } from '../output.ts'
import { visible } from '../visible.ts'

type Options = {
  folder: string
  labels?: string
  join?: string
  horizon: string
  training?: string
  svg?: string
  json?: boolean
}

export function modelReportCommand(): Command {
  return new Command('report')
    .description('What each version of a model predicted, how good that was, and how its inputs have drifted')
    .argument('<definitions>', 'module that exports the definitions')
    .argument('<model>', 'name of the model')
    .option('--labels <stream.field>', 'field of a stream that says what came true: a boolean or a number above 0')
    .option('--join <field>', 'field of that stream that names the prediction by its request_id (default: its id)')
    .option('--horizon <duration>', 'after a prediction, how long its label counts', '30d')
    .option('--training <manifest>', "of the model's training set: how its inputs were spread")
    .option('--svg <file>', 'draw it as well')
    .addOption(folderOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  $ millrace model report definitions.ts fraud --labels disputes.fraud \\
      --join payment_id --training set.parquet.manifest.json --svg fraud.svg

Reads the predictions that are in the log, also while a millrace runs there.`,
    )
    .action(run)
}

async function run(file: string, model: string, options: Options): Promise<void> {
  const { openReadOnlyLog } = await import('../../app/inspect-folder.ts')
  const { loadPlan } = await import('../../app/load-plan.ts')
  const { reportModel, drawReport } = await import('../../app/model-report.ts')
  const horizonMs = parseDuration(options.horizon)
  if (horizonMs === null) throw malformed(`--horizon is ${options.horizon}`, 'Give a duration such as 7d.')
  const { plan } = await loadPlan(file)
  const log = await openReadOnlyLog(options.folder)
  try {
    const labels = options.labels === undefined ? null : parseLabels(options.labels, options.join)
    const training = options.training ?? null
    const versions = await reportModel({ log, plan, model, labels, horizonMs, training })
    if (options.svg !== undefined) await writeFile(options.svg, drawReport(versions))
    if (options.json === true) printJson(versions)
    else for (const version of versions) printVersion(version)
  } finally {
    await log.close()
  }
}

function parseLabels(text: string, join: string | undefined): { stream: string; field: string; join: string | null } {
  const [stream, field, more] = text.split('.')
  if (stream !== undefined && field !== undefined && more === undefined) return { stream, field, join: join ?? null }
  throw malformed(`--labels is ${text}`, 'Give STREAM.FIELD, such as disputes.fraud.')
}

function malformed(detail: string, allowed: string): MillraceError {
  return new MillraceError('REQUEST_MALFORMED', { detail, allowed })
}

function printVersion({ model, version, checksum, watch }: ModelVersionReport): void {
  const { outcomes, scores, labels, auc, averagePrecision, calibration, inputs } = watch
  const counts = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`)
  print(
    visible(
      `${model} version ${version}${checksum === null ? '' : `, ${checksum.slice(0, 12)}`}: ${counts.join(', ')}`,
    ),
  )
  print(`  scores: ${scores.count}, mean ${figure(scores.mean)}`)
  print(
    `  labels: ${labels.joined} joined, ${labels.positives} positive, ${labels.late} after the horizon, ${labels.missing} missing`,
  )
  print(`  AUC ${figure(auc)}, average precision ${figure(averagePrecision)}`)
  if (calibration !== null) {
    print(`  calibration: Brier ${figure(calibration.brier)}, error ${figure(calibration.error)}`)
    const rows = calibration.bins.map(({ low, high, count, meanScore, rate }) => [
      `${low.toFixed(1)} to ${high.toFixed(1)}`,
      String(count),
      figure(meanScore),
      figure(rate),
    ])
    print(indent(table(['score', 'predictions', 'mean score', 'positive'], rows)))
  }
  if (inputs.length === 0) return
  print(`  inputs: ${counted(inputs[0]!.values, 'vector')}`)
  const rows = inputs.map(({ name, psi, nulls }) => [
    name,
    figure(psi),
    String(nulls),
    psi === null ? '' : wordFor(psi),
  ])
  print(indent(table(['input', 'PSI', 'nulls', ''], rows)))
}

/** The rule of thumb of credit scoring. */
function wordFor(psi: number): string {
  return psi < 0.1 ? '' : psi < 0.25 ? 'drifting' : 'another population'
}

function figure(value: number | null): string {
  return value === null ? '-' : value.toFixed(4)
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ')
}
