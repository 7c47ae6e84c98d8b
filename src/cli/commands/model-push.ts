import { Command } from 'commander'
import { addChangeOptions, changePlaceHelp, type ChangeOptions, sendPush } from '../model-place.ts'
import { parsePairs } from '../options.ts'

type Options = ChangeOptions & { golden?: string; metrics?: string; training?: string; tag?: string[]; source?: string }

export function pushModelCommand(): Command {
  const command = new Command('push')
    .description('Make an ONNX file the next version of a model, as a candidate')
    .argument('<definitions>', 'module that exports the model, declared with `from: registry()`')
    .argument('<model>', 'name of the model')
    .argument('<artefact>', 'the ONNX file')
    .option('--golden <file>', 'samples that it has to answer as it did where it was trained')
    .option('--metrics <file>', 'what was measured of it')
    .option('--training <manifest>', 'of the training set, as `millrace train` wrote it')
    .option('--tag <name=value...>', 'whatever else shall be known of it')
    .option('--source <text>', 'where it came from')
    .addHelpText(
      'after',
      `
It is opened first, and has to fit the definitions that are applied and to give
what its golden samples say; otherwise nothing is pushed. \`millrace model
promote\` makes it live.

  --golden   {"tolerance": 1e-6, "rows": [{"input": {"amount": 12.5},
             "output": {"score": 0.031}}]}; tolerance is absolute or relative
  --metrics  {"auc": 0.93}
${changePlaceHelp}`,
    )
    .action(run)
  return addChangeOptions(command)
}

async function run(
  file: string,
  name: string,
  artefactFile: string,
  options: Options,
  command: Command,
): Promise<void> {
  const { describeModel, loadRegistryModel, readArtefactFile } = await import('../../app/describe-model.ts')
  const { golden, metrics, training, source } = options
  const model = await loadRegistryModel(file, name)
  const tags = parsePairs('--tag', options.tag ?? [])
  const description = await describeModel(model, { golden, metrics, training, tags, source: source ?? null })
  const artefact = await readArtefactFile(model, artefactFile)
  await sendPush({ model: name, description, artefact }, options, command)
}
