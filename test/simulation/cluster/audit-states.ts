import type { LogRecord } from '../../../src/log/log.ts'
import { Digest, emptyDigest } from '../../../src/stream/cluster/digest.ts'
import { nameOfKey, StateReader } from '../../../src/stream/cluster/state-reader.ts'
import { readStateRecord } from '../../../src/stream/cluster/state-record.ts'
import type { Sometimes } from '../sometimes.ts'

/**
 * Reads one partition of a state topic, in which nothing was compacted, and gives the offset of the first commit that
 * counts and is not of the entries that count by then; null: there is none. Counts what owners do to one another,
 * without which a run says little.
 */
export function auditStates(
  { topic, records }: { readonly topic: string; readonly records: readonly LogRecord[] },
  sometimes: Sometimes,
): number | null {
  const reader = new StateReader(topic, null)
  const entries = new Map<string, Uint8Array>()
  const digest = new Digest(emptyDigest)
  let [epoch, uncommitted, wrong] = [-1, 0, null as number | null]
  for (const record of records) {
    const read = readStateRecord(record, topic)
    if (read.kind === 'fence') {
      epoch = record.offset
      if (uncommitted > 0) sometimes.count('a checkpoint was cut off')
      uncommitted = 0
    } else {
      sometimes.count(read.kind)
      if (read.epoch !== epoch) sometimes.count(`a stale ${read.kind}`)
      else if (read.kind === 'commit') uncommitted = 0
      else uncommitted += 1
    }
    const checkpoint = reader.take(record)
    if (checkpoint === null) continue
    for (const [key, value] of checkpoint.changes) {
      const name = nameOfKey(key)
      digest.change(key, entries.get(name), value)
      if (value === null) entries.delete(name)
      else entries.set(name, value)
    }
    if (digest.value.digest !== checkpoint.commit.digest) wrong ??= record.offset
  }
  for (const name of reader.touched.keys()) if (entries.has(name)) sometimes.count('what counts was written over')
  return wrong
}
