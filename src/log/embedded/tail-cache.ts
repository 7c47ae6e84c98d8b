import type { Run } from './segment-reader.ts'

/** About what a run takes up besides its bytes: many appends of one record each would otherwise count as nothing. */
const runBytes = 512

/** The newest groups of a partition, kept in memory up to a number of bytes: who follows the end reads no file. */
export class TailCache {
  readonly #bytesMax: number
  #runs: (Run | null)[] = []
  /** Runs before this place are gone; they are cut off together, now and then. */
  #first = 0
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** The run must follow the one added before. */
  add(run: Run): void {
    this.#runs.push(onItsOwn(run))
    this.#bytes += runBytes + run.bytes.length
    while (this.#bytes > this.#bytesMax) {
      this.#bytes -= runBytes + this.#runs[this.#first]!.bytes.length
      // Let go of at once: places are cut off only now and then.
      this.#runs[this.#first++] = null
    }
    if (this.#first > 64 && this.#first * 2 > this.#runs.length) {
      this.#runs = this.#runs.slice(this.#first)
      this.#first = 0
    }
  }

  clear(): void {
    this.#runs = []
    this.#first = 0
    this.#bytes = 0
  }

  find(offset: number): Run | null {
    let low = this.#first
    let high = this.#runs.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#runs[middle]!.nextOffset > offset) high = middle
      else low = middle + 1
    }
    const run = this.#runs[low]
    return run !== undefined && run !== null && run.baseOffset <= offset ? run : null
  }
}

/**
 * The run with bytes that are part of nothing larger. Small buffers are cut from a pool that they share with what is long
 * gone, and a single one of them holds all of it: 64 KiB for a record of 300 bytes.
 */
function onItsOwn(run: Run): Run {
  const { bytes } = run
  return bytes.buffer.byteLength === bytes.length ? run : { ...run, bytes: new Uint8Array(bytes) }
}
