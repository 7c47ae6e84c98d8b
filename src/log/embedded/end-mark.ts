import { crc32c } from '../../base/crc32c.ts'
import { canonicalJson } from '../../base/hash.ts'
import { type FileSystem, readWhole, writeAtomically } from './file-system.ts'
import { damaged, parseVersioned } from './topic-file.ts'

/** Topic → how far each partition is known to have been durable: its records below that offset can only be lost by damage. */
export type DurableEnds = ReadonlyMap<string, readonly number[]>

/**
 * `ends.json`, written when a log is closed: how far each partition was durable by then.
 *
 * A torn write and a damaged last group look alike on disk. The mark tells them apart: what is below it was durable
 * once, so recovery must not cut it off. It stays true for ever, because no partition ever gets shorter; a crash later
 * only leaves more beyond it. A log that was never closed has none, and one of an older release has none either.
 */
const fileName = 'ends.json'
const version = 1

export type EndMark = { readonly log: string; readonly ends: DurableEnds }

export async function writeEndMark(fileSystem: FileSystem, folder: string, mark: EndMark): Promise<void> {
  await writeAtomically(fileSystem, { folder, name: fileName }, encodeEndMark(mark))
}

export function encodeEndMark({ log, ends }: EndMark): Uint8Array {
  const content = { version, log, ends: Object.fromEntries([...ends].sort(([a], [b]) => (a < b ? -1 : 1))) }
  return Buffer.from(`${JSON.stringify({ ...content, check: checkOf(content) }, null, 2)}\n`)
}

/** Empty without a mark. Throws `LOG_CORRUPT` when it is damaged or of another log, `LOG_VERSION_UNKNOWN`. */
export async function readEndMark(fileSystem: FileSystem, folder: string, log: string): Promise<DurableEnds> {
  const file = `${folder}/${fileName}`
  const content = await readWhole(fileSystem, file)
  if (content === null) return new Map()
  const { check, ...fields } = parseVersioned(file, content, version)
  const { ends } = fields
  if (check !== checkOf(fields) || !isEnds(ends)) throw damaged(file, `its checksum does not hold; ${wayOut}`)
  if (fields['log'] !== log) throw damaged(file, `it belongs to log ${String(fields['log'])}, not to ${log}; ${wayOut}`)
  return new Map(Object.entries(ends))
}

/** The higher end of each partition: all of them hold. */
export function joinEnds(left: DurableEnds, right: DurableEnds): DurableEnds {
  const joined = new Map(left)
  for (const [topic, ends] of right) {
    const other = joined.get(topic) ?? []
    const count = Math.max(ends.length, other.length)
    joined.set(
      topic,
      Array.from({ length: count }, (_, partition) => Math.max(ends[partition] ?? 0, other[partition] ?? 0)),
    )
  }
  return joined
}

/** Whether a log of these topics has every partition that an end is known of. Throws `LOG_CORRUPT`. */
export function checkTopicsOfEnds(folder: string, ends: DurableEnds, partitionsOf: (topic: string) => number): void {
  for (const [topic, known] of ends) {
    const partitions = partitionsOf(topic)
    if (partitions >= known.length || known.every((end) => end === 0)) continue
    const detail = `topic "${topic}" had ${known.length} partitions when the log was closed, and has ${partitions} now`
    throw damaged(`${folder}/topics/${topic}`, detail)
  }
}

const wayOut = 'without the file the log opens, and does not know how far it was durable'

function checkOf(content: Readonly<Record<string, unknown>>): number {
  return crc32c(Buffer.from(canonicalJson(content)))
}

function isEnds(value: unknown): value is Readonly<Record<string, readonly number[]>> {
  if (typeof value !== 'object' || value === null) return false
  return Object.values(value).every(
    (ends) => Array.isArray(ends) && ends.every((end) => Number.isSafeInteger(end) && end >= 0),
  )
}
