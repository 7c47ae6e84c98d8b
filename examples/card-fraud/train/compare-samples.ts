import { join } from 'node:path'
import { type Mill, millrace, type Model } from 'millrace'
import { scoring } from '../features.ts'
import { fraudModels } from '../models.ts'
import type { EventRow } from './prepare.ts'

/** Rows as Python's models got them, and what these gave. */
export type Samples = {
  readonly columns: readonly string[]
  readonly ids: readonly string[]
  readonly rows: readonly (readonly number[])[]
  /** Model → probability of fraud, by row. */
  readonly probabilities: { readonly logistic: readonly number[]; readonly boosted: readonly number[] }
}

export type SampleComparison = {
  readonly compared: number
  /** Values that are not the same to the bit. */
  readonly differingInputs: number
  /** Model → the largest distance of a score. */
  readonly largestError: Readonly<Record<string, number>>
  /** Predictions that were not served. */
  readonly unscored: number
}

/** Streams the payments, scores those of the samples as they come, and holds inputs and scores against Python's. */
export async function compareWithSamples(
  rows: readonly EventRow[],
  samples: Samples,
  place: { readonly folder: string; readonly models: URL },
): Promise<SampleComparison> {
  const models = fraudModels(place.models)
  const sampleOf = new Map(samples.ids.map((id, index) => [id, index]))
  const mill = await millrace({
    definitions: [scoring],
    models: Object.values(models),
    folder: join(place.folder, 'mill'),
    checkpointMs: 10_000,
  })
  const result = { compared: 0, differingInputs: 0, largestError: { logistic: 0, boosted: 0 }, unscored: 0 }
  try {
    for (const batch of batchesOf(rows)) {
      await mill.ingest('payments', batch.map(rawPayment))
      const wanted = batch.filter(({ id }) => sampleOf.has(id))
      if (wanted.length === 0) continue
      await mill.caughtUp()
      for (const row of wanted) {
        const index = sampleOf.get(row.id)!
        const { values } = mill.read(scoring.name, keysOf(row), { asOf: row.at + 1 })
        const expected = samples.rows[index]!
        result.compared += 1
        result.differingInputs += expected.filter((value, column) => !Object.is(value, values[column])).length
        for (const name of ['logistic', 'boosted'] as const) {
          const score = await scoreOf(mill, models[name], row)
          if (score === null) result.unscored += 1
          else {
            const error = Math.abs(score - samples.probabilities[name][index]!)
            result.largestError[name] = Math.max(result.largestError[name], error)
          }
        }
      }
    }
  } finally {
    await mill.close()
  }
  return result
}

async function scoreOf(mill: Mill, model: Model, row: EventRow): Promise<number | null> {
  const { predictions } = await mill.predictMany({
    model: model.name,
    entities: [keysOf(row)],
    asOf: row.at + 1,
    deadlineMs: 60_000,
  })
  const [prediction] = predictions
  return prediction?.outcome === 'served' ? Number(prediction.output['score']) : null
}

/** A batch spans less event time than the horizon of a read, so that each of its events can still be read at. */
function* batchesOf(rows: readonly EventRow[]): Generator<readonly EventRow[]> {
  for (let from = 0; from < rows.length; ) {
    let to = from
    while (to < rows.length && to - from < 2_000 && rows[to]!.at < rows[from]!.at + 30 * 60_000) to += 1
    yield rows.slice(from, to)
    from = to
  }
}

function keysOf({ customerId, terminalId }: EventRow): Readonly<Record<string, number>> {
  return { customer_id: customerId, terminal_id: terminalId }
}

function rawPayment({ id, at, customerId, terminalId, amount, fraud }: EventRow): Uint8Array {
  const payment = { transaction_id: id, ts: at, customer_id: customerId, terminal_id: terminalId, amount, fraud }
  return Buffer.from(JSON.stringify(payment))
}
