import { readFile } from 'node:fs/promises'
import { MillraceError, messageOf } from '../base/faults.ts'
import { sha256 } from '../base/hash.ts'
import type { Model } from '../definition/declared-model.ts'
import { undeclared } from '../plan/find.ts'
import { declareModel } from '../plan/model-declaration.ts'
import { artefactBytesMax } from '../registry/models/artefacts.ts'
import { type ModelDescription, readModelDescription, type TrainingOrigin } from '../registry/models/pushed-model.ts'
import { loadModels } from './load-plan.ts'
import { isOfRegistry } from './models.ts'
import { readStart } from './open-model.ts'
import type { Manifest } from './train.ts'

/** What is said of a version when it is pushed, beside what its author declared. */
export type VersionFacts = {
  /** File of golden samples: `{"tolerance": 1e-6, "rows": [{"input": {…}, "output": {…}}]}`. */
  readonly golden?: string | undefined
  /** File of what was measured: `{"auc": 0.93}`. */
  readonly metrics?: string | undefined
  /** Manifest of the training set. */
  readonly training?: string | undefined
  readonly tags: Readonly<Record<string, string>>
  readonly source: string | null
}

/**
 * The model of a module that takes its versions from the registry. Throws `DEFINITIONS_UNREADABLE`, `NAME_UNDECLARED`,
 * `REQUEST_MALFORMED` where its versions come from elsewhere.
 */
export async function loadRegistryModel(file: string, name: string): Promise<Model> {
  const models = await loadModels(file)
  const found = models.find((one) => one.name === name)
  if (found === undefined) {
    throw undeclared(
      'model',
      name,
      models.map((one) => one.name),
    )
  }
  if (isOfRegistry(found)) return found
  const detail = `model ${name} does not come from the registry`
  throw new MillraceError('REQUEST_MALFORMED', { detail, allowed: 'Declare it with `from: registry()`.' })
}

/** Throws `DEFINITION`, `REQUEST_MALFORMED`. */
export async function describeModel(model: Model, facts: VersionFacts): Promise<ModelDescription> {
  const { golden, metrics, training, tags, source } = facts
  const declaration = declareModel(model)
  const inputs = declaration.inputs.map(({ name }) => name)
  return readModelDescription({
    declaration,
    golden: golden === undefined ? null : parse(golden, await readText(golden)),
    metrics: metrics === undefined ? {} : parse(metrics, await readText(metrics)),
    training: training === undefined ? null : await readTraining(training, inputs),
    tags,
    source,
  })
}

/** No more than the declaration allows. Throws `MODEL_UNREADABLE`, `REQUEST_TOO_LARGE`. */
export async function readArtefactFile(model: Model, file: string): Promise<Uint8Array> {
  const limit = artefactLimit(model)
  let artefact: Uint8Array
  try {
    artefact = await readStart(file, limit + 1)
  } catch (error) {
    throw new MillraceError('MODEL_UNREADABLE', { model: model.name, file, detail: messageOf(error) }, { cause: error })
  }
  if (artefact.length <= limit) return artefact
  throw new MillraceError('REQUEST_TOO_LARGE', { size: 'too many', unit: 'bytes', limit })
}

/** What the registry takes, or less where the model says so. */
export function artefactLimit({ from }: Model): number {
  const declared = typeof from === 'object' && 'bytesMax' in from ? from.bytesMax : artefactBytesMax
  return Math.min(declared, artefactBytesMax)
}

/** With how the inputs were spread, as far as the manifest says it: what they are later is held against that. */
async function readTraining(file: string, inputs: readonly string[]): Promise<TrainingOrigin> {
  const text = await readText(file)
  const manifest = parse(file, text) as Partial<Manifest> | null
  const { plan, target, at, bound, output, createdAt } = manifest ?? {}
  const isManifest = manifest?.version === 1 && output !== undefined
  if (!isManifest || [plan, target, at, bound, createdAt].some((one) => typeof one !== 'string')) {
    throw refused(`${file} is no manifest of a training set`, 'Give the file that `millrace train` wrote beside it.')
  }
  const spread = (manifest.features ?? []).flatMap(({ name, spread: one }) =>
    // Manifests of earlier releases have none.
    one && inputs.includes(name) ? [[name, one] as const] : [],
  )
  return {
    ...(spread.length === 0 ? {} : { spreads: Object.fromEntries(spread) }),
    manifest: sha256(Buffer.from(text)),
    plan: plan!,
    target: target!,
    at: at!,
    bound: bound!,
    rows: output.rows,
    createdAt: createdAt!,
  }
}

function parse(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw refused(
      `${file} is not JSON (${messageOf(error)})`,
      '`millrace model push --help` says what each file holds.',
    )
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw refused(`${file} cannot be read: ${messageOf(error)}`, 'Give a file that this process may read.')
  }
}

function refused(detail: string, allowed: string): MillraceError {
  return new MillraceError('REQUEST_MALFORMED', { detail, allowed })
}
