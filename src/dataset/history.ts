import { MillraceError } from '../base/faults.ts'
import type { Clock } from '../base/clock.ts'
import type { Log } from '../log/log.ts'
import { Intake } from '../plan/intake.ts'
import type { AcceptedEvent, StreamPlan } from '../plan/plan.ts'
import type { RowValue } from '../schema/decode.ts'
import { pathOf } from '../schema/field.ts'
import type { TableReader } from '../store/offline/table-file.ts'
import { makeFileValueParser } from './file-values.ts'

/** The past of one stream, as accepted events. */
export type History = {
  /** How long it is, in its own unit: rows of files, records of a log. Null when unknown. */
  readonly size: number | null
  /** Hands every accepted event to `accept`, in the order of the source; `onRead` says how far it has come. */
  read(
    accept: (event: AcceptedEvent, source: Coordinates) => void,
    onRead: (count: number) => void,
  ): Promise<HistorySummary>
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
  /** Start and end offset per partition; null for files. */
  readonly prefix: readonly { readonly partition: number; readonly start: number; readonly end: number }[] | null
}

/** Reads files: every distinct id is accepted, the first row of an id wins, a value that does not fit is a fault. */
export function fileHistory(stream: StreamPlan, files: readonly { path: string; table: TableReader }[]): History {
  const names = Object.keys(stream.fields)
  const rowCounts = files.map(({ table }) => table.rowCount)
  return {
    size: rowCounts.includes(null) ? null : rowCounts.reduce<number>((sum, count) => sum + (count ?? 0), 0),
    async read(accept, onRead) {
      const counts = { records: 0, accepted: 0, duplicate: 0 }
      const seen = new Set<RowValue>()
      for (const { path, table } of files) {
        const columns = columnsOf(stream, table, path)
        const parsers = names.map((name) => makeFileValueParser(stream.fields[name]!))
        for await (const batch of table.read(columns.filter((column) => column !== null))) {
          let next = 0
          const sources = columns.map((column) => (column === null ? null : batch.columns[next++]!))
          for (let index = 0; index < batch.rows; index++) {
            const row: RowValue[] = []
            for (let field = 0; field < names.length; field++) {
              const parsed = parsers[field]!(sources[field]?.[index] ?? null)
              if (parsed !== null && typeof parsed === 'object') {
                throw new MillraceError('FILE_VALUE_REFUSED', {
                  file: path,
                  row: counts.records + 1,
                  column: columns[field] ?? names[field]!,
                  ...parsed,
                })
              }
              row.push(parsed)
            }
            counts.records += 1
            const id = stream.id === null ? null : row[stream.id]!
            if (id !== null && seen.size === seen.add(id).size) {
              counts.duplicate += 1
              continue
            }
            counts.accepted += 1
            const tie = id === null ? counts.records : (id as string | number)
            accept({ row, ts: Number(row[stream.time]), tie }, { place: path, partition: 0, offset: counts.records })
          }
          onRead(counts.records)
        }
      }
      return { stream: stream.name, arrival: 'unknown', ...counts, conflicts: null, late: 0, refused: 0, prefix: null }
    },
  }
}

/** The file's column for each field: by the field's name, else by its path; null for an optional one that is absent. */
function columnsOf(stream: StreamPlan, table: TableReader, path: string): (string | null)[] {
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

/** Reads the log up to where it ends now, with the very verdicts of the stream engine. */
export function logHistory(stream: StreamPlan, log: Log, clock: Clock): History {
  const partitions = log.topics().find(({ topic }) => topic === stream.topic)?.partitions ?? 0
  const prefix = Array.from({ length: partitions }, (_, partition) => ({
    partition,
    start: log.start(stream.topic, partition),
    end: log.end(stream.topic, partition),
  }))
  return {
    size: prefix.reduce((sum, { start, end }) => sum + end - start, 0),
    async read(accept, onRead) {
      const counts = { records: 0, accepted: 0, duplicate: 0, conflicts: 0, late: 0, refused: 0 }
      for (const { partition, start, end } of prefix) {
        const intake = new Intake(stream, partition, { watermark: -1, seen: new Map() })
        let offset = start
        while (offset < end) {
          const records = await log.read(stream.topic, partition, offset, 1024 * 1024)
          for (const record of records) {
            if (record.offset >= end) break
            const taken = intake.take(record)
            counts.records += 1
            counts[taken.verdict] += 1
            if (taken.verdict === 'accepted')
              accept(taken.event, { place: stream.topic, partition, offset: record.offset })
            else if (taken.verdict === 'duplicate' && taken.conflict) counts.conflicts += 1
          }
          offset = records.at(-1)!.offset + 1
          onRead(counts.records)
          await clock.turn()
        }
      }
      return { stream: stream.name, arrival: 'as in the log', ...counts, prefix }
    },
  }
}
