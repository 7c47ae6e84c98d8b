import { type Id, IdTable, type SeenId } from '../../src/kernel/id-table.ts'

/** Another table with some ids, put in their order: as a checkpoint keeps those that can still decide a verdict. */
export function idTableOf(ids: Iterable<readonly [Id, SeenId]>, fromTs = 0): IdTable {
  const table = new IdTable()
  for (const [id, seen] of ids) if (seen.ts >= fromTs) table.set(id, seen)
  return table
}
