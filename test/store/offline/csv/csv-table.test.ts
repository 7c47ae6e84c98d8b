import { openCsvReader } from '../../../../src/store/offline/csv/csv-reader.ts'
import { openCsvWriter } from '../../../../src/store/offline/csv/csv-writer.ts'
import { describeTableFile } from '../../../conformance/table-file.ts'

describeTableFile({
  name: 'CSV',
  ending: '.csv',
  knownGaps: ['types', 'rowCount'],
  openReader: openCsvReader,
  openWriter: openCsvWriter,
})
