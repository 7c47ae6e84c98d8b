import type { Clock } from '../base/clock.ts'
import { MillraceError } from '../base/faults.ts'
import { canonicalJson, sha256, sha256OfFile } from '../base/hash.ts'
import { partitionFor } from '../base/murmur2.ts'
import type { Log, RecordInput } from '../log/log.ts'
import type { StreamPlan } from '../plan/plan.ts'
import { eventBytesMax, type Refusal } from '../schema/decode.ts'
import { openTableReader } from '../store/offline/open-table.ts'
import type { TableReader } from '../store/offline/table-file.ts'
import { type FileEvent, fileEvents } from './file-events.ts'
import { isAfter, markRecord, readWritten, type RowPlace, rowRecord, type WrittenPartition } from './history-topic.ts'
import { placementOf } from './placement.ts'

export type ImportOptions = {
  readonly log: Log
  readonly clock: Clock
  /** Partitions of the history's topic, if neither it nor the stream's own topic exists yet. */
  readonly partitions: number
  /** Whether rows that the stream refuses go into its history all the same, and so to the dead letters. */
  readonly keepRefused?: boolean
  /** Appended at once, to all partitions together. Default: 10,000. */
  readonly batchRows?: number
  readonly onProgress?: (progress: { phase: string; done: number; total: number | null }) => void
}

/** What an import did. Its rows are those of all runs that it took. */
export type ImportedStream = {
  readonly stream: string
  readonly topic: string
  readonly files: readonly { readonly file: string; readonly sha256: string; readonly rows: number }[]
  readonly rows: number
  /** Rows that the stream refuses: they are in the dead-letter-queue once the engine has read them. */
  readonly refused: number
  /** Rows from outside of the declared span: late, and so in late-events. */
  readonly outside: number
  /** Rows that were in the topic already, from an earlier run. */
  readonly found: number
}

type ImportFile = { readonly path: string; readonly sha256: string; readonly table: TableReader }

/** What every step of one import needs. */
type Import = ImportOptions & {
  readonly stream: StreamPlan
  readonly files: readonly ImportFile[]
  /** Of everything that the records depend on: the files' contents, in order, and how they become events. */
  readonly id: string
  readonly timestampMs: number
}

/**
 * Imports the history of a stream from files into its topic in the log: every row becomes the event that it would have
 * been, in the partition in which it would have been placed, in the order of the files; then a mark ends each partition.
 *
 * It can be interrupted anywhere: run again with the same files, it goes on after the last row of each partition, and
 * the topic then holds what one run would have written. When it is complete, the same import does nothing, and any
 * other is refused. Rows that the stream would refuse stop it before anything is written, unless they are to be kept.
 *
 * Throws `HISTORY_UNDECLARED`, `HISTORY_COMPLETE`, `HISTORY_TOPIC_TAKEN`, `HISTORY_ROWS_REFUSED` and what reading
 * files throws.
 */
export async function importHistory(
  stream: StreamPlan,
  paths: readonly string[],
  options: ImportOptions,
): Promise<ImportedStream> {
  const { log, clock, onProgress } = options
  if (stream.history === null) throw new MillraceError('HISTORY_UNDECLARED', { stream: stream.name })
  onProgress?.({ phase: `reading the files of ${stream.name}`, done: 0, total: paths.length })
  const files = await openFiles(paths)
  const id = importId(stream, files)
  const isThere = log.topics().some(({ topic }) => topic === stream.history!.topic)
  const written = isThere ? await readWritten(stream, log, id) : []
  const begun = written.find(({ timestampMs }) => timestampMs !== null)
  const job: Import = { ...options, stream, files, id, timestampMs: begun?.timestampMs ?? clock.now() }
  // What was begun was looked at before, with the same outcome.
  if (begun === undefined) await refuseBadRows(job)
  if (!isThere) await createTopic(job)
  const report = await writeRows(job, isThere ? written : await readWritten(stream, log, id))
  return report
}

async function openFiles(paths: readonly string[]): Promise<ImportFile[]> {
  const files: ImportFile[] = []
  for (const path of paths) {
    const file = { path, sha256: await sha256OfReadable(path), table: await openTableReader(path) }
    const twin = files.find((one) => one.sha256 === file.sha256)
    if (twin !== undefined) {
      const detail = twin.path === path ? `${path} is given twice` : `${twin.path} and ${path} hold the same`
      throw new MillraceError('REQUEST_MALFORMED', { detail, allowed: 'Give each file once.' })
    }
    files.push(file)
  }
  if (files.length > 0) return files
  throw new MillraceError('REQUEST_MALFORMED', { detail: 'there is no file to import', allowed: 'Give at least one.' })
}

/** A file that is not there is reported by its reader, which knows how. */
async function sha256OfReadable(path: string): Promise<string> {
  await openTableReader(path)
  return await sha256OfFile(path)
}

const importVersion = 1

function importId({ fields, placement, keyColumns }: StreamPlan, files: readonly ImportFile[]): string {
  const content = { importVersion, fields: Object.entries(fields), placement, keyColumns }
  return sha256(canonicalJson({ ...content, files: files.map((file) => file.sha256) })).slice(0, 16)
}

