// Goal: a key with many events, cut into pages, says to the last bit what a plain sorted array says, and its bytes
// follow from the set of events alone.
// Method: random programs and histories of insertions (in order, late, equal), drops, checkpoints, restarts and reads,
// with pages of four events so that few events make a high tree, over a cache too small for them. Each reading is
// compared with the array's; in the end all records, with those of the same set in another order.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ByteReader, ByteWriter } from '../../../src/base/bytes.ts'
import {
  type EventColumns,
  insertEvent,
  type KernelEvent,
  makeEventColumns,
} from '../../../src/kernel/event-columns.ts'
import type { Aggregation } from '../../../src/kernel/aggregation.ts'
import { PageCache } from '../../../src/kernel/paged/page-cache.ts'
import { PagedEvents } from '../../../src/kernel/paged/paged-events.ts'
import type { ViewProgram } from '../../../src/kernel/program.ts'
import { addRange } from '../../../src/kernel/read.ts'
import { lawOptions } from '../../base/law-options.ts'
import { anyEvent, anyProgram } from './arbitraries.ts'
import { PageMap } from './page-map.ts'

type Step =
  | { readonly do: 'insert'; readonly event: KernelEvent; readonly late: number }
  | { readonly do: 'drop'; readonly share: number }
  | { readonly do: 'checkpoint' | 'restart' }
  | { readonly do: 'read'; readonly low: number; readonly high: number }

/** Evenly, which doubles of fast-check are not. */
const share = (max: number): fc.Arbitrary<number> => fc.nat(max * 1_000).map((value) => value / 1_000)

const history = anyProgram.chain((program) => {
  const insert = fc
    .record({ event: anyEvent(program), late: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, fc.nat(60)) })
    .map((one): Step => ({ do: 'insert', ...one }))
  const read = fc.record({ low: share(1.1), high: share(1.1) })
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 40, arbitrary: insert },
    {
      weight: 1,
      arbitrary: share(0.7).map((one): Step => ({ do: 'drop', share: one })),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom('checkpoint', 'restart').map((one): Step => ({ do: one as 'checkpoint' })),
    },
    { weight: 6, arbitrary: read.map((one): Step => ({ do: 'read', ...one })) },
  )
  return fc.record({
    program: fc.constant(program),
    steps: fc.array(step, { minLength: 20, maxLength: 400, size: 'max' }),
    paging: fc.constantFrom({ pageBits: 2, nodeBits: 1 }, { pageBits: 1, nodeBits: 2 }, { pageBits: 3, nodeBits: 3 }),
    cacheBytes: fc.constantFrom(0, 3_000, 1_000_000),
    order: fc.array(fc.nat(1_000_000), { minLength: 400, maxLength: 400 }),
  })
})

test('reads what a sorted array reads, through drops, late events, checkpoints and restarts', () => {
  let [events, highest, loads] = [0, 0, 0]
  fc.assert(
    fc.property(history, ({ program: usual, steps, paging, cacheBytes, order }) => {
      const program: ViewProgram = { ...usual, paging: { rowsMax: 0, ...paging } }
      const pages = new PageMap(new PageCache(cacheBytes))
      const plain = makeEventColumns(program.columns.length, program.keepsTies)
      let paged = PagedEvents.from(program, plain, pages)
      let [now, floor, number] = [0, 0, 0]
      let last: Range = { low: 0, high: Number.MAX_SAFE_INTEGER }
      const put = (event: KernelEvent, late: number): void => {
        if (late === 0) now += event.ts
        // No two events of a set have one place: the number makes ties differ.
        const tie = program.keepsTies ? (Number(event.tie) % 1_000) * 1_000 + number++ : 0
        const placed = { ...event, tie, ts: Math.max(floor, now - late) }
        insertEvent(plain, placed)
        paged.insert(placed)
      }
      for (const step of steps) {
        if (step.do === 'insert') {
          put(step.event, step.late)
          // What was remembered of a range does not outlive what happens in it.
          if (step.late > 0) checkRange(program, { plain, paged }, last)
        } else if (step.do === 'drop') {
          floor = Math.max(floor, instantAt(plain, step.share))
          dropPlain(plain, floor)
          paged.dropBefore(floor)
        } else if (step.do === 'read') {
          checkRange(
            program,
            { plain, paged },
            (last = { low: instantAt(plain, step.low), high: instantAt(plain, step.high) }),
          )
        } else {
          const writer = new ByteWriter()
          paged.encode(writer)
          pages.take(paged)
          if (step.do === 'restart') paged = PagedEvents.decode(program, new ByteReader(writer.finish()), pages)
        }
        assert.equal(paged.count, plain.ts.length)
      }
      checkRange(program, { plain, paged }, { low: 0, high: now + 1 })
      assert.deepEqual(allOf(program, paged), plain)
      const again = new PageMap(new PageCache(cacheBytes))
      const other = PagedEvents.from(program, makeEventColumns(program.columns.length, program.keepsTies), again)
      for (const event of shuffled(plain, order)) other.insert(event)
      assert.deepEqual(recordsOf(other, again), recordsOf(paged, pages))
      events += plain.ts.length
      highest = Math.max(highest, ...paged.spans.map(({ level }) => level))
      loads += pages.loads
    }),
    // Without shrinking (`SHRINK=0`) a failure is reported at once, but not at its smallest.
    { ...lawOptions(70), endOnFailure: process.env['SHRINK'] === '0' },
  )
  assert.ok(highest >= 3 && loads > 0, `levels up to ${highest}, ${loads} loads, ${events} events`)
})

