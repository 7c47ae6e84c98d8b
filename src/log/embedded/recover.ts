import { reach } from '../../base/crash-points.ts'
import { MillraceError } from '../../base/faults.ts'
import type { File, FileSystem } from './file-system.ts'
import { holdsLaterGroup, type ScanEnd, scanSegment } from './scan.ts'
import { readBytes, Segment, segmentsAmong } from './segment.ts'

/**
 * The segments of a partition as a crash may have left them.
 *
 * 1. Full segments must be whole and follow each other without a gap. Their index files tell; where one is missing or
 *    damaged, the segment is scanned and the files are written again.
 * 2. The newest segment is scanned. What comes after its last whole batch is cut off if it can be a write that was
 *    never made durable; anything else is `LOG_CORRUPT`, and so is a partition that ends before `durableEnd`.
 * 3. The last group is written and synced once more. It may be whole only in the system's memory: the process may have
 *    died before the sync, or the sync may have failed, after which the system takes such pages for clean.
 */
export async function recoverSegments(
  fileSystem: FileSystem,
  place: { readonly folder: string; readonly durableEnd: number },
): Promise<readonly Segment[]> {
  const { folder, durableEnd } = place
  const names = await fileSystem.list(folder)
  const bases = segmentsAmong(names)
  if (bases.length === 0) {
    throw new MillraceError('LOG_CORRUPT', { file: folder, position: 0, detail: 'no segment is left in the folder' })
  }
  await removeOrphans(fileSystem, folder, names)
  const segments = bases.map((baseOffset) => new Segment(folder, baseOffset))
  for (const [place, segment] of segments.entries()) {
    const next = segments[place + 1]
    if (next === undefined) await recoverNewest(fileSystem, segment, durableEnd)
    else await recoverFull(fileSystem, segment, next)
  }
  await fileSystem.syncFolder(folder)
  reach('log.recovery.done')
  return segments
}

/** Index files whose segment is gone: a crash came between the removal of the two. Drafts that never took their place. */
async function removeOrphans(fileSystem: FileSystem, folder: string, names: readonly string[]): Promise<void> {
  const present = new Set(names)
  for (const name of names) {
    const match = /^(\d{20})\.(index|timeindex|log\.draft)$/.exec(name)
    if (match === null || (match[2] !== 'log.draft' && present.has(`${match[1]}.log`))) continue
    await fileSystem.remove(`${folder}/${name}`)
    reach('log.recovery.orphan-removed')
  }
}

async function recoverFull(fileSystem: FileSystem, segment: Segment, next: Segment): Promise<void> {
  await withFile(fileSystem, { path: segment.path, mode: 'read' }, async (file) => {
    const sizeBytes = await file.sizeBytes()
    if (await segment.loadSummary(fileSystem, sizeBytes)) return
    const range = { baseOffset: segment.baseOffset, sizeBytes }
    const end = await scanSegment(file, range, (batch) => segment.extend(batch))
    if (end.damage !== null) throw segment.corrupt(end.position, end.damage)
    if (end.nextOffset !== next.baseOffset) return
    await segment.seal(fileSystem)
    reach('log.recovery.resealed')
  })
  if (segment.nextOffset === next.baseOffset) return
  const detail = `it ends before offset ${segment.nextOffset}, and the next segment begins at ${next.baseOffset}`
  throw segment.corrupt(segment.sizeBytes, detail)
}

async function recoverNewest(fileSystem: FileSystem, segment: Segment, durableEnd: number): Promise<void> {
  await withFile(fileSystem, { path: segment.path, mode: 'write' }, async (file) => {
    const sizeBytes = await file.sizeBytes()
    const range = { baseOffset: segment.baseOffset, sizeBytes }
    const end = await scanSegment(file, range, (batch) => segment.extend(batch))
    if (end.nextOffset < durableEnd) throw segment.corrupt(end.position, describeLoss(end, durableEnd))
    if (end.damage !== null) {
      const tail = await readBytes(file, end.position, sizeBytes - end.position)
      const damaged = { offset: end.nextOffset }
      if (holdsLaterGroup(tail, damaged)) throw segment.corrupt(end.position, end.damage)
      await file.truncate(end.position)
      reach('log.recovery.truncated')
    }
    const group = await readBytes(file, end.groupPosition, end.position - end.groupPosition)
    await file.write(group, end.groupPosition)
    reach('log.recovery.rewritten')
    await file.sync()
    reach('log.recovery.synced')
  })
}

/** What is said of a segment that ends, or goes on unreadably, before what was durable in it. */
export function describeLoss({ nextOffset, damage }: ScanEnd, durableEnd: number): string {
  const loss = `offsets ${nextOffset} to ${durableEnd - 1} were durable and are gone`
  return damage === null ? loss : `${loss}: ${damage}`
}

async function withFile(
  fileSystem: FileSystem,
  at: { readonly path: string; readonly mode: 'read' | 'write' },
  action: (file: File) => Promise<void>,
): Promise<void> {
  const file = await fileSystem.open(at.path, at.mode)
  try {
    await action(file)
  } finally {
    await file.close()
  }
}
