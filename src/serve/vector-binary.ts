import { ByteWriter } from '../base/bytes.ts'
import type { FeatureValue } from '../kernel/aggregation.ts'
import type { FeatureStatus } from '../plan/finish-view.ts'
import { nameOfType, type ValueType } from '../schema/value-type.ts'
import type { VectorShape } from './prepared-vector.ts'
import { isPacked, statusCodes, vectorsMagic } from './vector-format.ts'
import type { VectorRows } from './vector-rows.ts'

/** The parts of an answer that are the same for every read of a target. */
type Layout = {
  /** Of the header's JSON, from the service to the views. */
  readonly head: string
  /** Indexes of the values that are held as doubles. */
  readonly doubles: readonly number[]
  /** All others. */
  readonly packed: readonly { readonly index: number; readonly type: ValueType }[]
  /** Of each view, the index of one of its values: all have the same age. */
  readonly ages: readonly number[]
}

/** Of the magic and the size of the header. */
const headerAt = 8

/** Writes rows in the binary format (docs/VECTORS.md). Its memory is used again; what it gives is a copy. */
export class VectorBinary {
  readonly #packed = new ByteWriter(1024)
  readonly #layouts = new WeakMap<VectorShape, Layout>()
  #buffer = Buffer.alloc(0)
  #view = new DataView(this.#buffer.buffer)
  #size = 0

  write(rows: VectorRows): Uint8Array {
    const layout = this.#layoutOf(rows.shape)
    this.#size = 0
    this.#writeHeader(rows, layout)
    for (let row = 0; row < rows.size; row++) this.#writeRow(rows, layout, row)
    return Buffer.from(this.#buffer.subarray(0, this.#size))
  }

  #writeHeader({ size, instant, full, prefix }: VectorRows, { head }: Layout): void {
    const rest = JSON.stringify({ rows: size, asOf: instant, full, prefix })
    const header = `${head},${rest.slice(1)}`
    const bytes = Buffer.byteLength(header)
    const padded = bytes + ((8 - ((headerAt + bytes) % 8)) % 8)
    this.#makeRoom(headerAt + padded)
    this.#buffer.set(vectorsMagic)
    this.#buffer.writeUInt32LE(padded, vectorsMagic.length)
    this.#buffer.write(header, headerAt)
    this.#size = headerAt + padded
    this.#buffer.fill(' ', headerAt + bytes, this.#size)
  }

  #writeRow({ shape, asOf, values, full, status, ageMs }: VectorRows, layout: Layout, row: number): void {
    const { doubles, packed, ages } = layout
    const width = shape.names.length
    const start = row * width
    this.#makeRoom(8 * (1 + ages.length + doubles.length) + width + 8)
    this.#double(asOf[row]!)
    if (full) for (const index of ages) this.#double(ageMs[start + index] ?? Number.NaN)
    for (let slot = 0; slot < doubles.length; slot++) this.#double(doubleOf(values[start + doubles[slot]!]!))
    if (full) for (let index = start; index < start + width; index++) this.#buffer[this.#size++] = codes[status[index]!]
    if (packed.length > 0) this.#writePacked(values, start, packed)
    while (this.#size % 8 !== 0) this.#buffer[this.#size++] = 0
  }

  #writePacked(values: readonly FeatureValue[], start: number, packed: Layout['packed']): void {
    const writer = this.#packed
    writer.reset()
    for (const { index, type } of packed) writePacked(writer, type, values[start + index]!)
    const bytes = writer.finish()
    this.#makeRoom(bytes.length + 8)
    this.#buffer.set(bytes, this.#size)
    this.#size += bytes.length
  }

  #double(value: number): void {
    this.#view.setFloat64(this.#size, value, true)
    this.#size += 8
  }

  #makeRoom(size: number): void {
    if (this.#buffer.length - this.#size >= size) return
    const grown = Buffer.allocUnsafeSlow(Math.max(2 * this.#buffer.length, this.#size + size, 4096))
    grown.set(this.#buffer.subarray(0, this.#size))
    this.#buffer = grown
    this.#view = new DataView(grown.buffer)
  }

  #layoutOf(shape: VectorShape): Layout {
    let found = this.#layouts.get(shape)
    if (found === undefined) this.#layouts.set(shape, (found = makeLayout(shape)))
    return found
  }
}

function makeLayout({ service, names, types, views }: VectorShape): Layout {
  const typeNames = types.map(nameOfType)
  const distinct = [...new Set(typeNames)]
  const head = {
    service,
    features: names,
    types: distinct,
    typeOf: typeNames.map((name) => distinct.indexOf(name)),
    viewOf: views,
  }
  const all = names.map((_, index) => index)
  return {
    head: JSON.stringify(head).slice(0, -1),
    doubles: all.filter((index) => !isPacked(nameOfType(types[index]!))),
    packed: all.flatMap((index) => (isPacked(nameOfType(types[index]!)) ? [{ index, type: types[index]! }] : [])),
    ages: all.filter((index) => views.indexOf(views[index]!) === index),
  }
}

/** Booleans are 0 and 1; null is NaN, which no value is. */
function doubleOf(value: FeatureValue): number {
  return value === null ? Number.NaN : Number(value)
}

/** A byte, 0 for null; then the text, or the count of a list and its elements: texts like this one, all others doubles. */
function writePacked(writer: ByteWriter, type: ValueType, value: FeatureValue): void {
  writer.u8(value === null ? 0 : 1)
  if (value === null) return
  if (type.kind !== 'list') {
    writer.string(value as string)
    return
  }
  const elements = value as readonly FeatureValue[]
  writer.varint(elements.length)
  for (const element of elements) {
    if (type.of.kind === 'string') writePacked(writer, type.of, element)
    else writer.f64(doubleOf(element))
  }
}

const codes = Object.fromEntries(statusCodes.map((status, code) => [status, code])) as Record<FeatureStatus, number>
