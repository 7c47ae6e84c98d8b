// Goal: after a crash, of all that was published of an interval nothing is said again, and the last word is right.
// Method: the rule by hand, then a model: partitions whose events are taken in any order before and after any crash.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type IntervalOutput, PublishedIntervals } from '../../src/stream/published-intervals.ts'
import { lawOptions } from '../base/law-options.ts'

const topic = 'feature-events.v'
const place = (offset: number, partition = 0) => ({ topic, partition, offset })
const said = (events: number, digest: string, more: Partial<IntervalOutput> = {}): IntervalOutput => {
  return { end: 10, key: 'k', events, digest, ...more }
}

function published(...all: readonly IntervalOutput[]): PublishedIntervals {
  const found = new PublishedIntervals()
  all.forEach((one, offset) => found.add(place(offset), one))
  return found
}

test('what is there already is not said again, and neither is what came before it', () => {
  const found = published(said(3, 'a'), said(4, 'b'))
  assert.ok(found.covers(topic, said(2, 'x')), 'fewer events: the rest is yet to come')
  assert.ok(found.covers(topic, said(3, 'a')))
  assert.ok(found.covers(topic, said(4, 'b')))
  assert.ok(!found.covers(topic, said(5, 'a')))
  assert.ok(found.covers(topic, said(5, 'a')), 'it counts as published now')
})

test('as many other events are said', () => {
  const found = published(said(3, 'a'))
  assert.ok(!found.covers(topic, said(3, 'b')))
  assert.ok(!found.covers(topic, said(3, 'a')), 'the last word was another')
})

test('other keys, intervals and topics have nothing to do with it', () => {
  const found = published(said(3, 'a'))
  assert.ok(!found.covers(topic, said(1, 'a', { key: 'l' })))
  assert.ok(!found.covers(topic, said(1, 'a', { end: 20 })))
  assert.ok(!found.covers('feature-events.w', said(1, 'a')))
})

test('values that can not be computed any more are said, unless they are the last word', () => {
  const found = published(said(3, 'a'))
  assert.ok(!found.covers(topic, said(0, 'none')))
  assert.ok(found.covers(topic, said(0, 'none')))
  assert.ok(!found.covers(topic, said(1, 'a')))
})

test('the end of a topic stays before the first of them until their interval is over', () => {
  const found = new PublishedIntervals()
  found.add(place(7), said(1, 'a', { end: 20 }))
  found.add(place(8), said(1, 'a', { end: 10 }))
  found.add(place(9), said(2, 'b', { end: 10 }))
  found.add(place(3, 1), said(2, 'b', { end: 30, key: 'l' }))
  const ahead = (): unknown => {
    const first = new Map([[`${topic}/0`, 100]])
    found.addAhead(first)
    return Object.fromEntries(first)
  }
  assert.deepEqual(ahead(), { [`${topic}/0`]: 7, [`${topic}/1`]: 3 })
  assert.ok(found.covers(topic, said(1, 'a', { end: 20 })))
  assert.deepEqual(ahead(), { [`${topic}/0`]: 7, [`${topic}/1`]: 3 }, 'more of it may be there')
  found.release(topic, 20)
  assert.deepEqual(ahead(), { [`${topic}/0`]: 100, [`${topic}/1`]: 3 })
  found.release(topic, 30)
  assert.deepEqual(ahead(), { [`${topic}/0`]: 100 })
})

/** A value is the sum of the events taken so far: sets of equal sums and sizes are possible. */
const event = fc.integer({ min: -2, max: 2 })
const runOf = fc.array(fc.nat(), { maxLength: 12 })

test('whatever is taken first before and after each crash, the last word is that of all events', () => {
  const law = fc.property(
    fc.tuple(fc.array(event, { maxLength: 4 }), fc.array(event, { minLength: 1, maxLength: 4 })),
    fc.array(runOf, { maxLength: 3 }),
    (partitions, crashes) => {
      const log: IntervalOutput[] = []
      const all = partitions.flat()
      const run = (order: readonly number[], complete: boolean): void => {
        // A recovery finds everything, and begins before the first event.
        const found = published(...log)
        const next = partitions.map(() => 0)
        const taken: number[] = []
        const takeOne = (choice: number): void => {
          const open = partitions.flatMap((own, index) => (next[index]! < own.length ? [index] : []))
          if (open.length === 0) return
          const index = open[choice % open.length]!
          taken.push(partitions[index]![next[index]!]!)
          next[index]! += 1
          const output = said(taken.length, String(taken.reduce((sum, one) => sum + one, 0)))
          // Now and then several events come before a correction goes out.
          const isLast = taken.length === all.length
          if ((choice % 3 !== 0 || isLast) && !found.covers(topic, output)) log.push(output)
        }
        order.forEach(takeOne)
        while (complete && taken.length < all.length) takeOne(1)
      }
      for (const order of crashes) run(order, false)
      run([], true)
      assert.deepEqual(log.at(-1), said(all.length, String(all.reduce((sum, one) => sum + one, 0))))
      for (let index = 1; index < log.length; index++) {
        assert.ok(log[index]!.events >= log[index - 1]!.events, 'in order')
        assert.notDeepEqual(log[index], log[index - 1])
      }
      const before = log.length
      run([], true)
      assert.equal(log.length, before, 'another recovery has nothing to add')
    },
  )
  fc.assert(law, lawOptions())
})
