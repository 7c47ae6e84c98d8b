import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ByteWriter } from 'hyparquet-writer'
import { writeRleBitPackedHybrid } from 'hyparquet-writer/src/encoding.js'
import { decodeRuns } from '../../../../src/store/offline/parquet/runs.ts'
import { lawOptions } from '../../../base/law-options.ts'

/** Runs of equal values among changing ones, so that both kinds of runs come about. */
const anyLevels = fc.integer({ min: 1, max: 20 }).chain((bitWidth) =>
  fc.record({
    bitWidth: fc.constant(bitWidth),
    values: fc
      .array(fc.tuple(fc.integer({ min: 0, max: 2 ** bitWidth - 1 }), fc.integer({ min: 1, max: 20 })))
      .map((runs) => runs.flatMap(([value, length]) => Array.from({ length }, () => value))),
  }),
)

describe('runs of levels and positions', () => {
  test('what the library encodes is decoded, also between other bytes', () => {
    const law = fc.property(anyLevels, ({ bitWidth, values }) => {
      const writer = new ByteWriter()
      writer.appendUint8(0xff)
      writeRleBitPackedHybrid(writer, values, bitWidth)
      const end = writer.offset
      writer.appendUint8(0xff)
      const into = new Int32Array(values.length)
      decodeRuns(writer.getBytes(), { start: 1, end, bitWidth }, into)
      assert.deepEqual([...into], values)
    })
    fc.assert(law, lawOptions())
  })

  test('the example of the format is decoded', () => {
    // 0 to 7 in three bits each, as in the format's own description, then five times 4.
    const bytes = Uint8Array.of(0x03, 0b10001000, 0b11000110, 0b11111010, 10, 4)
    const into = new Uint8Array(13)
    decodeRuns(bytes, { start: 0, end: bytes.length, bitWidth: 3 }, into)
    assert.deepEqual([...into], [0, 1, 2, 3, 4, 5, 6, 7, 4, 4, 4, 4, 4])
  })

  test('a run that claims two billion values fills what there is room for', () => {
    const into = new Uint8Array(3)
    decodeRuns(Uint8Array.of(0xfe, 0xff, 0xff, 0xff, 0x0f, 1), { start: 0, end: 6, bitWidth: 1 }, into)
    assert.deepEqual([...into], [1, 1, 1])
  })

  test('bytes that end too soon and values too wide are errors', () => {
    const decode = (bytes: readonly number[], bitWidth: number): void =>
      decodeRuns(Uint8Array.from(bytes), { start: 0, end: bytes.length, bitWidth }, new Uint8Array(9))
    assert.throws(() => decode([], 1), /0 of 9/)
    assert.throws(() => decode([0x80], 1), /0 of 9/)
    assert.throws(() => decode([0x10, 1], 1), /8 of 9/)
    assert.throws(() => decode([0x12], 1), /ends after its page/)
    assert.throws(() => decode([0x05, 1], 1), /ends after its page/)
    assert.throws(() => decode([0x03, 1], 25), /of 25 bits/)
  })
})