async function createTopic({ stream, log, partitions }: Import): Promise<void> {
  const live = log.topics().find(({ topic }) => topic === stream.topic)
  await log.createTopic(stream.history!.topic, { partitions: live?.partitions ?? partitions })
}

const reasonsMax = 20

/** Looks at every row before anything is written: what was written could not be taken back. */
async function refuseBadRows(job: Import): Promise<void> {
  const { stream, keepRefused, onProgress } = job
  const lines: string[] = []
  let [rows, refused] = [0, 0]
  for await (const { file, events } of allEvents(job)) {
    for (const { row, value, inspected } of events) {
      rows += 1
      if ('row' in inspected) continue
      if (value.length > eventBytesMax) {
        const details = {
          column: '(all of them)',
          came: `${value.length} bytes`,
          allowed: `at most ${eventBytesMax} bytes`,
        }
        throw new MillraceError('FILE_VALUE_REFUSED', { file: file.path, row, ...details })
      }
      refused += 1
      if (lines.length < reasonsMax) lines.push(...reasonsOf(inspected.refusals, `${file.path} row ${row}`))
    }
    onProgress?.({ phase: `checking ${stream.name}`, done: rows, total: totalOf(job) })
  }
  if (refused === 0 || keepRefused === true) return
  const shown = lines.slice(0, reasonsMax)
  if (refused > shown.length) shown.push('  …')
  throw new MillraceError('HISTORY_ROWS_REFUSED', { stream: stream.name, count: refused, rows, list: shown.join('\n') })
}

function reasonsOf(refusals: readonly Refusal[], place: string): string[] {
  return refusals.map(({ code, path, came, allowed }) => `  ${place}: ${path} ${code}: ${came}, allowed ${allowed}`)
}

/** A batch with large rows ends sooner. */
const batchBytesMax = 4 * 1024 * 1024

async function writeRows(job: Import, written: readonly WrittenPartition[]): Promise<ImportedStream> {
  const { stream, log, id, timestampMs, onProgress } = job
  const { topic, fromMs, untilMs } = stream.history!
  const counts = { rows: 0, refused: 0, outside: 0, found: 0 }
  const rowsOf = job.files.map(() => 0)
  let batch = new Batch(job, written.length)
  for await (const { file, number, events } of allEvents(job)) {
    for (const { row, value, inspected } of events) {
      counts.rows += 1
      rowsOf[number]! += 1
      if (!('row' in inspected)) counts.refused += 1
      else if (inspected.ts < (fromMs ?? 0) || inspected.ts >= untilMs) counts.outside += 1
      const key = 'row' in inspected ? placementOf(stream, inspected.row) : null
      const partition = written[partitionFor(key ?? value, written.length)]!
      const place = { file: number, row }
      if (partition.marked || (partition.last !== null && !isAfter(place, partition.last))) {
        counts.found += 1
        continue
      }
      batch.add(partition.partition, rowRecord({ key, value, timestampMs }, id, place))
      if (!batch.isFull) continue
      await batch.append()
      batch = new Batch(job, written.length)
      onProgress?.({ phase: `importing ${file.path}`, done: counts.rows, total: totalOf(job) })
    }
  }
  await batch.append()
  // Only now, when every row is durable.
  const last: RowPlace = { file: job.files.length - 1, row: rowsOf.at(-1)! }
  for (const { partition, marked } of written) {
    if (!marked) await log.append(topic, partition, [markRecord(id, last, timestampMs)])
  }
  const files = job.files.map(({ path, sha256: hash }, number) => ({ file: path, sha256: hash, rows: rowsOf[number]! }))
  return { stream: stream.name, topic, files, ...counts }
}

/** Rows for the partitions of a topic, appended together. */
class Batch {
  readonly #log: Log
  readonly #topic: string
  readonly #rowsMax: number
  readonly #records: RecordInput[][]
  #bytes = 0
  #rows = 0

  constructor({ log, stream, batchRows = 10_000 }: Import, partitions: number) {
    this.#log = log
    this.#topic = stream.history!.topic
    this.#rowsMax = batchRows
    this.#records = Array.from({ length: partitions }, () => [])
  }

  get isFull(): boolean {
    return this.#bytes >= batchBytesMax || this.#rows >= this.#rowsMax
  }

  add(partition: number, record: RecordInput): void {
    this.#records[partition]!.push(record)
    this.#bytes += record.value?.length ?? 0
    this.#rows += 1
  }

  /** Resolves when all of it is durable. */
  async append(): Promise<void> {
    const appended = this.#records.map(async (records, partition) => {
      if (records.length > 0) await this.#log.append(this.#topic, partition, records)
    })
    // All of them, also when one has failed: nothing may be under way when the caller is told.
    for (const outcome of await Promise.allSettled(appended)) if (outcome.status === 'rejected') throw outcome.reason
  }
}

async function* allEvents({
  stream,
  files,
  timestampMs,
  clock,
}: Import): AsyncGenerator<{ file: ImportFile; number: number; events: readonly FileEvent[] }> {
  for (const [number, file] of files.entries()) {
    for await (const events of fileEvents(stream, { ...file, timestampMs })) {
      yield { file, number, events }
      await clock.turn()
    }
  }
}

function totalOf({ files }: Import): number | null {
  let total = 0
  for (const { table } of files) {
    if (table.rowCount === null) return null
    total += table.rowCount
  }
  return total
}
