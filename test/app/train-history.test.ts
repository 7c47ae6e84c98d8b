// Goal: a training set for the prefix of an answer has the answer's values, also when its history was half taken in, and
// says how many rows are warming.
// Method: a mill whose history gets its end marks late; vectors against training rows of the same prefix.
import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { importHistory } from '../../src/app/import-history.ts'
import { type Mill, millrace } from '../../src/app/mill.ts'
import { type Manifest, train } from '../../src/app/train.ts'
import { systemClock } from '../../src/base/clock.ts'
import { entity } from '../../src/definition/entity.ts'
import { featureView } from '../../src/definition/feature-view.ts'
import { stream } from '../../src/definition/stream.ts'
import { int, string, timestamp } from '../../src/schema/field.ts'
import { openTableReader } from '../../src/store/offline/open-table.ts'

const until = Date.UTC(2026, 0)
const visits = stream('visits', {
  fields: { id: string(), user: int(), at: timestamp('ms') },
  time: 'at',
  id: 'id',
  lateness: '1h',
  history: { until: new Date(until).toISOString() },
})
const view = featureView('visiting', {
  from: visits,
  by: entity('user', { user: int() }),
  features: (on) => ({ hour: on.count({ over: '1h' }), ever: on.count({ over: 'lifetime' }) }),
})
const asOf = until + 1_800_000

test('vectors and training rows of one prefix agree while a history is taken in and after it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-train-history-'))
  const mill = await millrace({ definitions: [view], folder: join(folder, 'data'), partitions: 2 })
  try {
    const spine = join(folder, 'spine.csv')
    await writeFile(spine, `user,at\n1,${new Date(asOf).toISOString()}\n`)
    await mill.send(visits, [
      { id: 'x', user: 1, at: until },
      { id: 'y', user: 1, at: until + 60_000 },
    ])
    await mill.caughtUp()
    const trained = async (prefix: Record<string, readonly number[]>): Promise<[unknown, Manifest]> => {
      const output = join(folder, 'set.csv')
      const history = { log: mill.log, prefix }
      const manifest = await train({ plan: mill.plan, target: 'visiting', spine, at: 'at', history, output })
      const table = await openTableReader(output)
      for await (const { columns } of table.read(['hour', 'ever']))
        return [columns.map(([value]) => Number(value)), manifest]
      return assert.fail('the set has a row')
    }
    const answered = (from: Mill) => {
      const { values, status } = from.read('visiting', { user: 1 }, { asOf })
      return { values, status, prefix: from.reader.prefixOf(from.reader.prepare({ service: 'visiting' })) }
    }
    const early = answered(mill)
    assert.deepEqual(early.values, [2, 2])
    assert.deepEqual(early.status, ['WARMING', 'WARMING'])

    const file = join(folder, 'past.csv')
    const rows = Array.from({ length: 20 }, (_, index) => `p${index},1,${until - (index + 1) * 60_000}`)
    await writeFile(file, ['id,user,at', ...rows].join('\n'))
    await importHistory(mill.stream('visits'), [file], { log: mill.log, clock: systemClock, partitions: 2 })
    await mill.caughtUp()
    const late = answered(mill)
    assert.deepEqual(late.values, [22, 22])
    assert.deepEqual(late.status, ['PRESENT', 'PRESENT'])

    for (const [{ values, prefix }, warming] of [
      [early, 1],
      [late, 0],
    ] as const) {
      const [row, manifest] = await trained(prefix)
      assert.deepEqual(row, values)
      assert.equal(manifest.views[0]!.warming, warming)
      assert.equal(manifest.history[0]!.imported!.complete, warming === 0)
      assert.equal(manifest.history[0]!.coveredFromMs, warming === 0 ? null : until)
    }
    const { visits: own } = late.prefix
    await assert.rejects(trained({ visits: own! }), {
      code: 'REQUEST_MALFORMED',
      message: /nothing of "visits\.history"/,
    })
  } finally {
    await mill.close()
    await rm(folder, { recursive: true })
  }
})
