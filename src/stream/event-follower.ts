import type { AcceptedEvent } from '../plan/plan.ts'
import type { Coordinates } from './output-headers.ts'
import type { NextOffsetOf } from './written-outputs.ts'

/**
 * Makes something of accepted events, beside the fold, and puts it into the log by itself. What comes of the events of a
 * checkpoint is durable before the checkpoint is, so nothing is lost; whatever was done before a crash it recognises.
 */
export interface EventFollower {
  /** Whether it wants the events of a stream. */
  follows(stream: string): boolean

  /**
   * Called right after the event was folded into every view, and before any other is: everything stands at the prefix
   * that ends with it. Must not throw and must not take long.
   */
  accepted(event: AcceptedEvent, source: Coordinates): void

  /** Resolves when there is room for more events. */
  room(signal: AbortSignal): Promise<void>

  /**
   * Forgets what it was told, and finds what the log has of events that it will be told of again.
   *
   * @param ends of its topics, as `cut` gave them for the checkpoint that is restored.
   */
  restore(ends: Readonly<Record<string, readonly number[]>>, next: NextOffsetOf): Promise<void>

  /**
   * At a checkpoint's cut. The promise resolves once everything that it was told so far is durable; with where in its
   * topics to look, should this checkpoint be restored. Rejects with `OutputError`.
   */
  cut(next: NextOffsetOf): Promise<Readonly<Record<string, readonly number[]>>>
}
