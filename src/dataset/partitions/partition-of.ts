import type { BatchColumn } from './row-batch.ts'

/** How many partitions keys are spread over: a power of two. */
export const partitionsMax = 256

/** As many that one of them fits into a processor's cache with room to spare, and there is one for every thread. */
export function partitionCount(rows: number): number {
  const wanted = Math.min(partitionsMax, rows / 250_000)
  return wanted <= 1 ? 1 : 2 ** Math.ceil(Math.log2(wanted))
}

const scratch = new Float64Array(1)
const words = new Int32Array(scratch.buffer)

/** The partition of each key in `[0, rows)`. Equal keys, in events and spines, are in equal partitions. */
export function partitionsOf(keys: BatchColumn, rows: number, partitions: number): Uint8Array {
  const into = new Uint8Array(rows)
  const shift = 32 - Math.log2(partitions)
  if (shift === 32) return into
  if (keys instanceof Float64Array) {
    for (let row = 0; row < rows; row++) {
      // Adding 0 makes -0 the 0 that it equals.
      scratch[0] = keys[row]! + 0
      into[row] = mixed(words[0]! ^ Math.imul(words[1]!, 0x9e37_79b1)) >>> shift
    }
  } else {
    for (let row = 0; row < rows; row++) {
      const text = keys[row]!
      let hash = 0x811c_9dc5 | 0
      for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x0100_0193)
      into[row] = mixed(hash) >>> shift
    }
  }
  return into
}

/** MurmurHash3's finish: spreads over all bits. */
function mixed(hash: number): number {
  let bits = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35)
  return bits ^ (bits >>> 16)
}

/** Places of rows sorted by bucket, those of one bucket in their own order, and where each bucket begins. */
export type Grouped = { readonly order: Int32Array; readonly starts: Int32Array }

/** Counting sort. */
export function groupBy(buckets: ArrayLike<number>, count: number): Grouped {
  const starts = new Int32Array(count + 1)
  for (let row = 0; row < buckets.length; row++) starts[buckets[row]! + 1]! += 1
  for (let bucket = 0; bucket < count; bucket++) starts[bucket + 1]! += starts[bucket]!
  const next = starts.slice()
  const order = new Int32Array(buckets.length)
  for (let row = 0; row < buckets.length; row++) order[next[buckets[row]!]!++] = row
  return { order, starts }
}
