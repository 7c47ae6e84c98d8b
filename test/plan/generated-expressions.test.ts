// Goal: a plan runs generated filters, columns and features, and closures where code generation is off.
// Method: one process of each kind says which form it runs, which shows in the source of its functions, and its values.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { test } from 'node:test'

const url = (path: string): string => new URL(`../../src/${path}`, import.meta.url).href

const script = `
  import { entity } from '${url('definition/entity.ts')}'
  import { featureView } from '${url('definition/feature-view.ts')}'
  import { stream } from '${url('definition/stream.ts')}'
  import { compile } from '${url('plan/compile.ts')}'
  import { makeProgramBuilder } from '${url('plan/compile-call.ts')}'
  import { decimal, string, timestamp } from '${url('schema/field.ts')}'
  const fields = { id: string(), user: string(), amount: decimal(2).nullable(), at: timestamp() }
  const from = stream('events', { fields, time: 'at', id: 'id', lateness: '1h' })
  const view = featureView('view', {
    from,
    by: entity('user', { user: string() }),
    where: (event) => event.amount.gt(1.25).or(event.user.eq('u')),
    features: (on) => ({
      ratio: on.sum((event) => event.amount.times(2), { over: '1h' }).per(on.count({ over: '1h' })),
      count: on.count({ over: '1h' }),
    }),
  })
  const { finish, projection } = compile([view]).views[0]
  const builder = makeProgramBuilder(from, 0)
  builder.column(view.where, { kind: 'boolean' })
  const functions = [projection.where, builder.columns()[0].evaluate, finish]
  const rows = [['i', 'u', null, 0], ['i', 'v', null, 0], ['i', 'v', 125, 0], ['i', 'v', 126, 0]]
  console.log(JSON.stringify({
    generated: functions.map((made) => /values\\[\\d\\]|f\\d\\(values\\)/.test(String(made))),
    where: rows.map((row) => projection.where(row)),
    columns: rows.map((row) => projection.columns.map((column) => column(row))),
    features: [[2, 3], [0, 3], [3, 1]].map((found) => finish(found)),
  }))`

function run(flags: readonly string[]): unknown {
  const rest = ['--conditions=millrace-source', '--input-type=module-typescript', '--eval', script]
  return JSON.parse(execFileSync(process.execPath, [...flags, ...rest], { encoding: 'utf8' }))
}

const values = {
  where: [true, null, false, true],
  columns: [[null], [null], [2.5], [2.52]],
  features: [
    [1.5, 2],
    [null, 0],
    [1 / 3, 3],
  ],
}

test('a plan runs generated filters, columns and features', () => {
  assert.deepEqual(run([]), { generated: [true, true, true], ...values })
})

test('where no code may be generated, closures give the same', () => {
  assert.deepEqual(run(['--disallow-code-generation-from-strings']), { generated: [false, false, false], ...values })
})
