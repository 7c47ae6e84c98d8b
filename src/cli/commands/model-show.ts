import { Command } from 'commander'
import type { ModelHistory, ModelState, ModelVersionSummary } from '../../app/model-versions.ts'
import { MillraceError } from '../../base/faults.ts'
import { request } from '../http.ts'
import { addKafkaOptions, type KafkaCliOptions, kafkaPlace } from '../kafka-place.ts'
import { folderOption, jsonOption, urlOption, wholeNumber } from '../options.ts'
import { counted, print, printJson, table } from '../output.ts'
import { accepted, registryPlace } from '../registry-place.ts'
import { visible } from '../visible.ts'

type Options = { folder: string; url: string; json?: boolean } & KafkaCliOptions

const placeHelp = `
Reads the folder, also while a millrace runs there; what answers and what is
loaded, only a running one can tell: --url.`

export function listModelsCommand(): Command {
  const command = new Command('list')
    .description('List the models of the registry')
    .addOption(folderOption())
    .addOption(urlOption())
    .addOption(jsonOption())
    .addHelpText('after', placeHelp)
    .action(list)
  return addKafkaOptions(command, { creates: false })
}

export function showModelCommand(): Command {
  const command = new Command('show')
    .description('Show the versions of a model and what was done to it, or one version')
    .argument('<model>', 'name of the model')
    .argument('[version]', 'its number')
    .addOption(folderOption())
    .addOption(urlOption())
    .addOption(jsonOption())
    .addHelpText('after', placeHelp)
    .action(show)
  return addKafkaOptions(command, { creates: false })
}

async function list(options: Options, command: Command): Promise<void> {
  const place = registryPlace(command)
  let models: readonly ModelState[] | null
  if ('url' in place) {
    models = accepted<{ models: ModelState[] }>(await request(place.url, '/v1/models', null))?.models ?? null
  } else {
    const { readModels } = await import('../../app/models-in-folder.ts')
    models = await readModels({ folder: place.folder, log: await kafkaPlace(options) })
  }
  if (models === null) return
  if (options.json === true) printJson(models)
  else if (models.length === 0) print('none was pushed')
  else printModels(models)
}

function printModels(models: readonly ModelState[]): void {
  const rows = models.map(({ name, versions, live, previous, here }) => [
    name,
    String(versions.length),
    live === null ? 'none' : String(live),
    previous === null ? 'none' : String(previous),
    versions
      .filter(({ stage }) => stage === 'shadow')
      .map(({ version }) => version)
      .join(', '),
    here === null ? '' : here.answers === null ? 'nothing' : `version ${here.answers}`,
  ])
  const isRunning = models.some(({ here }) => here !== null)
  const head = ['model', 'versions', 'live', 'before it', 'shadows', ...(isRunning ? ['answers'] : [])]
  print(table(head, rows))
  printFaults(models)
}

function printFaults(models: readonly ModelState[]): void {
  for (const { name, here } of models) if (here?.fault) print(visible(`${name}: ${here.fault}`))
}

async function show(name: string, text: string | undefined, options: Options, command: Command): Promise<void> {
  const place = registryPlace(command)
  const number = text === undefined ? null : wholeNumber('the version', text, { min: 1, max: 2 ** 31 })
  let model: ModelHistory | null
  if ('url' in place) {
    model = accepted<ModelHistory>(await request(place.url, `/v1/models/${encodeURIComponent(name)}`, null))
  } else {
    const { readModel } = await import('../../app/models-in-folder.ts')
    model = await readModel(name, { folder: place.folder, log: await kafkaPlace(options) })
  }
  if (model === null) return
  if (number === null) {
    if (options.json === true) printJson(model)
    else printModel(model)
    return
  }
  const version = model.versions[number - 1]
  if (version === undefined) {
    throw new MillraceError('MODEL_VERSION_UNKNOWN', { model: name, version: number, versions: model.versions.length })
  }
  if (options.json === true) printJson(version)
  else printVersion(name, version)
}

function printModel(model: ModelHistory): void {
  const rows = model.versions.map((one) => [
    String(one.version),
    one.stage,
    one.at,
    one.artefact.sha256.slice(0, 12),
    figures(one.metrics),
    one.note ?? '',
  ])
  print(table(['version', 'stage', 'pushed at', 'artefact', 'metrics', 'note'], rows))
  if (model.here !== null) {
    const { answers, loaded } = model.here
    const loadedText = loaded.length === 0 ? 'nothing is loaded' : `loaded are ${loaded.join(', ')}`
    print(`\n${answers === null ? 'nothing answers' : `version ${answers} answers`}; ${loadedText}`)
    printFaults([model])
  }
  const changes = model.changes.map(({ number, at, what, note }) => [String(number), at, what, note ?? ''])
  print(`\n${table(['change', 'at', 'what', 'note'], changes)}`)
}

function figures(metrics: Readonly<Record<string, number>>): string {
  const list = Object.entries(metrics).map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
  return list.length > 3 ? `${list.slice(0, 3).join(', ')}, …` : list.join(', ')
}

function printVersion(model: string, one: ModelVersionSummary): void {
  const { declaration, training, artefact } = one
  const lines: [string, string][] = [
    ['stage', one.stage],
    ['pushed', one.at],
    ...(one.note === null ? [] : [['note', one.note] as [string, string]]),
    ['artefact', `${artefact.bytes.toLocaleString('en')} bytes, SHA-256 ${artefact.sha256}`],
    ['plan', one.plan],
    ['input', `${declaration.target}, ${counted(declaration.inputs.length, 'feature')}`],
    ...declaration.inputs.map(({ name, type, text }): [string, string] => ['', `${name}: ${type}, ${text}`]),
    ...declaration.outputs.map(({ name, kind, nullable }): [string, string] => [
      'output',
      `${name}: ${kind}${nullable ? ' or null' : ''}`,
    ]),
    ['missing', missingText(declaration.missing)],
    ['golden', counted(one.golden, 'sample')],
    ...Object.entries(one.metrics).map(([name, value]): [string, string] => ['metric', `${name} ${value}`]),
    ...Object.entries(one.tags).map(([name, value]): [string, string] => ['tag', `${name} ${value}`]),
    ...(one.source === null ? [] : [['source', one.source] as [string, string]]),
    ...trainingLines(training),
    ...one.counts.map(({ stage, outcomes }): [string, string] => ['counted', `as ${stage}: ${outcomesText(outcomes)}`]),
  ]
  print(`${model} version ${one.version}`)
  for (const [name, value] of lines) print(visible(`  ${name.padEnd(9)} ${value}`))
}

function missingText(missing: ModelVersionSummary['declaration']['missing']): string {
  return typeof missing === 'string' ? missing : `default ${JSON.stringify(missing.default)}`
}

function outcomesText(outcomes: Readonly<Record<string, number>>): string {
  return Object.entries(outcomes)
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(', ')
}

function trainingLines(training: ModelVersionSummary['training']): [string, string][] {
  if (training === null) return [['training', 'nobody said']]
  const { rows, target, at, bound, plan, manifest, createdAt } = training
  return [
    [
      'training',
      `${rows === null ? '' : `${counted(rows, 'row')} of `}${target}, at ${at} (${bound}), made ${createdAt}`,
    ],
    ['', `plan ${plan}`],
    ['', `manifest SHA-256 ${manifest}`],
  ]
}
