import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { redisStringBytes, sizeClass } from '../../bench/peers/redis-bytes.ts'
import { rocksdbBytes } from '../../bench/peers/rocksdb-bytes.ts'

describe('what peers would take', () => {
  test('size classes are those that jemalloc lists', () => {
    const sizes = [1, 8, 9, 24, 100, 128, 129, 161, 256, 257, 1_025, 4_097, 5_121]
    assert.deepEqual(sizes.map(sizeClass), [8, 8, 16, 32, 112, 128, 160, 192, 256, 320, 1_280, 5_120, 6_144])
  })

  test('strings of Redis 7.0.15 take what INFO memory said of them', () => {
    // 100,000 keys of 16 bytes with values of 108; 20,000 of 732; 4,000 of 4,812: bytes of used_memory per key.
    const measured = [
      [108, 100_000, 203],
      [732, 20_000, 861.2],
      [4_812, 4_000, 5_208],
    ] as const
    for (const [length, keys, bytes] of measured) {
      const { total } = redisStringBytes(16, length, keys)
      assert.ok(Math.abs(total / bytes - 1) < 0.005, `${total} of ${bytes}`)
    }
    assert.equal(redisStringBytes(16, 44, 1_024).total, 32 + 8 + 32 + 64)
  })

  test('a row of RocksDB pays for its key only what it does not share', () => {
    const rows = rocksdbBytes({ keys: [[Uint8Array.of(1, 2, 3, 4), [1_000, 1_001]]], valueLength: 9 })
    // First row: 3 lengths, 24 of key, 17 of value, a restart. Second: 11 bytes are shared. One block, two filter parts.
    const first = 3 + 24 + 17 + 4
    const second = 3 + (24 - 11) + 17
    assert.equal(rows.diskPerKey, first + second + 4 + 5 + 24 + 8 + 2.5)
    assert.equal(rows.memtablePerKey, 2 * (1 + 24 + 1 + 17 + 8 * (4 / 3)))
  })
})
