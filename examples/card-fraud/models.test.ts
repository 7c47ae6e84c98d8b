// Goal: the committed models are those of the report, fit the service, and give what scikit-learn and XGBoost gave.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { float, millrace, model } from 'millrace'
import { scoring } from './features.ts'
import { boosted, logistic } from './models.ts'

type Golden = {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly number[])[]
  readonly probabilities: { readonly logistic: readonly number[]; readonly boosted: readonly number[] }
}
type Report = { readonly models: Readonly<Record<string, { readonly sha256: string }>> }

const read = (name: string): Buffer => readFileSync(new URL(`models/${name}`, import.meta.url))
const golden = JSON.parse(read('golden.json').toString()) as Golden
const report = JSON.parse(read('report.json').toString()) as Report

test('the report names the files', () => {
  for (const name of ['logistic', 'boosted']) {
    const checksum = createHash('sha256')
      .update(read(`${name}.onnx`))
      .digest('hex')
    assert.equal(report.models[name]?.sha256, checksum)
  }
})

test('vectors that Python kept get the scores that it gave', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-models-'))
  try {
    // No event is needed: the defaults are the inputs.
    for (const [index, row] of golden.rows.slice(0, 8).entries()) {
      const inputs = Object.fromEntries(golden.columns.map((name, column) => [name, row[column]!]))
      const output = { score: float() }
      const missing = { default: inputs }
      const models = [logistic, boosted].map(({ name, from }) => {
        assert.ok(typeof from !== 'function')
        return model(name, { version: 1, input: scoring, from, output, missing })
      })
      const mill = await millrace({ definitions: [scoring], models, folder, partitions: 1 })
      try {
        for (const name of ['logistic', 'boosted'] as const) {
          const entities = [{ customer_id: 1, terminal_id: 1 }]
          const { predictions } = await mill.predictMany({ model: `fraud_${name}`, entities })
          const [prediction] = predictions
          assert.ok(prediction?.outcome === 'served', JSON.stringify(prediction))
          const error = Math.abs(Number(prediction.output['score']) - golden.probabilities[name][index]!)
          assert.ok(error < 1e-6, `${name}, row ${index}: off by ${error}`)
        }
      } finally {
        await mill.close()
      }
    }
  } finally {
    await rm(folder, { recursive: true })
  }
})
