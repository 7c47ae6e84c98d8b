import { extname } from 'node:path'
import { MillraceError } from '../../base/faults.ts'
import type { TableColumn, TableReader, TableWriter } from './table-file.ts'

type TableFormat = {
  readonly openReader: (path: string) => Promise<TableReader>
  readonly openWriter: (path: string, columns: readonly TableColumn[]) => Promise<TableWriter>
}

/** Imported when they are used: most who import millrace open no table, and the packages behind these are large. */
const formats: Readonly<Record<string, TableFormat>> = {
  '.parquet': {
    openReader: async (path) => (await import('./parquet/parquet-reader.ts')).openParquetReader(path),
    openWriter: async (path, columns) => (await import('./parquet/parquet-writer.ts')).openParquetWriter(path, columns),
  },
  '.csv': {
    openReader: async (path) => (await import('./csv/csv-reader.ts')).openCsvReader(path),
    openWriter: async (path, columns) => (await import('./csv/csv-writer.ts')).openCsvWriter(path, columns),
  },
}

/** Opens the adapter that the file's ending names. Throws `FILE_UNREADABLE`. */
export async function openTableReader(path: string): Promise<TableReader> {
  return formatOf(path).openReader(path)
}

/** Throws `FILE_UNREADABLE` for an ending that names no format, and `FILE_WRITE_FAILED`. */
export async function openTableWriter(path: string, columns: readonly TableColumn[]): Promise<TableWriter> {
  return formatOf(path).openWriter(path, columns)
}

function formatOf(path: string): TableFormat {
  const ending = extname(path).toLowerCase()
  const format = Object.hasOwn(formats, ending) ? formats[ending] : undefined
  if (format !== undefined) return format
  const detail = `its ending "${ending}" is not one of ${Object.keys(formats).join(', ')}`
  throw new MillraceError('FILE_UNREADABLE', { file: path, detail })
}
