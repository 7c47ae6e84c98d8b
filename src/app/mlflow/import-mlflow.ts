import { posix } from 'node:path'
import { MillraceError } from '../../base/faults.ts'
import { sha256 } from '../../base/hash.ts'
import { MlflowClient, type MlflowOptions } from './mlflow-client.ts'
import { onnxFileIn } from './ml-model.ts'

/** A version of a registered model, as it is asked for: `fraud`, `fraud/3` or `fraud@champion`. */
export type MlflowReference = {
  readonly name: string
  /** Null: the newest one, or the one of the alias. */
  readonly version: string | null
  readonly alias: string | null
}

export type MlflowModel = {
  readonly artefact: Uint8Array
  /** Of its run, the last value of each. */
  readonly metrics: Readonly<Record<string, number>>
  /** Of its run, its model and itself, in that order; without those that MLflow itself keeps there. */
  readonly tags: Readonly<Record<string, string>>
  /** In words: server, name, version, run. */
  readonly source: string
  /** Metrics that are no finite numbers. */
  readonly skipped: readonly string[]
}

export type MlflowImport = MlflowOptions & {
  readonly reference: MlflowReference
  readonly bytesMax: number
  /** What the artefact has to be; the version's tag `sha256` says the same. */
  readonly sha256?: string | undefined
}

/** Throws `REQUEST_MALFORMED`. */
export function parseReference(text: string): MlflowReference {
  const match = /^(?<name>[^/@]+)(?:\/(?<version>[1-9]\d{0,8})|@(?<alias>[^/@]+))?$/.exec(text)
  const { name, version, alias } = match?.groups ?? {}
  if (name !== undefined) return { name, version: version ?? null, alias: alias ?? null }
  const allowed = 'Give the name of a registered model, NAME/VERSION or NAME@ALIAS.'
  throw new MillraceError('REQUEST_MALFORMED', { detail: `"${text}" names no model of MLflow`, allowed })
}

/** Throws `MLFLOW_UNREACHABLE`, `MLFLOW_REFUSED`, `MODEL_REFUSED`, `REQUEST_TOO_LARGE`. */
export async function readMlflowModel(options: MlflowImport): Promise<MlflowModel> {
  const client = new MlflowClient(options)
  const found = new Finding(client)
  const version = await found.version(options.reference)
  const [run, model, folder] = await Promise.all([
    found.run(version),
    found.tagsOfModel(version.name),
    found.folder(version),
  ])
  const artefact = await found.onnx(folder, options.bytesMax)
  const tags = { ...run.tags, ...model, ...version.tags }
  for (const wanted of [options.sha256, version.tags['sha256']]) {
    const hash = sha256(artefact)
    if (wanted === undefined || wanted.toLowerCase() === hash) continue
    const detail = `its SHA-256 is ${hash}, where ${wanted} was to be`
    throw new MillraceError('MODEL_REFUSED', { model: version.name, detail, allowed: 'Find out who changed the file.' })
  }
  const ofRun = version.run === '' ? '' : `, run ${version.run}`
  const source = `MLflow at ${client.origin}, ${version.name} version ${version.version}${ofRun}`
  return { artefact, metrics: run.metrics, tags, source, skipped: run.skipped }
}

type Version = {
  readonly name: string
  readonly version: string
  /** Empty where it was registered without one. */
  readonly run: string
  readonly tags: Readonly<Record<string, string>>
}

/** What the REST API says of a version, part by part. Its answers are taken for nothing but what they have to be. */
class Finding {
  readonly #client: MlflowClient

  constructor(client: MlflowClient) {
    this.#client = client
  }

  async version({ name, version, alias }: MlflowReference): Promise<Version> {
    const given = await this.#versionAnswer({ name, version, alias })
    const found = at(given, 'model_version')
    const number = textAt(found, 'version')
    if (number === '') throw this.#refused(missingText({ name, version, alias }))
    const status = textAt(found, 'status')
    if (status !== '' && status !== 'READY') throw this.#refused(`version ${number} of ${name} is ${status}`)
    return { name, version: number, run: textAt(found, 'run_id'), tags: pairsOf(at(found, 'tags')) }
  }

