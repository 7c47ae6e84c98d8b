import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type AssignableMember, assignPartitions } from '../../../../src/log/kafka/group/assign-partitions.ts'
import type { GroupPartition } from '../../../../src/log/kafka/group/group-options.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../../../src/log/kafka/group/subscription-codec.ts'

const partition = fc.record({ topic: fc.constantFrom('a', 'b', 'c'), partition: fc.nat(5) })
const partitions = fc.uniqueArray(partition, { selector: nameOf })
const members = fc
  .uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 6 })
  .chain((ids) =>
    fc.tuple(
      ...ids.map((id) => fc.record({ id: fc.constant(id), topics: fc.subarray(['a', 'b', 'c']), claimed: partitions })),
    ),
  )
const counts = fc
  .record({ a: fc.nat(6), b: fc.nat(6), c: fc.nat(6) })
  .map((topics): ReadonlyMap<string, number> => new Map(Object.entries(topics)))

describe('partitions that members share by themselves', () => {
  test('go to nobody whom another member claims them from, and to one member at most', () => {
    fc.assert(
      fc.property(members, counts, (list, topics) => {
        const shares = assignPartitions(list, topics)
        const given = [...shares].flatMap(([id, share]) => share.map((one) => ({ id, name: nameOf(one) })))
        assert.equal(new Set(given.map(({ name }) => name)).size, given.length)
        for (const { id, name } of given) {
          const claimants = list.filter(({ claimed }) => claimed.some((one) => nameOf(one) === name))
          assert.ok(claimants.every((one) => one.id === id))
        }
      }),
    )
  })

  test('come to rest after members let go of what they were not given: all have one owner, as evenly as can be', () => {
    fc.assert(
      fc.property(members, counts, (list, topics) => {
        let [current, moves] = [list as readonly AssignableMember[], Infinity]
        for (let round = 0; round < 12 && moves > 0; round++) {
          const shares = assignPartitions(current, topics)
          moves = current.reduce((sum, { id, claimed }) => sum + difference(shares.get(id)!, claimed), 0)
          current = current.map((one) => ({ ...one, claimed: shares.get(one.id)! }))
        }
        assert.equal(moves, 0)
        const owned = current.flatMap(({ claimed }) => claimed.map(nameOf)).sort()
        const subscribed = ['a', 'b', 'c'].filter((topic) => current.some((one) => one.topics.includes(topic)))
        const all = subscribed.flatMap((topic) => range(topics.get(topic)!).map((index) => `${topic}/${index}`))
        assert.deepEqual(owned, all.sort())
        for (const { claimed: more } of current) {
          for (const { topics: own, claimed: fewer } of current) {
            const movable = more.some(({ topic }) => own.includes(topic))
            assert.ok(!movable || more.length - fewer.length <= 1)
          }
        }
      }),
    )
  })

  test('stay where they are when a member comes, but for its share', () => {
    const topics = new Map([['a', 12]])
    const owned = range(12).map((index) => ({ topic: 'a', partition: index }))
    const before = range(3).map((index) => ({
      id: `m${index}`,
      topics: ['a'],
      claimed: owned.slice(4 * index, 4 * index + 4),
    }))
    const shares = assignPartitions([...before, { id: 'm3', topics: ['a'], claimed: [] }], topics)
    for (const { id, claimed } of before) {
      assert.equal(shares.get(id)!.length, 3)
      assert.ok(
        shares.get(id)!.every((one) => claimed.includes(one) || claimed.some((own) => nameOf(own) === nameOf(one))),
      )
    }
    assert.deepEqual(shares.get('m3'), [])
  })
})

describe('what members tell each other', () => {
  test('comes back as it was written', () => {
    fc.assert(
      fc.property(
        partitions,
        fc.array(fc.string()),
        fc.integer({ min: -1, max: 1_000 }),
        (owned, topics, generation) => {
          const { owned: back, ...rest } = decodeSubscription(encodeSubscription({ topics, owned, generation }))
          assert.deepEqual(rest, { topics, generation })
          assert.deepEqual(back.map(nameOf).sort(), owned.map(nameOf).sort())
          assert.deepEqual(decodeAssignment(encodeAssignment(owned)).map(nameOf).sort(), owned.map(nameOf).sort())
        },
      ),
    )
  })

  test('may have been written by a consumer that says nothing of what it owns', () => {
    const bytes = Buffer.from('0000000000010001610000000', 'hex')
    const foreign = Buffer.concat([bytes, Buffer.from('00000000', 'hex')])
    assert.deepEqual(decodeSubscription(foreign).owned, [])
    assert.deepEqual(decodeAssignment(Buffer.alloc(0)), [])
  })
})

function nameOf({ topic, partition: index }: GroupPartition): string {
  return `${topic}/${index}`
}

function difference(share: readonly GroupPartition[], claimed: readonly GroupPartition[]): number {
  const [now, before] = [share, claimed].map((list) => new Set(list.map(nameOf)))
  return [...now!].filter((name) => !before!.has(name)).length + [...before!].filter((name) => !now!.has(name)).length
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}
