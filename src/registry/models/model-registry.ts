import { MillraceError } from '../../base/faults.ts'
import type { Log, LogRecord } from '../../log/log.ts'
import { undeclared } from '../../plan/find.ts'
import { modelRegistryTopic } from '../../plan/topics.ts'
import { ChangeLog } from '../change-log.ts'
import { decodeModelChange, encodeModelChange, type ModelChange, type ModelChangeWhat } from './model-change.ts'
import {
  changed,
  changeText,
  emptyModel,
  type ModelVersion,
  type RegisteredModel,
  refusalOf,
} from './registered-model.ts'

/** What is to become the next change of a model. */
export type ModelProposal = ModelChangeWhat & {
  readonly model: string
  /** The change that it was made after; 0: none. */
  readonly expected: number
  readonly at: string
  readonly note: string | null
}

/**
 * The versions of models: a topic of one partition, read from its start. A change counts if the one it was made after
 * is the last of its model that counts before it, and does not exist otherwise, as in the registry of definitions; so
 * of two who change a model at once one wins, and the other is told what changed.
 */
export class ModelRegistry {
  readonly #changes: ChangeLog
  readonly #models = new Map<string, RegisteredModel>()
  /** Where each change lies, in the order of the changes of its model. */
  readonly #offsets = new Map<string, number[]>()

  private constructor(log: Log) {
    this.#changes = new ChangeLog({ log, topic: modelRegistryTopic, take: (record) => this.#take(record) })
  }

  /** Reads all changes. Throws `REGISTRY_CORRUPT`, `REGISTRY_VERSION_UNKNOWN`. */
  static async open(log: Log): Promise<ModelRegistry> {
    const registry = new ModelRegistry(log)
    await registry.refresh()
    return registry
  }

  /** Makes its topic, for whoever wants to wait for the first model. */
  async create(): Promise<void> {
    await this.#changes.create()
  }

  /** Whether anything was ever written, or waited for. */
  get exists(): boolean {
    return this.#changes.exists
  }

  /** In order of names. */
  get models(): readonly RegisteredModel[] {
    return [...this.#models.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Where the log goes on after all that was read. */
  get next(): number {
    return this.#changes.next
  }

  find(name: string): RegisteredModel | undefined {
    return this.#models.get(name)
  }

  /** Throws `NAME_UNDECLARED`. */
  model(name: string): RegisteredModel {
    const found = this.#models.get(name)
    if (found === undefined) throw undeclared('model of the registry', name, [...this.#models.keys()])
    return found
  }

  /** Throws `NAME_UNDECLARED`, `MODEL_VERSION_UNKNOWN`. */
  version(name: string, version: number): ModelVersion {
    const { versions } = this.model(name)
    const found = versions[version - 1]
    if (found !== undefined) return found
    throw new MillraceError('MODEL_VERSION_UNKNOWN', { model: name, version, versions: versions.length })
  }

  /** Makes a proposal the next change of its model, durably. Throws `MODEL_CONFLICT`, `MODEL_CHANGE_REFUSED`. */
  async append({ expected, ...proposal }: ModelProposal): Promise<ModelChange> {
    await this.refresh()
    const { model: name } = proposal
    const change: ModelChange = { ...proposal, number: expected + 1, previous: expected }
    if ((this.find(name)?.changes.length ?? 0) !== expected) throw this.#conflict(name, expected)
    const refusal = refusalOf(this.find(name) ?? emptyModel(name), change)
    if (refusal !== null) {
      const what = changeText(change)
      throw new MillraceError('MODEL_CHANGE_REFUSED', { model: name, what, detail: refusal })
    }
    const record = {
      key: Buffer.from(name),
      value: encodeModelChange(change),
      timestampMs: Date.parse(change.at),
    }
    const offset = await this.#changes.append(record)
    if (this.#offsets.get(name)?.[expected] !== offset) throw this.#conflict(name, expected)
    return this.model(name).changes[expected]!
  }

  /** Reads what was appended since, by whomever. */
  async refresh(): Promise<void> {
    await this.#changes.refresh()
  }

  #take(record: LogRecord): void {
    const change = decodeModelChange(record)
    const model = this.#models.get(change.model) ?? emptyModel(change.model)
    const place = `${modelRegistryTopic}/0@${record.offset}`
    if (change.previous > model.changes.length) {
      const detail = `it follows change ${change.previous} of ${change.model}, and the last one before it is ${model.changes.length}`
      throw new MillraceError('REGISTRY_CORRUPT', { place, detail })
    }
    if (change.previous !== model.changes.length) return
    const refusal = refusalOf(model, change)
    if (refusal !== null) throw new MillraceError('REGISTRY_CORRUPT', { place, detail: refusal })
    this.#models.set(change.model, changed(model, change))
    const offsets = this.#offsets.get(change.model)
    if (offsets === undefined) this.#offsets.set(change.model, [record.offset])
    else offsets.push(record.offset)
  }

  #conflict(model: string, expected: number): MillraceError {
    const changes = this.find(model)?.changes ?? []
    const lines = changes.slice(expected).map((change) => {
      const note = change.note === null ? '' : `, ${change.note}`
      return `  ${change.number} at ${change.at}: ${changeText(change)}${note}`
    })
    return new MillraceError('MODEL_CONFLICT', { model, expected, number: changes.length, list: lines.join('\n') })
  }
}
