import { assert } from '../../base/assert.ts'
import type { LogRecord, RecordInput } from '../log.ts'
import { type BatchHeader, encodeBatch, readBatchHeader, setPartitionLeaderEpoch } from '../record-batch.ts'
import { decodeRecords } from '../record-decoder.ts'
import { type File, type FileSystem, writeFileWhole } from './file-system.ts'
import { scanSegment } from './scan.ts'
import { readBytes, Segment } from './segment.ts'

/** What takes the place of a record. Its offset and its timestamp stay as they are. */
export type Replacement = Pick<RecordInput, 'key' | 'value' | 'headers'>

/** By offset. */
export type Replacements = ReadonlyMap<number, Replacement>

/**
 * Writes a full segment anew beside itself, with some records replaced, and makes that durable. What it returns
 * describes the draft; `Segment.replaceFile` puts it in place. Groups stay as they were, since which batches were
 * written together tells recovery what was durable.
 *
 * Throws `LOG_CORRUPT` when the segment is not whole: damage is not copied.
 */
export async function draftRewritten(
  fileSystem: FileSystem,
  segment: Segment,
  replacements: Replacements,
): Promise<Segment> {
  const file = await fileSystem.open(segment.path, 'read')
  try {
    const batches: BatchHeader[] = []
    const { baseOffset, sizeBytes } = segment
    const end = await scanSegment(file, { baseOffset, sizeBytes }, (batch) => batches.push(batch))
    if (end.damage !== null) throw segment.corrupt(end.position, end.damage)
    assert(end.nextOffset === segment.nextOffset, 'a full segment holds what its summary says')
    const rewritten = new Segment(segment.folder, baseOffset)
    await writeFileWhole(fileSystem, segment.draftPath, rewriteBatches({ file, batches, replacements }, rewritten))
    return rewritten
  } finally {
    await file.close()
  }
}

type Source = {
  readonly file: File
  readonly batches: readonly BatchHeader[]
  readonly replacements: Replacements
}

async function* rewriteBatches(source: Source, rewritten: Segment): AsyncGenerator<Uint8Array, void, undefined> {
  const { file, batches, replacements } = source
  let position = 0
  let groupPosition = 0
  for (const batch of batches) {
    const old = await readBytes(file, position, batch.sizeBytes)
    position += batch.sizeBytes
    const bytes = isTouched(batch, replacements) ? replaceInBatch(old, replacements) : old
    if (batch.partitionLeaderEpoch === 0) groupPosition = rewritten.sizeBytes
    setPartitionLeaderEpoch(bytes, rewritten.sizeBytes - groupPosition)
    rewritten.extend(readBatchHeader(bytes, 0))
    yield bytes
  }
}

function isTouched({ baseOffset, nextOffset }: BatchHeader, replacements: Replacements): boolean {
  for (let offset = baseOffset; offset < nextOffset; offset++) if (replacements.has(offset)) return true
  return false
}

function replaceInBatch(bytes: Uint8Array, replacements: Replacements): Uint8Array {
  const { baseOffset } = readBatchHeader(bytes, 0)
  const records: LogRecord[] = []
  decodeRecords({ bytes, at: 0 }, { offset: baseOffset, bytesMax: Number.POSITIVE_INFINITY }, records)
  const replaced = records.map((record): RecordInput => {
    const replacement = replacements.get(record.offset)
    return replacement === undefined ? record : { ...replacement, timestampMs: record.timestampMs }
  })
  return encodeBatch(replaced, baseOffset)
}
