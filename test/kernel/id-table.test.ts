// Goal: a table of ids remembers exactly what was put, never takes one id for another, and forgets only what is old.
// Method: random operations against a Map; ids whose hashes collide; the memory it holds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hashKey } from '../../src/kernel/fold-batch.ts'
import { chunkEntries } from '../../src/kernel/id-chunk.ts'
import { type Id, idOf, IdTable, type SeenId } from '../../src/kernel/id-table.ts'
import { lawOptions } from '../base/law-options.ts'

const shortText = fc.string({ unit: 'binary', maxLength: 2 })
const id: fc.Arbitrary<Id> = fc.oneof(
  fc.nat({ max: 30 }),
  fc.maxSafeInteger(),
  fc.nat({ max: 30 }).map(String),
  shortText,
)

test('any order of puts and looks finds what a map finds, also by bytes', () => {
  const step = fc.record({ id, ts: fc.nat(), hash: fc.integer(), puts: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const table = new IdTable()
      const map = new Map<Id, SeenId>()
      for (const { id: one, ts, hash, puts } of steps) {
        assert.deepEqual(table.get(one), map.get(one))
        if (typeof one === 'string' && one.isWellFormed()) {
          const bytes = Buffer.from(`<${one}>`)
          assert.equal(table.seekText(bytes, 1, bytes.length - 1), map.has(one))
        } else table.seek(one)
        if (puts) {
          table.put(ts, hash)
          map.set(one, { ts, hash })
        }
        assert.equal(table.size, map.size)
      }
      assert.deepEqual(new Map(table), map)
    }),
    lawOptions(500),
  )
})

test('ids of one hash are told apart', () => {
  const byHash = new Map<number, string>()
  const pairs: [string, string][] = []
  for (let number = 0; pairs.length < 20; number++) {
    const text = `id-${number}`
    const hash = hashKey(Buffer.from(text))
    const other = byHash.get(hash)
    if (other !== undefined) pairs.push([other, text])
    byHash.set(hash, text)
  }
  const table = new IdTable()
  for (const [one, other] of pairs) {
    table.set(one, { ts: 1, hash: 1 })
    assert.equal(table.get(other), undefined)
    table.set(other, { ts: 2, hash: 2 })
    assert.deepEqual([table.get(one)?.ts, table.get(other)?.ts], [1, 2])
  }
})

/** One put per instant; each tenth id is put again when it is old enough. */
function run(table: IdTable, count: number, span: number, from = 0): Map<Id, SeenId> {
  const map = new Map<Id, SeenId>()
  for (let ts = from; ts < from + count; ts++) {
    const name = ts % 10 === 0 ? `again-${ts % (4 * span)}` : ts % 2 === 0 ? ts : `text-${ts}`
    table.set(name, { ts, hash: ts })
    map.set(name, { ts, hash: ts })
    table.forgetBefore(ts - span)
  }
  return map
}

test('what is younger than the span is remembered, and memory does not grow with what is older', () => {
  const span = 5_000
  const table = new IdTable()
  const map = run(table, 200_000, span)
  let kept = 0
  for (const [name, seen] of map) {
    if (seen.ts >= 200_000 - span) {
      assert.deepEqual(table.get(name), seen)
      kept += 1
    }
  }
  assert.ok(kept > 4_000 && table.size <= span + 2 * chunkEntries, `${table.size} ids`)
  const once = table.byteLength
  run(table, 100_000, span * 10, 200_000)
  run(table, 200_000, span, 300_000)
  assert.ok(table.byteLength <= once * 2, `${once}, then ${table.byteLength} bytes`)
})

test('what was not taken yet is not forgotten, and is given once, in order', () => {
  const table = new IdTable()
  table.set('before', { ts: 0, hash: 0 })
  table.keepUntilTaken()
  for (let round = 0, ts = 1; round < 5; round++) {
    const from = ts
    for (; ts < from + 3_000; ts++) {
      table.set(`id-${ts % 2_000}`, { ts, hash: -ts })
      table.forgetBefore(ts)
    }
    assert.equal(table.untaken, 3_000)
    const taken: [Id, number, number][] = []
    table.take((bytes, at, hash) => taken.push([idOf(bytes), at, hash]))
    assert.deepEqual(
      taken,
      Array.from({ length: 3_000 }, (_, index) => [`id-${(from + index) % 2_000}`, from + index, -(from + index)]),
    )
    assert.equal(table.untaken, 0)
  }
  for (let times = 0; times < 100; times++) table.forgetBefore(Number.POSITIVE_INFINITY)
  assert.ok(table.size < chunkEntries)
})

test('a table that was cleared is as good as new', () => {
  const table = new IdTable()
  run(table, 5_000, 1_000)
  table.clear()
  assert.deepEqual([table.size, [...table]], [0, []])
  run(table, 5_000, 1_000)
  assert.deepEqual(table.get('text-4999'), { ts: 4_999, hash: 4_999 })
})
