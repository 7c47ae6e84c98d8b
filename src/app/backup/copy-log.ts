import { MillraceError } from '../../base/faults.ts'
import { encodeEndMark, readEndMark } from '../../log/embedded/end-mark.ts'
import { type File, isMissing, readWhole } from '../../log/embedded/file-system.ts'
import { nodeFileSystem } from '../../log/embedded/node-file-system.ts'
import { describeLoss } from '../../log/embedded/recover.ts'
import { holdsLaterGroup, scanSegment } from '../../log/embedded/scan.ts'
import { readBytes, Segment, segmentsAmong } from '../../log/embedded/segment.ts'
import { SparseIndex } from '../../log/embedded/sparse-index.ts'
import { partitionFolder, readLogId, readTopicFiles, topicFolder } from '../../log/embedded/topic-file.ts'
import type { TopicDescription } from '../../log/log.ts'
import { forgottenTopic } from '../../plan/forgotten.ts'
import {
  deadLetterTopic,
  featureEventsPrefix,
  lateTopic,
  modelRegistryTopic,
  registryTopic,
  replaysTopic,
} from '../../plan/topics.ts'
import type { FolderDraft } from './backup-writer.ts'

export type CopiedLog = { readonly id: string; readonly ends: Readonly<Record<string, readonly number[]>> }

const fileSystem = nodeFileSystem

/**
 * Copies a log that may be written meanwhile: of each partition whole batches only, up to where it ends when its turn
 * comes. What is derived from the sources is copied before them, so that nothing in the copy refers to a record beyond
 * its ends.
 */
export async function copyLog(
  folder: string,
  draft: FolderDraft,
  onBytes: (bytes: number) => void,
): Promise<CopiedLog> {
  const id = await readLogId(fileSystem, folder)
  if (id === null)
    throw new MillraceError('LOG_CORRUPT', { file: `${folder}/log.json`, position: 0, detail: 'it is missing' })
  const marked = await readEndMark(fileSystem, folder, id)
  const topics = await readTopicFiles(fileSystem, folder)
  const ends = new Map<string, readonly number[]>()
  let bytes = 0
  const onCopied = (part: number): void => onBytes((bytes += part))
  for (const { topic, partitions } of [...topics.filter(isDerived), ...topics.filter((one) => !isDerived(one))]) {
    const own: number[] = []
    for (let partition = 0; partition < partitions; partition++) {
      const from = partitionFolder(folder, topic, partition)
      const durableEnd = marked.get(topic)?.[partition] ?? 0
      own.push(await copyPartition({ from, to: `log/topics/${topic}/${partition}`, durableEnd }, draft, onCopied))
    }
    await copySmall(`${topicFolder(folder, topic)}/topic.json`, `log/topics/${topic}/topic.json`, draft)
    ends.set(topic, own)
  }
  await copySmall(`${folder}/log.json`, 'log/log.json', draft)
  await draft.write('log/ends.json', [encodeEndMark({ log: id, ends })])
  return { id, ends: Object.fromEntries(ends) }
}

/** Topics that the engine and its operators write, with places of other topics in them. */
function isDerived({ topic }: TopicDescription): boolean {
  return (
    [deadLetterTopic, lateTopic, registryTopic, modelRegistryTopic, replaysTopic, forgottenTopic].includes(topic) ||
    topic.startsWith(featureEventsPrefix)
  )
}

type PartitionCopy = { readonly from: string; readonly to: string; readonly durableEnd: number }

/** The end of the copy. */
async function copyPartition(
  copy: PartitionCopy,
  draft: FolderDraft,
  onBytes: (bytes: number) => void,
): Promise<number> {
  const bases = segmentsAmong(await fileSystem.list(copy.from))
  if (bases.length === 0)
    throw new MillraceError('LOG_CORRUPT', { file: copy.from, position: 0, detail: 'no segment is left' })
  let end = bases[0]!
  for (const [index, base] of bases.entries()) {
    const segment = new Segment(copy.from, base)
    let file: File
    try {
      file = await fileSystem.open(segment.path, 'read')
    } catch (error) {
      if (!isMissing(error)) throw error
      // Retention took it away meanwhile, and everything before it.
      await draft.drop(`${copy.to}/`)
      continue
    }
    try {
      end = await copySegment({ ...copy, segment, file, nextBase: bases[index + 1] ?? null }, draft, onBytes)
    } finally {
      await file.close()
    }
  }
  return end
}

type SegmentCopy = PartitionCopy & {
  readonly segment: Segment
  readonly file: File
  /** Null for the newest, of which only whole batches are copied. */
  readonly nextBase: number | null
}

async function copySegment(copy: SegmentCopy, draft: FolderDraft, onBytes: (bytes: number) => void): Promise<number> {
  const { segment, file, nextBase, durableEnd } = copy
  const { baseOffset } = segment
  const sizeBytes = await file.sizeBytes()
  const index = new SparseIndex(baseOffset)
  let position = 0
  const end = await scanSegment(file, { baseOffset, sizeBytes }, (batch) => {
    index.add(batch, position)
    position += batch.sizeBytes
  })
  if (nextBase === null) {
    if (end.nextOffset < durableEnd) throw segment.corrupt(end.position, describeLoss(end, durableEnd))
    if (end.damage !== null) {
      const tail = await readBytes(file, end.position, sizeBytes - end.position)
      if (holdsLaterGroup(tail, { offset: end.nextOffset })) throw segment.corrupt(end.position, end.damage)
    }
  } else if (end.nextOffset !== nextBase) {
    throw segment.corrupt(end.position, end.damage ?? `it ends at offset ${end.nextOffset} instead of ${nextBase}`)
  }
  const to = `${copy.to}/${segment.name}`
  await draft.write(`${to}.log`, readUpTo(file, end.position, onBytes))
  if (nextBase !== null) {
    const { offsets, times } = index.encode({ sizeBytes: end.position, records: end.nextOffset - baseOffset })
    await draft.write(`${to}.index`, [offsets])
    await draft.write(`${to}.timeindex`, [times])
  }
  return end.nextOffset
}

const chunkBytes = 1024 * 1024

async function* readUpTo(file: File, end: number, onBytes: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  for (let position = 0; position < end; position += chunkBytes) {
    const bytes = await readBytes(file, position, Math.min(chunkBytes, end - position))
    yield bytes
    onBytes(bytes.length)
  }
}

async function copySmall(from: string, to: string, draft: FolderDraft): Promise<void> {
  const content = await readWhole(fileSystem, from)
  if (content === null) throw new Error(`${from} is gone`)
  await draft.write(to, [content])
}
