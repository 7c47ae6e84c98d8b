import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ByteReader, ByteWriter, MalformedBytes } from '../../src/base/bytes.ts'
import { lawOptions } from './law-options.ts'

function written(write: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter(0)
  write(writer)
  assert.equal(writer.finish().length, writer.size)
  return writer.finish()
}

function readBack<Value>(write: (writer: ByteWriter) => void, read: (reader: ByteReader) => Value): Value {
  const reader = new ByteReader(written(write))
  const value = read(reader)
  reader.expectEnd()
  return value
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

const anyNatural = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.integer({ min: 0, max: 52 }).map((bit) => 2 ** bit),
)
const anyString = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.array(fc.integer({ min: 0xd700, max: 0xe0ff }), { maxLength: 8 }).map((units) => String.fromCharCode(...units)),
)

describe('numbers in bytes', () => {
  test('a varint has its known bytes', () => {
    const known: readonly (readonly [number, string])[] = [
      [0, '00'],
      [127, '7f'],
      [128, '8001'],
      [300, 'ac02'],
      [2 ** 31 - 1, 'ffffffff07'],
      [2 ** 31, '8080808008'],
      [2 ** 32, '8080808010'],
      [2 ** 53 - 1, 'ffffffffffffff0f'],
    ]
    for (const [value, bytes] of known) assert.equal(hex(written((writer) => writer.varint(value))), bytes)
  })

  test('a zigzag varint has its known bytes', () => {
    const known: readonly (readonly [number, string])[] = [
      [0, '00'],
      [-0, '00'],
      [-1, '01'],
      [1, '02'],
      [63, '7e'],
      [-64, '7f'],
      [64, '8001'],
      [2147483647, 'feffffff0f'],
      [-2147483648, 'ffffffff0f'],
      [2 ** 53 - 1, 'feffffffffffff1f'],
      [-(2 ** 53 - 1), 'fdffffffffffff1f'],
    ]
    for (const [value, bytes] of known) assert.equal(hex(written((writer) => writer.zigzag(value))), bytes)
  })

  test('reads back the integers it wrote', () => {
    const law = fc.property(anyNatural, fc.boolean(), (value, negative) => {
      const signed = negative && value !== 0 ? -value : value
      assert.equal(
        readBack(
          (w) => w.varint(value),
          (r) => r.varint(),
        ),
        value,
      )
      assert.equal(
        readBack(
          (w) => w.zigzag(signed),
          (r) => r.zigzag(),
        ),
        signed,
      )
    })
    fc.assert(law, lawOptions())
  })

  test('reads back every double, the sign of zero included', () => {
    const law = fc.property(fc.double(), (value) => {
      assert.ok(
        Object.is(
          readBack(
            (w) => w.f64(value),
            (r) => r.f64(),
          ),
          value,
        ),
      )
    })
    fc.assert(law, lawOptions())
    assert.equal(hex(written((writer) => writer.f64(1))), '000000000000f03f')
  })

  test('refuses to write what the format cannot hold', () => {
    const writer = new ByteWriter()
    for (const value of [-1, 0.5, 2 ** 53, Number.NaN]) assert.throws(() => writer.varint(value))
    for (const value of [0.5, 2 ** 53, -(2 ** 53), Number.NaN]) assert.throws(() => writer.zigzag(value))
    assert.equal(writer.size, 0)
  })
})

describe('strings in bytes', () => {
  test('well-formed strings are UTF-8', () => {
    for (const text of ['', 'customer', 'Zürich', '日本', '😀', '\ufeffmark', 'x'.repeat(40), 'é'.repeat(40)]) {
      const bytes = written((writer) => writer.string(text))
      const encoded = Buffer.from(text, 'utf8')
      assert.equal(hex(bytes), hex(Uint8Array.of(encoded.length, ...encoded)))
    }
  })

  test('reads back every string, lone surrogates included', () => {
    const law = fc.property(anyString, (text) => {
      assert.equal(
        readBack(
          (w) => w.string(text),
          (r) => r.string(),
        ),
        text,
      )
    })
    fc.assert(law, lawOptions())
  })

  test('refuses bytes that no string has', () => {
    const malformed = ['ff', 'c080', 'c3', 'e28', 'eda0bdedb880', 'f4908080', '80', 'f8888080', 'c3'.repeat(40)]
    for (const text of malformed) {
      const bytes = Buffer.from(text, 'hex')
      const framed = written((writer) => writer.bytes(bytes))
      assert.throws(() => new ByteReader(framed).string(), MalformedBytes, text)
    }
  })
})

describe('reading and writing bytes', () => {
  test('reads back a mixture in order, from the middle of other bytes', () => {
    const writer = new ByteWriter(0)
    writer.u8(200)
    writer.string('key')
    writer.bytes(Uint8Array.of(1, 2, 3))
    writer.varint(1e12)
    writer.f64(-1.5)
    const body = writer.finish()
    const framed = Uint8Array.of(9, 9, ...body, 9)
    const reader = new ByteReader(framed, 2, framed.length - 1)
    assert.equal(reader.u8(), 200)
    assert.equal(reader.string(), 'key')
    assert.deepEqual([...reader.bytes()], [1, 2, 3])
    assert.equal(reader.varint(), 1e12)
    assert.equal(reader.remaining, 8)
    assert.equal(reader.f64(), -1.5)
    assert.equal(reader.position, framed.length - 1)
    reader.expectEnd()
  })

  test('a copy stays as it was when the writer goes on or starts again', () => {
    const writer = new ByteWriter()
    writer.u8(1)
    const copy = writer.finish()
    writer.reset()
    writer.u8(2)
    assert.deepEqual([...copy], [1])
    assert.deepEqual([...writer.finish()], [2])
  })

  test('refuses bytes that end too soon', () => {
    const reads: readonly (readonly [string, (reader: ByteReader) => unknown])[] = [
      ['', (reader) => reader.u8()],
      ['80', (reader) => reader.varint()],
      ['80', (reader) => reader.zigzag()],
      ['00000000000000', (reader) => reader.f64()],
      ['0261', (reader) => reader.string()],
      ['02ff', (reader) => reader.bytes()],
      ['ffffffffffffff0f', (reader) => reader.bytes()],
    ]
    for (const [text, read] of reads) {
      assert.throws(() => read(new ByteReader(Buffer.from(text, 'hex'))), MalformedBytes, text)
    }
    assert.throws(() => new ByteReader(Uint8Array.of(1, 2), 0, 1).expectEnd(), MalformedBytes)
  })

  test('refuses integers that a writer would have written otherwise, or not at all', () => {
    for (const text of ['8000', 'ffffffffffffff10', 'ffffffffffffffff01']) {
      assert.throws(() => new ByteReader(Buffer.from(text, 'hex')).varint(), MalformedBytes, text)
    }
    for (const text of ['8000', 'ffffffffffffff1f', '8080808080808020']) {
      assert.throws(() => new ByteReader(Buffer.from(text, 'hex')).zigzag(), MalformedBytes, text)
    }
  })
})
