import { MillraceError } from '../base/faults.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../log/log.ts'
import { coveredFrom, coveredFromTheStart, firstRetained } from '../plan/coverage.ts'
import { Intake, type SourceKind } from '../plan/intake.ts'
import type { AcceptedEvent, StreamPlan } from '../plan/plan.ts'
import { pathOf } from '../schema/field.ts'
import type { TableBatch, TableReader } from '../store/offline/table-file.ts'
import { numbersFrom, parseFileColumn } from './file-values.ts'
import { IdSet } from './id-set.ts'
import { rowValue } from './partitions/key-column.ts'
import { columnKind } from './partitions/partition-layout.ts'
import { type BatchColumn, type ColumnKind, makeColumn } from './partitions/row-batch.ts'
import { IdTable } from '../kernel/id-table.ts'

/** The past of one stream, as accepted events. */
export type History = {
  /** How long it is, in its own unit: rows of files, records of a log. Null when unknown. */
  readonly size: number | null
  /**
   * Hands every accepted event to `accept`, in the order of the source; `onRead` says how far it has come. The
   * coordinates are one object for all events: copy what is to outlive the call.
   */
  read(
    accept: (event: AcceptedEvent, source: Coordinates) => void,
    onRead: (count: number) => void,
  ): Promise<HistorySummary>
  /** The same, many at once, where the source has them in columns. */
  readBatches?(accept: (batch: AcceptedBatch) => void, onRead: (count: number) => void): Promise<HistorySummary>
}

/** Rows of a file as events, in columns. */
export type AcceptedBatch = {
  readonly rows: number
  /** By field of the stream. */
  readonly columns: readonly BatchColumn[]
  readonly ts: Float64Array
  readonly ties: BatchColumn
  /** The rows that are accepted; null: all of them. */
  readonly accepted: Int32Array | null
  /** Where the batch lies: its rows count from `firstRow` on, which counts from 1. */
  readonly place: { readonly path: string; readonly firstRow: number }
}

/** Where an event lies: partition and offset of its topic, or file and row (from 1). */
export type Coordinates = { readonly place: string; readonly partition: number; readonly offset: number }

/** What went into a training set: written into its manifest. */
export type HistorySummary = {
  readonly stream: string
  /** Files have no order of arrival: no event of theirs is late. */
  readonly arrival: 'unknown' | 'as in the log'
  readonly records: number
  readonly accepted: number
  readonly duplicate: number
  /** Duplicates whose payload differs from the first one's; null where that is not looked at (files). */
  readonly conflicts: number | null
  readonly late: number
  readonly refused: number
  /** Start and end offset per partition of the stream's own topic; null for files. */
  readonly prefix: Prefix | null
  /** What of the above came from the stream's history, before the hand-over point; null where there is none. */
  readonly imported: ImportedHistory | null
  /** First instant from which on every event is known; null: from the first that ever was. */
  readonly coveredFromMs: number | null
}

type Prefix = readonly { readonly partition: number; readonly start: number; readonly end: number }[]

export type ImportedHistory = Counts & {
  readonly topic: string
  /** Whether all of it is there: `millrace bootstrap` has ended. */
  readonly complete: boolean
  readonly prefix: Prefix
}

type Counts = {
  readonly records: number
  readonly accepted: number
  readonly duplicate: number
  readonly conflicts: number
  readonly late: number
  readonly refused: number
}

export type HistoryFile = { readonly path: string; readonly table: TableReader }

