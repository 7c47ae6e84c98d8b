// Goal: records taken in batches do what they do one by one: the same verdicts, counts, states, ids and outputs.
// Method: random definitions and records, taken by one task singly and by another in batches of any size; in some an
// entity was forgotten, or records stand in for others.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Log, LogRecord } from '../../src/log/log.ts'
import { compile } from '../../src/plan/compile.ts'
import { Forgotten, forgottenKey } from '../../src/plan/forgotten.ts'
import { standInHeader } from '../../src/plan/open-rejections.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { encodeKey } from '../../src/schema/key-codec.ts'
import { openMemoryOnlineStore } from '../../src/store/online/memory/memory-online-store.ts'
import { Outputs } from '../../src/stream/outputs.ts'
import { SourceTask, type Targets } from '../../src/stream/source-task.ts'
import { StateTable } from '../../src/stream/state-table.ts'
import { lawOptions } from '../base/law-options.ts'
import { scenario } from '../oracle/arbitraries.ts'

type Rejected = Parameters<Outputs['add']>[0]

/** One partition with its states, and everything that comes of it. */
class Run {
  readonly task: SourceTask
  readonly targets: Targets
  readonly #outputs: Rejected[] = []

  constructor(plan: Plan, partition: number, forgotten: Forgotten) {
    const store = openMemoryOnlineStore()
    const stream = plan.streams[0]!
    const place = { track: 0, stream, source: 'live', topic: stream.topic, partition } as const
    this.task = new SourceTask(place, store, { next: 0, emitFrom: 0, progress: null })
    const folds = stream.views.map((view) => ({
      view,
      table: new StateTable(view, store, { keysMax: Number.MAX_SAFE_INTEGER }),
      counts: { applied: 0, filtered: 0, unkeyed: 0, forgotten: 0, before: 0 },
      first: null,
    }))
    const outputs = new Outputs({ topics: () => [] } as unknown as Log)
    outputs.add = (rejected) => this.#outputs.push(rejected)
    this.targets = { folds, forgotten, outputs, features: null }
  }

  /** Takes what came of it so far. */
  outcome(): unknown {
    return {
      progress: this.task.progress(),
      ids: this.task.takeIdChanges(),
      views: this.targets.folds.map(({ table, counts }) => [
        { ...counts },
        table.takeChanges().toSorted(([one], [other]) => Buffer.compare(one, other)),
      ]),
      outputs: this.#outputs.splice(0).map(({ record, why }) => [record.offset, why]),
    }
  }
}

const standIn = (offset: number): LogRecord['headers'] => [[standInHeader, Buffer.from(`${offset}`)]]

test('in batches of any size', () => {
  let projected = 0
  let applied = 0
  const choices = fc.record({
    sizes: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
    standIns: fc.array(fc.nat(6), { minLength: 1, maxLength: 7 }),
    forgottenTo: fc.constantFrom(0, 0, 5, 1_000),
  })
  fc.assert(
    fc.property(scenario(), choices, (made, { sizes, standIns, forgottenTo }) => {
      const plan = compile(made.views)
      const { topic } = plan.streams[0]!
      const forgotten = new Forgotten()
      if (forgottenTo > 0) {
        const { entity, keys } = plan.views[0]!
        const values = keys.map(({ field }) => (field.kind === 'string' ? 'a' : field.kind === 'boolean' ? true : 1))
        const key = encodeKey(
          keys.map(({ field }) => field.kind),
          values,
        )
        const prefix = { [topic]: [forgottenTo, forgottenTo, forgottenTo] }
        forgotten.add({ version: 1, entity, key: forgottenKey(key), prefix, at: '2026-01-01T00:00:00.000Z' })
      }
      for (const partition of [0, 1, 2]) {
        const [singly, batched] = [new Run(plan, partition, forgotten), new Run(plan, partition, forgotten)]
        const records = made.records
          .filter((record) => record.partition === partition)
          .map(({ offset, timestampMs, value }, index): LogRecord => {
            const back = standIns[index % standIns.length]!
            const headers = back === 0 && index > 2 ? standIn(offset - 3) : []
            return { offset, timestampMs, value, key: null, headers }
          })
        for (let from = 0, round = 0; from < records.length; round++) {
          const slice = records.slice(from, from + sizes[round % sizes.length]!)
          for (const record of slice) singly.task.take(record, singly.targets)
          batched.task.takeBatch(slice, batched.targets)
          assert.deepStrictEqual(batched.outcome(), singly.outcome())
          from += slice.length
        }
        for (const { counts } of batched.targets.folds) applied += counts.applied
      }
      projected += plan.streams[0]!.format.projector!.counts.projected
    }),
    lawOptions(400),
  )
  assert.ok(applied > 1_000 && projected > 2_000, `${projected} projected, ${applied} applied`)
})
