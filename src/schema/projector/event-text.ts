import { isUtf8 } from 'node:buffer'
import { assert } from '../../base/assert.ts'
import { murmur2OfWords } from '../../base/murmur2.ts'

const sizeMin = 4_096

/**
 * The bytes of one event, copied to where a scanner runs over them without asking for the end at each step: a zero
 * follows them, which no JSON text has. One is loaded again and again; what was read from it is gone then.
 */
export class EventText {
  #buffer: Buffer
  #words: Int32Array
  #bytes: Uint8Array
  #length = 0
  /** Where texts end that were appended. */
  #end = 0
  #isAscii = true

  /** @param place memory for the longest event, which stays where it is; default: it grows as it is needed. */
  constructor(
    { memory, at }: { readonly memory: ArrayBuffer; readonly at: number } = { memory: new ArrayBuffer(sizeMin), at: 0 },
  ) {
    this.#buffer = Buffer.from(memory, at)
    this.#words = new Int32Array(memory, at)
    this.#bytes = new Uint8Array(memory, at)
  }

  get length(): number {
    return this.#length
  }

  /** The bytes, then a zero, then whatever is left of events before. */
  get bytes(): Uint8Array {
    return this.#bytes
  }

  /** Takes a copy. False: it is not UTF-8. */
  load(raw: Uint8Array): boolean {
    const { length } = raw
    if (length + 4 > this.#bytes.length) this.#grow(length + 4)
    this.#bytes.set(raw)
    this.#length = length
    this.#end = length
    // Four zeros: one ends every scan, and together they fill the last word.
    for (let index = length; index < length + 4; index++) this.#bytes[index] = 0
    let bits = 0
    const words = this.#words
    const count = (length + 3) >> 2
    for (let index = 0; index < count; index++) bits |= words[index]!
    this.#isAscii = (bits & 0x8080_8080) === 0
    return this.#isAscii || isUtf8(raw)
  }

  /**
   * As `load`, without looking at the bytes and without a zero behind them, for whoever does both; then `isAscii` has to
   * be said, and that the bytes are UTF-8 is up to the caller.
   */
  put(raw: Uint8Array): void {
    const { length } = raw
    assert(length + 16 <= this.#bytes.length, 'an event fits its place')
    this.#bytes.set(raw)
    this.#length = length
    this.#end = length
  }

  set isAscii(isAscii: boolean) {
    this.#isAscii = isAscii
  }

  /** Of all bytes, as `murmur2` gives it. */
  hash(): number {
    return murmur2OfWords(this.#words, this.#length)
  }

  /** Puts a text behind the event that is there, until the next one; gives where it begins. */
  append(text: Uint8Array): number {
    // Behind the zeros, which the hash of the event reads.
    const start = Math.max(this.#end, this.#length + 4)
    if (start + text.length > this.#bytes.length) {
      const before = this.#bytes
      this.#grow(start + text.length)
      this.#bytes.set(before)
    }
    this.#bytes.set(text, start)
    this.#end = start + text.length
    return start
  }

  /** The characters of `[start, end)`. */
  slice(start: number, end: number): string {
    assert(end <= this.#end, 'a text lies inside its event')
    return this.#buffer.toString(this.#isAscii ? 'latin1' : 'utf8', start, end)
  }

  #grow(size: number): void {
    const memory = new ArrayBuffer(2 ** Math.ceil(Math.log2(size)))
    this.#buffer = Buffer.from(memory)
    this.#words = new Int32Array(memory)
    this.#bytes = new Uint8Array(memory)
  }
}
