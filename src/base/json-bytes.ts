/** A value of JSON that is no object. Numbers are finite. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[]

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const minus = 0x2d
const point = 0x2e
const zero = 0x30

/** Up to this length a loop over the bytes beats a call into native code. */
const shortLengthMax = 64
/** The longest text of a number: `-0.0000010012494572915671`. */
const numberBytesMax = 25
/** Whole numbers below this are taken apart by 32-bit operations. */
const wholeMax = 2 ** 31

/**
 * Writes JSON as UTF-8 into memory that is used again: the same bytes as `JSON.stringify` gives, without making an
 * object or a string of what is written.
 */
export class JsonBytes {
  #buffer: Buffer
  #size = 0

  constructor(sizeHint = 4096) {
    this.#buffer = Buffer.allocUnsafeSlow(sizeHint)
  }

  get size(): number {
    return this.#size
  }

  /** Forgets what was written and keeps the memory, unless that is more than `keptMax` bytes. */
  reset(keptMax = 1024 * 1024): void {
    this.#size = 0
    if (this.#buffer.length > keptMax) this.#buffer = Buffer.allocUnsafeSlow(keptMax)
  }

  /** Bytes of JSON made before. */
  raw(bytes: Uint8Array): void {
    if (this.#buffer.length - this.#size < bytes.length) this.#grow(bytes.length)
    if (bytes.length > shortLengthMax) {
      this.#buffer.set(bytes, this.#size)
      this.#size += bytes.length
      return
    }
    for (let index = 0; index < bytes.length; index++) this.#buffer[this.#size++] = bytes[index]!
  }

  /** One byte of punctuation. */
  byte(byte: number): void {
    if (this.#size === this.#buffer.length) this.#grow(1)
    this.#buffer[this.#size++] = byte
  }

  value(value: JsonValue): void {
    if (typeof value === 'number') this.number(value)
    else if (value === null) this.raw(nullBytes)
    else if (typeof value === 'string') this.text(value)
    else if (typeof value === 'boolean') this.raw(value ? trueBytes : falseBytes)
    else this.list(value)
  }

  list(values: readonly JsonValue[]): void {
    this.byte(0x5b)
    for (let index = 0; index < values.length; index++) {
      if (index > 0) this.byte(comma)
      this.value(values[index]!)
    }
    this.byte(0x5d)
  }

  number(value: number): void {
    if (this.#buffer.length - this.#size < numberBytesMax) this.#grow(numberBytesMax)
    if (value < 0) this.#buffer[this.#size++] = minus
    const magnitude = value < 0 ? -value : value
    const whole = magnitude | 0
    if (whole === magnitude) {
      this.#digits(whole)
      return
    }
    // Amounts. A number that two digits after the point give back is printed with just those: no shorter text gives it.
    const hundredths = Math.round(magnitude * 100)
    if (hundredths < wholeMax && hundredths / 100 === magnitude) {
      const units = (hundredths / 100) | 0
      const rest = hundredths - units * 100
      this.#digits(units)
      this.#buffer[this.#size++] = point
      this.#buffer[this.#size++] = zero + ((rest / 10) | 0)
      if (rest % 10 !== 0) this.#buffer[this.#size++] = zero + (rest % 10)
      return
    }
    if (!(magnitude <= Number.MAX_VALUE)) {
      // As JSON.stringify has it for NaN and infinities, which no value is.
      if (value < 0) this.#size -= 1
      this.raw(nullBytes)
      return
    }
    const text = String(magnitude)
    for (let index = 0; index < text.length; index++) this.#buffer[this.#size++] = text.charCodeAt(index)
  }

  /** In quotes, escaped. */
  text(value: string): void {
    if (value.length <= shortLengthMax && this.#plainText(value)) return
    const escaped = JSON.stringify(value)
    const bytesMax = escaped.length * 3
    if (this.#buffer.length - this.#size < bytesMax) this.#grow(bytesMax)
    this.#size += this.#buffer.write(escaped, this.#size, 'utf8')
  }

  /** Copies what was written to a place that has the room, and gives its size. */
  copyTo(target: Uint8Array, at: number): number {
    target.set(this.#buffer.subarray(0, this.#size), at)
    return this.#size
  }

  /** A copy of what was written. */
  finish(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#size))
  }

  /**
   * What was written as a string of one character per byte: written as latin1 it is the same bytes. Unlike the memory
   * it was written in, it stays as it is.
   */
  finishLatin1(): string {
    return this.#buffer.toString('latin1', 0, this.#size)
  }

  /** Writes the text and says true, or finds something to be escaped or encoded and writes nothing. */
  #plainText(value: string): boolean {
    const { length } = value
    if (this.#buffer.length - this.#size < length + 2) this.#grow(length + 2)
    const buffer = this.#buffer
    let at = this.#size
    buffer[at++] = quote
    for (let index = 0; index < length; index++) {
      const unit = value.charCodeAt(index)
      if (unit < 0x20 || unit > 0x7e || unit === quote || unit === backslash) return false
      buffer[at++] = unit
    }
    buffer[at++] = quote
    this.#size = at
    return true
  }

  /** A whole number in [0, 2^31). The room is there. */
  #digits(value: number): void {
    let count = 1
    for (let limit = 10; count < 10 && value >= limit; limit *= 10) count += 1
    let rest = value
    for (let at = this.#size + count - 1; at >= this.#size; at--) {
      const tens = (rest / 10) | 0
      this.#buffer[at] = zero + rest - tens * 10
      rest = tens
    }
    this.#size += count
  }

  #grow(size: number): void {
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#buffer.length * 2, this.#size + size))
    grown.set(this.#buffer.subarray(0, this.#size))
    this.#buffer = grown
  }
}

const nullBytes = Buffer.from('null')
const trueBytes = Buffer.from('true')
const falseBytes = Buffer.from('false')
