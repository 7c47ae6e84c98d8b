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

// Groups of an odd size, so that batches cross their ends and nulls fall on every place of a level's byte.
describeTableFile({
  name: 'Parquet, compressed and in small row groups,',
  ending: '.parquet',
  knownGaps: [],
  openReader: openParquetReader,
  openWriter: (path, columns) => openParquetWriter(path, columns, { codec: 'ZSTD', rowsPerGroup: 1_007 }),
})
