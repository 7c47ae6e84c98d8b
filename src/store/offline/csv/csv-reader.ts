import { createReadStream } from 'node:fs'
import { CsvError, type Options, type Parser, parse } from 'csv-parse'
import { MillraceError, messageOf } from '../../../base/faults.ts'
import type { TableBatch, TableReader, TableValue } from '../table-file.ts'

/** Read, parsed and handed on at once: a batch has as many rows as end in a piece. */
const pieceBytes = 1 << 19

/** Characters of the longest row. Beyond it something is wrong with the quotes, and memory has to end somewhere. */
const rowLengthMax = 16 << 20

type Row = readonly (string | null)[]

/**
 * Reads UTF-8 with a header row; a byte order mark is dropped. An empty field is null, `""` is the empty text, and
 * everything else is text. A row that is longer or shorter than the header is refused, with its number.
 */
export async function openCsvReader(path: string): Promise<TableReader> {
  const columns = await readHeader(path)
  return { columns, instants: new Set(), rowCount: null, read: (names) => readRows({ path, columns }, names) }
}

type CsvFile = { readonly path: string; readonly columns: readonly string[] }

async function readHeader(path: string): Promise<readonly string[]> {
  for await (const [header] of rowRuns(path, { to: 1 })) {
    if (header === undefined) continue
    const names = header.map((name) => name ?? '')
    const twice = names.find((name, c) => names.indexOf(name) !== c)
    if (names.includes('')) throw unreadable(path, 'its header row has a column without a name')
    if (twice !== undefined) throw unreadable(path, `its header row names column "${twice}" twice`)
    return names
  }
  throw unreadable(path, 'it is empty, without a header row')
}

async function* readRows(
  { path, columns }: CsvFile,
  names: readonly string[],
): AsyncGenerator<TableBatch<readonly TableValue[]>> {
  const positions = names.map((name) => {
    const position = columns.indexOf(name)
    if (position !== -1) return position
    const details = { file: path, column: name, what: 'this read', columns: columns.join(', ') }
    throw new MillraceError('FILE_COLUMN_MISSING', details)
  })
  // In a file of one column an empty line is a row whose value is null; in any other it is nothing.
  for await (const rows of rowRuns(path, { from: 2, skip_empty_lines: columns.length > 1 })) {
    if (rows.length === 0) continue
    yield { rows: rows.length, columns: positions.map((position): TableValue[] => rows.map((row) => row[position]!)) }
  }
}

/**
 * Runs of rows, each what one piece of the file completes. The parser is fed and emptied by hand: handing on every
 * row through an asynchronous iterator takes longer than parsing it.
 */
async function* rowRuns(path: string, options: Options): AsyncGenerator<readonly Row[]> {
  const parser = parse({
    bom: true,
    cast: (text, { quoting }) => (text === '' && !quoting ? null : text),
    max_record_size: rowLengthMax,
    record_delimiter: ['\r\n', '\n'],
    ...options,
  })
  // Errors are taken from `errored` and from the last loop; without a listener one would end the process.
  parser.on('error', () => {})
  try {
    for await (const text of decoded(createReadStream(path, { highWaterMark: pieceBytes }))) {
      parser.write(text)
      yield emptied(parser)
      if (parser.errored !== null) throw parser.errored
    }
    parser.end()
    const rest: Row[] = []
    for await (const row of parser as AsyncIterable<Row>) rest.push(row)
    yield rest
  } catch (error) {
    throw unreadable(path, describe(error, parser), error)
  } finally {
    parser.destroy()
  }
}

function emptied(parser: Parser): Row[] {
  const rows: Row[] = []
  for (let row = parser.read() as Row | null; row !== null; row = parser.read() as Row | null) rows.push(row)
  return rows
}

/** Text of UTF-8 bytes. Other encodings are refused here; the parser would put replacement characters. */
async function* decoded(pieces: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  for await (const piece of pieces) yield decoder.decode(piece, { stream: true })
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
