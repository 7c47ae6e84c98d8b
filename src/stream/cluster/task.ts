import type { LogRecord } from '../../log/log.ts'
import type { StoreChange } from '../../store/online/online-store.ts'
import type { NextOffsetOf, Outputs } from '../outputs.ts'

/**
 * One input partition, taken in offset order, and what comes of it: a deterministic function of what was taken. What
 * reads, checkpoints and restarts it is a `TaskRunner`.
 */
export interface Task {
  readonly topic: string
  readonly partition: number
  /** Offset of the next record to take. */
  readonly next: number
  /** Where it writes what is neither its state nor sent on. */
  readonly outputs: Outputs
  /** How full what waits for the next checkpoint is: 1 is the limit. */
  readonly fullness: number
  /** Synchronous: between two calls everything is at one prefix. */
  take(records: readonly LogRecord[]): void
  /** Goes on to an offset before which nothing is left to take. */
  passGap(next: number): void
  /** Whether others have not been told yet how far this is. */
  readonly isUnmarked: boolean
  /** Has them be told, by what is sent next. */
  mark(): void
  /** Sends on what taking has made, durably; at once for what was taken so far. */
  send(): Promise<void>
  readonly nextOffsetOf: NextOffsetOf
  /** Changes of the store since the last call, and what the checkpoint says beside them. */
  takeChanges(): StoreChange[]
  progress(): unknown
  /** Lets go of what the store has too. Called when no checkpoint is being written. */
  evict(): void
}
