// Goal: what was forgotten of an entity answers nowhere: not in serving, not in training, not in explanations; not after
// a restart, and not after a rebuild. What other entities have of the same events stays.
// Method: the whole of it in one process, on a data folder.
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { explainFromLog } from '../../src/app/inspect-folder.ts'
import { train } from '../../src/app/train.ts'
import {
  decimal,
  entity,
  featureService,
  featureView,
  int,
  millrace,
  stream,
  string,
  timestamp,
} from '../../src/index.ts'

const customer = entity('customer', { customerId: int() })
const terminal = entity('terminal', { terminalId: int() })
const payments = stream('payments', {
  fields: { paymentId: string(), customerId: int(), terminalId: int(), amount: decimal(2), at: timestamp() },
  time: 'at',
  id: 'paymentId',
  lateness: '10m',
})
const spending = featureView('spending', {
  from: payments,
  by: customer,
  features: (on) => ({ spent: on.sum('amount', { over: 'lifetime' }), payments_1h: on.count({ over: '1h' }) }),
})
const terminals = featureView('terminals', {
  from: payments,
  by: terminal,
  features: (on) => ({ taken: on.sum('amount', { over: 'lifetime' }) }),
})
const both = featureService('both', [spending, terminals])

const start = Date.UTC(2024, 5, 1)
const payment = (paymentId: string, customerId: number, minute: number) => ({
  paymentId,
  customerId,
  terminalId: 3,
  amount: 10,
  at: new Date(start + minute * 60_000).toISOString(),
})

test('a forgotten entity', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'forget-'))
  try {
    let mill = await millrace({ definitions: [both], folder, partitions: 2 })
    await mill.send(payments, [payment('a', 1, 0), payment('b', 2, 1), payment('c', 1, 2)])
    await mill.caughtUp()
    await assert.rejects(mill.forget('custommer', { customerId: 1 }), { code: 'NAME_UNDECLARED' })
    await assert.rejects(mill.forget('customer', { customerId: 'x' }), { code: 'KEY_MALFORMED' })
    const { prefix } = await mill.forget('customer', { customerId: 1 })
    assert.equal(
      Object.values(prefix)
        .flat()
        .reduce((sum, offset) => sum + offset, 0),
      3,
    )
    const read = async (customerId: number) =>
      Object.values(await mill.get(both, { customerId, terminalId: 3 }, { asOf: start + 600_000 }))
    const counts = { applied: 1, filtered: 0, unkeyed: 0, forgotten: 2, before: 0 }
    assert.deepEqual(await read(1), [0, 0, 30])
    assert.deepEqual(await read(2), [10, 1, 30])
    assert.deepEqual(mill.counts.views['spending'], counts)

    // What comes later is a new life.
    await mill.send(payments, payment('d', 1, 5))
    await mill.caughtUp()
    assert.deepEqual(await read(1), [10, 1, 40])

    await writeFile(
      join(folder, 'spine.csv'),
      `customerId,terminalId,at\n1,3,${new Date(start + 240_000).toISOString()}\n1,3,${new Date(start + 600_000).toISOString()}\n`,
    )
    const output = join(folder, 'set.csv')
    const manifest = await train({
      plan: mill.plan,
      target: 'both',
      spine: join(folder, 'spine.csv'),
      at: 'at',
      history: { log: mill.log },
      output,
    })
    const [, first, second] = (await readFile(output, 'utf8')).trim().split(/\r?\n/)
    assert.ok(first!.endsWith(',0,0,30'), first)
    assert.ok(second!.endsWith(',10,1,40'), second)
    assert.equal(manifest.views[0]!.forgotten, 2)
    const keys = { customerId: 1 }
    const explained = await explainFromLog({
      plan: mill.plan,
      log: mill.log,
      view: 'spending',
      feature: 'spent',
      keys,
      asOf: start + 600_000,
    })
    assert.deepEqual(
      explained.aggregates[0]!.events.map(({ tie }) => tie),
      ['d'],
    )

    for (const rebuild of [false, true]) {
      await mill.close()
      if (rebuild) await rm(join(folder, 'store'), { recursive: true })
      mill = await millrace({ definitions: [both], folder })
      await mill.caughtUp()
      assert.deepEqual(await read(1), [10, 1, 40])
      assert.deepEqual(mill.counts.views['spending'], { ...counts, applied: 2 })
    }
    await mill.close()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
