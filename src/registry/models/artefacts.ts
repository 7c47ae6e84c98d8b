import { MillraceError } from '../../base/faults.ts'
import { sha256 } from '../../base/hash.ts'
import type { Log } from '../../log/log.ts'
import { modelArtefactsTopic } from '../../plan/topics.ts'
import { type Place, readHash, readList, readNumber, readObject, refuse, refuseValue } from '../json-reader.ts'

/** Where an artefact lies in the log: its pieces, in order. */
export type ArtefactPlace = {
  readonly sha256: string
  readonly bytes: number
  /** Offsets in the topic of artefacts. */
  readonly chunks: readonly number[]
}

/** Half of the largest record that every log takes: Kafka's own default is 1 MiB. */
const chunkBytes = 512 * 1024

/** Of one artefact. */
export const artefactBytesMax = 256 * 1024 * 1024

/**
 * Puts an artefact into the log. It lies there, and not in the folder, so that every process that has the log has the
 * model, a backup of the log holds what its registry refers to, and no second store can disagree with it. A push that
 * ends half way leaves pieces that nothing refers to.
 */
export async function putArtefact(log: Log, artefact: Uint8Array, timestampMs: number): Promise<ArtefactPlace> {
  const hash = sha256(artefact)
  await log.createTopic(modelArtefactsTopic, { partitions: 1 })
  const chunks: number[] = []
  for (let from = 0; from < artefact.length; from += chunkBytes) {
    const key = Buffer.from(`${hash}/${chunks.length}`)
    const value = artefact.subarray(from, from + chunkBytes)
    // Each by itself: others may push at the same time.
    chunks.push(await log.append(modelArtefactsTopic, 0, [{ key, value, timestampMs }]))
  }
  return { sha256: hash, bytes: artefact.length, chunks }
}

/** An artefact, whole and with the checksum it was pushed with. Throws `MODEL_ARTEFACT_CORRUPT`. */
export async function readArtefact(log: Log, { sha256: hash, bytes, chunks }: ArtefactPlace): Promise<Uint8Array> {
  const corrupt = (detail: string): MillraceError => new MillraceError('MODEL_ARTEFACT_CORRUPT', { hash, detail })
  if (!log.topics().some(({ topic }) => topic === modelArtefactsTopic))
    throw corrupt(`there is no ${modelArtefactsTopic}`)
  await log.refresh(modelArtefactsTopic)
  const [start, end] = [log.start(modelArtefactsTopic, 0), log.end(modelArtefactsTopic, 0)]
  const parts: Uint8Array[] = []
  for (const offset of chunks) {
    if (offset < start || offset >= end)
      throw corrupt(`record ${offset} is not there: the topic holds ${start} to ${end}`)
    const { records } = await log.read(modelArtefactsTopic, 0, offset, chunkBytes)
    const value = records[0]?.offset === offset ? records[0].value : null
    if (value === null) throw corrupt(`record ${offset} is not there`)
    parts.push(value)
  }
  const artefact = Buffer.concat(parts)
  if (artefact.length !== bytes) throw corrupt(`it has ${artefact.length} bytes in place of ${bytes}`)
  const found = sha256(artefact)
  if (found !== hash) throw corrupt(`its SHA-256 is ${found}`)
  return artefact
}

export function readArtefactPlace(place: Place): ArtefactPlace {
  const found = readObject(place, ['sha256', 'bytes', 'chunks'])
  const bytes = readNumber(found.bytes)
  if (!Number.isSafeInteger(bytes) || bytes < 1 || bytes > artefactBytesMax) refuseValue(found.bytes, 'a size in bytes')
  const chunks = readList(found.chunks, Math.ceil(artefactBytesMax / chunkBytes)).map((one) => {
    const offset = readNumber(one)
    return Number.isSafeInteger(offset) && offset >= 0 ? offset : refuseValue(one, 'an offset')
  })
  if (chunks.length === 0) refuse(found.chunks, 'none', 'at least one offset')
  return { sha256: readHash(found.sha256), bytes, chunks }
}
