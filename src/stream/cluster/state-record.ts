import { MillraceError } from '../../base/faults.ts'
import type { LogRecord, RecordInput } from '../../log/log.ts'
import type { StoreChange } from '../../store/online/online-store.ts'

/**
 * The three kinds of records of a state topic. A *fence* begins an ownership: its offset is the owner's epoch. An
 * *entry* is a change of the owner's store, null for a deletion. A *commit* ends a checkpoint. Entries and commits say
 * of which epoch they are.
 */
export type StateRecord =
  | { readonly kind: 'fence' }
  | { readonly kind: 'entry'; readonly epoch: number; readonly change: StoreChange }
  | { readonly kind: 'commit'; readonly epoch: number; readonly commit: Commit | null }

/** What a checkpoint says of itself: everything but the entries. */
export type Commit = {
  readonly version: 1
  readonly epoch: number
  /** Counted from 1 in each epoch. */
  readonly number: number
  /** Names what the entries depend on: streams and views by their fingerprints. */
  readonly work: string
  /** Where the input goes on. */
  readonly next: number
  /** Of all entries of the store, in the end. */
  readonly digest: string
  readonly entries: number
  /** Output topic → end offset per partition; records from there on may belong to work that is done again. */
  readonly outputs: Readonly<Record<string, readonly number[]>>
  readonly progress: unknown
}

export const commitVersion = 1

const epochHeader = 'millrace.epoch'
/** No key of an entry begins with this: theirs begin with a byte for their kind. */
const tilde = 0x7e
const [fenceKey, commitKey] = ['~fence/', '~commit/']

/** @param name nobody else has it: a fence is never compacted away, nor takes another's place. */
export function fenceRecord(name: string, timestampMs: number): RecordInput {
  return { key: Buffer.from(fenceKey + name), value: Buffer.from(name), timestampMs }
}

export function entryRecord([key, value]: StoreChange, epoch: Uint8Array, timestampMs: number): RecordInput {
  return { key, value, timestampMs, headers: [[epochHeader, epoch]] }
}

/** A key of its own each: what a stale owner commits takes the place of nothing. */
export function commitRecord(commit: Commit, timestampMs: number): RecordInput {
  const value = Buffer.from(JSON.stringify(commit))
  const { epoch, number } = commit
  return { key: keyOfCommit(epoch, number), value, timestampMs, headers: [[epochHeader, epochBytes(epoch)]] }
}

/** Lets compaction remove a commit that later ones have made needless. */
export function commitDeletion(epoch: number, number: number, timestampMs: number): RecordInput {
  return { key: keyOfCommit(epoch, number), value: null, timestampMs, headers: [[epochHeader, epochBytes(epoch)]] }
}

export function epochBytes(epoch: number): Uint8Array {
  return Buffer.from(String(epoch))
}

/** Throws `STATE_RECORD_FOREIGN` and `STATE_VERSION_UNKNOWN`. */
export function readStateRecord(record: LogRecord, topic: string): StateRecord {
  const { key, value, offset, headers } = record
  if (key === null) throw new MillraceError('STATE_RECORD_FOREIGN', { topic, offset })
  const isEntry = key[0] !== tilde
  const name = isEntry ? '' : textOf(key)
  if (name.startsWith(fenceKey)) return { kind: 'fence' }
  const header = headers.find(([one]) => one === epochHeader)
  const epoch = header === undefined ? Number.NaN : Number(textOf(header[1]))
  if (!Number.isSafeInteger(epoch) || epoch >= offset)
    throw new MillraceError('STATE_RECORD_FOREIGN', { topic, offset })
  if (isEntry) return { kind: 'entry', epoch, change: [key, value] }
  if (!name.startsWith(commitKey)) throw new MillraceError('STATE_RECORD_FOREIGN', { topic, offset })
  if (value === null) return { kind: 'commit', epoch, commit: null }
  const commit = JSON.parse(textOf(value)) as Omit<Commit, 'version'> & { version: number }
  if (commit.version === commitVersion) return { kind: 'commit', epoch, commit: commit as Commit }
  const details = { what: `a checkpoint in ${topic}`, version: commit.version, supported: commitVersion }
  throw new MillraceError('STATE_VERSION_UNKNOWN', details)
}

function keyOfCommit(epoch: number, number: number): Uint8Array {
  return Buffer.from(`${commitKey}${epoch}/${number}`)
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
}
