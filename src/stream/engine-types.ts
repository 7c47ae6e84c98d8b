import type { Clock } from '../base/clock.ts'
import type { Log } from '../log/log.ts'
import type { Plan } from '../plan/plan.ts'
import type { OnlineStore } from '../store/online/online-store.ts'
import type { EventFollower } from './event-follower.ts'
import type { VerdictCounts, ViewCounts } from './checkpoint.ts'

export type EngineOptions = {
  /** What is to run. Served at once when nothing else was; otherwise built first, while the plan before it serves. */
  readonly plan: Plan
  /** Finds the plan of a hash, if its definitions are still known: the one that served before the last stop. */
  readonly planOf?: (hash: string) => Plan | null
  readonly log: Log
  readonly store: OnlineStore
  readonly clock: Clock
  /** Names the store in faults. */
  readonly folder: string
  /** Partitions of topics that do not exist yet. */
  readonly partitions: number
  readonly checkpointMs: number
  /** Keys per view held in memory beyond those that wait for the next checkpoint. */
  readonly keysMax: number
  readonly observer?: EngineObserver
  readonly follower?: EventFollower
}

/** Told what the engine did; for metrics. Must not throw. */
export type EngineObserver = {
  /** `latencyMs`: from the newest record's own timestamp to its fold. */
  batch?(stream: string, batch: { readonly records: number; readonly latencyMs: number }): void
  checkpoint?(seconds: number): void
  /** A plan took over from another one at this prefix: topic → next offset per partition. */
  takeover?(plan: Plan, prefix: Readonly<Record<string, readonly number[]>>): void
  halt?(partition: HaltedPartition): void
  /** What this process owns of its group's partitions has changed: how many came, went to others, or were lost. */
  rebalance?(change: {
    readonly assigned: number
    readonly moved: number
    readonly lost: number
    readonly owned: number
    readonly ms: number
  }): void
  /** The states in a state topic were of no use: they are built from the accepted events. */
  damage?(partition: HaltedPartition): void
}

export type EngineCounts = {
  readonly sources: readonly ({
    readonly stream: string
    readonly topic: string
    readonly partition: number
    readonly next: number
    readonly watermark: number
  } & VerdictCounts)[]
  readonly views: Readonly<Record<string, Readonly<ViewCounts>>>
}

/** A source partition that stopped by itself; the others go on. */
export type HaltedPartition = { readonly topic: string; readonly partition: number; readonly fault: Error }

/** A plan on its way: records of the log that its new views have seen, and how many there are. */
export type Building = { readonly plan: Plan; readonly done: number; readonly total: number }

/** A plan that is being built, and who waits for it. */
export type Target = { readonly plan: Plan; readonly done: PromiseWithResolvers<void> }
