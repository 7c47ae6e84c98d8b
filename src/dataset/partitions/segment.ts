import type { BatchColumn, ColumnKind } from './row-batch.ts'

/**
 * Some rows in columns, as bytes: what memory and spill files hold, and what threads hand to each other.
 *
 * Little-endian, every part aligned to eight bytes: the number of rows as u32, then column by column
 * - numbers: a double each;
 * - texts: how many there are, equal ones once or several times, 1 if they are UTF-16 and not Latin-1, and their bytes, a u32 each; per row the
 *   place of its text or -1 for null, as i32; the lengths of the texts in characters, as u32; the texts.
 */
export type Segment = { readonly rows: number; readonly columns: readonly SegmentColumn[] }

export type SegmentColumn =
  | { readonly kind: 'number'; readonly values: Float64Array }
  | { readonly kind: 'text'; readonly places: Int32Array; readonly texts: SegmentTexts }

/** The texts of a column, made when they are asked for: many, such as ids that break ties, mostly are not. */
export class SegmentTexts {
  readonly #joined: string
  /** Where each text begins, and where the last one ends. */
  readonly #starts: Int32Array

  constructor(joined: string, lengths: Int32Array) {
    this.#joined = joined
    this.#starts = new Int32Array(lengths.length + 1)
    for (let text = 0; text < lengths.length; text++) this.#starts[text + 1] = this.#starts[text]! + lengths[text]!
  }

  get count(): number {
    return this.#starts.length - 1
  }

  at(place: number): string {
    return this.#joined.slice(this.#starts[place], this.#starts[place + 1])
  }

  all(): string[] {
    return Array.from({ length: this.count }, (_, place) => this.at(place))
  }
}

/** Grows as needed and is used again and again. */
export class SegmentWriter {
  #bytes = Buffer.alloc(1 << 16)
  #size = 0

  get size(): number {
    return this.#size
  }

  /** Valid until the next call. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size)
  }

  clear(): void {
    this.#size = 0
  }

  /** Adds a segment of the rows at these places. */
  add(columns: readonly BatchColumn[], places: Int32Array): void {
    this.#writeU32s([places.length, 0])
    for (const column of columns) {
      if (column instanceof Float64Array) this.#addNumbers(column, places)
      else this.#addTexts(column, places)
    }
  }

  #addNumbers(values: Float64Array, places: Int32Array): void {
    const at = this.#take(places.length * 8)
    const into = new Float64Array(this.#bytes.buffer, this.#bytes.byteOffset + at, places.length)
    for (let row = 0; row < places.length; row++) into[row] = values[places[row]!]!
  }

  #addTexts(values: readonly (string | null)[], places: Int32Array): void {
    const own = new Int32Array(places.length)
    const texts = areUnique(values, places) ? numberEach(values, places, own) : numberTexts(values, places, own)
    const joined = texts.join('')
    // oxlint-disable-next-line no-control-regex -- all of Latin-1, control characters too.
    const encoding = /^[\u0000-\u00ff]*$/.test(joined) ? 'latin1' : 'utf16le'
    const size = encoding === 'latin1' ? joined.length : joined.length * 2
    this.#writeU32s([texts.length, encoding === 'latin1' ? 0 : 1, size, 0])
    this.#writeU32s(own)
    this.#writeU32s(texts.map((text) => text.length))
    const at = this.#take(size)
    this.#bytes.write(joined, at, encoding)
  }

  #writeU32s(numbers: ArrayLike<number>): void {
    const at = this.#take(numbers.length * 4)
    new Int32Array(this.#bytes.buffer, this.#bytes.byteOffset + at, numbers.length).set(numbers)
  }

  /** Room for some bytes, rounded up so that the next part is aligned. What rounding adds is zero. */
  #take(size: number): number {
    const at = this.#size
    const end = at + Math.ceil(size / 8) * 8
    if (end > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(end, this.#bytes.length * 2))
      this.#bytes.copy(grown, 0, 0, at)
      this.#bytes = grown
    }
    this.#bytes.fill(0, at + size, end)
    this.#size = end
    return at
  }
}

/** Whether a few of the first texts are all different: then a dictionary is not worth looking for. */
function areUnique(values: readonly (string | null)[], places: Int32Array): boolean {
  const few = new Set<string>()
  for (let row = 0; row < Math.min(64, places.length); row++) {
    const text = values[places[row]!]!
    if (text === null || few.has(text)) return false
    few.add(text)
  }
  return true
}

/** Gives every row a text of its own, in its own place. */
function numberEach(values: readonly (string | null)[], places: Int32Array, own: Int32Array): string[] {
  const texts: string[] = []
  for (let row = 0; row < places.length; row++) {
    const text = values[places[row]!]!
    own[row] = text === null ? -1 : texts.push(text) - 1
  }
  return texts
}

/** Gives rows of equal text one place. */
function numberTexts(values: readonly (string | null)[], places: Int32Array, own: Int32Array): string[] {
  const numbers = new Map<string, number>()
  for (let row = 0; row < places.length; row++) {
    const text = values[places[row]!]!
    if (text === null) {
      own[row] = -1
      continue
    }
    let number = numbers.get(text)
    if (number === undefined) {
      number = numbers.size
      numbers.set(text, number)
    }
    own[row] = number
  }
  return [...numbers.keys()]
}

/** Columns of numbers are views of the bytes, which have to begin at a multiple of eight. */
export function readSegment(bytes: Uint8Array, kinds: readonly ColumnKind[]): Segment {
  let at = 8
  const u32s = (count: number): Int32Array => {
    const numbers = new Int32Array(bytes.buffer, bytes.byteOffset + at, count)
    at += Math.ceil(count / 2) * 8
    return numbers
  }
  const rows = new Int32Array(bytes.buffer, bytes.byteOffset, 1)[0]!
  const columns = kinds.map((kind): SegmentColumn => {
    if (kind === 'number') {
      const values = new Float64Array(bytes.buffer, bytes.byteOffset + at, rows)
      at += rows * 8
      return { kind, values }
    }
    const [count, wide, size] = u32s(4) as unknown as [number, number, number]
    const places = u32s(rows)
    const lengths = u32s(count)
    // Not from the shared memory itself, which decoders refuse.
    const joined = Buffer.from(bytes.slice(at, at + size)).toString(wide === 1 ? 'utf16le' : 'latin1')
    at += Math.ceil(size / 8) * 8
    return { kind, places, texts: new SegmentTexts(joined, lengths) }
  })
  return { rows, columns }
}
