import type { FeatureStatus } from '../plan/finish-view.ts'

// What writers and readers of the binary format share. docs/VECTORS.md describes it.

/** A client that asks for version 1 gets version 1. */
export const vectorsType = 'application/vnd.millrace.vectors.v1'

/** "MRV" and the version. */
export const vectorsMagic: readonly number[] = [0x4d, 0x52, 0x56, 1]

/** The byte of each status is its index. */
export const statusCodes: readonly FeatureStatus[] = [
  'PRESENT',
  'NULL_VALUE',
  'NOT_FOUND',
  'OUTSIDE_MAX_AGE',
  'WARMING',
]

/** Whether values of a type are written after the doubles of a row, by the name of the type. */
export function isPacked(type: string): boolean {
  return type === 'string' || isList(type)
}

export function isList(type: string): boolean {
  return type.startsWith('list of ')
}

/** Whether the elements of a list are texts; all others are doubles. */
export function isTextList(type: string): boolean {
  return type === 'list of string'
}
