import {
  type BatchHeader,
  batchBytesNeeded,
  batchHeaderBytes,
  findBatchDamage,
  readBatchHeader,
  recordBytesMin,
} from '../record-batch.ts'
import type { File } from './file-system.ts'
import { readBytes } from './segment.ts'

/** Where whole batches end, and what is wrong there. */
export type ScanEnd = {
  /** One past the last whole batch. */
  readonly position: number
  readonly nextOffset: number
  /** Where the last group of batches begins: all that one sync made durable. */
  readonly groupPosition: number
  /** Null when the file ends with a whole batch. */
  readonly damage: string | null
}

export type ScanRange = { readonly baseOffset: number; readonly sizeBytes: number }

/**
 * Checks a segment from its start, batch by batch: checksum, offsets without gaps, and groups.
 *
 * The batches that were written and synced together form a *group*. Each carries, in the header field that Kafka keeps
 * for its leader's epoch, how many bytes before it the group begins. A group is only begun when the one before is
 * durable, which is how recovery tells a torn tail from damage to what was durable.
 */
export async function scanSegment(file: File, range: ScanRange, visit: (batch: BatchHeader) => void): Promise<ScanEnd> {
  let position = 0
  let nextOffset = range.baseOffset
  let groupPosition = 0
  let chunk: Uint8Array = new Uint8Array(0)
  let chunkPosition = 0
  const endWith = (damage: string | null): ScanEnd => ({ position, nextOffset, groupPosition, damage })
  while (position < range.sizeBytes) {
    const at = position - chunkPosition
    const needed = batchBytesNeeded(chunk, at)
    const left = range.sizeBytes - position
    if (needed > left) return endWith(`a batch needs ${needed} bytes, and ${left} are left`)
    if (at + needed > chunk.length) {
      chunk = await readBytes(file, position, Math.min(left, Math.max(chunkBytes, needed)))
      chunkPosition = position
      continue
    }
    const damage = findBatchDamage(chunk, at)
    if (damage !== null) return endWith(damage)
    const batch = readBatchHeader(chunk, at)
    const misplacement = findMisplacement(batch, { position, nextOffset, groupPosition })
    if (misplacement !== null) return endWith(misplacement)
    groupPosition = position - batch.partitionLeaderEpoch
    visit(batch)
    position += batch.sizeBytes
    nextOffset = batch.nextOffset
  }
  return endWith(null)
}

/**
 * Whether any batch in the bytes after a damaged one belongs to a later group: then the damaged batch was durable once.
 *
 * The size of the damaged batch cannot be trusted, so every byte may begin a batch. A batch counts only when its
 * checksum holds and its offset fits the bytes between; a value that happens to hold a batch of another log does not.
 */
export function holdsLaterGroup(tail: Uint8Array, damaged: { readonly offset: number }): boolean {
  for (let at = 1; at + batchHeaderBytes <= tail.length; at++) {
    // The cheapest test first: format 2 of a batch is one byte at a fixed place.
    if (tail[at + 16] !== 2) continue
    const { baseOffset, partitionLeaderEpoch } = readBatchHeader(tail, at)
    if (baseOffset <= damaged.offset || baseOffset > damaged.offset + at / recordBytesMin) continue
    if (partitionLeaderEpoch >= 0 && partitionLeaderEpoch < at && findBatchDamage(tail, at) === null) return true
  }
  return false
}

const chunkBytes = 1024 * 1024

function findMisplacement(
  batch: BatchHeader,
  expected: { readonly position: number; readonly nextOffset: number; readonly groupPosition: number },
): string | null {
  if (batch.baseOffset !== expected.nextOffset) {
    return `a batch begins at offset ${batch.baseOffset} instead of ${expected.nextOffset}`
  }
  if (batch.recordCount !== batch.nextOffset - batch.baseOffset) return 'a batch has gaps in its offsets'
  const intoGroup = batch.partitionLeaderEpoch
  const continues = expected.position > 0 && intoGroup === expected.position - expected.groupPosition
  if (intoGroup !== 0 && !continues) return `a batch gives its group as ${intoGroup} bytes before it`
  return null
}