/** Reads files: every distinct id is accepted, the first row of an id wins, a value that does not fit is a fault. */
export function fileHistory(stream: StreamPlan, files: readonly HistoryFile[]): History {
  const rowCounts = files.map(({ table }) => table.rowCount)
  const kinds = Object.values(stream.fields).map(({ kind }) => kind)
  const readBatches: NonNullable<History['readBatches']> = async (accept, onRead) => {
    const counts = { records: 0, accepted: 0, duplicate: 0 }
    const seen = stream.id === null ? null : new IdSet()
    for (const { path, table } of files) {
      const columns = columnsOf(stream, table, path)
      const recordsBefore = counts.records
      for await (const batch of numbersFrom(
        table,
        columns.filter((column) => column !== null),
      )) {
        const place = { path, firstRow: counts.records - recordsBefore + 1 }
        const parsed = parseColumns(stream, { table, columns, batch, place })
        const accepted = seen === null ? null : seen.addAll(parsed[stream.id!]!, batch.rows)
        const ties = stream.id === null ? countingFrom(counts.records + 1, batch.rows) : parsed[stream.id]!
        counts.records += batch.rows
        counts.accepted += accepted?.length ?? batch.rows
        counts.duplicate += batch.rows - (accepted?.length ?? batch.rows)
        accept({ rows: batch.rows, columns: parsed, ts: parsed[stream.time] as Float64Array, ties, accepted, place })
        onRead(counts.records)
      }
    }
    const none = { conflicts: null, late: 0, refused: 0, prefix: null, imported: null, coveredFromMs: null }
    return { stream: stream.name, arrival: 'unknown', ...counts, ...none }
  }
  return {
    size: rowCounts.includes(null) ? null : rowCounts.reduce<number>((sum, count) => sum + (count ?? 0), 0),
    readBatches,
    read: (accept, onRead) =>
      readBatches(({ rows, columns, ts, ties, accepted, place: { path: place, firstRow } }) => {
        const source = { place, partition: 0, offset: 0 }
        for (let index = 0; index < (accepted?.length ?? rows); index++) {
          const at = accepted === null ? index : accepted[index]!
          source.offset = firstRow + at
          const row = kinds.map((kind, field) => rowValue(kind, columns[field]!, at))
          accept({ row, ts: ts[at]!, tie: ties[at]! }, source)
        }
      }, onRead),
  }
}

function countingFrom(first: number, count: number): Float64Array {
  const numbers = new Float64Array(count)
  for (let index = 0; index < count; index++) numbers[index] = first + index
  return numbers
}

type FileBatch = {
  readonly table: TableReader
  /** The file's column of each field; null: it has none. */
  readonly columns: readonly (string | null)[]
  readonly batch: TableBatch
  readonly place: { readonly path: string; readonly firstRow: number }
}

function parseColumns(stream: StreamPlan, { table, columns, batch, place }: FileBatch): BatchColumn[] {
  let next = 0
  return Object.values(stream.fields).map((field, index): BatchColumn => {
    const column = columns[index]!
    if (column === null) return nullColumn(columnKind(field.kind), batch.rows)
    const { path: file, firstRow } = place
    return parseFileColumn(batch.columns[next++]!, {
      field,
      holdsInstants: table.instants.has(column),
      place: { file, column, firstRow },
    })
  })
}

function nullColumn(kind: ColumnKind, rows: number): BatchColumn {
  const column = makeColumn(kind, rows)
  return column instanceof Float64Array ? column.fill(Number.NaN) : column
}

/** The file's column for each field: by the field's name, else by its path; null for an optional one that is absent. */
export function columnsOf(stream: StreamPlan, table: TableReader, path: string): (string | null)[] {
  return Object.entries(stream.fields).map(([name, field]) => {
    const found = [name, pathOf(name, field)].find((column) => table.columns.includes(column))
    if (found !== undefined) return found
    if (field.presence === 'optional') return null
    throw new MillraceError('FILE_COLUMN_MISSING', {
      file: path,
      column: name,
      what: `stream "${stream.name}"`,
      columns: table.columns.join(', '),
    })
  })
}

export type LogHistoryOptions = {
  readonly clock: Clock
  /** Next offset per partition, such as a vector's prefix: nothing from there on is read. Default: where the log ends now. */
  readonly prefix?: readonly number[]
  /** The same of the topic that holds the stream's history. */
  readonly historyPrefix?: readonly number[]
}

/**
 * Reads the log up to a prefix, with the very verdicts of the stream engine: a verdict follows from what lies before
 * its record, so a shorter prefix never changes one. What was imported from before the hand-over point comes first.
 * Throws `LOG_OFFSET_OUT_OF_RANGE` and `REQUEST_MALFORMED` for a prefix that is not one of this log.
 */
