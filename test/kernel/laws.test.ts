import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ByteReader, ByteWriter } from '../../src/base/bytes.ts'
import type { Aggregation } from '../../src/kernel/aggregation.ts'
import { compareOrder } from '../../src/kernel/aggregations/event-order.ts'
import { makeAggregation } from '../../src/kernel/aggregations/make-aggregation.ts'
import { lawOptions } from '../base/law-options.ts'
import { type Added, addedTo, allSpecs, describeSpec } from './specs.ts'

// Goal: every aggregation keeps the laws of src/kernel/aggregation.ts, to the last bit of its value and its bytes.
// Method: the state under test is built in some roundabout way, and compared with the plain fold of the same set.

for (const spec of allSpecs) {
  const aggregation = makeAggregation(spec)
  const events = addedTo(spec)
  const { remove } = aggregation

  describe(describeSpec(spec), () => {
    test('depends on the set of events and not on their order', () => {
      const law = fc.property(shuffled(events), ([inOrder, again]) => {
        assertSame(aggregation, fold(aggregation, again), inOrder)
      })
      fc.assert(law, lawOptions(40))
    })

    test('merges the parts of a set to the state of the whole, in any grouping, and changes no right side', () => {
      const law = fc.property(shuffled(events), fc.nat(12), fc.nat(12), ([all, again], cut, otherCut) => {
        const [a, b] = cut < otherCut ? [cut, otherCut] : [otherCut, cut]
        const parts = [again.slice(0, a), again.slice(a, b), again.slice(b)]
        const [left, middle, right] = parts.map((part) => fold(aggregation, part))
        assertSame(aggregation, aggregation.merge(aggregation.merge(left, middle), right), all)
        assertSame(aggregation, middle, parts[1]!)
        assertSame(aggregation, right, parts[2]!)
        // The first merge may have changed `left`, so the other grouping starts afresh.
        const tail = aggregation.merge(middle, right)
        assertSame(aggregation, aggregation.merge(fold(aggregation, parts[0]!), tail), all)
        assertSame(aggregation, tail, [...parts[1]!, ...parts[2]!])
      })
      fc.assert(law, lawOptions(40))
    })

    test('has a zero that is neutral to merge on both sides and shares nothing with the other side', () => {
      const law = fc.property(split(events), ([some, more]) => {
        const right = fold(aggregation, some)
        let merged = aggregation.merge(aggregation.zero(), right)
        assertSame(aggregation, merged, some)
        for (const { input, order } of more) merged = aggregation.add(merged, input, order)
        assertSame(aggregation, right, some)
        assertSame(aggregation, aggregation.merge(right, aggregation.zero()), some)
      })
      fc.assert(law, lawOptions(40))
    })

    test('takes back what it added', {
      skip: remove === undefined && 'it cannot take back exactly, and so has no remove',
    }, () => {
      const law = fc.property(split(events), ([kept, removed, all]) => {
        let state = fold(aggregation, all)
        for (const added of removed) state = remove!(state, added.input, added.order)
        assertSame(aggregation, state, kept)
      })
      fc.assert(law, lawOptions(40))
    })

    test('reads back from its bytes as the same state, which can go on', () => {
      const law = fc.property(split(events), ([before, after]) => {
        const read = (): unknown => decode(aggregation, encode(aggregation, fold(aggregation, before)))
        assertSame(aggregation, read(), before)
        const all = [...before, ...after]
        const added = after.reduce<unknown>((state, { input, order }) => aggregation.add(state, input, order), read())
        assertSame(aggregation, added, all)
        assertSame(aggregation, aggregation.merge(read(), fold(aggregation, after)), all)
        assertSame(aggregation, aggregation.merge(fold(aggregation, after), read()), all)
      })
      fc.assert(law, lawOptions(40))
    })

    test('says that it is full only when nothing older changes it', () => {
      const law = fc.property(events, (added) => {
        const oldToNew = added.toSorted((left, right) => compareOrder(left.order, right.order))
        let state = aggregation.zero()
        let newer = 0
        while (newer < oldToNew.length && aggregation.isFull?.(state) !== true) {
          newer += 1
          const { input, order } = oldToNew.at(-newer)!
          state = aggregation.add(state, input, order)
        }
        assertSame(aggregation, state, added)
      })
      fc.assert(law, lawOptions(40))
    })

    test('never shows a negative zero, an infinity or a NaN', () => {
      const law = fc.property(events, (added) => {
        assertFinite(aggregation.value(fold(aggregation, added)))
      })
      fc.assert(law, lawOptions(40))
    })
  })
}

function fold(aggregation: Aggregation, events: readonly Added[]): unknown {
  return events.reduce<unknown>((state, { input, order }) => aggregation.add(state, input, order), aggregation.zero())
}

/** The state reads as the plain fold of `events` does, twice, since reading must not change it, and has its bytes. */
function assertSame(aggregation: Aggregation, state: unknown, events: readonly Added[]): void {
  const plain = fold(aggregation, events)
  const bytes = encode(aggregation, plain)
  const value = aggregation.value(plain)
  for (const _ of ['first', 'second']) {
    // Strict deep equality tells 0 from -0, like Object.is.
    assert.deepStrictEqual(aggregation.value(state), value)
    assert.equal(encode(aggregation, state), bytes)
  }
}

function assertFinite(value: unknown): void {
  if (Array.isArray(value)) for (const each of value) assertFinite(each)
  if (typeof value === 'number') assert.ok(Number.isFinite(value) && !Object.is(value, -0), String(value))
}

function encode(aggregation: Aggregation, state: unknown): string {
  const writer = new ByteWriter()
  aggregation.encode(state, writer)
  return Buffer.from(writer.finish()).toString('hex')
}

function decode(aggregation: Aggregation, hex: string): unknown {
  const reader = new ByteReader(Buffer.from(hex, 'hex'))
  const state = aggregation.decode(reader)
  reader.expectEnd()
  return state
}

/** A list, and the same list in another order. */
function shuffled<List extends unknown[]>(lists: fc.Arbitrary<List>): fc.Arbitrary<[List, List]> {
  return lists.chain((list) =>
    fc.tuple(
      fc.constant(list),
      fc.shuffledSubarray<List[number]>(list, { minLength: list.length }) as unknown as fc.Arbitrary<List>,
    ),
  )
}

/** Two disjoint sets of events, and both together in another order. */
function split(events: fc.Arbitrary<Added[]>): fc.Arbitrary<[Added[], Added[], Added[]]> {
  return fc.tuple(events, fc.infiniteStream(fc.boolean())).map(([all, sides]) => {
    const left: Added[] = []
    const right: Added[] = []
    for (const added of all) (sides.next().value === true ? left : right).push(added)
    return [left, right, all]
  })
}
