import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { CsvError, parse, type Parser } from 'csv-parse'
import { MillraceError, messageOf } from '../../../base/faults.ts'
import type { TableBatch, TableReader, TableValue } from '../table-file.ts'

/** Rows of a batch. */
const batchRows = 8_192

/** Characters of the longest row. Beyond it something is wrong with the quotes, and memory has to end somewhere. */
const rowLengthMax = 16 << 20

type Row = readonly (string | null)[]

/**
 * Reads UTF-8 with a header row; a byte order mark is dropped. An empty field is null, `""` is the empty text, and
 * everything else is text. A row that is longer or shorter than the header is refused, with its number.
 */
export async function openCsvReader(path: string): Promise<TableReader> {
  const columns = await readHeader(path)
  return { columns, rowCount: null, read: (names) => readRows({ path, columns }, names) }
}

type CsvFile = { readonly path: string; readonly columns: readonly string[] }

async function readHeader(path: string): Promise<readonly string[]> {
  for await (const header of rowsOf(path, { firstOnly: true })) {
    const names = header.map((name) => name ?? '')
    const twice = names.find((name, c) => names.indexOf(name) !== c)
    if (names.includes('')) throw unreadable(path, 'its header row has a column without a name')
    if (twice !== undefined) throw unreadable(path, `its header row names column "${twice}" twice`)
    return names
  }
  throw unreadable(path, 'it is empty, without a header row')
}

async function* readRows({ path, columns }: CsvFile, names: readonly string[]): AsyncGenerator<TableBatch> {
  const positions = names.map((name) => {
    const position = columns.indexOf(name)
    if (position !== -1) return position
    const details = { file: path, column: name, what: 'this read', columns: columns.join(', ') }
    throw new MillraceError('FILE_COLUMN_MISSING', details)
  })
  let header = true
  let rows = 0
  let batch: TableValue[][] = positions.map(() => [])
  for await (const row of rowsOf(path, { firstOnly: false, skipEmptyLines: columns.length > 1 })) {
    if (header) {
      header = false
      continue
    }
    for (let c = 0; c < positions.length; c++) batch[c]!.push(row[positions[c]!]!)
    rows += 1
    if (rows < batchRows) continue
    yield { rows, columns: batch }
    rows = 0
    batch = positions.map(() => [])
  }
  if (rows > 0) yield { rows, columns: batch }
}

type RowsOptions = { readonly firstOnly: boolean; readonly skipEmptyLines?: boolean }

/** The rows of a file, its header among them. Closes the file also when the caller stops early. */
async function* rowsOf(path: string, { firstOnly, skipEmptyLines = false }: RowsOptions): AsyncGenerator<Row> {
  const parser = parse({
    bom: true,
    cast: (text, { quoting }) => (text === '' && !quoting ? null : text),
    max_record_size: rowLengthMax,
    record_delimiter: ['\r\n', '\n'],
    // In a file of one column an empty line is a row whose value is null; in any other it is nothing.
    skip_empty_lines: skipEmptyLines,
    ...(firstOnly ? { to: 1 } : {}),
  })
  const abort = new AbortController()
  const piping = pipeline(createReadStream(path), decoded, parser, { signal: abort.signal })
  // The same error reaches the loop below through the parser, and is thrown from there.
  piping.catch(() => {})
  try {
    for await (const row of parser as AsyncIterable<Row>) yield row
  } catch (error) {
    throw unreadable(path, describe(error, parser), error)
  } finally {
    abort.abort()
  }
}

/** Text of UTF-8 bytes. Other encodings are refused here; the parser would put replacement characters. */
async function* decoded(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  for await (const chunk of chunks) yield decoder.decode(chunk, { stream: true })
  yield decoder.decode()
}

function describe(error: unknown, parser: Parser): string {
  if (!(error instanceof CsvError)) return messageOf(error)
  // The header is no row, and the row at fault has not been counted yet.
  return `row ${parser.info.records} (line ${parser.info.lines}): ${messageOf(error)}`
}

function unreadable(file: string, detail: string, cause?: unknown): MillraceError {
  return new MillraceError('FILE_UNREADABLE', { file, detail }, cause === undefined ? {} : { cause })
}