  async #versionAnswer({ name, version, alias }: MlflowReference): Promise<unknown> {
    if (alias !== null) return await this.#client.get('registered-models/alias', { name, alias })
    if (version !== null) return await this.#client.get('model-versions/get', { name, version })
    // A quote in a name would end the text of the filter.
    if (/['"`]/.test(name)) throw this.#refused(`"${name}" has a quote in it: name a version as well`)
    const query = { filter: `name='${name}'`, order_by: 'version_number DESC', max_results: '1' }
    const list = at(await this.#client.get('model-versions/search', query), 'model_versions')
    return { model_version: Array.isArray(list) ? (list[0] as unknown) : undefined }
  }

  async run({ run }: Version): Promise<Pick<MlflowModel, 'metrics' | 'tags' | 'skipped'>> {
    if (run === '') return { metrics: {}, tags: {}, skipped: [] }
    // A run that was deleted takes nothing away from the model.
    const data = at(at(await this.#client.get('runs/get', { run_id: run }), 'run'), 'data')
    const list = entriesOf(at(data, 'metrics'))
    const isFinite = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)
    return {
      metrics: Object.fromEntries(list.filter((one): one is [string, number] => isFinite(one[1]))),
      tags: pairsOf(at(data, 'tags')),
      skipped: list.filter(([, value]) => !isFinite(value)).map(([name]) => name),
    }
  }

  async tagsOfModel(name: string): Promise<Readonly<Record<string, string>>> {
    const answer = await this.#client.get('registered-models/get', { name })
    return pairsOf(at(at(answer, 'registered_model'), 'tags'))
  }

  /** Where the version lies below the server's own artefacts. */
  async folder({ name, version }: Version): Promise<string> {
    const answer = await this.#client.get('model-versions/get-download-uri', { name, version })
    const uri = textAt(answer, 'artifact_uri')
    const match = /^mlflow-artifacts:(?:\/\/(?<host>[^/]*))?\/(?<path>[^?#]+)$/.exec(uri)
    const { host = '', path = '' } = match?.groups ?? {}
    const isHere = host === '' || host === new URL(this.#client.origin).host
    if (match !== null && isHere && !path.split('/').includes('..')) return path
    const place = uri === '' ? 'nowhere' : `at ${uri.slice(0, 200)}`
    throw this.#refused(`its files lie ${place}, and not with the server itself`)
  }

  async onnx(folder: string, bytesMax: number): Promise<Uint8Array> {
    const text = await this.#client.artefact(posix.join(folder, 'MLmodel'), mlModelBytesMax)
    if (text === null) throw this.#refused(`there is no MLmodel in ${folder}`)
    const file = onnxFileIn(Buffer.from(text).toString())
    if (typeof file !== 'string') {
      const flavours = file.flavours.join(', ')
      throw this.#refused(`the model is saved as ${flavours === '' ? 'nothing' : flavours}, and not as onnx`)
    }
    const artefact = await this.#client.artefact(posix.join(folder, file), bytesMax)
    if (artefact === null) throw this.#refused(`there is no ${file} in ${folder}`)
    return artefact
  }

  #refused(detail: string): MillraceError {
    return new MillraceError('MLFLOW_REFUSED', { url: this.#client.origin, detail })
  }
}

const mlModelBytesMax = 1024 * 1024

function missingText({ name, version, alias }: MlflowReference): string {
  if (alias !== null) return `it has no model ${name} with alias ${alias}`
  return version === null ? `it has no version of a model ${name}` : `it has no version ${version} of a model ${name}`
}

function at(value: unknown, name: string): unknown {
  if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined
  return (value as Readonly<Record<string, unknown>>)[name]
}

function textAt(value: unknown, name: string): string {
  const found = at(value, name)
  return typeof found === 'string' ? found : ''
}

/** A list of `{key, value}`. */
function entriesOf(list: unknown): [string, unknown][] {
  if (!Array.isArray(list)) return []
  return list.map((one: unknown): [string, unknown] => [textAt(one, 'key'), at(one, 'value')])
}

function pairsOf(list: unknown): Record<string, string> {
  const texts = entriesOf(list).filter((one): one is [string, string] => typeof one[1] === 'string')
  return Object.fromEntries(texts.filter(([name]) => !name.startsWith('mlflow.')))
}
