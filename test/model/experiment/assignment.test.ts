import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Assignment, assign, bucketOf } from '../../../src/model/experiment/assignment.ts'

const ids = Array.from({ length: 20_000 }, (_, index) => `customer-${index}`)

const countBy = (of: (id: string) => string | null): ReadonlyMap<string | null, number> =>
  new Map([...Map.groupBy(ids, of)].map(([arm, own]) => [arm, own.length]))

test('the bucket of an id is its MD5 as an integer, modulo a hundred', () => {
  const buckets = ['1', '2', '3', '42', '123'].map((id) => bucketOf(id))
  assert.deepEqual(buckets, [11, 12, 83, 74, 8])
})

test('an id is treated when its bucket is below the share', () => {
  const half: Assignment = { arms: [{ name: 'treatment', share: 12 }] }
  assert.deepEqual(
    ['1', '2', '3', '42', '123'].map((id) => assign(half, id)),
    ['treatment', null, null, null, 'treatment'],
  )
})

test('arms get their shares, also shares of a hundredth of a hundredth', () => {
  const arms = [
    { name: 'a', share: 60 },
    { name: 'b', share: 30 },
  ]
  const found = countBy((id) => assign({ arms }, id))
  assert.ok(Math.abs(found.get('a')! - 12_000) < 300 && Math.abs(found.get('b')! - 6_000) < 300)
  assert.ok(Math.abs(found.get(null)! - 2_000) < 200)
  const few = countBy((id) => assign({ arms: [{ name: 'canary', share: 0.5 }] }, id))
  assert.ok(Math.abs(few.get('canary')! - 100) < 40, `${few.get('canary')} of 20,000`)
})

test('a share that grows keeps whom it had', () => {
  const share = (percent: number) => (id: string) => assign({ arms: [{ name: 'on', share: percent }], salt: 's' }, id)
  const before = ids.filter((id) => share(5)(id) === 'on')
  assert.ok(before.length > 0 && before.every((id) => share(20)(id) === 'on'))
})

test('experiments of other salts are independent of each other', () => {
  const arms = [{ name: 'on', share: 50 }]
  const first = ids.filter((id) => assign({ arms, salt: 'first' }, id) === 'on')
  const both = first.filter((id) => assign({ arms, salt: 'second' }, id) === 'on')
  assert.ok(Math.abs(both.length - first.length / 2) < 250)
})

test('experiments of one layer share nobody, and together have everybody', () => {
  const arms = [{ name: 'on', share: 100 }]
  const left: Assignment = { arms, salt: 'left', layer: { name: 'checkout', from: 0, to: 40 } }
  const right: Assignment = { arms, salt: 'right', layer: { name: 'checkout', from: 40, to: 100 } }
  for (const id of ids) assert.notEqual(assign(left, id) === null, assign(right, id) === null, id)
  assert.ok(Math.abs(ids.filter((id) => assign(left, id) === 'on').length - 8_000) < 300)
})

test('an override goes before everything, and names are only its own', () => {
  const assignment: Assignment = {
    arms: [{ name: 'on', share: 0 }],
    layer: { name: 'none', from: 0, to: 0 },
    overrides: { tester: 'on', '1': null },
  }
  assert.equal(assign(assignment, 'tester'), 'on')
  assert.equal(
    assign({ ...assignment, layer: { name: '', from: 0, to: 100 }, arms: [{ name: 'on', share: 100 }] }, '1'),
    null,
  )
  assert.equal(assign(assignment, 'constructor'), null)
})
