import { assert } from '../../base/assert.ts'
import { type ByteReader, type ByteWriter, MalformedBytes } from '../../base/bytes.ts'
import { compareStrings } from '../../base/compare.ts'
import type { EventOrder } from '../aggregation.ts'

const tieNumber = 0
const tieString = 1

/** By time, then by tie: numbers by size, strings by code point. A stream has ties of one kind only. */
export function compareOrder(left: EventOrder, right: EventOrder): number {
  if (left.ts !== right.ts) return left.ts - right.ts
  if (typeof left.tie === 'number' && typeof right.tie === 'number') return left.tie - right.tie
  assert(typeof left.tie === 'string' && typeof right.tie === 'string', 'the ties of a stream are of one kind')
  return compareStrings(left.tie, right.tie)
}

export function writeOrder(writer: ByteWriter, { ts, tie }: EventOrder): void {
  writer.zigzag(ts)
  if (typeof tie === 'number') {
    writer.u8(tieNumber)
    writer.zigzag(tie)
  } else {
    writer.u8(tieString)
    writer.string(tie)
  }
}

export function readOrder(reader: ByteReader): EventOrder {
  const ts = reader.zigzag()
  const kind = reader.u8()
  if (kind > tieString) throw new MalformedBytes(`${kind} is no kind of tie`)
  return { ts, tie: kind === tieNumber ? reader.zigzag() : reader.string() }
}