type Range = { readonly low: number; readonly high: number }

function checkRange(
  program: ViewProgram,
  { plain, paged }: { plain: EventColumns; paged: PagedEvents },
  { low, high }: Range,
): void {
  const range = { low: plain.ts.filter((ts) => ts < low).length, high: plain.ts.filter((ts) => ts < high).length }
  program.aggregates.forEach((aggregate, index) => {
    const { aggregation } = aggregate
    const expected = addRange(aggregate, aggregation.zero(), plain, { ...range, high: Math.max(range.low, range.high) })
    const actual = paged.addRange(index, aggregation.zero(), { low, high })
    const what = `${aggregation.name} in [${low}, ${high})`
    assert.deepStrictEqual(aggregation.value(actual), aggregation.value(expected), what)
    assert.equal(bytesOf(aggregation, actual), bytesOf(aggregation, expected), what)
  })
  for (const t of [low, high]) {
    assert.equal(paged.countBefore(t), plain.ts.filter((ts) => ts < t).length)
    assert.equal(paged.newestBefore(t), plain.ts.findLast((ts) => ts < t) ?? -1)
    const from = [...paged.pages(t)].flatMap(({ ts }) => ts.filter((one) => one >= t))
    assert.deepEqual(
      from,
      plain.ts.filter((ts) => ts >= t),
    )
  }
}

function bytesOf(aggregation: Aggregation, state: unknown): string {
  const writer = new ByteWriter()
  aggregation.encode(state, writer)
  return Buffer.from(writer.finish()).toString('hex')
}

/** At an event, just before or just after it: 0 is the first event, 1 beyond the last. */
function instantAt({ ts }: EventColumns, share: number): number {
  const place = Math.floor(share * ts.length * 3)
  return (ts[Math.floor(place / 3)] ?? ts.at(-1) ?? 0) + (place % 3) - 1
}

function dropPlain(events: EventColumns, floor: number): void {
  const count = events.ts.filter((ts) => ts < floor).length
  for (const column of [events.ts, events.ties ?? [], ...events.columns]) column.splice(0, count)
}

function allOf(program: ViewProgram, paged: PagedEvents): EventColumns {
  const all = makeEventColumns(program.columns.length, program.keepsTies)
  for (const page of paged.pages()) {
    all.ts.push(...page.ts)
    all.ties?.push(...page.ties!)
    page.columns.forEach((column, index) => all.columns[index]!.push(...column))
  }
  return all
}

function shuffled({ ts, ties, columns }: EventColumns, order: readonly number[]): KernelEvent[] {
  return ts
    .map((at, index) => ({ ts: at, tie: ties?.[index] ?? 0, values: columns.map((column) => column[index]!) }))
    .map((event, index) => ({ event, at: order[index % order.length]! * (1 + index) }))
    .sort((left, right) => (left.at % 1_009) - (right.at % 1_009))
    .map(({ event }) => event)
}

function recordsOf(paged: PagedEvents, pages: PageMap): Record<string, string> {
  const writer = new ByteWriter()
  paged.encode(writer)
  pages.take(paged)
  return { ...pages.asText(), head: Buffer.from(writer.finish()).toString('hex') }
}
