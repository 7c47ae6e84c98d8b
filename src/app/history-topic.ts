import { MillraceError } from '../base/faults.ts'
import type { Header, Log, LogRecord, RecordInput } from '../log/log.ts'
import { historyMark } from '../plan/intake.ts'
import { standsInFor } from '../plan/open-rejections.ts'
import type { StreamPlan } from '../plan/plan.ts'

/** Says of a record of a history which import wrote it, and from which row of which of its files. */
export const importHeader = 'millrace.import'

/** Rows in the order in which they are imported. */
export type RowPlace = { readonly file: number; readonly row: number }

export function isAfter(one: RowPlace, other: RowPlace): boolean {
  return one.file > other.file || (one.file === other.file && one.row > other.row)
}

/** How far a partition of a history has been written. */
export type WrittenPartition = {
  readonly partition: number
  /** The last row that lies in it; null: none does yet. */
  readonly last: RowPlace | null
  /** Whether its end mark is there. */
  readonly marked: boolean
  /** Of its last record: an import that goes on keeps the time at which it was begun. */
  readonly timestampMs: number | null
}

/**
 * Looks where an import stopped, at the last record of each partition. Throws `HISTORY_COMPLETE` and
 * `HISTORY_TOPIC_TAKEN` for a topic that something else was written to.
 *
 * @param id of the import that is to go on.
 */
export async function readWritten(stream: StreamPlan, log: Log, id: string): Promise<WrittenPartition[]> {
  const { topic } = stream.history!
  const partitions = log.topics().find((one) => one.topic === topic)!.partitions
  const tails: (LogRecord | null)[] = []
  for (let partition = 0; partition < partitions; partition++) tails.push(await lastOf(log, topic, partition))
  return tails.map((tail, partition) => {
    if (tail === null) return { partition, last: null, marked: false, timestampMs: null }
    const found = placeIn(tail)
    const marked = isMark(tail)
    if (found?.id !== id) {
      if (found !== null && tails.every((one) => one !== null && isMark(one))) {
        throw new MillraceError('HISTORY_COMPLETE', { stream: stream.name, topic })
      }
      const detail = found === null ? 'something else wrote them' : 'they come from other files or for other fields'
      throw new MillraceError('HISTORY_TOPIC_TAKEN', { topic, detail })
    }
    return { partition, last: found.place, marked, timestampMs: tail.timestampMs }
  })
}

/**
 * The last record of a partition that is no replay of a rejected event: those may come between the rows of an import
 * that is under way. The very last one when there are only such; null when there is none.
 */
async function lastOf(log: Log, topic: string, partition: number): Promise<LogRecord | null> {
  const [start, end] = [log.start(topic, partition), log.end(topic, partition)]
  let found: LogRecord | null = null
  for (let count = 1; found === null && start < end; count *= 64) {
    let newest: LogRecord | null = null
    for (let offset = Math.max(start, end - count); offset < end; ) {
      const { records, next } = await log.read(topic, partition, offset, 1024 * 1024)
      for (const record of records) {
        newest = record
        if (record.offset < end && standsInFor(record.headers) === null) found = record
      }
      offset = next
    }
    if (end - count <= start) return found ?? newest
  }
  return found
}

export function rowRecord(record: Omit<RecordInput, 'headers'>, id: string, place: RowPlace): RecordInput {
  return { ...record, headers: [placeOf(id, place)] }
}

/** Ends a partition: nothing of the history comes after it. */
export function markRecord(id: string, last: RowPlace, timestampMs: number): RecordInput {
  return { key: null, value: null, timestampMs, headers: [[historyMark, new Uint8Array(0)], placeOf(id, last)] }
}

function isMark({ value, headers }: LogRecord): boolean {
  return value === null && headers.some(([name]) => name === historyMark)
}

function placeOf(id: string, { file, row }: RowPlace): Header {
  return [importHeader, Buffer.from(`${id}/${file}/${row}`)]
}

function placeIn({ headers }: LogRecord): { id: string; place: RowPlace } | null {
  const header = headers.find(([name]) => name === importHeader)
  const match = header === undefined ? null : /^([0-9a-f]+)\/(\d+)\/(\d+)$/.exec(Buffer.from(header[1]).toString())
  return match === null ? null : { id: match[1]!, place: { file: Number(match[2]), row: Number(match[3]) } }
}
