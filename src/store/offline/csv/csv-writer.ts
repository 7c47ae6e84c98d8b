import { assert, unreachable } from '../../../base/assert.ts'
import { checkBatch } from '../check-batch.ts'
import { PartialFile } from '../partial-file.ts'
import type { TableBatch, TableColumn, TableColumnValues, TableValue, TableWriter } from '../table-file.ts'

/** Characters collected before they go to the file. */
const textLengthMax = 1 << 20

/**
 * RFC 4180: a header, CRLF, quotes where they are needed. Null is an empty field and the empty text `""`; a timestamp
 * is ISO 8601 in UTC, a list is JSON text.
 */
export async function openCsvWriter(path: string, columns: readonly TableColumn[]): Promise<TableWriter> {
  assert(columns.length > 0, 'a CSV file has a column')
  return new CsvTableWriter({ path, columns, file: await PartialFile.create(path) })
}

class CsvTableWriter implements TableWriter {
  readonly #path: string
  readonly #columns: readonly TableColumn[]
  readonly #file: PartialFile
  readonly #encoder = new TextEncoder()
  #text: string
  #rows = 0

  constructor({ path, columns, file }: { path: string; columns: readonly TableColumn[]; file: PartialFile }) {
    this.#path = path
    this.#columns = columns
    this.#file = file
    this.#text = `${columns.map(({ name }) => quoted(name)).join(',')}\r\n`
  }

  async write(batch: TableBatch): Promise<void> {
    checkBatch(this.#columns, batch, { path: this.#path, rowsBefore: this.#rows })
    for (let r = 0; r < batch.rows; r++) {
      for (let c = 0; c < this.#columns.length; c++) {
        this.#text += `${c === 0 ? '' : ','}${field(valueOf(batch.columns[c]!, r), this.#columns[c]!.type)}`
      }
      this.#text += '\r\n'
      if (this.#text.length >= textLengthMax) await this.#flush()
    }
    this.#rows += batch.rows
  }

  async close(): Promise<void> {
    await this.#flush()
    await this.#file.publish()
  }

  async #flush(): Promise<void> {
    const bytes = this.#encoder.encode(this.#text)
    this.#text = ''
    await this.#file.append(bytes)
  }
}

function valueOf(values: TableColumnValues, r: number): TableValue {
  const value = values[r]!
  return values instanceof Float64Array && Number.isNaN(value) ? null : value
}

function field(value: TableValue, type: TableColumn['type']): string {
  if (value === null) return ''
  switch (type) {
    case 'string':
      return quoted(value as string)
    case 'int64':
    case 'double':
    case 'boolean':
      return String(value)
    case 'timestamp':
      return new Date(value as number).toISOString()
    case 'list<double>':
    case 'list<boolean>':
    case 'list<string>':
      return quoted(JSON.stringify(value))
    default:
      return unreachable(type)
  }
}

/** Quotes also what a reader might trim or take for a null. */
function quoted(text: string): string {
  return text === '' || /[",\r\n]|^\s|\s$|^\ufeff/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
