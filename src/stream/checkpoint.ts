import { MillraceError } from '../base/faults.ts'
import type { OnlineStore } from '../store/online/online-store.ts'
import { checkpointKey } from './store-keys.ts'

/** Verdicts of one source partition since its first record. `records` is the sum of the next four. */
export type VerdictCounts = {
  records: number
  accepted: number
  duplicate: number
  late: number
  refused: number
  /** Of the duplicates: those whose payload differs from the first one's. */
  conflicts: number
}

/** What became of the accepted events of a stream in one view: `accepted = applied + filtered + unkeyed`. */
export type ViewCounts = { applied: number; filtered: number; unkeyed: number }

/**
 * Everything but the states and ids themselves: written in the same transaction as those. Recovery starts from
 * here and nowhere else.
 */
export type Checkpoint = {
  readonly version: 1
  readonly plan: string
  readonly log: string
  readonly number: number
  readonly sources: readonly SourceProgress[]
  readonly views: Readonly<Record<string, ViewCounts>>
  /** Output topic → end offset per partition; records from there on may belong to work that is done again. */
  readonly outputs: Readonly<Record<string, readonly number[]>>
}

export type SourceProgress = {
  readonly stream: string
  readonly partition: number
  /** Offset of the first record that is not part of this checkpoint. */
  readonly next: number
  readonly watermark: number
  readonly counts: VerdictCounts
}

export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  return Buffer.from(JSON.stringify(checkpoint))
}

/** The last checkpoint, or null in a new store. Throws when it belongs to other definitions or another log. */
export function readCheckpoint(
  store: OnlineStore,
  current: { plan: string; log: string; folder: string },
): Checkpoint | null {
  const bytes = store.get(checkpointKey)
  if (bytes === undefined) return null
  const found = JSON.parse(Buffer.from(bytes).toString()) as Omit<Checkpoint, 'version'> & { version: number }
  if (found.version !== 1) {
    throw new MillraceError('STATE_VERSION_UNKNOWN', { what: 'the checkpoint', version: found.version, supported: 1 })
  }
  for (const what of ['plan', 'log'] as const) {
    if (found[what] !== current[what]) {
      const { folder } = current
      throw new MillraceError('STATE_FOREIGN', { folder, what, stored: found[what], current: current[what] })
    }
  }
  return found as Checkpoint
}
