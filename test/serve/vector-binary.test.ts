import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { MillraceError } from '../../src/base/faults.ts'
import { nameOfType } from '../../src/schema/value-type.ts'
import { decodeVectors } from '../../src/serve/decode-vectors.ts'
import { VectorBinary } from '../../src/serve/vector-binary.ts'
import { vectorJson } from '../../src/serve/vector-json.ts'
import { AnyRows } from './any-rows.ts'

// Goal: the binary answer says, bit for bit, what the JSON answer says, and damaged bytes are refused in words.
// Method: random rows in both formats, the one decoded and the other parsed; every cut and many flips of one answer.

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const binary = new VectorBinary()

test('any rows are what their JSON is', (t) => {
  t.diagnostic(`SEED=${seed}`)
  const any = new AnyRows(seed)
  for (let run = 0; run < 2_000; run++) {
    const rows = any.next()
    const parsed = JSON.parse(vectorJson(rows)) as object
    const bytes = binary.write(rows)
    assert.equal(bytes.length % 8, 0)
    const { types, ...decoded } = decodeVectors(bytes)
    assert.deepEqual(decoded, parsed, `SEED=${seed}, run ${run}`)
    assert.deepEqual(types, rows.shape.types.map(nameOfType))
  }
})

describe('damaged bytes', () => {
  const any = new AnyRows(seed)
  const answers = Array.from({ length: 30 }, () => binary.write(any.next()))
  const isRefused = (bytes: Uint8Array): boolean => {
    try {
      decodeVectors(bytes)
      return false
    } catch (error) {
      // A flip in the header may leave JSON of another shape: any fault of it is a refusal, none is a hang or a crash.
      assert.ok(error instanceof MillraceError && error.code === 'VECTORS_UNREADABLE', String(error))
      return true
    }
  }

  test('every cut is refused', () => {
    for (const bytes of answers) {
      for (let end = 0; end < bytes.length; end += 1 + (end >> 4))
        assert.ok(isRefused(bytes.subarray(0, end)), `at ${end}`)
    }
  })

  test('flipped bytes are refused, or are other values', () => {
    for (const bytes of answers) {
      for (let index = 0; index < bytes.length; index += 3) {
        const flipped = Buffer.from(bytes)
        flipped[index] = flipped[index]! ^ (1 << (index & 7))
        isRefused(flipped)
      }
    }
  })

  test('other formats and newer versions are refused in words', () => {
    assert.throws(() => decodeVectors(Buffer.from('{"service":null}')), /do not begin with MRV/)
    const newer = Buffer.from(answers[0]!)
    newer[3] = 2
    assert.throws(() => decodeVectors(newer), /of version 2, and this reads version 1/)
  })
})
