import { messageOf } from '../../base/faults.ts'
import { type LogFinding, restoreHint, stray } from './audit-finding.ts'
import { type File, type FileSystem, isMissing, readWhole } from './file-system.ts'
import { describeLoss } from './recover.ts'
import { holdsLaterGroup, type ScanEnd, scanSegment } from './scan.ts'
import { readBytes, segmentName, segmentsAmong } from './segment.ts'
import { SparseIndex } from './sparse-index.ts'

export type PartitionAudit = {
  readonly topic: string
  readonly partition: number
  /** First offset, and one past the last whole record before any damage. */
  readonly start: number
  readonly end: number
  readonly segments: number
  readonly bytes: number
  /** Bytes after the last whole batch of the newest segment. */
  readonly tornBytes: number
  readonly findings: readonly LogFinding[]
}

export type PartitionPlace = {
  readonly topic: string
  readonly partition: number
  readonly folder: string
  readonly retentionMs: number | null
  readonly fileSystem: FileSystem
  readonly running: boolean
  /** Records below it were durable once. */
  readonly durableEnd: number
  readonly onProgress: (bytes: number) => void
}

/** Every batch of every segment of a partition, their order, and the index files beside them. */
export async function auditPartition(place: PartitionPlace): Promise<PartitionAudit> {
  const { topic, partition, folder, fileSystem } = place
  const audit = new Audit(place)
  let names: readonly string[] = []
  try {
    names = await fileSystem.list(folder)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  const bases = segmentsAmong(names)
  if (bases.length === 0) audit.fault(folder, 'no segment is left in the folder', restoreHint)
  else await audit.segments(bases)
  audit.checkStart(bases[0] ?? 0)
  audit.findings.push(...strayIn(folder, names))
  const { end, bytes, tornBytes, findings } = audit
  return { topic, partition, start: audit.start, end, segments: bases.length, bytes, tornBytes, findings }
}

class Audit {
  readonly #place: PartitionPlace
  readonly findings: LogFinding[] = []
  start = 0
  end = 0
  bytes = 0
  tornBytes = 0

  constructor(place: PartitionPlace) {
    this.#place = place
  }

  fault(where: string, what: string, hint: string): void {
    this.findings.push({ status: 'fault', where, what, hint })
  }

  warn(where: string, what: string, hint: string): void {
    this.findings.push({ status: 'warning', where, what, hint })
  }

  async segments(bases: readonly number[]): Promise<void> {
    this.start = bases[0]!
    this.end = bases[0]!
    for (const [index, base] of bases.entries()) {
      const path = `${this.#place.folder}/${segmentName(base)}.log`
      try {
        await this.#segment(path, base, bases[index + 1] ?? null)
      } catch (error) {
        if (isMissing(error) && this.#place.running) {
          // Retention took it away, and with it everything before.
          this.start = bases[index + 1] ?? this.end
          continue
        }
        this.fault(path, `it could not be read: ${messageOf(error)}`, 'Check the health and permissions of the disk.')
      }
    }
  }

  /** A log that keeps everything begins at 0. */
  checkStart(first: number): void {
    const { retentionMs, folder } = this.#place
    if (retentionMs !== null || first === 0) return
    const what = `it begins at offset ${first}, and its topic keeps records for ever: those before are gone`
    this.fault(folder, what, restoreHint)
  }

  async #segment(path: string, base: number, nextBase: number | null): Promise<void> {
    const { fileSystem } = this.#place
    const file = await fileSystem.open(path, 'read')
    try {
      const sizeBytes = await file.sizeBytes()
      const index = new SparseIndex(base)
      let position = 0
      const end = await scanSegment(file, { baseOffset: base, sizeBytes }, (batch) => {
        index.add(batch, position)
        position += batch.sizeBytes
        this.#place.onProgress(this.bytes + position)
      })
      this.bytes += sizeBytes
      if (nextBase === null) await this.#newest(path, { file, sizeBytes, end })
      else if (this.#sealed(path, end, nextBase)) await this.#indexes({ path, base }, index, end)
    } finally {
      await file.close()
    }
  }

  /** True when the segment is whole and leads to the next one. */
  #sealed(path: string, end: ScanEnd, nextBase: number): boolean {
    this.end = nextBase
    if (end.damage === null && end.nextOffset === nextBase) return true
    const missing = `offsets ${end.nextOffset} to ${nextBase - 1}`
    if (end.damage !== null) {
      this.fault(path, `damaged at byte ${end.position}: ${end.damage}; ${missing} cannot be read`, restoreHint)
    } else if (end.nextOffset < nextBase) {
      this.fault(path, `it ends at offset ${end.nextOffset}, and the next segment begins at ${nextBase}`, gapHint)
    } else this.fault(path, `it ends at offset ${end.nextOffset}, beyond where the next begins, ${nextBase}`, gapHint)
    return false
  }

  async #newest(path: string, found: { file: File; sizeBytes: number; end: ScanEnd }): Promise<void> {
    const { file, sizeBytes, end } = found
    const { durableEnd, running } = this.#place
    this.end = end.nextOffset
    this.tornBytes = sizeBytes - end.position
    if (end.nextOffset < durableEnd) {
      this.fault(path, `at byte ${end.position}: ${describeLoss(end, durableEnd)}`, restoreHint)
      return
    }
    if (end.damage === null) return
    const tail = await readBytes(file, end.position, this.tornBytes)
    if (holdsLaterGroup(tail, { offset: end.nextOffset })) {
      const what = `damaged at byte ${end.position}: ${end.damage}; later writes follow, so offset ${end.nextOffset} was durable`
      this.fault(path, what, restoreHint)
      return
    }
    if (running) return
    const what = `a torn tail of ${this.tornBytes} bytes after byte ${end.position}, offset ${end.nextOffset}: ${end.damage}`
    this.warn(path, what, 'Nothing to do: the next start cuts it off. Nothing in it was acknowledged.')
  }

  /** The index files must say what the segment says. They are hints, and written again where they are missing. */
  async #indexes(segment: { path: string; base: number }, index: SparseIndex, end: ScanEnd): Promise<void> {
    const { fileSystem, running } = this.#place
    const { offsets, times } = index.encode({ sizeBytes: end.position, records: end.nextOffset - segment.base })
    for (const [ending, expected] of [
      ['index', offsets],
      ['timeindex', times],
    ] as const) {
      const path = segment.path.replace(/log$/, ending)
      const found = await readWhole(fileSystem, path)
      if (found !== null && Buffer.compare(found, expected) === 0) continue
      // A segment that has just been filled gets its index files in a moment.
      if (running && (found === null || found.length < expected.length)) continue
      const version = found === null ? null : SparseIndex.versionOf(found)
      if (found === null) this.warn(path, 'the index file is missing', rebuiltHint)
      else if (version !== SparseIndex.version) {
        this.warn(path, `the index file has format version ${version ?? 'none'}; this release reads 1`, rebuiltHint)
      } else if (SparseIndex.isIntact(found, ending)) {
        this.fault(path, 'the index file is whole, and says something else than its segment', wrongIndexHint)
      } else this.warn(path, 'the index file is damaged', rebuiltHint)
    }
  }
}

const gapHint = `A segment between is missing. ${restoreHint}`
const rebuiltHint = 'Nothing to do: the next start writes it again from the segment.'
const wrongIndexHint = 'Stop the process and delete the file: the next start writes it again from the segment.'

/** Index files whose segment is gone, and whatever else does not belong there. */
function strayIn(folder: string, names: readonly string[]): LogFinding[] {
  const present = new Set(names)
  const findings: LogFinding[] = []
  const others: string[] = []
  for (const name of names) {
    const match = /^(\d{20})\.(log|index|timeindex)$/.exec(name)
    if (match === null) others.push(name)
    else if (!present.has(`${match[1]}.log`)) {
      const what = 'an index file without its segment'
      const hint =
        'After a power cut during the removal of old segments this is harmless, and the next start deletes it. Else a segment was lost: restore the folder from a backup.'
      findings.push({ status: 'warning', where: `${folder}/${name}`, what, hint })
    }
  }
  return [...findings, ...stray(folder, others, () => false)]
}
