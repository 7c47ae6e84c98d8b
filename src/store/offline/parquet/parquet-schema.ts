import type { SchemaElement } from 'hyparquet'
import type { TableColumn } from '../table-file.ts'

const leaves: Readonly<Record<TableColumn['type'], Omit<SchemaElement, 'name'>>> = {
  string: { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
  // Without the logical type, whose width the library writes in four bytes where the format has one.
  int64: { type: 'INT64', converted_type: 'INT_64' },
  double: { type: 'DOUBLE' },
  boolean: { type: 'BOOLEAN' },
  // Milliseconds, because that is what an instant is here: nothing is lost and nothing is made up.
  timestamp: {
    type: 'INT64',
    converted_type: 'TIMESTAMP_MILLIS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' },
  },
  'list<double>': { type: 'DOUBLE' },
  'list<boolean>': { type: 'BOOLEAN' },
  'list<string>': { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } },
}

/** The schema in preorder, as the footer holds it. Lists have the three levels that the format's own page asks for. */
export function parquetSchemaOf(columns: readonly TableColumn[]): SchemaElement[] {
  return [{ name: 'schema', num_children: columns.length }, ...columns.flatMap(elementsOf)]
}

function elementsOf({ name, type, nullable }: TableColumn): SchemaElement[] {
  const repetition = { repetition_type: nullable ? 'OPTIONAL' : 'REQUIRED' } as const
  if (!type.startsWith('list<')) return [{ name, ...repetition, ...leaves[type] }]
  return [
    { name, ...repetition, num_children: 1, converted_type: 'LIST', logical_type: { type: 'LIST' } },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', repetition_type: 'OPTIONAL', ...leaves[type] },
  ]
}
