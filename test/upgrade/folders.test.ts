import assert from 'node:assert/strict'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { examineFolder } from '../../src/app/doctor/doctor.ts'
import { millrace } from '../../src/app/mill.ts'
import { openEmbeddedLog } from '../../src/log/embedded/embedded-log.ts'
import { makeManualClock } from '../../src/base/clock.ts'
import { readPartition } from '../oracle/matches-log.ts'
import { assertMatchesLog } from '../oracle/matches-log.ts'
import { payments, risk, spending } from './definitions.ts'

// Goal: a data folder of every release that ever was opens, and says what it said then.
// Method: folders that those releases wrote are committed, with the values and counters they gave. A copy is opened by
// the code as it is now. `write-folder.ts` writes the next one.

const folders = join(import.meta.dirname, 'folders')

type Expected = {
  readonly asOf: number
  readonly rows: readonly { readonly customerId: number; readonly values: readonly unknown[] }[]
  readonly counts: {
    readonly sources: readonly Record<string, unknown>[]
    readonly views: Readonly<Record<string, Record<string, unknown>>>
  }
}

/** What a newer release counts besides says nothing of the older one. */
function like(found: object, expected: object): object {
  return Object.fromEntries(Object.entries(found).filter(([name]) => name in expected))
}

for (const release of readdirSync(folders)) {
  describe(`a data folder of ${release}`, () => {
    const base = mkdtempSync(join(tmpdir(), 'millrace-upgrade-'))
    process.on('exit', () => rmSync(base, { recursive: true, force: true }))
    const folder = join(base, 'data')
    cpSync(join(folders, release), folder, { recursive: true })
    const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected
    rmSync(join(folder, 'expected.json'))

    test('is found healthy before anything has opened it', async () => {
      const { healthy, findings } = await examineFolder({ folder })
      assert.ok(healthy, JSON.stringify(findings, null, 2))
    })

    test('gives the values and the counters that it gave then, now and after a restart', async () => {
      for (let start = 0; start < 2; start++) {
        const mill = await millrace({ definitions: [risk], folder, partitions: 2 })
        try {
          await mill.caughtUp()
          for (const { customerId, values } of expected.rows) {
            assert.deepEqual(mill.read(risk.name, { customerId }, { asOf: expected.asOf }).values, values)
          }
          const { sources, views } = mill.counts
          assert.deepEqual(
            sources.map((source, index) => like(source, expected.counts.sources[index]!)),
            expected.counts.sources,
          )
          for (const [name, counts] of Object.entries(expected.counts.views)) {
            assert.deepEqual(like(views[name]!, counts), counts)
          }
          await mill.engine.checkpoint()
          await assertMatchesLog(
            { plan: mill.plan, log: mill.log, views: [spending], engine: mill.engine },
            [0, 3_600_000],
          )
        } finally {
          await mill.close()
        }
      }
    })

    test('keeps its log as it was, and takes new events', async () => {
      const before = await recordsIn(join(folders, release, 'log'), base)
      const mill = await millrace({ definitions: [risk], folder })
      await mill.send(payments, { paymentId: 'new', customerId: 1, amount: 1, at: new Date(expected.asOf) } as never)
      await mill.caughtUp()
      await mill.close()
      const after = await recordsIn(join(folder, 'log'), base)
      for (const [place, records] of before) assert.deepEqual(after.get(place)!.slice(0, records.length), records)
      assert.ok(existsSync(join(folder, 'store')))
      const { healthy, findings } = await examineFolder({ folder, plan: mill.plan, deep: true })
      assert.ok(healthy, JSON.stringify(findings, null, 2))
    })
  })
}

async function recordsIn(folder: string, base: string): Promise<Map<string, unknown[]>> {
  const copy = join(mkdtempSync(join(base, 'log-')), 'log')
  cpSync(folder, copy, { recursive: true })
  const log = await openEmbeddedLog({ folder: copy, clock: makeManualClock(0) })
  const records = new Map<string, unknown[]>()
  for (const { topic, partitions } of log.topics()) {
    for (let partition = 0; partition < partitions; partition++) {
      records.set(`${topic}/${partition}`, await readPartition(log, topic, partition))
    }
  }
  await log.close()
  return records
}
