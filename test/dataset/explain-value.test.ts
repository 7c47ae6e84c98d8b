// Goal: an explanation lists the events of a value in the order in which the value took them.
// Method: a history that gives events of one instant in another order than that of their ids.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explainValue } from '../../src/dataset/explain-value.ts'
import { Forgotten } from '../../src/plan/forgotten.ts'
import type { History } from '../../src/dataset/history.ts'
import { compile, entity, featureView, int, stream, string, timestamp } from '../../src/index.ts'
import { encodeKey } from '../../src/schema/key-codec.ts'

const payments = stream('payments', {
  fields: { id: string(), customer: int(), amount: int(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
})
const view = featureView('view', {
  from: payments,
  by: entity('customer', { customer: int() }),
  features: (on) => ({ last_amount: on.last('amount', { over: '1h' }) }),
})

test('events of one instant are listed in the order of their ids, the last of which is the value', async () => {
  const rows = [
    { row: ['c', 7, 30, 1_000], ts: 1_000, tie: 'c' },
    { row: ['a', 7, 10, 1_000], ts: 1_000, tie: 'a' },
    { row: ['b', 7, 20, 1_000], ts: 1_000, tie: 'b' },
  ]
  const history: History = {
    size: rows.length,
    async read(accept) {
      rows.forEach((event, offset) => accept(event, { place: 'payments', partition: 0, offset }))
      return await Promise.resolve({
        stream: 'payments',
        arrival: 'as in the log',
        records: 3,
        accepted: 3,
        duplicate: 0,
        conflicts: 0,
        late: 0,
        refused: 0,
        prefix: [{ partition: 0, start: 0, end: 3 }],
        imported: null,
        coveredFromMs: null,
      })
    },
  }
  const [plan] = compile([view]).views
  const request = {
    view: plan!,
    feature: 'last_amount',
    key: encodeKey(['int'], [7]),
    asOf: 2_000,
    forgotten: new Forgotten(),
  }
  const { value, aggregates } = await explainValue(request, history, () => undefined)
  assert.equal(value, 30)
  assert.deepEqual(
    aggregates[0]!.events.map(({ tie, input, source }) => [tie, input, source.offset]),
    [
      ['a', 10, 1],
      ['b', 20, 2],
      ['c', 30, 0],
    ],
  )
})