export function logHistory(stream: StreamPlan, log: Log, options: LogHistoryOptions): History {
  const { clock } = options
  const topics = log.topics()
  const past = stream.history
  // A history that nothing was imported into yet may have no topic; once one is, there may be no event by the topic.
  const exists = (topic: string): boolean => topics.some((one) => one.topic === topic)
  const hasImported = past !== null && (options.historyPrefix !== undefined || exists(past.topic))
  const imported = hasImported ? { topic: past.topic, prefix: prefixOf(past.topic, log, options.historyPrefix) } : null
  const isEmpty = imported !== null && options.prefix === undefined && !exists(stream.topic)
  const live = { topic: stream.topic, prefix: isEmpty ? [] : prefixOf(stream.topic, log, options.prefix) }
  const sizeOf = ({ prefix }: LogSource): number => prefix.reduce((sum, { start, end }) => sum + end - start, 0)
  return {
    size: sizeOf(live) + (imported === null ? 0 : sizeOf(imported)),
    async read(accept, onRead) {
      let read = 0
      const readAll = (source: LogSource, kind: SourceKind) =>
        readSource({ stream, log, kind, ...source }, accept, async (count) => {
          read += count
          onRead(read)
          await clock.turn()
        })
      const retained = await firstRetained(log, live.topic, live.prefix.length)
      const first = imported === null ? null : await readAll(imported, 'history')
      const second = await readAll(live, 'live')
      const from = coveredFrom(stream, { live: retained, historyComplete: first?.complete === true })
      return {
        stream: stream.name,
        arrival: 'as in the log',
        ...sumOf(first?.counts ?? makeCounts(), second.counts),
        prefix: live.prefix,
        imported: first === null ? null : { ...imported!, ...first.counts, complete: first.complete },
        coveredFromMs: from === coveredFromTheStart ? null : from,
      }
    },
  }
}

type LogSource = { readonly topic: string; readonly prefix: Prefix }
type SourceReading = LogSource & { readonly stream: StreamPlan; readonly log: Log; readonly kind: SourceKind }

/** @param onRead told how many records more were read; what it returns is awaited. */
async function readSource(
  { stream, log, kind, topic, prefix }: SourceReading,
  accept: Parameters<History['read']>[0],
  onRead: (count: number) => Promise<void>,
): Promise<{ readonly counts: Counts; readonly complete: boolean }> {
  const counts = makeCounts()
  let complete = true
  for (const { partition, start, end } of prefix) {
    const intake = new Intake(stream, partition, { watermark: -1, seen: new IdTable(), source: kind })
    let offset = start
    while (offset < end) {
      const { records, next } = await log.read(topic, partition, offset, 1024 * 1024)
      for (const record of records) {
        if (record.offset >= end) break
        if (intake.takeMark(record)) continue
        const taken = intake.take(record)
        counts.records += 1
        counts[taken.verdict] += 1
        if (taken.verdict === 'accepted') accept(taken.event, { place: topic, partition, offset: record.offset })
        else if (taken.verdict === 'duplicate' && taken.conflict) counts.conflicts += 1
      }
      await onRead(Math.min(next, end) - offset)
      offset = next
    }
    complete &&= intake.complete
  }
  return { counts, complete }
}

type MutableCounts = { -readonly [Name in keyof Counts]: Counts[Name] }

function makeCounts(): MutableCounts {
  return { records: 0, accepted: 0, duplicate: 0, conflicts: 0, late: 0, refused: 0 }
}

function sumOf(one: Counts, other: Counts): Counts {
  const sum = makeCounts()
  for (const name of Object.keys(sum) as (keyof Counts)[]) sum[name] = one[name] + other[name]
  return sum
}

function prefixOf(topic: string, log: Log, ends: readonly number[] | undefined): Prefix {
  const topics = log.topics()
  const partitions = topics.find((one) => one.topic === topic)?.partitions
  // An empty history would look like a set in which nothing ever happened.
  if (partitions === undefined) {
    throw new MillraceError('LOG_TOPIC_UNKNOWN', { topic, topics: topics.map((one) => one.topic).join(', ') || 'none' })
  }
  if (ends !== undefined && ends.length !== partitions) {
    throw new MillraceError('REQUEST_MALFORMED', {
      detail: `the prefix of topic "${topic}" has ${ends.length} offsets`,
      allowed: `Give one next offset for each of its ${partitions} partitions.`,
    })
  }
  return Array.from({ length: partitions }, (_, partition) => {
    const start = log.start(topic, partition)
    const end = log.end(topic, partition)
    const offset = ends?.[partition] ?? end
    if (!Number.isSafeInteger(offset) || offset < start || offset > end) {
      throw new MillraceError('LOG_OFFSET_OUT_OF_RANGE', { topic, partition, offset, start, end })
    }
    return { partition, start, end: offset }
  })
}
