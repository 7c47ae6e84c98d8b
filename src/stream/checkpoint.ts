import { MillraceError } from '../base/faults.ts'
import type { FirstRetained } from '../plan/coverage.ts'
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

/**
 * What became of the accepted events of a stream in one view:
 * `accepted = applied + filtered + unkeyed + forgotten + before`.
 */
export type ViewCounts = {
  applied: number
  filtered: number
  unkeyed: number
  /** Of keys that were to be forgotten. */
  forgotten: number
  /** Accepted, but gone from the log by retention before the view was built from it. */
  before: number
}

/**
 * Everything but the states and ids themselves: written in the same transaction as those. Recovery starts from
 * here and nowhere else.
 */
export type Checkpoint = {
  readonly version: 2
  readonly log: string
  readonly number: number
  /** Hash of the plan that is served, and of the one before it, whose views are kept up for a rollback. */
  readonly plan: string
  readonly previous: string | null
  readonly tracks: readonly TrackProgress[]
  /** Numbers of tracks are not given twice: what an abandoned one left behind must not be taken for another's. */
  readonly tracksMade: number
  /** By the view's fingerprint. */
  readonly views: Readonly<Record<string, ViewCounts>>
  /** By the view's fingerprint, for those that were begun when the beginning of their topic was gone. */
  readonly cutOff?: Readonly<Record<string, FirstRetained>>
  /** How many records of the topic of forgotten entities have had their effect. */
  readonly forgotten: number
  /** Output topic → end offset per partition; records from there on may belong to work that is done again. */
  readonly outputs: Readonly<Record<string, readonly number[]>>
}

export type TrackProgress = {
  readonly track: number
  /** Fingerprint of the stream. */
  readonly stream: string
  /** For people: what the stream was called. */
  readonly name: string
  /** Still on its way to where the others are. */
  readonly building: boolean
  readonly sources: readonly SourceProgress[]
  /** Fingerprints of the views that its events are folded into. */
  readonly views: readonly string[]
}

export type SourceProgress = {
  readonly topic: string
  readonly partition: number
  /** Offset of the first record that is not part of this checkpoint. */
  readonly next: number
  readonly watermark: number
  /** Rejections from this offset on go to the output topics; null: none do. */
  readonly emitFrom: number | null
  readonly counts: VerdictCounts
}

export const checkpointVersion = 2

export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  return Buffer.from(JSON.stringify(checkpoint))
}

/** The last checkpoint, or null in a new store. Throws when it belongs to another log or is of another version. */
export function readCheckpoint(store: OnlineStore, current: { log: string; folder: string }): Checkpoint | null {
  const bytes = store.get(checkpointKey)
  if (bytes === undefined) return null
  const found = JSON.parse(Buffer.from(bytes).toString()) as Omit<Checkpoint, 'version'> & { version: number }
  if (found.version !== checkpointVersion) {
    const details = {
      what: `the checkpoint in ${current.folder}`,
      version: found.version,
      supported: checkpointVersion,
    }
    throw new MillraceError('STATE_VERSION_UNKNOWN', details)
  }
  if (found.log !== current.log) {
    const { folder, log } = current
    throw new MillraceError('STATE_FOREIGN', { folder, what: 'log', stored: found.log, current: log })
  }
  return found as Checkpoint
}
