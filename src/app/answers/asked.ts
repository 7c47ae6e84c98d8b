import type { FeatureStatus } from '../../plan/finish-view.ts'
import { planDigits } from '../../stream/feature-record.ts'
import type { Prediction, ReadVector } from '../../model/predictor.ts'
import type { EntityKeys } from '../../serve/entity-key.ts'
import type { VectorOptions, VectorReader } from '../../serve/vector-reader.ts'
import type { LogRecord } from '../../log/log.ts'
import type { TakenModel } from '../models.ts'
import { type Asked, askedText } from './answer-text.ts'

export type { Asked }

/** Reads the vector of a question; synchronous, so that it is of one prefix. Throws what reading throws. */
export function ask(
  { about, keys, taken }: Pick<Asked, 'about' | 'keys' | 'taken'>,
  reader: VectorReader,
  options: VectorOptions,
): Asked {
  const rows = reader.readRows(reader.prepare({ service: taken.plan.target }), [keys], { ...options, full: true })
  const width = rows.shape.names.length
  // The rows are those of the next read too.
  const vector = { values: rows.values.slice(0, width), status: rows.status.slice(0, width) }
  const plan = reader.plan.hash.slice(0, planDigits)
  const read = { about, keys, asOf: rows.asOf[0]!, prefix: rows.prefix, plan }
  return { ...read, taken, vector, text: askedText(read) }
}

/** Asks each model once for all that is asked of it. In the order of the questions. */
export async function predictAll(asked: readonly Asked[], deadlineMs: number): Promise<Prediction[]> {
  const predictions = new Array<Prediction>(asked.length)
  // Two plans of one model are two runs: a row of the one is none of the other.
  const groups = Map.groupBy(asked.keys(), (index) => asked[index]!.taken.plan)
  for (const indexes of groups.values()) {
    const { taken } = asked[indexes[0]!]!
    const given = await taken.predict(
      indexes.map((index) => asked[index]!.vector),
      deadlineMs,
    )
    for (const [row, index] of indexes.entries()) predictions[index] = given[row]!
  }
  return predictions
}

/** What of a record of `model-input` tells whether the same can be asked again. */
type ModelInput = {
  readonly model: string
  readonly model_version: number
  readonly checksum: string | null
  readonly keys: EntityKeys
  readonly as_of: string
  readonly inputs: Readonly<Record<string, ReadVector['values'][number]>>
  readonly status: Readonly<Record<string, FeatureStatus>>
  readonly prefix: Asked['prefix']
  readonly plan: string
}

/**
 * The same question again, of the vector that was written for it before the process died: what was handed to a model
 * once stands. Null when the model is another one now; then the vector is read anew.
 */
export function askedBefore(about: Asked['about'], taken: TakenModel, { value }: LogRecord): Asked | null {
  const found = JSON.parse(Buffer.from(value!).toString()) as ModelInput
  const { name, version, checksum } = taken.name
  if (found.model !== name || found.model_version !== version || found.checksum !== checksum) return null
  const vector = { values: [] as ReadVector['values'][number][], status: [] as FeatureStatus[] }
  for (const input of taken.plan.inputs) {
    if (!Object.hasOwn(found.inputs, input.name)) return null
    vector.values[input.place] = found.inputs[input.name]!
    vector.status[input.place] = found.status[input.name] ?? 'PRESENT'
  }
  const { keys, prefix, plan } = found
  const read = { about, keys, asOf: Date.parse(found.as_of), prefix, plan }
  return { ...read, taken, vector, text: askedText(read) }
}
