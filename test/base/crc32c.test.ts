import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32c } from '../../src/base/crc32c.ts'

test('gives the published check value', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe306_9283)
  assert.equal(crc32c(new Uint8Array(0)), 0)
})

test('gives the answers of RFC 3720, appendix B.4', () => {
  const ascending = Uint8Array.from({ length: 32 }, (_, index) => index)
  assert.equal(crc32c(new Uint8Array(32)), 0x8a91_36aa)
  assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8_ab43)
  assert.equal(crc32c(ascending), 0x46dd_794e)
  assert.equal(crc32c(ascending.toReversed()), 0x113f_db5c)
})

test('agrees with the definition bit by bit at every length and alignment', () => {
  const bytes = Uint8Array.from({ length: 40 }, (_, index) => (index * 167 + 13) & 255)
  for (let start = 0; start < 9; start++) {
    for (let end = start; end <= bytes.length; end++) {
      assert.equal(crc32c(bytes, start, end), bitByBit(bytes.subarray(start, end)), `[${start}, ${end})`)
    }
  }
})

function bitByBit(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  }
  return ~crc >>> 0
}
