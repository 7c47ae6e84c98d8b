import assert from 'node:assert/strict'
import { test } from 'node:test'
import { murmur2, partitionFor } from '../../src/base/murmur2.ts'

// From org.apache.kafka.common.utils.UtilsTest.
const knownAnswers: readonly (readonly [text: string, hash: number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
]

test('hashes as the Java client does', () => {
  for (const [text, hash] of knownAnswers) assert.equal(murmur2(Buffer.from(text)), hash, text)
})

test('places by the hash with its sign bit cleared', () => {
  for (const [text, hash] of knownAnswers) {
    assert.equal(partitionFor(Buffer.from(text), 12), (hash & 0x7fff_ffff) % 12, text)
  }
  assert.equal(partitionFor(Buffer.from('foobar'), 1), 0)
})

test('hashes bytes above 127 as unsigned, at every length of the last word', () => {
  // Computed with kafka-python 3.0.12 and kafkajs 2.2.4, which agree.
  const bytes = Uint8Array.from([0xff, 0x80, 0xc3, 0x28, 0xfe, 0x9c, 0xe2])
  const hashes = Array.from({ length: 8 }, (_, length) => murmur2(bytes.subarray(0, length)))
  assert.deepEqual(
    hashes,
    [275646681, -311467685, -442788720, 1419509556, -606109192, -213457066, -1048957371, -853321607],
  )
})
