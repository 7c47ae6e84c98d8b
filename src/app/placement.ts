import type { StreamPlan } from '../plan/plan.ts'
import type { Row } from '../schema/decode.ts'

/** The record's key: the text of the first placement field that has a value; null when none has. */
export function placementOf(stream: StreamPlan, row: Row): Uint8Array | null {
  for (const column of stream.placement) if (row[column] !== null) return Buffer.from(String(row[column]))
  return null
}
