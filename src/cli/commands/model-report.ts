import { writeFile } from 'node:fs/promises'
import { Command } from 'commander'
import type { ModelVersionReport, ReportedLabels } from '../../app/model-report.ts'
import { parseDuration } from '../../base/duration.ts'
import { MillraceError } from '../../base/faults.ts'
import { folderOption, jsonOption, wholeNumber } from '../options.ts'
import { counted, print, printJson, table } from '../output.ts'
import { visible } from '../visible.ts'

type Options = {
  folder: string
  labels?: string
  join?: string
  horizon?: string
  training?: string
  sample: string
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
    .option('--horizon <duration>', 'after a prediction, how long its label counts (default: 30d)')
    .option('--training <manifest>', "of the model's training set: how its inputs were spread")
    .option(
      '--sample <count>',
      'predictions and labels that are held at once; beyond them a share of the ids',
      '200000',
    )
    .option('--svg <file>', 'draw it as well')
    .addOption(folderOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
Example:
  $ millrace model report definitions.ts fraud --labels disputes.fraud \\
      --join payment_id --training set.parquet.manifest.json --svg fraud.svg

Labels and training set are those that the module declares for the model, unless
they are given. Reads the predictions that are in the log, also while a millrace
runs there; those asked for by HTTP and the library are there where it was
started with --log-predictions.`,
    )
    .action(run)
}

async function run(file: string, model: string, options: Options): Promise<void> {
  const { openReadOnlyLog } = await import('../../app/inspect-folder.ts')
  const { loadModels, loadPlan } = await import('../../app/load-plan.ts')
  const { reportModel, drawReport, namedLabels } = await import('../../app/model-report.ts')
  const rowsMax = wholeNumber('--sample', options.sample, { min: 1_000, max: 10_000_000 })
  const { plan } = await loadPlan(file)
  const declared = (await loadModels(file)).find(({ name }) => name === model)
  const labels = labelsOf(options, declared === undefined ? null : namedLabels(declared))
  const training = options.training ?? declared?.training ?? null
  const log = await openReadOnlyLog(options.folder)
  try {
    const versions = await reportModel({ log, plan, model, labels, training, rowsMax })
    if (options.svg !== undefined) await writeFile(options.svg, drawReport(versions))
    if (options.json === true) printJson(versions)
    else for (const version of versions) printVersion(version)
  } finally {
    await log.close()
  }
}

/** Those that are given, else those that are declared. */
function labelsOf(options: Options, declared: ReportedLabels): ReportedLabels {
  const { labels, join, horizon } = options
  if (horizon !== undefined && parseDuration(horizon) === null) {
    throw malformed(`--horizon is ${horizon}`, 'Give a duration such as 7d.')
  }
  if (labels === undefined) {
    if (join !== undefined && declared === null) throw malformed('there is --join without --labels', 'Give both.')
    return declared === null
      ? null
      : { ...declared, ...(join === undefined ? {} : { id: join }), ...(horizon === undefined ? {} : { horizon }) }
  }
  const [stream, label, more] = labels.split('.')
  if (stream === undefined || label === undefined || more !== undefined) {
    throw malformed(`--labels is ${labels}`, 'Give STREAM.FIELD, such as disputes.fraud.')
  }
  return { stream, label, id: join ?? null, horizon: horizon ?? '30d' }
}

function malformed(detail: string, allowed: string): MillraceError {
  return new MillraceError('REQUEST_MALFORMED', { detail, allowed })
}

function printVersion({ model, version, checksum, watch }: ModelVersionReport): void {
  const { outcomes, scores, labels, share, auc, aucError, averagePrecision, calibration, inputs, vectors } = watch
  const counts = Object.entries(outcomes).map(([outcome, count]) => `${count} ${outcome}`)
  print(
    visible(
      `${model} version ${version}${checksum === null ? '' : `, ${checksum.slice(0, 12)}`}: ${counts.join(', ')}`,
    ),
  )
  print(`  scores: ${scores.count}, mean ${figure(scores.mean)}`)
  print(
    `  labels: ${labels.joined} joined, ${labels.positives} positive, ${labels.late} after the horizon, ${labels.missing} missing${share === 1 ? '' : `; of ${figure(100 * share)} % of the ids, by hash`}`,
  )
  const error = aucError === null ? '' : ` ± ${figure(1.96 * aucError)}`
  print(`  AUC ${figure(auc)}${error}, average precision ${figure(averagePrecision)}`)
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
  print(`  inputs: ${counted(vectors, 'vector')}`)
  const rows = inputs.map(({ name, psi, nulls, warming }) => [
    name,
    figure(psi),
    percent(nulls),
    percent(warming),
    psi === null ? '' : wordFor(psi),
  ])
  print(indent(table(['input', 'PSI', 'nulls', 'warming', ''], rows)))
}

/** The rule of thumb of credit scoring. */
function wordFor(psi: number): string {
  return psi < 0.1 ? '' : psi < 0.25 ? 'drifting' : 'another population'
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`
}

function figure(value: number | null): string {
  return value === null ? '-' : value.toFixed(4)
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ')
}
