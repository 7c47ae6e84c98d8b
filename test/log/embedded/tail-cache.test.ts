import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TailCache } from '../../../src/log/embedded/tail-cache.ts'

const run = (baseOffset: number, size: number) => ({
  baseOffset,
  nextOffset: baseOffset + 1,
  bytes: new Uint8Array(size),
})

test('a tail holds the newest runs, and no more than its bytes', () => {
  const tail = new TailCache(10_000)
  for (let offset = 0; offset < 1_000; offset++) tail.add(run(offset, 500))
  const held = Array.from({ length: 1_000 }, (_, offset) => tail.find(offset)).filter((found) => found !== null)
  assert.deepEqual(
    held.map(({ baseOffset }) => baseOffset),
    Array.from({ length: 9 }, (_, index) => 991 + index),
  )
})

test('runs of few bytes count for what they take up besides', () => {
  const tail = new TailCache(100_000)
  for (let offset = 0; offset < 10_000; offset++) tail.add(run(offset, 1))
  assert.equal(tail.find(9_799), null)
  assert.equal(tail.find(9_900)!.baseOffset, 9_900)
})

test('a run larger than the whole tail is not held', () => {
  const tail = new TailCache(1_000)
  tail.add(run(0, 5_000))
  assert.equal(tail.find(0), null)
  tail.add(run(1, 100))
  assert.equal(tail.find(1)!.baseOffset, 1)
})

test('a run that is held holds nothing else', () => {
  const tail = new TailCache(10_000)
  for (const [offset, bytes] of [Buffer.from('a part of a pool'), new Uint8Array(100), Buffer.alloc(0)].entries()) {
    tail.add({ baseOffset: offset, nextOffset: offset + 1, bytes })
    const held = tail.find(offset)!.bytes
    assert.deepEqual(Buffer.from(held), Buffer.from(bytes))
    assert.equal(held.buffer.byteLength, bytes.length)
  }
})
