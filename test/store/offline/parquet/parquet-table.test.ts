import { openParquetReader } from '../../../../src/store/offline/parquet/parquet-reader.ts'
import { openParquetWriter } from '../../../../src/store/offline/parquet/parquet-writer.ts'
import { describeTableFile } from '../../../conformance/table-file.ts'

describeTableFile({
  name: 'Parquet',
  ending: '.parquet',
  knownGaps: [],
  openReader: openParquetReader,
  openWriter: openParquetWriter,
})

// Groups of seven rows, so that batches cross their ends and nulls fall on every place of a level byte.
describeTableFile({
  name: 'Parquet, uncompressed and in small row groups,',
  ending: '.parquet',
  knownGaps: [],
  openReader: openParquetReader,
  openWriter: (path, columns) => openParquetWriter(path, columns, { codec: 'UNCOMPRESSED', rowsPerGroup: 1_007 }),
})
