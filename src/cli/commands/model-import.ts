import { Command } from 'commander'
import { systemClock } from '../../base/clock.ts'
import { MillraceError } from '../../base/faults.ts'
import { addChangeOptions, changePlaceHelp, type ChangeOptions, sendPush } from '../model-place.ts'
import { visible } from '../visible.ts'

type Options = ChangeOptions & { as?: string; golden?: string; training?: string; sha256?: string }

export function importModelCommand(): Command {
  const command = new Command('mlflow')
    .description('Push a version of a registered model of MLflow, with its metrics and tags')
    .argument('<definitions>', 'module that exports the model, declared with `from: registry()`')
    .argument('<server>', 'address of the tracking server')
    .argument('<reference>', 'NAME, which is its newest version; NAME/VERSION or NAME@ALIAS')
    .option('--as <model>', 'name of the model here (default: NAME)')
    .option('--sha256 <hash>', "refuse any other file; the version's tag sha256 says the same")
    .option('--golden <file>', 'samples that it has to answer as it did where it was trained')
    .option('--training <manifest>', 'of the training set, as `millrace train` wrote it')
    .addHelpText(
      'after',
      `
Takes what mlflow.onnx saved. Metrics are those of its run; tags those of the
run, the model and the version. MLFLOW_TRACKING_TOKEN, or
MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, log in, and go to that
server alone: a redirect elsewhere is not followed.
${changePlaceHelp}`,
    )
    .action(run)
  return new Command('import')
    .description('Push a model that another registry has')
    .helpCommand('help [command]', 'Print the help of a command')
    .addCommand(addChangeOptions(command))
}

async function run(file: string, url: string, text: string, options: Options, command: Command): Promise<void> {
  const { describeModel, loadRegistryModel, artefactLimit } = await import('../../app/describe-model.ts')
  const { parseReference, readMlflowModel } = await import('../../app/mlflow/import-mlflow.ts')
  const reference = parseReference(text)
  const model = await loadRegistryModel(file, options.as ?? reference.name)
  const { golden, training, sha256 } = options
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(sha256)) {
    throw new MillraceError('REQUEST_MALFORMED', { detail: `--sha256 is "${sha256}"`, allowed: 'Give 64 hex digits.' })
  }
  const bytesMax = artefactLimit(model)
  const found = await readMlflowModel({
    url,
    reference,
    bytesMax,
    sha256,
    environment: process.env,
    clock: systemClock,
  })
  const { artefact, metrics, tags, source, skipped } = found
  if (skipped.length > 0)
    process.stderr.write(visible(`left out, being no finite numbers: ${skipped.join(', ')}`) + '\n')
  const description = { ...(await describeModel(model, { golden, training, tags, source })), metrics }
  await sendPush({ model: model.name, description, artefact }, options, command)
}
